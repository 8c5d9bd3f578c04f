/*
 * check.c: the rules that SPEC.md marks with "must", and the expansion of deltas. Nothing
 * is expanded before its length was checked against DUN_RECORD_ITEMS_MAX, so a record that claims
 * four billion rows costs no more than its own bytes.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

#include "crc32c.h"

static int refuse(struct dun_complaint *complaint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(complaint->text, sizeof complaint->text, format, arguments);
    va_end(arguments);
    return DUN_E_CORRUPT;
}

static bool ms_ok(int64_t ms)
{
    return ms >= -DUN_MS_MAX && ms <= DUN_MS_MAX;
}

static bool uptime_ok(uint64_t ms)
{
    return ms <= (uint64_t)DUN_MS_MAX;
}

/// Expansion ///

/* A varint whose first byte has its continuation bit set. Its length was checked by the parser. */
static uint64_t long_varint(const uint8_t **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    return value;
}

static inline uint64_t next_varint(const uint8_t **at)
{
    return (**at & 0x80) == 0 ? *(*at)++ : long_varint(at);
}

void dun_parsed_expand(const struct dun_column *column, uint32_t count, int64_t *values)
{
    const uint8_t *at = column->deltas.data;
    uint64_t value = (uint64_t)column->first;
    values[0] = column->first;
    if (column->delta_count == 0) {
        for (uint32_t i = 1; i < count; i++) {
            values[i] = column->first;
        }
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t zigzag = next_varint(&at);
        value += (zigzag >> 1) ^ (0 - (zigzag & 1));
        values[i] = (int64_t)value;
    }
}

/* No sum here overflows: each step is below 2^33 and starts within +-2^53. */
static int expand_axis(struct dun_axis *axis, int64_t base, int64_t *times,
                       struct dun_complaint *complaint)
{
    const uint8_t *at = axis->jitter.data;
    int64_t time = base + axis->first_ms;
    for (uint32_t i = 0; i < axis->count; i++) {
        if (i > 0) {
            time += axis->interval_ms;
            if (axis->jitter_count > 0) {
                uint32_t zigzag = (uint32_t)next_varint(&at);
                time += (int32_t)((zigzag >> 1) ^ (0 - (zigzag & 1)));
            }
        }
        if (time < 0 || time > DUN_MS_MAX) {
            return refuse(complaint, "row %u: uptime out of range", (unsigned)i);
        }
        times[i] = time;
    }
    return 0;
}

/// Batch ///

static int check_header(const dunlin_v1_Batch *batch, size_t columns,
                        struct dun_complaint *complaint)
{
    if (!batch->has_stream || batch->sequence < 1 || !batch->has_boot) {
        return refuse(complaint, "a batch needs stream, sequence and boot");
    }
    if (columns > 0 && (!batch->has_catalog || !batch->has_base_uptime_ms)) {
        return refuse(complaint, "columns need catalog and base_uptime_ms");
    }
    if (!ms_ok(batch->boot_unix_ms) || !uptime_ok(batch->base_uptime_ms)) {
        return refuse(complaint, "boot_unix_ms or base_uptime_ms out of range");
    }
    return 0;
}

/* Rows of all axes, each checked alone; negative if one is wrong. */
static int count_rows(struct dun_parsed *record, struct dun_complaint *complaint)
{
    struct dun_axis *axes = record->axes.items;
    size_t rows = 0;
    for (size_t i = 0; i < record->axes.count; i++) {
        if (axes[i].count == 0) {
            return refuse(complaint, "axis %zu has no rows", i);
        }
        axes[i].first = rows;
        rows += axes[i].count;
        if (axes[i].count > DUN_RECORD_ITEMS_MAX || rows > DUN_RECORD_ITEMS_MAX) {
            return refuse(complaint, "axis %zu: more than %zu rows", i, DUN_RECORD_ITEMS_MAX);
        }
        if (axes[i].jitter_count != 0 && axes[i].jitter_count != axes[i].count - 1) {
            return refuse(complaint, "axis %zu: %zu jitters for %u rows", i, axes[i].jitter_count,
                          (unsigned)axes[i].count);
        }
    }
    return (int)rows;
}

