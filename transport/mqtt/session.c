/*
 * session.c: the MQTT session of a client, as a machine that is fed bytes and time.
 *
 * It never calls out, allocates or blocks, and never copies a payload. Invariants:
 *  - A slot is freed only by a PUBACK that names the id of a publish in flight on this connection,
 *    or when the broker says that it forgot the session.
 *  - A packet id is never 0 and never one that is in use.
 *  - While a payload is being written nothing else is queued, so packets never interleave.
 *  - Every call of feed consumes a byte unless an event waits, PUBACKs of ours wait for output, or
 *    the session is over: no loop goes on without progress.
 */
#include "mqtt/session.h"

#include <string.h>

#define ACK_TIMEOUT_MS      60000
#define PING_TIMEOUT_MS_MIN 5000

static struct dun_buffer tx_room(const struct dun_mqtt_session *session)
{
    return (struct dun_buffer){session->memory.tx.data + session->tx_end,
                               session->memory.tx.size - session->tx_end};
}

/// Life of a connection ///

int dun_mqtt_init(struct dun_mqtt_session *session, const struct dun_mqtt_memory *memory)
{
    if (memory->rx.size < 4 || memory->tx.size < 16 || memory->slot_count == 0 ||
        memory->slot_count > INT16_MAX) {
        return DUN_E_INVALID;
    }
    *session = (struct dun_mqtt_session){.memory = *memory, .next_id = 1};
    return DUN_OK;
}

static dun_ms or_default(dun_ms value, dun_ms fallback)
{
    return value != 0 ? value : fallback;
}

static void set_keepalive(struct dun_mqtt_session *session, uint16_t keepalive_s)
{
    session->keepalive_ms = keepalive_s * (dun_ms)1000;
    session->ping_timeout_ms = session->keepalive_ms / 2;
    if (session->ping_timeout_ms < PING_TIMEOUT_MS_MIN) {
        session->ping_timeout_ms = PING_TIMEOUT_MS_MIN;
    }
}

int dun_mqtt_connect(struct dun_mqtt_session *session, const struct dun_mqtt_connect *connect,
                     const struct dun_mqtt_times *times, dun_ms now)
{
    dun_mqtt_lost(session);
    int size = dun_mqtt_encode_connect(session->memory.tx, connect);
    if (size < 0) {
        return size;
    }
    session->version = dun_mqtt_is_5(connect->version) ? DUN_MQTT_5 : DUN_MQTT_3_1_1;
    session->state = DUN_MQTT_CONNECTING;
    session->tx_end = (uint32_t)size;
    session->clean = connect->clean_start;
    set_keepalive(session, connect->keepalive_s);
    session->ping_timeout_ms = or_default(times->ping_timeout_ms, session->ping_timeout_ms);
    session->ack_timeout_ms = or_default(times->ack_timeout_ms, ACK_TIMEOUT_MS);
    session->connack_deadline = or_default(times->connack_deadline, DUN_MS_NEVER);
    session->last_sent = now;
    session->last_received = now;
    session->pong_deadline = DUN_MS_NEVER;
    return DUN_OK;
}

void dun_mqtt_lost(struct dun_mqtt_session *session)
{
    session->state = DUN_MQTT_IDLE;
    session->phase = DUN_MQTT_FIRST_BYTE;
    session->close_server = (struct dun_span){NULL, 0};
    session->event_ready = false;
    session->tx_start = 0;
    session->tx_end = 0;
    session->payload_left = 0;
    session->owed_count = 0;
    session->message_id = 0;
    session->subscribe_id = 0;
    session->ping_due = false;
    session->leave_due = false;
    session->close_told = false;
    session->farewell = false;
}

/* Counts what was encoded into tx_room as queued, unless that failed. */
static bool queue(struct dun_mqtt_session *session, int size)
{
    if (size > 0) {
        session->tx_end += (uint32_t)size;
    }
    return size > 0;
}

/* What a v5 broker is told about an error; 0: nothing. */
static uint8_t farewell_reason(int error)
{
    switch (error) {
    case DUN_E_CORRUPT:
        return DUN_MQTT_MALFORMED;
    case DUN_E_PROTOCOL:
        return DUN_MQTT_PROTOCOL_ERROR;
    case DUN_E_TOO_LARGE:
        return DUN_MQTT_TOO_LARGE;
    default:
        return 0;
    }
}

