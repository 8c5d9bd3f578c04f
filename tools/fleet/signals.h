/*
 * signals.h: what the sensors of simulated devices read: daily cycles with noise, states that step,
 * counters, batteries that run down, and stretches without a reading. A value follows from seed,
 * device, metric and time alone, so that nothing need be remembered and every run can be repeated.
 */
#ifndef DUN_FLEET_SIGNALS_H
#define DUN_FLEET_SIGNALS_H

#include "metric.h"

enum dun_signal_shape {
    DUN_SIGNAL_DAILY = 0, /* base, with a swing over the day and noise that comes in gusts */
    DUN_SIGNAL_STEPS,     /* 0, or base with noise, for some stretches of `dwell_s` */
    DUN_SIGNAL_LEVELS,    /* one of 0 to base, for a stretch */
    DUN_SIGNAL_COUNTER,   /* grows by base an hour, more by day than by night */
    DUN_SIGNAL_SAW,    /* from base down to base - swing in `dwell_s`, and from the start again */
    DUN_SIGNAL_UPTIME, /* seconds since the device's boot */
};

/* All scaled as the metric's values. */
struct dun_signal {
    struct dun_metric metric;
    int64_t base, swing, noise;
    uint32_t dwell_s; /* 0: 300 s */
    uint16_t spread;  /* devices differ by up to so many per mille of base */
    uint16_t outage;  /* per mille of the stretches in which the sensor says nothing */
    uint8_t shape;    /* enum dun_signal_shape */
};

/* A kind of device, by name. */
struct dun_model {
    const char *name;
    const char *summary;
    uint32_t interval_ms;
    const struct dun_signal *signals;
    uint16_t signal_count;
};

/* NULL: there is none of that name. Index below dun_model_count. */
const struct dun_model *dun_model_find(const char *name, size_t size);
const struct dun_model *dun_model_at(size_t index);
size_t dun_model_count(void);

struct dun_signal_time {
    uint64_t seed;
    uint32_t device;
    dun_ms at_ms;       /* since the first boot of the device */
    dun_ms uptime_ms;   /* since the last one */
    dun_ms interval_ms; /* to the next reading */
    dun_ms day_ms;      /* length of a day */
};

/* False: no reading now. */
bool dun_signal_read(const struct dun_signal *signal, uint16_t index,
                     const struct dun_signal_time *time, int64_t *value);

/* 64 bits that look random, of up to three numbers. */
uint64_t dun_signal_hash(uint64_t a, uint64_t b, uint64_t c);

#endif
