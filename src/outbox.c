/*
 * outbox.c: decides the order of records and frees them. Invariants: slots lie in the order in
 * which their records were first published; slots before `sent` were published on this connection;
 * no record is in the window twice; urgent ranges rise and lie apart; a record leaves its store
 * only by an ack that counts, or by way of the ledger.
 */
#include "outbox.h"

#define LANE_BIT(id) (1u << (id))
#define DURABLE_LANES                                                                              \
    (LANE_BIT(DUN_LANE_LIVE) | LANE_BIT(DUN_LANE_BACKFILL) | LANE_BIT(DUN_LANE_URGENT))
#define OLD_LANES (LANE_BIT(DUN_LANE_BACKFILL) | LANE_BIT(DUN_LANE_ARCHIVE))

static struct dun_log *log_of(const struct dun_outbox *outbox, uint8_t lane)
{
    return &outbox->lanes[lane].store->log;
}

static dun_sequence sequence_of(const struct dun_outbox *outbox, const struct dun_window_slot *slot)
{
    dun_sequence oldest = dun_log_first_sequence(log_of(outbox, (uint8_t)slot->lane));
    return dun_window_sequence(slot, oldest);
}

static struct dun_store *spare_of(const struct dun_outbox *outbox)
{
    return dun_has_spare() ? outbox->spare : NULL;
}

static struct dun_store *archive_of(const struct dun_outbox *outbox)
{
    return dun_has_archive() ? outbox->archive : NULL;
}

static bool strict(const struct dun_outbox *outbox)
{
    return !dun_has_lanes() || outbox->config.backfill_percent == 0;
}

dun_sequence dun_outbox_backlog(const struct dun_outbox *outbox)
{
    return dun_store_backlog(outbox->durable) + dun_store_backlog(spare_of(outbox)) +
           dun_store_backlog(archive_of(outbox));
}

/// Lanes ///

/* Live begins at the next record to come; all that is there already is backfill. In strict order
 * everything is backfill without a limit. */
static void set_lanes(struct dun_outbox *outbox, dun_sequence live_from)
{
    for (uint8_t id = 0; id < DUN_LANE_COUNT; id++)
        dun_lane_set(&outbox->lanes[id], id == DUN_LANE_LIVE ? live_from : 0,
                     id == DUN_LANE_BACKFILL ? live_from
                     : id == DUN_LANE_URGENT ? 0
                                             : DUN_SEQUENCE_LAST);
}

/* What went ahead once goes in order if it has to go again, so that it holds up nothing urgent. */
static void forget_published(struct dun_outbox *outbox)
{
    uint8_t kept = 0;
    if (!dun_has_limits())
        return;
    for (uint8_t i = 0; i < outbox->urgent_count; i++) {
        struct dun_urgent_range range = outbox->urgent[i];
        range.first = range.next;
        if (range.first < range.end)
            outbox->urgent[kept++] = range;
    }
    outbox->urgent_count = kept;
}

/* The durable store may be mounted only when storage comes back. An earlier run may have published
 * all that is there; what is recorded from now on is fresh. */
static void note_mount(struct dun_outbox *outbox)
{
    if (outbox->durable_seen || !outbox->durable->mounted)
        return;
    outbox->durable_seen = true;
    dun_sequence next = dun_log_next_sequence(&outbox->durable->log);
    outbox->published[0] = next - 1;
    if (!strict(outbox)) {
        outbox->lanes[DUN_LANE_BACKFILL].end = next;
        dun_lane_set(&outbox->lanes[DUN_LANE_LIVE], next, DUN_SEQUENCE_LAST);
    }
}

void dun_outbox_start(struct dun_outbox *outbox)
{
    outbox->lanes[DUN_LANE_LIVE].store = outbox->durable;
    outbox->lanes[DUN_LANE_BACKFILL].store = outbox->durable;
    outbox->lanes[DUN_LANE_URGENT].store = outbox->durable;
    outbox->lanes[DUN_LANE_SPARE].store = spare_of(outbox);
    outbox->lanes[DUN_LANE_ARCHIVE].store = archive_of(outbox);
    set_lanes(outbox, DUN_SEQUENCE_LAST);
    note_mount(outbox);
}

