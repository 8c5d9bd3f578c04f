/*
 * columns.c: a record as dunlin.v1.Batch: one column of deltas a metric, time axes shared by the
 * columns whose rows were taken together. Integers only.
 *
 * Everything is written by walking the chains of the batch; lengths that protobuf wants up front
 * come from walking them once more into a sizing stream.
 */
#include "encoder.h"
#include "telemetry.pb.h"
#include "wire.h"

/* The rows of one metric that fall into this record. */
struct column {
    const struct dun_batch *batch;
    uint16_t metric;
    uint16_t limit; /* points with an index below this belong to the record */
};

static const struct dun_point *first_point(const struct column *column)
{
    uint16_t head = column->batch->chains[column->metric].head;
    return head < column->limit ? &column->batch->points[head] : NULL;
}

static const struct dun_point *next_point(const struct column *column,
                                          const struct dun_point *point)
{
    return point->next < column->limit ? &column->batch->points[point->next] : NULL;
}

static bool same_times(const struct column *a, const struct column *b)
{
    const struct dun_point *p = first_point(a);
    const struct dun_point *q = first_point(b);
    while (p && q && p->offset_ms == q->offset_ms) {
        p = next_point(a, p);
        q = next_point(b, q);
    }
    return !p && !q;
}

/// Time axes ///

