/*
 * backoff.c: one try at a random moment of each window. The random numbers are splitmix64, which
 * needs one word of state and no seed quality: two devices differ as soon as their seeds do.
 */
#include "backoff.h"

void dun_backoff_init(struct dun_backoff *backoff, struct dun_backoff_config config, uint64_t seed)
{
    *backoff = (struct dun_backoff){.config = config, .random = seed};
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A wait may reach over two windows. */
static uint32_t window_max(const struct dun_backoff *backoff)
{
    return backoff->config.max_ms / 2;
}

static uint64_t doubled_ms(const struct dun_backoff *backoff)
{
    return (uint64_t)backoff->config.base_ms << backoff->failures;
}

uint32_t dun_backoff_window(const struct dun_backoff *backoff)
{
    uint64_t window_ms = doubled_ms(backoff);
    if (window_ms > window_max(backoff))
        window_ms = window_max(backoff);
    if (window_ms < backoff->config.spread_ms)
        window_ms = backoff->config.spread_ms;
    return (uint32_t)window_ms;
}

uint32_t dun_backoff_next(struct dun_backoff *backoff)
{
    uint32_t window_ms = dun_backoff_window(backoff);
    /* 32 random bits scaled to 0..window_ms: no board without a divider pays for a 64-bit one. */
    uint32_t random = (uint32_t)(next_random(&backoff->random) >> 32);
    uint32_t offset_ms = (uint32_t)(random * (window_ms + UINT64_C(1)) >> 32);
    uint64_t wait_ms = (uint64_t)backoff->rest_ms + offset_ms;
    if (doubled_ms(backoff) < window_max(backoff))
        backoff->failures++;
    backoff->rest_ms = window_ms - offset_ms;
    return wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
}

void dun_backoff_up(struct dun_backoff *backoff)
{
    backoff->rest_ms = 0;
}

void dun_backoff_reset(struct dun_backoff *backoff)
{
    backoff->failures = 0;
}
