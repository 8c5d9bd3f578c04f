/*
 * ingest.c: what a message becomes. A record gives a row of `record` and one of `sample` for each
 * point, its anchors and losses; dictionaries name series, whenever they come. Ids that the
 * database gave are kept in one hash table, so that a usual record costs no question.
 */
#include "ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "crc32c.h"
#include "points.h"

#define MAP_ENTRIES_MAX ((size_t)1 << 22)
#define PLAIN_CATALOG   (-1)

/* The first key of what is not a series. */
#define KEY_STREAM (UINT64_C(1) << 62)
#define KEY_BOOT   (UINT64_C(1) << 63)

struct dun_told_loss {
    size_t record; /* index in rows.records */
    dunlin_v1_Loss loss;
};

struct dun_told_anchor {
    size_t record;
    dunlin_v1_Anchor anchor;
};

int dun_ingest_init(struct dun_ingest *ingest, struct dun_store *store)
{
    memset(ingest, 0, sizeof *ingest);
    ingest->store = store;
    dun_out_init(&ingest->scratch, -1);
    return dun_decoder_init(&ingest->decoder, NULL);
}

/// The table of ids ///

/* Forgets all ids. The streams stay where they are, since others hold them; their id is asked for
 * again. */
static void forget(struct dun_map *map)
{
    struct dun_map old = *map;
    *map = (struct dun_map){NULL, 0, 0};
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].known != NULL) {
            struct dun_map_entry *entry = dun_map_add(map, old.entries[i].key);
            old.entries[i].known->id = 0;
            if (entry != NULL) {
                entry->known = old.entries[i].known;
            }
        }
    }
    free(old.entries);
}

/* The id under `key`, which `statement` gives where it is not known yet. */
static int id_of(struct dun_ingest *ingest, const uint64_t key[3], enum dun_statement statement,
                 const struct dun_bind *binds, size_t count, int64_t *id)
{
    const struct dun_map_entry *entry = dun_map_find(&ingest->map, key);
    if (entry != NULL) {
        *id = entry->value;
        return 0;
    }
    int error = ingest->store->ops->run(ingest->store, statement, binds, count, id);
    struct dun_map_entry *made = error == 0 ? dun_map_add(&ingest->map, key) : NULL;
    if (made != NULL) {
        made->value = *id;
    }
    return error;
}

void dun_ingest_free(struct dun_ingest *ingest)
{
    for (size_t i = 0; i < ingest->map.capacity; i++) {
        if (ingest->map.entries[i].known != NULL) {
            free(ingest->map.entries[i].known->root);
            free(ingest->map.entries[i].known);
        }
    }
    free(ingest->map.entries);
    free(ingest->rows.records.items);
    free(ingest->rows.points.items);
    free(ingest->losses.items);
    free(ingest->anchors.items);
    free(ingest->touched.items);
    free(ingest->cursors.items);
    dun_decoder_free(&ingest->decoder);
}

/* Room for one more at the end of a list without a limit of its own; NULL: out of memory. */
static void *append(struct dun_ingest *ingest, struct dun_list *list, size_t count, size_t size)
{
    if (!dun_list_reserve(list, list->count + count, size)) {
        ingest->failed = true;
        return NULL;
    }
    uint8_t *items = (uint8_t *)list->items + list->count * size;
    memset(items, 0, count * size);
    list->count += count;
    return items;
}

/// Devices and streams ///

/* prefix/fleet/device/channel, of which dun_topic_split said that it is one. */
static void cut_topic(struct dun_span topic, struct dun_span parts[3], struct dun_span *root)
{
    size_t from = 0;
    size_t part = 0;
    for (size_t i = 0; part < 3; i++) {
        if (topic.data[i] == '/') {
            parts[part++] = (struct dun_span){topic.data + from, i - from};
            *root = (struct dun_span){topic.data, i};
            from = i + 1;
        }
    }
}

static int find_device(struct dun_ingest *ingest, struct dun_span topic, int64_t *id)
{
    struct dun_span parts[3];
    struct dun_span root;
    cut_topic(topic, parts, &root);
    const struct dun_bind binds[] = {dun_bind_text(parts[0]), dun_bind_text(parts[1]),
                                     dun_bind_text(parts[2])};
    return ingest->store->ops->run(ingest->store, DUN_SQL_DEVICE, binds, 3, id);
}

