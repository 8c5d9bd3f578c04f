/*
 * uplink.h: the message-level seam to a broker. Two implementations stand behind it:
 * transport/mqtt/ (our own client) and transport/paho/. It knows no metrics.
 *
 * One uplink carries one connection at a time. The agent opens it, polls it, publishes when it is
 * UP, and opens it again after DOWN when its own backoff says so. Unacknowledged messages are the
 * agent's to publish again, in the order of old, with the same token: then, and only if the broker
 * kept the session, the uplink sends them with the same packet id and DUP set.
 */
#ifndef DUN_UPLINK_H
#define DUN_UPLINK_H

#include "base.h"

enum dun_uplink_event_kind {
    DUN_UPLINK_NONE = 0,
    DUN_UPLINK_UP,       /* the broker accepted us; `session_present` tells if it knew us */
    DUN_UPLINK_DOWN,     /* the connection is over, or never came to be; `error`, `reason` */
    DUN_UPLINK_ACKED,    /* message `token` was acknowledged; `reason` >= 0x80: refused */
    DUN_UPLINK_MESSAGE,  /* a message on a subscribed topic: `topic`, `payload` */
    DUN_UPLINK_WRITABLE, /* publish will accept a message again */
};

struct dun_uplink_event {
    enum dun_uplink_event_kind kind;
    bool session_present;
    uint8_t reason; /* MQTT 5 reason code, or the 3.1.1 CONNACK return code on DOWN, which has
                     * DUN_E_REFUSED (CONNACK), DUN_E_CLOSED (DISCONNECT) or DUN_E_UNSUPPORTED (the
                     * broker is older: open again) beside it */
    uint16_t token;
    int error;             /* enum dun_error, with DOWN */
    struct dun_span topic; /* valid until the next call on this uplink */
    struct dun_span payload;
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
    uint8_t qos;               /* 0 or 1 */
    bool retain;
};

/* How to connect. All strings are borrowed for as long as the uplink is in use. */
struct dun_uplink_config {
    const char *host;
    uint16_t port;
    const char *client_id;
    const char *username;     /* NULL: none */
    struct dun_span password; /* NULL data: none */
    const char *will_topic;   /* NULL: no will */
    struct dun_span will_payload;
    uint16_t keepalive_s;
    dun_ms connect_timeout_ms; /* from open to UP */
    bool clean_start;
    uint8_t mqtt_version; /* 4: 3.1.1, 5: version 5; 0: the uplink's default, 3.1.1 */
};

struct dun_uplink {
    void *context;
    /* Starts a connection; UP or DOWN follows from poll if this returns 0. DUN_E_INVALID or
     * DUN_E_TOO_LARGE: the configuration; DUN_E_BUSY: DOWN has not been told yet. */
    int (*open)(void *context, const struct dun_uplink_config *config, dun_ms now);
    /* Takes one message. 0: WRITABLE (or DOWN) follows once its payload was read; DUN_E_AGAIN:
     * wait for WRITABLE or an ack; DUN_E_CLOSED: not UP; DUN_E_TOO_LARGE: the broker does not take
     * packets of this size; DUN_E_INVALID: the topic. Bytes leave when poll has no event left, so
     * that one write carries several messages. */
    int (*publish)(void *context, const struct dun_message *message, dun_ms now);
    /* Subscribes, QoS 1. Same results as publish; AGAIN also while the last one is unanswered. */
    int (*subscribe)(void *context, const char *filter, dun_ms now);
    /* Moves bytes and gives the next event; false: none now. Call until false. */
    bool (*poll)(void *context, dun_ms now, struct dun_uplink_event *event);
    /* When poll must be called even if no byte arrives. */
    dun_ms (*deadline)(void *context);
    /* True when bytes wait that the link did not take: the board then waits for writability. */
    bool (*wants_write)(void *context);
    /* False while it takes no bytes: the board then does not wait for readability, which would
     * wake it at once again. */
    bool (*wants_read)(void *context);
    /* Ends the connection, with a DISCONNECT packet where it can still be sent (no will). */
    void (*close)(void *context, dun_ms now);
};

#endif
