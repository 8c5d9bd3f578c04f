/*
 * lane.c: walks a log between bounds. A cursor that stands before the bounds, or that went stale,
 * costs the log a search; one that stands on the record before costs nothing.
 */
#include "lane.h"

#define WALK_MAX 256 /* records: further ahead than this a search is cheaper than a walk */

/* A cursor that is stale from the start: the log continues behind its sequence. */
static struct dun_log_cursor before(dun_sequence sequence)
{
    return (struct dun_log_cursor){.sequence = sequence > 0 ? sequence - 1 : 0};
}

void dun_lane_set(struct dun_lane *lane, dun_sequence from, dun_sequence end)
{
    lane->from = from;
    lane->end = end;
    lane->cursor = before(from);
    dun_lane_mark(lane);
}

void dun_lane_mark(struct dun_lane *lane)
{
    lane->stood_at = lane->cursor.sequence;
}

void dun_lane_resume(struct dun_lane *lane)
{
    lane->cursor = (struct dun_log_cursor){.sequence = lane->stood_at};
}

int dun_lane_next(struct dun_lane *lane)
{
    if (!dun_store_is_mounted(lane->store))
        return 0;
    struct dun_log_cursor next =
        lane->cursor.sequence + 1 < lane->from ? before(lane->from) : lane->cursor;
    /* A step that has nothing to send must not search the log to learn so. */
    if (next.sequence + 1 >= dun_log_next_sequence(&lane->store->log) ||
        next.sequence + 1 >= lane->end)
        return 0;
    int result = dun_log_next(&lane->store->log, &next);
    if (result > 0 && next.sequence >= lane->end) {
        lane->cursor = before(lane->end); /* all below is done, and stays so */
        return 0;
    }
    if (result > 0)
        lane->cursor = next;
    return result;
}

/* The record under the cursor may have been dropped since, or its block may have died. */
static bool still_there(const struct dun_lane *lane)
{
    uint8_t byte;
    return lane->cursor.serial != 0 &&
           dun_log_read(&lane->store->log, &lane->cursor, 0, &byte, 1) == DUN_OK;
}

int dun_lane_find(struct dun_lane *lane, dun_sequence sequence)
{
    if (lane->cursor.sequence == sequence && still_there(lane))
        return 1;
    if (lane->cursor.sequence >= sequence || lane->cursor.serial == 0 ||
        sequence - lane->cursor.sequence > WALK_MAX)
        lane->cursor = before(sequence);
    int result = 1;
    while (result > 0 && lane->cursor.sequence < sequence)
        result = dun_log_next(&lane->store->log, &lane->cursor);
    if (result > 0 && lane->cursor.sequence == sequence)
        return 1;
    lane->cursor = before(sequence + 1); /* what the search ran into is not given out yet */
    return result < 0 ? result : 0;
}