/* Queues a DISCONNECT that says why, unless we are in the middle of a packet (v5 4.13.1). */
static void say_farewell(struct dun_mqtt_session *session, int error)
{
    uint8_t reason = farewell_reason(error);
    if (!dun_mqtt_is_5(session->version) || session->payload_left > 0 || reason == 0) {
        return;
    }
    session->farewell = queue(session, dun_mqtt_encode_disconnect(tx_room(session), reason));
}

/* The connection cannot go on. */
static void fail(struct dun_mqtt_session *session, int error, uint8_t reason)
{
    if (session->state == DUN_MQTT_CLOSED || session->state == DUN_MQTT_IDLE) {
        return;
    }
    say_farewell(session, error);
    session->state = DUN_MQTT_CLOSED;
    session->close_error = error == DUN_E_CORRUPT ? DUN_E_PROTOCOL : error;
    session->close_reason = reason;
    session->close_told = false;
}

/// Slots ///

static struct dun_mqtt_slot *slot_at(const struct dun_mqtt_session *session, unsigned position)
{
    unsigned index = session->ring_head + position;
    unsigned count = session->memory.slot_count;
    return &session->memory.slots[index < count ? index : index - count];
}

/* Takes the slot at `position` out; those before it move up, so the order stays. Acks come in the
 * order of publishing, so `position` is nearly always 0. */
static void slot_remove(struct dun_mqtt_session *session, unsigned position)
{
    for (; position > 0; position--) {
        *slot_at(session, position) = *slot_at(session, position - 1);
    }
    unsigned next = session->ring_head + 1u;
    session->ring_head = (uint16_t)(next < session->memory.slot_count ? next : 0);
    session->ring_count--;
}

static void slot_append(struct dun_mqtt_session *session, struct dun_mqtt_slot slot, dun_ms now)
{
    if (session->ring_count == session->survivors) {
        session->head_since = now;
    }
    *slot_at(session, session->ring_count++) = slot;
}

/* Where among the survivors `token` is, or `survivors` if it is not. */
static unsigned survivor_find(const struct dun_mqtt_session *session, uint16_t token)
{
    unsigned i = 0;
    while (i < session->survivors && slot_at(session, i)->token != token) {
        i++;
    }
    return i;
}

static bool id_in_use(const struct dun_mqtt_session *session, uint16_t id)
{
    for (unsigned i = 0; i < session->ring_count; i++) {
        if (slot_at(session, i)->packet_id == id) {
            return true;
        }
    }
    return id == session->subscribe_id;
}

static uint16_t id_after(uint16_t id)
{
    return id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
}

/* How many steps of id_after lead from `from` to `to`. */
static uint16_t id_distance(uint16_t from, uint16_t to)
{
    return (uint16_t)(to >= from ? to - from : UINT16_MAX - from + to);
}

/* Moves next_id to a free one and counts the free ones after it: ids in use only become fewer
 * meanwhile, so this search is done once in tens of thousands of messages. */
static void ids_recount(struct dun_mqtt_session *session)
{
    while (id_in_use(session, session->next_id)) {
        session->next_id = id_after(session->next_id);
    }
    uint16_t clear = UINT16_MAX;
    for (unsigned i = 0; i <= session->ring_count; i++) {
        bool slot = i < session->ring_count;
        uint16_t id = slot ? slot_at(session, i)->packet_id : session->subscribe_id;
        uint16_t distance = id_distance(session->next_id, id);
        clear = id != 0 && distance < clear ? distance : clear;
    }
    session->ids_clear = clear;
}

static uint16_t id_take(struct dun_mqtt_session *session)
{
    if (session->ids_clear == 0) {
        ids_recount(session);
    }
    uint16_t id = session->next_id;
    session->ids_clear--;
    session->next_id = id_after(id);
    return id;
}

/// Sending ///

/* 0 if a packet may be queued now. */
static int may_send(const struct dun_mqtt_session *session)
{
    if (session->state != DUN_MQTT_UP) {
        return DUN_E_CLOSED;
    }
    return session->payload_left > 0 ? DUN_E_AGAIN : DUN_OK;
}

