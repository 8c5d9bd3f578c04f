/*
 * check.c: the rules that SPEC.md marks with "must", but for those of axes and columns, which
 * expand.c has.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

#include "crc32c.h"
#include "expand.h"

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
    return result == 0 ? dun_expand_batch(record, complaint) : result;
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
