/*
 * node.h: everything that one device needs beside its flash, its link and its sensors, in one
 * struct whose sizes come from the board's profile.h. Each board compiles node.c with its own
 * profile; what a board adds is its main.
 */
#ifndef DUN_NODE_H
#define DUN_NODE_H

#include <node_uplink.h> /* the one of this folder, unless the board has its own before it */

#include "agent.h"
#include "profile.h"
#include "tls_config.h"

struct dun_node_store {
    struct dun_store store;
    struct dun_loss losses[DUN_PROFILE_LOSSES_MAX];
    uint8_t unit[DUN_PROFILE_PROG_SIZE_MAX];
};

struct dun_node {
    struct dun_agent agent;
    struct dun_node_uplink connection;
    struct dun_uplink uplink;
    struct dun_catalog catalog;
    struct dun_batch batch;
    struct dun_metric metrics[DUN_PROFILE_METRICS_MAX];
    struct dun_chain chains[DUN_PROFILE_METRICS_MAX];
    struct dun_limit limits[DUN_PROFILE_METRICS_MAX];
    struct dun_point points[DUN_PROFILE_POINTS_MAX];
    struct dun_notice notices[DUN_PROFILE_NOTICES];
    char redirect_host[DUN_PROFILE_REDIRECT_SIZE];
    struct dun_window_slot window[DUN_PROFILE_WINDOW];
    struct dun_node_store stores[DUN_PROFILE_STORES]; /* the log, the spare, the archive */
};

/* Everything is borrowed for the life of the node. */
struct dun_node_config {
    struct dun_agent_config agent;
    struct dun_uplink_config broker;
    const struct dun_link *link;      /* of an uplink over one; NULL where it brings its own */
    const struct dun_tls_config *tls; /* of an uplink that does TLS itself; NULL: none */
    const struct dun_flash *flash;    /* of the durable log */
    bool flash_in_ram;                /* which then is not so durable, and says so */
    const struct dun_flash *archive;  /* with DUN_LOG_THIN: of what thinning keeps; NULL: none */
    const struct dun_flash *spare;    /* in RAM, for the time in which `flash` fails; NULL: none */
    uint64_t stream;                  /* random, not 0: id of the log if a new one begins */
    uint64_t spare_stream;            /* the same for the spare */
    uint64_t archive_stream;          /* the same for the archive */
    enum dun_log_overflow overflow;
    struct dun_sensor *sensors;
    uint16_t sensor_count;
};

/* Puts the parts together and starts the agent: see dun_agent_init for results and `what`, which is
 * `profile` for a flash without a store. */
DUN_MUST_USE int dun_node_init(struct dun_node *node, const struct dun_node_config *config,
                               dun_ms now, const char **what);

#endif
