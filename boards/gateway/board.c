/*
 * board.c: the gateway: the Linux host with the Eclipse Paho MQTT C library as its uplink. The
 * memory of the agent is static; the library has threads and a heap of its own.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "board_memory.h"

#define GOODBYE_MAX_MS 2000

static struct dun_node node;
static struct dun_board_memory memory;

static const struct dun_knob knobs[] = {
    {"metrics_max", DUN_PROFILE_METRICS_MAX},
    {"points_max", DUN_PROFILE_POINTS_MAX},
    {"record_max", DUN_PROFILE_RECORD_MAX},
    {"log_size", DUN_PROFILE_LOG_SIZE},
    {"losses_max", DUN_PROFILE_LOSSES_MAX},
    {"spare_size", DUN_PROFILE_SPARE_BLOCK_SIZE *DUN_PROFILE_SPARE_BLOCK_COUNT},
    {"window", DUN_PROFILE_WINDOW},
    {"payload_max", DUN_PROFILE_PAYLOAD_MAX},
    {"inbound_max", DUN_PROFILE_INBOUND_MAX},
};

static int start(const struct dun_daemon_start *start, dun_ms now, const char **what)
{
    const struct dun_node_config config = dun_board_node(start);
    return dun_node_init(&node, &config, now, what);
}

static int wait_fd(void)
{
    return dun_uplink_paho_fd(&node.connection.paho);
}

static short wait_events(void)
{
    return POLLIN;
}

/* The library sends its last words from a thread of its own. If it hangs, the broker tells the
 * will, which says the same. */
static void finish(void)
{
    int result = dun_uplink_paho_end(&node.connection.paho, GOODBYE_MAX_MS);
    (void)result;
}

int main(int argc, char *argv[])
{
    struct dun_daemon_board board = {
        .program = "dunlind-gateway",
        .name = "gateway",
        .knobs = knobs,
        .knob_count = sizeof knobs / sizeof knobs[0],
        .agent = &node.agent,
        .start = start,
        .wait_fd = wait_fd,
        .wait_events = wait_events,
        .finish = finish,
    };
    dun_board_lend(&memory, &board);
    return dun_daemon_main(&board, argc, argv, environ);
}
