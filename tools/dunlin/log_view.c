/*
 * log_view.c: see log_view.h. The log is mounted by src/log.h itself, so what is shown is what the
 * device would find; only the counts of blocks are taken from their openings.
 */
#include "log_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Blocks ///

enum dun_log_block_kind dun_log_view_block(const struct dun_log_view *view, uint32_t block,
                                           struct dun_log_opening *opening)
{
    return dun_log_get_opening(&view->image.flash, block, opening);
}

/* Keeps the block's last state record in view->payload, if it is well formed. */
static void look_for_state(struct dun_log_view *view, uint32_t block,
                           const struct dun_log_opening *opening)
{
    const struct dun_flash *flash = &view->image.flash;
    const uint8_t *bytes = view->payload;
    struct dun_log_walk walk;
    struct dun_log_found found;
    struct dun_log_found state = {.size = 0};
    struct dun_log_found moved = {.size = 0};
    uint8_t cursor[DUN_LOG_STATE_SHORT];
    dun_log_walk_start(&walk, flash, block, opening);
    while (dun_log_walk_next(&walk, &found)) {
        if (found.meta && found.size == DUN_LOG_STATE_SHORT) {
            moved = found;
        } else if (found.meta) {
            state = found;
            moved.size = 0;
        }
    }
    if (state.size < DUN_LOG_STATE_SIZE || state.size > sizeof view->payload ||
        flash->read(flash->context, block, state.offset, view->payload, state.size) < 0 ||
        !dun_log_state_fits(state.size, bytes + 8) ||
        dun_get64(bytes) - 1 >= DUN_LOG_SEQUENCE_MAX) {
        return;
    }
    view->state_size = state.size;
    view->state_cursor = dun_get64(bytes);
    view->state_done = moved.size == 0 ? bytes[8] : 0;
    if (moved.size > 0 &&
        flash->read(flash->context, block, moved.offset, cursor, sizeof cursor) == DUN_OK) {
        view->state_cursor = dun_log_short_cursor(view->state_cursor, cursor);
    }
}

/* Backwards round the ring from the newest block: the chain of LOG_FORMAT.md, Reading the ring. */
static void count_blocks(struct dun_log_view *view)
{
    uint32_t count = view->image.flash.geometry.block_count;
    uint64_t first = UINT64_MAX;
    uint64_t serial = (uint64_t)view->log.base_serial + 1;
    view->chain_first = 1;
    for (uint32_t i = 0; i < count; i++) {
        struct dun_log_opening opening;
        uint32_t block = (uint32_t)(((uint64_t)view->log.base + count - i) % count);
        switch (dun_log_view_block(view, block, &opening)) {
        case DUN_LOG_BLOCK_OURS:
            if (opening.stream == view->log.stream && opening.serial < serial &&
                opening.first <= first) {
                view->chain_first = first = opening.first;
                serial = opening.serial;
                view->blocks_used++;
                if (view->state_size == 0) {
                    look_for_state(view, block, &opening);
                }
            } else {
                view->blocks_stale++;
            }
            break;
        case DUN_LOG_BLOCK_BLANK:
            view->blocks_blank++;
            break;
        default:
            view->blocks_spoilt++;
            break;
        }
    }
}

/// Records ///

uint64_t dun_log_view_byte(const struct dun_log_view *view, const struct dun_log_cursor *cursor)
{
    return (uint64_t)cursor->block * view->image.flash.geometry.block_size + cursor->offset -
           DUN_LOG_HEADER_SIZE;
}

int dun_log_view_next(struct dun_log_view *view, struct dun_log_cursor *cursor,
                      struct dun_span *payload)
{
    int result = cursor->sequence == 0 ? dun_log_first(&view->log, cursor)
                                       : dun_log_next(&view->log, cursor);
    if (result != 1) {
        return result;
    }
    payload->data = view->payload;
    payload->size = cursor->size;
    result = dun_log_read(&view->log, cursor, 0, view->payload, cursor->size);
    return result < 0 ? result : 1;
}

