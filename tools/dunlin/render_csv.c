/*
 * render_csv.c: RFC 4180 (but lines end as on Unix) with one header line, points only. The time is
 * RFC 3339 in UTC, which databases and spreadsheets read; unknown is empty, what is no number is
 * NaN, Infinity or -Infinity.
 */
#include <string.h>

#include "date.h"
#include "render.h"

static void csv_head(struct dun_renderer *renderer)
{
    dun_out_text(renderer->out,
                 "time,device,metric,value,unit,boot,uptime_ms,stream,seq,attributes,state\n");
}

/* key=value;key=value: one field, quoted as a whole if need be. */
static void csv_pairs(struct dun_renderer *renderer, const struct dun_series *series)
{
    struct dun_out *scratch = &renderer->prefix;
    scratch->used = 0;
    for (size_t i = 0; i < series->pair_count; i++) {
        dun_out_text(scratch, i > 0 ? ";" : "");
        dun_out_span(scratch, series->pairs[i].key);
        dun_out_text(scratch, "=");
        dun_out_span(scratch, series->pairs[i].value);
    }
    dun_out_csv(renderer->out, (struct dun_span){scratch->data, scratch->used});
}

static void csv_time(struct dun_out *out, const struct dun_series *series, size_t index)
{
    char text[DUN_OUT_NUMBER];
    if (series->has_time) {
        char *end = dun_date_write(text, series->uptimes[index] + series->offset_ms);
        dun_out_bytes(out, text, (size_t)(end - text));
    }
    dun_out_text(out, ",");
}

static void csv_tail(struct dun_renderer *renderer, const struct dun_series *series, size_t index)
{
    struct dun_out *out = renderer->out;
    dun_out_text(out, ",");
    dun_out_csv(out, series->unit);
    dun_out_text(out, ",");
    if (series->has_boot) {
        dun_out_hex(out, series->boot, 8);
    }
    dun_out_text(out, ",");
    if (series->has_uptime) {
        dun_out_i64(out, series->uptimes[index]);
    }
    dun_out_text(out, ",");
    if (series->has_stream) {
        dun_out_hex(out, series->stream, 16);
    }
    dun_out_text(out, ",");
    if (series->has_sequence) {
        dun_out_u64(out, series->sequence);
    }
    dun_out_text(out, ",");
    csv_pairs(renderer, series);
    dun_out_text(out, ",");
    dun_out_csv(out, dun_render_state(series, index));
    dun_out_text(out, "\n");
}

static void csv_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    struct dun_out *out = renderer->out;
    renderer->points += series->count;
    for (size_t i = 0; i < series->count; i++) {
        csv_time(out, series, i);
        dun_out_csv(out, series->device);
        dun_out_text(out, ",");
        dun_out_csv(out, series->metric);
        dun_out_text(out, ",");
        if (!dun_render_value(out, series, i)) {
            dun_out_text(out, dun_render_special(series, i));
        }
        csv_tail(renderer, series, i);
    }
}

const struct dun_render_format dun_render_csv = {
    .name = "csv", .head = csv_head, .series = csv_series};
