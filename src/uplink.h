/*
 * uplink.h: the message-level seam to a broker. Two implementations stand behind it:
 * transport/mqtt/ (our own client) and transport/paho/. It knows no metrics.
 *
 * One uplink carries one connection at a time. The agent opens it, polls it, publishes when it is
 * UP, and opens it again after DOWN when its own backoff says so. Unacknowledged messages are the
 * agent's to publish again, in the order of old, with the same token: then, and only if the broker
 * kept the session, the uplink sends them with the same packet id and DUP set.
 *
 * The uplink keeps to what the broker allows and makes no policy: which version to speak, which
 * broker to go to and what a reason means for a message is the agent's to decide. What is marked
 * v5 is left out where the connection speaks 3.1.1. Sections are those of MQTT 5.0.
 */
#ifndef DUN_UPLINK_H
#define DUN_UPLINK_H

#include "base.h"

#define DUN_UPLINK_ALIASES_MAX 8

enum dun_uplink_event_kind {
    DUN_UPLINK_NONE = 0,
    DUN_UPLINK_UP,       /* the broker accepted us; `session_present` tells if it knew us */
    DUN_UPLINK_DOWN,     /* the connection is over, or never came to be; `error`, `reason` */
    DUN_UPLINK_ACKED,    /* message `token` was acknowledged; `reason` >= 0x80: refused */
    DUN_UPLINK_MESSAGE,  /* a message on a subscribed topic: `topic`, `payload` */
    DUN_UPLINK_WRITABLE, /* publish will accept a message again */
};

/* What the broker grants this connection; from 3.1.1 on, which cannot say, all there is. */
struct dun_uplink_terms {
    uint32_t packet_max; /* bytes of a whole packet to the broker; UINT32_MAX: no limit */
    uint8_t qos_max;     /* 0: a publish with QoS 1 is refused with DUN_E_UNSUPPORTED */
    bool retain;         /* false: `retain` of messages is left out */
};

struct dun_uplink_event {
    enum dun_uplink_event_kind kind;
    bool session_present;
    uint8_t reason; /* MQTT 5 reason code, or the 3.1.1 CONNACK return code on DOWN, which has
                     * DUN_E_REFUSED (CONNACK), DUN_E_CLOSED (DISCONNECT, or no word at all: 0) or
                     * DUN_E_UNSUPPORTED (the broker does not know this version) beside it */
    uint16_t token;
    int error;                     /* enum dun_error, with DOWN */
    struct dun_uplink_terms terms; /* with UP */
    /* Valid until the next call on this uplink. */
    struct dun_span topic;
    struct dun_span payload;
    struct dun_span server; /* v5, with DOWN: the Server Reference (4.11), or empty */
};

/* Where a payload comes from. `read` fills exactly `size` bytes from `offset`, or fails; it is
 * called in ascending order, from poll and publish, until the message is written out. */
struct dun_reader {
    void *context;
    uint32_t size;
    int (*read)(void *context, uint32_t offset, void *data, uint32_t size);
};

struct dun_message {
    const char *topic; /* NUL-terminated, at most 65,535 bytes; borrowed during the call only */
    struct dun_reader payload; /* borrowed until WRITABLE or DOWN */
    uint16_t token;            /* given back with ACKED; unique among the unacknowledged */
    uint8_t qos;               /* 0 or 1; with 0 WRITABLE is all that follows */
    bool retain;
    bool text;                /* v5: the payload is UTF-8, and the format indicator says so */
    const char *content_type; /* v5: as `topic`; NULL: none */
    uint32_t expiry_s;        /* v5: the broker drops what it did not deliver after; 0: never */
    /* v5: a number for this topic and no other, 1 to DUN_UPLINK_ALIASES_MAX: once the topic was
     * sent on this connection, the number may stand for it (3.3.2.3.4). 0: never. */
    uint8_t alias;
};

/* How to connect. Strings are borrowed for as long as the uplink is in use, but for the will's
 * topic, which is during the call. */
struct dun_uplink_config {
    const char *host;
    uint16_t port;
    const char *client_id;
    const char *username;         /* NULL: none */
    struct dun_span password;     /* NULL data: none */
    const char *will_topic;       /* NULL: no will */
    struct dun_span will_payload; /* UTF-8 */
    uint32_t will_delay_s;        /* v5: the broker waits so long for us before it tells the will */
    uint8_t will_qos;             /* 0 or 1 */
    bool will_retain;
    uint32_t session_expiry_s; /* v5: how long the broker keeps our session; 0: not at all */
    uint16_t keepalive_s;
    /* Limits in time; 0 means the default in brackets. */
    dun_ms connect_timeout_ms; /* from open to UP [none] */
    dun_ms ack_timeout_ms;     /* for the oldest publish in flight [60 s] */
    dun_ms ping_timeout_ms;    /* for the answer to a ping [half the keepalive, at least 5 s] */
    bool clean_start;
    uint8_t mqtt_version; /* 4: 3.1.1, 5: version 5; 0: version 5 */
};

/* Counted since the uplink was made; 0 for what an implementation cannot know. */
struct dun_uplink_stats {
    uint64_t bytes_in, bytes_out; /* of MQTT, on the link */
    uint32_t unmatched_acks;      /* acks of what is not in flight; they free nothing */
    uint32_t skipped_messages;    /* inbound, QoS 0, too large to be delivered */
};

struct dun_uplink {
    void *context;
    /* Starts a connection; UP or DOWN follows from poll if this returns 0. DUN_E_INVALID or
     * DUN_E_TOO_LARGE: the configuration; DUN_E_BUSY: DOWN has not been told yet. */
    int (*open)(void *context, const struct dun_uplink_config *config, dun_ms now);
    /* Takes one message. 0: WRITABLE (or DOWN) follows once its payload was read; DUN_E_AGAIN:
     * wait for WRITABLE or an ack; DUN_E_CLOSED: not UP; DUN_E_TOO_LARGE: the broker does not take
     * packets of this size; DUN_E_UNSUPPORTED: nor this QoS; DUN_E_INVALID: the topic. Bytes leave
     * when poll has no event left, so that one write carries several messages. */
    int (*publish)(void *context, const struct dun_message *message, dun_ms now);
    /* Subscribes. Same results as publish; AGAIN also while the last one is unanswered. A message
     * with QoS 0 that is too large to be delivered is passed over; one with QoS 1 ends the
     * connection. */
    int (*subscribe)(void *context, const char *filter, uint8_t qos, dun_ms now);
    /* Moves bytes and gives the next event; false: none now. Call until false. */
    bool (*poll)(void *context, dun_ms now, struct dun_uplink_event *event);
    /* When poll must be called even if no byte arrives. */
    dun_ms (*deadline)(void *context);
    /* True when bytes wait that the link did not take: the board then waits for writability. */
    bool (*wants_write)(void *context);
    /* False while it takes no bytes: the board then does not wait for readability, which would
     * wake it at once again. */
    bool (*wants_read)(void *context);
    /* Ends the connection, with a DISCONNECT packet where it can still be sent, which withdraws the
     * will. `will`: the broker shall tell it (v5 reason 0x04; 3.1.1: the link is just closed). */
    void (*close)(void *context, bool will, dun_ms now);
    void (*stats)(void *context, struct dun_uplink_stats *stats);
};

#endif
