/*
 * sender.h: the sending half of the agent: records go from the stores to the uplink, many at a
 * time, and leave their store when they were acknowledged. RAM holds 4 bytes a publish in flight;
 * payloads are read from the log as the link takes them.
 *
 * After a lost connection everything unacknowledged is published again, in the order of old and
 * with the same tokens, so the uplink can set DUP where the broker kept the session.
 */
#ifndef DUN_SENDER_H
#define DUN_SENDER_H

#include "backoff.h"
#include "messages.h"
#include "notice.h"
#include "stats.h"
#include "store.h"
#include "uplink.h"
#include "wire.h"

#define DUN_NAME_MAX    64  /* longest prefix, fleet or device id, bytes */
#define DUN_TOPIC_MAX   216 /* three names, the longest channel, separators, NUL */
#define DUN_STORE_COUNT 2
/* Slots that the uplink needs beside the window: for status, about and catalog. */
#define DUN_SENDER_EXTRA_SLOTS 3

/* One publish in flight: 4 bytes. */
struct dun_window_slot {
    uint32_t sequence : 30; /* low bits */
    uint32_t store : 1;     /* which of the sender's stores */
    uint32_t acked : 1;
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
};

struct dun_sender {
    /* Set by the caller before dun_sender_start; borrowed. */
    struct dun_store *stores[DUN_STORE_COUNT];
    struct dun_uplink *uplink;
    struct dun_uplink_config uplink_config;
    struct dun_window_slot *window;
    uint16_t window_max;
    const char *prefix;
    const char *channel; /* of records */
    struct dun_about about;
    struct dun_stats *stats;
    struct dun_notices *notices;
    uint32_t stable_ms;
    uint32_t ack_persist_ms;
    struct dun_backoff backoff;

    /* Its own. */
    enum dun_sender_state state;
    dun_ms reconnect_ms;
    dun_ms up_since_ms;
    uint16_t head;              /* oldest slot of the ring */
    uint16_t count;             /* slots in use */
    uint16_t sent;              /* of these, published on this connection */
    bool busy;                  /* the uplink still reads a payload */
    uint8_t due;                /* enum dun_retained, bits still to be published */
    uint8_t unacked;            /* bits published and not acknowledged */
    uint8_t reading_store;      /* where the reader reads */
    dun_wire_body reading_body; /* or what it encodes; NULL: a record */
    char status_topic[DUN_TOPIC_MAX];
};

void dun_sender_start(struct dun_sender *sender, dun_ms now);

/* Moves bytes, takes acks, publishes what fits. */
void dun_sender_pump(struct dun_sender *sender, dun_ms now);
dun_ms dun_sender_deadline(const struct dun_sender *sender);

/* The catalog or the stream changed: publish the retained messages again. */
void dun_sender_refresh(struct dun_sender *sender);

/* Publishes `offline` as the last message. */
void dun_sender_say_offline(struct dun_sender *sender);

/* True when nothing is stored or in flight that could still be delivered. */
bool dun_sender_drained(const struct dun_sender *sender);

/* Ends the connection for good. */
void dun_sender_stop(struct dun_sender *sender, dun_ms now);

#endif
