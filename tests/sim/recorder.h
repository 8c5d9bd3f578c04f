/* recorder.h: the recorder behind the broker: a part of struct broker, see there. */
#ifndef DUN_SIM_RECORDER_H
#define DUN_SIM_RECORDER_H

#include "broker.h"

/* The broker took a record for good: it goes on to the recorder. */
void recorder_takes(struct broker *broker, uint64_t stream, uint64_t sequence);

dun_ms recorder_wake(const struct broker *broker);
void recorder_run(struct broker *broker);

/* The broker keeps and hands on the recorder's cursor. */
void broker_publish_stored(struct broker *broker, struct dun_span payload);

#endif
