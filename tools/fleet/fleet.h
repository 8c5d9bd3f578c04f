/*
 * fleet.h: N devices in one process: each sleeps packed until a byte comes or its deadline is
 * there. One thread, one epoll, one heap of deadlines; no loop over all devices but at the
 * beginning, in a storm, and at the end.
 */
#ifndef DUN_FLEET_FLEET_H
#define DUN_FLEET_FLEET_H

#include "chaos.h"
#include "deadlines.h"
#include "device.h"
#include "packed.h"

#define DUN_FLEET_MODELS_MAX 8
#define DUN_RATE_TICKS       20 /* of 50 ms: a second that begins at any tick */

/* Which devices there are: of each `weights` together so many are that model. */
struct dun_fleet_mix {
    const struct dun_model *models[DUN_FLEET_MODELS_MAX];
    uint32_t weights[DUN_FLEET_MODELS_MAX];
    size_t count;
};

/* How often something happens: the busiest second. */
struct dun_rate {
    uint32_t ticks[DUN_RATE_TICKS];
    int64_t tick;
    uint32_t sum, most;
    dun_ms most_at;
    uint64_t total;
};
void dun_rate_add(struct dun_rate *rate, dun_ms now, uint32_t count);

/* Where a boot began, so that its uptimes can be dated. */
struct dun_fleet_boot {
    dun_ms at;
    uint32_t before; /* index of the device's boot before this one */
};

struct dun_fleet_slot {
    struct dun_packed packed;
    uint32_t boot;  /* the first one's id; 0: not born yet */
    uint32_t boots; /* so many */
    uint32_t last;  /* index of the last one in `boots` of the fleet */
};

struct dun_fleet {
    const struct dun_fleet_settings *settings;
    const struct dun_fleet_mix *mix;
    uint32_t count;
    uint64_t key; /* random: makes streams and boots unlike those of other runs */
    int epoll;
    size_t image_size;
    struct dun_fleet_device *hot; /* the one that is awake */
    uint32_t awake;
    void *models[DUN_FLEET_MODELS_MAX]; /* images of new ones */
    struct dun_fleet_slot *slots;
    struct dun_deadlines deadlines;
    struct dun_fleet_boot *boots;
    uint32_t boot_count, boot_room;
    struct dun_fleet_totals totals;
    struct dun_rate connects, reconnects;
    struct dun_pool pool; /* of those who sleep */
    uint32_t ended;
    dun_ms storm_over_ms; /* when the last one passed; DUN_MS_NEVER: none waits for its end */
    dun_ms storm_back_ms; /* the longest time until all were back */
    uint32_t storms, storms_back;
    const char *trouble; /* not NULL: nothing goes any more, and why */
};

/* Borrows settings and mix; starts nobody. False: `trouble` says why. */
DUN_MUST_USE bool dun_fleet_init(struct dun_fleet *fleet, const struct dun_fleet_settings *settings,
                                 const struct dun_fleet_mix *mix, uint32_t count, uint64_t key);
void dun_fleet_free(struct dun_fleet *fleet);

/* Device `who` is to be powered up at `at`. */
void dun_fleet_start(struct dun_fleet *fleet, uint32_t who, dun_ms at);

/* Steps a device of which epoll told, or all whose deadline came; at most `max` of them. */
void dun_fleet_run(struct dun_fleet *fleet, uint32_t who, dun_ms now, dun_ms unix_ms);
void dun_fleet_run_due(struct dun_fleet *fleet, uint32_t max, dun_ms now, dun_ms unix_ms);

void dun_fleet_strike(struct dun_fleet *fleet, const struct dun_chaos_event *event, dun_ms now,
                      dun_ms unix_ms);

/* No device samples any more, and links that are broken come back. */
void dun_fleet_hush(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms);

/* All is delivered. */
bool dun_fleet_drained(const struct dun_fleet *fleet);

/* All say goodbye; `ended` counts those who have. */
void dun_fleet_end(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms);

/* How many sequences the device's log gave; 0: it was never powered. */
uint64_t dun_fleet_recorded(struct dun_fleet *fleet, uint32_t who);

/* The id of its log, which is another one in each run. */
uint64_t dun_fleet_stream(const struct dun_fleet *fleet, uint32_t who);

/* When that boot of that device began; false: there was none. */
bool dun_fleet_boot_ms(const struct dun_fleet *fleet, uint32_t who, uint32_t boot, dun_ms *at);

#endif