/* All that was published and is not done goes out again, in the order of old. */
static void resend(struct dun_outbox *outbox)
{
    outbox->window.sent = 0;
    outbox->later = 0;
    if (!outbox->resending)
        for (uint8_t id = 0; id < DUN_LANE_COUNT; id++)
            dun_lane_mark(&outbox->lanes[id]);
    outbox->resending = true;
}

void dun_outbox_restart(struct dun_outbox *outbox, dun_ms now)
{
    bool split = !strict(outbox) && outbox->durable->mounted;
    set_lanes(outbox, split ? dun_log_next_sequence(&outbox->durable->log) : DUN_SEQUENCE_LAST);
    forget_published(outbox);
    resend(outbox);
    outbox->swept = false;
    outbox->backfill_ms = now;
    outbox->stored_ms = now;
}

/// Urgent records ///

/* Room for one more range, of one that is done or was published. NULL: there is none. */
static struct dun_urgent_range *urgent_room(struct dun_outbox *outbox)
{
    dun_sequence oldest = dun_log_first_sequence(&outbox->durable->log);
    uint8_t gone = 0;
    while (gone < outbox->urgent_count && outbox->urgent[gone].end > oldest &&
           outbox->urgent[gone].next < outbox->urgent[gone].end)
        gone++;
    if (gone == outbox->urgent_count)
        return NULL;
    outbox->urgent_count--;
    for (uint8_t i = gone; i < outbox->urgent_count; i++)
        outbox->urgent[i] = outbox->urgent[i + 1];
    return &outbox->urgent[outbox->urgent_count++];
}

void dun_outbox_urgent(struct dun_outbox *outbox, dun_sequence first, dun_sequence last)
{
    struct dun_urgent_range *range = &outbox->urgent[outbox->urgent_count];
    if (!dun_has_limits() || strict(outbox))
        return;
    bool joins = outbox->urgent_count > 0 && range[-1].end == first;
    if (!joins && outbox->urgent_count < DUN_OUTBOX_URGENT_MAX)
        outbox->urgent_count++;
    else
        range = joins ? NULL : urgent_room(outbox);
    if (range != NULL)
        *range = (struct dun_urgent_range){.first = first, .next = first, .end = last + 1};
    else
        outbox->urgent[outbox->urgent_count - 1].end = last + 1;
}

/* Was it published on this connection because it is urgent? Then its old lane passes it by. */
static bool went_ahead(const struct dun_outbox *outbox, const struct dun_log_cursor *cursor)
{
    for (uint8_t i = 0; dun_has_limits() && i < outbox->urgent_count && cursor->urgent; i++)
        if (cursor->sequence >= outbox->urgent[i].first &&
            cursor->sequence < outbox->urgent[i].next)
            return true;
    return false;
}

/// The window ///

static bool freed_by_puback(const struct dun_outbox *outbox, const struct dun_window_slot *slot)
{
    return !dun_outbox_waits_for_stored(outbox) || slot->lane == DUN_LANE_ARCHIVE;
}

static void pop_acked(struct dun_outbox *outbox, dun_ms now)
{
    while (outbox->window.count > 0 && dun_window_at(&outbox->window, 0)->acked) {
        const struct dun_window_slot *slot = dun_window_at(&outbox->window, 0);
        if (freed_by_puback(outbox, slot))
            dun_store_ack(outbox->lanes[slot->lane].store, sequence_of(outbox, slot),
                          now + (dun_ms)outbox->config.ack_persist_ms);
        dun_window_pop(&outbox->window);
    }
}

