/*
 * plain.c: a record as dunlin.v1.Samples: one row a point with names, units, absolute time and a
 * double, for consumers that know nothing of ours. With real.c the only file of the core with
 * floating point; a board that does not name dun_plain does not link it.
 */
#include <string.h>

#include "encoder.h"
#include "telemetry.pb.h"
#include "wire.h"

/* value * 10^exponent. One rounding: integers to 2^53 and powers to 10^22 are exact doubles. */
static double scaled(int64_t value, int exponent)
{
    double power = 1.0;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
        power *= 10.0;
    return exponent < 0 ? (double)value / power : (double)value * power;
}

struct row {
    const struct dun_record *record;
    uint16_t index;
};

static bool write_identity(pb_ostream_t *out, const char *device, const struct dun_metric *metric)
{
    if (!dun_wire_string(out, dunlin_v1_Sample_device_tag, device) ||
        !dun_wire_string(out, dunlin_v1_Sample_metric_tag, metric->name) ||
        !dun_wire_string(out, dunlin_v1_Sample_unit_tag, metric->unit))
        return false;
    return dun_catalog_encode_attributes(out, dunlin_v1_Sample_attributes_tag, metric);
}

static bool write_state(pb_ostream_t *out, const struct dun_metric *metric, int64_t value)
{
    const char *const booleans[] = {"false", "true"};
    const char *const *names = metric->kind == DUN_BOOLEAN ? booleans : metric->states;
    int64_t count = metric->kind == DUN_BOOLEAN ? 2 : metric->state_count;
    return value < 0 || value >= count ||
           dun_wire_string(out, dunlin_v1_Sample_state_tag, names[value]);
}

static bool write_row(pb_ostream_t *out, const void *context)
{
    const struct row *row = context;
    const struct dun_record *record = row->record;
    const struct dun_point *point = &record->batch->points[row->index];
    const struct dun_metric *metric = &record->catalog->metrics[point->metric];
    dun_ms uptime_ms = dun_batch_uptime(record->batch, row->index);
    double value = scaled(point->value, metric->exponent);
    uint64_t bits = (uint64_t)point->value;
    if (!metric->real)
        memcpy(&bits, &value, sizeof bits);
    if (!write_identity(out, record->device, metric) ||
        !dun_wire_fixed64(out, dunlin_v1_Sample_value_tag, bits))
        return false;
    if (record->clock->known &&
        !dun_wire_int(out, dunlin_v1_Sample_time_tag, record->clock->boot_unix_ms + uptime_ms))
        return false;
    return dun_wire_fixed32(out, dunlin_v1_Sample_boot_tag, record->clock->boot) &&
           dun_wire_uint(out, dunlin_v1_Sample_uptime_ms_tag, (uint64_t)uptime_ms) &&
           write_state(out, metric, point->value);
}

static bool encode(pb_ostream_t *out, const struct dun_record *record)
{
    for (uint16_t i = 0; i < record->point_count; i++) {
        struct row row = {record, i};
        if (!dun_wire_message(out, dunlin_v1_Samples_samples_tag, write_row, &row))
            return false;
    }
    return dun_wire_fixed64(out, dunlin_v1_Samples_stream_tag, record->stream) &&
           dun_wire_uint(out, dunlin_v1_Samples_sequence_tag, record->sequence) &&
           dun_encode_losses(out, dunlin_v1_Samples_losses_tag, record) &&
           dun_encode_anchors(out, dunlin_v1_Samples_anchors_tag, record);
}

const struct dun_encoder dun_plain = {.name = "plain", .announces = false, .encode = encode};
