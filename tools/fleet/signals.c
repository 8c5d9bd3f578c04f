/* signals.c: see signals.h. Noise is a hash of where and when, smoothed where that is plausible. */
#include "signals.h"

#include <math.h>

#define DWELL_S    300
#define GUST_MS    60000
#define DAWN_SHARE 0.25 /* of the day has passed when a device boots for the first time */
#define TWO_PI     6.283185307179586

/// Chance ///

static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

uint64_t dun_signal_hash(uint64_t a, uint64_t b, uint64_t c)
{
    return mix(mix(mix(a) ^ b) ^ c);
}

/* What is drawn for one metric of one device, number `which`: -1 to 1. */
struct source {
    uint64_t key;
};

static double draw(struct source source, uint64_t which)
{
    return (double)(dun_signal_hash(source.key, which, 1) >> 11) / (double)(1 << 26) /
               (double)(1 << 26) -
           1.0;
}

/* The same, but of a time: continuous, a new height each `period_ms`. */
static double drift(struct source source, dun_ms at_ms, dun_ms period_ms)
{
    uint64_t step = (uint64_t)(at_ms / period_ms);
    double part = (double)(at_ms % period_ms) / (double)period_ms;
    double from = draw(source, step * 2);
    double to = draw(source, step * 2 + 2);
    return from + (to - from) * part * part * (3 - 2 * part);
}

/// Shapes ///

static double phase_of(const struct dun_signal_time *time)
{
    return TWO_PI * (DAWN_SHARE + (double)time->at_ms / (double)time->day_ms);
}

/* -1 at midnight to 1 at noon. */
static double sunlight(const struct dun_signal_time *time)
{
    return -cos(phase_of(time));
}

static double noise(const struct dun_signal *signal, struct source source, dun_ms at_ms)
{
    double gust = 0.7 * drift(source, at_ms, GUST_MS);
    return (double)signal->noise * (gust + 0.3 * draw(source, (uint64_t)at_ms * 2 + 1));
}

static double daily(const struct dun_signal *signal, struct source source, double base,
                    const struct dun_signal_time *time)
{
    return base + (double)signal->swing * sunlight(time) + noise(signal, source, time->at_ms);
}

static dun_ms dwell_of(const struct dun_signal *signal)
{
    return (dun_ms)(signal->dwell_s > 0 ? signal->dwell_s : DWELL_S) * 1000;
}

/* Which stretch it is; each device begins at its own moment. */
static uint64_t stretch_of(const struct dun_signal *signal, struct source source, dun_ms at_ms)
{
    return (uint64_t)(at_ms + (dun_ms)(source.key % (uint64_t)dwell_of(signal))) /
           (uint64_t)dwell_of(signal);
}

/* What was counted by then: the integral of a rate that follows the day. */
static double integral(const struct dun_signal *signal, double base,
                       const struct dun_signal_time *time, dun_ms at_ms)
{
    double hours = (double)at_ms / 3600000.0;
    double day_hours = (double)time->day_ms / 3600000.0;
    double from = TWO_PI * DAWN_SHARE;
    double to = from + TWO_PI * hours / day_hours;
    double share = base > 0 ? (double)signal->swing / base : 0;
    return base * (hours - share * day_hours / TWO_PI * (sin(to) - sin(from)));
}

/* Between now and the next reading it lies anywhere, so the rate is never the same and a fall never
 * happens. */
static double counter(const struct dun_signal *signal, struct source source, double base,
                      const struct dun_signal_time *time)
{
    double now = integral(signal, base, time, time->at_ms);
    double next = integral(signal, base, time, time->at_ms + time->interval_ms);
    return now + (next - now) * (0.5 + 0.5 * draw(source, (uint64_t)time->at_ms));
}

static double saw(const struct dun_signal *signal, struct source source, double base,
                  const struct dun_signal_time *time)
{
    dun_ms dwell = dwell_of(signal);
    dun_ms at = (time->at_ms + (dun_ms)(source.key % (uint64_t)dwell)) % dwell;
    return base - (double)signal->swing * (double)at / (double)dwell;
}

static double value_of(const struct dun_signal *signal, struct source source,
                       const struct dun_signal_time *time)
{
    double unlike = draw(source, UINT64_MAX) * (double)signal->spread / 1000.0;
    double base = (double)signal->base * (1.0 + unlike);
    uint64_t chance = dun_signal_hash(source.key, stretch_of(signal, source, time->at_ms), 2);
    switch (signal->shape) {
    case DUN_SIGNAL_STEPS:
        return chance % 3 == 0 ? 0 : base + noise(signal, source, time->at_ms);
    case DUN_SIGNAL_LEVELS:
        return (double)(chance % (uint64_t)(signal->base + 1));
    case DUN_SIGNAL_COUNTER:
        return counter(signal, source, base, time);
    case DUN_SIGNAL_SAW:
        return saw(signal, source, base, time);
    case DUN_SIGNAL_UPTIME:
        return (double)(time->uptime_ms / 1000);
    default:
        return daily(signal, source, base, time);
    }
}

bool dun_signal_read(const struct dun_signal *signal, uint16_t index,
                     const struct dun_signal_time *time, int64_t *value)
{
    /* What belongs together steps together: the stretches are the device's. */
    bool common = signal->shape == DUN_SIGNAL_STEPS || signal->shape == DUN_SIGNAL_LEVELS;
    struct source source = {dun_signal_hash(time->seed, time->device, common ? 0 : index + 1u)};
    uint64_t stretch = stretch_of(signal, source, time->at_ms);
    if (signal->outage > 0 && dun_signal_hash(source.key, stretch, 3) % 1000 < signal->outage) {
        return false;
    }
    *value = llround(value_of(signal, source, time));
    return true;
}
