/* sim_link.c: see sim_link.h. Time is the simulator's; order within a direction is kept. */
#include "sim_link.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"

/// Pipes ///

static void pipe_clear(struct sim_pipe *pipe)
{
    uint8_t *bytes = pipe->bytes;
    *pipe = (struct sim_pipe){.bytes = bytes, .end_ms = DUN_MS_NEVER};
}

static dun_ms arrival(struct sim_net *net, struct sim_pipe *pipe, size_t size)
{
    const struct sim_net_shape *shape = &net->shape;
    int64_t start_us = sim_now() * 1000;
    if (pipe->busy_us < start_us)
        pipe->busy_us = start_us;
    if (shape->bytes_s > 0)
        pipe->busy_us += (int64_t)(size * 1000000u / shape->bytes_s);
    dun_ms at = (pipe->busy_us + 999) / 1000 + shape->latency_ms +
                (dun_ms)rng_below(&net->rng, shape->jitter_ms + 1u);
    if (shape->quantum_ms > 0)
        at = (at + shape->quantum_ms - 1) / shape->quantum_ms * shape->quantum_ms;
    return at > pipe->last_arrival ? at : pipe->last_arrival;
}

static bool pipe_write(struct sim_net *net, struct sim_pipe *pipe, const uint8_t *data, size_t size)
{
    if (pipe->end_ms != DUN_MS_NEVER)
        return true; /* what is said after the end is heard by nobody */
    if (size > SIM_PIPE_SIZE - pipe->count || pipe->segment_count == SIM_PIPE_SEGMENTS)
        return false;
    pipe->last_arrival = arrival(net, pipe, size);
    for (size_t i = 0; i < size; i++)
        pipe->bytes[(pipe->first + pipe->count + i) % SIM_PIPE_SIZE] = data[i];
    pipe->count += (uint32_t)size;
    uint32_t place = (pipe->segment_first + pipe->segment_count++) % SIM_PIPE_SEGMENTS;
    pipe->segments[place] = (struct sim_segment){
        .arrives = pipe->vanishes ? DUN_MS_NEVER : pipe->last_arrival, .size = (uint32_t)size};
    return true;
}

static dun_ms pipe_wake(const struct sim_pipe *pipe)
{
    if (pipe->segment_count > 0)
        return pipe->segments[pipe->segment_first].arrives;
    return pipe->end_ms;
}

static size_t pipe_read(struct sim_pipe *pipe, uint8_t *data, size_t size)
{
    size_t moved = 0;
    while (moved < size && pipe->segment_count > 0 &&
           pipe->segments[pipe->segment_first].arrives <= sim_now()) {
        struct sim_segment *segment = &pipe->segments[pipe->segment_first];
        while (moved < size && segment->size > 0) {
            data[moved++] = pipe->bytes[pipe->first];
            pipe->first = (pipe->first + 1) % SIM_PIPE_SIZE;
            pipe->count--;
            segment->size--;
        }
        if (segment->size == 0) {
            pipe->segment_first = (pipe->segment_first + 1) % SIM_PIPE_SEGMENTS;
            pipe->segment_count--;
        }
    }
    return moved;
}

static bool pipe_ended(const struct sim_pipe *pipe)
{
    return pipe->segment_count == 0 && pipe->end_ms <= sim_now();
}

/* The end of the stream goes the way of the bytes. */
static void pipe_end(struct sim_net *net, struct sim_pipe *pipe)
{
    if (pipe->end_ms == DUN_MS_NEVER && !pipe->vanishes)
        pipe->end_ms = arrival(net, pipe, 0);
}

/// The device's side ///

static struct sim_connection *current(struct sim_net *net)
{
    return net->current < 0 ? NULL : &net->connections[net->current];
}

static void let_go(struct sim_connection *connection)
{
    if (!connection->device_end && (!connection->broker_end || !connection->accepted))
        connection->state = SIM_FREE;
}

