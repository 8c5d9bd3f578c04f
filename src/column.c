/*
 * column.c: chooses for each column what to code, by adding up how long the residuals of each way
 * would be, and walks it again to code it. Invariant: choosing and coding see the same residuals.
 *
 * A column of doubles is two columns: the integers that its exponent makes of most rows, and the
 * bits of the others. Where nothing else is said, the integers are meant.
 */
#include "column.h"

#include "telemetry.pb.h"

#define SWITCH_WEIGHT 12 /* another coding than the column before has */
#define EXPONENT_BIAS 32 /* of a column of doubles */

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
    return coding != dunlin_v1_Coding_CODING_ROWS && coding != dunlin_v1_Coding_CODING_SAME_ROWS &&
           coding != dunlin_v1_Coding_CODING_REAL;
}

bool dun_column_may_be_like(const struct dun_column *column)
{
    return !(column->batch->chains[column->metric].form & DUN_FORM_ODD);
}

/// Residuals ///

/* Rows of one sort, one after the other. */
struct rows {
    const struct dun_column *column; /* NULL: there are none */
    const struct dun_point *points, *point;
    int64_t value;
    uint16_t limit;
    bool real; /* of a column of doubles */
    bool odd;  /* the exceptions of one */
};

/* On to the first row from `point` on that is of this sort. False: there is none. */
static bool seek_real(struct rows *rows, const struct dun_point *point)
{
    const struct dun_batch *batch = rows->column->batch;
    int exponent = batch->chains[rows->column->metric].exponent;
    while (point && batch->reals->scaled(point->value, exponent, &rows->value) == rows->odd)
        point = dun_column_next(rows->column, point);
    rows->point = point;
    if (rows->odd && point)
        rows->value = point->value;
    return point != NULL;
}

static inline bool seek_row(struct rows *rows, uint16_t index)
{
    if (index >= rows->limit)
        return false;
    if (rows->real)
        return seek_real(rows, &rows->points[index]);
    rows->point = &rows->points[index];
    rows->value = rows->point->value;
    return true;
}

/* Stands at the first row if there is one; else its point is NULL. */
static struct rows begin_rows(const struct dun_column *column, bool odd)
{
    const struct dun_chain *chain = &column->batch->chains[column->metric];
    struct rows rows = {.column = column,
                        .points = column->batch->points,
                        .limit = column->limit,
                        .real = chain->form & DUN_FORM_REAL,
                        .odd = odd};
    (void)seek_row(&rows, chain->head);
    return rows;
}

/* A walk along a column, with the one that it may be like beside it. */
struct walk {
    struct rows row, other; /* other.column NULL: there is none */
    uint64_t first, delta, other_delta;
    uint64_t delta_before;
};

static struct walk begin_walk(const struct dun_column *column, const struct dun_column *like,
                              bool odd)
{
    struct walk walk = {.row = begin_rows(column, odd)};
    DUN_ASSERT(walk.row.point);
    if (like)
        walk.other = begin_rows(like, false);
    walk.first = (uint64_t)walk.row.value;
    return walk;
}

static inline bool next_row(struct walk *walk)
{
    uint64_t before = (uint64_t)walk->row.value;
    if (!seek_row(&walk->row, walk->row.point->next))
        return false;
    walk->delta_before = walk->delta;
    walk->delta = (uint64_t)walk->row.value - before;
    if (walk->other.column) {
        uint64_t other_before = (uint64_t)walk->other.value;
        (void)seek_row(&walk->other, walk->other.point->next);
        walk->other_delta = (uint64_t)walk->other.value - other_before;
    }
    return true;
}

