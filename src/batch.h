/*
 * batch.h: the open batch: points of several metrics gathered in a caller-given buffer. It does
 * not know how it is encoded or where it is stored.
 *
 * A point costs 16 bytes of RAM, a metric 20. Points are chained by metric as they arrive, so a
 * column is a walk along one chain. The values of a chain may be the bits of doubles: what can only
 * be told of those with floating point stands behind struct dun_reals.
 */
#ifndef DUN_BATCH_H
#define DUN_BATCH_H

#include "base.h"

#define DUN_POINT_NONE 0xFFFFu

struct dun_point {
    int64_t value;      /* scaled integer, see struct dun_metric, or the bits of a double */
    uint32_t offset_ms; /* after the batch's base */
    uint16_t next;      /* next point of the same metric, DUN_POINT_NONE at the end */
    uint16_t metric;
};

enum dun_form {
    DUN_FORM_REAL = 1,    /* doubles; lasts as long as the batch */
    DUN_FORM_ODD = 2,     /* some are exceptions: no integer times 10^exponent */
    DUN_FORM_ALL_ODD = 4, /* none of them is anything else */
};

/* The points of one metric, oldest first. What the encoder chose for its column stands beside
 * them, so that sizing a record and writing it choose once: see struct dun_plan. */
struct dun_chain {
    uint16_t head, tail;
    uint16_t axis;       /* index of the time axis with just these times */
    uint16_t axis_owner; /* chains[a].axis_owner is the metric that axis a is */
    uint8_t coding;      /* dunlin_v1_Coding */
    uint8_t even;        /* all values are multiples of 2^even; for the rough size */
    uint8_t form;        /* enum dun_form, several */
    int8_t exponent;     /* DUN_FORM_REAL: the value is an integer times 10^exponent */
    uint32_t step;       /* divides what is coded */
    uint32_t bits_size;  /* chains[g].bits_size: coded bytes of the columns of axis g */
};

struct dun_batch;

/* What a batch asks about doubles, which travel as their 64 bits. */
struct dun_reals {
    /* The integer that is the double times 10^-exponent exactly; false: there is none. */
    bool (*scaled)(int64_t bits, int exponent, int64_t *integer);
    /* The exponent that suits the first points of a chain best, up to index `limit`. */
    int8_t (*exponent)(const struct dun_batch *batch, uint16_t metric, uint16_t limit);
    /* Roughly the bits that `value` adds behind `before`, NULL: the first. Learns the exponent. */
    uint32_t (*growth)(struct dun_chain *chain, const int64_t *before, int64_t value);
};

/* How the first `limit` points are going to be written. */
struct dun_plan {
    uint16_t limit; /* 0: nothing is planned */
    uint16_t axes;  /* different sequences of times */
    uint16_t full;  /* the one that has all rows of the shared axis; DUN_POINT_NONE: none has */
    bool shared;    /* one axis for all columns, some of which have only part of its rows */
};

struct dun_batch {
    struct dun_point *points; /* caller-owned */
    struct dun_chain *chains; /* caller-owned, `metrics_max` of them, indexed by metric id */
    uint16_t capacity;        /* points, at most 65,534 */
    uint16_t metrics_max;
    uint16_t count;       /* points in the batch */
    uint16_t chain_count; /* chains in use lie below this */
    uint32_t rough_bits;
    struct dun_plan plan;          /* the encoder's */
    dun_ms base_ms;                /* uptime of the first point */
    const struct dun_reals *reals; /* NULL: no metric has doubles */
};

void dun_batch_init(struct dun_batch *batch, struct dun_point *points, uint16_t capacity,
                    struct dun_chain *chains, uint16_t metrics_max);

/*
 * Adds a point taken at `uptime_ms`, which must not lie before the previous one of the batch.
 * DUN_E_FULL when points or the 24-day span of a batch are used up: seal and call again.
 * DUN_E_INVALID for a metric beyond metrics_max. Cost: O(1).
 */
DUN_MUST_USE int dun_batch_add(struct dun_batch *batch, uint16_t metric, int64_t value,
                               dun_ms uptime_ms);

/* From now on the values of `metric` are the bits of doubles. */
void dun_batch_make_real(struct dun_batch *batch, uint16_t metric, const struct dun_reals *reals);

/* About how many bytes the record will have: more often too many than too few. */
uint32_t dun_batch_rough_size(const struct dun_batch *batch);

/* Uptime of point `index`. */
dun_ms dun_batch_uptime(const struct dun_batch *batch, uint16_t index);

/* Forgets the first `count` points (they are stored now) and keeps the rest. O(points). */
void dun_batch_consume(struct dun_batch *batch, uint16_t count);

#endif
