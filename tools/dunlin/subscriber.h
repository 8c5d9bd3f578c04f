/*
 * subscriber.h: an MQTT subscriber that acknowledges a message when it is told to, and not when it
 * arrives: libraries send the PUBACK before or after their callback, whatever became of the
 * message. It speaks 5 and 3.1.1, with a session that the broker keeps.
 *
 * Messages are gathered until they are released, which sends their PUBACKs. A connection that
 * breaks in between is no loss: the broker sends them again. One thread; it waits in poll only.
 */
#ifndef DUN_SUBSCRIBER_H
#define DUN_SUBSCRIBER_H

#include "broker_options.h"
#include "link_posix.h"
#include "mqtt/packet.h"
#include "parse.h"

#define DUN_GATHER_MESSAGES_MAX 1024u             /* ids of records come in such blocks */
#define DUN_GATHER_BYTES_MAX    ((size_t)8 << 20) /* or one message, if it is larger */

/* One message that waits for its release. The spans live as long. */
struct dun_gathered {
    size_t topic, topic_size; /* offsets into `bytes` */
    size_t payload, payload_size;
    uint16_t packet_id; /* 0: QoS 0 */
    bool retained;      /* from before we subscribed, who knows how long */
};

#define DUN_TELLINGS_MAX 64
#define DUN_TELL_AGAIN   0xFF /* as a reason: the connection broke before the answer */

/* A message of ours under way. */
struct dun_telling {
    void *token; /* NULL: free */
    bool ended;
    uint8_t reason;
};

struct dun_subscriber_settings {
    const struct dun_broker_options *broker;
    const char *const *filters;
    size_t filter_count;
    bool clean;               /* a session that ends with the connection */
    uint16_t receive_maximum; /* messages that the broker may have under way to us */
    uint32_t session_expiry_s;
};

enum dun_subscriber_state {
    DUN_SUBSCRIBER_DOWN = 0,
    DUN_SUBSCRIBER_OPENING,
    DUN_SUBSCRIBER_GREETING, /* CONNECT is on its way */
    DUN_SUBSCRIBER_ASKING,   /* SUBSCRIBE likewise */
    DUN_SUBSCRIBER_UP,
};

struct dun_subscriber {
    struct dun_subscriber_settings settings;
    struct dun_link_posix tcp;
    struct dun_link plain;
    const struct dun_link *link;
    struct dun_list bytes;    /* uint8_t: what was gathered */
    struct dun_list gathered; /* struct dun_gathered */
    struct dun_list in;       /* uint8_t: a packet that has not come whole */
    struct dun_list out;      /* uint8_t */
    size_t out_taken;
    struct dun_telling tellings[DUN_TELLINGS_MAX];
    uint16_t tellings_max; /* that the broker lets us have under way */
    void *tls;             /* of subscriber_tls.c; NULL: none */
    enum dun_subscriber_state state;
    size_t asked; /* filters */
    bool session_present;
    dun_ms deadline; /* of the step that the state waits for */
    dun_ms written_at, read_at;
    dun_ms keepalive_ms;
    uint8_t version;
    uint8_t reason; /* with DUN_E_REFUSED */
    char why[200];  /* after a failure, one line */
};

/* 0, or a negative error with `why`. The settings stay borrowed. */
DUN_MUST_USE int dun_subscriber_init(struct dun_subscriber *subscriber,
                                     const struct dun_subscriber_settings *settings);
void dun_subscriber_free(struct dun_subscriber *subscriber);

/* Begins a connection. Gathered messages of the last one are dropped: they come again. */
DUN_MUST_USE int dun_subscriber_open(struct dun_subscriber *subscriber, dun_ms now);

/*
 * Waits up to `wait_ms` for something to move, and moves it. Gathers no more than
 * DUN_GATHER_MESSAGES_MAX messages, and none if `deaf`: then pings alone keep the session. 0, or
 * why the connection is dead: DUN_E_REFUSED with `reason`, DUN_E_TLS..., DUN_E_UNREACHABLE,
 * DUN_E_CLOSED ...; open it again.
 */
DUN_MUST_USE int dun_subscriber_step(struct dun_subscriber *subscriber, dun_ms now, int wait_ms,
                                     bool deaf);

size_t dun_subscriber_count(const struct dun_subscriber *subscriber);
/* True: the broker had retained it from before we subscribed. */
bool dun_subscriber_message(const struct dun_subscriber *subscriber, size_t index,
                            struct dun_span *topic, struct dun_span *payload);

/* What was gathered is safe: acknowledges it and forgets it. */
void dun_subscriber_release(struct dun_subscriber *subscriber);

/* Publishes, retained, QoS 1. False: too many under way, or not up; try again after a step. */
bool dun_subscriber_tell(struct dun_subscriber *subscriber, const char *topic,
                         struct dun_span payload, void *token);

/* A telling that has ended: its token and the broker's reason; NULL: none. */
void *dun_subscriber_told(struct dun_subscriber *subscriber, uint8_t *reason);

/* True while one is under way. */
bool dun_subscriber_telling(const struct dun_subscriber *subscriber);

/* Says goodbye, after what is still to be written, for a second at most. */
void dun_subscriber_close(struct dun_subscriber *subscriber, dun_ms now);

/// TLS: subscriber_tls.c, or subscriber_plain.c where there is none ///

/* Wraps subscriber->plain: 0 and subscriber->link, or an error with subscriber->why. */
DUN_MUST_USE int dun_subscriber_secure(struct dun_subscriber *subscriber);
void dun_subscriber_unsecure(struct dun_subscriber *subscriber);

#endif