static uint64_t hash_text(struct dun_span span)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < span.size; i++) {
        hash = (hash ^ span.data[i]) * 0x100000001B3u;
    }
    return hash;
}

/* The key of a stream: two roots of one hash get different ones. */
static struct dun_map_entry *find_known(const struct dun_map *map, struct dun_span root,
                                        uint64_t stream, uint64_t key[3])
{
    struct dun_map_entry *entry;
    key[0] = KEY_STREAM;
    key[1] = hash_text(root);
    key[2] = stream;
    while ((entry = dun_map_find(map, key)) != NULL &&
           !dun_span_equal(dun_span_of(entry->known->root), root)) {
        key[0]++;
    }
    return entry;
}

struct dun_stream_known *dun_ingest_know(struct dun_ingest *ingest, struct dun_span root,
                                         uint64_t stream, int64_t id)
{
    uint64_t key[3];
    struct dun_map_entry *entry = find_known(&ingest->map, root, stream, key);
    if (entry != NULL) {
        entry->known->id = id;
        return entry->known;
    }
    struct dun_stream_known *known = calloc(1, sizeof *known);
    char *copy = malloc(root.size + 1);
    entry = known != NULL && copy != NULL ? dun_map_add(&ingest->map, key) : NULL;
    if (entry == NULL) {
        free(known);
        free(copy);
        return NULL;
    }
    memcpy(copy, root.data, root.size);
    copy[root.size] = '\0';
    *known = (struct dun_stream_known){.id = id, .root = copy, .stream = stream};
    entry->known = known;
    return known;
}

static int find_stream(struct dun_ingest *ingest, struct dun_span topic, uint64_t stream,
                       struct dun_stream_known **known)
{
    struct dun_span parts[3];
    struct dun_span root;
    uint64_t key[3];
    cut_topic(topic, parts, &root);
    struct dun_map_entry *entry = find_known(&ingest->map, root, stream, key);
    int error = 0;
    if (entry == NULL || entry->known->id == 0) {
        int64_t device = 0;
        int64_t id = 0;
        error = find_device(ingest, topic, &device);
        const struct dun_bind binds[] = {dun_bind_number(device), dun_bind_number((int64_t)stream)};
        if (error == 0) {
            error = ingest->store->ops->run(ingest->store, DUN_SQL_STREAM, binds, 2, &id);
        }
        *known = error == 0 ? dun_ingest_know(ingest, root, stream, id) : NULL;
    } else {
        *known = entry->known;
    }
    return error == 0 && *known == NULL ? dun_store_fail(ingest->store, "", "out of memory")
                                        : error;
}

static void touch(struct dun_ingest *ingest, struct dun_stream_known *known)
{
    if (known->touched) {
        return;
    }
    struct dun_stream_known **slot = append(ingest, &ingest->touched, 1, sizeof *slot);
    if (slot != NULL) {
        known->touched = true;
        *slot = known;
    }
}

static int know_boot(struct dun_ingest *ingest, int64_t stream, uint32_t boot)
{
    const uint64_t key[] = {KEY_BOOT, (uint64_t)stream, boot};
    const struct dun_bind binds[] = {dun_bind_number(stream), dun_bind_number(boot)};
    int64_t nothing = 0;
    return id_of(ingest, key, DUN_SQL_BOOT, binds, 2, &nothing);
}

/// Dictionaries ///

static double power_of_ten(int32_t exponent)
{
    double power = 1;
    for (int32_t i = exponent < 0 ? -exponent : exponent; i > 0; i--) {
        power *= 10;
    }
    return power;
}

/* Dictionary(`catalog`) = dictionary(`base`) and these. */
static int learn_metrics(struct dun_ingest *ingest, int64_t stream)
{
    struct dun_store *store = ingest->store;
    const struct dun_parsed *record = &ingest->decoder.record;
    const struct dun_metric_text *metrics = record->metrics.items;
    int64_t catalog = record->batch.catalog;
    int64_t known = 0;
    const struct dun_bind whose[] = {dun_bind_number(stream), dun_bind_number(catalog)};
    int error = store->ops->run(store, DUN_SQL_METRICS, whose, 2, &known);
    if (error != 0 || known >= (int64_t)record->metrics.count) {
        return error;
    }
    for (size_t i = 0; i < record->metrics.count && error == 0; i++) {
        const struct dun_metric_text *metric = &metrics[i];
        ingest->scratch.used = 0;
        const struct dun_bind binds[] = {
            whose[0],
            whose[1],
            dun_bind_number(metric->id),
            dun_bind_number(record->batch.catalog_base),
            dun_bind_clean(&ingest->scratch, metric->name),
            dun_bind_clean(&ingest->scratch, metric->unit),
            dun_bind_number(metric->exponent),
            {.kind = DUN_BIND_REAL, .real = power_of_ten(metric->exponent)},
            dun_bind_number(metric->kind),
            dun_bind_attributes(&ingest->scratch, metric->pairs, metric->pair_count),
            dun_bind_states(&ingest->scratch, metric)};
        error = store->ops->run(store, DUN_SQL_METRIC, binds, sizeof binds / sizeof binds[0], NULL);
    }
    return error == 0 ? store->ops->run(store, DUN_SQL_NAME_STREAM, whose, 1, NULL) : error;
}

