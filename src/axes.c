/*
 * axes.c: time axes. An axis is written as a grid and how its rows leave the grid; a regular one
 * is three small numbers. Invariant: what is planned is what is written.
 */
#include "axes.h"

#include "telemetry.pb.h"
#include "wire.h"

#define AXIS_COST 10 /* bytes of a message for the columns of one axis, beside their bits */

/// Sequences of times ///

static bool same_times(const struct dun_column *a, const struct dun_column *b)
{
    const struct dun_point *p = dun_column_first(a);
    const struct dun_point *q = dun_column_first(b);
    while (p && q && p->offset_ms == q->offset_ms) {
        p = dun_column_next(a, p);
        q = dun_column_next(b, q);
    }
    return !p && !q;
}

/* Gives each column the axis of the first column with the same times. Returns the axes. */
static uint16_t assign(struct dun_batch *batch, uint16_t limit)
{
    uint16_t axes = 0;
    for (uint16_t metric = 0; metric < batch->chain_count; metric++) {
        struct dun_column column = {batch, metric, limit};
        if (!dun_column_first(&column))
            continue;
        uint16_t axis = 0;
        while (axis < axes) {
            struct dun_column owner = {batch, batch->chains[axis].axis_owner, limit};
            if (same_times(&column, &owner))
                break;
            axis++;
        }
        if (axis == axes)
            batch->chains[axes++].axis_owner = metric;
        batch->chains[metric].axis = axis;
    }
    return axes;
}

/// Rows ///

/* A walk along the rows of an axis: those of a column, or of all columns together. */
struct rows {
    struct dun_column column; /* its metric is DUN_POINT_NONE: all */
    const struct dun_point *point;
};

static struct rows begin_rows(const struct dun_batch *batch, uint16_t axis)
{
    struct rows rows = {.column = {batch, DUN_POINT_NONE, batch->plan.limit}};
    rows.point = batch->points;
    if (axis != DUN_POINT_NONE) {
        rows.column.metric = batch->chains[axis].axis_owner;
        rows.point = dun_column_first(&rows.column);
    }
    return rows;
}

static bool next_row(struct rows *rows)
{
    if (rows->column.metric != DUN_POINT_NONE) {
        rows->point = dun_column_next(&rows->column, rows->point);
        return rows->point != NULL;
    }
    uint32_t offset_ms = rows->point->offset_ms;
    const struct dun_point *end = rows->column.batch->points + rows->column.limit;
    while (rows->point < end && rows->point->offset_ms == offset_ms)
        rows->point++;
    return rows->point < end;
}

void dun_axes_code_rows(struct dun_coder *coder, const struct dun_batch *batch, uint16_t axis)
{
    struct rows all = begin_rows(batch, DUN_POINT_NONE);
    struct rows some = begin_rows(batch, axis);
    uint32_t gap = 0;
    do {
        bool present = some.point && some.point->offset_ms == all.point->offset_ms;
        dun_coder_row(coder, gap, present);
        gap = present ? 0 : gap + 1;
        if (present)
            (void)next_row(&some);
    } while (next_row(&all));
}

/// An axis ///

struct axis {
    const struct dun_batch *batch;
    uint16_t owner; /* axis, or DUN_POINT_NONE for the shared one */
    uint32_t count;
    uint32_t interval_ms;
    uint32_t first_ms;
    uint8_t coding;
    bool regular;
    bool repeats; /* two rows have the same time */
    uint32_t bits_size;
};

/* The step that most rows have, if one has the majority. */
static uint32_t usual_interval_ms(const struct axis *axis)
{
    uint32_t candidate = 0;
    uint32_t votes = 0;
    struct rows rows = begin_rows(axis->batch, axis->owner);
    uint32_t before_ms = rows.point->offset_ms;
    while (next_row(&rows)) {
        uint32_t step = rows.point->offset_ms - before_ms;
        before_ms = rows.point->offset_ms;
        if (votes == 0)
            candidate = step;
        if (step == candidate)
            votes++;
        else
            votes--;
    }
    return candidate;
}

/* How far a row is from where the grid, or the row before and the interval, put it. */
struct leave {
    int64_t level, delta;
};

static struct leave leave_grid(const struct axis *axis, const struct rows *rows, uint32_t row,
                               int64_t level_before)
{
    struct leave leave = {.level = (int64_t)rows->point->offset_ms - axis->first_ms -
                                   (int64_t)row * axis->interval_ms};
    leave.delta = leave.level - level_before;
    return leave;
}

static void code_axis(struct dun_coder *coder, const struct axis *axis)
{
    struct rows rows = begin_rows(axis->batch, axis->owner);
    int64_t before = 0;
    for (uint32_t row = 1; next_row(&rows); row++) {
        struct leave leave = leave_grid(axis, &rows, row, before);
        dun_coder_value(coder,
                        axis->coding == dunlin_v1_Coding_CODING_LEVEL ? leave.level : leave.delta);
        before = leave.level;
    }
}

