/*
 * sender.c: one connection after the other. Invariants: one payload is read at a time, and what it
 * is read from stands still meanwhile; a retained message is not published again before its ack.
 */
#include "sender.h"

#include <pb_decode.h>
#include <string.h>

#include "telemetry.pb.h"

/* Tokens of the retained messages lie above those of the window. */
#define TOKEN_RETAINED 0xFF00u
#define PROTOBUF_TYPE  "application/protobuf"

#define REASON_TAKEN_OVER 0x8E /* v5 3.14.2.1 */
#define SEEMS_TAKEN_OVER  3    /* connections closed soon and without a reason, in a row */

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

/// Publishing ///

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    struct dun_sender *sender = context;
    if (sender->reading_body) {
        struct dun_buffer window = {data, size};
        bool ok = dun_wire_window(sender->reading_body, &sender->reading_about, offset, window);
        return ok ? DUN_OK : DUN_E_CORRUPT;
    }
    const struct dun_lane *lane = &sender->reading;
    return dun_log_read(&lane->store->log, &lane->cursor, offset, data, size);
}

/* Fills in the topic and the payload of `message`, whose size is given. */
static int publish(struct dun_sender *sender, const char *channel, struct dun_message *message,
                   dun_ms now)
{
    char topic[DUN_TOPIC_MAX];
    make_topic(sender, channel, topic);
    message->topic = topic;
    message->payload.context = sender;
    message->payload.read = read_payload;
    message->qos = 1;
    message->content_type = message->text ? NULL : PROTOBUF_TYPE;
    int result = sender->uplink->publish(sender->uplink->context, message, now);
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
        sender->reading_about = sender->about;
        struct dun_message message = {
            .payload.size = (uint32_t)dun_wire_size(messages[i].body, &sender->reading_about),
            .token = (uint16_t)(TOKEN_RETAINED + messages[i].bit),
            .retain = true,
            .text = (messages[i].bit & (DUN_RETAINED_STATUS | DUN_RETAINED_OFFLINE)) != 0,
        };
        if (publish(sender, messages[i].channel, &message, now) != DUN_OK)
            return false;
        sender->due &= (uint8_t)~messages[i].bit;
        sender->unacked |= messages[i].bit;
        return true;
    }
    return false;
}

static void note_rejected(struct dun_sender *sender, uint64_t sequence, uint8_t reason)
{
    dun_notices_add(sender->notices, (struct dun_notice){.kind = DUN_NOTICE_REJECTED,
                                                         .reason = reason,
                                                         .value = (int64_t)sequence});
}

static bool publish_record(struct dun_sender *sender, dun_ms now)
{
    struct dun_outbox *outbox = &sender->outbox;
    if (!dun_outbox_next(outbox, now))
        return false;
    sender->reading = *dun_outbox_lane(outbox);
    sender->reading_body = NULL;
    uint8_t first;
    if (read_payload(sender, 0, &first, 1) < 0)
        return false;
    struct dun_message message = {.payload.size = sender->reading.cursor.size,
                                  .token = dun_outbox_token(outbox)};
    int result = publish(sender, dun_record_channel(first), &message, now);
    if (result == DUN_E_TOO_LARGE) {
        note_rejected(sender, sender->reading.cursor.sequence, 0);
        dun_outbox_unpublishable(outbox, DUN_LOSS_TOO_LARGE, now);
        return true;
    }
    if (result != DUN_OK)
        return false;
    dun_outbox_published(outbox, now);
    sender->stats->records_published++;
    return true;
}

/* DUN_ACK_STORED: the recorder's cursor comes on a topic of this device. */
static bool subscribe(struct dun_sender *sender, dun_ms now)
{
    if (!sender->subscribe_due)
        return false;
    char topic[DUN_TOPIC_MAX];
    make_topic(sender, "stored", topic);
    int result = sender->uplink->subscribe(sender->uplink->context, topic, now);
    sender->subscribe_due = result != DUN_OK;
    return result == DUN_OK;
}

/// Events ///

static void on_up(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    sender->state = DUN_SENDER_UP;
    sender->up_since_ms = now;
    dun_backoff_up(&sender->backoff);
    sender->busy = false;
    sender->unacked = 0;
    sender->subscribe_due = sender->outbox.config.ack_mode == DUN_ACK_STORED;
    sender->due = (sender->due & DUN_RETAINED_OFFLINE) | DUN_RETAINED_ABOUT | DUN_RETAINED_CATALOG |
                  DUN_RETAINED_STATUS;
    dun_outbox_restart(&sender->outbox, now);
    sender->stats->connects++;
    dun_notices_add(sender->notices,
                    (struct dun_notice){.kind = DUN_NOTICE_UP, .value = event->session_present});
}

/*
 * Two clients with one id take the connection from each other for as long as they run. MQTT 5 tells
 * the loser; before, the broker just closes, as soon as the other one's wait is over, which is
 * about as long as ours. Such a connection proves nothing however old it is: without a reset both
 * wait longer and longer.
 */
static bool was_taken_over(const struct dun_sender *sender, int error, uint8_t reason, dun_ms now)
{
    dun_ms age_ms = now - sender->up_since_ms;
    bool young =
        age_ms < sender->stable_ms || age_ms < 2 * (dun_ms)dun_backoff_window(&sender->backoff);
    bool told = reason == REASON_TAKEN_OVER;
    return sender->state == DUN_SENDER_UP && error == DUN_E_CLOSED &&
           (told || (reason == 0 && young));
}

