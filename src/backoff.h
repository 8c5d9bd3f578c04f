/*
 * backoff.h: how long to wait before the next try, so that a fleet whose broker comes back does not
 * return in step.
 *
 * Time after a loss is cut into windows, one behind the other, each twice as long as the one before
 * up to a limit; in each there is one try, at a random moment. So however long the broker is away,
 * a fleet that lost it at once tries evenly: in any stretch of time the share of the fleet that
 * this stretch has of the window. Waits drawn anew after each failure would bunch up.
 */
#ifndef DUN_BACKOFF_H
#define DUN_BACKOFF_H

#include "base.h"

struct dun_backoff_config {
    uint32_t base_ms;   /* the first window */
    uint32_t max_ms;    /* the longest wait: windows double up to half of this */
    uint32_t spread_ms; /* no window is shorter than this, whatever the other two say */
};

struct dun_backoff {
    struct dun_backoff_config config;
    uint64_t random;  /* state of the generator */
    uint32_t rest_ms; /* of the window of the last try, behind that try */
    uint8_t failures;
};

void dun_backoff_init(struct dun_backoff *backoff, struct dun_backoff_config config, uint64_t seed);

/* The wait in ms from now, when a try failed or a connection ended, to the next try: what is left
 * of the window, and a random part of the next one. Counts one failure. */
uint32_t dun_backoff_next(struct dun_backoff *backoff);

/* The window that dun_backoff_next will draw from, ms. */
uint32_t dun_backoff_window(const struct dun_backoff *backoff);

/* A connection came up: the next window begins when it ends. */
void dun_backoff_up(struct dun_backoff *backoff);

/* To be called when a connection has proved stable, not when it opened: windows are short again. */
void dun_backoff_reset(struct dun_backoff *backoff);

#endif