static int find_series(struct dun_ingest *ingest, int64_t stream, uint32_t catalog, uint32_t metric,
                       int64_t *id)
{
    const uint64_t key[] = {(uint64_t)stream, catalog, metric};
    const struct dun_bind binds[] = {dun_bind_number(stream), dun_bind_number(catalog),
                                     dun_bind_number(metric)};
    bool fresh = dun_map_find(&ingest->map, key) == NULL;
    int error = id_of(ingest, key, DUN_SQL_SERIES, binds, 3, id);
    if (error != 0 || !fresh) {
        return error;
    }
    const struct dun_bind which = dun_bind_number(*id);
    return ingest->store->ops->run(ingest->store, DUN_SQL_NAME_SERIES, &which, 1, NULL);
}

/* A plain sample names itself; what it says stands for a metric's id. */
static int find_plain_series(struct dun_ingest *ingest, int64_t stream,
                             const struct dun_sample *sample, int64_t *id)
{
    ingest->scratch.used = 0;
    struct dun_bind name = dun_bind_clean(&ingest->scratch, sample->metric);
    struct dun_bind unit = dun_bind_clean(&ingest->scratch, sample->unit);
    struct dun_bind pairs =
        dun_bind_attributes(&ingest->scratch, sample->pairs, sample->pair_count);
    uint64_t metric = hash_text(name.text) * 31 + hash_text(unit.text);
    metric = metric * 31 + (pairs.kind == DUN_BIND_TEXT ? hash_text(pairs.text) : 0);
    struct dun_bind state = {.kind = DUN_BIND_NULL};
    if (sample->state.size > 0) {
        state = dun_bind_clean(&ingest->scratch, sample->state);
        metric = metric * 31 + hash_text(state.text);
    }
    const uint64_t key[] = {(uint64_t)stream, (uint64_t)(int64_t)PLAIN_CATALOG, metric};
    const struct dun_bind binds[] = {dun_bind_number(stream),
                                     dun_bind_number(PLAIN_CATALOG),
                                     dun_bind_number((int64_t)metric),
                                     name,
                                     unit,
                                     pairs,
                                     state};
    return id_of(ingest, key, DUN_SQL_PLAIN, binds, 7, id);
}

/// Records ///

static struct dun_record_row *add_record(struct dun_ingest *ingest, struct dun_stream_known *known,
                                         struct dun_span payload)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    struct dun_record_row *row = append(ingest, &ingest->rows.records, 1, sizeof *row);
    if (row == NULL) {
        return NULL;
    }
    *row = (struct dun_record_row){.stream = known->id,
                                   .known = known,
                                   .has_sequence = record->batch.has_sequence,
                                   .sequence = record->batch.sequence,
                                   .crc = dun_crc32c(0, payload.data, payload.size),
                                   .bytes = (uint32_t)payload.size,
                                   .uptime_first_ms = INT64_MAX,
                                   .uptime_last_ms = 0,
                                   .point_first = ingest->rows.points.count};
    touch(ingest, known);
    return row;
}

static void add_notes(struct dun_ingest *ingest)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    const dunlin_v1_Loss *losses = record->losses.items;
    const dunlin_v1_Anchor *anchors = record->anchors.items;
    size_t nth = ingest->rows.records.count - 1;
    for (size_t i = 0; i < record->losses.count; i++) {
        struct dun_told_loss *told = append(ingest, &ingest->losses, 1, sizeof *told);
        if (told != NULL) {
            *told = (struct dun_told_loss){nth, losses[i]};
        }
    }
    for (size_t i = 0; i < record->anchors.count; i++) {
        struct dun_told_anchor *told = append(ingest, &ingest->anchors, 1, sizeof *told);
        if (told != NULL) {
            *told = (struct dun_told_anchor){nth, anchors[i]};
        }
    }
}