static size_t slice_of(struct sim_net *net, size_t size)
{
    size_t most = net->shape.slice;
    if (most == 0 || size <= 1)
        return size;
    most = 1 + rng_below(&net->rng, most);
    return size < most ? size : most;
}

static void link_close(void *context)
{
    struct sim_net *net = context;
    struct sim_connection *connection = current(net);
    if (!connection)
        return;
    net->current = -1;
    connection->device_end = false;
    pipe_end(net, &connection->up);
    let_go(connection);
}

/* A free place; if there is none, the oldest stale connection goes. */
static int free_place(struct sim_net *net)
{
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        if (net->connections[i].state == SIM_FREE)
            return i;
    int place = (int)(net->opens % SIM_CONNECTIONS);
    sim_broker_forgets(&net->connections[place]);
    return place;
}

static int link_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct sim_net *net = context;
    (void)host;
    (void)port;
    (void)now;
    if (net->current >= 0)
        sim_fail("link contract: open while open");
    net->opens++;
    if (net->trouble == SIM_CONNECT_NO_NAME)
        return DUN_E_NOT_FOUND;
    net->current = free_place(net);
    struct sim_connection *connection = current(net);
    struct sim_pipe up = connection->up, down = connection->down;
    *connection = (struct sim_connection){.up = up, .down = down};
    pipe_clear(&connection->up);
    pipe_clear(&connection->down);
    connection->number = net->opens;
    connection->device_end = true;
    connection->broker_end = true;
    connection->state = net->trouble == SIM_CONNECT_REFUSED ? SIM_REFUSED : SIM_CONNECTING;
    connection->ready_ms = sim_now() + 2 * (dun_ms)net->shape.latency_ms +
                           (dun_ms)rng_below(&net->rng, net->shape.jitter_ms + 1u);
    if (net->trouble == SIM_CONNECT_BLACKHOLED || net->cut_off)
        connection->ready_ms = DUN_MS_NEVER;
    return DUN_OK;
}

static int link_ready(void *context, dun_ms now)
{
    struct sim_net *net = context;
    struct sim_connection *connection = current(net);
    (void)now;
    if (!connection)
        return DUN_E_CLOSED;
    if (connection->state == SIM_OPEN)
        return 1;
    if (sim_now() < connection->ready_ms)
        return 0;
    if (connection->state == SIM_REFUSED)
        return DUN_E_UNREACHABLE;
    connection->state = SIM_OPEN;
    return 1;
}

static int link_read(void *context, void *data, size_t size)
{
    struct sim_net *net = context;
    struct sim_connection *connection = current(net);
    if (!connection || connection->state != SIM_OPEN)
        return DUN_E_CLOSED;
    size_t moved = pipe_read(&connection->down, data, slice_of(net, size));
    if (moved == 0 && pipe_ended(&connection->down))
        return DUN_E_CLOSED;
    net->moved += moved;
    return (int)moved;
}

static size_t room(const struct sim_net *net, const struct sim_connection *connection)
{
    uint32_t most = net->shape.send_buffer;
    uint32_t used = connection->up.count;
    return used < most && connection->up.segment_count < SIM_PIPE_SEGMENTS ? most - used : 0;
}

static int link_write(void *context, const void *data, size_t size)
{
    struct sim_net *net = context;
    struct sim_connection *connection = current(net);
    if (!connection || connection->state != SIM_OPEN)
        return DUN_E_CLOSED;
    if (pipe_ended(&connection->down))
        return DUN_E_IO;
    size_t most = room(net, connection);
    size_t moved = slice_of(net, size < most ? size : most);
    if (moved > 0 && !pipe_write(net, &connection->up, data, moved))
        moved = 0;
    net->moved += moved;
    if (connection->reset_after > 0 && moved >= connection->reset_after) {
        sim_trace("the connection is reset in a packet");
        sim_net_reset(net);
    } else if (connection->reset_after > 0) {
        connection->reset_after -= (uint32_t)moved;
    }
    return (int)moved;
}