static int by_span(const void *left, const void *right)
{
    const struct dun_span *a = left;
    const struct dun_span *b = right;
    size_t size = a->size < b->size ? a->size : b->size;
    int order = size > 0 ? memcmp(a->data, b->data, size) : 0;
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Different names; 0 if memory is out. */
static size_t count_names(const struct dun_list *samples)
{
    const struct dun_sample *items = samples->items;
    struct dun_span *names = calloc(samples->count + 1, sizeof *names);
    size_t count = 0;
    if (names == NULL) {
        return 0;
    }
    for (size_t i = 0; i < samples->count; i++) {
        names[i] = items[i].metric;
    }
    qsort(names, samples->count, sizeof *names, by_span);
    for (size_t i = 0; i < samples->count; i++) {
        count += i == 0 || !dun_span_equal(names[i - 1], names[i]) ? 1 : 0;
    }
    free(names);
    return count;
}

static void widen(int64_t value, bool *has, int64_t *first, int64_t *last)
{
    *first = !*has || value < *first ? value : *first;
    *last = !*has || value > *last ? value : *last;
    *has = true;
}

static void look_at_batch(struct dun_log_view *view, struct dun_log_contents *contents)
{
    const struct dun_parsed *record = &view->decoder.record;
    const int64_t *times = record->times.items;
    int64_t offset_ms = record->batch.boot_unix_ms;
    contents->metrics = record->expanded.count;
    contents->points = record->points;
    contents->has_boot = record->batch.has_boot;
    contents->boot = record->batch.boot;
    for (size_t i = 0; i < record->times.count; i++) {
        widen(times[i], &contents->has_uptime, &contents->uptime_first, &contents->uptime_last);
    }
    contents->has_time =
        contents->has_uptime &&
        (record->batch.has_boot_unix_ms ||
         dun_knowledge_offset(&view->decoder.knowledge, view->device, record->batch.stream,
                              record->batch.boot, &offset_ms));
    if (contents->has_time) {
        contents->time_first = contents->uptime_first + offset_ms;
        contents->time_last = contents->uptime_last + offset_ms;
    }
}

static void look_at_sample(struct dun_log_view *view, const dunlin_v1_Sample *sample,
                           struct dun_log_contents *contents)
{
    int64_t uptime = (int64_t)sample->uptime_ms;
    int64_t offset_ms;
    if (sample->has_boot && !contents->has_boot) {
        contents->has_boot = true;
        contents->boot = sample->boot;
    }
    if (sample->has_uptime_ms) {
        widen(uptime, &contents->has_uptime, &contents->uptime_first, &contents->uptime_last);
    }
    if (sample->has_time) {
        widen(sample->time, &contents->has_time, &contents->time_first, &contents->time_last);
    } else if (sample->has_boot && sample->has_uptime_ms &&
               dun_knowledge_offset(&view->decoder.knowledge, view->device,
                                    view->decoder.record.batch.stream, sample->boot, &offset_ms)) {
        widen(uptime + offset_ms, &contents->has_time, &contents->time_first, &contents->time_last);
    }
}

void dun_log_view_look(struct dun_log_view *view, struct dun_span payload,
                       struct dun_log_contents *contents, struct dun_complaint *complaint)
{
    struct dun_complaint other;
    const struct dun_list *samples = &view->decoder.record.samples;
    enum dun_channel type = view->type != DUN_CHANNEL_NONE ? view->type : DUN_CHANNEL_BATCH;
    memset(contents, 0, sizeof *contents);
    if (dun_decoder_parse(&view->decoder, type, payload, complaint) == 0) {
        contents->channel = type;
    } else if (view->type == DUN_CHANNEL_NONE &&
               dun_decoder_parse(&view->decoder, DUN_CHANNEL_SAMPLES, payload, &other) == 0) {
        contents->channel = DUN_CHANNEL_SAMPLES;
    }
    if (contents->channel == DUN_CHANNEL_BATCH) {
        look_at_batch(view, contents);
    } else if (contents->channel == DUN_CHANNEL_SAMPLES) {
        contents->points = samples->count;
        contents->metrics = count_names(samples);
        for (size_t i = 0; i < samples->count; i++) {
            look_at_sample(view, &((const struct dun_sample *)samples->items)[i].message, contents);
        }
    }
}

/// The first reading ///

static void refuse(struct dun_log_view *view, const struct dun_log_cursor *cursor,
                   const struct dun_complaint *complaint)
{
    char place[48] = "";
    if (++view->refused > DUN_LOG_VIEW_REFUSALS) {
        return;
    }
    if (complaint->offset > 0) {
        (void)snprintf(place, sizeof place, "byte %zu of it: ", complaint->offset);
    }
    (void)dun_log_image_complain(&view->image, DUN_EXIT_DATA,
                                 "record %" PRIu64 " at byte %" PRIu64 ": %s%s", cursor->sequence,
                                 dun_log_view_byte(view, cursor), place, complaint->text);
}

/* A batch that is dated itself dates the losses of its boot too, should the anchor be gone. */
static void learn_boot(struct dun_log_view *view)
{
    const dunlin_v1_Batch *batch = &view->decoder.record.batch;
    uint32_t last = (view->boot_count + DUN_LOG_VIEW_BOOTS - 1) % DUN_LOG_VIEW_BOOTS;
    if (!batch->has_boot || !batch->has_boot_unix_ms) {
        return;
    }
    if (view->boot_count == 0 || view->boots[last] != batch->boot) {
        last = view->boot_count++ % DUN_LOG_VIEW_BOOTS;
    }
    view->boots[last] = batch->boot;
    view->boot_unix_ms[last] = batch->boot_unix_ms;
}

bool dun_log_view_date(const struct dun_log_view *view, const struct dun_loss *loss,
                       int64_t *unix_ms)
{
    int64_t offset_ms = 0;
    bool known = dun_knowledge_offset(&view->decoder.knowledge, view->device, view->log.stream,
                                      loss->boot, &offset_ms);
    for (uint32_t i = 0; i < view->boot_count && i < DUN_LOG_VIEW_BOOTS && !known; i++) {
        known = view->boots[i] == loss->boot;
        offset_ms = view->boot_unix_ms[i];
    }
    *unix_ms = known ? loss->uptime_ms + offset_ms : 0;
    return known;
}

static int learn_records(struct dun_log_view *view)
{
    struct dun_log_cursor cursor = {.sequence = 0};
    struct dun_log_contents contents;
    struct dun_complaint complaint;
    struct dun_span payload;
    int result;
    while ((result = dun_log_view_next(view, &cursor, &payload)) == 1) {
        view->first = view->waiting++ == 0 ? cursor.sequence : view->first;
        view->last = cursor.sequence;
        view->waiting_size += cursor.size;
        dun_log_view_look(view, payload, &contents, &complaint);
        if (contents.channel == DUN_CHANNEL_NONE) {
            refuse(view, &cursor, &complaint);
        } else {
            dun_decoder_render(&view->decoder, contents.channel, view->device, payload);
            learn_boot(view);
        }
    }
    if (view->refused > DUN_LOG_VIEW_REFUSALS) {
        (void)dun_log_image_complain(&view->image, DUN_EXIT_DATA,
                                     "%" PRIu64 " records more without a message",
                                     view->refused - DUN_LOG_VIEW_REFUSALS);
    }
    return result;
}

/* The oldest record that has points. Only after a first reading are all anchors known. */
static int date_oldest(struct dun_log_view *view)
{
    struct dun_log_cursor cursor = {.sequence = 0};
    struct dun_complaint complaint;
    struct dun_span payload;
    int result;
    do {
        result = dun_log_view_next(view, &cursor, &payload);
        if (result == 1) {
            dun_log_view_look(view, payload, &view->oldest, &complaint);
        }
    } while (result == 1 && view->oldest.points == 0);
    return result < 0 ? result : 0;
}

/// The log ///

static int mount(struct dun_log_view *view)
{
    struct dun_log_config config = {.flash = &view->image.flash,
                                    .ledger = &view->ledger,
                                    .unit = {view->unit, sizeof view->unit},
                                    .new_stream = 1};
    dun_ledger_init(&view->ledger, view->found, DUN_LOG_VIEW_LOSSES);
    dun_ledger_stamp(&view->ledger, 0, -1);
    return dun_log_mount(&view->log, &config, &view->report);
}

/* The sequences from the stored cursor to the oldest block, but for the done ones in `bytes`. */
static void find_gone(struct dun_log_view *view, const uint8_t *bytes)
{
    enum dun_loss_reason reason =
        dun_log_overflowed(&view->log) > 0 ? DUN_LOSS_OVERFLOW : DUN_LOSS_DAMAGED;
    uint8_t done_count = view->state_done;
    uint64_t cursor = view->state_size > 0 ? view->state_cursor : 1;
    uint64_t first = cursor;
    for (uint32_t i = 0; i <= done_count && first < view->chain_first; i++) {
        const uint8_t *range = bytes + DUN_LOG_STATE_SIZE + i * DUN_LOG_DONE_SIZE;
        uint64_t end = i < done_count ? cursor + dun_get32(range) : view->chain_first;
        if (end > view->chain_first) {
            end = view->chain_first;
        }
        if (first < end) {
            dun_ledger_add(&view->ledger, first, end - 1, (uint8_t)reason);
        }
        if (i < done_count) {
            first = cursor + dun_get32(range) + dun_get32(range + 4);
        }
    }
}

/*
 * Mounting has merged what it found missing with what the device had entered; both are wanted
 * apart, so the state record is read here once more.
 */
static void part_ledger(struct dun_log_view *view)
{
    const uint8_t *bytes = view->payload;
    uint8_t done_count = view->state_size > 0 ? bytes[8] : 0;
    uint8_t loss_count = view->state_size > 0 ? bytes[9] : 0;
    const uint8_t *losses = bytes + DUN_LOG_STATE_SIZE + done_count * DUN_LOG_DONE_SIZE;
    for (uint8_t i = 0; i < loss_count; i++) {
        struct dun_loss *loss = &view->told[view->told_count++];
        dun_log_get_loss(losses + i * DUN_LOG_LOSS_SIZE, loss);
        if (loss->told_in >= view->log.next) {
            loss->told_in = 0;
        }
    }
    view->ledger.count = 0;
    view->ledger.capacity = DUN_LOG_VIEW_LOSSES; /* the geometry's limit is for what is stored */
    find_gone(view, bytes);
}

static void count_done(struct dun_log_view *view)
{
    const struct dun_log *log = &view->log;
    view->unreadable = dun_log_damaged(log); /* mounting gave them up already */
    view->done = log->cursor - 1 - view->unreadable;
    for (uint8_t i = 0; i < log->done_used; i++) {
        view->done += log->done_count[i];
    }
}

int dun_log_view_read(struct dun_log_view *view)
{
    uint64_t open;
    view->blank = view->image.flash.geometry.block_size == 0;
    if (view->blank) {
        return 0;
    }
    int result = mount(view);
    if (result == DUN_OK) {
        count_done(view);
        count_blocks(view);
        part_ledger(view);
        result = learn_records(view);
    }
    if (result == DUN_OK) {
        result = date_oldest(view);
    }
    if (result < 0) {
        return dun_log_image_complain(&view->image,
                                      result == DUN_E_IO ? DUN_EXIT_RUNTIME : DUN_EXIT_DATA,
                                      "the log cannot be read (error %d)", result);
    }
    open = dun_log_next_sequence(&view->log) - 1 - view->done - view->unreadable;
    view->unreadable += open > view->waiting ? open - view->waiting : 0;
    return 0;
}
