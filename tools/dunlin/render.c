/*
 * render.c: finds a format, and holds what several formats need. It writes no format itself but
 * `none`, which throws everything away: it is for checking and for measuring.
 */
#include "render.h"

#include <math.h>
#include <string.h>

static void none_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    renderer->points += series->count;
}

const struct dun_render_format dun_render_none = {.name = "none", .series = none_series};

const struct dun_render_format *dun_render_find(const char *name)
{
    static const struct dun_render_format *const formats[] = {
        &dun_render_json,      &dun_render_csv,   &dun_render_influx,
        &dun_render_delimited, &dun_render_table, &dun_render_none};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(name, formats[i]->name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

void dun_render_begin(struct dun_renderer *renderer, const struct dun_render_format *format,
                      struct dun_out *out)
{
    renderer->format = format;
    renderer->out = out;
    renderer->metrics = NULL;
    renderer->points = renderer->omitted = renderer->notes = 0;
    dun_out_init(&renderer->prefix, -1);
    dun_out_init(&renderer->suffix, -1);
    if (format->head != NULL) {
        format->head(renderer);
    }
}

void dun_render_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    bool wanted =
        renderer->metrics == NULL || dun_patterns_match(renderer->metrics, series->metric);
    if (series->count > 0 && wanted) {
        renderer->format->series(renderer, series);
    }
}

void dun_render_note(struct dun_renderer *renderer, const struct dun_note *note)
{
    renderer->notes++;
    if (renderer->format->note != NULL) {
        renderer->format->note(renderer, note);
    }
}

uint8_t *dun_out_room(struct dun_out *out, size_t size)
{
    if (sizeof out->data - out->used < size) {
        (void)dun_out_flush(out);
    }
    return out->data + out->used;
}

void dun_out_plain(struct dun_out *out, struct dun_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool c1 = byte == 0xC2 && i + 1 < text.size && text.data[i + 1] < 0xA0;
        bool control = byte < 0x20 || byte == 0x7F || c1;
        dun_out_bytes(out, control ? "?" : (const char *)&text.data[i], 1);
        i += c1 ? 1 : 0;
    }
}

bool dun_render_value(struct dun_out *out, const struct dun_series *series, size_t index)
{
    if (series->reals == NULL) {
        dun_out_decimal(out, series->values[index], series->exponent);
        return true;
    }
    if (!isfinite(series->reals[index])) {
        return false;
    }
    dun_out_double(out, series->reals[index]);
    return true;
}

const char *dun_render_special(const struct dun_series *series, size_t index)
{
    if (series->reals == NULL || isfinite(series->reals[index])) {
        return NULL;
    }
    if (isnan(series->reals[index])) {
        return "NaN";
    }
    return series->reals[index] > 0 ? "Infinity" : "-Infinity";
}

struct dun_span dun_render_state(const struct dun_series *series, size_t index)
{
    if (series->reals != NULL) {
        return series->state;
    }
    uint64_t value = (uint64_t)series->values[index];
    return value < series->state_count ? series->states[value] : (struct dun_span){NULL, 0};
}

void dun_render_words(struct dun_out *out, const struct dun_series *series, size_t index)
{
    struct dun_span state = dun_render_state(series, index);
    if (state.data != NULL) {
        dun_out_plain(out, state);
    } else if (!dun_render_value(out, series, index)) {
        dun_out_text(out, dun_render_special(series, index));
    }
}
