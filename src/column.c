/*
 * column.c: chooses for each column what to code, by adding up how long the residuals of each way
 * would be, and walks it again to code it. Invariant: choosing and coding see the same residuals.
 */
#include "column.h"

#include "telemetry.pb.h"

#define SWITCH_WEIGHT 12 /* another coding than the column before has */

enum { WAYS = dunlin_v1_Coding_CODING_UNLIKE - dunlin_v1_Coding_CODING_DELTA + 1 };

const struct dun_point *dun_column_first(const struct dun_column *column)
{
    uint16_t head = column->batch->chains[column->metric].head;
    return head < column->limit ? &column->batch->points[head] : NULL;
}

const struct dun_point *dun_column_next(const struct dun_column *column,
                                        const struct dun_point *point)
{
    return point->next < column->limit ? &column->batch->points[point->next] : NULL;
}

bool dun_coding_varies(uint8_t coding)
{
    return coding >= dunlin_v1_Coding_CODING_DELTA && coding <= dunlin_v1_Coding_CODING_UNLIKE;
}

bool dun_coding_counts(uint32_t coding)
{
    return coding != dunlin_v1_Coding_CODING_ROWS && coding != dunlin_v1_Coding_CODING_SAME_ROWS;
}

/// Residuals ///

/* A walk along a column, with the one that it may be like beside it. */
struct walk {
    const struct dun_column *column, *like;
    const struct dun_point *point, *other; /* of the row before */
    uint64_t first, delta, other_delta;
    uint64_t delta_before;
};

static struct walk begin_walk(const struct dun_column *column, const struct dun_column *like)
{
    struct walk walk = {.column = column, .like = like, .point = dun_column_first(column)};
    walk.other = like ? dun_column_first(like) : NULL;
    walk.first = (uint64_t)walk.point->value;
    return walk;
}

static bool next_row(struct walk *walk)
{
    const struct dun_point *next = dun_column_next(walk->column, walk->point);
    if (!next)
        return false;
    walk->delta_before = walk->delta;
    walk->delta = (uint64_t)next->value - (uint64_t)walk->point->value;
    walk->point = next;
    if (walk->like) {
        const struct dun_point *other = dun_column_next(walk->like, walk->other);
        walk->other_delta = (uint64_t)other->value - (uint64_t)walk->other->value;
        walk->other = other;
    }
    return true;
}

static int64_t residual(const struct walk *walk, uint32_t coding)
{
    switch (coding) {
    case dunlin_v1_Coding_CODING_DELTA2:
        return (int64_t)(walk->delta - walk->delta_before);
    case dunlin_v1_Coding_CODING_LEVEL:
        return (int64_t)((uint64_t)walk->point->value - walk->first);
    case dunlin_v1_Coding_CODING_LIKE:
        return (int64_t)(walk->delta - walk->other_delta);
    case dunlin_v1_Coding_CODING_UNLIKE:
        return (int64_t)(walk->delta + walk->other_delta);
    default:
        return (int64_t)walk->delta;
    }
}

/* What the first value is coded as: itself, or how far it lies from the one it is like. */
static int64_t first_residual(const struct walk *walk, uint32_t coding)
{
    if (coding != dunlin_v1_Coding_CODING_LIKE)
        return (int64_t)walk->first;
    return (int64_t)(walk->first - (uint64_t)walk->other->value);
}

/// Choosing ///

static bool is_constant(const struct dun_column *column)
{
    const struct dun_point *first = dun_column_first(column);
    const struct dun_point *point = first;
    while (point && point->value == first->value)
        point = dun_column_next(column, point);
    return !point;
}

/* About the bits that a residual takes: none to speak of for 0, else length and digits. */
static uint32_t weight(int64_t value)
{
    return value == 0 ? 1 : dun_bit_length(dun_magnitude(value)) + 3;
}

