/*
 * sender.h: the sending half of the agent: connects, keeps the retained messages, hands the
 * outbox's records to the uplink and the acks back. Payloads are read from the log as the link
 * takes them.
 */
#ifndef DUN_SENDER_H
#define DUN_SENDER_H

#include "backoff.h"
#include "messages.h"
#include "notice.h"
#include "outbox.h"
#include "route.h"
#include "stats.h"
#include "uplink.h"
#include "wire.h"

#define DUN_NAME_MAX  64  /* longest prefix, fleet or device id, bytes */
#define DUN_TOPIC_MAX 216 /* three names, the longest channel, separators, NUL */
/* Slots that the uplink needs beside the window: for status, about, catalog and the report. */
#define DUN_SENDER_EXTRA_SLOTS 4

/* What becomes of a record that the broker took and nobody had subscribed (v5 reason 0x10). */
enum dun_unheard {
    DUN_UNHEARD_DELIVERED = 0,
    DUN_UNHEARD_KEPT, /* it is published again later */
};

enum dun_sender_state {
    DUN_SENDER_DOWN,       /* waits for `reconnect_ms` */
    DUN_SENDER_CONNECTING, /* opened, not UP yet */
    DUN_SENDER_UP,
    DUN_SENDER_ENDED, /* closed for good */
};

/* The retained messages that are due on this connection, a bit each. */
enum dun_retained {
    DUN_RETAINED_STATUS = 1,
    DUN_RETAINED_ABOUT = 2,
    DUN_RETAINED_CATALOG = 4,
    DUN_RETAINED_OFFLINE = 8, /* the last message of all */
    DUN_RETAINED_REPORT = 16, /* of the inbox */
};

/* What the device listens to, a bit each. */
enum dun_subscription {
    DUN_SUBSCRIBE_STORED = 1,
    DUN_SUBSCRIBE_CONFIG = 2, /* the inbox */
};

/* Who takes what comes on .../config, and answers on .../config/reported. It is subscribed with QoS
 * 0: the broker retains the message, so the next connection brings it again; and so one that is too
 * large for this device is passed over, instead of ending connection after connection. */
struct dun_inbox {
    void *context;
    /* The payload is borrowed during the call. Not called while the report is being read. */
    void (*take)(void *context, struct dun_span payload, dun_ms now);
    dun_wire_body report;
};

struct dun_sender {
    /* Set by the caller before dun_sender_start; borrowed. */
    struct dun_uplink *uplink;
    struct dun_uplink_config uplink_config;
    const char *prefix;
    struct dun_about about;
    struct dun_stats *stats;
    struct dun_notices *notices;
    struct dun_backoff backoff;
    uint32_t stable_ms; /* a connection this old resets the backoff, if it was not taken over */
    struct dun_outbox outbox;
    struct dun_route route;  /* its settings; host, port and version come from uplink_config */
    struct dun_backoff hold; /* how long to pause when the broker asks for it */
    enum dun_unheard unheard;
    uint32_t message_expiry_s;     /* of records; 0: never */
    const struct dun_inbox *inbox; /* NULL: there is none */

    /* Its own. */
    enum dun_sender_state state;
    dun_ms reconnect_ms;
    dun_ms up_since_ms;
    uint8_t taken_over;             /* so many connections in a row */
    bool busy;                      /* the uplink still reads a payload */
    uint8_t subscribe_due;          /* enum dun_subscription */
    uint8_t due;                    /* enum dun_retained, bits still to be published */
    uint8_t unacked;                /* bits published and not acknowledged */
    struct dun_lane reading;        /* the record that the uplink reads */
    dun_wire_body reading_body;     /* or the message it is encoded from; NULL: a record */
    const void *reading_context;    /* what that is told: reading_about, or the inbox's */
    struct dun_about reading_about; /* what that message says, as it was when it was published */
    dun_ms answered_ms;             /* when the broker last acknowledged anything */
    uint16_t reading_token;
    dun_ms hold_ms;        /* nothing is published before; 0: no such pause */
    dun_sequence suspect;  /* a record that may be why the broker fails, 0: none */
    uint32_t packet_max;   /* what the broker took last */
    uint8_t suspect_count; /* times that it seemed so */
    uint8_t rejected_run;  /* records refused for good, and none taken in between */
    bool refused;          /* something, on this connection */
    uint8_t muted;         /* enum dun_retained, bits that the broker did not take */
    uint8_t qos;           /* of what is published on this connection */
    uint8_t careful;       /* not 0: one message at a time, until so many records were taken */
    uint8_t fruitless;     /* connections in a row that brought nothing */
    bool no_retain_told;
};

void dun_sender_start(struct dun_sender *sender, dun_ms now);

/* Moves bytes, takes acks, publishes what fits. */
void dun_sender_pump(struct dun_sender *sender, dun_ms now);
dun_ms dun_sender_deadline(const struct dun_sender *sender);

/* The catalog or the stream changed: publish the retained messages again. */
void dun_sender_refresh(struct dun_sender *sender);

/* The report of the inbox changed: publish it. */
void dun_sender_report(struct dun_sender *sender);

/* True while the report is being read: what it says must stand still. */
bool dun_sender_is_reporting(const struct dun_sender *sender);

/* The largest record that the broker takes, as far as it said, bytes; 0: any. */
uint32_t dun_sender_record_max(const struct dun_sender *sender);

/* Publishes `offline` as the last message. */
void dun_sender_say_offline(struct dun_sender *sender);

/* True when nothing is stored or in flight that could still be delivered. */
bool dun_sender_drained(const struct dun_sender *sender);

/* Ends the connection for good. If `offline` was not acknowledged the will says it. */
void dun_sender_stop(struct dun_sender *sender, dun_ms now);

#endif
