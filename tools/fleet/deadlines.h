/*
 * deadlines.h: who is to be woken next: a heap of deadlines with a place for each of N sleepers.
 * It reads no clock.
 */
#ifndef DUN_FLEET_DEADLINES_H
#define DUN_FLEET_DEADLINES_H

#include "base.h"

struct dun_deadline {
    dun_ms at;
    uint32_t who;
};

struct dun_deadlines {
    struct dun_deadline *heap; /* earliest first */
    uint32_t *place;           /* of each sleeper in the heap */
    uint32_t count;
};

/* `count` sleepers, none of whom has a deadline. False: out of memory. */
DUN_MUST_USE bool dun_deadlines_init(struct dun_deadlines *deadlines, uint32_t count);
void dun_deadlines_free(struct dun_deadlines *deadlines);

/* DUN_MS_NEVER takes it away. Cost: O(log count). */
void dun_deadlines_set(struct dun_deadlines *deadlines, uint32_t who, dun_ms at);

dun_ms dun_deadlines_of(const struct dun_deadlines *deadlines, uint32_t who);

/* The earliest, `at` DUN_MS_NEVER if nobody has one. */
struct dun_deadline dun_deadlines_first(const struct dun_deadlines *deadlines);

#endif
