/*
 * check.h: the checkers. Each compares what the device did with what happened (facts.h), and ends
 * the run when they disagree. README.md says what each of them promises.
 */
#ifndef DUN_SIM_CHECK_H
#define DUN_SIM_CHECK_H

#include "facts.h"

/* A point's value says which point it is: the two are turned into each other here. */
int64_t check_value_of(uint32_t index, bool negative);
uint32_t check_index_of(int64_t value);

/* A record came to the broker over its connection number `connection`; whose it is comes back. */
struct stream_facts *check_arrival(struct facts *facts, struct dun_span payload,
                                   uint64_t connection, uint64_t *sequence);

/* The broker refused it, and the device may hear so. */
void check_refused(struct facts *facts, uint64_t stream, uint64_t sequence, uint8_t code);

/* Somebody on whom the device may rely has the record now. */
void check_received(struct facts *facts, struct stream_facts *stream, uint64_t sequence);

/* The log was mounted, and goes on at `next`. */
void check_mount(struct facts *facts, const struct stream_facts *stream, uint64_t next);

/* The device does not keep the record any more. */
void check_freed(struct stream_facts *stream, uint64_t sequence);

/* The device's counters after a call. */
void check_counts(const struct facts *facts, struct dun_agent *agent);

/* The run's faults are over and the backlog is drained: nothing may be missing. */
void check_end(struct facts *facts, struct dun_agent *agent);

#endif