static uint8_t lightest(const struct dun_column *column, const struct dun_column *like,
                        uint8_t before)
{
    struct walk walk = begin_walk(column, like);
    uint32_t ways = like ? WAYS : WAYS - 2;
    uint32_t weights[WAYS];
    uint32_t best = 0;
    for (uint32_t way = 0; way < ways; way++)
        weights[way] = dun_bit_length(
            dun_magnitude(first_residual(&walk, way + dunlin_v1_Coding_CODING_DELTA)));
    while (next_row(&walk)) {
        for (uint32_t way = 0; way < ways; way++)
            weights[way] += weight(residual(&walk, way + dunlin_v1_Coding_CODING_DELTA));
    }
    for (uint32_t way = 0; way < ways; way++)
        weights[way] += way + dunlin_v1_Coding_CODING_DELTA == before ? 0 : SWITCH_WEIGHT;
    for (uint32_t way = 1; way < ways; way++) {
        if (weights[way] < weights[best])
            best = way;
    }
    return (uint8_t)(best + dunlin_v1_Coding_CODING_DELTA);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A divisor of all residuals that pays for being told; 1 if there is none. */
static uint32_t common_step(const struct dun_column *column, const struct dun_column *like,
                            uint32_t coding)
{
    struct walk walk = begin_walk(column, like);
    uint64_t step = 0;
    uint32_t divided = 0;
    while (step != 1 && next_row(&walk)) {
        uint64_t size = dun_magnitude(residual(&walk, coding));
        divided += size != 0;
        if (size != 0)
            step = common_divisor(size, step);
    }
    while (step > UINT32_MAX)
        step = step % 2 == 0 ? step / 2 : 1;
    uint32_t saved = step > 1 ? dun_bit_length(step) - 1 : 0;
    uint32_t cost = (step & (step - 1)) == 0 ? 8 : 8 + saved;
    return saved * divided > cost ? (uint32_t)step : 1;
}

void dun_column_choose(struct dun_batch *batch, const struct dun_column *column,
                       const struct dun_column *like, uint8_t before)
{
    struct dun_chain *chain = &batch->chains[column->metric];
    chain->step = 1;
    if (is_constant(column)) {
        bool zero = dun_column_first(column)->value == 0;
        chain->coding = zero ? dunlin_v1_Coding_CODING_ZERO : dunlin_v1_Coding_CODING_CONSTANT;
        return;
    }
    chain->coding = lightest(column, like, before);
    chain->step = common_step(column, like, chain->coding);
}

/// Coding ///

static void code_step(struct dun_coder *coder, uint32_t step)
{
    dun_coder_flag(coder, DUN_FLAG_STEP, step > 1);
    if (step == 1)
        return;
    uint32_t below = dun_bit_length(step) - 1;
    bool odd = (step & (step - 1)) != 0;
    dun_coder_flag(coder, DUN_FLAG_ODD, odd);
    dun_range_direct(&coder->range, below, 6);
    if (odd)
        dun_range_direct(&coder->range, step, below);
}

static void code_first(struct dun_coder *coder, int64_t value, uint32_t step)
{
    bool multiple = dun_magnitude(value) % step == 0;
    if (step > 1)
        dun_coder_flag(coder, DUN_FLAG_MULTIPLE, multiple);
    dun_coder_number(coder, multiple ? value / (int64_t)step : value);
}

void dun_column_code(struct dun_coder *coder, const struct dun_column *column,
                     const struct dun_column *like)
{
    const struct dun_chain *chain = &column->batch->chains[column->metric];
    if (chain->coding == dunlin_v1_Coding_CODING_ZERO)
        return;
    struct walk walk = begin_walk(column, like);
    if (!dun_coding_varies(chain->coding)) {
        dun_coder_number(coder, walk.point->value);
        return;
    }
    int64_t step = (int64_t)chain->step;
    code_step(coder, chain->step);
    code_first(coder, first_residual(&walk, chain->coding), chain->step);
    dun_coder_restart(coder);
    while (next_row(&walk)) {
        int64_t value = residual(&walk, chain->coding);
        dun_coder_value(coder, step == 1 ? value : value / step);
    }
}
