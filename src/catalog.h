/*
 * catalog.h: the dictionary that turns metric ids into names. An id is an index into it. It only
 * grows while the program runs; each state has a hash, and the hash of a state is that of its
 * predecessor extended over one encoded dunlin.v1.Metric, so a prefix can be named too.
 */
#ifndef DUN_CATALOG_H
#define DUN_CATALOG_H

#include <pb_encode.h>

#include "metric.h"

struct dun_catalog {
    struct dun_metric *metrics; /* caller-owned */
    uint16_t capacity;
    uint16_t count;
    uint32_t hash; /* CRC-32C over the encoded metrics, in order; 0 when empty */
};

void dun_catalog_init(struct dun_catalog *catalog, struct dun_metric *metrics, uint16_t capacity);

/* Adds a metric (copied; its strings stay borrowed). Returns its id, DUN_E_FULL or DUN_E_INVALID.
 */
DUN_MUST_USE int dun_catalog_add(struct dun_catalog *catalog, const struct dun_metric *metric);

/* The hash of the first `count` metrics. Cost: encodes them anew. */
uint32_t dun_catalog_hash(const struct dun_catalog *catalog, uint16_t count);

/* Encodes the metric's attributes as fields `tag` of the message being written. */
bool dun_catalog_encode_attributes(pb_ostream_t *out, uint32_t tag,
                                   const struct dun_metric *metric);

/* Encodes metrics first..end-1 as fields `tag` of the message being written. */
bool dun_catalog_encode(pb_ostream_t *out, const struct dun_catalog *catalog, uint32_t tag,
                        uint16_t first, uint16_t end);

#endif
