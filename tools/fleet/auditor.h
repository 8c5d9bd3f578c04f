/*
 * auditor.h: the far end of a simulation: subscribes to the fleet, keeps the books of each stream
 * as `dunlin watch` does (coverage.h), and measures how old points are when they come. It shares
 * the fleet's thread and epoll.
 */
#ifndef DUN_FLEET_AUDITOR_H
#define DUN_FLEET_AUDITOR_H

#include "client.h"
#include "coverage.h"
#include "decoder.h"
#include "fleet.h"

struct dun_auditor {
    const struct dun_broker_options *broker;
    struct dun_broker_options as; /* the same, with the version that the broker took */
    struct dun_fleet *fleet;      /* NULL while the connection is only tried */
    const struct dun_fleet_settings *settings;
    bool listens;
    struct mosquitto *client;
    struct dun_decoder decoder;
    struct dun_coverage *streams; /* one a device; those without a record have no name */
    char id[64];
    char filter[160];
    struct dun_histogram latency; /* of points, from sample to here */
    uint64_t points, records, rejected;
    uint64_t strangers; /* records that are not of this run */
    dun_ms now;
    dun_ms news_ms;      /* when a record came last */
    dun_ms reconnect_ms; /* DUN_MS_NEVER: connected, or trying */
    dun_ms misc_ms;
    uint32_t losses; /* of the connection */
    bool connected, ready;
    int last_clear; /* message id */
    bool cleared;
    int refused;   /* reason of a CONNACK, 0: none */
    int exit_code; /* not 0: it cannot go on */
    char why[600];
};

/* Connects, and waits for it. 0, or an exit code with `why`. `listens`: it will audit. */
DUN_MUST_USE int dun_auditor_open(struct dun_auditor *auditor,
                                  const struct dun_broker_options *broker,
                                  struct dun_fleet_settings *settings, bool listens);

/* From here on records are entered; `fleet` outlives the auditor. False: out of memory. */
DUN_MUST_USE bool dun_auditor_attach(struct dun_auditor *auditor, struct dun_fleet *fleet);

/* What to wait for: the descriptor or -1, and whether it wants to write. */
int dun_auditor_wait(const struct dun_auditor *auditor, bool *writes);

/* Moves bytes, and connects again when it must. */
void dun_auditor_step(struct dun_auditor *auditor, bool readable, dun_ms now);
dun_ms dun_auditor_deadline(const struct dun_auditor *auditor);

/* Takes the retained messages of the fleet from the broker. */
void dun_auditor_clear(struct dun_auditor *auditor);

/* Leaves nothing behind at the broker. */
void dun_auditor_close(struct dun_auditor *auditor);

/* What the books say when all is over. */
struct dun_audit {
    uint64_t streams, recorded, received, duplicates, altered, lost, lost_points, missing, ahead;
    uint64_t points, points_missing;
    uint32_t incomplete; /* devices */
    char example[65];    /* one of them */
    bool complete;
};
struct dun_audit dun_auditor_verdict(struct dun_auditor *auditor);

#endif