/* Stands on the next slot of the last connection that is still to be delivered. */
static int next_resend(struct dun_outbox *outbox)
{
    while (outbox->window.sent < outbox->window.count) {
        struct dun_window_slot *slot = dun_window_at(&outbox->window, outbox->window.sent);
        struct dun_lane *lane = &outbox->lanes[slot->lane];
        int found = slot->acked ? 0 : dun_lane_find(lane, sequence_of(outbox, slot));
        if (found != 0)
            return found;
        slot->acked = 1; /* dropped by the log: its ledger tells; nothing is left to deliver */
        outbox->window.sent++;
    }
    return 0;
}

static bool backfill_has_room(struct dun_outbox *outbox, dun_ms now)
{
    if (!dun_has_lanes() || strict(outbox))
        return true;
    uint32_t share = outbox->window.capacity * (uint32_t)outbox->config.backfill_percent / 100;
    uint32_t used = dun_window_lane_count(&outbox->window, DUN_LANE_BACKFILL) +
                    dun_window_lane_count(&outbox->window, DUN_LANE_ARCHIVE);
    if (used >= (share > 0 ? share : 1))
        return false;
    outbox->backfill_paused = now < outbox->backfill_ms;
    return !outbox->backfill_paused;
}

/* Does the record under the lane's cursor go, or did it go, by another one? Between the urgent
 * records of ranges that were joined lie others. */
static bool is_for_another(const struct dun_outbox *outbox, uint8_t id)
{
    bool durable = (LANE_BIT(id) & DURABLE_LANES) != 0;
    uint8_t kin = (uint8_t)(durable ? DURABLE_LANES : LANE_BIT(id));
    const struct dun_log_cursor *cursor = &outbox->lanes[id].cursor;
    return dun_window_has(&outbox->window, cursor->sequence, kin) ||
           (durable && went_ahead(outbox, cursor)) || (id == DUN_LANE_URGENT && !cursor->urgent);
}

static int next_of(struct dun_outbox *outbox, uint8_t id)
{
    struct dun_lane *lane = &outbox->lanes[id];
    int result = dun_lane_next(lane);
    while (result > 0 && is_for_another(outbox, id))
        result = dun_lane_next(lane);
    return result;
}

/* The urgent lane goes from range to range. */
static int next_urgent(struct dun_outbox *outbox)
{
    struct dun_lane *lane = &outbox->lanes[DUN_LANE_URGENT];
    for (uint8_t i = 0; dun_has_limits() && i < outbox->urgent_count; i++) {
        struct dun_urgent_range *range = &outbox->urgent[i];
        if (range->next == range->end)
            continue;
        if (lane->end != range->end || lane->from > range->next)
            dun_lane_set(lane, range->next, range->end);
        int result = next_of(outbox, DUN_LANE_URGENT);
        if (result != 0) {
            range->next = result > 0 ? lane->cursor.sequence + 1 : range->next;
            return result;
        }
        range->next = range->end; /* the rest is in flight, done, or dropped */
    }
    return 0;
}

/* Puts the next record of the lane into the window: 1; 0: there is none, or no room; negative: its
 * log cannot be read. */
static int push_next(struct dun_outbox *outbox, uint8_t id)
{
    if (outbox->window.count == outbox->window.capacity)
        return 0;
    int result = id == DUN_LANE_URGENT ? next_urgent(outbox) : next_of(outbox, id);
    if (result > 0)
        dun_window_push(&outbox->window, outbox->lanes[id].cursor.sequence, id);
    return result;
}

static bool next_new(struct dun_outbox *outbox, dun_ms now)
{
    static const uint8_t order[] = {DUN_LANE_URGENT, DUN_LANE_LIVE, DUN_LANE_SPARE,
                                    DUN_LANE_BACKFILL, DUN_LANE_ARCHIVE};
    bool readable = outbox->durable->mounted;
    for (size_t i = 0; i < sizeof order; i++) {
        uint8_t id = order[i];
        if ((LANE_BIT(id) & OLD_LANES) && !backfill_has_room(outbox, now))
            continue;
        /* It may hold copies of what is still in a log that cannot be read now. */
        if (id == DUN_LANE_ARCHIVE && strict(outbox) && !readable)
            continue;
        int result = push_next(outbox, id);
        if (result > 0)
            return true;
        if (result < 0 && (LANE_BIT(id) & DURABLE_LANES))
            readable = false;
    }
    return false;
}

