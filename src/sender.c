/*
 * sender.c: keeps a window of publishes in flight. Invariants: slots lie in the order in which
 * their records were first published; slots before `sent` were published on this connection; a
 * store's cursor stands on the last record published from it; one payload is read at a time.
 */
#include "sender.h"

#include <string.h>

#define SEQUENCE_MASK ((UINT32_C(1) << 30) - 1)
#define PASSED        (UINT32_C(1) << 29) /* a difference this large is a negative one */

/* Tokens of the retained messages lie above those of the window. */
#define TOKEN_RETAINED 0xFF00u

/// Topics ///

static char *append_text(char *at, const char *end, const char *text)
{
    size_t size = strlen(text);
    DUN_ASSERT(size < (size_t)(end - at));
    memcpy(at, text, size + 1);
    return at + size;
}

static void make_topic(const struct dun_sender *sender, const char *channel,
                       char topic[DUN_TOPIC_MAX])
{
    const char *parts[] = {sender->prefix, sender->about.fleet, sender->about.device, channel};
    char *at = topic;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i > 0)
            at = append_text(at, topic + DUN_TOPIC_MAX, "/");
        at = append_text(at, topic + DUN_TOPIC_MAX, parts[i]);
    }
}

/// The window ///

static struct dun_window_slot *slot_at(const struct dun_sender *sender, uint16_t nth)
{
    return &sender->window[(sender->head + nth) % sender->window_max];
}

/* The whole sequence of a slot: the first one not before the store's oldest that ends so. */
static uint64_t slot_sequence(const struct dun_sender *sender, const struct dun_window_slot *slot)
{
    uint64_t oldest = dun_log_first_sequence(&sender->stores[slot->store]->log);
    return oldest + ((slot->sequence - oldest) & SEQUENCE_MASK);
}

static void pop_acked(struct dun_sender *sender, dun_ms now)
{
    while (sender->count > 0 && slot_at(sender, 0)->acked) {
        const struct dun_window_slot *slot = slot_at(sender, 0);
        dun_store_ack(sender->stores[slot->store], slot_sequence(sender, slot),
                      now + sender->ack_persist_ms);
        sender->head = (uint16_t)((sender->head + 1) % sender->window_max);
        sender->count--;
        if (sender->sent > 0)
            sender->sent--;
    }
}

static void push_slot(struct dun_sender *sender, uint8_t store)
{
    struct dun_window_slot *slot = slot_at(sender, sender->count++);
    uint64_t sequence = sender->stores[store]->cursor.sequence;
    *slot = (struct dun_window_slot){.sequence = (uint32_t)(sequence & SEQUENCE_MASK),
                                     .store = store != 0};
}

/* Moves the store's cursor to the record of a slot that is published again. 1; 0: the log dropped
 * it; negative: the log cannot be read now. */
static int find_again(struct dun_sender *sender, const struct dun_window_slot *slot)
{
    struct dun_store *store = sender->stores[slot->store];
    for (;;) {
        if (store->cursor_set) {
            uint32_t ahead = (slot->sequence - (uint32_t)(store->cursor.sequence & SEQUENCE_MASK)) &
                             SEQUENCE_MASK;
            if (ahead == 0)
                return 1;
            if (ahead >= PASSED)
                return 0;
        }
        int result = dun_store_next(store);
        if (result <= 0)
            return result;
    }
}

/* Puts the next record to publish at slot number `sent`. False: there is none. */
static bool next_record(struct dun_sender *sender, dun_ms now)
{
    while (sender->sent < sender->count) {
        struct dun_window_slot *slot = slot_at(sender, sender->sent);
        int found = slot->acked ? 0 : find_again(sender, slot);
        if (found != 0)
            return found > 0;
        slot->acked = 1; /* dropped by the log: its ledger tells; nothing is left to deliver */
        sender->sent++;
    }
    pop_acked(sender, now);
    if (sender->count == sender->window_max)
        return false;
    for (uint8_t i = 0; i < DUN_STORE_COUNT; i++)
        if (dun_store_next(sender->stores[i]) > 0) {
            push_slot(sender, i);
            return true;
        }
    return false;
}

/// Publishing ///

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    struct dun_sender *sender = context;
    if (sender->reading_body) {
        struct dun_buffer window = {data, size};
        bool ok = dun_wire_window(sender->reading_body, &sender->about, offset, window);
        return ok ? DUN_OK : DUN_E_CORRUPT;
    }
    struct dun_store *store = sender->stores[sender->reading_store];
    return dun_log_read(&store->log, &store->cursor, offset, data, size);
}