/* A packet that does not fit behind others may fit alone. */
static int too_large_now(const struct dun_mqtt_session *session, int error)
{
    return error == DUN_E_TOO_LARGE && session->tx_end > 0 ? DUN_E_AGAIN : error;
}

/* Encodes a head into tx, where it counts once tx_end is moved. */
static int encode_head(const struct dun_mqtt_session *session,
                       const struct dun_mqtt_publish *publish)
{
    int size = dun_mqtt_encode_publish(session->version, tx_room(session), publish);
    if (size < 0) {
        return too_large_now(session, size);
    }
    bool fits = (uint32_t)size + publish->payload_size <= session->packet_max; /* v5 3.2.2-15 */
    return fits ? size : DUN_E_TOO_LARGE;
}

/* Survivors do not block: the agent has dropped what it does not publish again, so the oldest of
 * them gives way when its slot is needed. */
static bool window_open(const struct dun_mqtt_session *session)
{
    return session->ring_count - session->survivors < session->window;
}

bool dun_mqtt_is_idle(const struct dun_mqtt_session *session)
{
    return session->state == DUN_MQTT_UP && session->payload_left == 0 && session->tx_end == 0;
}

/* Queues the head with a fresh id, or the old one of a message of this session. */
static int send_head(struct dun_mqtt_session *session, struct dun_mqtt_publish *publish,
                     uint16_t token, dun_ms now)
{
    unsigned survivor = survivor_find(session, token);
    publish->dup = survivor < session->survivors;
    publish->packet_id = publish->dup ? slot_at(session, survivor)->packet_id : id_take(session);
    int size = encode_head(session, publish);
    if (size < 0) {
        return size;
    }
    if (publish->dup || session->ring_count == session->memory.slot_count) {
        slot_remove(session, publish->dup ? survivor : 0);
        session->survivors--;
    }
    slot_append(session, (struct dun_mqtt_slot){publish->packet_id, token}, now);
    return size;
}

/* v5 3.3.2.3.4: the first time both the topic and its alias, then the alias alone. */
static void use_alias(const struct dun_mqtt_session *session, struct dun_mqtt_publish *publish)
{
    bool allowed = dun_mqtt_is_5(session->version) && publish->alias <= session->alias_max;
    if (!allowed || publish->alias == 0) {
        publish->alias = 0;
    } else if ((session->aliases_sent >> (publish->alias - 1) & 1) != 0) {
        publish->topic.size = 0;
    }
}

int dun_mqtt_send_publish(struct dun_mqtt_session *session, const struct dun_mqtt_publish *publish,
                          uint16_t token, dun_ms now)
{
    int error = may_send(session);
    if (error != DUN_OK) {
        return error;
    }
    if (publish->qos > session->qos_max) {
        return DUN_E_UNSUPPORTED;
    }
    if (publish->qos > 0 && !window_open(session)) {
        return DUN_E_AGAIN;
    }
    struct dun_mqtt_publish packet = *publish;
    packet.packet_id = 0;
    packet.retain = publish->retain && session->retain_available; /* v5 3.2.2-14 */
    use_alias(session, &packet);
    int size =
        publish->qos > 0 ? send_head(session, &packet, token, now) : encode_head(session, &packet);
    if (size < 0) {
        return size;
    }
    if (packet.alias != 0) {
        session->aliases_sent |= (uint8_t)(1u << (packet.alias - 1));
    }
    session->tx_end += (uint32_t)size;
    session->payload_size = publish->payload_size;
    session->payload_left = publish->payload_size;
    session->payload_token = token;
    return DUN_OK;
}

int dun_mqtt_send_subscribe(struct dun_mqtt_session *session, struct dun_span filter, uint8_t qos,
                            dun_ms now)
{
    int error = dun_has_inbound() ? may_send(session) : DUN_E_UNSUPPORTED;
    if (error != DUN_OK) {
        return error;
    }
    if (session->subscribe_id != 0) {
        return DUN_E_AGAIN;
    }
    uint16_t id = id_take(session);
    int size = dun_mqtt_encode_subscribe(session->version, tx_room(session), id, filter, qos);
    if (size < 0) {
        return too_large_now(session, size);
    }
    session->tx_end += (uint32_t)size;
    session->subscribe_id = id;
    session->subscribe_since = now;
    return DUN_OK;
}

