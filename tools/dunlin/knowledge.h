/*
 * knowledge.h: what a reader remembers from one record to the next: dictionaries and time
 * anchors, by device and stream (SPEC.md, Dictionaries and Dates). It copies what it keeps.
 *
 * Bounded: at most DUN_KNOWLEDGE_ENTRIES_MAX announcements and anchors and DUN_KNOWLEDGE_BYTES_MAX
 * bytes. What comes beyond is not kept, and `dropped` counts it.
 */
#ifndef DUN_KNOWLEDGE_H
#define DUN_KNOWLEDGE_H

#include "parse.h"

#define DUN_KNOWLEDGE_ENTRIES_MAX ((size_t)1 << 17)
#define DUN_KNOWLEDGE_BYTES_MAX   ((size_t)256 << 20)

struct dun_fact; /* in knowledge.c */

struct dun_knowledge {
    struct dun_fact **slots; /* open addressing; a power of two */
    size_t slot_count;
    size_t count;
    size_t bytes;
    uint64_t dropped;
};

void dun_knowledge_init(struct dun_knowledge *knowledge);
void dun_knowledge_free(struct dun_knowledge *knowledge);

/* Learns dictionary(`hash`) = dictionary(`base`) followed by `metrics`, which passed its checks. */
void dun_knowledge_add_metrics(struct dun_knowledge *knowledge, struct dun_span device,
                               uint64_t stream, uint32_t base, uint32_t hash,
                               const struct dun_list *metrics);

/* Metric `id` of dictionary(`hash`), or NULL. Valid until the knowledge is freed. Cost: one step
 * an announcement that the dictionary was built of. */
const struct dun_metric_text *dun_knowledge_metric(const struct dun_knowledge *knowledge,
                                                   struct dun_span device, uint64_t stream,
                                                   uint32_t hash, uint32_t id);

void dun_knowledge_add_anchor(struct dun_knowledge *knowledge, struct dun_span device,
                              uint64_t stream, const dunlin_v1_Anchor *anchor);

/* Unix time at uptime 0 of that boot, in ms; false if no anchor tells it. */
bool dun_knowledge_offset(const struct dun_knowledge *knowledge, struct dun_span device,
                          uint64_t stream, uint32_t boot, int64_t *offset_ms);

#endif
