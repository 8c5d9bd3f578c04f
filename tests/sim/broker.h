/*
 * broker.h: the broker and the recorder behind it. MQTT 3.1.1 and 5, one client, written from the
 * standard without a line of transport/mqtt/. It holds the client to the protocol, and breaks it
 * itself when a fault says so.
 *
 * The recorder stores records some time after the broker took them and publishes its cursor
 * (`stored`); it matters in runs with ack = stored, where the device may rely on nobody else.
 */
#ifndef DUN_SIM_BROKER_H
#define DUN_SIM_BROKER_H

#include "base.h"
#include "broker_wire.h"
#include "random.h"
#include "sim_link.h"

#define BROKER_INPUT_MAX    (96 * 1024)
#define BROKER_INFLIGHT_MAX 256
#define BROKER_ACKS_MAX     512
#define BROKER_STREAMS_MAX  4

struct broker_client {
    uint64_t number; /* of the connection, counted from 1 */
    uint8_t *input;
    uint32_t input_size;
    bool accepted;  /* CONNECT came */
    bool connected; /* CONNACK went */
    bool leaves;    /* as soon as possible */
    bool resumed;
    uint8_t version;
    uint8_t refusal; /* of the CONNACK to come */
    dun_ms connack_ms;
    dun_ms heard_ms;
    dun_ms keepalive_ms;
    uint16_t inflight[BROKER_INFLIGHT_MAX]; /* packet ids of publishes not acknowledged */
    uint16_t inflight_count;
    char aliases[WIRE_ALIASES][32]; /* topics, empty: not told on this connection */
};

/* A publish that the broker took and has yet to acknowledge. */
struct broker_ack {
    dun_ms due_ms;
    uint64_t client;           /* number of the connection */
    uint64_t stream, sequence; /* 0: a retained message */
    uint16_t id;
    uint8_t reason;
    bool lost; /* it goes, and does not arrive */
    bool twice;
};

struct broker_forward {
    dun_ms due_ms;
    uint64_t stream, sequence;
};

/* What the recorder has to tell. */
struct broker_stored {
    uint64_t stream;
    dun_ms due_ms; /* DUN_MS_NEVER: nothing */
};

struct broker {
    struct rng rng;
    struct broker_client clients[SIM_CONNECTIONS];
    uint64_t accepted;      /* connections so far */
    bool session;           /* there is one */
    bool subscribed;        /* to `stored` */
    bool config_subscribed; /* to `config` */
    uint16_t next_id;
    uint8_t stored[32]; /* the retained cursor */
    uint32_t stored_size;
    char status[16];     /* retained */
    uint8_t config[480]; /* the retained document */
    uint32_t config_size;
    struct broker_ack acks[BROKER_ACKS_MAX];
    uint32_t ack_count;
    struct broker_forward *forwards;
    uint32_t forward_count, forward_capacity;
    struct broker_stored tells[BROKER_STREAMS_MAX];
    uint32_t tell_next;
    /* Faults at work. */
    bool silent, refuses, rejects, disorder, lags;
    int session_lie; /* +1: present though it is not, -1: the other way; for the next CONNACK */
};

void broker_init(struct broker *broker, struct rng rng);
void broker_free(struct broker *broker);
dun_ms broker_wake(struct broker *broker);
void broker_run(struct broker *broker);

/* Retains a document, empty: none, and hands it on. */
void broker_publish_config(struct broker *broker, struct dun_span document);

/* Faults. */
void broker_kill(struct broker *broker, bool with_memory);
void broker_leave(struct broker *broker);
void broker_garbage(struct broker *broker);
void broker_stored_lie(struct broker *broker);
void broker_heal(struct broker *broker);

#endif