static void see_uptime(struct dun_record_row *row, int64_t uptime_ms)
{
    row->uptime_first_ms = uptime_ms < row->uptime_first_ms ? uptime_ms : row->uptime_first_ms;
    row->uptime_last_ms = uptime_ms > row->uptime_last_ms ? uptime_ms : row->uptime_last_ms;
}

static void set_values(const struct dun_parsed *record, const struct dun_expanded *column,
                       struct dun_point_row *points)
{
    if (column->real) {
        const double *reals = (const double *)record->reals.items + column->values;
        for (size_t i = 0; i < column->rows.count; i++) {
            points[i].real = reals[i];
        }
    } else {
        const int64_t *values = (const int64_t *)record->values.items + column->values;
        for (size_t i = 0; i < column->rows.count; i++) {
            points[i].value = values[i];
        }
    }
}

static int add_column(struct dun_ingest *ingest, struct dun_record_row *row,
                      const struct dun_expanded *column)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    const int64_t *uptimes = (const int64_t *)record->times.items + column->rows.first;
    int64_t series = 0;
    int error = find_series(ingest, row->stream, record->batch.catalog, column->metric, &series);
    struct dun_point_row *points =
        append(ingest, &ingest->rows.points, column->rows.count, sizeof *points);
    if (error != 0 || points == NULL) {
        return error;
    }
    for (size_t i = 0; i < column->rows.count; i++) {
        points[i].series = series;
        points[i].uptime_ms = uptimes[i];
        points[i].has_uptime = true;
        points[i].is_real = column->real;
        see_uptime(row, uptimes[i]);
    }
    set_values(record, column, points);
    row->point_count += column->rows.count;
    return 0;
}

static int take_batch(struct dun_ingest *ingest, struct dun_stream_known *known,
                      struct dun_span payload)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    const struct dun_expanded *columns = record->expanded.items;
    struct dun_record_row *row = add_record(ingest, known, payload);
    if (row == NULL) {
        return 0;
    }
    row->has_boot = true;
    row->boot = record->batch.boot;
    row->has_catalog = record->batch.has_catalog;
    row->catalog = record->batch.catalog;
    row->has_boot_unix_ms = record->batch.has_boot_unix_ms;
    row->boot_unix_ms = record->batch.boot_unix_ms;
    int error = know_boot(ingest, known->id, row->boot);
    if (error == 0 && record->metrics.count > 0) {
        error = learn_metrics(ingest, known->id);
    }
    for (size_t i = 0; i < record->expanded.count && error == 0; i++) {
        error = add_column(ingest, row, &columns[i]);
    }
    add_notes(ingest);
    return error;
}

/* All samples of a record are of one boot. What has a date of its own dates the boot. */
static int take_sample(struct dun_ingest *ingest, struct dun_record_row *row,
                       const struct dun_sample *sample)
{
    const dunlin_v1_Sample *message = &sample->message;
    int64_t series = 0;
    int error = find_plain_series(ingest, row->stream, sample, &series);
    struct dun_point_row *point = append(ingest, &ingest->rows.points, 1, sizeof *point);
    if (error != 0 || point == NULL) {
        return error;
    }
    point->series = series;
    point->is_real = true;
    point->real = message->value;
    point->has_uptime = message->has_uptime_ms || message->has_time;
    point->uptime_ms = message->has_uptime_ms ? (int64_t)message->uptime_ms : message->time;
    if (message->has_time && !row->has_boot_unix_ms) {
        row->has_boot_unix_ms = true;
        row->boot_unix_ms = message->has_uptime_ms ? message->time - point->uptime_ms : 0;
    }
    if (message->has_time) {
        point->uptime_ms = message->time - row->boot_unix_ms;
    }
    if (message->has_boot && !row->has_boot) {
        row->has_boot = true;
        row->boot = message->boot;
        error = know_boot(ingest, row->stream, message->boot);
    }
    see_uptime(row, point->uptime_ms);
    row->point_count++;
    return error;
}