static void note_taken_over(struct dun_sender *sender, uint8_t reason, uint32_t delay_ms)
{
    if (sender->taken_over < UINT8_MAX)
        sender->taken_over++;
    if (reason == 0 && sender->taken_over < SEEMS_TAKEN_OVER)
        return; /* a broker that restarts closes too */
    dun_notices_add(sender->notices, (struct dun_notice){.kind = DUN_NOTICE_TAKEN_OVER,
                                                         .reason = reason,
                                                         .delay_ms = delay_ms,
                                                         .value = sender->taken_over,
                                                         .name = sender->uplink_config.client_id});
}

static void on_down(struct dun_sender *sender, int error, uint8_t reason, dun_ms now)
{
    bool was_up = sender->state == DUN_SENDER_UP;
    bool taken_over = was_taken_over(sender, error, reason, now);
    if (error == DUN_E_UNSUPPORTED)
        sender->uplink_config.mqtt_version = 4;
    if (was_up && !taken_over && now - sender->up_since_ms >= sender->stable_ms)
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
    if (taken_over)
        note_taken_over(sender, reason, delay_ms);
    else if (was_up)
        sender->taken_over = 0;
}

static void on_acked(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    if (event->token >= TOKEN_RETAINED) {
        sender->unacked &= (uint8_t) ~(event->token - TOKEN_RETAINED);
        return;
    }
    bool refused = event->reason >= 0x80;
    uint64_t sequence = dun_outbox_acked(&sender->outbox, event->token, refused, now);
    if (refused && sequence != 0)
        note_rejected(sender, sequence, event->reason);
}

/* The only topic ever subscribed to is .../stored; what does not decode is nobody's cursor. */
static void on_message(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    dunlin_v1_Stored stored = dunlin_v1_Stored_init_zero;
    pb_istream_t in = pb_istream_from_buffer(event->payload.data, event->payload.size);
    if (sender->outbox.config.ack_mode != DUN_ACK_STORED)
        return;
    bool ok = pb_decode(&in, dunlin_v1_Stored_fields, &stored) && stored.has_stream &&
              stored.has_sequence;
    enum dun_stored_verdict verdict = DUN_STORED_FOREIGN;
    if (ok)
        verdict = dun_outbox_stored(&sender->outbox, stored.stream, stored.sequence, now);
    if (verdict == DUN_STORED_FREED || verdict == DUN_STORED_OLD)
        return;
    sender->stats->stored_ignored++;
    dun_notices_add(sender->notices, (struct dun_notice){.kind = DUN_NOTICE_STORED_IGNORED,
                                                         .reason = (uint8_t)verdict,
                                                         .value = (int64_t)stored.sequence});
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
    case DUN_UPLINK_MESSAGE:
        on_message(sender, event, now);
        break;
    case DUN_UPLINK_NONE:
        break;
    }
}

/// The pump ///

void dun_sender_start(struct dun_sender *sender, dun_ms now)
{
    DUN_ASSERT(sender->outbox.window.capacity < TOKEN_RETAINED);
    dun_outbox_start(&sender->outbox);
    make_topic(sender, "status", sender->status_topic);
    sender->uplink_config.will_topic = sender->status_topic;
    sender->uplink_config.will_payload = (struct dun_span){(const uint8_t *)"offline", 7};
    sender->uplink_config.will_qos = 1;
    sender->uplink_config.will_retain = true;
    sender->state = DUN_SENDER_DOWN;
    sender->reconnect_ms = now + dun_backoff_next(&sender->backoff);
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
    for (uint32_t turns = 8u * sender->outbox.window.capacity + 64; turns > 0; turns--) {
        struct dun_uplink_event event = {0};
        if (sender->state == DUN_SENDER_DOWN)
            return;
        if (sender->uplink->poll(sender->uplink->context, now, &event)) {
            handle(sender, &event, now);
            continue;
        }
        if (sender->state != DUN_SENDER_UP || sender->busy)
            return;
        if (!subscribe(sender, now) && !publish_retained(sender, now) &&
            !publish_record(sender, now))
            return;
    }
}

dun_ms dun_sender_deadline(const struct dun_sender *sender)
{
    switch (sender->state) {
    case DUN_SENDER_DOWN:
        return sender->reconnect_ms;
    case DUN_SENDER_CONNECTING:
        return sender->uplink->deadline(sender->uplink->context);
    case DUN_SENDER_UP: {
        dun_ms deadline = sender->uplink->deadline(sender->uplink->context);
        return sender->busy ? deadline
                            : dun_ms_earlier(deadline, dun_outbox_deadline(&sender->outbox));
    }
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
    return dun_outbox_backlog(&sender->outbox) == 0 && sender->due == 0 && sender->unacked == 0;
}

void dun_sender_stop(struct dun_sender *sender, dun_ms now)
{
    if (sender->state == DUN_SENDER_CONNECTING || sender->state == DUN_SENDER_UP)
        sender->uplink->close(sender->uplink->context, false, now);
    sender->state = DUN_SENDER_ENDED;
}
