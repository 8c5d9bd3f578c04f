/*
 * render_json.c: SPEC.md's JSON lines. The line of a point is the series' prefix, three numbers and
 * the series' suffix, written straight into the output buffer.
 */
#include <string.h>

#include "render.h"

static void json_pairs(struct dun_out *out, const struct dun_pair *pairs, size_t count)
{
    dun_out_text(out, "{");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            dun_out_text(out, ",");
        }
        dun_out_json(out, pairs[i].key);
        dun_out_text(out, ":");
        if (pairs[i].value.data != NULL) {
            dun_out_json(out, pairs[i].value);
        } else if (pairs[i].has_number) {
            dun_out_u64(out, pairs[i].number);
        } else {
            dun_out_text(out, "null");
        }
    }
    dun_out_text(out, "}");
}

static void json_hex(struct dun_out *out, bool known, uint64_t value, unsigned digits)
{
    if (!known) {
        dun_out_text(out, "null");
        return;
    }
    dun_out_text(out, "\"");
    dun_out_hex(out, value, digits);
    dun_out_text(out, "\"");
}

/// Points ///

static void point_prefix(struct dun_out *out, const struct dun_series *series)
{
    dun_out_text(out, "{\"type\":\"point\",\"device\":");
    dun_out_json(out, series->device);
    dun_out_text(out, ",\"metric\":");
    dun_out_json(out, series->metric);
    dun_out_text(out, ",\"unit\":");
    if (series->named) {
        dun_out_json(out, series->unit);
    } else {
        dun_out_text(out, "null");
    }
    dun_out_text(out, ",\"value\":");
}

/* What stands between time and uptime. */
static void point_middle(struct dun_out *out, const struct dun_series *series)
{
    dun_out_text(out, ",\"boot\":");
    json_hex(out, series->has_boot, series->boot, 8);
    dun_out_text(out, ",\"uptime_ms\":");
}

static void point_suffix(struct dun_out *out, const struct dun_series *series)
{
    dun_out_text(out, ",\"stream\":");
    json_hex(out, series->has_stream, series->stream, 16);
    dun_out_text(out, ",\"seq\":");
    if (series->has_sequence) {
        dun_out_u64(out, series->sequence);
    } else {
        dun_out_text(out, "null");
    }
    if (series->pair_count > 0) {
        dun_out_text(out, ",\"attributes\":");
        json_pairs(out, series->pairs, series->pair_count);
    }
    dun_out_text(out, "}\n");
}

static void one_point(struct dun_out *out, const struct dun_series *series, size_t index)
{
    struct dun_span state = dun_render_state(series, index);
    const char *special = dun_render_special(series, index);
    point_prefix(out, series);
    if (!dun_render_value(out, series, index)) {
        dun_out_text(out, "null");
    }
    if (state.data != NULL) {
        dun_out_text(out, ",\"state\":");
        dun_out_json(out, state);
    }
    if (special != NULL) {
        dun_out_text(out, ",\"special\":\"");
        dun_out_text(out, special);
        dun_out_text(out, "\"");
    }
    dun_out_text(out, ",\"time\":");
    if (series->has_time) {
        dun_out_i64(out, series->uptimes[index] + series->offset_ms);
    } else {
        dun_out_text(out, "null");
    }
    point_middle(out, series);
    if (series->has_uptime) {
        dun_out_i64(out, series->uptimes[index]);
    } else {
        dun_out_text(out, "null");
    }
    point_suffix(out, series);
}

static char *put(char *to, const void *data, size_t size)
{
    memcpy(to, data, size);
    return to + size;
}

static char *put_time(char *to, const struct dun_series *series, size_t index)
{
    to = put(to, ",\"time\":", 8);
    if (!series->has_time) {
        return put(to, "null", 4);
    }
    return dun_text_i64(to, series->uptimes[index] + series->offset_ms);
}

/* A column of integers of a batch: its metric has at most 1024 bytes, so a line fits the buffer. */
static void many_points(struct dun_renderer *renderer, const struct dun_series *series)
{
    char middle[DUN_OUT_NUMBER];
    struct dun_out *prefix = &renderer->prefix;
    struct dun_out *suffix = &renderer->suffix;
    prefix->used = suffix->used = 0;
    point_middle(prefix, series);
    size_t middle_size = prefix->used;
    memcpy(middle, prefix->data, middle_size);
    prefix->used = 0;
    point_prefix(prefix, series);
    point_suffix(suffix, series);
    size_t line_max = prefix->used + middle_size + suffix->used + 3 * DUN_OUT_NUMBER + 16;
    for (size_t i = 0; i < series->count; i++) {
        char *begin = (char *)dun_out_room(renderer->out, line_max);
        char *to = put(begin, prefix->data, prefix->used);
        to = dun_text_decimal(to, series->values[i], series->exponent);
        to = put_time(to, series, i);
        to = put(to, middle, middle_size);
        to = dun_text_i64(to, series->uptimes[i]);
        to = put(to, suffix->data, suffix->used);
        renderer->out->used += (size_t)(to - begin);
    }
}

static void json_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    renderer->points += series->count;
    if (series->count > 1 && series->reals == NULL && series->state_count == 0) {
        many_points(renderer, series);
        return;
    }
    for (size_t i = 0; i < series->count; i++) {
        one_point(renderer->out, series, i);
    }
}

/// Notes ///

static void json_texts(struct dun_out *out, const struct dun_span *texts, size_t count)
{
    dun_out_text(out, "[");
    for (size_t i = 0; i < count; i++) {
        dun_out_text(out, i > 0 ? "," : "");
        dun_out_json(out, texts[i]);
    }
    dun_out_text(out, "]");
}

static void json_cell(struct dun_out *out, const struct dun_cell *cell)
{
    switch (cell->kind) {
    case DUN_CELL_NULL:
        dun_out_text(out, "null");
        break;
    case DUN_CELL_NUMBER:
        dun_out_u64(out, cell->number);
        break;
    case DUN_CELL_SIGNED:
        dun_out_i64(out, (int64_t)cell->number);
        break;
    case DUN_CELL_HEX8:
        json_hex(out, true, cell->number, 8);
        break;
    case DUN_CELL_HEX16:
        json_hex(out, true, cell->number, 16);
        break;
    case DUN_CELL_TEXT:
        dun_out_json(out, cell->text);
        break;
    case DUN_CELL_BOOL:
        dun_out_text(out, cell->number != 0 ? "true" : "false");
        break;
    case DUN_CELL_PAIRS:
        json_pairs(out, cell->pairs, cell->pair_count);
        break;
    case DUN_CELL_TEXTS:
        json_texts(out, cell->texts, cell->text_count);
        break;
    }
}

static void json_note(struct dun_renderer *renderer, const struct dun_note *note)
{
    struct dun_out *out = renderer->out;
    dun_out_text(out, "{\"type\":\"");
    dun_out_text(out, note->type);
    dun_out_text(out, "\"");
    for (size_t i = 0; i < note->count; i++) {
        dun_out_text(out, ",\"");
        dun_out_text(out, note->cells[i].key);
        dun_out_text(out, "\":");
        json_cell(out, &note->cells[i]);
    }
    dun_out_text(out, "}\n");
}

const struct dun_render_format dun_render_json = {
    .name = "json", .series = json_series, .note = json_note};
