/*
 * coverage.c: sequences as sorted ranges, so that a stream that arrives in order costs one range
 * whatever its length.
 */
#include "coverage.h"

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

void dun_coverage_init(struct dun_coverage *coverage, struct dun_span device, uint64_t stream)
{
    memset(coverage, 0, sizeof *coverage);
    size_t size = device.size < sizeof coverage->device ? device.size : sizeof coverage->device - 1;
    if (size > 0) {
        memcpy(coverage->device, device.data, size);
    }
    coverage->stream = stream;
    coverage->recent_count = DUN_COVERAGE_RECENTS;
}

void dun_coverage_free(struct dun_coverage *coverage)
{
    free(coverage->received.items);
    free(coverage->lost.items);
    free(coverage->recents);
    coverage->recents = NULL;
    coverage->received = coverage->lost = (struct dun_ranges){NULL, 0, 0};
}

/// Ranges ///

/* The first range that ends at or after `sequence`. */
static size_t position(const struct dun_ranges *ranges, uint64_t sequence)
{
    size_t low = 0;
    size_t high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].last < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool contains(const struct dun_ranges *ranges, uint64_t sequence)
{
    size_t at = position(ranges, sequence);
    return at < ranges->count && ranges->items[at].first <= sequence;
}

static bool insert(struct dun_ranges *ranges, size_t at, struct dun_range range)
{
    if (ranges->count == ranges->capacity) {
        size_t capacity = ranges->capacity == 0 ? 2 : ranges->capacity * 2;
        struct dun_range *items =
            capacity <= DUN_RANGES_MAX ? realloc(ranges->items, capacity * sizeof *items) : NULL;
        if (items == NULL) {
            return false;
        }
        ranges->items = items;
        ranges->capacity = capacity;
    }
    memmove(ranges->items + at + 1, ranges->items + at,
            (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = range;
    ranges->count++;
    return true;
}

/* Adds a range and joins it with all that overlap or touch it. False: no room. */
static bool add(struct dun_ranges *ranges, uint64_t first, uint64_t last)
{
    size_t at = position(ranges, first > 0 ? first - 1 : 0);
    size_t end = at;
    while (end < ranges->count && (last == UINT64_MAX || ranges->items[end].first <= last + 1)) {
        first = ranges->items[end].first < first ? ranges->items[end].first : first;
        last = ranges->items[end].last > last ? ranges->items[end].last : last;
        end++;
    }
    if (end == at) {
        return insert(ranges, at, (struct dun_range){first, last});
    }
    ranges->items[at] = (struct dun_range){first, last};
    memmove(ranges->items + at + 1, ranges->items + end,
            (ranges->count - end) * sizeof *ranges->items);
    ranges->count -= end - at - 1;
    return true;
}

/// Arrivals ///

/* Where the bytes of that sequence are remembered; without memory a repetition passes unchecked. */
static struct dun_recent *recent_of(struct dun_coverage *coverage, uint64_t sequence)
{
    static struct dun_recent forgotten;
    if (coverage->recents == NULL) {
        coverage->recents = calloc(coverage->recent_count, sizeof *coverage->recents);
    }
    forgotten = (struct dun_recent){0, 0};
    return coverage->recents == NULL ? &forgotten
                                     : &coverage->recents[sequence % coverage->recent_count];
}

bool dun_coverage_receive(struct dun_coverage *coverage, uint64_t sequence, struct dun_span payload)
{
    struct dun_recent *recent = recent_of(coverage, sequence);
    uint32_t crc = dun_crc32c(0, payload.data, payload.size);
    if (contains(&coverage->received, sequence)) {
        coverage->duplicates++;
        if (recent->sequence == sequence && recent->crc != crc) {
            coverage->altered++;
        }
        return false;
    }
    coverage->records++;
    if (!add(&coverage->received, sequence, sequence)) {
        coverage->untracked++;
    }
    *recent = (struct dun_recent){sequence, crc};
    return true;
}

void dun_coverage_receive_range(struct dun_coverage *coverage, uint64_t first, uint64_t last)
{
    if (!add(&coverage->received, first, last)) {
        coverage->untracked++;
    }
}

void dun_coverage_lose(struct dun_coverage *coverage, uint64_t first, uint64_t last)
{
    if (!add(&coverage->lost, first, last)) {
        coverage->untracked++;
    }
}

bool dun_coverage_take(struct dun_coverage *coverage, const struct dun_parsed *record,
                       struct dun_span payload)
{
    if (!dun_coverage_receive(coverage, record->batch.sequence, payload)) {
        return false;
    }
    const dunlin_v1_Loss *losses = record->losses.items;
    for (size_t i = 0; i < record->losses.count; i++) {
        if (losses[i].has_first) {
            dun_coverage_lose(coverage, losses[i].first, losses[i].last);
        } else {
            coverage->lost_points += losses[i].points;
        }
    }
    coverage->points += record->samples.count + record->points;
    return true;
}

/// Answers ///

/* How much of first..last the ranges cover. */
static uint64_t covered(const struct dun_ranges *ranges, uint64_t first, uint64_t last)
{
    uint64_t sum = 0;
    for (size_t i = position(ranges, first); i < ranges->count; i++) {
        const struct dun_range *range = &ranges->items[i];
        if (range->first > last) {
            break;
        }
        uint64_t from = range->first > first ? range->first : first;
        uint64_t to = range->last < last ? range->last : last;
        sum += to - from + 1;
    }
    return sum;
}

uint64_t dun_coverage_lost(const struct dun_coverage *coverage)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < coverage->lost.count; i++) {
        const struct dun_range *range = &coverage->lost.items[i];
        sum += range->last - range->first + 1 -
               covered(&coverage->received, range->first, range->last);
    }
    return sum;
}