static int take_samples(struct dun_ingest *ingest, struct dun_stream_known *known,
                        struct dun_span payload)
{
    const struct dun_sample *samples = ingest->decoder.record.samples.items;
    struct dun_record_row *row = add_record(ingest, known, payload);
    int error = 0;
    for (size_t i = 0; row != NULL && i < ingest->decoder.record.samples.count && error == 0; i++) {
        error = take_sample(ingest, row, &samples[i]);
    }
    if (row != NULL) {
        dun_points_sort((struct dun_point_row *)ingest->rows.points.items + row->point_first,
                        row->point_count);
        add_notes(ingest);
    }
    return error;
}

/// Retained messages ///

/* What the device had no more when we first heard it say so, nobody can expect of it. A retained
 * word is from before we listened: records may have come and gone since. */
static int note_beginning(struct dun_ingest *ingest, struct dun_span topic)
{
    const dunlin_v1_About *about = &ingest->decoder.record.about;
    struct dun_stream_known *known;
    int error = find_stream(ingest, topic, about->stream, &known);
    if (error != 0) {
        return error;
    }
    const struct dun_bind binds[] = {dun_bind_number(known->id),
                                     dun_bind_number((int64_t)about->oldest_sequence)};
    touch(ingest, known);
    return ingest->store->ops->run(ingest->store, DUN_SQL_BEGAN, binds, 2, NULL);
}

static int take_about(struct dun_ingest *ingest, struct dun_span topic, bool retained,
                      int64_t now_ms)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    const dunlin_v1_About *about = &record->about;
    int64_t device = 0;
    int error = find_device(ingest, topic, &device);
    ingest->scratch.used = 0;
    const struct dun_bind binds[] = {
        dun_bind_number(device),
        dun_bind_clean(&ingest->scratch, record->board),
        dun_bind_clean(&ingest->scratch, record->firmware),
        dun_bind_clean(&ingest->scratch, record->encoding),
        about->has_stream ? dun_bind_number((int64_t)about->stream) : dun_bind_maybe(false, 0),
        dun_bind_maybe(about->has_boot, about->boot),
        dun_bind_maybe(about->has_volatile_stream, about->volatile_stream ? 1 : 0),
        dun_bind_number(now_ms)};
    error = error == 0 ? ingest->store->ops->run(ingest->store, DUN_SQL_ABOUT, binds,
                                                 sizeof binds / sizeof binds[0], NULL)
                       : error;
    bool tells = !retained && about->stream != 0 && about->oldest_sequence > 0 &&
                 about->oldest_sequence <= DUN_SEQUENCE_MAX;
    return error == 0 && tells ? note_beginning(ingest, topic) : error;
}

static int take_status(struct dun_ingest *ingest, struct dun_span topic, struct dun_span payload,
                       int64_t now_ms)
{
    int64_t device = 0;
    int error = find_device(ingest, topic, &device);
    ingest->scratch.used = 0;
    const struct dun_bind binds[] = {dun_bind_number(device),
                                     dun_bind_clean(&ingest->scratch, payload),
                                     dun_bind_number(now_ms)};
    return error == 0 ? ingest->store->ops->run(ingest->store, DUN_SQL_STATUS, binds, 3, NULL)
                      : error;
}

static int take_catalog(struct dun_ingest *ingest, struct dun_span topic)
{
    struct dun_stream_known *known;
    int error = find_stream(ingest, topic, ingest->decoder.record.batch.stream, &known);
    return error == 0 ? learn_metrics(ingest, known->id) : error;
}

/// A transaction ///

static void empty(struct dun_ingest *ingest)
{
    struct dun_stream_known **touched = ingest->touched.items;
    for (size_t i = 0; i < ingest->touched.count; i++) {
        touched[i]->touched = touched[i]->moved = false;
        touched[i]->duplicates = touched[i]->altered = 0;
    }
    ingest->rows.records.count = ingest->rows.points.count = 0;
    ingest->losses.count = ingest->anchors.count = 0;
    ingest->touched.count = 0;
    ingest->refused = 0;
    ingest->failed = false;
}

int dun_ingest_begin(struct dun_ingest *ingest)
{
    empty(ingest);
    if (ingest->map.count > MAP_ENTRIES_MAX) {
        forget(&ingest->map);
    }
    return ingest->store->ops->begin(ingest->store);
}