/*
 * A record can be left behind by its lane: its ack found no room in the log's table of ranges, or
 * the far end did not store it. Once nothing is in flight the lanes are taken from the start.
 */
static bool sweep_due(const struct dun_outbox *outbox, dun_ms now)
{
    if (outbox->swept || outbox->backfill_paused || outbox->window.count > 0)
        return false;
    if (dun_outbox_backlog(outbox) == 0)
        return false;
    return !dun_outbox_waits_for_stored(outbox) ||
           now >= outbox->stored_ms + (dun_ms)outbox->config.stored_wait_ms;
}

bool dun_outbox_next(struct dun_outbox *outbox, dun_ms now)
{
    note_mount(outbox);
    outbox->backfill_paused = false; /* until the rate is all that holds it up */
    bool all_sent = outbox->window.sent == outbox->window.count;
    if (outbox->later > 0 && (all_sent || outbox->resending)) {
        if (all_sent && push_next(outbox, DUN_LANE_URGENT) > 0)
            return true; /* it does not wait for what the broker put off */
        if (dun_outbox_in_flight(outbox) > 0)
            return false;
        resend(outbox);
    }
    if (outbox->window.sent < outbox->window.count) {
        int found = next_resend(outbox);
        if (found != 0)
            return found > 0;
    }
    pop_acked(outbox, now);
    if (outbox->resending) { /* finding old records moved the lanes */
        outbox->resending = false;
        for (uint8_t id = 0; id < DUN_LANE_COUNT; id++)
            dun_lane_resume(&outbox->lanes[id]);
    }
    if (next_new(outbox, now))
        return true;
    if (!sweep_due(outbox, now))
        return false;
    outbox->swept = true;
    outbox->stored_ms = now;
    set_lanes(outbox, outbox->lanes[DUN_LANE_LIVE].from);
    forget_published(outbox);
    return next_new(outbox, now);
}

/// The record found ///

static struct dun_window_slot *found_slot(const struct dun_outbox *outbox)
{
    DUN_ASSERT(outbox->window.sent < outbox->window.count);
    return dun_window_at(&outbox->window, outbox->window.sent);
}

const struct dun_lane *dun_outbox_lane(const struct dun_outbox *outbox)
{
    return &outbox->lanes[found_slot(outbox)->lane];
}

uint16_t dun_outbox_token(const struct dun_outbox *outbox)
{
    return dun_window_token(&outbox->window, outbox->window.sent);
}

void dun_outbox_published(struct dun_outbox *outbox, dun_ms now)
{
    const struct dun_window_slot *slot = found_slot(outbox);
    const struct dun_lane *lane = &outbox->lanes[slot->lane];
    dun_sequence *highest = &outbox->published[slot->lane == DUN_LANE_SPARE];
    if (slot->lane != DUN_LANE_ARCHIVE && lane->cursor.sequence > *highest)
        *highest = lane->cursor.sequence;
    if ((LANE_BIT(slot->lane) & OLD_LANES) && outbox->config.backfill_bytes_s > 0) {
        uint32_t pause_ms = lane->cursor.size * 1000u / outbox->config.backfill_bytes_s;
        outbox->backfill_ms = now + (dun_ms)pause_ms;
    }
    outbox->window.sent++;
    outbox->swept = false;
}

/* The record is given up: the ledger has it, and the log may forget it in either mode. `reason` is
 * an enum dun_loss_reason, or the broker's code. */
static void give_up(struct dun_outbox *outbox, struct dun_window_slot *slot, uint8_t reason,
                    dun_ms now)
{
    struct dun_store *store = outbox->lanes[slot->lane].store;
    dun_sequence sequence = sequence_of(outbox, slot);
    slot->acked = 1;
    if (sequence < dun_log_first_sequence(&store->log))
        return; /* the far end had stored it before a repetition was refused */
    dun_ledger_add(&store->ledger, sequence, sequence, reason);
    dun_store_ack(store, sequence, now + (dun_ms)outbox->config.ack_persist_ms);
    outbox->stats->records_rejected++;
}

