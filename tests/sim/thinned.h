/*
 * thinned.h: what thinning promises, checked in runs with that policy: only the oldest goes, a
 * block's worth at a time, told as THINNED; of what went every k-th record and all urgent ones come
 * all the same, once the rest has come, in order; and nothing else does.
 */
#ifndef DUN_SIM_THINNED_H
#define DUN_SIM_THINNED_H

#include "facts.h"

/* The main log was mounted: what it still has did not go. */
void thinned_mounted(struct facts *facts, struct stream_facts *stream, const struct dun_log *log);

/* After each call: what of the log went, and what became of the archive. */
void thinned_note(struct facts *facts, struct stream_facts *stream, const struct dun_log *log);

void thinned_watch(struct facts *facts, const struct dun_agent *agent);

/* A record arrives. True if it came out of the archive, whose order is checked here. */
bool thinned_arrival(struct facts *facts, struct stream_facts *stream, uint64_t sequence,
                     uint64_t connection);

/* A loss was told to the far end. */
void thinned_told(const struct stream_facts *stream, const struct read_loss *loss);

/* In the end, all drained. */
void thinned_end(struct facts *facts, const struct dun_agent *agent);

#endif
