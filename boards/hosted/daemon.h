/*
 * daemon.h: a hosted agent as a process: configuration in, exit code out. A board hands over its
 * memory (sized by its profile.h), starts its agent, and tells what to wait for; everything else -
 * options, sensors, log file, signals, service manager, log lines - is the same on every host.
 *
 * Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration, 5 a key, certificate or
 * authority cannot be used.
 */
#ifndef DUN_HOSTED_DAEMON_H
#define DUN_HOSTED_DAEMON_H

#include "agent.h"
#include "config.h"
#include "remote.h"
#include "secure.h"
#include "sensors.h"
#include "tls_config.h"

#define DUN_EXIT_OK     0
#define DUN_EXIT_FAILED 1
#define DUN_EXIT_USAGE  2
#define DUN_EXIT_TLS    5

/* What the daemon found out and the board makes an agent of. Borrowed for its life. */
struct dun_daemon_start {
    struct dun_agent_config agent;
    struct dun_uplink_config broker;
    const struct dun_tls_config *tls;
    const struct dun_flash *flash, *spare, *archive; /* archive NULL: the policy needs none */
    uint64_t stream, spare_stream, archive_stream;
    enum dun_log_overflow overflow;
    struct dun_sensor *sensors;
    uint16_t sensor_count;
};

/* How a board does TLS, by whichever library. */
struct dun_daemon_tls {
    const struct dun_secure_calls *secure; /* &dun_secure_calls */
    /* Reads the files that `config` names, which stays for the life of the process and whose
     * `earliest_unix_ms` may grow. 0, or an error that was told in a line of its own. */
    int (*load)(const struct dun_tls_config *config);
    /* On the newest connection. */
    const struct dun_tls_report *(*report)(void);
};

struct dun_daemon_board {
    const char *program; /* "dunlind" */
    const char *name;    /* "linux" */
    const struct dun_knob *knobs;
    uint16_t knob_count;
    struct dun_config_limits limits;
    struct dun_sensors_memory sensors;
    struct dun_buffer spare;  /* of the log in RAM */
    struct dun_buffer remote; /* of the remote configuration: as in struct dun_remote */
    struct dun_flash_geometry spare_geometry;
    struct dun_agent *agent;
    const struct dun_daemon_tls *tls; /* NULL: this build has none */
    bool may_lack_state; /* without a usable state folder it records to memory, and does not end */
    /* Says what the process may not do, before anything is tried. NULL: nothing to say. */
    void (*survey)(const struct dun_config *config);
    /* Starts `agent`: 0, or an error with `*what` naming the field. */
    int (*start)(const struct dun_daemon_start *start, dun_ms now, const char **what);
    /* What to wait for with poll(2): a descriptor (-1: none) and its events. */
    int (*wait_fd)(void);
    short (*wait_events)(void);
    /* After the agent ended: waits until its last words are out, for a bounded time. NULL: they
     * are, since the agent wrote them itself. */
    void (*finish)(void);
};

/* Runs until it is told to end. Returns the exit code. Once a process: it sets signal handlers. */
int dun_daemon_main(const struct dun_daemon_board *board, int argc, char *const argv[],
                    char *const environment[]);

#endif
