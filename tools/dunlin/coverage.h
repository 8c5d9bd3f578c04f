/*
 * coverage.h: what of a stream has arrived: received sequences, sequences told lost, and from them
 * what is missing or came twice (SPEC.md, Losses and completeness). One struct a stream.
 *
 * Bounded: at most DUN_RANGES_MAX separate ranges each; what does not fit is counted in
 * `untracked`, and then the stream is never called complete.
 */
#ifndef DUN_COVERAGE_H
#define DUN_COVERAGE_H

#include "parse.h"

#define DUN_RANGES_MAX       65536u
#define DUN_COVERAGE_RECENTS 256u /* default of `recent_count` */

struct dun_range {
    uint64_t first;
    uint64_t last; /* inclusive */
};

/* Sorted, disjoint, not touching. */
struct dun_ranges {
    struct dun_range *items;
    size_t count;
    size_t capacity;
};

struct dun_recent {
    uint64_t sequence;
    uint32_t crc;
};

struct dun_coverage {
    char device[65];
    uint64_t stream;
    uint64_t origin; /* what is missing counts from here; 0: from the first received */
    struct dun_ranges received;
    struct dun_ranges lost;
    uint64_t records; /* different ones */
    uint64_t duplicates;
    uint64_t altered;     /* duplicates with other bytes: must never happen */
    uint64_t points;      /* in different records */
    uint64_t lost_points; /* told lost before they got into a record */
    uint64_t untracked;
    struct dun_recent *recents; /* NULL: none yet */
    uint32_t recent_count;      /* records whose bytes a repetition is compared with */
    struct dun_coverage *next;
};

void dun_coverage_init(struct dun_coverage *coverage, struct dun_span device, uint64_t stream);
void dun_coverage_free(struct dun_coverage *coverage);

/* A record arrived. False: it is a duplicate and must not be used again. */
bool dun_coverage_receive(struct dun_coverage *coverage, uint64_t sequence,
                          struct dun_span payload);

/* The same of a parsed record, with the losses that it tells and its points. */
bool dun_coverage_take(struct dun_coverage *coverage, const struct dun_parsed *record,
                       struct dun_span payload);

/* All of first..last are known to have arrived. */
void dun_coverage_receive_range(struct dun_coverage *coverage, uint64_t first, uint64_t last);

/* The ledger told sequences first..last. */
void dun_coverage_lose(struct dun_coverage *coverage, uint64_t first, uint64_t last);

/* Sequences told lost that did not arrive all the same. */
uint64_t dun_coverage_lost(const struct dun_coverage *coverage);

/* All from the origin to here arrived or were told lost; 0: not even the first. */
uint64_t dun_coverage_complete_to(const struct dun_coverage *coverage);

/*
 * Sequences between the origin and the last received that neither arrived nor were told lost.
 * Up to `gaps_max` of them as ranges in `gaps` (may be NULL with 0); `*gap_count` is how many.
 */
uint64_t dun_coverage_missing(const struct dun_coverage *coverage, struct dun_range *gaps,
                              size_t gaps_max, size_t *gap_count);

bool dun_coverage_complete(const struct dun_coverage *coverage);

#endif