static int publish(struct dun_sender *sender, const char *channel, uint32_t size, uint16_t token,
                   bool retain, dun_ms now)
{
    char topic[DUN_TOPIC_MAX];
    make_topic(sender, channel, topic);
    struct dun_message message = {
        .topic = topic,
        .payload = {.context = sender, .size = size, .read = read_payload},
        .token = token,
        .qos = 1,
        .retain = retain,
    };
    int result = sender->uplink->publish(sender->uplink->context, &message, now);
    sender->busy = result == DUN_OK;
    return result;
}

static bool write_online(pb_ostream_t *out, const void *context)
{
    (void)context;
    return pb_write(out, (const pb_byte_t *)"online", 6);
}

static bool write_offline(pb_ostream_t *out, const void *context)
{
    (void)context;
    return pb_write(out, (const pb_byte_t *)"offline", 7);
}

/* The catalog goes before the records that need it, and `online` says that all that is there. */
static bool publish_retained(struct dun_sender *sender, dun_ms now)
{
    static const struct {
        uint8_t bit;
        const char *channel;
        dun_wire_body body;
    } messages[] = {
        {DUN_RETAINED_ABOUT, "about", dun_about_write},
        {DUN_RETAINED_CATALOG, "catalog", dun_catalog_write},
        {DUN_RETAINED_STATUS, "status", write_online},
        {DUN_RETAINED_OFFLINE, "status", write_offline},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (!(sender->due & messages[i].bit))
            continue;
        if (sender->unacked & messages[i].bit)
            return false; /* its token is still in use */
        sender->reading_body = messages[i].body;
        uint32_t size = (uint32_t)dun_wire_size(messages[i].body, &sender->about);
        uint16_t token = (uint16_t)(TOKEN_RETAINED + messages[i].bit);
        if (publish(sender, messages[i].channel, size, token, true, now) != DUN_OK)
            return false;
        sender->due &= (uint8_t)~messages[i].bit;
        sender->unacked |= messages[i].bit;
        return true;
    }
    return false;
}

static void reject(struct dun_sender *sender, struct dun_window_slot *slot, uint8_t reason,
                   dun_ms now)
{
    struct dun_store *store = sender->stores[slot->store];
    uint64_t sequence = slot_sequence(sender, slot);
    dun_ledger_stamp(&store->ledger, sender->about.boot, now);
    dun_ledger_add(&store->ledger, sequence, sequence, DUN_LOSS_REJECTED);
    sender->stats->records_rejected++;
    dun_notices_add(sender->notices, (struct dun_notice){.kind = DUN_NOTICE_REJECTED,
                                                         .reason = reason,
                                                         .value = (int64_t)sequence});
}

static bool publish_record(struct dun_sender *sender, dun_ms now)
{
    if (!next_record(sender, now))
        return false;
    struct dun_window_slot *slot = slot_at(sender, sender->sent);
    uint16_t token = (uint16_t)((sender->head + sender->sent) % sender->window_max);
    sender->reading_body = NULL;
    sender->reading_store = (uint8_t)slot->store;
    uint32_t size = sender->stores[slot->store]->cursor.size;
    int result = publish(sender, sender->channel, size, token, false, now);
    if (result == DUN_E_TOO_LARGE) {
        reject(sender, slot, 0, now);
        slot->acked = 1;
        sender->sent++;
        return true;
    }
    if (result != DUN_OK)
        return false;
    sender->sent++;
    sender->stats->records_published++;
    return true;
}

/// Events ///

static void on_up(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    sender->state = DUN_SENDER_UP;
    sender->up_since_ms = now;
    sender->sent = 0;
    sender->busy = false;
    sender->unacked = 0;
    sender->due = (sender->due & DUN_RETAINED_OFFLINE) | DUN_RETAINED_ABOUT | DUN_RETAINED_CATALOG |
                  DUN_RETAINED_STATUS;
    for (size_t i = 0; i < DUN_STORE_COUNT; i++)
        dun_store_rewind(sender->stores[i]);
    sender->stats->connects++;
    dun_notices_add(sender->notices,
                    (struct dun_notice){.kind = DUN_NOTICE_UP, .value = event->session_present});
}

static void on_down(struct dun_sender *sender, int error, uint8_t reason, dun_ms now)
{
    bool was_up = sender->state == DUN_SENDER_UP;
    if (was_up && now - sender->up_since_ms >= sender->stable_ms)
        dun_backoff_reset(&sender->backoff);
    if (was_up)
        sender->stats->disconnects++;
    else
        sender->stats->connect_failures++;
    uint32_t delay_ms = dun_backoff_next(&sender->backoff);
    sender->state = DUN_SENDER_DOWN;
    sender->busy = false;
    sender->reconnect_ms = now + delay_ms;
    dun_notices_add(sender->notices, (struct dun_notice){.kind = DUN_NOTICE_DOWN,
                                                         .error = error,
                                                         .reason = reason,
                                                         .delay_ms = delay_ms});
}

