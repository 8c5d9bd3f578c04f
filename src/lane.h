/*
 * lane.h: one order in which a store's records go out: those from `from` up to below `end` that
 * are not acknowledged, oldest first. Fresh records have a lane of their own, so that they do not
 * wait behind what an outage left behind.
 */
#ifndef DUN_LANE_H
#define DUN_LANE_H

#include "store.h"

struct dun_lane {
    struct dun_store *store; /* NULL: the lane is empty */
    dun_sequence from;
    dun_sequence end;
    struct dun_log_cursor cursor; /* the last record given out */
    dun_sequence stood_at;        /* sequence that the cursor had at dun_lane_mark */
};

/* Makes the lane give out `from` to below `end`, from its beginning. */
void dun_lane_set(struct dun_lane *lane, dun_sequence from, dun_sequence end);

/* Moves to the next record: 1; 0: none now; negative: the log cannot be read. */
DUN_MUST_USE int dun_lane_next(struct dun_lane *lane);

/* dun_lane_find leaves the place that the lane had come to; mark keeps it, resume returns there. */
void dun_lane_mark(struct dun_lane *lane);
void dun_lane_resume(struct dun_lane *lane);

/* Moves to the record `sequence`, wherever the bounds are: 1; 0: it is gone; negative: as above. */
DUN_MUST_USE int dun_lane_find(struct dun_lane *lane, dun_sequence sequence);

#endif
