/*
 * verdict.c: the closing summary of `dunlin watch`: by stream what arrived, what is missing, what
 * was told lost and what came twice.
 */
#include "out.h"
#include "watch.h"

#define GAPS_SHOWN 8

struct dun_totals dun_verdict_total(const struct dun_coverage *streams)
{
    struct dun_totals totals = {.complete = true};
    for (; streams != NULL; streams = streams->next) {
        size_t gap_count;
        totals.streams++;
        totals.records += streams->records;
        totals.points += streams->points;
        totals.duplicates += streams->duplicates;
        totals.altered += streams->altered;
        totals.lost += dun_coverage_lost(streams);
        totals.lost_points += streams->lost_points;
        totals.missing += dun_coverage_missing(streams, NULL, 0, &gap_count);
        totals.complete = totals.complete && dun_coverage_complete(streams);
    }
    return totals;
}

static uint64_t first_of(const struct dun_coverage *stream)
{
    return stream->received.count > 0 ? stream->received.items[0].first : 0;
}

static uint64_t last_of(const struct dun_coverage *stream)
{
    return stream->received.count > 0 ? stream->received.items[stream->received.count - 1].last : 0;
}

/// For people ///

static void text_gaps(struct dun_out *out, const struct dun_coverage *stream)
{
    struct dun_range gaps[GAPS_SHOWN];
    size_t count;
    uint64_t missing = dun_coverage_missing(stream, gaps, GAPS_SHOWN, &count);
    dun_out_number(out, ", missing ", missing);
    for (size_t i = 0; i < count && i < GAPS_SHOWN; i++) {
        dun_out_number(out, i == 0 ? " (" : ", ", gaps[i].first);
        if (gaps[i].last != gaps[i].first) {
            dun_out_number(out, "-", gaps[i].last);
        }
    }
    dun_out_text(out, count > GAPS_SHOWN ? ", ...)" : count > 0 ? ")" : "");
}

static void text_stream(struct dun_out *out, const struct dun_coverage *stream)
{
    dun_out_text(out, stream->device);
    dun_out_text(out, " stream ");
    dun_out_hex(out, stream->stream, 16);
    dun_out_text(out, dun_coverage_complete(stream) ? ": complete, " : ": NOT COMPLETE, ");
    dun_out_number(out, "sequences ", first_of(stream));
    dun_out_number(out, " to ", last_of(stream));
    dun_out_number(out, ": records ", stream->records);
    dun_out_number(out, ", points ", stream->points);
    text_gaps(out, stream);
    dun_out_number(out, ", told lost ", dun_coverage_lost(stream));
    dun_out_number(out, ", duplicates ", stream->duplicates);
    if (stream->lost_points > 0) {
        dun_out_number(out, ", points lost unrecorded ", stream->lost_points);
    }
    if (stream->altered > 0) {
        dun_out_number(out, ", DUPLICATES WITH OTHER BYTES ", stream->altered);
    }
    if (stream->untracked > 0) {
        dun_out_number(out, ", not tracked ", stream->untracked);
    }
    dun_out_text(out, "\n");
}

void dun_verdict_text(struct dun_out *out, const struct dun_coverage *streams, uint64_t rejected)
{
    if (streams == NULL) {
        dun_out_text(out, "no record was received\n");
    }
    for (; streams != NULL; streams = streams->next) {
        text_stream(out, streams);
    }
    if (rejected > 0) {
        dun_out_number(out, "payloads refused: ", rejected);
        dun_out_text(out, "\n");
    }
}

/// For machines ///

static void json_stream(struct dun_out *out, const struct dun_coverage *stream)
{
    struct dun_range gaps[GAPS_SHOWN];
    size_t count;
    uint64_t missing = dun_coverage_missing(stream, gaps, GAPS_SHOWN, &count);
    dun_out_text(out, "{\"device\":");
    dun_out_json(out, dun_span_of(stream->device));
    dun_out_text(out, ",\"stream\":\"");
    dun_out_hex(out, stream->stream, 16);
    dun_out_number(out, "\",\"first\":", first_of(stream));
    dun_out_number(out, ",\"last\":", last_of(stream));
    dun_out_number(out, ",\"records\":", stream->records);
    dun_out_number(out, ",\"points\":", stream->points);
    dun_out_number(out, ",\"duplicates\":", stream->duplicates);
    dun_out_number(out, ",\"altered\":", stream->altered);
    dun_out_number(out, ",\"lost\":", dun_coverage_lost(stream));
    dun_out_number(out, ",\"lost_points\":", stream->lost_points);
    dun_out_number(out, ",\"missing\":", missing);
    dun_out_text(out, ",\"gaps\":[");
    for (size_t i = 0; i < count && i < GAPS_SHOWN; i++) {
        dun_out_number(out, i > 0 ? ",[" : "[", gaps[i].first);
        dun_out_number(out, ",", gaps[i].last);
        dun_out_text(out, "]");
    }
    dun_out_text(out, "],\"complete\":");
    dun_out_text(out, dun_coverage_complete(stream) ? "true}" : "false}");
}

void dun_verdict_json(struct dun_out *out, const struct dun_coverage *streams, uint64_t rejected)
{
    struct dun_totals totals = dun_verdict_total(streams);
    dun_out_number(out, "{\"type\":\"verdict\",\"streams\":", totals.streams);
    dun_out_number(out, ",\"records\":", totals.records);
    dun_out_number(out, ",\"points\":", totals.points);
    dun_out_number(out, ",\"duplicates\":", totals.duplicates);
    dun_out_number(out, ",\"altered\":", totals.altered);
    dun_out_number(out, ",\"lost\":", totals.lost);
    dun_out_number(out, ",\"lost_points\":", totals.lost_points);
    dun_out_number(out, ",\"missing\":", totals.missing);
    dun_out_number(out, ",\"rejected\":", rejected);
    dun_out_text(out, ",\"complete\":");
    dun_out_text(out, totals.complete && rejected == 0 ? "true" : "false");
    dun_out_text(out, ",\"by_stream\":[");
    for (const struct dun_coverage *stream = streams; stream != NULL; stream = stream->next) {
        json_stream(out, stream);
        dun_out_text(out, stream->next != NULL ? "," : "");
    }
    dun_out_text(out, "]}\n");
}
