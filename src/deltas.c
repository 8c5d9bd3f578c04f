/*
 * deltas.c: a record as dunlin.v1.Batch whose columns are differences, one varint each: the form
 * before the coded columns, which every reader of Batch knows. It takes a fifth of their code, and
 * no plan, but several times the bytes: for boards that have little flash and a good line.
 *
 * A column shares the axis of the one before it if it was read at the same times.
 */
#include "encoder.h"
#include "telemetry.pb.h"
#include "wire.h"

/* The points of one metric that go into the record. */
struct column {
    const struct dun_batch *batch;
    uint16_t metric, limit;
    uint16_t axis;
};

static const struct dun_point *point_at(const struct column *column, uint16_t index)
{
    return index < column->limit ? &column->batch->points[index] : NULL;
}

static const struct dun_point *first_point(const struct column *column)
{
    return point_at(column, column->batch->chains[column->metric].head);
}

static bool same_times(const struct column *a, const struct column *b)
{
    const struct dun_point *of_a = first_point(a), *of_b = first_point(b);
    while (of_a && of_b && of_a->offset_ms == of_b->offset_ms) {
        of_a = point_at(a, of_a->next);
        of_b = point_at(b, of_b->next);
    }
    return of_a == of_b; /* both ended */
}

/* Moves to the next metric with points, from `column->metric` on, and to its axis. `before` is the
 * column before it, or NULL. False: there is none. */
static bool find_column(struct column *column, const struct column *before)
{
    while (column->metric < column->batch->chain_count && !first_point(column))
        column->metric++;
    if (column->metric >= column->batch->chain_count)
        return false;
    if (before && !same_times(column, before))
        column->axis++;
    return true;
}

/// Axes ///

static uint32_t interval_of(const struct column *column)
{
    const struct dun_point *point = first_point(column);
    const struct dun_point *next = point_at(column, point->next);
    return next ? next->offset_ms - point->offset_ms : 0;
}

static bool write_jitter(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    const struct dun_point *point = first_point(column);
    for (const struct dun_point *next; (next = point_at(column, point->next)) != NULL; point = next)
        if (!pb_encode_svarint(out,
                               (int64_t)next->offset_ms - point->offset_ms - interval_of(column)))
            return false;
    return true;
}

static bool write_times(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    uint32_t count = 0, interval = interval_of(column);
    bool even = true;
    const struct dun_point *point = first_point(column);
    uint32_t due = point->offset_ms;
    for (; point; point = point_at(column, point->next), due += interval, count++)
        even &= point->offset_ms == due;
    return dun_wire_uint(out, dunlin_v1_Times_count_tag, count) &&
           dun_wire_uint(out, dunlin_v1_Times_first_ms_tag, first_point(column)->offset_ms) &&
           dun_wire_uint(out, dunlin_v1_Times_interval_ms_tag, interval) &&
           (even || dun_wire_message(out, dunlin_v1_Times_jitter_ms_tag, write_jitter, column));
}

/// Columns ///

static int64_t delta(const struct dun_point *from, const struct dun_point *to)
{
    return (int64_t)((uint64_t)to->value - (uint64_t)from->value);
}

static bool write_deltas(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    const struct dun_point *point = first_point(column);
    for (const struct dun_point *next; (next = point_at(column, point->next)) != NULL; point = next)
        if (!pb_encode_svarint(out, delta(point, next)))
            return false;
    return true;
}

static bool write_column(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    const struct dun_point *first = first_point(column);
    const struct dun_point *point = first;
    while (point && point->value == first->value)
        point = point_at(column, point->next);
    return dun_wire_uint(out, dunlin_v1_Column_metric_tag, column->metric) &&
           dun_wire_uint(out, dunlin_v1_Column_axis_tag, column->axis) &&
           dun_wire_sint(out, dunlin_v1_Column_first_tag, first->value) &&
           (!point || dun_wire_message(out, dunlin_v1_Column_deltas_tag, write_deltas, column));
}

/* All axes, or all columns. */
static bool write_all(pb_ostream_t *out, const struct dun_record *record, bool axes)
{
    struct column column = {.batch = record->batch, .limit = record->point_count}, before;
    for (bool first = true; find_column(&column, first ? NULL : &before); first = false) {
        bool ok = true;
        if (!axes)
            ok = dun_wire_message(out, dunlin_v1_Batch_columns_tag, write_column, &column);
        else if (first || column.axis != before.axis)
            ok = dun_wire_message(out, dunlin_v1_Batch_axes_tag, write_times, &column);
        if (!ok)
            return false;
        before = column;
        column.metric++;
    }
    return true;
}

static bool write_points(pb_ostream_t *out, const struct dun_record *record)
{
    return write_all(out, record, true) && write_all(out, record, false);
}

static bool encode(pb_ostream_t *out, const struct dun_record *record)
{
    return dun_encode_batch(out, record, write_points);
}

const struct dun_encoder dun_deltas = {
    .name = "deltas", .announces = true, .integers_only = true, .encode = encode};
