/*
 * batch.h: the open batch: points of several metrics gathered in a caller-given buffer, and their
 * encoding as dunlin.v1.Batch. It does not know where the batch is stored.
 *
 * A point costs 16 bytes of RAM, a metric 12. Points are chained by metric as they arrive, so a
 * column is a walk along one chain.
 */
#ifndef DUN_BATCH_H
#define DUN_BATCH_H

#include <pb_encode.h>

#include "catalog.h"
#include "ledger.h"

struct dun_point {
    int64_t value;      /* scaled integer, see struct dun_metric */
    uint32_t offset_ms; /* after the batch's base */
    uint16_t next;      /* next point of the same metric, DUN_POINT_NONE at the end */
    uint16_t metric;
};

#define DUN_POINT_NONE 0xFFFFu

/* One a metric, caller-owned, in the order of the catalog. */
struct dun_chain {
    uint16_t head, tail;
    uint16_t count;
    uint16_t axis; /* while encoding: index of this column's time axis */
    uint16_t twin; /* while encoding: on an axis, the metric whose times stand for it */
};

struct dun_anchor {
    dun_ms uptime_ms;
    dun_ms unix_ms;
    uint32_t boot;
    uint8_t cause; /* the values of dunlin.v1.AnchorCause */
};

enum dun_anchor_cause {
    DUN_ANCHOR_KNOWN = 1,
    DUN_ANCHOR_STEPPED = 2,
    DUN_ANCHOR_PERIODIC = 3,
};

struct dun_batch {
    struct dun_point *points; /* caller-owned */
    struct dun_chain *chains; /* caller-owned, `metrics_max` of them */
    uint16_t capacity;        /* points, at most 65,535 */
    uint16_t metrics_max;
    uint16_t count;           /* points in the batch */
    uint16_t rough_size;      /* estimate of the encoded size, bytes, saturating */
    dun_ms base_ms;           /* uptime of the first point */
};

/* What a record says beside its points. Borrowed while encoding. */
struct dun_batch_header {
    uint64_t stream;
    uint64_t sequence;
    uint32_t boot;
    uint32_t catalog;      /* hash */
    bool unix_known;
    dun_ms boot_unix_ms;   /* wall-clock time at uptime 0, if unix_known */
    const struct dun_ledger *ledger; /* its untold entries are written; NULL: none */
    const struct dun_anchor *anchors;
    uint16_t anchor_count;
};

void dun_batch_init(struct dun_batch *batch, struct dun_point *points, uint16_t capacity,
                    struct dun_chain *chains, uint16_t metrics_max);

/*
 * Adds a point taken at `uptime_ms`, which must not lie before the previous one of the batch.
 * DUN_E_FULL when points or the 49-day span of a batch are used up: seal and call again.
 * DUN_E_INVALID for a metric beyond metrics_max. Cost: O(1).
 */
DUN_MUST_USE int dun_batch_add(struct dun_batch *batch, uint16_t metric, int64_t value,
                               dun_ms uptime_ms);

/*
 * Encodes header and the first `count` points as one dunlin.v1.Batch. False if `out` failed.
 * Encoding twice gives the same bytes: once into PB_OSTREAM_SIZING, once for real.
 * Cost: O(points * distinct axes).
 */
bool dun_batch_encode(pb_ostream_t *out, struct dun_batch *batch,
                      const struct dun_batch_header *header, uint16_t count);

/* Forgets the first `count` points (they are stored now) and keeps the rest. */
void dun_batch_consume(struct dun_batch *batch, uint16_t count);

#endif