static int64_t residual(const struct walk *walk, uint32_t coding)
{
    switch (coding) {
    case dunlin_v1_Coding_CODING_DELTA2:
        return (int64_t)(walk->delta - walk->delta_before);
    case dunlin_v1_Coding_CODING_LEVEL:
        return (int64_t)((uint64_t)walk->row.value - walk->first);
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
    return (int64_t)(walk->first - (uint64_t)walk->other.value);
}

/// Choosing ///

static bool is_constant(struct walk walk)
{
    while (next_row(&walk))
        if (walk.delta != 0)
            return false;
    return true;
}

/* About the bits that a residual takes: none to speak of for 0, else length and digits. */
static uint32_t weight(int64_t value)
{
    return value == 0 ? 1 : dun_bit_length(dun_magnitude(value)) + 3;
}

static uint8_t lightest(const struct dun_column *column, const struct dun_column *like,
                        uint8_t before)
{
    struct walk walk = begin_walk(column, like, false);
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
static uint32_t common_step(struct walk walk, uint32_t coding)
{
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

/* Of a column of doubles: the exponent, and whether it makes integers of all rows, or of any. */
static void choose_form(struct dun_batch *batch, const struct dun_column *column)
{
    struct dun_chain *chain = &batch->chains[column->metric];
    if (!(chain->form & DUN_FORM_REAL))
        return;
    chain->exponent = batch->reals->exponent(batch, column->metric, column->limit);
    bool any_odd = begin_rows(column, true).point;
    bool any_exact = begin_rows(column, false).point;
    chain->form = (uint8_t)(DUN_FORM_REAL | (any_odd ? DUN_FORM_ODD : 0) |
                            (any_exact ? 0 : DUN_FORM_ALL_ODD));
}

void dun_column_choose(struct dun_batch *batch, const struct dun_column *column,
                       const struct dun_column *like, uint8_t before)
{
    struct dun_chain *chain = &batch->chains[column->metric];
    chain->step = 1;
    chain->coding = dunlin_v1_Coding_CODING_CONSTANT;
    choose_form(batch, column);
    if (chain->form & DUN_FORM_ALL_ODD)
        return;
    struct walk walk = begin_walk(column, NULL, false);
    if (is_constant(walk)) {
        if (walk.first == 0 && !(chain->form & DUN_FORM_ODD))
            chain->coding = dunlin_v1_Coding_CODING_ZERO;
        return;
    }
    if (chain->form & DUN_FORM_ODD)
        like = NULL;
    chain->coding = lightest(column, like, before);
    chain->step = common_step(begin_walk(column, like, false), chain->coding);
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

static void code_varying(struct dun_coder *coder, struct walk walk, uint32_t coding, uint32_t step)
{
    code_step(coder, step);
    code_first(coder, first_residual(&walk, coding), step);
    dun_coder_restart(coder);
    while (next_row(&walk)) {
        int64_t value = residual(&walk, coding);
        dun_coder_value(coder, step == 1 ? value : value / (int64_t)step);
    }
}

/* Which rows of a column of doubles are exceptions, and their bits. */
static void code_exceptions(struct dun_coder *coder, const struct dun_column *column, bool any)
{
    dun_coder_flag(coder, DUN_FLAG_EXCEPTIONS, any);
    if (!any)
        return;
    struct walk walk = begin_walk(column, NULL, true);
    const struct dun_point *odd = walk.row.point;
    struct walk ahead = walk;
    uint32_t gap = 0;
    for (const struct dun_point *point = dun_column_first(column); point;
         point = dun_column_next(column, point)) {
        dun_coder_row(coder, gap, point == odd);
        gap = point == odd ? 0 : gap + 1;
        if (point == odd)
            odd = next_row(&ahead) ? ahead.row.point : NULL;
    }
    code_varying(coder, walk, dunlin_v1_Coding_CODING_DELTA,
                 common_step(walk, dunlin_v1_Coding_CODING_DELTA));
}

void dun_column_code(struct dun_coder *coder, const struct dun_column *column,
                     const struct dun_column *like)
{
    const struct dun_chain *chain = &column->batch->chains[column->metric];
    if (chain->coding == dunlin_v1_Coding_CODING_ZERO)
        return;
    if (chain->form & DUN_FORM_REAL)
        code_exceptions(coder, column, chain->form & DUN_FORM_ODD);
    if (chain->form & DUN_FORM_ALL_ODD)
        return;
    if (chain->form & DUN_FORM_REAL)
        dun_range_direct(&coder->range, (uint64_t)(chain->exponent + EXPONENT_BIAS), 6);
    struct walk walk = begin_walk(column, dun_column_may_be_like(column) ? like : NULL, false);
    if (dun_coding_varies(chain->coding))
        code_varying(coder, walk, chain->coding, chain->step);
    else
        dun_coder_number(coder, walk.row.value);
}
