/*
 * decoder.c: which message sits on which channel, and how its parts become series and notes in
 * the order of SPEC.md, JSON lines: metrics, anchors, losses, points.
 */
#include "decoder.h"

#include <stdlib.h>
#include <string.h>

#include "notes.h"

int dun_decoder_init(struct dun_decoder *decoder, struct dun_renderer *renderer)
{
    memset(decoder, 0, sizeof *decoder);
    dun_parsed_init(&decoder->record);
    dun_knowledge_init(&decoder->knowledge);
    decoder->renderer = renderer;
    return 0;
}

void dun_decoder_free(struct dun_decoder *decoder)
{
    dun_parsed_free(&decoder->record);
    dun_knowledge_free(&decoder->knowledge);
}

/// Channels and topics ///

enum dun_channel dun_channel_find(struct dun_span name)
{
    static const struct {
        const char *name;
        enum dun_channel channel;
    } channels[] = {
        {"batch", DUN_CHANNEL_BATCH},   {"samples", DUN_CHANNEL_SAMPLES},
        {"about", DUN_CHANNEL_ABOUT},   {"catalog", DUN_CHANNEL_CATALOG},
        {"stored", DUN_CHANNEL_STORED}, {"status", DUN_CHANNEL_STATUS},
    };
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        if (dun_span_equal(name, dun_span_of(channels[i].name))) {
            return channels[i].channel;
        }
    }
    return DUN_CHANNEL_NONE;
}

bool dun_name_ok(struct dun_span name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    for (size_t i = 0; i < name.size; i++) {
        if (memchr(allowed, name.data[i], sizeof allowed - 1) == NULL) {
            return false;
        }
    }
    return name.size >= 1 && name.size <= 64;
}

bool dun_topic_split(struct dun_span topic, struct dun_span *device, enum dun_channel *channel)
{
    struct dun_span levels[4];
    size_t count = 0;
    size_t from = 0;
    for (size_t i = 0; i <= topic.size; i++) {
        if (i < topic.size && topic.data[i] != '/') {
            continue;
        }
        struct dun_span level = {topic.data + from, i - from};
        if (count == 4 || !dun_name_ok(level)) {
            return false;
        }
        levels[count++] = level;
        from = i + 1;
    }
    if (count != 4) {
        return false;
    }
    *device = levels[2];
    *channel = dun_channel_find(levels[3]);
    return *channel != DUN_CHANNEL_NONE;
}

/// Points ///

static const struct dun_span booleans[] = {{(const uint8_t *)"false", 5},
                                           {(const uint8_t *)"true", 4}};

static void set_metric(struct dun_series *series, const struct dun_metric_text *metric)
{
    series->metric = metric->name;
    series->unit = metric->unit;
    series->named = true;
    series->pairs = metric->pairs;
    series->pair_count = metric->pair_count;
    series->exponent = metric->exponent;
    if (metric->kind == dunlin_v1_MetricKind_METRIC_KIND_STATE) {
        series->states = metric->states;
        series->state_count = metric->state_count;
    } else if (metric->kind == dunlin_v1_MetricKind_METRIC_KIND_BOOLEAN) {
        series->states = booleans;
        series->state_count = 2;
    }
}

static void batch_points(struct dun_decoder *decoder, struct dun_span device,
                         struct dun_series *series)
{
    const struct dun_parsed *record = &decoder->record;
    const struct dun_expanded *columns = record->expanded.items;
    for (size_t i = 0; i < record->expanded.count; i++) {
        char number[DUN_OUT_NUMBER] = "#";
        const struct dun_metric_text *metric =
            dun_knowledge_metric(&decoder->knowledge, device, record->batch.stream,
                                 record->batch.catalog, columns[i].metric);
        struct dun_series one = *series;
        one.metric.data = (const uint8_t *)number;
        one.metric.size = (size_t)(dun_text_u64(number + 1, columns[i].metric) - number);
        if (metric != NULL) {
            set_metric(&one, metric);
        }
        one.count = columns[i].rows.count;
        one.uptimes = (const int64_t *)record->times.items + columns[i].rows.first;
        if (columns[i].real) {
            one.reals = (const double *)record->reals.items + columns[i].values;
        } else {
            one.values = (const int64_t *)record->values.items + columns[i].values;
        }
        decoder->points += one.count;
        decoder->points_unnamed += one.named ? 0 : one.count;
        decoder->points_undated += one.has_time ? 0 : one.count;
        dun_render_series(decoder->renderer, &one);
    }
}

static void render_batch(struct dun_decoder *decoder, struct dun_span device)
{
    const dunlin_v1_Batch *batch = &decoder->record.batch;
    struct dun_series series = {.device = device,
                                .unit = dun_span_of(""),
                                .has_uptime = true,
                                .has_time = batch->has_boot_unix_ms,
                                .offset_ms = batch->boot_unix_ms,
                                .has_boot = true,
                                .boot = batch->boot,
                                .has_stream = true,
                                .stream = batch->stream,
                                .has_sequence = true,
                                .sequence = batch->sequence};
    if (!series.has_time) {
        series.has_time = dun_knowledge_offset(&decoder->knowledge, device, batch->stream,
                                               batch->boot, &series.offset_ms);
    }
    dun_notes_metrics(decoder, device);
    dun_notes_ledger(decoder, device);
    batch_points(decoder, device, &series);
}

