/*
 * audit_print.c: the verdict for people (a table) and for machines (a JSON object a stream, and
 * one for all).
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "date.h"
#include "notes.h"
#include "render.h"

#define GAPS_SHOWN_MAX 1000

static uint64_t newest_of(const struct dun_coverage *coverage)
{
    const struct dun_ranges *received = &coverage->received;
    return received->count > 0 ? received->items[received->count - 1].last : 0;
}

/* Up to `max` gaps in `*gaps`, to be freed. */
static size_t gaps_of(const struct dun_audit *audit, const struct dun_coverage *coverage,
                      struct dun_range **gaps, uint64_t *missing, size_t *count)
{
    size_t max = audit->gaps_max < GAPS_SHOWN_MAX ? audit->gaps_max : GAPS_SHOWN_MAX;
    *gaps = calloc(max + 1, sizeof **gaps);
    *missing = dun_coverage_missing(coverage, *gaps, *gaps != NULL ? max : 0, count);
    return *count < max ? *count : max;
}

static const char *reason_of(const struct dun_audit_loss *loss)
{
    return loss->reason < DUN_LOSS_REASON_COUNT ? dun_loss_reasons[loss->reason] : "unknown";
}

/// For machines ///

static void json_losses(struct dun_out *out, const struct dun_audit_stream *stream)
{
    const struct dun_audit_loss *losses = stream->losses.items;
    dun_out_text(out, ",\"ledger\":[");
    for (size_t i = 0; i < stream->losses.count; i++) {
        dun_out_text(out, i > 0 ? ",{" : "{");
        if (losses[i].first > 0) {
            dun_out_number(out, "\"first\":", losses[i].first);
            dun_out_number(out, ",\"last\":", losses[i].last);
            dun_out_text(out, ",");
        }
        dun_out_number(out, "\"points\":", losses[i].points);
        dun_out_text(out, ",\"reason\":\"");
        dun_out_text(out, reason_of(&losses[i]));
        dun_out_text(out, "\",\"time\":");
        if (losses[i].has_told) {
            dun_out_i64(out, losses[i].told_ms);
        } else {
            dun_out_text(out, "null");
        }
        dun_out_text(out, "}");
    }
    dun_out_text(out, "]");
}

static void json_gaps(struct dun_out *out, const struct dun_audit *audit,
                      const struct dun_coverage *coverage)
{
    struct dun_range *gaps;
    uint64_t missing;
    size_t count;
    size_t shown = gaps_of(audit, coverage, &gaps, &missing, &count);
    dun_out_number(out, ",\"missing\":", missing);
    dun_out_number(out, ",\"gap_count\":", count);
    dun_out_text(out, ",\"gaps\":[");
    for (size_t i = 0; gaps != NULL && i < shown; i++) {
        dun_out_number(out, i > 0 ? ",[" : "[", gaps[i].first);
        dun_out_number(out, ",", gaps[i].last);
        dun_out_text(out, "]");
    }
    dun_out_text(out, "]");
    free(gaps);
}