static int refuse(struct dun_ingest *ingest, struct dun_span topic,
                  const struct dun_complaint *complaint)
{
    int64_t device = 0;
    int error = find_device(ingest, topic, &device);
    const struct dun_bind binds[] = {dun_bind_number(device), dun_bind_number(1),
                                     dun_bind_text(dun_span_of(complaint->text))};
    ingest->refused++;
    error = error == 0 ? ingest->store->ops->run(ingest->store, DUN_SQL_REFUSED, binds, 3, NULL)
                       : error;
    return error == 0 ? DUN_E_CORRUPT : error;
}

static int take_record(struct dun_ingest *ingest, enum dun_channel channel, struct dun_span topic,
                       struct dun_span payload, struct dun_complaint *complaint)
{
    const struct dun_parsed *record = &ingest->decoder.record;
    struct dun_stream_known *known;
    if (record->batch.sequence > DUN_SEQUENCE_MAX) {
        strcpy(complaint->text, "a sequence beyond 2^62");
        return refuse(ingest, topic, complaint);
    }
    int error =
        find_stream(ingest, topic, record->batch.has_stream ? record->batch.stream : 0, &known);
    if (error != 0) {
        return error;
    }
    return channel == DUN_CHANNEL_BATCH ? take_batch(ingest, known, payload)
                                        : take_samples(ingest, known, payload);
}

int dun_ingest_take(struct dun_ingest *ingest, struct dun_span topic, struct dun_span payload,
                    bool retained, int64_t now_ms, struct dun_complaint *complaint)
{
    struct dun_span device;
    enum dun_channel channel;
    if (!dun_topic_split(topic, &device, &channel)) {
        return DUN_E_NOT_FOUND;
    }
    bool record = channel == DUN_CHANNEL_BATCH || channel == DUN_CHANNEL_SAMPLES;
    if (channel == DUN_CHANNEL_STORED || (!record && payload.size == 0)) {
        return 0; /* our own word, or a topic that was cleared */
    }
    if (dun_decoder_parse(&ingest->decoder, channel, payload, complaint) < 0) {
        return refuse(ingest, topic, complaint);
    }
    switch (channel) {
    case DUN_CHANNEL_ABOUT:
        return take_about(ingest, topic, retained, now_ms);
    case DUN_CHANNEL_STATUS:
        return take_status(ingest, topic, payload, now_ms);
    case DUN_CHANNEL_CATALOG:
        return take_catalog(ingest, topic);
    default:
        return take_record(ingest, channel, topic, payload, complaint);
    }
}

static int write_loss(struct dun_ingest *ingest, const struct dun_record_row *row,
                      const dunlin_v1_Loss *loss)
{
    const struct dun_bind binds[] = {dun_bind_number(row->stream),
                                     dun_bind_maybe(row->has_sequence, row->sequence),
                                     dun_bind_maybe(loss->has_first, loss->first),
                                     dun_bind_maybe(loss->has_last, loss->last),
                                     dun_bind_number((int64_t)loss->reason),
                                     dun_bind_maybe(loss->has_points, loss->points),
                                     dun_bind_maybe(loss->has_boot, loss->boot),
                                     dun_bind_maybe(loss->has_uptime_ms, loss->uptime_ms),
                                     dun_bind_maybe(loss->has_code, loss->code)};
    return ingest->store->ops->run(ingest->store, DUN_SQL_LOSS, binds,
                                   sizeof binds / sizeof binds[0], NULL);
}

static int write_anchor(struct dun_ingest *ingest, const struct dun_record_row *row,
                        const dunlin_v1_Anchor *anchor)
{
    struct dun_store *store = ingest->store;
    const struct dun_bind binds[] = {
        dun_bind_number(row->stream),     dun_bind_maybe(row->has_sequence, row->sequence),
        dun_bind_number(anchor->boot),    dun_bind_maybe(true, anchor->uptime_ms),
        dun_bind_number(anchor->unix_ms), dun_bind_number((int64_t)anchor->cause)};
    const struct dun_bind date[] = {binds[0], binds[2], binds[3], binds[4]};
    int error = store->ops->run(store, DUN_SQL_ANCHOR, binds, sizeof binds / sizeof binds[0], NULL);
    return error == 0 ? store->ops->run(store, DUN_SQL_DATE, date, 4, NULL) : error;
}

