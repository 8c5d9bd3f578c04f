/*
 * chaos.h: what goes wrong when: faults that come at random moments, at so many a second in the
 * whole fleet, and storms at set ones. It decides, others do.
 */
#ifndef DUN_FLEET_CHAOS_H
#define DUN_FLEET_CHAOS_H

#include "base.h"

#define DUN_CHAOS_STORMS_MAX 16

enum dun_chaos_kind {
    DUN_CHAOS_CUT = 0, /* a link breaks */
    DUN_CHAOS_LOST_ACKS,
    DUN_CHAOS_SILENCE,
    DUN_CHAOS_REBOOT,
    DUN_CHAOS_CLOCK, /* a clock jumps */
    DUN_CHAOS_KINDS,
    DUN_CHAOS_STORM, /* all links break */
};

struct dun_chaos_storm {
    dun_ms at, duration_ms;
};

struct dun_chaos_plan {
    double a_second[DUN_CHAOS_KINDS]; /* events in the whole fleet; 0: none */
    dun_ms cut_ms;                    /* how long links stay broken or silent */
    dun_ms jump_ms;                   /* how far clocks jump, at most, either way */
    struct dun_chaos_storm storms[DUN_CHAOS_STORMS_MAX]; /* in the order of time */
    uint32_t storm_count;
};

struct dun_chaos {
    const struct dun_chaos_plan *plan;
    uint64_t random;
    dun_ms next[DUN_CHAOS_KINDS];
    uint32_t storms_done;
    uint64_t counts[DUN_CHAOS_KINDS];
};

struct dun_chaos_event {
    uint8_t kind;  /* enum dun_chaos_kind */
    uint32_t who;  /* but for storms */
    dun_ms amount; /* how long it lasts, or how far the clock jumps */
};

void dun_chaos_init(struct dun_chaos *chaos, const struct dun_chaos_plan *plan, uint64_t seed);

/* When the next event is due; DUN_MS_NEVER: none comes. */
dun_ms dun_chaos_deadline(const struct dun_chaos *chaos);

/* An event that is due, in a fleet of `count`; false: none is. */
bool dun_chaos_take(struct dun_chaos *chaos, uint32_t count, dun_ms now,
                    struct dun_chaos_event *event);

#endif