struct gaps {
    struct dun_range *items;
    size_t max;
    size_t count;
    uint64_t sum;
};

static void add_gap(struct gaps *gaps, uint64_t first, uint64_t last)
{
    if (gaps->count < gaps->max) {
        gaps->items[gaps->count] = (struct dun_range){first, last};
    }
    gaps->count++;
    gaps->sum += last - first + 1;
}

/* What the lost ranges leave open of first..last. */
static void scan_hole(const struct dun_ranges *lost, uint64_t first, uint64_t last,
                      struct gaps *gaps)
{
    for (size_t i = position(lost, first); i < lost->count && lost->items[i].first <= last; i++) {
        if (lost->items[i].first > first) {
            add_gap(gaps, first, lost->items[i].first - 1);
        }
        if (lost->items[i].last >= last) {
            return;
        }
        first = lost->items[i].last + 1;
    }
    add_gap(gaps, first, last);
}

uint64_t dun_coverage_missing(const struct dun_coverage *coverage, struct dun_range *items,
                              size_t gaps_max, size_t *gap_count)
{
    struct gaps gaps = {.items = items, .max = gaps_max};
    const struct dun_ranges *received = &coverage->received;
    if (coverage->origin > 0 && received->count > 0 &&
        received->items[0].first > coverage->origin) {
        scan_hole(&coverage->lost, coverage->origin, received->items[0].first - 1, &gaps);
    }
    for (size_t i = 1; i < received->count; i++) {
        scan_hole(&coverage->lost, received->items[i - 1].last + 1, received->items[i].first - 1,
                  &gaps);
    }
    *gap_count = gaps.count;
    return gaps.sum;
}

/* The end of the range that holds `sequence`, or the one before it. */
static uint64_t end_of(const struct dun_ranges *ranges, uint64_t sequence)
{
    size_t at = position(ranges, sequence);
    bool holds = at < ranges->count && ranges->items[at].first <= sequence;
    return holds ? ranges->items[at].last : sequence - 1;
}

uint64_t dun_coverage_complete_to(const struct dun_coverage *coverage)
{
    uint64_t next = coverage->origin;
    if (next == 0) {
        next = coverage->received.count > 0 ? coverage->received.items[0].first : 1;
    }
    for (;;) {
        uint64_t received = end_of(&coverage->received, next);
        uint64_t lost = end_of(&coverage->lost, next);
        uint64_t end = received > lost ? received : lost;
        if (end < next || end == UINT64_MAX) {
            return end;
        }
        next = end + 1;
    }
}

bool dun_coverage_complete(const struct dun_coverage *coverage)
{
    size_t gap_count;
    return dun_coverage_missing(coverage, NULL, 0, &gap_count) == 0 && coverage->altered == 0 &&
           coverage->untracked == 0;
}
