/*
 * render_influx.c: InfluxDB's line protocol: metric as measurement; device, unit and attributes
 * as tags; one field `value`; time in nanoseconds. Integers (exponent 0) carry the suffix `i`, all
 * others are floats, so that a field never changes its type. A value that has a name has it in a
 * second field, `state`.
 *
 * A point without a date would be dated by the server's arrival time, and one without a name would
 * be a comment: such points are left out and counted.
 */
#include <math.h>

#include "render.h"

/* A backslash at the end would escape the separator that follows, and a line break cannot be
 * written at all: both become '_'. */
static void influx_text(struct dun_out *out, struct dun_span text, bool is_tag)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool unsayable = byte < 0x20 || (byte == '\\' && i + 1 == text.size);
        if (byte == ',' || byte == ' ' || (is_tag && byte == '=')) {
            dun_out_bytes(out, "\\", 1);
        }
        dun_out_bytes(out, unsayable ? "_" : (const char *)&text.data[i], 1);
    }
}

/* Empty values are not allowed. */
static void influx_tag(struct dun_out *out, struct dun_span key, struct dun_span value)
{
    if (key.size == 0 || value.size == 0) {
        return;
    }
    dun_out_text(out, ",");
    influx_text(out, key, true);
    dun_out_text(out, "=");
    influx_text(out, value, true);
}

static void influx_head(struct dun_out *out, const struct dun_series *series)
{
    influx_text(out, series->metric, false);
    influx_tag(out, dun_span_of("device"), series->device);
    influx_tag(out, dun_span_of("unit"), series->unit);
    for (size_t i = 0; i < series->pair_count; i++) {
        influx_tag(out, series->pairs[i].key, series->pairs[i].value);
    }
    dun_out_text(out, " value=");
}

/* In a string field only quotes and backslashes are escaped. */
static void influx_state(struct dun_out *out, struct dun_span state)
{
    if (state.data == NULL) {
        return;
    }
    dun_out_text(out, ",state=\"");
    for (size_t i = 0; i < state.size; i++) {
        uint8_t byte = state.data[i];
        if (byte == '"' || byte == '\\') {
            dun_out_bytes(out, "\\", 1);
        }
        dun_out_bytes(out, byte < 0x20 ? "_" : (const char *)&state.data[i], 1);
    }
    dun_out_text(out, "\"");
}

static void influx_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    struct dun_out *out = renderer->out;
    if (!series->named || !series->has_time) {
        renderer->omitted += series->count;
        return;
    }
    for (size_t i = 0; i < series->count; i++) {
        if (series->reals != NULL && !isfinite(series->reals[i])) {
            renderer->omitted++;
            continue;
        }
        influx_head(out, series);
        (void)dun_render_value(out, series, i);
        bool integer = series->reals == NULL && series->exponent == 0;
        dun_out_text(out, integer ? "i" : "");
        influx_state(out, dun_render_state(series, i));
        dun_out_text(out, " ");
        int64_t time = series->uptimes[i] + series->offset_ms;
        dun_out_i64(out, time);
        dun_out_text(out, time != 0 ? "000000\n" : "\n");
        renderer->points++;
    }
}

const struct dun_render_format dun_render_influx = {.name = "influx", .series = influx_series};
