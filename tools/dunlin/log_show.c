/*
 * log_show.c: see log_show.h. JSON lines have `type` log, records, ledger, damage, record; the
 * names do not meet those of SPEC.md, so that --points can stand beside them.
 */
#include "log_show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "date.h"

static const char *const block_kinds[] = {"ours",  "blank", "garbage",
                                          "newer", "lost",  "unreadable"};

static bool as_json(const struct dun_renderer *renderer)
{
    return renderer->format == &dun_render_json;
}

static void say(struct dun_renderer *renderer, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static void say(struct dun_renderer *renderer, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dun_out_text(renderer->out, text);
}

/// Cells ///

static void add(struct dun_note *note, const char *key, enum dun_cell_kind kind, bool known,
                uint64_t number)
{
    note->cells[note->count++] =
        (struct dun_cell){.key = key, .kind = known ? kind : DUN_CELL_NULL, .number = number};
}

static void add_text(struct dun_note *note, const char *key, bool known, const char *text)
{
    note->cells[note->count++] = (struct dun_cell){.key = key,
                                                   .kind = known ? DUN_CELL_TEXT : DUN_CELL_NULL,
                                                   .text = dun_span_of(known ? text : "")};
}

/* A date, or what stands for none. `text` has DUN_OUT_NUMBER bytes. */
static const char *date(char *text, bool known, int64_t unix_ms)
{
    if (!known) {
        return "-";
    }
    *dun_date_write(text, unix_ms) = '\0';
    return text;
}

/* The two largest units of a duration. */
static const char *duration(char *text, size_t size, int64_t ms)
{
    int64_t seconds = ms / 1000;
    if (seconds < 60) {
        (void)snprintf(text, size, "%" PRId64 " s", seconds);
    } else if (seconds < 3600) {
        (void)snprintf(text, size, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    } else if (seconds < 86400) {
        (void)snprintf(text, size, "%" PRId64 " h %" PRId64 " min", seconds / 3600,
                       seconds / 60 % 60);
    } else {
        (void)snprintf(text, size, "%" PRId64 " d %" PRId64 " h", seconds / 86400,
                       seconds / 3600 % 24);
    }
    return text;
}

/// The log ///

static void log_json(struct dun_log_view *view, struct dun_renderer *renderer)
{
    const struct dun_flash_geometry *geometry = &view->image.flash.geometry;
    bool known = !view->blank;
    struct dun_note note = {.type = "log"};
    add(&note, "version", DUN_CELL_NUMBER, known, DUN_LOG_VERSION);
    add(&note, "stream", DUN_CELL_HEX16, known, view->log.stream);
    add(&note, "block_size", DUN_CELL_NUMBER, known, geometry->block_size);
    add(&note, "block_count", DUN_CELL_NUMBER, known, geometry->block_count);
    add(&note, "prog_size", DUN_CELL_NUMBER, known, geometry->prog_size);
    add(&note, "blocks_used", DUN_CELL_NUMBER, true, view->blocks_used);
    add(&note, "blocks_blank", DUN_CELL_NUMBER, known, view->blocks_blank);
    add(&note, "blocks_stale", DUN_CELL_NUMBER, true, view->blocks_stale);
    add(&note, "blocks_spoilt", DUN_CELL_NUMBER, true, view->blocks_spoilt);
    add(&note, "bytes_used", DUN_CELL_NUMBER, true, known ? dun_log_used(&view->log) : 0);
    add(&note, "capacity", DUN_CELL_NUMBER, true,
        known ? dun_log_capacity(&view->log) : view->image.size);
    add(&note, "process", DUN_CELL_NUMBER, view->image.holder > 0, (uint64_t)view->image.holder);
    dun_render_note(renderer, &note);
}

static void records_json(const struct dun_log_view *view, struct dun_renderer *renderer,
                         int64_t now_ms)
{
    bool any = view->waiting > 0;
    const struct dun_log_contents *oldest = &view->oldest;
    struct dun_note note = {.type = "records"};
    add(&note, "next", DUN_CELL_NUMBER, true, view->blank ? 1 : view->log.next);
    add(&note, "done", DUN_CELL_NUMBER, true, view->done);
    add(&note, "waiting", DUN_CELL_NUMBER, true, view->waiting);
    add(&note, "first", DUN_CELL_NUMBER, any, view->first);
    add(&note, "last", DUN_CELL_NUMBER, any, view->last);
    add(&note, "bytes", DUN_CELL_NUMBER, true, view->waiting_size);
    add(&note, "unreadable", DUN_CELL_NUMBER, true, view->unreadable);
    add(&note, "refused", DUN_CELL_NUMBER, true, view->refused);
    add(&note, "oldest_time", DUN_CELL_SIGNED, oldest->has_time, (uint64_t)oldest->time_first);
    add(&note, "oldest_age_ms", DUN_CELL_SIGNED, oldest->has_time,
        (uint64_t)now_ms - (uint64_t)oldest->time_first);
    dun_render_note(renderer, &note);
}

static void blocks_text(struct dun_log_view *view, struct dun_renderer *renderer)
{
    const struct dun_flash_geometry *geometry = &view->image.flash.geometry;
    uint64_t used = dun_log_used(&view->log);
    uint64_t capacity = dun_log_capacity(&view->log);
    say(renderer, "format     %d, stream %016" PRIx64 "\n", DUN_LOG_VERSION, view->log.stream);
    say(renderer, "geometry   %" PRIu32 " blocks of %" PRIu32 " bytes, programmed by %" PRIu32 "\n",
        geometry->block_count, geometry->block_size, geometry->prog_size);
    say(renderer, "blocks     %" PRIu32 " used, %" PRIu32 " blank", view->blocks_used,
        view->blocks_blank);
    if (view->blocks_stale > 0) {
        say(renderer, ", %" PRIu32 " of an earlier life", view->blocks_stale);
    }
    if (view->blocks_spoilt > 0) {
        say(renderer, ", %" PRIu32 " spoilt", view->blocks_spoilt);
    }
    say(renderer, "\nbytes      %" PRIu64 " of %" PRIu64 " hold what waits (%.1f %%)\n", used,
        capacity, 100.0 * (double)used / (double)capacity);
}

static void oldest_text(const struct dun_log_view *view, struct dun_renderer *renderer,
                        int64_t now_ms)
{
    const struct dun_log_contents *oldest = &view->oldest;
    char when[DUN_OUT_NUMBER];
    char age[64];
    if (oldest->has_time && now_ms >= oldest->time_first) {
        say(renderer, "oldest     waits since %s, %s\n", date(when, true, oldest->time_first),
            duration(age, sizeof age, now_ms - oldest->time_first));
    } else if (oldest->has_time) {
        say(renderer, "oldest     waits since %s, which is still to come here\n",
            date(when, true, oldest->time_first));
    } else if (oldest->has_uptime && oldest->has_boot) {
        say(renderer, "oldest     cannot be dated: boot %08" PRIx32 ", uptime %s\n", oldest->boot,
            duration(age, sizeof age, oldest->uptime_first));
    }
}

static void records_text(const struct dun_log_view *view, struct dun_renderer *renderer)
{
    say(renderer, "records    %" PRIu64 " stored so far, %" PRIu64 " acknowledged or given up, ",
        view->log.next - 1, view->done);
    if (view->waiting > 0) {
        say(renderer, "%" PRIu64 " waiting: %" PRIu64 " to %" PRIu64 "\n", view->waiting,
            view->first, view->last);
    } else {
        say(renderer, "none waiting\n");
    }
    if (view->unreadable > 0) {
        say(renderer, "           %" PRIu64 " that should be waiting cannot be read\n",
            view->unreadable);
    }
    if (view->refused > 0) {
        say(renderer, "           %" PRIu64 " of those waiting hold no message\n", view->refused);
    }
}

/// Losses and damage ///

static const char *reason_name(const struct dun_loss *loss, char *text, size_t size)
{
    static const char *const reasons[] = {"unspecified", "overflow",  "damaged", "storage",
                                          "rejected",    "too_large", "merged",  "thinned"};
    if (loss->reason >= DUN_LOSS_CODES) {
        return reasons[DUN_LOSS_REJECTED];
    }
    if (loss->reason < sizeof reasons / sizeof reasons[0]) {
        return reasons[loss->reason];
    }
    (void)snprintf(text, size, "%u", loss->reason);
    return text;
}

static void loss_json(struct dun_renderer *renderer, const struct dun_loss *loss, bool stored,
                      bool dated, int64_t time_ms)
{
    char reason[8];
    bool range = loss->first != 0;
    struct dun_note note = {.type = "ledger"};
    add(&note, "first", DUN_CELL_NUMBER, range, loss->first);
    add(&note, "last", DUN_CELL_NUMBER, range, loss->last);
    add(&note, "points", DUN_CELL_NUMBER, !range, loss->points);
    add_text(&note, "reason", true, reason_name(loss, reason, sizeof reason));
    add(&note, "told_in", DUN_CELL_NUMBER, loss->told_in != 0, loss->told_in);
    add(&note, "boot", DUN_CELL_HEX8, stored, loss->boot);
    add(&note, "uptime_ms", DUN_CELL_SIGNED, stored, (uint64_t)loss->uptime_ms);
    add(&note, "time", DUN_CELL_SIGNED, dated, (uint64_t)time_ms);
    add(&note, "stored", DUN_CELL_BOOL, true, stored);
    if (loss->reason >= DUN_LOSS_CODES) {
        add(&note, "code", DUN_CELL_NUMBER, true, loss->reason);
    }
    dun_render_note(renderer, &note);
}

static void loss_text(struct dun_renderer *renderer, const struct dun_loss *loss, bool stored,
                      bool dated, int64_t time_ms)
{
    char text[DUN_OUT_NUMBER];
    if (loss->first == 0) {
        say(renderer, "  %" PRIu64 " points without a sequence", loss->points);
    } else {
        say(renderer, "  %" PRIu64 " to %" PRIu64, loss->first, loss->last);
    }
    say(renderer, ", %s", reason_name(loss, text, sizeof text));
    if (loss->reason >= DUN_LOSS_CODES) {
        say(renderer, " with code %u", loss->reason);
    }
    if (!stored) {
        say(renderer, ", found just now\n");
        return;
    }
    if (dated) {
        say(renderer, ", %s", date(text, true, time_ms));
    } else {
        say(renderer, ", boot %08" PRIx32 " uptime %s", loss->boot,
            duration(text, sizeof text, loss->uptime_ms));
    }
    if (loss->told_in != 0) {
        say(renderer, ", told in %" PRIu64 ", which waits\n", loss->told_in);
    } else {
        say(renderer, ", not told yet\n");
    }
}

static void show_loss(struct dun_log_view *view, struct dun_renderer *renderer,
                      const struct dun_loss *loss, bool stored)
{
    int64_t time_ms = 0;
    bool sane = loss->uptime_ms >= 0 && loss->uptime_ms <= DUN_MS_MAX;
    bool dated = stored && sane && dun_log_view_date(view, loss, &time_ms);
    if (as_json(renderer)) {
        loss_json(renderer, loss, stored, dated, time_ms);
    } else {
        loss_text(renderer, loss, stored, dated, time_ms);
    }
}

static void show_ledger(struct dun_log_view *view, struct dun_renderer *renderer)
{
    if (!as_json(renderer)) {
        say(renderer, "losses     %s\n", view->told_count + view->ledger.count > 0 ? "" : "none");
    }
    for (uint16_t i = 0; i < view->told_count; i++) {
        show_loss(view, renderer, &view->told[i], true);
    }
    for (uint16_t i = 0; i < view->ledger.count; i++) {
        show_loss(view, renderer, &view->found[i], false);
    }
}

static void show_damage(const struct dun_log_view *view, struct dun_renderer *renderer)
{
    const struct dun_flash_geometry *geometry = &view->image.flash.geometry;
    if (!as_json(renderer)) {
        say(renderer, "damage     %s\n", view->blocks_spoilt > 0 ? "" : "no block");
    }
    for (uint32_t block = 0; view->blocks_spoilt > 0 && block < geometry->block_count; block++) {
        struct dun_log_opening opening;
        enum dun_log_block_kind kind = dun_log_view_block(view, block, &opening);
        bool missing = block >= view->image.present;
        const char *name = missing ? "missing" : block_kinds[kind];
        uint64_t byte = (uint64_t)block * geometry->block_size;
        if (kind == DUN_LOG_BLOCK_OURS || kind == DUN_LOG_BLOCK_BLANK) {
            continue;
        }
        if (as_json(renderer)) {
            struct dun_note note = {.type = "damage"};
            add(&note, "block", DUN_CELL_NUMBER, true, block);
            add(&note, "byte", DUN_CELL_NUMBER, true, byte);
            add_text(&note, "kind", true, name);
            dun_render_note(renderer, &note);
        } else {
            say(renderer, "  block %" PRIu32 " at byte %" PRIu64 ": %s\n", block, byte, name);
        }
        if (missing && !as_json(renderer)) {
            say(renderer, "  and so all behind it: the file is cut off\n");
            break;
        }
    }
}

void dun_log_show(struct dun_log_view *view, struct dun_renderer *renderer, int64_t now_ms)
{
    if (as_json(renderer)) {
        log_json(view, renderer);
        records_json(view, renderer, now_ms);
    } else {
        dun_out_text(renderer->out, "log        ");
        dun_out_plain(renderer->out, dun_span_of(view->image.path));
        say(renderer, "\n");
        if (view->image.holder > 0) {
            say(renderer, "in use     by process %" PRId32 "\n", view->image.holder);
        }
        if (view->blank) {
            say(renderer, "blank      %" PRIu64 " bytes: nothing was stored yet\n",
                view->image.size);
            return;
        }
        blocks_text(view, renderer);
        records_text(view, renderer);
        oldest_text(view, renderer, now_ms);
    }
    if (!view->blank) {
        show_ledger(view, renderer);
        show_damage(view, renderer);
    }
}

/// Records ///

static const char *channel_name(enum dun_channel channel)
{
    return channel == DUN_CHANNEL_BATCH ? "batch" : "samples";
}

void dun_log_show_record_head(struct dun_renderer *renderer)
{
    if (!as_json(renderer)) {
        say(renderer, "\n%12s  %12s  %6s  %6s  %7s  %-24s  %-24s\n", "SEQUENCE", "BYTE", "SIZE",
            "POINTS", "METRICS", "FIRST", "LAST");
    }
}

static void record_json(const struct dun_log_view *view, struct dun_renderer *renderer,
                        const struct dun_log_cursor *cursor, struct dun_span payload,
                        const struct dun_log_contents *contents)
{
    bool known = contents->channel != DUN_CHANNEL_NONE;
    bool up = contents->has_uptime;
    struct dun_note note = {.type = "record"};
    add(&note, "seq", DUN_CELL_NUMBER, true, cursor->sequence);
    add(&note, "byte", DUN_CELL_NUMBER, true, dun_log_view_byte(view, cursor));
    add(&note, "size", DUN_CELL_NUMBER, true, payload.size);
    add(&note, "crc32c", DUN_CELL_HEX8, true, dun_crc32c(0, payload.data, payload.size));
    add_text(&note, "kind", known, channel_name(contents->channel));
    add(&note, "points", DUN_CELL_NUMBER, known, contents->points);
    add(&note, "metrics", DUN_CELL_NUMBER, known, contents->metrics);
    add(&note, "boot", DUN_CELL_HEX8, contents->has_boot, contents->boot);
    add(&note, "uptime_first_ms", DUN_CELL_SIGNED, up, (uint64_t)contents->uptime_first);
    add(&note, "uptime_last_ms", DUN_CELL_SIGNED, up, (uint64_t)contents->uptime_last);
    add(&note, "time_first", DUN_CELL_SIGNED, contents->has_time, (uint64_t)contents->time_first);
    add(&note, "time_last", DUN_CELL_SIGNED, contents->has_time, (uint64_t)contents->time_last);
    dun_render_note(renderer, &note);
}

static void record_text(const struct dun_log_view *view, struct dun_renderer *renderer,
                        const struct dun_log_cursor *cursor,
                        const struct dun_log_contents *contents)
{
    char first[DUN_OUT_NUMBER];
    char last[DUN_OUT_NUMBER];
    say(renderer, "%12" PRIu64 "  %12" PRIu64 "  %6" PRIu32, cursor->sequence,
        dun_log_view_byte(view, cursor), cursor->size);
    if (contents->channel == DUN_CHANNEL_NONE) {
        say(renderer, "  no message\n");
    } else {
        say(renderer, "  %6zu  %7zu  %-24s  %s\n", contents->points, contents->metrics,
            date(first, contents->has_time, contents->time_first),
            date(last, contents->has_time, contents->time_last));
    }
}

void dun_log_show_record(const struct dun_log_view *view, struct dun_renderer *renderer,
                         const struct dun_log_cursor *cursor, struct dun_span payload,
                         const struct dun_log_contents *contents)
{
    if (as_json(renderer)) {
        record_json(view, renderer, cursor, payload, contents);
    } else {
        record_text(view, renderer, cursor, contents);
    }
}

void dun_log_show_refusal(struct dun_renderer *renderer, uint64_t sequence,
                          const struct dun_log_refusal *refusal)
{
    const char *reason = refusal->reason == DUN_LOSS_TOO_LARGE ? "too_large" : "rejected";
    if (as_json(renderer)) {
        struct dun_note note = {.type = "rejected"};
        add(&note, "seq", DUN_CELL_NUMBER, true, sequence);
        add_text(&note, "reason", true, reason);
        add(&note, "code", DUN_CELL_NUMBER, refusal->code != 0, refusal->code);
        dun_render_note(renderer, &note);
    } else if (refusal->code != 0) {
        say(renderer, "%12s  %s with code 0x%02" PRIX32 "\n", "", reason, refusal->code);
    } else {
        say(renderer, "%12s  %s\n", "", reason);
    }
}
