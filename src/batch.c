/*
 * batch.c: gathers points. Invariants: points lie in order of time; every point is on exactly one
 * chain, that of its metric, in order; offsets fit 32 bits.
 */
#include "batch.h"

/* Bits that a record takes at least, and about those of one more column, change and row of time. */
#define ROUGH_RECORD_BITS (56 * 8)
#define ROUGH_COLUMN_BITS 16
#define ROUGH_CHANGE_BITS 3
#define ROUGH_ROW_BITS    1

#define NEVER_VARIED 64

static void reset(struct dun_batch *batch)
{
    for (uint16_t i = 0; i < batch->chain_count; i++)
        batch->chains[i] = (struct dun_chain){.head = DUN_POINT_NONE,
                                              .tail = DUN_POINT_NONE,
                                              .form = batch->chains[i].form & DUN_FORM_REAL};
    batch->chain_count = 0;
    batch->count = 0;
    batch->plan.limit = 0;
    batch->rough_bits = ROUGH_RECORD_BITS;
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
    for (uint16_t i = 0; i < metrics_max; i++)
        chains[i].form = 0;
    reset(batch);
}

void dun_batch_make_real(struct dun_batch *batch, uint16_t metric, const struct dun_reals *reals)
{
    DUN_ASSERT(metric < batch->metrics_max && batch->chains[metric].head == DUN_POINT_NONE);
    batch->chains[metric].form = DUN_FORM_REAL;
    batch->reals = reals;
}

static uint8_t bit_length(uint64_t value)
{
    uint8_t length = 0;
    for (; value != 0; value >>= 1)
        length++;
    return length;
}

/* A column that never changes costs nothing more. Of one that does only what its changes have not
 * in common counts: see `even`. */
static uint32_t growth(const struct dun_batch *batch, struct dun_chain *chain, int64_t value)
{
    uint64_t delta = (uint64_t)value;
    bool first = chain->head == DUN_POINT_NONE;
    if (chain->form & DUN_FORM_REAL)
        return (first ? ROUGH_COLUMN_BITS : 0) +
               batch->reals->growth(chain, first ? NULL : &batch->points[chain->tail].value, value);
    if (first) {
        chain->even = NEVER_VARIED;
        return value == 0 ? 1 : ROUGH_COLUMN_BITS + (uint32_t)bit_length(delta);
    }
    delta -= (uint64_t)batch->points[chain->tail].value;
    if (delta == 0)
        return chain->even == NEVER_VARIED ? 0 : 1;
    if (delta >> 63)
        delta = 0 - delta;
    uint8_t even = (uint8_t)(bit_length(delta & (0 - delta)) - 1);
    uint32_t column_bits = chain->even == NEVER_VARIED ? ROUGH_COLUMN_BITS : 0;
    chain->even = even < chain->even ? even : chain->even;
    return column_bits + ROUGH_CHANGE_BITS + bit_length(delta >> chain->even);
}

static void append(struct dun_batch *batch, uint16_t metric, int64_t value, uint32_t offset_ms)
{
    struct dun_chain *chain = &batch->chains[metric];
    batch->plan.limit = 0;
    batch->rough_bits += growth(batch, chain, value);
    if (batch->count == 0 || batch->points[batch->count - 1].offset_ms != offset_ms)
        batch->rough_bits += ROUGH_ROW_BITS;
    uint16_t index = batch->count++;
    batch->points[index] = (struct dun_point){
        .value = value, .offset_ms = offset_ms, .next = DUN_POINT_NONE, .metric = metric};
    if (chain->head == DUN_POINT_NONE)
        chain->head = index;
    else
        batch->points[chain->tail].next = index;
    chain->tail = index;
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

uint32_t dun_batch_rough_size(const struct dun_batch *batch)
{
    return batch->rough_bits / 8;
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