static dun_ms link_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

void sim_net_init(struct sim_net *net, struct sim_net_shape shape, struct rng rng)
{
    *net = (struct sim_net){
        .link = {.context = net,
                 .open = link_open,
                 .ready = link_ready,
                 .read = link_read,
                 .write = link_write,
                 .close = link_close,
                 .deadline = link_deadline},
        .rng = rng,
        .shape = shape,
        .current = -1,
    };
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        net->connections[i].up.bytes = sim_grow(NULL, SIM_PIPE_SIZE);
        net->connections[i].down.bytes = sim_grow(NULL, SIM_PIPE_SIZE);
    }
}

void sim_net_free(struct sim_net *net)
{
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        free(net->connections[i].up.bytes);
        free(net->connections[i].down.bytes);
    }
}

dun_ms sim_net_device_wake(const struct sim_net *net, bool wants_read, bool wants_write)
{
    if (net->current < 0)
        return DUN_MS_NEVER;
    const struct sim_connection *connection = &net->connections[net->current];
    if (connection->state != SIM_OPEN)
        return connection->ready_ms;
    if (wants_write && room(net, connection) > 0)
        return sim_now();
    return wants_read ? pipe_wake(&connection->down) : DUN_MS_NEVER;
}

/// Trouble ///

/* A pipe whose content is gone and whose end is there at once. */
static void pipe_break(struct sim_pipe *pipe)
{
    pipe_clear(pipe);
    pipe->end_ms = sim_now();
}

void sim_net_reset(struct sim_net *net)
{
    struct sim_connection *connection = current(net);
    if (!connection || connection->state != SIM_OPEN)
        return;
    pipe_break(&connection->down);
    /* What is on its way up may have arrived already, up to any byte. */
    uint32_t kept = rng_u32(&net->rng, 0, connection->up.segment_count);
    while (connection->up.segment_count > kept) {
        uint32_t place =
            (connection->up.segment_first + --connection->up.segment_count) % SIM_PIPE_SEGMENTS;
        connection->up.count -= connection->up.segments[place].size;
    }
    if (connection->up.end_ms == DUN_MS_NEVER)
        connection->up.end_ms = connection->up.last_arrival;
    connection->reset_after = 0;
}

void sim_net_half_open(struct sim_net *net)
{
    struct sim_connection *connection = current(net);
    uint64_t which = rng_below(&net->rng, 3);
    if (!connection)
        return;
    connection->up.vanishes |= which != 0;
    connection->down.vanishes |= which != 1;
}

void sim_net_device_dies(struct sim_net *net)
{
    struct sim_connection *connection = current(net);
    if (!connection)
        return;
    if (rng_chance(&net->rng, 500))
        connection->up.vanishes = true; /* not even a FIN */
    link_close(net);
}

/// The broker's side ///

size_t sim_net_broker_read(struct sim_connection *connection, uint8_t *data, size_t size)
{
    return pipe_read(&connection->up, data, size);
}

bool sim_net_broker_write(struct sim_net *net, struct sim_connection *connection,
                          const uint8_t *data, size_t size)
{
    return pipe_write(net, &connection->down, data, size);
}

void sim_net_broker_close(struct sim_net *net, struct sim_connection *connection)
{
    connection->broker_end = false;
    pipe_end(net, &connection->down);
    let_go(connection);
}

bool sim_net_broker_ended(const struct sim_connection *connection)
{
    return pipe_ended(&connection->up);
}

dun_ms sim_net_broker_wake(const struct sim_net *net)
{
    dun_ms wake = DUN_MS_NEVER;
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        const struct sim_connection *connection = &net->connections[i];
        if (connection->state == SIM_OPEN && connection->broker_end)
            wake = dun_ms_earlier(wake, pipe_wake(&connection->up));
    }
    return wake;
}
