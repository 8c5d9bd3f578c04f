/*
 * sender.c: one connection after the other. Invariants: one payload is read at a time, and what it
 * is read from stands still meanwhile; a retained message is not published again before its ack.
 */
#include "sender.h"

#include <string.h>

/* Tokens of the retained messages lie above those of the window. */
#define TOKEN_RETAINED 0xFF00u
#define PROTOBUF_TYPE  "application/protobuf"
/* v5: length of the properties, content type, expiry, topic alias. */
#define PROPERTIES_MAX (1 + 3 + sizeof PROTOBUF_TYPE - 1 + 5 + 3)

#define REJECTED_RUN_MAX 8 /* records refused in a row, after which it goes slowly */
#define CAREFUL_RECORDS  64
#define FRUITLESS_MAX    2 /* connections in a row on which no record was taken */
#define SUSPECT_MAX      3 /* times that a record seems to be the cause, until it is taken for it */
#define REST_FAILURES    4 /* a broker that is busy is left alone as after so many failures */

/* Reasons of MQTT 5.0 2.4 that mean more than that it failed. */
#define REASON_NO_SUBSCRIBERS  0x10
#define REASON_FAILURE         0x80
#define REASON_BUSY            0x89
#define REASON_ID_IN_USE       0x91
#define REASON_RECEIVE_MAXIMUM 0x93
#define REASON_TOO_LARGE       0x95
#define REASON_RATE            0x96
#define REASON_QUOTA           0x97
#define REASON_QOS             0x9B
#define REASON_CONNECTION_RATE 0x9F
#define REASON_TAKEN_OVER      0x8E

#define SEEMS_TAKEN_OVER 3 /* connections closed soon and without a reason, in a row */

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

/* Where documents of the remote configuration go; NULL: nowhere. */
static const struct dun_inbox *inbox_of(const struct dun_sender *sender)
{
    return dun_has_remote() ? sender->inbox : NULL;
}

/// Publishing ///

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    struct dun_sender *sender = context;
    if (sender->reading_body) {
        struct dun_buffer window = {data, size};
        bool ok = dun_wire_window(sender->reading_body, sender->reading_context, offset, window);
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
    message->qos = sender->qos;
    message->content_type = message->text ? NULL : PROTOBUF_TYPE;
    int result = sender->uplink->publish(sender->uplink->context, message, now);
    sender->busy = result == DUN_OK;
    sender->reading_token = message->token;
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

static void note_rejected(struct dun_sender *sender, dun_sequence sequence, uint8_t reason)
{
    dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_REJECTED,
                                                          .reason = reason,
                                                          .value = (int64_t)sequence});
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
        {DUN_RETAINED_REPORT, "config/reported", NULL}, /* the inbox has it */
        {DUN_RETAINED_OFFLINE, "status", write_offline},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (!(sender->due & messages[i].bit))
            continue;
        if (sender->unacked & messages[i].bit)
            return false; /* its token is still in use */
        sender->reading_body = messages[i].body;
        sender->reading_about = sender->about;
        sender->reading_context = &sender->reading_about;
        if (messages[i].body == NULL && inbox_of(sender)) {
            sender->reading_body = inbox_of(sender)->report;
            sender->reading_context = inbox_of(sender)->context;
        }
        struct dun_message message = {
            .payload.size = (uint32_t)dun_wire_size(sender->reading_body, sender->reading_context),
            .token = (uint16_t)(TOKEN_RETAINED + messages[i].bit),
            .retain = true,
            .text = (messages[i].bit & (DUN_RETAINED_STATUS | DUN_RETAINED_OFFLINE)) != 0,
        };
        int result = publish(sender, messages[i].channel, &message, now);
        if (result == DUN_OK)
            sender->unacked |= messages[i].bit;
        else if (result == DUN_E_TOO_LARGE)
            note_rejected(sender, 0, REASON_TOO_LARGE);
        else
            return false;
        sender->due &= (uint8_t)~messages[i].bit;
        return true;
    }
    return false;
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
                                  .token = dun_outbox_token(outbox),
                                  .expiry_s = sender->message_expiry_s};
    const char *channel = dun_record_channel(first);
    message.alias = channel[0] == 'b' ? 1 : 2; /* two channels have records: batch and samples */
    int result = publish(sender, channel, &message, now);
    if (result == DUN_E_TOO_LARGE) {
        note_rejected(sender, sender->reading.cursor.sequence, REASON_TOO_LARGE);
        dun_outbox_unpublishable(outbox, now);
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
    if (!dun_has_inbound() || sender->subscribe_due == 0)
        return false;
    char topic[DUN_TOPIC_MAX];
    bool stored = (sender->subscribe_due & DUN_SUBSCRIBE_STORED) != 0;
    make_topic(sender, stored ? "stored" : "config", topic);
    int result = sender->uplink->subscribe(sender->uplink->context, topic, stored, now);
    if (result == DUN_OK)
        sender->subscribe_due &= (uint8_t) ~(stored ? DUN_SUBSCRIBE_STORED : DUN_SUBSCRIBE_CONFIG);
    return result == DUN_OK;
}

