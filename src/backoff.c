/*
 * backoff.c: exponential backoff with full jitter. The random numbers are splitmix64, which needs
 * one word of state and no seed quality: two devices differ as soon as their seeds do.
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

uint32_t dun_backoff_next(struct dun_backoff *backoff)
{
    uint64_t ceiling_ms = (uint64_t)backoff->config.base_ms << backoff->failures;
    if (ceiling_ms >= backoff->config.max_ms)
        ceiling_ms = backoff->config.max_ms;
    else
        backoff->failures++;
    return (uint32_t)(next_random(&backoff->random) % (ceiling_ms + 1));
}

void dun_backoff_reset(struct dun_backoff *backoff)
{
    backoff->failures = 0;
}
