/*
 * uplink_paho.h: the Eclipse Paho MQTT C library (MQTTAsync, TLS by its OpenSSL) as a struct
 * dun_uplink, for hosts with threads and a heap. The library's own reconnecting, persistence and
 * buffering stay off: the agent's log is the outbox, and the agent decides when to connect.
 *
 * Three kinds of threads meet here. The agent's calls the table, and never waits: while the
 * connection is UP it hands messages to the library, which copies them; all else is left to a
 * worker thread of the uplink's own, since making, ending and freeing a connection of the library
 * may take long (it resolves names under its lock). The library's threads call back; they only note
 * what happened under `mutex` and write a byte to a pipe, which wakes the agent's poll(2).
 *
 * Nothing calls the library while it holds `mutex`.
 */
#ifndef DUN_UPLINK_PAHO_H
#define DUN_UPLINK_PAHO_H

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tls_config.h"
#include "uplink.h"

#define DUN_UPLINK_PAHO_MESSAGES_MAX 32 /* inbound messages that wait for poll */
#define DUN_UPLINK_PAHO_SERVER_MAX   256
#define DUN_UPLINK_PAHO_ALPN_MAX     32
#define DUN_UPLINK_PAHO_URI_MAX      300
#define DUN_UPLINK_PAHO_WILL_MAX     256 /* longest topic of a will, and 1 */

enum dun_uplink_paho_slot_state {
    DUN_UPLINK_PAHO_FREE = 0,
    DUN_UPLINK_PAHO_SENT,  /* the library has it and will call back exactly once */
    DUN_UPLINK_PAHO_ACKED, /* it was acknowledged; `reason` */
};

/* One publish with QoS 1 in flight. */
struct dun_uplink_paho_slot {
    struct dun_uplink_paho *uplink;
    dun_ms since;
    uint16_t token;
    uint16_t next; /* in the queue of acks to be told */
    uint8_t state; /* enum dun_uplink_paho_slot_state */
    uint8_t reason;
};

/* Caller-owned, for as long as the uplink is in use. */
struct dun_uplink_paho_parts {
    struct dun_uplink_paho_slot *slots; /* `window` of them */
    uint16_t window;                    /* publishes in flight */
    struct dun_buffer payload;          /* the largest payload must fit */
    uint32_t inbound_max;               /* the largest message that is delivered, topic included */
    const struct dun_tls_config *tls;   /* NULL or not enabled: none */
};

enum dun_uplink_paho_state {
    DUN_UPLINK_PAHO_CLOSED = 0,
    DUN_UPLINK_PAHO_OPENING, /* UP or DOWN will be told */
    DUN_UPLINK_PAHO_UP,
};

struct dun_uplink_paho_inbound {
    char *topic; /* both are the library's, until freed by us */
    MQTTAsync_message *message;
};

struct dun_uplink_paho {
    struct dun_uplink_paho_parts parts;
    pthread_mutex_t mutex; /* guards all that follows, but for what is marked */
    pthread_cond_t changed;
    pthread_t worker;
    int wake_read, wake_write; /* a pipe that is readable while there is something to tell */
    bool woken;

    /* The agent's view. */
    struct dun_uplink_config config; /* stands still while the worker has a job */
    char will_topic[DUN_UPLINK_PAHO_WILL_MAX];
    dun_ms connect_deadline;
    uint8_t state; /* enum dun_uplink_paho_state */
    bool writable_due;
    bool subscribing;
    dun_ms subscribe_since;
    struct dun_uplink_paho_inbound told; /* lent to the agent until its next call */

    /* What happened and was not told yet. */
    bool live; /* callbacks belong to the connection that the agent opened */
    bool up_due, session_present;
    bool ended; /* DOWN is due; nothing of this connection happens any more */
    int error;
    uint8_t reason;
    uint16_t ack_first, ack_last;
    uint16_t inbound_first, inbound_count;
    struct dun_uplink_paho_inbound inbound[DUN_UPLINK_PAHO_MESSAGES_MAX];
    char server[DUN_UPLINK_PAHO_SERVER_MAX];
    struct dun_uplink_terms terms;
    uint16_t receive_max;
    uint16_t server_keepalive_s; /* 0: it named none */
    struct dun_uplink_stats stats;

    /* Jobs for the worker, in the order in which it does them. */
    bool hang_up_wanted, connect_wanted, end_wanted;
    uint8_t farewell; /* v5 reason of the DISCONNECT */
    bool worker_ended;
    bool hung_up;    /* the library is done with a disconnect */
    bool connecting; /* the library works on a connect */

    /* The worker's, and read by the agent while UP. */
    MQTTAsync handle;
    MQTTAsync keeper; /* never connected: keeps the library's threads from ending in between */
    uint8_t version;  /* of the handle: 4 or 5 */
    const char *client_id;
    char uri[DUN_UPLINK_PAHO_URI_MAX];
    bool has_session;    /* the handle was connected once */
    bool session_broken; /* what was in flight in the last session is not known any more */
    bool clean;
    uint16_t keepalive_s;
    uint8_t alpn[DUN_UPLINK_PAHO_ALPN_MAX + 1];
    atomic_int tls_error; /* enum dun_error, of what OpenSSL said; without the mutex */
};

/*
 * Prepares the uplink, starts its worker and fills `table`. The parts stay borrowed until
 * dun_uplink_paho_end. No thread but the caller's takes signals.
 * DUN_E_INVALID: the parts; DUN_E_IO: no thread or pipe to be had.
 */
DUN_MUST_USE int dun_uplink_paho_init(struct dun_uplink_paho *uplink,
                                      const struct dun_uplink_paho_parts *parts,
                                      struct dun_uplink *table);

/* Readable when poll has something to tell. */
int dun_uplink_paho_fd(const struct dun_uplink_paho *uplink);

/* Why the newest connection failed, as far as its TLS is known for it: enum dun_tls_trouble. */
uint8_t dun_uplink_paho_tls_trouble(struct dun_uplink_paho *uplink);

/*
 * Waits until what was closed is closed, so that a DISCONNECT reaches the broker before the process
 * ends, and frees all. The one call that waits. DUN_E_TIMEOUT after `wait_ms`: the library hangs,
 * and the memory stays its own until the process ends.
 */
int dun_uplink_paho_end(struct dun_uplink_paho *uplink, dun_ms wait_ms);

#endif
