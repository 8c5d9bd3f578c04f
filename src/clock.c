/*
 * clock.c: decides when a pair of clock readings is news. It reads no clock itself.
 */
#include "clock.h"

#include <string.h>

void dun_clock_init(struct dun_clock *clock, uint32_t boot, dun_ms unix_earliest_ms,
                    uint32_t interval_ms)
{
    memset(clock, 0, sizeof *clock);
    clock->boot = boot;
    clock->unix_earliest_ms = unix_earliest_ms;
    clock->interval_ms = interval_ms;
}

static void add_anchor(struct dun_clock *clock, struct dun_anchor anchor)
{
    if (clock->anchor_count == DUN_ANCHORS_MAX) {
        memmove(&clock->anchors[0], &clock->anchors[1],
                (DUN_ANCHORS_MAX - 1) * sizeof clock->anchors[0]);
        clock->anchor_count--;
    }
    clock->anchors[clock->anchor_count++] = anchor;
}

static int cause_of(const struct dun_clock *clock, dun_ms now, dun_ms step_ms)
{
    if (!clock->known)
        return DUN_ANCHOR_KNOWN;
    if (step_ms >= DUN_CLOCK_STEP_MS || step_ms <= -DUN_CLOCK_STEP_MS)
        return DUN_ANCHOR_STEPPED;
    return now >= clock->next_periodic_ms ? DUN_ANCHOR_PERIODIC : 0;
}

int dun_clock_set(struct dun_clock *clock, dun_ms now, dun_ms unix_ms, dun_ms *step_ms)
{
    *step_ms = 0;
    if (unix_ms < clock->unix_earliest_ms)
        return 0;
    dun_ms origin = unix_ms - now;
    if (clock->known)
        *step_ms = origin - clock->boot_unix_ms;
    int cause = cause_of(clock, now, *step_ms);
    if (cause == 0)
        return 0;
    add_anchor(clock, (struct dun_anchor){.uptime_ms = now,
                                          .unix_ms = unix_ms,
                                          .boot = clock->boot,
                                          .cause = (uint8_t)cause});
    clock->known = true;
    clock->boot_unix_ms = origin;
    clock->next_periodic_ms = now + clock->interval_ms;
    return cause;
}

void dun_clock_stored(struct dun_clock *clock)
{
    clock->anchor_count = 0;
}
