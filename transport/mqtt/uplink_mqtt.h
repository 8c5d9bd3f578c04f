/*
 * uplink_mqtt.h: the compact MQTT client as a struct dun_uplink over any struct dun_link. No clock,
 * socket or allocator of its own.
 */
#ifndef DUN_UPLINK_MQTT_H
#define DUN_UPLINK_MQTT_H

#include "link.h"
#include "mqtt/session.h"
#include "uplink.h"

/* Caller-owned, for as long as the uplink is in use. */
struct dun_uplink_mqtt_memory {
    struct dun_mqtt_memory session;
    struct dun_buffer read;  /* one read of the link; several packets fit */
    struct dun_buffer write; /* one write of the link; several publishes fit */
};

enum dun_uplink_mqtt_state {
    DUN_UPLINK_MQTT_CLOSED = 0,
    DUN_UPLINK_MQTT_OPENING, /* the link connects */
    DUN_UPLINK_MQTT_RUNNING, /* bytes flow; the session knows if we are UP */
    DUN_UPLINK_MQTT_FAILED,  /* DOWN has yet to be told */
};

struct dun_uplink_mqtt {
    struct dun_mqtt_session session;
    const struct dun_link *link;
    struct dun_buffer read, write;
    size_t read_start, read_end;
    size_t write_start, write_end;
    struct dun_reader reader; /* of the publish being written */
    dun_ms connect_deadline;
    uint64_t bytes_in, bytes_out;
    int error; /* for DOWN */
    uint8_t reason;
    uint8_t state;        /* enum dun_uplink_mqtt_state */
    bool blocked;         /* the link took less than it was given */
    bool writable_wanted; /* somebody waits for WRITABLE */
    bool more_input;      /* poll stopped reading although there may be more */
    uint8_t told;         /* events since bytes were last written */
};

/*
 * Prepares the uplink and fills `table` with its functions. `link` and the memory stay borrowed.
 * DUN_E_INVALID if a buffer is too small.
 */
DUN_MUST_USE int dun_uplink_mqtt_init(struct dun_uplink_mqtt *uplink, const struct dun_link *link,
                                      const struct dun_uplink_mqtt_memory *memory,
                                      struct dun_uplink *table);

const struct dun_mqtt_stats *dun_uplink_mqtt_stats(const struct dun_uplink_mqtt *uplink);

#endif
