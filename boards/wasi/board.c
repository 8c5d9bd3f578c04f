/*
 * board.c: a WASI 0.2 component: the memory of an agent by profile.h, the compact MQTT client over
 * wasi:sockets or TLS, and main. What happens is in boards/hosted/daemon.c. All of it is static;
 * only Mbed TLS has a heap.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "board_memory.h"
#include "link_wasi.h"
#include "rights.h"
#include "system_wasi.h"
#include "tls_host.h"

_Static_assert(DUN_PROFILE_MQTT_TX_SIZE >= 512,
               "profile.h: raise DUN_PROFILE_MQTT_TX_SIZE to 512, CONNECT must fit");

static struct dun_node node;
static struct dun_link_wasi wasi;
static struct dun_link link_table;

static struct dun_board_memory memory;

static const struct dun_knob knobs[] = {
    {"metrics_max", DUN_PROFILE_METRICS_MAX},
    {"points_max", DUN_PROFILE_POINTS_MAX},
    {"record_max", DUN_PROFILE_RECORD_MAX},
    {"log_size", DUN_PROFILE_LOG_SIZE},
    {"losses_max", DUN_PROFILE_LOSSES_MAX},
    {"spare_size", DUN_PROFILE_SPARE_BLOCK_SIZE *DUN_PROFILE_SPARE_BLOCK_COUNT},
    {"window", DUN_PROFILE_WINDOW},
    {"mqtt_rx_size", DUN_PROFILE_MQTT_RX_SIZE},
    {"mqtt_tx_size", DUN_PROFILE_MQTT_TX_SIZE},
};

static int start(const struct dun_daemon_start *start, dun_ms now, const char **what)
{
    dun_link_wasi_init(&wasi, DUN_PROFILE_ADDRESS_TIMEOUT_MS, start->broker.connect_timeout_ms,
                       &link_table);
    dun_system_watch_link(&wasi);
    struct dun_node_config config = dun_board_node(start);
    config.link = &link_table;
    if (start->tls->enabled) {
        config.link = dun_tls_host_wrap(&link_table, start->broker.connect_timeout_ms);
    }
    return dun_node_init(&node, &config, now, what);
}

/* There are no descriptors; 0 stands for the link, which dun_system_sleep knows. */
static int wait_fd(void)
{
    return 0;
}

static short wait_events(void)
{
    int out = node.uplink.wants_write(node.uplink.context) ? POLLOUT : 0;
    int in = node.uplink.wants_read(node.uplink.context) ? 0 : POLLIN;
    return (short)(out | (POLLIN & ~in));
}

int main(int argc, char *argv[])
{
    struct dun_daemon_board board = {
        .program = "dunlind",
        .name = "wasi",
        .knobs = knobs,
        .knob_count = sizeof knobs / sizeof knobs[0],
        .limits = {.has_tls = dun_tls_host != NULL},
        .agent = &node.agent,
        .tls = dun_tls_host,
        .may_lack_state = true,
        .survey = dun_rights_survey,
        .start = start,
        .wait_fd = wait_fd,
        .wait_events = wait_events,
    };
    dun_board_lend(&memory, &board);
    return dun_daemon_main(&board, argc, argv, environ);
}
