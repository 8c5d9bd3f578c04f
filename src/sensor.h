/*
 * sensor.h: the seam above the collector: one source that is read at its own interval.
 */
#ifndef DUN_SENSOR_H
#define DUN_SENSOR_H

#include "base.h"

struct dun_agent;

/*
 * Read when due, with the step's `now`. It declares metrics with dun_agent_declare when it first
 * sees them and hands values to dun_agent_record. It must not block for longer than a file read.
 * Returns 0, or an error that the agent counts; what does not exist is absent, not an error.
 */
struct dun_sensor {
    const char *name;
    uint32_t interval_ms; /* 0: never read */
    int (*read)(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
    void *context;
    dun_ms due;      /* kept by the agent */
    uint32_t own_ms; /* kept by remote configuration: `interval_ms` without it */
};

#endif