/* Gives each column the axis of the first column with the same times. Returns the axes. */
static uint16_t assign_axes(struct dun_batch *batch, uint16_t limit)
{
    uint16_t axes = 0;
    for (uint16_t metric = 0; metric < batch->chain_count; metric++) {
        struct column column = {batch, metric, limit};
        if (!first_point(&column))
            continue;
        uint16_t axis = 0;
        while (axis < axes) {
            struct column owner = {batch, batch->chains[axis].axis_owner, limit};
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

/* The step that most rows have, if one has the majority: then most of the jitter is zero. */
static uint32_t usual_interval_ms(const struct column *column)
{
    uint32_t candidate = 0;
    uint32_t votes = 0;
    const struct dun_point *point = first_point(column);
    for (const struct dun_point *next; (next = next_point(column, point)); point = next) {
        uint32_t step = next->offset_ms - point->offset_ms;
        if (votes == 0)
            candidate = step;
        if (step == candidate)
            votes++;
        else
            votes--;
    }
    return candidate;
}

struct axis {
    struct column column;
    uint32_t interval_ms;
};

static bool write_jitter(pb_ostream_t *out, const void *context)
{
    const struct axis *axis = context;
    const struct dun_point *point = first_point(&axis->column);
    for (const struct dun_point *next; (next = next_point(&axis->column, point)); point = next) {
        int64_t step = (int64_t)next->offset_ms - (int64_t)point->offset_ms;
        if (!pb_encode_svarint(out, step - (int64_t)axis->interval_ms))
            return false;
    }
    return true;
}

static void measure(const struct axis *axis, uint32_t *rows, bool *regular)
{
    const struct dun_point *point = first_point(&axis->column);
    *rows = 1;
    *regular = true;
    for (const struct dun_point *next; (next = next_point(&axis->column, point)); point = next) {
        *regular = *regular && next->offset_ms - point->offset_ms == axis->interval_ms;
        ++*rows;
    }
}

/* jitter_ms is sint32 on the wire, which a batch that spans 24 days at most cannot exceed. */
static bool write_axis(pb_ostream_t *out, const void *context)
{
    struct axis axis = {.column = *(const struct column *)context};
    axis.interval_ms = usual_interval_ms(&axis.column);
    uint32_t rows;
    bool regular;
    measure(&axis, &rows, &regular);
    if (!dun_wire_uint(out, dunlin_v1_Times_count_tag, rows) ||
        !dun_wire_uint(out, dunlin_v1_Times_first_ms_tag, first_point(&axis.column)->offset_ms))
        return false;
    if (rows > 1 && !dun_wire_uint(out, dunlin_v1_Times_interval_ms_tag, axis.interval_ms))
        return false;
    return regular || dun_wire_message(out, dunlin_v1_Times_jitter_ms_tag, write_jitter, &axis);
}

static bool write_axes(pb_ostream_t *out, const struct dun_batch *batch, uint16_t axes,
                       uint16_t limit)
{
    for (uint16_t axis = 0; axis < axes; axis++) {
        struct column owner = {batch, batch->chains[axis].axis_owner, limit};
        if (!dun_wire_message(out, dunlin_v1_Batch_axes_tag, write_axis, &owner))
            return false;
    }
    return true;
}

/// Values ///

static bool write_deltas(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    const struct dun_point *point = first_point(column);
    for (const struct dun_point *next; (next = next_point(column, point)); point = next) {
        uint64_t delta = (uint64_t)next->value - (uint64_t)point->value;
        if (!pb_encode_svarint(out, (int64_t)delta))
            return false;
    }
    return true;
}

static bool constant(const struct column *column)
{
    const struct dun_point *first = first_point(column);
    const struct dun_point *point = first;
    while (point && point->value == first->value)
        point = next_point(column, point);
    return !point;
}

static bool write_column(pb_ostream_t *out, const void *context)
{
    const struct column *column = context;
    uint16_t axis = column->batch->chains[column->metric].axis;
    if (!dun_wire_uint(out, dunlin_v1_Column_metric_tag, column->metric))
        return false;
    if (axis != 0 && !dun_wire_uint(out, dunlin_v1_Column_axis_tag, axis))
        return false;
    if (!dun_wire_sint(out, dunlin_v1_Column_first_tag, first_point(column)->value))
        return false;
    return constant(column) ||
           dun_wire_message(out, dunlin_v1_Column_deltas_tag, write_deltas, column);
}

static bool write_columns(pb_ostream_t *out, const struct dun_batch *batch, uint16_t limit)
{
    for (uint16_t metric = 0; metric < batch->chain_count; metric++) {
        struct column column = {batch, metric, limit};
        if (first_point(&column) &&
            !dun_wire_message(out, dunlin_v1_Batch_columns_tag, write_column, &column))
            return false;
    }
    return true;
}

/// The record ///

static bool write_header(pb_ostream_t *out, const struct dun_record *record)
{
    uint32_t hash = record->metric_first < record->metric_end
                        ? dun_catalog_hash(record->catalog, record->metric_end)
                        : record->catalog->hash;
    return dun_wire_fixed64(out, dunlin_v1_Batch_stream_tag, record->stream) &&
           dun_wire_uint(out, dunlin_v1_Batch_sequence_tag, record->sequence) &&
           dun_wire_fixed32(out, dunlin_v1_Batch_boot_tag, record->clock->boot) &&
           dun_wire_fixed32(out, dunlin_v1_Batch_catalog_tag, hash);
}

static bool write_points(pb_ostream_t *out, const struct dun_record *record)
{
    struct dun_batch *batch = record->batch;
    uint16_t limit = record->point_count;
    if (limit == 0)
        return true;
    uint16_t axes = assign_axes(batch, limit);
    if (!dun_wire_uint(out, dunlin_v1_Batch_base_uptime_ms_tag, (uint64_t)batch->base_ms))
        return false;
    if (record->clock->known &&
        !dun_wire_int(out, dunlin_v1_Batch_boot_unix_ms_tag, record->clock->boot_unix_ms))
        return false;
    return write_axes(out, batch, axes, limit) && write_columns(out, batch, limit);
}

static bool write_announcement(pb_ostream_t *out, const struct dun_record *record)
{
    if (record->metric_first == record->metric_end)
        return true;
    uint32_t base = dun_catalog_hash(record->catalog, record->metric_first);
    return dun_wire_fixed32(out, dunlin_v1_Batch_catalog_base_tag, base) &&
           dun_catalog_encode(out, record->catalog, dunlin_v1_Batch_metrics_tag,
                              record->metric_first, record->metric_end);
}

static bool encode(pb_ostream_t *out, const struct dun_record *record)
{
    return write_header(out, record) && write_points(out, record) &&
           dun_encode_losses(out, dunlin_v1_Batch_losses_tag, record) &&
           dun_encode_anchors(out, dunlin_v1_Batch_anchors_tag, record) &&
           write_announcement(out, record);
}

const struct dun_encoder dun_columns = {.name = "columns", .announces = true, .encode = encode};