void dun_outbox_unpublishable(struct dun_outbox *outbox, dun_ms now)
{
    give_up(outbox, found_slot(outbox), DUN_LOSS_TOO_LARGE, now);
    outbox->window.sent++;
}

/// Acks ///

uint16_t dun_outbox_in_flight(const struct dun_outbox *outbox)
{
    uint16_t open = 0;
    for (uint16_t i = 0; i < outbox->window.sent; i++)
        open = (uint16_t)(open + !dun_window_at(&outbox->window, i)->acked);
    return (uint16_t)(open - outbox->later);
}

bool dun_outbox_only(const struct dun_outbox *outbox, uint16_t *token)
{
    uint16_t nth = 0;
    if (outbox->later > 0 || dun_outbox_in_flight(outbox) != 1)
        return false;
    while (dun_window_at(&outbox->window, nth)->acked)
        nth++;
    *token = dun_window_token(&outbox->window, nth);
    return true;
}

dun_sequence dun_outbox_sequence(const struct dun_outbox *outbox, uint16_t token)
{
    const struct dun_window_slot *slot = dun_window_find(&outbox->window, token);
    return slot ? sequence_of(outbox, slot) : 0;
}

dun_sequence dun_outbox_acked(struct dun_outbox *outbox, uint16_t token, enum dun_verdict verdict,
                              uint8_t code, dun_ms now)
{
    struct dun_window_slot *slot = dun_window_find(&outbox->window, token);
    if (!slot)
        return 0;
    dun_sequence sequence = sequence_of(outbox, slot);
    if (verdict == DUN_VERDICT_LATER) {
        outbox->stats->records_deferred++;
        if (freed_by_puback(outbox, slot)) {
            outbox->later++;
            return sequence;
        } /* else it comes again when the far end does not have it in time, as all do */
    } else if (verdict == DUN_VERDICT_TAKEN)
        outbox->stats->records_acked++;
    else
        give_up(outbox, slot,
                verdict == DUN_VERDICT_TOO_LARGE ? DUN_LOSS_TOO_LARGE
                : code >= DUN_LOSS_CODES         ? code
                                                 : DUN_LOSS_REJECTED,
                now);
    slot->acked = 1;
    pop_acked(outbox, now);
    return sequence;
}

enum dun_stored_verdict dun_outbox_stored(struct dun_outbox *outbox, uint64_t stream,
                                          uint64_t sequence, dun_ms now)
{
    struct dun_store *stores[] = {outbox->durable, spare_of(outbox)};
    note_mount(outbox);
    for (size_t i = 0; i < 2; i++) {
        struct dun_store *store = stores[i];
        if (!dun_store_is_mounted(store) || dun_log_stream(&store->log) != stream)
            continue;
        if (sequence > outbox->published[i])
            return DUN_STORED_AHEAD;
        if (sequence < dun_log_first_sequence(&store->log))
            return DUN_STORED_OLD;
        dun_store_ack_to(store, (dun_sequence)sequence,
                         now + (dun_ms)outbox->config.ack_persist_ms);
        outbox->stored_ms = now;
        return DUN_STORED_FREED;
    }
    return DUN_STORED_FOREIGN;
}

dun_ms dun_outbox_deadline(const struct dun_outbox *outbox)
{
    dun_ms deadline = outbox->backfill_paused ? outbox->backfill_ms : DUN_MS_NEVER;
    bool waiting = dun_outbox_waits_for_stored(outbox) && !outbox->swept &&
                   !outbox->backfill_paused && outbox->window.count == 0 &&
                   dun_outbox_backlog(outbox) > 0;
    if (waiting)
        deadline =
            dun_ms_earlier(deadline, outbox->stored_ms + (dun_ms)outbox->config.stored_wait_ms);
    return deadline;
}