/// Answers ///

/* The broker wants less, or refuses one record after the other, which is more likely its fault than
 * the records': nothing is published for a time that grows until it takes one again. */
static void hold(struct dun_sender *sender, uint8_t reason, dun_ms now)
{
    if (!dun_has_reasons() || sender->hold_ms != 0)
        return;
    bool first = sender->hold.failures == 0;
    uint32_t delay_ms = dun_backoff_next(&sender->hold);
    sender->hold_ms = now + delay_ms + 1; /* 0 would be none */
    if (first)
        dun_notices_add(
            sender->notices,
            &(struct dun_notice){.kind = DUN_NOTICE_HELD, .reason = reason, .delay_ms = delay_ms});
}

/* The third time that a record seems to be what the broker cannot stand. A flaw of the broker looks
 * the same, so once is not enough; and a record for which it is always so must not block others. */
static bool convicted(struct dun_sender *sender, dun_sequence record)
{
    const struct dun_window *window = &sender->outbox.window;
    if (record != sender->suspect) {
        if (sender->suspect != 0 && dun_window_has(window, sender->suspect, UINT8_MAX))
            return false; /* one after the other */
        sender->suspect = record;
        sender->suspect_count = 0;
    }
    return ++sender->suspect_count >= SUSPECT_MAX;
}

/* v5 3.4.2.1 and 2.4. A reason below 0x80 is all that frees a record. */
static enum dun_verdict verdict_of(struct dun_sender *sender, uint16_t token, uint8_t reason)
{
    bool record = token < TOKEN_RETAINED;
    if (!dun_has_reasons())
        return reason < REASON_FAILURE ? DUN_VERDICT_TAKEN : DUN_VERDICT_REJECTED;
    if (reason < REASON_FAILURE) {
        bool kept =
            record && reason == REASON_NO_SUBSCRIBERS && sender->unheard == DUN_UNHEARD_KEPT;
        return kept ? DUN_VERDICT_LATER : DUN_VERDICT_TAKEN;
    }
    switch (reason) {
    case REASON_BUSY:
    case REASON_ID_IN_USE:
    case REASON_RECEIVE_MAXIMUM:
    case REASON_RATE:
    case REASON_QUOTA:
        return DUN_VERDICT_LATER;
    case REASON_FAILURE: /* which says nothing */
        return record && !convicted(sender, dun_outbox_sequence(&sender->outbox, token))
                   ? DUN_VERDICT_LATER
                   : DUN_VERDICT_REJECTED;
    case REASON_TOO_LARGE:
        return DUN_VERDICT_TOO_LARGE;
    default:
        return DUN_VERDICT_REJECTED;
    }
}

/* The broker will not have this retained message. It is left out until it says something else, or
 * a connection proved stable without it: some brokers end the connection after such a refusal, and
 * then nothing else would ever get through. */
static void mute(struct dun_sender *sender, uint8_t bits, uint8_t reason)
{
    note_rejected(sender, 0, reason);
    sender->muted |= bits;
}

static void on_retained_acked(struct dun_sender *sender, uint8_t bit, enum dun_verdict verdict,
                              uint8_t reason, dun_ms now)
{
    sender->unacked &= (uint8_t)~bit;
    sender->refused |= verdict != DUN_VERDICT_TAKEN;
    if (verdict == DUN_VERDICT_LATER) {
        sender->due |= bit;
        hold(sender, reason, now);
    } else if (verdict != DUN_VERDICT_TAKEN)
        mute(sender, bit, reason);
}