void dun_mqtt_send_disconnect(struct dun_mqtt_session *session, uint8_t reason)
{
    if (session->state == DUN_MQTT_UP) {
        session->leave_due = true;
        session->leave_reason = reason;
        session->state = DUN_MQTT_LEAVING;
    }
}

/* Acks that the broker is owed. */
static uint8_t owed_count(const struct dun_mqtt_session *session)
{
    return dun_has_inbound() ? session->owed_count : 0;
}

/* Queues what waited for the gap between two publishes. What finds no room stays due. */
static void queue_control(struct dun_mqtt_session *session)
{
    while (owed_count(session) > 0) {
        if (!queue(session, dun_mqtt_encode_puback(tx_room(session), session->owed_acks[0]))) {
            return;
        }
        session->owed_count--;
        memmove(session->owed_acks, session->owed_acks + 1,
                session->owed_count * sizeof session->owed_acks[0]);
    }
    if (session->ping_due && queue(session, dun_mqtt_encode_pingreq(tx_room(session)))) {
        session->ping_due = false;
    }
    if (session->leave_due &&
        queue(session, dun_mqtt_encode_disconnect(tx_room(session), session->leave_reason))) {
        session->leave_due = false;
    }
}

static bool control_due(const struct dun_mqtt_session *session)
{
    return owed_count(session) > 0 || session->ping_due || session->leave_due;
}

bool dun_mqtt_output(struct dun_mqtt_session *session, struct dun_mqtt_piece *piece)
{
    bool closed = session->state == DUN_MQTT_CLOSED;
    if (session->state == DUN_MQTT_IDLE || (closed && !session->farewell)) {
        return false;
    }
    if (session->payload_left == 0 && !closed && control_due(session)) {
        queue_control(session);
    }
    if (session->tx_start < session->tx_end) {
        piece->data = session->memory.tx.data + session->tx_start;
        piece->size = session->tx_end - session->tx_start;
        return true;
    }
    if (session->payload_left == 0) {
        return false;
    }
    piece->data = NULL;
    piece->size = session->payload_left;
    piece->offset = session->payload_size - session->payload_left;
    piece->token = session->payload_token;
    return true;
}

void dun_mqtt_taken(struct dun_mqtt_session *session, size_t size, dun_ms now)
{
    session->last_sent = now;
    if (session->ping_due) {
        session->pong_deadline = now + session->ping_timeout_ms; /* it has yet to go out */
    }
    if (session->tx_start < session->tx_end) {
        DUN_ASSERT(size <= session->tx_end - session->tx_start);
        session->tx_start += (uint32_t)size;
        if (session->tx_start == session->tx_end) {
            session->tx_start = 0;
            session->tx_end = 0;
        }
        return;
    }
    DUN_ASSERT(size <= session->payload_left);
    session->payload_left -= (uint32_t)size;
    if (session->ring_count - session->survivors == 1) {
        session->head_since = now; /* a long payload on a slow link is not a missing ack */
    }
}

/// Receiving ///

/* What the broker allows from now on. */
static void take_limits(struct dun_mqtt_session *session, const struct dun_mqtt_connack *connack)
{
    uint16_t slots = session->memory.slot_count;
    session->window = slots < connack->receive_maximum ? slots : connack->receive_maximum;
    session->packet_max = connack->maximum_packet_size;
    session->retain_available = connack->retain_available;
    session->qos_max = connack->maximum_qos;
    uint16_t aliases = session->aliases_refused ? 0 : connack->topic_alias_maximum;
    session->alias_max = (uint8_t)(aliases < DUN_MQTT_ALIASES_MAX ? aliases : DUN_MQTT_ALIASES_MAX);
    session->aliases_sent = 0; /* an alias lives as long as its connection */
    if (connack->keepalive_given) {
        set_keepalive(session, connack->server_keepalive_s); /* v5 3.1.2-21 */
    }
}

