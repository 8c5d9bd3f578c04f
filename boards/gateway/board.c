/*
 * board.c: the gateway: the Linux host with the Eclipse Paho MQTT C library as its uplink. The
 * memory of the agent is static; the library has threads and a heap of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "board_memory.h"
#include "say.h"
#include "system.h"

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

/// TLS ///

/* The library reads the files at each connection. One that cannot be read now is told now. */
static int load(const struct dun_tls_config *tls)
{
    const char *const paths[] = {tls->ca_file, tls->ca_folder, tls->cert_file, tls->key_file};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] != NULL && paths[i][0] != '\0' && access(paths[i], R_OK) != 0) {
            struct dun_say say;
            dun_say_begin(&say, DUN_SAY_ERROR, "a file of [tls] cannot be used");
            dun_say_text(&say, "path", paths[i]);
            dun_say_text(&say, "error", strerror(errno));
            dun_say_end(&say, dun_system_uptime(), dun_system_unix());
            return DUN_E_NOT_FOUND;
        }
    }
    return DUN_OK;
}

static const struct dun_tls_report *report(void)
{
    static struct dun_tls_report report;
    report.trouble = dun_uplink_paho_tls_trouble(&node.connection.paho);
    return &report;
}

static const struct dun_daemon_tls tls = {
    .secure = &dun_secure_calls, .load = load, .report = report};

/// The board ///

static int start(const struct dun_daemon_start *start, dun_ms now, const char **what)
{
    struct dun_node_config config = dun_board_node(start);
    config.tls = start->tls;
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
        .limits = {.has_tls = true},
        .agent = &node.agent,
        .tls = &tls,
        .start = start,
        .wait_fd = wait_fd,
        .wait_events = wait_events,
        .finish = finish,
    };
    dun_board_lend(&memory, &board);
    return dun_daemon_main(&board, argc, argv, environ);
}
