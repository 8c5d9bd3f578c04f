/*
 * render_delimited.c: each point as a dunlin.v1.Sample with its length before it, the framing that
 * ClickHouse calls Protobuf and protobuf's own libraries writeDelimitedTo.
 *
 * A point without a date has no time; one without a name is left out and counted, since its value
 * would be a bare integer under no scale.
 */
#include <pb_encode.h>
#include <stdlib.h>

#include "render.h"
#include "telemetry.pb.h"
#include "wire.h"

/* What an absent field and an empty string mean is the same here: unknown. */
static bool sample_text(pb_ostream_t *stream, uint32_t tag, struct dun_span text)
{
    return text.size == 0 || (pb_encode_tag(stream, PB_WT_STRING, tag) &&
                              pb_encode_string(stream, text.data, text.size));
}

static bool attribute_body(pb_ostream_t *stream, const void *context)
{
    const struct dun_pair *pair = context;
    return sample_text(stream, dunlin_v1_Attribute_key_tag, pair->key) &&
           sample_text(stream, dunlin_v1_Attribute_value_tag, pair->value);
}

/* The double nearest to the decimal, as the device itself sends it in plain samples. */
static double sample_value(const struct dun_series *series, size_t index)
{
    if (series->reals != NULL) {
        return series->reals[index];
    }
    char text[DUN_OUT_NUMBER];
    *dun_text_decimal(text, series->values[index], series->exponent) = '\0';
    return strtod(text, NULL);
}

static bool sample_numbers(pb_ostream_t *stream, const struct dun_series *series, size_t index)
{
    double value = sample_value(series, index);
    int64_t uptime = series->uptimes[index];
    return pb_encode_tag(stream, PB_WT_64BIT, dunlin_v1_Sample_value_tag) &&
           pb_encode_fixed64(stream, &value) &&
           (!series->has_time ||
            dun_wire_int(stream, dunlin_v1_Sample_time_tag, uptime + series->offset_ms)) &&
           (!series->has_boot ||
            dun_wire_fixed32(stream, dunlin_v1_Sample_boot_tag, series->boot)) &&
           (!series->has_uptime ||
            dun_wire_uint(stream, dunlin_v1_Sample_uptime_ms_tag, (uint64_t)uptime));
}

static bool sample_body(pb_ostream_t *stream, const struct dun_series *series, size_t index)
{
    bool fits = sample_text(stream, dunlin_v1_Sample_device_tag, series->device) &&
                sample_text(stream, dunlin_v1_Sample_metric_tag, series->metric) &&
                sample_text(stream, dunlin_v1_Sample_unit_tag, series->unit) &&
                sample_numbers(stream, series, index);
    for (size_t i = 0; i < series->pair_count && fits; i++) {
        fits = dun_wire_message(stream, dunlin_v1_Sample_attributes_tag, attribute_body,
                                &series->pairs[i]);
    }
    return fits && sample_text(stream, dunlin_v1_Sample_state_tag, dun_render_state(series, index));
}

static void delimited_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        struct dun_out *scratch = &renderer->prefix;
        pb_ostream_t stream = pb_ostream_from_buffer(scratch->data, sizeof scratch->data);
        if (!series->named || !sample_body(&stream, series, i)) {
            renderer->omitted++;
            continue;
        }
        uint8_t length[10];
        pb_ostream_t head = pb_ostream_from_buffer(length, sizeof length);
        (void)pb_encode_varint(&head, stream.bytes_written);
        dun_out_bytes(renderer->out, length, head.bytes_written);
        dun_out_bytes(renderer->out, scratch->data, stream.bytes_written);
        renderer->points++;
    }
}

const struct dun_render_format dun_render_delimited = {.name = "delimited",
                                                       .series = delimited_series};
