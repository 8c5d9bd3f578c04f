/*
 * batch.c: gathers points. Invariants: points lie in order of time; every point is on exactly one
 * chain, that of its metric, in order; offsets fit 32 bits.
 */
#include "batch.h"

/* What one more column costs: tag, length, metric, axis, first value; and one more row of time. */
#define ROUGH_HEADER_SIZE 48
#define ROUGH_COLUMN_SIZE 12
#define ROUGH_ROW_SIZE    1

static void reset(struct dun_batch *batch)
{
    for (uint16_t i = 0; i < batch->chain_count; i++)
        batch->chains[i] = (struct dun_chain){.head = DUN_POINT_NONE, .tail = DUN_POINT_NONE};
    batch->chain_count = 0;
    batch->count = 0;
    batch->rough_size = ROUGH_HEADER_SIZE;
}

void dun_batch_init(struct dun_batch *batch, struct dun_point *points, uint16_t capacity,
                    struct dun_chain *chains, uint16_t metrics_max)
{
    DUN_ASSERT(capacity > 0 && capacity < DUN_POINT_NONE);
    *batch = (struct dun_batch){
        .points = points,
        .chains = chains,
        .capacity = capacity,
        .metrics_max = metrics_max,
        .chain_count = metrics_max,
    };
    reset(batch);
}

static uint32_t varint_size(uint64_t value)
{
    uint32_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static uint32_t delta_size(int64_t from, int64_t to)
{
    uint64_t delta = (uint64_t)to - (uint64_t)from;
    return varint_size((delta << 1) ^ (0 - (delta >> 63)));
}

/* A column that never changes writes no deltas at all; the first change brings the zeros back. */
static uint32_t growth(const struct dun_batch *batch, struct dun_chain *chain, int64_t value)
{
    if (chain->count == 0)
        return ROUGH_COLUMN_SIZE;
    int64_t last = batch->points[chain->tail].value;
    if (chain->varies)
        return delta_size(last, value);
    if (last == value)
        return 0;
    chain->varies = 1;
    return delta_size(last, value) + chain->count - 1u;
}

static void append(struct dun_batch *batch, uint16_t metric, int64_t value, uint32_t offset_ms)
{
    struct dun_chain *chain = &batch->chains[metric];
    batch->rough_size += growth(batch, chain, value);
    if (batch->count == 0 || batch->points[batch->count - 1].offset_ms != offset_ms)
        batch->rough_size += ROUGH_ROW_SIZE;
    uint16_t index = batch->count++;
    batch->points[index] = (struct dun_point){
        .value = value, .offset_ms = offset_ms, .next = DUN_POINT_NONE, .metric = metric};
    if (chain->count == 0)
        chain->head = index;
    else
        batch->points[chain->tail].next = index;
    chain->tail = index;
    chain->count++;
    if (metric >= batch->chain_count)
        batch->chain_count = (uint16_t)(metric + 1);
}

int dun_batch_add(struct dun_batch *batch, uint16_t metric, int64_t value, dun_ms uptime_ms)
{
    if (metric >= batch->metrics_max)
        return DUN_E_INVALID;
    if (batch->count == batch->capacity)
        return DUN_E_FULL;
    if (batch->count == 0)
        batch->base_ms = uptime_ms;
    dun_ms offset_ms = uptime_ms - batch->base_ms;
    DUN_ASSERT(batch->count == 0 || offset_ms >= batch->points[batch->count - 1].offset_ms);
    if (offset_ms > (dun_ms)INT32_MAX)
        return DUN_E_FULL;
    append(batch, metric, value, (uint32_t)offset_ms);
    return DUN_OK;
}

dun_ms dun_batch_uptime(const struct dun_batch *batch, uint16_t index)
{
    return batch->base_ms + (dun_ms)batch->points[index].offset_ms;
}

void dun_batch_consume(struct dun_batch *batch, uint16_t count)
{
    DUN_ASSERT(count <= batch->count);
    uint16_t end = batch->count;
    reset(batch);
    if (count == end)
        return;
    uint32_t rebase_ms = batch->points[count].offset_ms;
    batch->base_ms += (dun_ms)rebase_ms;
    for (uint16_t i = count; i < end; i++) {
        struct dun_point point = batch->points[i];
        append(batch, point.metric, point.value, point.offset_ms - rebase_ms);
    }
}
