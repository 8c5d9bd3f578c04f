/* histogram.c: buckets as of a floating point number with six bits of mantissa. */
#include "histogram.h"

#define VALUE_MAX ((INT64_C(1) << 40) - 1)

static uint32_t bucket_of(uint64_t value)
{
    if (value < DUN_HISTOGRAM_EXACT) {
        return (uint32_t)value;
    }
    uint32_t shift = 0;
    while (value >> shift >= DUN_HISTOGRAM_EXACT) {
        shift++;
    }
    return DUN_HISTOGRAM_EXACT + (shift - 1) * 64 + (uint32_t)((value >> shift) - 64);
}

/* The largest value of a bucket. */
static dun_ms top_of(uint32_t bucket)
{
    if (bucket < DUN_HISTOGRAM_EXACT) {
        return bucket;
    }
    uint32_t shift = (bucket - DUN_HISTOGRAM_EXACT) / 64 + 1;
    uint64_t mantissa = (bucket - DUN_HISTOGRAM_EXACT) % 64 + 64;
    return (dun_ms)(((mantissa + 1) << shift) - 1);
}

void dun_histogram_add(struct dun_histogram *histogram, dun_ms value, uint64_t times)
{
    value = value < 0 ? 0 : value > VALUE_MAX ? VALUE_MAX : value;
    histogram->buckets[bucket_of((uint64_t)value)] += times;
    histogram->count += times;
    histogram->max = value > histogram->max ? value : histogram->max;
}

dun_ms dun_histogram_at(const struct dun_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < DUN_HISTOGRAM_BUCKETS; i++) {
        sum += histogram->buckets[i];
        if (sum > 0 && (double)sum >= wanted) {
            dun_ms top = top_of(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return 0;
}