/* Counts what the answer to a record says about the broker itself. */
static void learn(struct dun_sender *sender, enum dun_verdict verdict, uint8_t reason, dun_ms now)
{
    sender->refused |= verdict != DUN_VERDICT_TAKEN;
    if (!dun_has_reasons())
        return;
    if (verdict == DUN_VERDICT_TAKEN) {
        sender->rejected_run = 0;
        sender->fruitless = 0;
        if (sender->careful > 0)
            sender->careful--;
        if (sender->hold_ms == 0) {
            dun_backoff_reset(&sender->hold);
            dun_backoff_up(&sender->hold);
        }
    } else if (verdict == DUN_VERDICT_LATER || ++sender->rejected_run >= REJECTED_RUN_MAX) {
        sender->rejected_run = 0;
        hold(sender, reason, now);
    }
}

static void on_acked(struct dun_sender *sender, uint16_t token, uint8_t reason, dun_ms now)
{
    enum dun_verdict verdict = verdict_of(sender, token, reason);
    sender->answered_ms = now;
    if (token >= TOKEN_RETAINED) {
        on_retained_acked(sender, (uint8_t)(token - TOKEN_RETAINED), verdict, reason, now);
    } else {
        dun_sequence sequence = dun_outbox_acked(&sender->outbox, token, verdict, reason, now);
        if (sequence == 0)
            return;
        if (verdict == DUN_VERDICT_REJECTED || verdict == DUN_VERDICT_TOO_LARGE)
            note_rejected(sender, sequence, reason);
        learn(sender, verdict, reason, now);
    }
}

/* The payload was read. A message with QoS 0 gets no other answer: with DUN_ACK_STORED the far end
 * gives it, and without that mode there is no such connection. */
static void on_writable(struct dun_sender *sender, dun_ms now)
{
    bool read = sender->busy;
    sender->busy = false;
    if (read && sender->qos == 0)
        on_acked(sender, sender->reading_token, 0, now);
}

/// Events ///

static unsigned in_flight(const struct dun_sender *sender)
{
    unsigned count = dun_outbox_in_flight(&sender->outbox);
    for (uint8_t bits = sender->unacked; bits != 0; bits &= (uint8_t)(bits - 1))
        count++;
    return count;
}

/* From now on one message goes at a time, until a good many were taken. So the answer to it comes
 * alone, and if there is none but the end of the connection, it is known what that was for. */
static void take_care(struct dun_sender *sender)
{
    sender->careful = CAREFUL_RECORDS;
}

/* The broker ended the connection and says that it is because of what we sent. */
static void blame(struct dun_sender *sender, uint8_t reason, dun_ms now)
{
    uint16_t token;
    if (in_flight(sender) == 1 && sender->unacked != 0 &&
        convicted(sender, DUN_SEQUENCE_LAST - sender->unacked)) {
        mute(sender, sender->unacked, reason);
    } else if (sender->unacked == 0 && dun_outbox_only(&sender->outbox, &token)) {
        dun_sequence sequence = dun_outbox_sequence(&sender->outbox, token);
        if (convicted(sender, sequence)) {
            dun_outbox_acked(&sender->outbox, token,
                             reason == REASON_TOO_LARGE ? DUN_VERDICT_TOO_LARGE
                                                        : DUN_VERDICT_REJECTED,
                             reason, now);
            note_rejected(sender, sequence, reason);
        }
    }
    take_care(sender);
}

/* The connection just ended, and not one record was taken on it. A broker that closes behind a
 * PUBACK which refuses (Mosquitto 2.0 does) takes that PUBACK back with the reset, if more was on
 * its way to it: sent alone, it is heard. */
static void count_fruitless(struct dun_sender *sender, const struct dun_uplink_event *event)
{
    bool cut = event->error == DUN_E_CLOSED || event->error == DUN_E_IO;
    if (!cut || in_flight(sender) == 0)
        return;
    if (++sender->fruitless >= FRUITLESS_MAX) {
        sender->fruitless = 0;
        take_care(sender);
    }
}

static bool blames_content(const struct dun_uplink_event *event)
{
    static const uint8_t reasons[] = {0x81, 0x82, 0x83, 0x87, 0x90, REASON_TOO_LARGE, 0x99};
    return event->error == DUN_E_CLOSED && memchr(reasons, event->reason, sizeof reasons) != NULL;
}