/* 0, or why this CONNACK ends the connection. */
static int connack_error(const struct dun_mqtt_session *session,
                         const struct dun_mqtt_connack *connack)
{
    bool v5 = dun_mqtt_is_5(session->version);
    if (connack->reason != 0) {
        return DUN_E_REFUSED;
    }
    bool unknown = session->clean || (v5 && !session->has_session);
    /* 3.2.2-1, v5 3.2.2-2 and 3.2.2-4 */
    return connack->session_present && unknown ? DUN_E_PROTOCOL : DUN_OK;
}

static void handle_connack(struct dun_mqtt_session *session, struct dun_span body)
{
    struct dun_mqtt_connack connack = {.reason = 0};
    int error = dun_mqtt_decode_connack(session->version, body, &connack);
    if (error == DUN_OK) {
        error = connack_error(session, &connack);
    }
    if (error != DUN_OK) {
        session->close_server = connack.server_reference;
        fail(session, error, error == DUN_E_REFUSED ? connack.reason : 0);
        return;
    }
    if (!connack.session_present) {
        session->ring_count = 0;
    }
    take_limits(session, &connack);
    session->survivors = session->ring_count;
    session->has_session = true;
    session->state = DUN_MQTT_UP;
    session->event_ready = true;
    session->event = (struct dun_mqtt_event){.kind = DUN_MQTT_EVENT_CONNECTED,
                                             .session_present = connack.session_present};
}

static void handle_puback(struct dun_mqtt_session *session, struct dun_span body, dun_ms now)
{
    uint16_t id;
    uint8_t reason;
    int error = dun_mqtt_decode_puback(session->version, body, &id, &reason);
    if (error != DUN_OK) {
        fail(session, error, 0);
        return;
    }
    for (unsigned i = session->survivors; i < session->ring_count; i++) {
        struct dun_mqtt_slot slot = *slot_at(session, i);
        if (slot.packet_id == id) {
            if (i == session->survivors) {
                session->head_since = now;
            }
            slot_remove(session, i);
            if (reason >= DUN_MQTT_FAILURE) {
                session->aliases_sent = 0; /* perhaps it did not learn what it refused */
            }
            session->event_ready = true;
            session->event.kind = DUN_MQTT_EVENT_ACKED;
            session->event.token = slot.token;
            session->event.reason = reason;
            return;
        }
    }
    session->stats.unmatched_acks++;
}

static void handle_suback(struct dun_mqtt_session *session, struct dun_span body)
{
    uint16_t id;
    uint8_t reason;
    if (!dun_has_inbound()) {
        session->stats.unmatched_acks++;
        return;
    }
    int error = dun_mqtt_decode_suback(session->version, body, &id, &reason);
    if (error != DUN_OK) {
        fail(session, error, 0);
    } else if (id != session->subscribe_id) {
        session->stats.unmatched_acks++;
    } else {
        session->subscribe_id = 0;
        session->stats.refused_subscriptions += reason >= 0x80;
        session->event_ready = true;
        session->event =
            (struct dun_mqtt_event){.kind = DUN_MQTT_EVENT_SUBSCRIBED, .reason = reason};
    }
}

static void handle_publish(struct dun_mqtt_session *session, struct dun_span body)
{
    struct dun_mqtt_publish publish;
    if (!dun_has_inbound()) {
        return;
    }
    int error = dun_mqtt_decode_publish(session->version, session->first_byte, body, &publish);
    if (error != DUN_OK) {
        fail(session, error, 0);
        return;
    }
    session->message_id = publish.packet_id;
    session->event_ready = true;
    session->event = (struct dun_mqtt_event){.kind = DUN_MQTT_EVENT_MESSAGE,
                                             .topic = publish.topic,
                                             .payload = publish.payload,
                                             .retain = publish.retain};
}

static void handle_pingresp(struct dun_mqtt_session *session, struct dun_span body)
{
    session->pong_deadline = DUN_MS_NEVER;
    if (body.size != 0) {
        fail(session, DUN_E_PROTOCOL, 0);
    }
}

