/*
 * histogram.h: how long things took, in ms, as counts in buckets of about 1.6 % width: percentiles
 * of any number of values in a few KiB. Values from 0 to 2^40.
 */
#ifndef DUN_FLEET_HISTOGRAM_H
#define DUN_FLEET_HISTOGRAM_H

#include "base.h"

#define DUN_HISTOGRAM_EXACT   128 /* values below have a bucket each; then 64 a power of two */
#define DUN_HISTOGRAM_BUCKETS (DUN_HISTOGRAM_EXACT + 64 * 33)

struct dun_histogram {
    uint64_t count;
    dun_ms max;
    uint64_t buckets[DUN_HISTOGRAM_BUCKETS];
};

/* Negative values count as 0. */
void dun_histogram_add(struct dun_histogram *histogram, dun_ms value, uint64_t times);

/* The least value that `share` (0 to 1) of them do not exceed, to bucket width; 0 if there is none.
 */
dun_ms dun_histogram_at(const struct dun_histogram *histogram, double share);

#endif
