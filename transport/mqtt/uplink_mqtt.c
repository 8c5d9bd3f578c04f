/*
 * uplink_mqtt.c: drives a session over a link. It reads and writes in as few calls of the link as
 * the buffers allow: publishes gather in the write buffer until poll has no event left to give, and
 * one read feeds many packets.
 *
 * It never blocks and never keeps a payload: the reader of a message is asked for the bytes that
 * the write buffer has room for. A reader that fails in the middle ends the connection, since the
 * packet begun cannot be completed.
 */
#include "mqtt/uplink_mqtt.h"

#include <string.h>

_Static_assert(DUN_MQTT_ALIASES_MAX == DUN_UPLINK_ALIASES_MAX, "make the two the same");

#define READ_SIZE_MIN  4
#define WRITE_SIZE_MIN 16
#define TOLD_MAX       32 /* events in a row before the clock is asked and bytes are written */
#define READS_MAX      64 /* reads in a row that lead to no event */

static struct dun_span text_span(const char *text)
{
    return (struct dun_span){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

/* The connection is over; poll tells it with DOWN. */
static void fail(struct dun_uplink_mqtt *uplink, int error, uint8_t reason)
{
    uplink->link->close(uplink->link->context);
    dun_mqtt_lost(&uplink->session);
    uplink->state = DUN_UPLINK_MQTT_FAILED;
    uplink->error = error;
    uplink->reason = reason;
}

/// Writing ///

/* Gives the write buffer to the link, as far as it goes. Returns false if the link is dead. */
static bool flush(struct dun_uplink_mqtt *uplink)
{
    size_t waiting = uplink->write_end - uplink->write_start;
    if (waiting == 0) {
        return true;
    }
    int moved = uplink->link->write(uplink->link->context, uplink->write.data + uplink->write_start,
                                    waiting);
    if (moved < 0) {
        fail(uplink, moved, 0);
        return false;
    }
    DUN_ASSERT((size_t)moved <= waiting);
    uplink->bytes_out += (uint32_t)moved;
    uplink->blocked = (size_t)moved < waiting;
    uplink->write_start += (size_t)moved;
    if (!uplink->blocked) {
        uplink->write_start = 0;
        uplink->write_end = 0;
    }
    return true;
}

/* Room at the end of the write buffer, after moving what it holds to the front if there is none. */
static size_t write_room(struct dun_uplink_mqtt *uplink)
{
    if (uplink->write_end == uplink->write.size && uplink->write_start > 0) {
        size_t waiting = uplink->write_end - uplink->write_start;
        memmove(uplink->write.data, uplink->write.data + uplink->write_start, waiting);
        uplink->write_start = 0;
        uplink->write_end = waiting;
    }
    return uplink->write.size - uplink->write_end;
}

/* Copies one piece of output, or its beginning, into the write buffer. */
static int gather(struct dun_uplink_mqtt *uplink, const struct dun_mqtt_piece *piece, size_t room,
                  dun_ms now)
{
    size_t size = piece->size < room ? piece->size : room;
    uint8_t *at = uplink->write.data + uplink->write_end;
    if (piece->data != NULL) {
        memcpy(at, piece->data, size);
    } else {
        int error = uplink->reader.read(uplink->reader.context, piece->offset, at, (uint32_t)size);
        if (error < 0) {
            return error;
        }
    }
    uplink->write_end += size;
    dun_mqtt_taken(&uplink->session, size, now);
    return DUN_OK;
}

/* Moves the session's output into the write buffer; a full buffer goes to the link at once. */
static void pump(struct dun_uplink_mqtt *uplink, dun_ms now)
{
    struct dun_mqtt_piece piece;
    while (dun_mqtt_output(&uplink->session, &piece)) {
        size_t room = write_room(uplink);
        if (room == 0) {
            if (uplink->blocked || !flush(uplink) || uplink->blocked) {
                return;
            }
            continue;
        }
        int error = gather(uplink, &piece, room, now);
        if (error != DUN_OK) {
            fail(uplink, error, 0);
            return;
        }
    }
}

/* Writes until nothing waits or the link takes no more. */
static void drain(struct dun_uplink_mqtt *uplink, dun_ms now)
{
    struct dun_mqtt_piece piece;
    do {
        pump(uplink, now);
        if (uplink->state != DUN_UPLINK_MQTT_RUNNING || !flush(uplink)) {
            return;
        }
    } while (!uplink->blocked && dun_mqtt_output(&uplink->session, &piece));
}

/// Events ///

static bool tell_down(struct dun_uplink_mqtt *uplink, struct dun_uplink_event *event)
{
    uplink->state = DUN_UPLINK_MQTT_CLOSED;
    *event = (struct dun_uplink_event){
        .kind = DUN_UPLINK_DOWN, .error = uplink->error, .reason = uplink->reason};
    return true;
}

/* The session gave up, or the broker did. What is left to say goes out if it can. */
static bool tell_closed(struct dun_uplink_mqtt *uplink, const struct dun_mqtt_event *from,
                        dun_ms now, struct dun_uplink_event *event)
{
    struct dun_span server = from->server;
    int error = from->error;
    uint8_t reason = from->reason;
    bool old_broker = reason == DUN_MQTT_OLD_VERSION || reason == DUN_MQTT_VERSION_REFUSED;
    if (error == DUN_E_REFUSED && dun_mqtt_is_5(uplink->session.version) && old_broker) {
        error = DUN_E_UNSUPPORTED;
    }
    drain(uplink, now);
    fail(uplink, error, reason);
    tell_down(uplink, event);
    event->server = server;
    return true;
}

/* Translates an event of the session. */
static bool tell(struct dun_uplink_mqtt *uplink, const struct dun_mqtt_event *from, dun_ms now,
                 struct dun_uplink_event *event)
{
    static const uint8_t kinds[] = {
        [DUN_MQTT_EVENT_CONNECTED] = DUN_UPLINK_UP,
        [DUN_MQTT_EVENT_ACKED] = DUN_UPLINK_ACKED,
        [DUN_MQTT_EVENT_MESSAGE] = DUN_UPLINK_MESSAGE,
    };
    if (from->kind == DUN_MQTT_EVENT_CLOSED) {
        return tell_closed(uplink, from, now, event);
    }
    const struct dun_mqtt_session *session = &uplink->session;
    event->kind = kinds[from->kind];
    event->session_present = from->session_present;
    if (event->kind == DUN_UPLINK_UP) {
        event->terms = (struct dun_uplink_terms){.packet_max = session->packet_max,
                                                 .qos_max = session->qos_max,
                                                 .retain = session->retain_available};
    }
    event->reason = from->reason;
    event->token = from->token;
    event->error = DUN_OK;
    event->topic = from->topic;
    event->payload = from->payload;
    return true;
}

/* Feeds what was read until there is an event for above, or nothing left. */
static bool feed(struct dun_uplink_mqtt *uplink, dun_ms now, struct dun_uplink_event *event)
{
    do {
        const struct dun_mqtt_event *from = dun_mqtt_next_event(&uplink->session);
        if (from != NULL && from->kind != DUN_MQTT_EVENT_SUBSCRIBED) {
            return tell(uplink, from, now, event);
        }
        uplink->writable_wanted |= from != NULL; /* the next subscribe may come */
        struct dun_span input = {uplink->read.data + uplink->read_start,
                                 uplink->read_end - uplink->read_start};
        size_t used = input.size > 0 ? dun_mqtt_feed(&uplink->session, input, now) : 0;
        if (used == 0) {
            return false;
        }
        uplink->read_start += used;
    } while (true);
}

/* Makes sure that there is input to feed. False: nothing came, or the link is dead. */
static bool refill(struct dun_uplink_mqtt *uplink)
{
    if (uplink->read_start < uplink->read_end) {
        return dun_mqtt_can_feed(&uplink->session);
    }
    uplink->read_start = 0;
    uplink->read_end = 0;
    int moved = uplink->link->read(uplink->link->context, uplink->read.data, uplink->read.size);
    if (moved < 0) {
        fail(uplink, moved, 0);
        return false;
    }
    DUN_ASSERT((size_t)moved <= uplink->read.size);
    uplink->bytes_in += (uint32_t)moved;
    uplink->read_end = (size_t)moved;
    return moved > 0;
}

/// The table ///

/* The largest packet whose body fits rx, v5 3.1.2.11.4. */
static uint32_t packet_size_max(const struct dun_uplink_mqtt *uplink)
{
    size_t body = uplink->session.memory.rx.size;
    size_t length_size = body < 0x80 ? 1 : body < 0x4000 ? 2 : body < 0x200000 ? 3 : 4;
    return (uint32_t)(body + 1 + length_size);
}

static int uplink_open(void *context, const struct dun_uplink_config *config, dun_ms now)
{
    struct dun_uplink_mqtt *uplink = context;
    if (uplink->state != DUN_UPLINK_MQTT_CLOSED) {
        return DUN_E_BUSY;
    }
    bool v5 = config->mqtt_version != DUN_MQTT_3_1_1 && dun_mqtt_is_5(DUN_MQTT_5);
    struct dun_mqtt_connect connect = {
        .version = v5 ? DUN_MQTT_5 : DUN_MQTT_3_1_1,
        /* After a boot we know nothing of the session that the broker may have (v5 3.2.2-4). */
        .clean_start = config->clean_start || (v5 && !uplink->session.has_session),
        .session_expiry_s = config->session_expiry_s,
        .maximum_packet_size = packet_size_max(uplink),
        .will_retain = config->will_retain,
        .will_text = true,
        .will_qos = config->will_qos,
        .will_delay_s = config->will_delay_s,
        .keepalive_s = config->keepalive_s,
        .client_id = text_span(config->client_id),
        .username = text_span(config->username),
        .password = config->password,
        .will_topic = text_span(config->will_topic),
        .will_payload = config->will_payload,
    };
    uplink->connect_deadline =
        config->connect_timeout_ms > 0 ? now + config->connect_timeout_ms : DUN_MS_NEVER;
    struct dun_mqtt_times times = {.connack_deadline = uplink->connect_deadline,
                                   .ping_timeout_ms = config->ping_timeout_ms,
                                   .ack_timeout_ms = config->ack_timeout_ms};
    int error = dun_mqtt_connect(&uplink->session, &connect, &times, now);
    if (error != DUN_OK) {
        return error;
    }
    uplink->read_start = uplink->read_end = 0;
    uplink->write_start = uplink->write_end = 0;
    uplink->blocked = false;
    uplink->more_input = false;
    uplink->writable_wanted = false;
    uplink->state = DUN_UPLINK_MQTT_OPENING;
    error = uplink->link->open(uplink->link->context, config->host, config->port, now);
    if (error != DUN_OK) {
        fail(uplink, error, 0);
    }
    return DUN_OK;
}

/* Waits for the link. True when bytes may flow. */
static bool link_ready(struct dun_uplink_mqtt *uplink, dun_ms now)
{
    int ready = uplink->link->ready(uplink->link->context, now);
    if (ready == 0 && now >= uplink->connect_deadline) {
        ready = DUN_E_TIMEOUT;
    }
    if (ready < 0) {
        fail(uplink, ready, 0);
    } else if (ready > 0) {
        uplink->state = DUN_UPLINK_MQTT_RUNNING;
    }
    return ready > 0;
}

/* True if WRITABLE is wanted and true. */
static bool tell_writable(struct dun_uplink_mqtt *uplink, struct dun_uplink_event *event)
{
    if (!uplink->writable_wanted || !dun_mqtt_is_idle(&uplink->session)) {
        return false;
    }
    uplink->writable_wanted = false;
    event->kind = DUN_UPLINK_WRITABLE;
    return true;
}

/* Does what the clock asks for and writes. True if that ends the connection. */
static bool settle(struct dun_uplink_mqtt *uplink, dun_ms now, struct dun_uplink_event *event)
{
    uplink->told = 0;
    dun_mqtt_tick(&uplink->session, now);
    const struct dun_mqtt_event *closed = dun_mqtt_next_event(&uplink->session);
    if (closed != NULL) {
        return tell(uplink, closed, now, event);
    }
    drain(uplink, now);
    return false;
}

/* Moves bytes both ways until there is an event or nothing moves. Writing comes last, so that many
 * publishes share a write, and so does the clock: what arrived while we slept is not late. But
 * neither a broker that floods us nor an agent that publishes without end puts them off for ever.
 */
static bool run(struct dun_uplink_mqtt *uplink, dun_ms now, struct dun_uplink_event *event)
{
    bool read_first = uplink->told >= TOLD_MAX;
    uplink->more_input = false;
    if (read_first && settle(uplink, now, event)) {
        return true;
    }
    for (unsigned reads = 0; uplink->state == DUN_UPLINK_MQTT_RUNNING; reads++) {
        if (feed(uplink, now, event)) {
            uplink->told++;
            return true;
        }
        pump(uplink, now);
        if (!read_first && tell_writable(uplink, event)) {
            uplink->told++;
            return true;
        }
        uplink->more_input = reads == READS_MAX;
        if (uplink->more_input || uplink->state != DUN_UPLINK_MQTT_RUNNING || !refill(uplink)) {
            break;
        }
    }
    return uplink->state == DUN_UPLINK_MQTT_RUNNING &&
           (settle(uplink, now, event) || tell_writable(uplink, event));
}

static bool uplink_poll(void *context, dun_ms now, struct dun_uplink_event *event)
{
    struct dun_uplink_mqtt *uplink = context;
    event->kind = DUN_UPLINK_NONE;
    if (uplink->state == DUN_UPLINK_MQTT_OPENING && !link_ready(uplink, now) &&
        uplink->state == DUN_UPLINK_MQTT_OPENING) {
        return false;
    }
    if (uplink->state == DUN_UPLINK_MQTT_RUNNING && run(uplink, now, event)) {
        return true;
    }
    return uplink->state == DUN_UPLINK_MQTT_FAILED && tell_down(uplink, event);
}

static int uplink_publish(void *context, const struct dun_message *message, dun_ms now)
{
    struct dun_uplink_mqtt *uplink = context;
    if (uplink->state != DUN_UPLINK_MQTT_RUNNING) {
        return DUN_E_CLOSED;
    }
    struct dun_mqtt_publish publish = {
        .topic = text_span(message->topic),
        .payload_size = message->payload.size,
        .content_type = text_span(message->content_type),
        .expiry_s = message->expiry_s,
        .alias = message->alias,
        .qos = message->qos,
        .text = message->text,
        .retain = message->retain,
    };
    int error = dun_mqtt_send_publish(&uplink->session, &publish, message->token, now);
    if (error == DUN_OK) {
        uplink->reader = message->payload;
        uplink->writable_wanted = true;
        pump(uplink, now);
    } else {
        uplink->writable_wanted |= !dun_mqtt_is_idle(&uplink->session);
    }
    return error;
}

static int uplink_subscribe(void *context, const char *filter, uint8_t qos, dun_ms now)
{
    struct dun_uplink_mqtt *uplink = context;
    if (uplink->state != DUN_UPLINK_MQTT_RUNNING) {
        return DUN_E_CLOSED;
    }
    int error = dun_mqtt_send_subscribe(&uplink->session, text_span(filter), qos, now);
    uplink->writable_wanted |= !dun_mqtt_is_idle(&uplink->session);
    return error;
}

static bool uplink_wants_write(void *context)
{
    struct dun_uplink_mqtt *uplink = context;
    struct dun_mqtt_piece piece;
    return uplink->state == DUN_UPLINK_MQTT_RUNNING &&
           (uplink->write_end > uplink->write_start || dun_mqtt_output(&uplink->session, &piece));
}

/* What was read waits while the acks that the broker is owed find no room: see can_feed. */
static bool uplink_wants_read(void *context)
{
    struct dun_uplink_mqtt *uplink = context;
    return uplink->state != DUN_UPLINK_MQTT_RUNNING || uplink->read_start == uplink->read_end ||
           dun_mqtt_can_feed(&uplink->session);
}

static dun_ms uplink_deadline(void *context)
{
    struct dun_uplink_mqtt *uplink = context;
    switch (uplink->state) {
    case DUN_UPLINK_MQTT_FAILED:
        return 0;
    case DUN_UPLINK_MQTT_OPENING:
        return dun_ms_earlier(uplink->connect_deadline,
                              uplink->link->deadline(uplink->link->context));
    case DUN_UPLINK_MQTT_RUNNING:
        if (uplink->more_input || (!uplink->blocked && uplink_wants_write(uplink))) {
            return 0; /* a flood, or published after the last poll */
        }
        /* A link that has bytes for us is due now; not while we have no room for them. */
        return dun_ms_earlier(dun_mqtt_deadline(&uplink->session),
                              uplink_wants_read(uplink)
                                  ? uplink->link->deadline(uplink->link->context)
                                  : DUN_MS_NEVER);
    default:
        return DUN_MS_NEVER;
    }
}

static void uplink_close(void *context, bool will, dun_ms now)
{
    struct dun_uplink_mqtt *uplink = context;
    bool v5 = dun_mqtt_is_5(uplink->session.version);
    if (uplink->state == DUN_UPLINK_MQTT_RUNNING && (v5 || !will)) {
        dun_mqtt_send_disconnect(&uplink->session, will ? DUN_MQTT_LEAVE_WITH_WILL : 0);
        drain(uplink, now);
    }
    uplink->link->close(uplink->link->context);
    dun_mqtt_lost(&uplink->session);
    uplink->state = DUN_UPLINK_MQTT_CLOSED;
}

static void uplink_stats(void *context, struct dun_uplink_stats *stats)
{
    const struct dun_uplink_mqtt *uplink = context;
    *stats = (struct dun_uplink_stats){
        .bytes_in = uplink->bytes_in,
        .bytes_out = uplink->bytes_out,
        .unmatched_acks = uplink->session.stats.unmatched_acks,
        .skipped_messages = uplink->session.stats.skipped_messages,
    };
}

int dun_uplink_mqtt_init(struct dun_uplink_mqtt *uplink, const struct dun_link *link,
                         const struct dun_uplink_mqtt_memory *memory, struct dun_uplink *table)
{
    if (memory->read.size < READ_SIZE_MIN || memory->write.size < WRITE_SIZE_MIN) {
        return DUN_E_INVALID;
    }
    *uplink = (struct dun_uplink_mqtt){.link = link, .read = memory->read, .write = memory->write};
    *table = (struct dun_uplink){
        .context = uplink,
        .open = uplink_open,
        .publish = uplink_publish,
        .subscribe = uplink_subscribe,
        .poll = uplink_poll,
        .deadline = uplink_deadline,
        .wants_write = uplink_wants_write,
        .wants_read = uplink_wants_read,
        .close = uplink_close,
        .stats = uplink_stats,
    };
    return dun_mqtt_init(&uplink->session, &memory->session);
}

const struct dun_mqtt_stats *dun_uplink_mqtt_stats(const struct dun_uplink_mqtt *uplink)
{
    return &uplink->session.stats;
}
