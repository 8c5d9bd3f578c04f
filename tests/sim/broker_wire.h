/* broker_wire.h: the packets of MQTT 3.1.1 and 5, the server's side of them. */
#ifndef DUN_SIM_BROKER_WIRE_H
#define DUN_SIM_BROKER_WIRE_H

#include "base.h"
#include "random.h"

enum wire_type {
    WIRE_CONNECT = 1,
    WIRE_PUBLISH = 3,
    WIRE_PUBACK = 4,
    WIRE_SUBSCRIBE = 8,
    WIRE_PINGREQ = 12,
    WIRE_DISCONNECT = 14,
};

/* A packet to send. */
struct wire {
    uint8_t bytes[512];
    uint32_t size;
};

#define WIRE_ALIASES 10 /* that the broker takes */

/* A packet that came. */
struct wire_in {
    uint8_t type, flags;
    uint32_t whole; /* bytes, head included */
    struct dun_span body;
};

struct wire_connect {
    uint8_t version;
    bool clean;
    uint16_t keepalive_s;
};

struct wire_publish {
    struct dun_span topic, payload;
    uint16_t id;
    uint16_t alias; /* 0: none */
    bool dup, retain;
};

struct wire_subscribe {
    struct dun_span topic;
    uint16_t id;
    uint8_t qos;
};

struct wire_connack {
    uint8_t version, reason;
    bool present, retain_off;
    uint16_t receive_max, keepalive_s;
    uint32_t packet_max;
};

/* Takes a packet from the front of `size` bytes; false: it is not whole. */
bool wire_take(struct wire_in *in, const uint8_t *bytes, uint32_t size);
bool wire_equals(struct dun_span a, struct dun_span b);

/* NULL, or what is wrong. */
const char *wire_read_connect(struct wire_in *in, struct wire_connect *connect);
const char *wire_read_publish(struct wire_in *in, uint8_t version, struct wire_publish *publish);
const char *wire_read_subscribe(struct wire_in *in, uint8_t version,
                                struct wire_subscribe *subscribe);

void wire_connack(struct wire *wire, const struct wire_connack *connack);
void wire_puback(struct wire *wire, uint8_t version, uint16_t id, uint8_t reason);
void wire_suback(struct wire *wire, uint8_t version, uint16_t id, uint8_t qos);
/* `id` 0: with QoS 0. */
void wire_publish(struct wire *wire, uint8_t version, struct dun_span topic, uint16_t id,
                  struct dun_span payload);
void wire_pingresp(struct wire *wire);
void wire_disconnect(struct wire *wire, uint8_t reason);

/* Something that no broker may send. */
void wire_garbage(struct wire *wire, struct rng *rng);

/* dunlin.v1.Stored, in 20 bytes. */
struct dun_span wire_stored(uint8_t bytes[20], uint64_t stream, uint64_t sequence);

#endif