static void learn_from_end(struct dun_sender *sender, const struct dun_uplink_event *event,
                           dun_ms now)
{
    if (blames_content(event))
        blame(sender, event->reason, now);
    else
        count_fruitless(sender, event);
}

static bool asks_to_wait(const struct dun_uplink_event *event)
{
    static const uint8_t reasons[] = {REASON_BUSY, REASON_RATE, REASON_QUOTA,
                                      REASON_CONNECTION_RATE};
    return dun_has_reasons() && memchr(reasons, event->reason, sizeof reasons) != NULL;
}

static void note_route(struct dun_sender *sender, enum dun_route_change change, uint8_t reason)
{
    if (!dun_has_routes())
        return;
    struct dun_notice notice = {
        .reason = reason, .name = sender->route.other_host, .value = sender->route.other_port};
    if (change == DUN_ROUTE_OLDER || change == DUN_ROUTE_NEWER)
        notice = (struct dun_notice){.kind = DUN_NOTICE_VERSION,
                                     .value = change == DUN_ROUTE_OLDER ? 4 : 5};
    else if (change == DUN_ROUTE_ELSEWHERE)
        notice.kind = DUN_NOTICE_REDIRECTED;
    else if (change == DUN_ROUTE_HOME)
        notice.kind = DUN_NOTICE_BACK_HOME;
    sender->stats->redirects += change == DUN_ROUTE_ELSEWHERE;
    if (notice.kind != DUN_NOTICE_NONE)
        dun_notices_add(sender->notices, &notice);
}

/*
 * Two clients with one id take the connection from each other for as long as they run. MQTT 5 tells
 * the loser; before, the broker just closes, as soon as the other one's wait is over, which is
 * about as long as ours. Such a connection proves nothing however old it is: without a reset both
 * wait longer and longer.
 */
static bool was_taken_over(const struct dun_sender *sender, const struct dun_uplink_event *event,
                           dun_ms now)
{
    dun_ms age_ms = now - sender->up_since_ms;
    bool young =
        age_ms < sender->stable_ms || age_ms < 2 * (dun_ms)dun_backoff_window(&sender->backoff);
    bool told = event->reason == REASON_TAKEN_OVER;
    return sender->state == DUN_SENDER_UP && event->error == DUN_E_CLOSED && !sender->refused &&
           (told || (event->reason == 0 && young));
}

static void note_taken_over(struct dun_sender *sender, uint8_t reason, uint32_t delay_ms)
{
    if (sender->taken_over < UINT8_MAX)
        sender->taken_over++;
    if (reason == 0 && sender->taken_over < SEEMS_TAKEN_OVER)
        return; /* a broker that restarts closes too */
    dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_TAKEN_OVER,
                                                          .reason = reason,
                                                          .delay_ms = delay_ms,
                                                          .value = sender->taken_over,
                                                          .name = sender->uplink_config.client_id});
}

/* How long to wait for the next try. A broker that told us what to do better gets it soon, one that
 * asked for rest gets that. */
static uint32_t delay_after(struct dun_sender *sender, const struct dun_uplink_event *event,
                            enum dun_route_change change)
{
    bool soon = change != DUN_ROUTE_SAME && change != DUN_ROUTE_HOME;
    for (int i = 0;
         asks_to_wait(event) && sender->backoff.failures < REST_FAILURES && i < REST_FAILURES; i++)
        (void)dun_backoff_next(&sender->backoff);
    uint32_t delay_ms = dun_backoff_next(&sender->backoff);
    uint32_t soon_ms = sender->backoff.config.base_ms > sender->backoff.config.spread_ms
                           ? sender->backoff.config.base_ms
                           : sender->backoff.config.spread_ms;
    return soon && delay_ms > soon_ms ? soon_ms : delay_ms;
}

static void on_down(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    bool was_up = sender->state == DUN_SENDER_UP;
    bool taken_over = was_taken_over(sender, event, now);
    bool stable = was_up && !taken_over && now - sender->up_since_ms >= sender->stable_ms;
    if (stable) {
        dun_backoff_reset(&sender->backoff);
        sender->muted = 0;
    }
    if (was_up)
        sender->stats->disconnects++;
    else
        sender->stats->connect_failures++;
    if (was_up && dun_has_reasons())
        learn_from_end(sender, event, now);
    enum dun_route_change change = dun_route_down(&sender->route, event, was_up, stable, now);
    uint32_t delay_ms = delay_after(sender, event, change);
    sender->state = DUN_SENDER_DOWN;
    sender->busy = false;
    sender->reconnect_ms = now + delay_ms;
    if (change != DUN_ROUTE_OLDER)
        dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_DOWN,
                                                              .error = event->error,
                                                              .reason = event->reason,
                                                              .delay_ms = delay_ms});
    note_route(sender, change, event->reason);
    if (taken_over)
        note_taken_over(sender, event->reason, delay_ms);
    else if (was_up)
        sender->taken_over = 0;
}