static void json_stream(struct dun_out *out, const struct dun_audit *audit,
                        const struct dun_audit_stream *stream)
{
    const struct dun_coverage *coverage = &stream->coverage;
    dun_out_text(out, "{\"type\":\"audit\",\"fleet\":");
    dun_out_json(out, dun_span_of(stream->fleet));
    dun_out_text(out, ",\"device\":");
    dun_out_json(out, dun_span_of(coverage->device));
    dun_out_text(out, ",\"stream\":\"");
    dun_out_hex(out, coverage->stream, 16);
    dun_out_number(out, "\",\"complete_to\":", dun_coverage_complete_to(coverage));
    dun_out_number(out, ",\"newest\":", newest_of(coverage));
    dun_out_number(out, ",\"before_recorder\":", stream->before);
    dun_out_number(out, ",\"records\":", coverage->records);
    dun_out_number(out, ",\"points\":", coverage->points);
    json_gaps(out, audit, coverage);
    dun_out_number(out, ",\"lost\":", dun_coverage_lost(coverage));
    dun_out_number(out, ",\"lost_points\":", coverage->lost_points);
    json_losses(out, stream);
    dun_out_number(out, ",\"duplicates\":", coverage->duplicates);
    dun_out_number(out, ",\"altered\":", coverage->altered);
    dun_out_number(out, ",\"refused\":", stream->refused);
    dun_out_number(out, ",\"boots\":", stream->boots);
    dun_out_number(out, ",\"clock_steps\":", stream->steps);
    dun_out_number(out, ",\"largest_step_ms\":", stream->step_ms);
    dun_out_number(out, ",\"undated_points\":", stream->undated);
    dun_out_text(out, ",\"oldest_undated\":");
    if (stream->has_undated) {
        dun_out_number(out, "{\"seq\":", stream->undated_sequence);
        dun_out_text(out, ",\"received\":");
        dun_out_i64(out, stream->undated_ms);
        dun_out_text(out, "}");
    } else {
        dun_out_text(out, "null");
    }
    dun_out_text(out, dun_coverage_complete(coverage) ? ",\"complete\":true}\n"
                                                      : ",\"complete\":false}\n");
}

struct totals {
    uint64_t records, points, missing, lost, duplicates, altered, undated, incomplete;
};

static struct totals total_of(const struct dun_audit *audit)
{
    const struct dun_audit_stream *streams = audit->streams.items;
    struct totals totals = {0};
    for (size_t i = 0; i < audit->streams.count; i++) {
        const struct dun_coverage *coverage = &streams[i].coverage;
        size_t count;
        totals.records += coverage->records;
        totals.points += coverage->points;
        totals.missing += dun_coverage_missing(coverage, NULL, 0, &count);
        totals.lost += dun_coverage_lost(coverage);
        totals.duplicates += coverage->duplicates;
        totals.altered += coverage->altered;
        totals.undated += streams[i].undated;
        totals.incomplete += dun_coverage_complete(coverage) ? 0 : 1;
    }
    return totals;
}

void dun_audit_json(struct dun_out *out, const struct dun_audit *audit)
{
    const struct dun_audit_stream *streams = audit->streams.items;
    struct totals totals = total_of(audit);
    for (size_t i = 0; i < audit->streams.count; i++) {
        json_stream(out, audit, &streams[i]);
    }
    dun_out_number(out, "{\"type\":\"verdict\",\"streams\":", audit->streams.count);
    dun_out_number(out, ",\"incomplete\":", totals.incomplete);
    dun_out_number(out, ",\"records\":", totals.records);
    dun_out_number(out, ",\"points\":", totals.points);
    dun_out_number(out, ",\"missing\":", totals.missing);
    dun_out_number(out, ",\"lost\":", totals.lost);
    dun_out_number(out, ",\"duplicates\":", totals.duplicates);
    dun_out_number(out, ",\"altered\":", totals.altered);
    dun_out_number(out, ",\"undated_points\":", totals.undated);
    dun_out_text(out,
                 dun_audit_complete(audit) ? ",\"complete\":true}\n" : ",\"complete\":false}\n");
}

/// For people ///

static void cell(struct dun_out *out, const char *text, size_t width, bool left)
{
    size_t length = strlen(text);
    if (left) {
        dun_out_text(out, text);
    }
    for (size_t i = length; i < width; i++) {
        dun_out_text(out, " ");
    }
    if (!left) {
        dun_out_text(out, text);
    }
    dun_out_text(out, "  ");
}

static void cell_number(struct dun_out *out, uint64_t value, size_t width)
{
    char text[DUN_OUT_NUMBER];
    *dun_text_u64(text, value) = '\0';
    cell(out, text, width, false);
}

