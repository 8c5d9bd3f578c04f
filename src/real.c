/*
 * real.c: doubles as integers times a power of ten, where that is exact. It never guesses: what is
 * made of a double is made into a double again and compared bit by bit. All products and quotients
 * here have exact operands (integers to 2^53, powers to 10^22), so they are rounded once.
 */
#include "real.h"

#include <string.h>

#define EXPONENT_MAX 22
#define NO_EXPONENT  127

/* Rough bits: of a change beside its digits, of a finer exponent. */
#define CHANGE_BITS 3
#define FINER_BITS  24

static const double powers[EXPONENT_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int64_t bits_of(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(int64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double times_power(double value, int exponent)
{
    return exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
}

static bool scaled(int64_t bits, int exponent, int64_t *integer)
{
    const double largest = 9007199254740992.0; /* 2^53 */
    double value = times_power(double_of(bits), -exponent);
    if (!(value >= -largest && value <= largest)) /* nor is NaN */
        return false;
    double half = value < 0 ? -0.5 : 0.5;
    bool whole = value >= largest / 2 || value <= -largest / 2;
    *integer = (int64_t)(whole ? value : value + half);
    return bits_of(times_power((double)*integer, exponent)) == bits;
}

/// Exponents ///

static uint32_t digits_of(uint64_t value)
{
    uint32_t count = 0;
    for (; value != 0; value >>= 1)
        count++;
    return count;
}

/* Zeros at the end, which single precision has, cost nothing where all exceptions have them. */
static uint32_t exception_bits(uint64_t bits)
{
    return CHANGE_BITS + digits_of(bits) - digits_of(bits & (0 - bits));
}

/* The largest exponent that makes an integer of the double; `likely` is tried first. */
static int exponent_of(int64_t bits, int likely)
{
    int64_t integer;
    if (likely < 0 && scaled(bits, likely, &integer) && !scaled(bits, likely + 1, &integer))
        return likely;
    for (int exponent = 0; exponent >= -EXPONENT_MAX; exponent--)
        if (scaled(bits, exponent, &integer))
            return exponent;
    for (int exponent = EXPONENT_MAX; exponent > 0; exponent--)
        if (scaled(bits, exponent, &integer))
            return exponent;
    return NO_EXPONENT;
}

/* A finer exponent makes integers of more rows, at three bits and a third for each digit more; an
 * exception takes the bits that not all of them lack at their end. */
static int8_t cheapest(const uint16_t counts[2 * EXPONENT_MAX + 1], uint32_t rows,
                       uint32_t odd_bits)
{
    uint32_t best_cost = UINT32_MAX;
    uint32_t exact = 0;
    int best = 0, coarsest = NO_EXPONENT;
    for (int exponent = EXPONENT_MAX; exponent >= -EXPONENT_MAX; exponent--) {
        uint32_t count = counts[exponent + EXPONENT_MAX];
        if (count == 0)
            continue;
        coarsest = coarsest == NO_EXPONENT ? exponent : coarsest;
        exact += count;
        uint32_t cost =
            exact * (uint32_t)(coarsest - exponent) * 10 / 3 + (rows - exact) * odd_bits;
        if (cost < best_cost) {
            best_cost = cost;
            best = exponent;
        }
    }
    return (int8_t)best;
}

static int8_t exponent_for(const struct dun_batch *batch, uint16_t metric, uint16_t limit)
{
    uint16_t counts[2 * EXPONENT_MAX + 1] = {0};
    uint32_t rows = 0;
    uint64_t used = 0;
    int likely = 0;
    for (uint16_t i = batch->chains[metric].head; i < limit; i = batch->points[i].next) {
        int exponent = exponent_of(batch->points[i].value, likely);
        used |= (uint64_t)batch->points[i].value;
        rows++;
        if (exponent == NO_EXPONENT)
            continue;
        counts[exponent + EXPONENT_MAX]++;
        likely = exponent;
    }
    return cheapest(counts, rows, exception_bits(used));
}

/// The rough size ///

static uint32_t growth(struct dun_chain *chain, const int64_t *before, int64_t value)
{
    int64_t integer, integer_before = 0;
    if (!scaled(value, chain->exponent, &integer)) {
        int exponent = exponent_of(value, chain->exponent);
        if (exponent == NO_EXPONENT)
            return exception_bits((uint64_t)value);
        chain->exponent = (int8_t)exponent;
        return FINER_BITS;
    }
    if (before && !scaled(*before, chain->exponent, &integer_before))
        return exception_bits((uint64_t)value);
    int64_t change = integer - integer_before;
    return change == 0 ? 1 : CHANGE_BITS + digits_of((uint64_t)(change < 0 ? -change : change));
}

static const struct dun_reals reals = {scaled, exponent_for, growth};

/// Recording ///

static int side_of(const struct dun_limit *limit, double value, int exponent)
{
    if (!limit->set)
        return 0;
    bool above = limit->high < INT64_MAX && value > times_power((double)limit->high, exponent);
    bool below = limit->low > INT64_MIN && value < times_power((double)limit->low, exponent);
    return above - below;
}

/* To the nearest multiple of the resolution, as the decimal that it is. */
static double rounded(double value, int64_t resolution, int exponent)
{
    const double largest = 4503599627370496.0; /* 2^52: above, there is no half */
    if (resolution <= 0)
        return value;
    double count = times_power(value, -exponent) / (double)resolution;
    if (!(count > -largest && count < largest)) /* nor is NaN */
        return value;
    double whole = (double)(int64_t)(count < 0 ? count - 0.5 : count + 0.5);
    return times_power(whole * (double)resolution, exponent);
}

static bool is_left_out(const struct dun_limit *limit, double value, int exponent, dun_ms now)
{
    if (dun_recorder_is_due(limit, now))
        return false;
    double change = value - double_of(limit->last);
    double band = times_power((double)limit->tuning.dead_band, exponent);
    return bits_of(value) == limit->last || (change >= -band && change <= band);
}

int dun_agent_record_real(struct dun_agent *agent, uint16_t metric, double value, dun_ms now)
{
    struct dun_recorder *recorder = &agent->recorder;
    if (metric >= recorder->catalog->count || !recorder->catalog->metrics[metric].real)
        return DUN_E_INVALID;
    int exponent = recorder->catalog->metrics[metric].exponent;
    int side = 0;
    if (recorder->limits_of) {
        const struct dun_limit *limit = &recorder->limits_of[metric];
        side = side_of(limit, value, exponent);
        value = rounded(value, limit->tuning.resolution, exponent);
        if (side == limit->side && is_left_out(limit, value, exponent, now))
            return DUN_OK;
    }
    if (!(recorder->batch->chains[metric].form & DUN_FORM_REAL))
        dun_batch_make_real(recorder->batch, metric, &reals);
    return dun_recorder_put(recorder, metric, bits_of(value), side, now);
}
