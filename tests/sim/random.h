/*
 * random.h: the simulator's only source of chance: a 64-bit generator (splitmix64) whose state is
 * one number. Each part of the world has its own, derived from the seed, so that a change in one
 * part does not reshuffle the others. Integers only: the same run on every machine.
 */
#ifndef DUN_SIM_RANDOM_H
#define DUN_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline struct rng rng_of(uint64_t seed, uint64_t part)
{
    struct rng rng = {seed * UINT64_C(0xD6E8FEB86659FD93) + part};
    return (struct rng){rng_next(&rng) ^ (part << 32)};
}

/* 0 to below - 1. */
static inline uint64_t rng_below(struct rng *rng, uint64_t below)
{
    return rng_next(rng) % below;
}

/* Both ends included. */
static inline int64_t rng_range(struct rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static inline uint32_t rng_u32(struct rng *rng, uint32_t low, uint32_t high)
{
    return (uint32_t)rng_range(rng, low, high);
}

static inline bool rng_chance(struct rng *rng, uint32_t per_mille)
{
    return rng_below(rng, 1000) < per_mille;
}

/* low to high, small ones as likely as large ones: each doubling has the same share. */
static inline int64_t rng_spread(struct rng *rng, int64_t low, int64_t high)
{
    int64_t top = low;
    uint32_t doublings = 0;
    while (top < high) {
        top *= 2;
        doublings++;
    }
    int64_t from = low << rng_below(rng, doublings + 1u);
    int64_t value = rng_range(rng, from, 2 * from);
    return value > high ? high : value;
}

#endif