/* The ledger and the anchors of a record that came twice are known from its first time. */
static int write_notes(struct dun_ingest *ingest)
{
    const struct dun_record_row *rows = ingest->rows.records.items;
    const struct dun_told_loss *losses = ingest->losses.items;
    const struct dun_told_anchor *anchors = ingest->anchors.items;
    int error = 0;
    for (size_t i = 0; i < ingest->losses.count && error == 0; i++) {
        const struct dun_record_row *row = &rows[losses[i].record];
        if (row->state == DUN_RECORD_NEW) {
            error = write_loss(ingest, row, &losses[i].loss);
        }
    }
    for (size_t i = 0; i < ingest->anchors.count && error == 0; i++) {
        const struct dun_record_row *row = &rows[anchors[i].record];
        if (row->state == DUN_RECORD_NEW) {
            error = write_anchor(ingest, row, &anchors[i].anchor);
        }
    }
    return error;
}

static int by_id(const void *a, const void *b)
{
    const struct dun_stream_known *one = *(struct dun_stream_known *const *)a;
    const struct dun_stream_known *other = *(struct dun_stream_known *const *)b;
    return (one->id > other->id) - (one->id < other->id);
}

/* The books of each stream that was touched. In the order of ids, so that recorders which write to
 * the same streams wait for each other instead of locking each other out. */
static int write_streams(struct dun_ingest *ingest, int64_t now_ms)
{
    struct dun_store *store = ingest->store;
    struct dun_stream_known **touched = ingest->touched.items;
    size_t count = ingest->touched.count;
    int error = 0;
    if (count == 0) {
        return 0;
    }
    qsort(touched, count, sizeof(struct dun_stream_known *), by_id);
    ingest->cursors.count = 0;
    struct dun_cursor *cursors = append(ingest, &ingest->cursors, count, sizeof *cursors);
    if (cursors == NULL) {
        return dun_store_fail(store, "", "out of memory");
    }
    for (size_t i = 0; i < count && error == 0; i++) {
        const struct dun_bind binds[] = {
            dun_bind_number(touched[i]->id), dun_bind_number((int64_t)touched[i]->duplicates),
            dun_bind_number((int64_t)touched[i]->altered), dun_bind_number(now_ms)};
        cursors[i].stream = touched[i]->id;
        error = store->ops->run(store, DUN_SQL_HEARD, binds, 4, NULL);
    }
    return error == 0 ? store->ops->advance(store, cursors, count) : error;
}

static void count_duplicates(struct dun_ingest *ingest)
{
    const struct dun_record_row *rows = ingest->rows.records.items;
    for (size_t i = 0; i < ingest->rows.records.count; i++) {
        rows[i].known->duplicates += rows[i].state != DUN_RECORD_NEW ? 1 : 0;
        rows[i].known->altered += rows[i].state == DUN_RECORD_ALTERED ? 1 : 0;
    }
}

/* It is durable: now it may be believed. */
static void enter(struct dun_ingest *ingest)
{
    const struct dun_record_row *rows = ingest->rows.records.items;
    struct dun_stream_known **touched = ingest->touched.items;
    const struct dun_cursor *cursors = ingest->cursors.items;
    for (size_t i = 0; i < ingest->rows.records.count; i++) {
        ingest->totals.records += rows[i].state == DUN_RECORD_NEW ? 1 : 0;
        ingest->totals.points += rows[i].state == DUN_RECORD_NEW ? rows[i].point_count : 0;
    }
    for (size_t i = 0; i < ingest->touched.count; i++) {
        touched[i]->moved =
            touched[i]->duplicates > 0 || touched[i]->sequence != cursors[i].sequence;
        touched[i]->sequence = cursors[i].sequence;
        ingest->totals.duplicates += touched[i]->duplicates;
        ingest->totals.altered += touched[i]->altered;
    }
    ingest->totals.refused += ingest->refused;
}

int dun_ingest_commit(struct dun_ingest *ingest, int64_t now_ms)
{
    struct dun_store *store = ingest->store;
    if (ingest->failed) {
        return dun_store_fail(store, "", "out of memory");
    }
    int error = store->ops->write(store, &ingest->rows, now_ms);
    if (error == 0) {
        count_duplicates(ingest);
        error = write_notes(ingest);
    }
    error = error == 0 ? write_streams(ingest, now_ms) : error;
    error = error == 0 ? store->ops->commit(store) : error;
    if (error == 0) {
        enter(ingest);
    }
    return error;
}

void dun_ingest_rollback(struct dun_ingest *ingest)
{
    ingest->store->ops->rollback(ingest->store);
    empty(ingest);
    forget(&ingest->map); /* ids of rows that there are not */
}
