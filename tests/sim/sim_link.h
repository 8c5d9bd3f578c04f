/*
 * sim_link.h: the network between the device and the broker: a struct dun_link on the device's
 * side, connections on the other.
 *
 * Bytes take time (latency, jitter, bandwidth), arrive in lumps or one by one, and may vanish
 * while both ends believe in the connection. A connection that one end gave up lives on at the
 * other until the news gets there, if it does.
 */
#ifndef DUN_SIM_LINK_H
#define DUN_SIM_LINK_H

#include "link.h"
#include "random.h"

#define SIM_PIPE_SIZE     (96 * 1024)
#define SIM_PIPE_SEGMENTS 512
#define SIM_CONNECTIONS   6

struct sim_segment {
    dun_ms arrives;
    uint32_t size;
};

/* One direction. */
struct sim_pipe {
    uint8_t *bytes; /* a ring of SIM_PIPE_SIZE */
    uint32_t first, count;
    struct sim_segment segments[SIM_PIPE_SEGMENTS]; /* a ring */
    uint32_t segment_first, segment_count;
    int64_t busy_us; /* when the wire is free again */
    dun_ms last_arrival;
    dun_ms end_ms; /* when the end of the stream arrives; DUN_MS_NEVER: it has not been sent */
    bool vanishes; /* what is written from now on never arrives */
};

enum sim_connection_state {
    SIM_FREE = 0,
    SIM_CONNECTING,
    SIM_OPEN,
    SIM_REFUSED, /* the device has yet to be told */
};

struct sim_connection {
    enum sim_connection_state state;
    bool device_end; /* the device still holds it */
    bool broker_end; /* the broker still holds it */
    bool accepted;   /* the broker has seen it */
    uint64_t number; /* counted from 1 */
    dun_ms ready_ms;
    uint32_t reset_after; /* it is reset when the device has written so many bytes; 0: it is not */
    struct sim_pipe up, down;
};

struct sim_net_shape {
    uint32_t latency_ms, jitter_ms;
    uint32_t bytes_s;    /* 0: no limit */
    uint32_t slice;      /* bytes a call moves at most; 0: no limit */
    uint32_t quantum_ms; /* arrivals are put together to multiples of this; 0: they are not */
    uint32_t send_buffer;
};

enum sim_connect_trouble {
    SIM_CONNECT_WELL,
    SIM_CONNECT_REFUSED,
    SIM_CONNECT_BLACKHOLED,
    SIM_CONNECT_NO_NAME,
};

struct sim_net {
    struct dun_link link;
    struct rng rng;
    struct sim_net_shape shape;
    struct sim_connection connections[SIM_CONNECTIONS];
    int current; /* the device's connection, -1: none */
    enum sim_connect_trouble trouble;
    bool cut_off; /* as if blackholed, for as long as it lasts */
    uint64_t opens;
    uint64_t moved; /* bytes between the device and its connections */
};

void sim_net_init(struct sim_net *net, struct sim_net_shape shape, struct rng rng);
void sim_net_free(struct sim_net *net);

/* Both ends see an error; what is under way is lost. */
void sim_net_reset(struct sim_net *net);

/* What the current connection is given from now on vanishes: up, down or both. */
void sim_net_half_open(struct sim_net *net);

/* The device is gone without a word: its connection stays with the broker. */
void sim_net_device_dies(struct sim_net *net);

/* When the device must look at the link at the latest: something arrives, or there is room. */
dun_ms sim_net_device_wake(const struct sim_net *net, bool wants_read, bool wants_write);

/* The broker's side. */
size_t sim_net_broker_read(struct sim_connection *connection, uint8_t *data, size_t size);
bool sim_net_broker_write(struct sim_net *net, struct sim_connection *connection,
                          const uint8_t *data, size_t size);
void sim_net_broker_close(struct sim_net *net, struct sim_connection *connection);
/* True when the device's end of the stream has arrived. */
bool sim_net_broker_ended(const struct sim_connection *connection);
dun_ms sim_net_broker_wake(const struct sim_net *net);

#endif
