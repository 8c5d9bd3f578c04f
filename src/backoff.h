/*
 * backoff.h: how long to wait before the next try: exponential with full jitter, so that a fleet
 * whose broker comes back does not return in step.
 */
#ifndef DUN_BACKOFF_H
#define DUN_BACKOFF_H

#include "base.h"

struct dun_backoff_config {
    uint32_t base_ms; /* the first wait is random in [0, base_ms] */
    uint32_t max_ms;
};

struct dun_backoff {
    struct dun_backoff_config config;
    uint64_t random; /* state of the generator */
    uint8_t failures;
};

void dun_backoff_init(struct dun_backoff *backoff, struct dun_backoff_config config, uint64_t seed);

/* The next wait in ms: uniform in [0, min(max_ms, base_ms * 2^failures)]; counts one failure. */
uint32_t dun_backoff_next(struct dun_backoff *backoff);

/* To be called when a connection has proved stable, not when it opened. */
void dun_backoff_reset(struct dun_backoff *backoff);

#endif