static void handle_disconnect(struct dun_mqtt_session *session, struct dun_span body)
{
    uint8_t reason;
    if (!dun_mqtt_is_5(session->version)) {
        return; /* dun_mqtt_decode_first lets none through */
    }
    int error = dun_mqtt_decode_disconnect(body, &reason, &session->close_server);
    session->aliases_refused |= error == DUN_OK && reason == DUN_MQTT_ALIAS_INVALID;
    if (error != DUN_OK) {
        session->close_server = (struct dun_span){NULL, 0};
    }
    fail(session, error != DUN_OK ? error : DUN_E_CLOSED, error != DUN_OK ? 0 : reason);
}

static void handle_packet(struct dun_mqtt_session *session, struct dun_span body, dun_ms now)
{
    session->phase = DUN_MQTT_FIRST_BYTE;
    switch (session->first_byte >> 4) {
    case DUN_MQTT_PUBACK:
        handle_puback(session, body, now);
        break;
    case DUN_MQTT_PUBLISH:
        handle_publish(session, body);
        break;
    case DUN_MQTT_SUBACK:
        handle_suback(session, body);
        break;
    case DUN_MQTT_PINGRESP:
        handle_pingresp(session, body);
        break;
    case DUN_MQTT_DISCONNECT:
        handle_disconnect(session, body);
        break;
    default:
        handle_connack(session, body);
        break;
    }
}

/* The first packet must be a CONNACK, and no other may be one (3.2.0-1, 3.2.0-2). */
static size_t feed_first(struct dun_mqtt_session *session, uint8_t first)
{
    int type = dun_mqtt_decode_first(session->version, first);
    if (type >= 0 && (type == DUN_MQTT_CONNACK) != (session->state == DUN_MQTT_CONNECTING)) {
        type = DUN_E_PROTOCOL;
    }
    if (type < 0) {
        fail(session, type, 0);
        return 1;
    }
    if (type == DUN_MQTT_PUBLISH && owed_count(session) == DUN_MQTT_OWED_ACKS_MAX) {
        return 0;
    }
    session->first_byte = first;
    session->length_count = 0;
    session->phase = DUN_MQTT_LENGTH;
    return 1;
}

/* Decides what becomes of a body once its size is known. */
static void begin_body(struct dun_mqtt_session *session)
{
    session->body_have = 0;
    session->phase = DUN_MQTT_BODY;
    bool message = session->first_byte >> 4 == DUN_MQTT_PUBLISH;
    bool unheard = message && !dun_has_inbound(); /* of an older session: the broker keeps it */
    if (session->body_size <= session->memory.rx.size && !unheard) {
        return;
    }
    /* Only a QoS 0 message may be passed over. One with QoS 1 would have to be acknowledged, and
     * nobody has seen it; any other packet of this size is a lie. */
    if (!unheard && !(message && (session->first_byte & 0x06) == 0)) {
        fail(session, DUN_E_TOO_LARGE, 0);
        return;
    }
    session->stats.skipped_messages++;
    session->phase = DUN_MQTT_SKIP;
}

static size_t feed_length(struct dun_mqtt_session *session, uint8_t byte, dun_ms now)
{
    int done = dun_mqtt_decode_length(session->version, byte, session->length_count++,
                                      &session->body_size);
    if (done < 0) {
        fail(session, done, 0);
    } else if (done > 0) {
        begin_body(session);
        if (session->body_size == 0) {
            handle_packet(session, (struct dun_span){session->memory.rx.data, 0}, now);
        }
    }
    return 1;
}

/* A body that lies whole in the input is handled where it is. */
static size_t feed_body(struct dun_mqtt_session *session, struct dun_span input, dun_ms now)
{
    uint32_t missing = session->body_size - session->body_have;
    if (session->body_have == 0 && input.size >= missing) {
        handle_packet(session, (struct dun_span){input.data, missing}, now);
        return missing;
    }
    size_t size = input.size < missing ? input.size : missing;
    memcpy(session->memory.rx.data + session->body_have, input.data, size);
    session->body_have += (uint32_t)size;
    if (size == missing) {
        handle_packet(session, (struct dun_span){session->memory.rx.data, session->body_size}, now);
    }
    return size;
}

static size_t feed_skip(struct dun_mqtt_session *session, size_t size)
{
    uint32_t missing = session->body_size - session->body_have;
    if (size >= missing) {
        session->phase = DUN_MQTT_FIRST_BYTE;
        return missing;
    }
    session->body_have += (uint32_t)size;
    return size;
}

