/*
 * parse.c: from payload bytes to a struct dun_parsed, by nanopb's callbacks. It checks what the
 * wire format says; what SPEC.md says beyond it is checked in check.c.
 *
 * The stream that nanopb reads from is ours: its state is one cursor into the payload, shared by
 * all substreams. So a callback knows where in the payload it stands, strings and packed fields
 * need no copy, and a complaint can name the byte.
 */
#include "parse.h"

#include <pb_decode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "out.h"

struct parse {
    struct dun_parsed *record;
    struct dun_span payload;
    size_t at;         /* next byte of the payload */
    const char *error; /* the innermost one: nanopb itself keeps only the outermost */
};

/* A packed field being gathered. */
struct packed {
    struct parse *parse;
    struct dun_span bytes;
};

/// Lists ///

bool dun_list_reserve(struct dun_list *list, size_t count, size_t item_size)
{
    if (count <= list->capacity) {
        return true;
    }
    size_t capacity = list->capacity < 16 ? 16 : list->capacity * 2;
    if (capacity < count) {
        capacity = count;
    }
    void *items = realloc(list->items, capacity * item_size);
    if (items == NULL) {
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}

void *dun_list_add(struct dun_list *list, size_t item_size)
{
    if (list->count >= DUN_RECORD_ITEMS_MAX ||
        !dun_list_reserve(list, list->count + 1, item_size)) {
        return NULL;
    }
    uint8_t *item = (uint8_t *)list->items + list->count * item_size;
    memset(item, 0, item_size);
    list->count++;
    return item;
}

void dun_parsed_init(struct dun_parsed *record)
{
    memset(record, 0, sizeof *record);
}

void dun_parsed_free(struct dun_parsed *record)
{
    free(record->axes.items);
    free(record->columns.items);
    free(record->losses.items);
    free(record->anchors.items);
    free(record->metrics.items);
    free(record->samples.items);
    free(record->pairs.items);
    free(record->states.items);
    free(record->expanded.items);
    free(record->sets.items);
    free(record->times.items);
    free(record->values.items);
    free(record->reals.items);
    free(record->marks.items);
    free(record->chunks.items);
    dun_parsed_init(record);
}

static void forget_last(struct dun_parsed *record)
{
    memset(&record->batch, 0, sizeof record->batch);
    memset(&record->about, 0, sizeof record->about);
    record->device = record->fleet = record->board = (struct dun_span){NULL, 0};
    record->firmware = record->encoding = (struct dun_span){NULL, 0};
    record->axes.count = record->columns.count = record->losses.count = 0;
    record->anchors.count = record->metrics.count = record->samples.count = 0;
    record->pairs.count = record->times.count = record->chunks.count = 0;
    record->expanded.count = record->sets.count = record->values.count = 0;
    record->states.count = record->reals.count = 0;
    record->points = record->rows = 0;
}

/// The stream ///

static bool read_payload(pb_istream_t *stream, pb_byte_t *data, size_t size)
{
    struct parse *parse = stream->state;
    if (data != NULL) {
        memcpy(data, parse->payload.data + parse->at, size);
    }
    parse->at += size;
    return true;
}

static bool refuse(struct parse *parse, const char *error)
{
    if (parse->error == NULL) {
        parse->error = error;
    }
    return false;
}

/* The rest of the substream as a view of the payload, skipped in one step. */
static struct dun_span take_rest(struct parse *parse, pb_istream_t *stream)
{
    struct dun_span rest = {parse->payload.data + parse->at, stream->bytes_left};
    parse->at += stream->bytes_left;
    stream->bytes_left = 0;
    return rest;
}

/* A submessage. A callback also sees numbers, whose stream is not ours: those are refused. */
static bool take_message(struct parse *parse, pb_istream_t *stream, const pb_msgdesc_t *fields,
                         void *message)
{
    if (stream->callback != read_payload) {
        return refuse(parse, "wrong wire type");
    }
    return pb_decode(stream, fields, message) || refuse(parse, PB_GET_ERROR(stream));
}

/* The two texts of a callback field: the span it goes to, and the parse. */
struct text_target {
    struct parse *parse;
    struct dun_span *text;
};

static bool take_text(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct text_target *target = *arg;
    if (stream->callback != read_payload) {
        return refuse(target->parse, "wrong wire type");
    }
    *target->text = take_rest(target->parse, stream);
    return dun_text_is_utf8(*target->text) || refuse(target->parse, "invalid UTF-8");
}

static bool take_bytes(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct text_target *target = *arg;
    if (stream->callback != read_payload) {
        return refuse(target->parse, "wrong wire type");
    }
    *target->text = take_rest(target->parse, stream);
    return true;
}

static pb_callback_t on_bytes(struct text_target *target)
{
    return (pb_callback_t){.funcs = {.decode = take_bytes}, .arg = target};
}

static pb_callback_t on_text(struct text_target *target)
{
    return (pb_callback_t){.funcs = {.decode = take_text}, .arg = target};
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the valid sequence at the start of `data`, 0 if there is none. */
static size_t utf8_length(const uint8_t *data, size_t size)
{
    uint8_t lead = data[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || size < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(data[i])) {
            return 0;
        }
    }
    bool overlong = (lead == 0xE0 && data[1] < 0xA0) || (lead == 0xF0 && data[1] < 0x90);
    bool outside = (lead == 0xED && data[1] > 0x9F) || (lead == 0xF4 && data[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

bool dun_text_is_utf8(struct dun_span text)
{
    for (size_t at = 0; at < text.size;) {
        size_t length = utf8_length(text.data + at, text.size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/// Packed fields ///

/*
 * Adds a second piece of a packed field, which protobuf allows and no encoder of ours makes: the
 * pieces move to one place. That place has room for the whole payload from its first use on,
 * so earlier spans into it stay good.
 */
static bool join_chunks(struct packed *packed, struct dun_span chunk)
{
    struct dun_list *chunks = &packed->parse->record->chunks;
    if (!dun_list_reserve(chunks, packed->parse->payload.size, 1)) {
        return refuse(packed->parse, "out of memory");
    }
    uint8_t *end = (uint8_t *)chunks->items + chunks->count;
    if (packed->bytes.data + packed->bytes.size != end) {
        memcpy(end, packed->bytes.data, packed->bytes.size);
        packed->bytes.data = end;
        chunks->count += packed->bytes.size;
        end += packed->bytes.size;
    }
    memcpy(end, chunk.data, chunk.size);
    chunks->count += chunk.size;
    packed->bytes.size += chunk.size;
    return true;
}

/* The bytes of this call: a packed run, or a single varint that nanopb has read already. */
static bool packed_chunk(struct parse *parse, pb_istream_t *stream, struct dun_span *chunk)
{
    if (stream->callback == read_payload) {
        *chunk = take_rest(parse, stream);
        return true;
    }
    *chunk =
        (struct dun_span){parse->payload.data + parse->at - stream->bytes_left, stream->bytes_left};
    stream->bytes_left = 0;
    bool is_varint = (chunk->data[-1] & 0x87) == PB_WT_VARINT;
    return is_varint || refuse(parse, "wrong wire type");
}

static bool take_packed(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct packed *packed = *arg;
    struct dun_span chunk;
    if (!packed_chunk(packed->parse, stream, &chunk)) {
        return false;
    }
    if (chunk.size > 0 && (chunk.data[chunk.size - 1] & 0x80) != 0) {
        return refuse(packed->parse, "a packed varint is cut off");
    }
    if (packed->bytes.size == 0) {
        packed->bytes = chunk;
        return true;
    }
    return chunk.size == 0 || join_chunks(packed, chunk);
}

/* How many varints there are; false if one is longer than ten bytes. */
static bool count_varints(struct dun_span bytes, size_t *count)
{
    size_t ends = 0;
    unsigned run = 0;
    unsigned longest = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned more = bytes.data[i] >> 7;
        ends += 1 - more;
        run = more * (run + 1);
        longest = run > longest ? run : longest;
    }
    *count = ends;
    return longest < 10;
}

/// The parts of a record ///

static bool take_axis(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    struct packed jitter = {.parse = parse};
    struct dun_span bits = dun_span_of("");
    struct text_target to_bits = {parse, &bits};
    dunlin_v1_Times times = dunlin_v1_Times_init_zero;
    times.bits = on_bytes(&to_bits);
    times.jitter_ms = (pb_callback_t){.funcs = {.decode = take_packed}, .arg = &jitter};
    if (!take_message(parse, stream, dunlin_v1_Times_fields, &times)) {
        return false;
    }
    struct dun_axis *axis = dun_list_add(&parse->record->axes, sizeof *axis);
    if (axis == NULL) {
        return refuse(parse, "too many axes");
    }
    if (times.has_rows && (times.has_count || jitter.bytes.size > 0)) {
        return refuse(parse, "an axis with count and rows");
    }
    axis->coded = times.has_rows;
    axis->coding = (uint32_t)times.coding;
    axis->bits = bits;
    axis->count = times.has_rows ? times.rows : times.count;
    axis->first_ms = times.first_ms;
    axis->interval_ms = times.interval_ms;
    axis->jitter = jitter.bytes;
    return count_varints(axis->jitter, &axis->jitter_count) ||
           refuse(parse, "a jitter is longer than ten bytes");
}

static bool take_column(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    struct packed deltas = {.parse = parse};
    struct packed codings = {.parse = parse};
    struct dun_span bits = dun_span_of("");
    struct text_target to_bits = {parse, &bits};
    dunlin_v1_Column message = dunlin_v1_Column_init_zero;
    message.deltas = (pb_callback_t){.funcs = {.decode = take_packed}, .arg = &deltas};
    message.codings = (pb_callback_t){.funcs = {.decode = take_packed}, .arg = &codings};
    message.bits = on_bytes(&to_bits);
    if (!take_message(parse, stream, dunlin_v1_Column_fields, &message)) {
        return false;
    }
    if (codings.bytes.size == 0 && (!message.has_metric || !message.has_first)) {
        return refuse(parse, "a column needs metric and first, or codings");
    }
    if (codings.bytes.size > 0 && (message.has_first || deltas.bytes.size > 0)) {
        return refuse(parse, "a column of two forms");
    }
    struct dun_column *column = dun_list_add(&parse->record->columns, sizeof *column);
    if (column == NULL) {
        return refuse(parse, "too many columns");
    }
    column->metric = message.metric;
    column->axis = message.axis;
    column->first = message.first;
    column->deltas = deltas.bytes;
    column->codings = codings.bytes;
    column->bits = bits;
    return (count_varints(column->deltas, &column->delta_count) &&
            count_varints(column->codings, &column->coding_count)) ||
           refuse(parse, "a delta is longer than ten bytes");
}

static bool take_loss(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    dunlin_v1_Loss *loss = dun_list_add(&parse->record->losses, sizeof *loss);
    if (loss == NULL) {
        return refuse(parse, "too many losses");
    }
    return take_message(parse, stream, dunlin_v1_Loss_fields, loss);
}

static bool take_anchor(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    dunlin_v1_Anchor *anchor = dun_list_add(&parse->record->anchors, sizeof *anchor);
    if (anchor == NULL) {
        return refuse(parse, "too many anchors");
    }
    return take_message(parse, stream, dunlin_v1_Anchor_fields, anchor);
}

/* An attribute of a metric or of a sample. */
static bool take_pair(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    struct dun_pair pair = {.value = dun_span_of("")};
    struct text_target key = {parse, &pair.key};
    struct text_target value = {parse, &pair.value};
    dunlin_v1_Attribute message = {.key = on_text(&key), .value = on_text(&value)};
    if (!take_message(parse, stream, dunlin_v1_Attribute_fields, &message)) {
        return false;
    }
    struct dun_pair *kept = dun_list_add(&parse->record->pairs, sizeof *kept);
    if (kept == NULL) {
        return refuse(parse, "too many attributes");
    }
    *kept = pair;
    return true;
}

/* One name of a state of a metric. */
static bool take_state(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    struct parse *parse = *arg;
    struct dun_span text = dun_span_of("");
    struct text_target target = {parse, &text};
    void *to = &target;
    if (!take_text(stream, field, &to)) {
        return false;
    }
    struct dun_span *kept = dun_list_add(&parse->record->states, sizeof *kept);
    if (kept == NULL) {
        return refuse(parse, "too many states");
    }
    *kept = text;
    return true;
}

static pb_callback_t on_part(bool (*take)(pb_istream_t *, const pb_field_t *, void **),
                             struct parse *parse)
{
    return (pb_callback_t){.funcs = {.decode = take}, .arg = parse};
}

static bool take_metric(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    struct dun_metric_text metric = {.pair_first = parse->record->pairs.count,
                                     .state_first = parse->record->states.count};
    metric.raw = (struct dun_span){parse->payload.data + parse->at, stream->bytes_left};
    struct text_target name = {parse, &metric.name};
    struct text_target unit = {parse, &metric.unit};
    dunlin_v1_Metric message = dunlin_v1_Metric_init_zero;
    message.name = on_text(&name);
    message.unit = on_text(&unit);
    message.attributes = on_part(take_pair, parse);
    message.states = on_part(take_state, parse);
    if (!take_message(parse, stream, dunlin_v1_Metric_fields, &message)) {
        return false;
    }
    if (!message.has_id || metric.name.size == 0) {
        return refuse(parse, "a metric needs an id and a name");
    }
    if (metric.raw.size > DUN_METRIC_BYTES_MAX) {
        return refuse(parse, "a metric is larger than 1024 bytes");
    }
    metric.id = message.id;
    metric.exponent = message.exponent;
    metric.kind = (uint32_t)message.kind;
    metric.pair_count = parse->record->pairs.count - metric.pair_first;
    metric.state_count = parse->record->states.count - metric.state_first;
    struct dun_metric_text *kept = dun_list_add(&parse->record->metrics, sizeof *kept);
    if (kept == NULL) {
        return refuse(parse, "too many metrics");
    }
    *kept = metric;
    return true;
}

static bool take_any_sample(struct parse *parse, pb_istream_t *stream, struct dun_sample *sample)
{
    struct text_target device = {parse, &sample->device};
    struct text_target metric = {parse, &sample->metric};
    struct text_target unit = {parse, &sample->unit};
    struct text_target state = {parse, &sample->state};
    sample->message.state = on_text(&state);
    sample->message.device = on_text(&device);
    sample->message.metric = on_text(&metric);
    sample->message.unit = on_text(&unit);
    sample->message.attributes = on_part(take_pair, parse);
    return take_message(parse, stream, dunlin_v1_Sample_fields, &sample->message);
}

static bool take_sample(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    const struct dun_sample fresh = {.pair_first = parse->record->pairs.count};
    struct dun_sample sample = fresh;
    if (stream->bytes_left > DUN_METRIC_BYTES_MAX) {
        return refuse(parse, "a sample is larger than 1024 bytes");
    }
    struct dun_span bytes = {parse->payload.data + parse->at, stream->bytes_left};
    if (stream->callback == read_payload &&
        dun_parse_sample(bytes, &sample, &parse->record->pairs)) {
        (void)take_rest(parse, stream);
    } else {
        sample = fresh;
        if (!take_any_sample(parse, stream, &sample)) {
            return false;
        }
    }
    if (!sample.message.has_value || sample.metric.size == 0) {
        return refuse(parse, "a sample needs metric and value");
    }
    sample.pair_count = parse->record->pairs.count - sample.pair_first;
    struct dun_sample *kept = dun_list_add(&parse->record->samples, sizeof *kept);
    if (kept == NULL) {
        return refuse(parse, "too many samples");
    }
    *kept = sample;
    return true;
}

/* A limit of an About's profile. */
static bool take_knob(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    (void)field;
    struct parse *parse = *arg;
    struct dun_pair knob = {.number = 0};
    struct text_target name = {parse, &knob.key};
    dunlin_v1_Knob message = dunlin_v1_Knob_init_zero;
    message.name = on_text(&name);
    if (!take_message(parse, stream, dunlin_v1_Knob_fields, &message)) {
        return false;
    }
    knob.number = message.value;
    knob.has_number = message.has_value;
    struct dun_pair *kept = dun_list_add(&parse->record->pairs, sizeof *kept);
    if (kept == NULL) {
        return refuse(parse, "too many knobs");
    }
    *kept = knob;
    return true;
}

/// Whole messages ///

static struct parse begin_parse(struct dun_parsed *record, struct dun_span payload)
{
    forget_last(record);
    return (struct parse){.record = record, .payload = payload};
}

static int run_parse(struct parse *parse, const pb_msgdesc_t *fields, void *message,
                     struct dun_complaint *complaint)
{
    complaint->offset = 0;
    if (parse->payload.size > DUN_RECORD_BYTES_MAX) {
        (void)snprintf(complaint->text, sizeof complaint->text, "larger than 16 MiB");
        return DUN_E_CORRUPT;
    }
    pb_istream_t stream = {
        .callback = read_payload, .state = parse, .bytes_left = parse->payload.size};
    if (!pb_decode(&stream, fields, message)) {
        (void)refuse(parse, PB_GET_ERROR(&stream));
        (void)snprintf(complaint->text, sizeof complaint->text, "%s", parse->error);
        complaint->offset = parse->at;
        return DUN_E_CORRUPT;
    }
    return 0;
}

/* The lists have stopped moving: points each owner at its share. */
static void link_parts(struct dun_parsed *record)
{
    const struct dun_pair *pairs = record->pairs.items;
    const struct dun_span *states = record->states.items;
    struct dun_metric_text *metrics = record->metrics.items;
    for (size_t i = 0; i < record->metrics.count; i++) {
        metrics[i].pairs = metrics[i].pair_count > 0 ? pairs + metrics[i].pair_first : NULL;
        metrics[i].states = metrics[i].state_count > 0 ? states + metrics[i].state_first : NULL;
    }
    struct dun_sample *samples = record->samples.items;
    for (size_t i = 0; i < record->samples.count; i++) {
        samples[i].pairs = samples[i].pair_count > 0 ? pairs + samples[i].pair_first : NULL;
    }
}

int dun_parse_batch(struct dun_parsed *record, struct dun_span payload,
                    struct dun_complaint *complaint)
{
    struct parse parse = begin_parse(record, payload);
    record->batch.axes = on_part(take_axis, &parse);
    record->batch.columns = on_part(take_column, &parse);
    record->batch.losses = on_part(take_loss, &parse);
    record->batch.anchors = on_part(take_anchor, &parse);
    record->batch.metrics = on_part(take_metric, &parse);
    int result = run_parse(&parse, dunlin_v1_Batch_fields, &record->batch, complaint);
    if (result < 0) {
        return result;
    }
    link_parts(record);
    return dun_check_batch(record, complaint);
}

int dun_parse_samples(struct dun_parsed *record, struct dun_span payload,
                      struct dun_complaint *complaint)
{
    struct parse parse = begin_parse(record, payload);
    dunlin_v1_Samples message = dunlin_v1_Samples_init_zero;
    message.samples = on_part(take_sample, &parse);
    message.losses = on_part(take_loss, &parse);
    message.anchors = on_part(take_anchor, &parse);
    int result = run_parse(&parse, dunlin_v1_Samples_fields, &message, complaint);
    if (result < 0) {
        return result;
    }
    record->batch.has_stream = message.has_stream;
    record->batch.stream = message.stream;
    record->batch.has_sequence = message.has_sequence;
    record->batch.sequence = message.sequence;
    link_parts(record);
    return dun_check_samples(record, complaint);
}

int dun_parse_catalog(struct dun_parsed *record, struct dun_span payload,
                      struct dun_complaint *complaint)
{
    struct parse parse = begin_parse(record, payload);
    dunlin_v1_Catalog message = dunlin_v1_Catalog_init_zero;
    message.metrics = on_part(take_metric, &parse);
    int result = run_parse(&parse, dunlin_v1_Catalog_fields, &message, complaint);
    if (result < 0) {
        return result;
    }
    record->batch.has_stream = message.has_stream;
    record->batch.stream = message.stream;
    record->batch.has_catalog = message.has_hash;
    record->batch.catalog = message.hash;
    link_parts(record);
    return dun_check_catalog(record, complaint);
}

int dun_parse_about(struct dun_parsed *record, struct dun_span payload,
                    struct dun_complaint *complaint)
{
    struct parse parse = begin_parse(record, payload);
    struct text_target device = {&parse, &record->device};
    struct text_target fleet = {&parse, &record->fleet};
    struct text_target board = {&parse, &record->board};
    struct text_target firmware = {&parse, &record->firmware};
    struct text_target encoding = {&parse, &record->encoding};
    record->about.device = on_text(&device);
    record->about.fleet = on_text(&fleet);
    record->about.board = on_text(&board);
    record->about.firmware = on_text(&firmware);
    record->about.encoding = on_text(&encoding);
    record->about.profile = on_part(take_knob, &parse);
    return run_parse(&parse, dunlin_v1_About_fields, &record->about, complaint);
}

int dun_parse_stored(struct dun_parsed *record, struct dun_span payload,
                     struct dun_complaint *complaint)
{
    struct parse parse = begin_parse(record, payload);
    dunlin_v1_Stored message = dunlin_v1_Stored_init_zero;
    int result = run_parse(&parse, dunlin_v1_Stored_fields, &message, complaint);
    if (result < 0) {
        return result;
    }
    record->batch.has_stream = message.has_stream;
    record->batch.stream = message.stream;
    record->batch.has_sequence = message.has_sequence;
    record->batch.sequence = message.sequence;
    return dun_check_stored(record, complaint);
}
