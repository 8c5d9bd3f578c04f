/*
 * clock.h: what we believe about wall-clock time, and the anchors that tell the far end. Samples
 * carry uptime only; an anchor ties a boot's uptime to unix time whenever that becomes known.
 */
#ifndef DUN_CLOCK_H
#define DUN_CLOCK_H

#include "base.h"

#define DUN_ANCHORS_MAX   4   /* anchors that wait for a record */
#define DUN_CLOCK_STEP_MS 100 /* a smaller difference is noise between two readings */

/* The values of dunlin.v1.AnchorCause. */
enum dun_anchor_cause {
    DUN_ANCHOR_KNOWN = 1,
    DUN_ANCHOR_STEPPED = 2,
    DUN_ANCHOR_PERIODIC = 3,
};

struct dun_anchor {
    dun_ms uptime_ms;
    dun_ms unix_ms;
    uint32_t boot;
    uint8_t cause; /* enum dun_anchor_cause */
};

struct dun_clock {
    uint32_t boot;
    dun_ms unix_earliest_ms; /* a wall clock before this is not set */
    uint32_t interval_ms;    /* of periodic anchors */
    bool known;
    dun_ms boot_unix_ms;     /* unix time at uptime 0, if known */
    dun_ms next_periodic_ms; /* uptime */
    struct dun_anchor anchors[DUN_ANCHORS_MAX];
    uint16_t anchor_count;
};

void dun_clock_init(struct dun_clock *clock, uint32_t boot, dun_ms unix_earliest_ms,
                    uint32_t interval_ms);

/*
 * Takes one reading of both clocks. Returns the cause of the anchor that this made, 0 if none;
 * `*step_ms` is by how much the clock was off what we believed. When anchors wait for a record
 * already, the oldest goes: the latest one dates best.
 */
int dun_clock_set(struct dun_clock *clock, dun_ms now, dun_ms unix_ms, dun_ms *step_ms);

/* The anchors were stored: forget them. */
void dun_clock_stored(struct dun_clock *clock);

#endif