static void on_acked(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    if (event->token >= TOKEN_RETAINED) {
        sender->unacked &= (uint8_t) ~(event->token - TOKEN_RETAINED);
        return;
    }
    uint16_t nth =
        (uint16_t)((event->token + sender->window_max - sender->head) % sender->window_max);
    if (event->token >= sender->window_max || nth >= sender->sent)
        return; /* an ack for nothing we have in flight frees nothing */
    struct dun_window_slot *slot = slot_at(sender, nth);
    if (slot->acked)
        return;
    if (event->reason >= 0x80)
        reject(sender, slot, event->reason, now);
    else
        sender->stats->records_acked++;
    slot->acked = 1;
    pop_acked(sender, now);
}

static void handle(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    switch (event->kind) {
    case DUN_UPLINK_UP:
        on_up(sender, event, now);
        break;
    case DUN_UPLINK_DOWN:
        on_down(sender, event->error, event->reason, now);
        break;
    case DUN_UPLINK_ACKED:
        on_acked(sender, event, now);
        break;
    case DUN_UPLINK_WRITABLE:
        sender->busy = false;
        break;
    case DUN_UPLINK_MESSAGE: /* nothing is subscribed to yet */
    case DUN_UPLINK_NONE:
        break;
    }
}

/// The pump ///

void dun_sender_start(struct dun_sender *sender, dun_ms now)
{
    DUN_ASSERT(sender->window_max > 0 && sender->window_max < TOKEN_RETAINED);
    make_topic(sender, "status", sender->status_topic);
    sender->uplink_config.will_topic = sender->status_topic;
    sender->uplink_config.will_payload = (struct dun_span){(const uint8_t *)"offline", 7};
    sender->state = DUN_SENDER_DOWN;
    sender->reconnect_ms = now + dun_backoff_next(&sender->backoff);
    dun_backoff_reset(&sender->backoff);
}

static void connect(struct dun_sender *sender, dun_ms now)
{
    sender->state = DUN_SENDER_CONNECTING;
    int result = sender->uplink->open(sender->uplink->context, &sender->uplink_config, now);
    if (result < 0)
        on_down(sender, result, 0, now);
}

void dun_sender_pump(struct dun_sender *sender, dun_ms now)
{
    if (sender->state == DUN_SENDER_ENDED)
        return;
    if (sender->state == DUN_SENDER_DOWN && now >= sender->reconnect_ms)
        connect(sender, now);
    /* Each turn takes an event or publishes a message. The bound keeps one step finite against a
     * peer that never stops; the uplink's deadline brings us back at once. */
    for (uint32_t turns = 8u * sender->window_max + 64; turns > 0; turns--) {
        struct dun_uplink_event event = {0};
        if (sender->state == DUN_SENDER_DOWN)
            return;
        if (sender->uplink->poll(sender->uplink->context, now, &event)) {
            handle(sender, &event, now);
            continue;
        }
        if (sender->state != DUN_SENDER_UP || sender->busy)
            return;
        if (!publish_retained(sender, now) && !publish_record(sender, now))
            return;
    }
}

dun_ms dun_sender_deadline(const struct dun_sender *sender)
{
    switch (sender->state) {
    case DUN_SENDER_DOWN:
        return sender->reconnect_ms;
    case DUN_SENDER_CONNECTING:
    case DUN_SENDER_UP:
        return sender->uplink->deadline(sender->uplink->context);
    case DUN_SENDER_ENDED:
        break;
    }
    return DUN_MS_NEVER;
}

void dun_sender_refresh(struct dun_sender *sender)
{
    if (sender->state == DUN_SENDER_UP)
        sender->due |= DUN_RETAINED_ABOUT | DUN_RETAINED_CATALOG;
}

void dun_sender_say_offline(struct dun_sender *sender)
{
    sender->due |= DUN_RETAINED_OFFLINE;
}

bool dun_sender_drained(const struct dun_sender *sender)
{
    uint64_t backlog = 0;
    for (size_t i = 0; i < DUN_STORE_COUNT; i++)
        backlog += dun_store_backlog(sender->stores[i]);
    return backlog == 0 && sender->due == 0 && sender->unacked == 0;
}

void dun_sender_stop(struct dun_sender *sender, dun_ms now)
{
    if (sender->state == DUN_SENDER_CONNECTING || sender->state == DUN_SENDER_UP)
        sender->uplink->close(sender->uplink->context, now);
    sender->state = DUN_SENDER_ENDED;
}