/* Where the time of a sample comes from: itself, or an anchor of its boot. */
static void date_sample(const struct dun_decoder *decoder, struct dun_span device,
                        const dunlin_v1_Sample *sample, struct dun_series *series)
{
    int64_t offset_ms;
    if (sample->has_time) {
        series->has_time = true;
        series->offset_ms = sample->time - (int64_t)sample->uptime_ms;
    } else if (sample->has_boot && sample->has_uptime_ms &&
               dun_knowledge_offset(&decoder->knowledge, device, decoder->record.batch.stream,
                                    sample->boot, &offset_ms)) {
        series->has_time = true;
        series->offset_ms = offset_ms;
    }
}

/* A topic names its device; what a payload says of itself anybody may have written. */
static void render_sample(struct dun_decoder *decoder, struct dun_span device,
                          const struct dun_sample *sample)
{
    int64_t uptime = (int64_t)sample->message.uptime_ms;
    struct dun_series series = {.device = device.size > 0 ? device : sample->device,
                                .metric = sample->metric,
                                .unit = sample->unit,
                                .named = true,
                                .pairs = sample->pairs,
                                .pair_count = sample->pair_count,
                                .count = 1,
                                .reals = &sample->message.value,
                                .uptimes = &uptime,
                                .has_uptime = sample->message.has_uptime_ms,
                                .has_boot = sample->message.has_boot,
                                .boot = sample->message.boot,
                                .has_stream = decoder->record.batch.has_stream,
                                .stream = decoder->record.batch.stream,
                                .has_sequence = decoder->record.batch.has_sequence,
                                .sequence = decoder->record.batch.sequence};
    if (sample->state.size > 0) {
        series.state = sample->state;
    }
    date_sample(decoder, device, &sample->message, &series);
    decoder->points++;
    decoder->points_undated += series.has_time ? 0 : 1;
    dun_render_series(decoder->renderer, &series);
}

static void render_samples(struct dun_decoder *decoder, struct dun_span device)
{
    const struct dun_sample *samples = decoder->record.samples.items;
    dun_notes_ledger(decoder, device);
    for (size_t i = 0; i < decoder->record.samples.count; i++) {
        render_sample(decoder, device, &samples[i]);
    }
}

/// Feeding ///

int dun_decoder_parse(struct dun_decoder *decoder, enum dun_channel channel,
                      struct dun_span payload, struct dun_complaint *complaint)
{
    struct dun_parsed *record = &decoder->record;
    if (payload.data == NULL) {
        payload = dun_span_of("");
    }
    complaint->offset = 0;
    switch (channel) {
    case DUN_CHANNEL_BATCH:
        return dun_parse_batch(record, payload, complaint);
    case DUN_CHANNEL_SAMPLES:
        return dun_parse_samples(record, payload, complaint);
    case DUN_CHANNEL_ABOUT:
        return dun_parse_about(record, payload, complaint);
    case DUN_CHANNEL_CATALOG:
        return dun_parse_catalog(record, payload, complaint);
    case DUN_CHANNEL_STORED:
        return dun_parse_stored(record, payload, complaint);
    case DUN_CHANNEL_STATUS:
        if (payload.size <= 64 && dun_text_is_utf8(payload)) {
            return 0;
        }
        break;
    case DUN_CHANNEL_NONE:
        break;
    }
    strcpy(complaint->text, "not a status text");
    return DUN_E_CORRUPT;
}

/* Anchors and dictionaries first: they may date and name what stands beside them. */
static void learn(struct dun_decoder *decoder, struct dun_span device)
{
    const struct dun_parsed *record = &decoder->record;
    const dunlin_v1_Anchor *anchors = record->anchors.items;
    dun_knowledge_add_metrics(&decoder->knowledge, device, record->batch.stream,
                              record->batch.catalog_base, record->batch.catalog, &record->metrics);
    for (size_t i = 0; i < record->anchors.count; i++) {
        dun_knowledge_add_anchor(&decoder->knowledge, device, record->batch.stream, &anchors[i]);
    }
}

void dun_decoder_render(struct dun_decoder *decoder, enum dun_channel channel,
                        struct dun_span device, struct dun_span payload)
{
    decoder->records++;
    if (channel != DUN_CHANNEL_STATUS) {
        learn(decoder, device);
    }
    if (decoder->renderer == NULL) {
        return;
    }
    switch (channel) {
    case DUN_CHANNEL_BATCH:
        render_batch(decoder, device);
        break;
    case DUN_CHANNEL_SAMPLES:
        render_samples(decoder, device);
        break;
    case DUN_CHANNEL_CATALOG:
        dun_notes_metrics(decoder, device);
        break;
    case DUN_CHANNEL_ABOUT:
        dun_notes_about(decoder, device);
        break;
    case DUN_CHANNEL_STORED:
        dun_notes_stored(decoder, device);
        break;
    case DUN_CHANNEL_STATUS:
        dun_notes_status(decoder, device, payload);
        break;
    case DUN_CHANNEL_NONE:
        break;
    }
}

int dun_decoder_feed(struct dun_decoder *decoder, enum dun_channel channel, struct dun_span device,
                     struct dun_span payload, struct dun_complaint *complaint)
{
    int result = dun_decoder_parse(decoder, channel, payload, complaint);
    if (result == 0) {
        dun_decoder_render(decoder, channel, device, payload);
    }
    return result;
}