/* No QoS 1, and a PUBACK is what would free a record. */
static void refuse_terms(struct dun_sender *sender, dun_ms now)
{
    dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_NO_QOS});
    sender->uplink->close(sender->uplink->context, false, now);
    struct dun_uplink_event down = {.error = DUN_E_REFUSED, .reason = REASON_QOS};
    on_down(sender, &down, now);
}

static void on_up(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    const struct dun_uplink_terms *terms = &event->terms;
    enum dun_route_change change = dun_route_up(&sender->route);
    if (change == DUN_ROUTE_AGAIN) {
        sender->uplink->close(sender->uplink->context, false, now);
        sender->state = DUN_SENDER_DOWN;
        sender->reconnect_ms = now;
        return;
    }
    note_route(sender, change, 0);
    if (terms->qos_max == 0 && !dun_outbox_waits_for_stored(&sender->outbox)) {
        refuse_terms(sender, now);
        return;
    }
    sender->state = DUN_SENDER_UP;
    sender->up_since_ms = now;
    dun_backoff_up(&sender->backoff);
    sender->busy = false;
    sender->qos = terms->qos_max > 0 ? 1 : 0;
    sender->packet_max = terms->packet_max;
    sender->unacked = 0;
    sender->refused = false;
    sender->subscribe_due = dun_outbox_waits_for_stored(&sender->outbox) ? DUN_SUBSCRIBE_STORED : 0;
    sender->subscribe_due |= inbox_of(sender) ? DUN_SUBSCRIBE_CONFIG : 0;
    sender->due = (sender->due & DUN_RETAINED_OFFLINE) | DUN_RETAINED_ABOUT | DUN_RETAINED_CATALOG |
                  DUN_RETAINED_STATUS | (inbox_of(sender) ? DUN_RETAINED_REPORT : 0);
    sender->due &= (uint8_t)~sender->muted;
    dun_outbox_restart(&sender->outbox, now);
    sender->stats->connects++;
    dun_notices_add(sender->notices,
                    &(struct dun_notice){.kind = DUN_NOTICE_UP, .value = event->session_present});
    if (!terms->retain && !sender->no_retain_told)
        dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_NO_RETAIN});
    sender->no_retain_told |= !terms->retain;
}

/* What does not decode is nobody's cursor. */
static void on_stored(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    struct dun_stored stored = {0};
    if (!dun_outbox_waits_for_stored(&sender->outbox))
        return;
    enum dun_stored_verdict verdict = DUN_STORED_FOREIGN;
    if (dun_stored_read(event->payload, &stored))
        verdict = dun_outbox_stored(&sender->outbox, stored.stream, stored.sequence, now);
    if (verdict == DUN_STORED_FREED || verdict == DUN_STORED_OLD)
        return;
    sender->stats->stored_ignored++;
    dun_notices_add(sender->notices, &(struct dun_notice){.kind = DUN_NOTICE_STORED_IGNORED,
                                                          .reason = (uint8_t)verdict,
                                                          .value = (int64_t)stored.sequence});
}

/* A document that comes while the last report is on its way is asked for anew. */
static void on_config(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    if (dun_sender_is_reporting(sender))
        sender->subscribe_due |= DUN_SUBSCRIBE_CONFIG;
    else
        inbox_of(sender)->take(inbox_of(sender)->context, event->payload, now);
}

static void on_message(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    char topic[DUN_TOPIC_MAX];
    if (!dun_has_inbound())
        return;
    make_topic(sender, "config", topic);
    bool config = inbox_of(sender) && event->topic.size == strlen(topic) &&
                  memcmp(event->topic.data, topic, event->topic.size) == 0;
    if (config)
        on_config(sender, event, now);
    else
        on_stored(sender, event, now);
}