/* Takes at least one byte; 0 means that output has to move first. */
static size_t feed_some(struct dun_mqtt_session *session, struct dun_span input, dun_ms now)
{
    switch (session->phase) {
    case DUN_MQTT_FIRST_BYTE:
        return feed_first(session, input.data[0]);
    case DUN_MQTT_LENGTH:
        return feed_length(session, input.data[0], now);
    case DUN_MQTT_BODY:
        return feed_body(session, input, now);
    default:
        return feed_skip(session, input.size);
    }
}

bool dun_mqtt_can_feed(const struct dun_mqtt_session *session)
{
    bool open = session->state == DUN_MQTT_CONNECTING || session->state == DUN_MQTT_UP;
    return open && !session->event_ready && owed_count(session) < DUN_MQTT_OWED_ACKS_MAX;
}

size_t dun_mqtt_feed(struct dun_mqtt_session *session, struct dun_span input, dun_ms now)
{
    size_t size = input.size;
    if (size > 0) {
        session->last_received = now;
    }
    while (input.size > 0 && !session->event_ready &&
           (session->state == DUN_MQTT_CONNECTING || session->state == DUN_MQTT_UP)) {
        size_t used = feed_some(session, input, now);
        if (used == 0) {
            break;
        }
        input.data += used;
        input.size -= used;
    }
    return size - input.size;
}

const struct dun_mqtt_event *dun_mqtt_next_event(struct dun_mqtt_session *session)
{
    if (session->event_ready) {
        session->event_ready = false;
        if (dun_has_inbound() && session->message_id != 0) {
            session->owed_acks[session->owed_count++] = session->message_id;
            session->message_id = 0;
        }
        return &session->event;
    }
    if (session->state == DUN_MQTT_CLOSED && !session->close_told) {
        session->close_told = true;
        session->event = (struct dun_mqtt_event){.kind = DUN_MQTT_EVENT_CLOSED,
                                                 .error = session->close_error,
                                                 .reason = session->close_reason,
                                                 .server = session->close_server};
        return &session->event;
    }
    return NULL;
}

/// Time ///

/* When a ping is due: an eighth of the keepalive early, so that a late wake-up or a slow link does
 * not pass it (3.1.2-23); also when we do send but hear nothing, to find a half-open link. */
static dun_ms ping_deadline(const struct dun_mqtt_session *session)
{
    if (session->keepalive_ms == 0 || session->pong_deadline != DUN_MS_NEVER) {
        return DUN_MS_NEVER;
    }
    return dun_ms_earlier(session->last_sent, session->last_received) + session->keepalive_ms -
           session->keepalive_ms / 8;
}

/* When an answer that only the broker can give is overdue. */
static dun_ms answer_deadline(const struct dun_mqtt_session *session)
{
    dun_ms deadline = session->pong_deadline;
    if (session->ring_count > session->survivors) {
        deadline = dun_ms_earlier(deadline, session->head_since + session->ack_timeout_ms);
    }
    if (session->subscribe_id != 0) {
        deadline = dun_ms_earlier(deadline, session->subscribe_since + session->ack_timeout_ms);
    }
    return deadline;
}

void dun_mqtt_tick(struct dun_mqtt_session *session, dun_ms now)
{
    bool late = session->state == DUN_MQTT_CONNECTING ? now >= session->connack_deadline
                : session->state == DUN_MQTT_UP       ? now >= answer_deadline(session)
                                                      : false;
    if (late) {
        fail(session, DUN_E_TIMEOUT, 0);
    } else if (session->state == DUN_MQTT_UP && now >= ping_deadline(session)) {
        session->ping_due = true;
        session->pong_deadline = now + session->ping_timeout_ms;
    }
}

dun_ms dun_mqtt_deadline(const struct dun_mqtt_session *session)
{
    if (session->state == DUN_MQTT_CONNECTING) {
        return session->connack_deadline;
    }
    if (session->state != DUN_MQTT_UP) {
        return DUN_MS_NEVER;
    }
    return dun_ms_earlier(ping_deadline(session), answer_deadline(session));
}
