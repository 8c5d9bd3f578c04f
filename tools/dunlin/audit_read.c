/*
 * audit_read.c: the questions of `dunlin audit`, one for all streams each, in SQL that both back
 * ends understand. The verdict itself is that of coverage.c, as in `dunlin watch`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

static uint64_t unsigned_of(const char *cell)
{
    return cell != NULL ? (uint64_t)strtoll(cell, NULL, 10) : 0;
}

static int64_t signed_of(const char *cell)
{
    return cell != NULL ? strtoll(cell, NULL, 10) : 0;
}

/* The streams come by id, and what is said of them too. */
static struct dun_audit_stream *find(const struct dun_audit *audit, const char *cell)
{
    struct dun_audit_stream *streams = audit->streams.items;
    int64_t id = signed_of(cell);
    size_t low = 0;
    size_t high = audit->streams.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (streams[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < audit->streams.count && streams[low].id == id ? &streams[low] : NULL;
}

/// Rows ///

struct reading {
    struct dun_audit *audit;
    bool from_first;
};

static bool take_stream(void *context, const char *const *cells, size_t count)
{
    struct reading *reading = context;
    struct dun_list *streams = &reading->audit->streams;
    (void)count;
    char *fleet = malloc(strlen(cells[1]) + 1);
    if (fleet == NULL ||
        !dun_list_reserve(streams, streams->count + 1, sizeof(struct dun_audit_stream))) {
        free(fleet);
        reading->audit->failed = true;
        return false;
    }
    struct dun_audit_stream *stream = (struct dun_audit_stream *)streams->items + streams->count++;
    memset(stream, 0, sizeof *stream);
    stream->id = signed_of(cells[0]);
    stream->fleet = strcpy(fleet, cells[1]);
    dun_coverage_init(&stream->coverage,
                      (struct dun_span){(const uint8_t *)cells[2], strlen(cells[2])},
                      unsigned_of(cells[3]));
    stream->coverage.origin = reading->from_first ? 0 : 1;
    stream->before = reading->from_first ? 0 : unsigned_of(cells[8]);
    stream->coverage.duplicates = unsigned_of(cells[4]);
    stream->coverage.altered = unsigned_of(cells[5]);
    stream->refused = unsigned_of(cells[6]);
    stream->boots = unsigned_of(cells[7]);
    return true;
}

static bool take_count(void *context, const char *const *cells, size_t count)
{
    struct dun_audit_stream *stream = find(((struct reading *)context)->audit, cells[0]);
    (void)count;
    if (stream != NULL) {
        stream->coverage.records = unsigned_of(cells[1]);
        stream->coverage.points = unsigned_of(cells[2]);
    }
    return true;
}

static bool take_island(void *context, const char *const *cells, size_t count)
{
    struct dun_audit_stream *stream = find(((struct reading *)context)->audit, cells[0]);
    (void)count;
    if (stream != NULL) {
        dun_coverage_receive_range(&stream->coverage, unsigned_of(cells[1]), unsigned_of(cells[2]));
    }
    return true;
}

static bool take_loss(void *context, const char *const *cells, size_t count)
{
    struct dun_audit *audit = ((struct reading *)context)->audit;
    struct dun_audit_stream *stream = find(audit, cells[0]);
    (void)count;
    if (stream == NULL) {
        return true;
    }
    struct dun_audit_loss loss = {.first = unsigned_of(cells[1]),
                                  .last = unsigned_of(cells[2]),
                                  .reason = (uint32_t)unsigned_of(cells[3]),
                                  .points = unsigned_of(cells[4]),
                                  .has_told = cells[5] != NULL,
                                  .told_ms = signed_of(cells[5])};
    if (loss.first > 0) {
        dun_coverage_lose(&stream->coverage, loss.first, loss.last);
    } else {
        stream->coverage.lost_points += loss.points;
    }
    struct dun_list *losses = &stream->losses;
    if (losses->count < audit->gaps_max) {
        if (!dun_list_reserve(losses, losses->count + 1, sizeof loss)) {
            audit->failed = true;
            return false;
        }
        ((struct dun_audit_loss *)losses->items)[losses->count++] = loss;
    }
    return true;
}

static bool take_undated(void *context, const char *const *cells, size_t count)
{
    struct dun_audit_stream *stream = find(((struct reading *)context)->audit, cells[0]);
    (void)count;
    if (stream != NULL) {
        stream->undated = unsigned_of(cells[1]);
        stream->has_undated = stream->undated > 0;
        stream->undated_sequence = unsigned_of(cells[2]);
        stream->undated_ms = signed_of(cells[3]);
    }
    return true;
}

static bool take_step(void *context, const char *const *cells, size_t count)
{
    struct dun_audit_stream *stream = find(((struct reading *)context)->audit, cells[0]);
    (void)count;
    if (stream != NULL) {
        stream->steps = unsigned_of(cells[1]);
        stream->step_ms = unsigned_of(cells[2]);
    }
    return true;
}

/* What arrived all the same was not before the recorder. */
static void see_beginning(struct dun_audit_stream *stream)
{
    const struct dun_ranges *received = &stream->coverage.received;
    if (received->count > 0 && received->items[0].first <= stream->before) {
        stream->before = received->items[0].first - 1;
    }
    if (stream->before > 0) {
        stream->coverage.origin = stream->before + 1;
    }
}

/// Questions ///

static const struct {
    const char *sql;
    dun_row_taker *take;
} questions[] = {
    {"SELECT stream, count(*), CAST(sum(points) AS BIGINT) FROM record GROUP BY stream",
     take_count},
    {"SELECT i.stream, min(i.sequence), max(i.sequence) FROM (SELECT stream, sequence, "
     "sequence - row_number() OVER (PARTITION BY stream ORDER BY sequence) AS island FROM record "
     "WHERE sequence IS NOT NULL) i GROUP BY i.stream, i.island ORDER BY 1, 2",
     take_island},
    {"SELECT l.stream, l.first, l.last, l.reason, l.points, l.uptime_ms + "
     "coalesce(r.boot_unix_ms, b.anchor_unix_ms - b.anchor_uptime_ms) FROM loss l "
     "LEFT JOIN record r ON r.stream = l.stream AND r.sequence = l.sequence AND r.boot = l.boot "
     "LEFT JOIN boot b ON b.stream = l.stream AND b.boot = l.boot ORDER BY 1, 2, 3",
     take_loss},
    {"SELECT r.stream, CAST(sum(r.points) AS BIGINT), min(r.sequence), min(r.received_ms) "
     "FROM record r LEFT JOIN boot b ON b.stream = r.stream AND b.boot = r.boot "
     "WHERE r.points > 0 AND r.boot_unix_ms IS NULL AND b.anchor_unix_ms IS NULL "
     "GROUP BY r.stream",
     take_undated},
    {"SELECT s.stream, count(*), max(abs(s.step)) FROM (SELECT stream, cause, "
     "unix_ms - uptime_ms - lag(unix_ms - uptime_ms) OVER (PARTITION BY stream, boot "
     "ORDER BY uptime_ms) AS step FROM anchor) s WHERE s.cause = 2 GROUP BY s.stream",
     take_step},
};

int dun_audit_read(struct dun_audit *audit, struct dun_store *store, const char *device,
                   bool from_first)
{
    struct reading reading = {.audit = audit, .from_first = from_first};
    char sql[512];
    /* The name is one of dun_name_ok: it needs no quoting. */
    (void)snprintf(sql, sizeof sql,
                   "SELECT t.id, d.fleet, d.device, t.stream, t.duplicates, t.altered, d.refused, "
                   "(SELECT count(*) FROM boot b WHERE b.stream = t.id), t.began - 1 "
                   "FROM stream t "
                   "JOIN device d ON d.id = t.device %s%s%s ORDER BY t.id",
                   device != NULL ? "WHERE d.device = '" : "", device != NULL ? device : "",
                   device != NULL ? "'" : "");
    int error = store->ops->query(store, sql, take_stream, &reading);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0] && error == 0; i++) {
        error = store->ops->query(store, questions[i].sql, questions[i].take, &reading);
    }
    struct dun_audit_stream *streams = audit->streams.items;
    for (size_t i = 0; i < audit->streams.count; i++) {
        see_beginning(&streams[i]);
    }
    return error == 0 && audit->failed ? dun_store_fail(store, "", "out of memory") : error;
}

void dun_audit_free(struct dun_audit *audit)
{
    struct dun_audit_stream *streams = audit->streams.items;
    for (size_t i = 0; i < audit->streams.count; i++) {
        dun_coverage_free(&streams[i].coverage);
        free(streams[i].losses.items);
        free(streams[i].fleet);
    }
    free(audit->streams.items);
}

bool dun_audit_complete(const struct dun_audit *audit)
{
    const struct dun_audit_stream *streams = audit->streams.items;
    bool complete = audit->streams.count > 0;
    for (size_t i = 0; i < audit->streams.count; i++) {
        complete = complete && dun_coverage_complete(&streams[i].coverage);
    }
    return complete;
}
