/* stats.h: counters since start, for the agent's own metrics and log lines. */
#ifndef DUN_STATS_H
#define DUN_STATS_H

#include "base.h"

struct dun_stats {
    uint64_t points_recorded;
    uint64_t points_lost;    /* before they got into a record */
    uint64_t records_stored; /* announcements included */
    uint64_t bytes_stored;
    uint64_t records_published; /* resent ones included */
    uint64_t records_acked;
    uint64_t records_rejected; /* refused by the broker for good: quarantined */
    uint64_t records_deferred; /* times that it asked to have one later */
    uint64_t records_dropped;  /* taken by overflow or damage */
    uint64_t stored_ignored;   /* cursors on .../stored for another stream, or ahead of us */
    uint64_t connects;         /* times UP */
    uint64_t disconnects;      /* times DOWN after UP */
    uint64_t connect_failures; /* times DOWN without UP */
    uint64_t redirects;        /* to another broker, followed */
    uint64_t sensor_errors;
    uint64_t storage_errors;
};

#endif