static void measure_rows(struct axis *axis)
{
    struct rows rows = begin_rows(axis->batch, axis->owner);
    int64_t before = 0;
    uint32_t level = 0, delta = 0;
    uint32_t before_ms = axis->first_ms;
    axis->count = 1;
    for (; next_row(&rows); axis->count++) {
        struct leave leave = leave_grid(axis, &rows, axis->count, before);
        level += dun_bit_length(dun_magnitude(leave.level));
        delta += dun_bit_length(dun_magnitude(leave.delta));
        axis->repeats = axis->repeats || rows.point->offset_ms == before_ms;
        before_ms = rows.point->offset_ms;
        before = leave.level;
    }
    axis->regular = delta == 0;
    axis->coding = level < delta ? dunlin_v1_Coding_CODING_LEVEL : dunlin_v1_Coding_CODING_DELTA;
}

static struct axis make_axis(const struct dun_batch *batch, uint16_t owner)
{
    struct axis axis = {.batch = batch, .owner = owner};
    axis.first_ms = begin_rows(batch, owner).point->offset_ms;
    axis.interval_ms = usual_interval_ms(&axis);
    measure_rows(&axis);
    if (!axis.regular) {
        struct dun_coder coder;
        dun_coder_begin(&coder, NULL);
        code_axis(&coder, &axis);
        (void)dun_range_end(&coder.range);
        axis.bits_size = coder.range.size;
    }
    return axis;
}

static bool write_bits(pb_ostream_t *out, const struct axis *axis)
{
    struct dun_coder coder;
    if (!out->callback)
        return pb_write(out, NULL, axis->bits_size);
    dun_coder_begin(&coder, out);
    code_axis(&coder, axis);
    return dun_range_end(&coder.range);
}

static bool write_axis(pb_ostream_t *out, const void *context)
{
    const struct axis *axis = context;
    uint32_t rows = axis->regular ? dunlin_v1_Times_count_tag : dunlin_v1_Times_rows_tag;
    if (!dun_wire_uint(out, rows, axis->count))
        return false;
    if (axis->first_ms > 0 && !dun_wire_uint(out, dunlin_v1_Times_first_ms_tag, axis->first_ms))
        return false;
    if (axis->interval_ms > 0 &&
        !dun_wire_uint(out, dunlin_v1_Times_interval_ms_tag, axis->interval_ms))
        return false;
    if (axis->regular)
        return true;
    if (axis->coding != dunlin_v1_Coding_CODING_DELTA &&
        !dun_wire_uint(out, dunlin_v1_Times_coding_tag, axis->coding))
        return false;
    return pb_encode_tag(out, PB_WT_STRING, dunlin_v1_Times_bits_tag) &&
           pb_encode_varint(out, axis->bits_size) && write_bits(out, axis);
}

bool dun_axes_write(pb_ostream_t *out, const struct dun_batch *batch)
{
    uint16_t count = batch->plan.shared ? 1 : batch->plan.axes;
    for (uint16_t i = 0; i < count; i++) {
        struct axis axis = make_axis(batch, batch->plan.shared ? DUN_POINT_NONE : i);
        if (!dun_wire_message(out, dunlin_v1_Batch_axes_tag, write_axis, &axis))
            return false;
    }
    return true;
}

/// One axis or many ///

/* Bytes for telling which rows of the shared axis each sequence has. */
static uint32_t rows_size(struct dun_batch *batch, uint32_t all_rows)
{
    struct dun_coder coder;
    uint32_t sets = 0;
    dun_coder_begin(&coder, NULL);
    batch->plan.full = DUN_POINT_NONE;
    for (uint16_t i = 0; i < batch->plan.axes; i++) {
        if (make_axis(batch, i).count == all_rows) {
            batch->plan.full = i;
        } else {
            dun_axes_code_rows(&coder, batch, i);
            sets++;
        }
    }
    (void)dun_range_end(&coder.range);
    return sets + coder.range.size;
}

void dun_axes_plan(struct dun_batch *batch, uint16_t limit)
{
    uint32_t apart = 0;
    bool repeats = false;
    batch->plan = (struct dun_plan){.limit = limit, .full = DUN_POINT_NONE};
    batch->plan.axes = assign(batch, limit);
    if (batch->plan.axes == 1)
        return;
    for (uint16_t i = 0; i < batch->plan.axes; i++) {
        struct axis axis = make_axis(batch, i);
        apart += AXIS_COST + (uint32_t)dun_wire_size(write_axis, &axis);
        repeats = repeats || axis.repeats;
    }
    if (repeats)
        return;
    struct axis all = make_axis(batch, DUN_POINT_NONE);
    uint32_t together =
        AXIS_COST + (uint32_t)dun_wire_size(write_axis, &all) + rows_size(batch, all.count);
    batch->plan.shared = together < apart;
}
