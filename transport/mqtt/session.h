/*
 * session.h: the MQTT session of a client: bytes and time in; bytes, events and a deadline out.
 *
 * It calls nobody: no socket, clock, allocator, log or callback. Payloads never pass through it:
 * dun_mqtt_output asks the driver for them, piece by piece, so a message needs no copy in RAM. A
 * publish in flight costs one slot of 4 bytes.
 *
 * One round of a driver: feed what was received, take events until there are none, take output
 * until there is none, call tick, and come back at dun_mqtt_deadline at the latest.
 */
#ifndef DUN_MQTT_SESSION_H
#define DUN_MQTT_SESSION_H

#include "mqtt/packet.h"

#define DUN_MQTT_ALIASES_MAX   8
#define DUN_MQTT_OWED_ACKS_MAX 4 /* PUBACKs that wait for a publish to be written out */

enum dun_mqtt_event_kind {
    DUN_MQTT_EVENT_NONE = 0,
    DUN_MQTT_EVENT_CONNECTED,  /* `session_present` */
    DUN_MQTT_EVENT_ACKED,      /* `token`, `reason`: at or above 0x80 it was refused */
    DUN_MQTT_EVENT_MESSAGE,    /* `topic`, `payload`, `retain` */
    DUN_MQTT_EVENT_SUBSCRIBED, /* `reason`: QoS granted, or 0x80 and above: refused */
    DUN_MQTT_EVENT_CLOSED,     /* `error`; `reason` of a CONNACK (DUN_E_REFUSED) or of a v5
                                * DISCONNECT (DUN_E_CLOSED). Let output go, then close the link */
};

struct dun_mqtt_event {
    enum dun_mqtt_event_kind kind;
    int error;
    uint16_t token;
    uint8_t reason;
    bool session_present;
    bool retain;
    struct dun_span topic; /* into the bytes fed or the rx buffer: valid until the next feed */
    struct dun_span payload;
    struct dun_span server; /* with CLOSED: the v5 Server Reference; NULL data: none */
};

/* One publish in flight. */
struct dun_mqtt_slot {
    uint16_t packet_id;
    uint16_t token;
};

/* Caller-owned, for as long as the session is in use. */
struct dun_mqtt_memory {
    struct dun_buffer rx; /* largest inbound packet that is delivered, 4 bytes or more */
    struct dun_buffer tx; /* CONNECT, and the head of the longest PUBLISH, must fit */
    struct dun_mqtt_slot *slots;
    uint16_t slot_count; /* the window, 1 to 32,767 */
};

/* Limits in time. 0: the default in brackets. */
struct dun_mqtt_times {
    dun_ms connack_deadline; /* a point in time [never] */
    dun_ms ping_timeout_ms;  /* for the PINGRESP [half the keepalive, at least 5 s] */
    dun_ms ack_timeout_ms;   /* for the oldest publish in flight, and a SUBACK [60 s] */
};

/* Output: bytes of ours, or (data NULL) `size` bytes of the payload of message `token`. */
struct dun_mqtt_piece {
    const uint8_t *data;
    size_t size;
    uint32_t offset; /* into the payload */
    uint16_t token;
};

struct dun_mqtt_stats {
    uint32_t unmatched_acks; /* PUBACK or SUBACK of an id that is not in flight; ignored */
    uint32_t refused_subscriptions;
    uint32_t skipped_messages; /* QoS 0, larger than rx; never seen by anybody */
};

enum dun_mqtt_state {
    DUN_MQTT_IDLE = 0,
    DUN_MQTT_CONNECTING, /* CONNECT queued or sent, no CONNACK yet */
    DUN_MQTT_UP,
    DUN_MQTT_LEAVING, /* DISCONNECT queued; input is ignored */
    DUN_MQTT_CLOSED,  /* error found; nothing goes in or out until the next connect */
};

enum dun_mqtt_phase {
    DUN_MQTT_FIRST_BYTE = 0,
    DUN_MQTT_LENGTH,
    DUN_MQTT_BODY,
    DUN_MQTT_SKIP, /* the body of a message larger than rx */
};

struct dun_mqtt_session {
    /* Small fields first: the nearer they lie, the shorter is the code on some machines. */
    uint8_t close_reason;
    uint8_t owed_count;
    uint8_t version;
    uint8_t state; /* enum dun_mqtt_state */
    uint8_t phase; /* enum dun_mqtt_phase */
    uint8_t first_byte;
    uint8_t length_count;
    bool clean;
    bool has_session; /* a broker accepted us since init */
    bool retain_available;
    uint8_t qos_max;
    uint8_t alias_max;    /* topic aliases that the broker takes, at most DUN_MQTT_ALIASES_MAX */
    uint8_t aliases_sent; /* a bit each: the broker knows its topic */
    bool aliases_refused; /* a broker did not like how we use them: none until init */
    uint8_t leave_reason; /* of the DISCONNECT that is due */
    bool farewell;        /* a DISCONNECT with our reason is in tx */
    bool event_ready;     /* `event` waits to be taken */
    bool ping_due;
    bool leave_due;
    bool close_told;

