/*
 * fake_uplink.h: a broker in a struct: it takes what is published, acknowledges when it is told
 * to, and goes away when it is told to. For tests of what stands above the uplink seam.
 */
#ifndef FAKE_UPLINK_H
#define FAKE_UPLINK_H

#include "uplink.h"

enum { FAKE_MESSAGES = 4096, FAKE_TOPIC = 128, FAKE_PAYLOAD = 2048 };

struct fake_message {
    char topic[FAKE_TOPIC];
    uint8_t payload[FAKE_PAYLOAD];
    uint32_t size;
    uint16_t token;
    bool retain;
    bool acked;
};

struct fake_uplink {
    struct dun_uplink uplink;
    bool reachable; /* open leads to UP */
    bool auto_ack;
    uint8_t ack_reason;
    uint32_t packet_max; /* told with UP; 0: no limit */
    int state;           /* 0 closed, 1 opened, 2 up */
    bool message_due;    /* `stored` is to be delivered */
    uint8_t stored[32];
    uint32_t stored_size;
    bool subscribed;
    /* The retained message on .../config, told at each subscription; size 0: none. */
    uint8_t config[FAKE_PAYLOAD];
    uint32_t config_size;
    unsigned config_asked;
    bool config_due;
    char config_topic[FAKE_TOPIC];
    bool writable_due;
    bool down_due;
    unsigned opens, closes;
    bool told_will; /* a close let the broker tell the will */
    unsigned acked; /* messages before this one are acknowledged */
    unsigned count;
    struct fake_message messages[FAKE_MESSAGES];
    char will_topic[FAKE_TOPIC];
};

void fake_uplink_init(struct fake_uplink *fake);

/* Cuts the connection: DOWN follows, and what was not acknowledged never will be. */
void fake_uplink_cut(struct fake_uplink *fake);

/* Publishes dunlin.v1.Stored{stream, sequence} to the client. */
void fake_uplink_stored(struct fake_uplink *fake, uint64_t stream, uint8_t sequence);

/* Publishes this on .../config, retained; nothing: takes away what is there. */
void fake_uplink_config(struct fake_uplink *fake, const void *payload, size_t size);

/* The messages on topics that end with `channel`; the nth one, NULL: there is none. */
unsigned fake_uplink_count(const struct fake_uplink *fake, const char *channel);
const struct fake_message *fake_uplink_message(const struct fake_uplink *fake, const char *channel,
                                               unsigned nth);

/* Stream and sequence of a record (dunlin.v1.Batch). */
uint64_t fake_stream(const struct fake_message *message);
uint64_t fake_sequence(const struct fake_message *message);

#endif