static void handle(struct dun_sender *sender, const struct dun_uplink_event *event, dun_ms now)
{
    switch (event->kind) {
    case DUN_UPLINK_UP:
        on_up(sender, event, now);
        break;
    case DUN_UPLINK_DOWN:
        on_down(sender, event, now);
        break;
    case DUN_UPLINK_ACKED:
        on_acked(sender, event->token, event->reason, now);
        break;
    case DUN_UPLINK_WRITABLE:
        on_writable(sender, now);
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
    sender->uplink_config.will_payload = (struct dun_span){(const uint8_t *)"offline", 7};
    sender->route.host = sender->uplink_config.host;
    sender->route.port = sender->uplink_config.port;
    sender->route.version = sender->uplink_config.mqtt_version;
    dun_route_start(&sender->route);
    sender->hold_ms = 0;
    sender->state = DUN_SENDER_DOWN;
    sender->reconnect_ms = now + dun_backoff_next(&sender->backoff);
}

static void connect(struct dun_sender *sender, dun_ms now)
{
    char topic[DUN_TOPIC_MAX];
    make_topic(sender, "status", topic);
    sender->state = DUN_SENDER_CONNECTING;
    sender->uplink_config.will_topic = topic;
    dun_route_take(&sender->route, &sender->uplink_config, now);
    struct dun_uplink_event down = {
        .error = sender->uplink->open(sender->uplink->context, &sender->uplink_config, now)};
    sender->uplink_config.will_topic = NULL;
    if (down.error < 0)
        on_down(sender, &down, now);
}

/* The broker asked for a pause. */
static bool is_held(const struct dun_sender *sender)
{
    return dun_has_reasons() && sender->hold_ms != 0;
}

/* One message goes at a time, and there is one. */
static bool is_alone(const struct dun_sender *sender)
{
    return dun_has_reasons() && sender->careful > 0 && in_flight(sender) > 0;
}

void dun_sender_pump(struct dun_sender *sender, dun_ms now)
{
    if (sender->state == DUN_SENDER_ENDED)
        return;
    if (sender->state == DUN_SENDER_DOWN && now >= sender->reconnect_ms)
        connect(sender, now);
    if (dun_has_reasons() && now >= sender->hold_ms)
        sender->hold_ms = 0;
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
        if (sender->state != DUN_SENDER_UP || sender->busy || is_held(sender) || is_alone(sender))
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
        if (sender->busy || is_alone(sender))
            return deadline;
        return dun_ms_earlier(deadline, is_held(sender) ? sender->hold_ms
                                                        : dun_outbox_deadline(&sender->outbox));
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
    sender->muted &= (uint8_t) ~(DUN_RETAINED_ABOUT | DUN_RETAINED_CATALOG);
}

void dun_sender_report(struct dun_sender *sender)
{
    if (sender->state == DUN_SENDER_UP)
        sender->due |= DUN_RETAINED_REPORT;
    sender->muted &= (uint8_t)~DUN_RETAINED_REPORT;
}

bool dun_sender_is_reporting(const struct dun_sender *sender)
{
    return inbox_of(sender) && sender->busy && sender->reading_body == inbox_of(sender)->report;
}

void dun_sender_say_offline(struct dun_sender *sender)
{
    sender->due |= DUN_RETAINED_OFFLINE;
}

/* What a PUBLISH costs beside its payload: first byte, length, topic, packet id, properties. */
uint32_t dun_sender_record_max(const struct dun_sender *sender)
{
    char topic[DUN_TOPIC_MAX];
    make_topic(sender, "samples", topic); /* the longer one of the two */
    uint32_t head = 5 + 2 + (uint32_t)strlen(topic) + 2 + PROPERTIES_MAX;
    if (sender->packet_max == 0 || sender->packet_max == UINT32_MAX)
        return 0;
    return sender->packet_max > head ? sender->packet_max - head : 1;
}

bool dun_sender_drained(const struct dun_sender *sender)
{
    return dun_outbox_backlog(&sender->outbox) == 0 && sender->due == 0 && sender->unacked == 0;
}

void dun_sender_stop(struct dun_sender *sender, dun_ms now)
{
    bool unsaid = ((sender->due | sender->unacked) & DUN_RETAINED_OFFLINE) != 0;
    if (sender->state == DUN_SENDER_CONNECTING || sender->state == DUN_SENDER_UP)
        sender->uplink->close(sender->uplink->context, unsaid, now);
    sender->state = DUN_SENDER_ENDED;
}
