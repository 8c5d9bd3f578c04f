/*
 * read_record.h: the far end's reader of records, written from proto/SPEC.md alone; it shares no
 * code with the encoders it checks.
 */
#ifndef DUN_SIM_READ_RECORD_H
#define DUN_SIM_READ_RECORD_H

#include "base.h"

#define READ_POINTS_MAX  4096
#define READ_LOSSES_MAX  256
#define READ_ANCHORS_MAX 16

struct read_point {
    uint32_t metric;
    dun_ms uptime_ms;
    int64_t value;
    bool dated;
    dun_ms unix_ms;
};

struct read_loss {
    uint64_t first, last, points;
    uint32_t reason;
    uint32_t boot;
    uint32_t code; /* of the broker */
};

struct read_anchor {
    uint32_t boot;
    dun_ms uptime_ms, unix_ms;
    uint32_t cause;
};

struct read_record {
    uint64_t stream, sequence;
    uint32_t boot;
    bool dated; /* boot_unix_ms was there */
    dun_ms boot_unix_ms;
    uint32_t catalog, catalog_base;
    uint32_t metrics_hash; /* of catalog_base continued over the announced metrics */
    uint32_t metric_count;
    uint32_t point_count, loss_count, anchor_count;
    struct read_point points[READ_POINTS_MAX];
    struct read_loss losses[READ_LOSSES_MAX];
    struct read_anchor anchors[READ_ANCHORS_MAX];
};

/* NULL, or what is wrong with it. */
const char *read_record(struct read_record *record, struct dun_span bytes, bool plain);

#endif