static int expand_axes(struct dun_parsed *record, struct dun_complaint *complaint)
{
    int rows = count_rows(record, complaint);
    if (rows < 0) {
        return rows;
    }
    if (!dun_list_reserve(&record->times, (size_t)rows, sizeof(int64_t))) {
        return refuse(complaint, "out of memory");
    }
    struct dun_axis *axes = record->axes.items;
    int64_t *times = record->times.items;
    record->times.count = (size_t)rows;
    for (size_t i = 0; i < record->axes.count; i++) {
        int result = expand_axis(&axes[i], (int64_t)record->batch.base_uptime_ms,
                                 times + axes[i].first, complaint);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

static int check_columns(const struct dun_parsed *record, struct dun_complaint *complaint)
{
    const struct dun_column *columns = record->columns.items;
    const struct dun_axis *axes = record->axes.items;
    size_t points = 0;
    for (size_t i = 0; i < record->columns.count; i++) {
        if (columns[i].axis >= record->axes.count) {
            return refuse(complaint, "column %zu: there is no axis %u", i,
                          (unsigned)columns[i].axis);
        }
        uint32_t rows = axes[columns[i].axis].count;
        if (columns[i].delta_count != 0 && columns[i].delta_count != rows - 1) {
            return refuse(complaint, "column %zu: %zu deltas for %u rows", i,
                          columns[i].delta_count, (unsigned)rows);
        }
        points += rows;
        if (points > DUN_RECORD_ITEMS_MAX) {
            return refuse(complaint, "column %zu: more than %zu points", i, DUN_RECORD_ITEMS_MAX);
        }
    }
    return 0;
}

static int check_losses(const struct dun_parsed *record, struct dun_complaint *complaint)
{
    const dunlin_v1_Loss *losses = record->losses.items;
    for (size_t i = 0; i < record->losses.count; i++) {
        const dunlin_v1_Loss *loss = &losses[i];
        bool range = loss->has_first || loss->has_last;
        if (range && (loss->first < 1 || loss->last < loss->first)) {
            return refuse(complaint, "loss %zu: not a range", i);
        }
        if ((!range && !loss->has_points) || !uptime_ok(loss->uptime_ms)) {
            return refuse(complaint, "loss %zu: neither range nor points, or out of range", i);
        }
    }
    return 0;
}

static int check_anchors(const struct dun_parsed *record, struct dun_complaint *complaint)
{
    const dunlin_v1_Anchor *anchors = record->anchors.items;
    for (size_t i = 0; i < record->anchors.count; i++) {
        const dunlin_v1_Anchor *anchor = &anchors[i];
        if (!anchor->has_boot || !anchor->has_uptime_ms || !anchor->has_unix_ms) {
            return refuse(complaint, "anchor %zu needs boot, uptime_ms and unix_ms", i);
        }
        if (!uptime_ok(anchor->uptime_ms) || !ms_ok(anchor->unix_ms)) {
            return refuse(complaint, "anchor %zu: out of range", i);
        }
    }
    return 0;
}

static int check_metrics(const struct dun_parsed *record, uint32_t base,
                         struct dun_complaint *complaint)
{
    const struct dun_metric_text *metrics = record->metrics.items;
    uint32_t hash = base;
    for (size_t i = 0; i < record->metrics.count; i++) {
        uint64_t expected = base == 0 ? i : (uint64_t)metrics[0].id + i;
        if (metrics[i].id != expected) {
            return refuse(complaint, "metric %zu: id %u where %llu is due", i,
                          (unsigned)metrics[i].id, (unsigned long long)expected);
        }
        if (metrics[i].exponent < -18 || metrics[i].exponent > 18) {
            return refuse(complaint, "metric %zu: exponent out of range", i);
        }
        hash = dun_crc32c(hash, metrics[i].raw.data, metrics[i].raw.size);
    }
    if (hash != record->batch.catalog) {
        return refuse(complaint, "the dictionary's hash is %08x, not %08x", (unsigned)hash,
                      (unsigned)record->batch.catalog);
    }
    return 0;
}

int dun_check_batch(struct dun_parsed *record, struct dun_complaint *complaint)
{
    const dunlin_v1_Batch *batch = &record->batch;
    int result = check_header(batch, record->columns.count, complaint);
    if (result == 0) {
        result = check_losses(record, complaint);
    }
    if (result == 0) {
        result = check_anchors(record, complaint);
    }
    if (result == 0 && record->metrics.count > 0) {
        result = batch->has_catalog ? check_metrics(record, batch->catalog_base, complaint)
                                    : refuse(complaint, "an announcement needs catalog");
    }
    if (result == 0) {
        result = expand_axes(record, complaint);
    }
    return result == 0 ? check_columns(record, complaint) : result;
}

/// The other messages ///

int dun_check_samples(struct dun_parsed *record, struct dun_complaint *complaint)
{
    const struct dun_sample *samples = record->samples.items;
    for (size_t i = 0; i < record->samples.count; i++) {
        if (!ms_ok(samples[i].message.time) || !uptime_ok(samples[i].message.uptime_ms)) {
            return refuse(complaint, "sample %zu: time out of range", i);
        }
    }
    int result = check_losses(record, complaint);
    return result == 0 ? check_anchors(record, complaint) : result;
}

int dun_check_catalog(struct dun_parsed *record, struct dun_complaint *complaint)
{
    if (!record->batch.has_stream || !record->batch.has_catalog) {
        return refuse(complaint, "a catalog needs stream and hash");
    }
    return check_metrics(record, 0, complaint);
}

int dun_check_stored(struct dun_parsed *record, struct dun_complaint *complaint)
{
    if (!record->batch.has_stream || !record->batch.has_sequence) {
        return refuse(complaint, "stored needs stream and sequence");
    }
    return 0;
}
