/*
 * render_table.c: for people: one aligned line a point; notes as words in between. What a sender
 * wrote never reaches the terminal with its control characters.
 */
#include <string.h>

#include "date.h"
#include "render.h"

static const char table_title[] =
    "TIME                      DEVICE        METRIC                                    "
    "                  VALUE  UNIT\n";

static void table_head(struct dun_renderer *renderer)
{
    dun_out_text(renderer->out, table_title);
}

static void pad(struct dun_out *out, size_t written, size_t width)
{
    for (size_t i = written; i < width; i++) {
        dun_out_bytes(out, " ", 1);
    }
    dun_out_bytes(out, "  ", 2);
}

/* Characters, not bytes: continuation bytes take no room on the screen. */
static size_t width_of(struct dun_span text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.size; i++) {
        width += (text.data[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    return width;
}

static void table_name(struct dun_out *out, const struct dun_series *series)
{
    size_t width = width_of(series->metric);
    dun_out_plain(out, series->metric);
    for (size_t i = 0; i < series->pair_count; i++) {
        dun_out_text(out, " ");
        dun_out_plain(out, series->pairs[i].value);
        width += 1 + width_of(series->pairs[i].value);
    }
    pad(out, width, 44);
}

static void table_value(struct dun_renderer *renderer, const struct dun_series *series,
                        size_t index)
{
    struct dun_out *scratch = &renderer->prefix;
    scratch->used = 0;
    dun_render_words(scratch, series, index);
    struct dun_span shown = {scratch->data, scratch->used};
    for (size_t i = width_of(shown); i < 20; i++) {
        dun_out_bytes(renderer->out, " ", 1);
    }
    dun_out_span(renderer->out, shown);
}

static void table_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    struct dun_out *out = renderer->out;
    renderer->points += series->count;
    for (size_t i = 0; i < series->count; i++) {
        char text[DUN_OUT_NUMBER] = "-";
        char *end = text + 1;
        if (series->has_time) {
            end = dun_date_write(text, series->uptimes[i] + series->offset_ms);
        }
        dun_out_bytes(out, text, (size_t)(end - text));
        pad(out, (size_t)(end - text), 24);
        dun_out_plain(out, series->device);
        pad(out, series->device.size, 12);
        table_name(out, series);
        table_value(renderer, series, i);
        dun_out_text(out, "  ");
        dun_out_plain(out, series->unit);
        dun_out_text(out, "\n");
    }
}

static void table_cell(struct dun_out *out, const struct dun_cell *cell)
{
    if (cell->kind == DUN_CELL_TEXT) {
        dun_out_plain(out, cell->text);
    } else if (cell->kind == DUN_CELL_HEX8 || cell->kind == DUN_CELL_HEX16) {
        dun_out_hex(out, cell->number, cell->kind == DUN_CELL_HEX8 ? 8 : 16);
    } else if (cell->kind == DUN_CELL_TEXTS) {
        for (size_t i = 0; i < cell->text_count; i++) {
            dun_out_text(out, i > 0 ? "," : "");
            dun_out_plain(out, cell->texts[i]);
        }
    } else if (cell->kind == DUN_CELL_PAIRS) {
        for (size_t i = 0; i < cell->pair_count; i++) {
            dun_out_text(out, i > 0 ? "," : "");
            dun_out_plain(out, cell->pairs[i].key);
            dun_out_text(out, ":");
            dun_out_plain(out, cell->pairs[i].value);
            if (cell->pairs[i].has_number) {
                dun_out_u64(out, cell->pairs[i].number);
            }
        }
    } else {
        dun_out_i64(out, (int64_t)cell->number);
    }
}

static void table_note(struct dun_renderer *renderer, const struct dun_note *note)
{
    struct dun_out *out = renderer->out;
    dun_out_text(out, note->type);
    for (size_t i = 0; i < note->count; i++) {
        if (note->cells[i].kind != DUN_CELL_NULL) {
            dun_out_text(out, " ");
            dun_out_text(out, note->cells[i].key);
            dun_out_text(out, "=");
            table_cell(out, &note->cells[i]);
        }
    }
    dun_out_text(out, "\n");
}

const struct dun_render_format dun_render_table = {
    .name = "table", .head = table_head, .series = table_series, .note = table_note};
