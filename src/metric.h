/*
 * metric.h: what is measured. Values are integers; a metric says by which power of ten to scale
 * them, so no floating point is needed on the way to the wire. Where a source is floating point,
 * values are doubles: see real.h.
 */
#ifndef DUN_METRIC_H
#define DUN_METRIC_H

#include "base.h"

/* The values of dunlin.v1.MetricKind. */
enum dun_metric_kind {
    DUN_GAUGE = 1,
    DUN_COUNTER = 2, /* only grows; a fall means it was reset */
    DUN_STATE = 3,   /* one of `states` */
    DUN_BOOLEAN = 4, /* 0 or 1 */
};

struct dun_attribute {
    const char *key;
    const char *value;
};

#define DUN_METRIC_SIZE_MAX 896 /* a metric encodes to no more, so that a reader can bound it */

/* All pointers must outlive the catalog that holds this. */
struct dun_metric {
    const char *name; /* OpenTelemetry style: system.memory.usage */
    const char *unit; /* UCUM: By, s, 1, Cel, {packet} */
    const struct dun_attribute *attributes;
    const char *const *states; /* DUN_STATE: what the values 0, 1, 2 ... are called */
    uint8_t attribute_count;
    uint8_t state_count;
    uint8_t kind;    /* enum dun_metric_kind */
    int8_t exponent; /* value = integer * 10^exponent, -18 to 18 */
    bool real;       /* values are doubles; the exponent scales only its limits and tuning */
};

#endif