static const struct {
    const char *name;
    size_t width;
} columns[] = {{"complete to", 11}, {"newest", 10},     {"records", 10}, {"missing", 8},
               {"lost", 8},         {"duplicates", 10}, {"altered", 7},  {"boots", 5},
               {"steps", 5},        {"undated", 8}};

static void details(struct dun_out *out, const struct dun_audit *audit,
                    const struct dun_audit_stream *stream)
{
    const struct dun_audit_loss *losses = stream->losses.items;
    struct dun_range *gaps;
    uint64_t missing;
    size_t count;
    size_t shown = gaps_of(audit, &stream->coverage, &gaps, &missing, &count);
    if (stream->before > 0) {
        dun_out_number(out, "    before the recorder 1 to ", stream->before);
        dun_out_text(out, "\n");
    }
    for (size_t i = 0; gaps != NULL && i < shown; i++) {
        dun_out_number(out, "    missing ", gaps[i].first);
        dun_out_number(out, " to ", gaps[i].last);
        dun_out_text(out, "\n");
    }
    if (count > shown) {
        dun_out_number(out, "    and ", count - shown);
        dun_out_text(out, " gaps more\n");
    }
    free(gaps);
    for (size_t i = 0; i < stream->losses.count; i++) {
        char date[DUN_OUT_NUMBER] = "at an unknown time";
        if (losses[i].has_told) {
            *dun_date_write(date, losses[i].told_ms) = '\0';
        }
        dun_out_number(out, "    told lost ", losses[i].first);
        dun_out_number(out, " to ", losses[i].last);
        dun_out_number(out, ", points ", losses[i].points);
        dun_out_text(out, ": ");
        dun_out_text(out, reason_of(&losses[i]));
        dun_out_text(out, ", ");
        dun_out_text(out, date);
        dun_out_text(out, "\n");
    }
}

static void row(struct dun_out *out, const struct dun_audit *audit,
                const struct dun_audit_stream *stream, size_t width)
{
    const struct dun_coverage *coverage = &stream->coverage;
    char id[17];
    for (unsigned i = 0; i < 16; i++) {
        id[i] = "0123456789abcdef"[coverage->stream >> (60 - 4 * i) & 15];
    }
    id[16] = '\0';
    size_t count;
    const uint64_t values[] = {dun_coverage_complete_to(coverage),
                               newest_of(coverage),
                               coverage->records,
                               dun_coverage_missing(coverage, NULL, 0, &count),
                               dun_coverage_lost(coverage),
                               coverage->duplicates,
                               coverage->altered,
                               stream->boots,
                               stream->steps,
                               stream->undated};
    cell(out, coverage->device, width, true);
    cell(out, id, 16, true);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        cell_number(out, values[i], columns[i].width);
    }
    dun_out_text(out, dun_coverage_complete(coverage) ? "complete\n" : "NOT COMPLETE\n");
    details(out, audit, stream);
}

void dun_audit_table(struct dun_out *out, const struct dun_audit *audit)
{
    const struct dun_audit_stream *streams = audit->streams.items;
    struct totals totals = total_of(audit);
    size_t width = 6;
    for (size_t i = 0; i < audit->streams.count; i++) {
        size_t length = strlen(streams[i].coverage.device);
        width = length > width ? length : width;
    }
    cell(out, "device", width, true);
    cell(out, "stream", 16, true);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        cell(out, columns[i].name, columns[i].width, false);
    }
    dun_out_text(out, "verdict\n");
    for (size_t i = 0; i < audit->streams.count; i++) {
        row(out, audit, &streams[i], width);
    }
    dun_out_number(out,
                   dun_audit_complete(audit) ? "complete: " : "NOT COMPLETE: ", totals.records);
    dun_out_number(out, " records with ", totals.points);
    dun_out_number(out, " points in ", audit->streams.count);
    dun_out_number(out, " streams, missing ", totals.missing);
    dun_out_number(out, ", told lost ", totals.lost);
    dun_out_text(out, "\n");
}