    /* Slots are a ring in the order of publishing. Its oldest `survivors` belong to an earlier
     * connection and wait to be published again; the rest is in flight. */
    uint16_t ring_head, ring_count, survivors;
    uint16_t next_id;
    uint16_t ids_clear; /* so many ids from next_id on are not in use */
    uint16_t subscribe_id;
    uint16_t window; /* publishes in flight that slots and broker allow */
    uint16_t payload_token;
    uint16_t owed_acks[DUN_MQTT_OWED_ACKS_MAX];
    uint16_t message_id; /* of the message in `event`, owed a PUBACK once it is taken */

    int close_error;
    uint32_t body_size; /* remaining length of the packet being received */
    uint32_t body_have;
    uint32_t payload_size; /* of the publish being written */
    uint32_t payload_left; /* not 0: nothing else may be queued */
    uint32_t tx_start, tx_end;
    uint32_t packet_max; /* the largest packet the broker takes */
    struct dun_span close_server;

    struct dun_mqtt_memory memory;
    struct dun_mqtt_stats stats;
    struct dun_mqtt_event event;
    dun_ms keepalive_ms; /* 0: none */
    dun_ms ping_timeout_ms;
    dun_ms ack_timeout_ms;
    dun_ms connack_deadline;
    dun_ms last_sent;
    dun_ms last_received;
    dun_ms pong_deadline; /* DUN_MS_NEVER: no PINGREQ is unanswered */
    dun_ms head_since;    /* when the oldest publish in flight became the oldest */
    dun_ms subscribe_since;
};

/* 0, or DUN_E_INVALID if the memory is too small to work with. */
DUN_MUST_USE int dun_mqtt_init(struct dun_mqtt_session *session,
                               const struct dun_mqtt_memory *memory);

/*
 * Begins a connection over a fresh link: queues CONNECT. Publishes unacknowledged so far are kept
 * unless `clean_start`; the CONNACK decides if they live on. DUN_E_INVALID, DUN_E_TOO_LARGE when
 * CONNECT does not fit tx, DUN_E_UNSUPPORTED for a version that there is not. In v5 a session of
 * which we have nothing may not be resumed (3.2.2-4): start the first connection of a boot clean.
 */
DUN_MUST_USE int dun_mqtt_connect(struct dun_mqtt_session *session,
                                  const struct dun_mqtt_connect *connect,
                                  const struct dun_mqtt_times *times, dun_ms now);

/*
 * Queues a PUBLISH; its payload follows through dun_mqtt_output. With QoS 1 the token of a message
 * of an earlier connection of this session gets its old packet id and DUP (4.4). `packet_id`, `dup`
 * and `payload` of the argument are ignored. DUN_E_AGAIN: window full or another publish is being
 * written; DUN_E_CLOSED: not up; DUN_E_INVALID: the topic; DUN_E_TOO_LARGE: the head for
 * tx, or the packet for this broker; DUN_E_UNSUPPORTED: QoS 1 where the broker takes none (v5
 * 3.2.2-11). Retain is left out where the broker has none. `alias` means this topic and no other as
 * long as the session lives; it is used as far as the broker allows, and left out otherwise.
 */
DUN_MUST_USE int dun_mqtt_send_publish(struct dun_mqtt_session *session,
                                       const struct dun_mqtt_publish *publish, uint16_t token,
                                       dun_ms now);

/* Queues a SUBSCRIBE of one filter. One at a time: DUN_E_AGAIN until SUBSCRIBED. */
DUN_MUST_USE int dun_mqtt_send_subscribe(struct dun_mqtt_session *session, struct dun_span filter,
                                         uint8_t qos, dun_ms now);

/* Queues a DISCONNECT, after the publish being written; after it nothing goes out. A reason other
 * than 0 needs v5. */
void dun_mqtt_send_disconnect(struct dun_mqtt_session *session, uint8_t reason);

/*
 * Takes received bytes up to the next event and returns how many. Fewer than all: take the event,
 * or (no event) let output move first. Bytes may be cut anywhere.
 */
size_t dun_mqtt_feed(struct dun_mqtt_session *session, struct dun_span input, dun_ms now);

/* The event at hand, or NULL. It is taken by this call and valid until the next feed. */
const struct dun_mqtt_event *dun_mqtt_next_event(struct dun_mqtt_session *session);

/* The next piece to write, or false. It stays the next one until dun_mqtt_taken. */
bool dun_mqtt_output(struct dun_mqtt_session *session, struct dun_mqtt_piece *piece);

/* The driver took the first `size` bytes of that piece. */
void dun_mqtt_taken(struct dun_mqtt_session *session, size_t size, dun_ms now);

/* Does what is due by `now`: ping, time-outs. dun_mqtt_deadline tells when something will be. */
void dun_mqtt_tick(struct dun_mqtt_session *session, dun_ms now);
dun_ms dun_mqtt_deadline(const struct dun_mqtt_session *session);

/* The link is gone. Gives no event; slots are kept for the next connect. */
void dun_mqtt_lost(struct dun_mqtt_session *session);

/* True when nothing waits to be written: a publish or subscribe then meets only the window. */
bool dun_mqtt_is_idle(const struct dun_mqtt_session *session);

/* False when feed would take nothing until an event is taken or output has moved. */
bool dun_mqtt_can_feed(const struct dun_mqtt_session *session);

#endif
