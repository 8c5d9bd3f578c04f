/* stats.h: counters since start, for the agent's own metrics and log lines. */
#ifndef DUN_STATS_H
#define DUN_STATS_H

#include "base.h"

struct dun_stats {
    dun_sequence points_recorded;
    dun_sequence points_lost;    /* before they got into a record */
    dun_sequence records_stored; /* announcements included */
    uint64_t bytes_stored;
    dun_sequence records_published; /* resent ones included */
    dun_sequence records_acked;
    dun_sequence records_rejected; /* refused by the broker for good: quarantined */
    dun_sequence records_deferred; /* times that it asked to have one later */
    dun_sequence records_dropped;  /* taken by overflow or damage */
    dun_sequence stored_ignored;   /* cursors on .../stored for another stream, or ahead of us */
    dun_sequence connects;         /* times UP */
    dun_sequence disconnects;      /* times DOWN after UP */
    dun_sequence connect_failures; /* times DOWN without UP */
    dun_sequence redirects;        /* to another broker, followed */
    dun_sequence sensor_errors;
    dun_sequence storage_errors;
};

#endif
