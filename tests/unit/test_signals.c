/* test_signals.c: what simulated sensors read is repeatable, plausible, and unlike in each device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "signals.h"

#define DAY_MS INT64_C(86400000)

static struct dun_signal_time at(uint32_t device, dun_ms at_ms)
{
    return (struct dun_signal_time){.seed = 1,
                                    .device = device,
                                    .at_ms = at_ms,
                                    .uptime_ms = at_ms,
                                    .interval_ms = 10000,
                                    .day_ms = DAY_MS};
}

static void all_models_are_found_by_name(void **context)
{
    (void)context;
    assert_true(dun_model_count() >= 3);
    for (size_t i = 0; i < dun_model_count(); i++) {
        const struct dun_model *model = dun_model_at(i);
        assert_ptr_equal(dun_model_find(model->name, strlen(model->name)), model);
        assert_true(model->signal_count >= 1 && model->signal_count <= 8);
    }
    assert_null(dun_model_find("mete", 4));
    assert_null(dun_model_find("", 0));
}

/* The same seed, device and time: the same value. Another one: mostly another. */
static void values_follow_from_seed_device_and_time(void **context)
{
    (void)context;
    int same_device = 0;
    int same_seed = 0;
    const struct dun_signal *signal = &dun_model_find("meter", 5)->signals[1];
    for (dun_ms ms = 0; ms < 1000000; ms += 10000) {
        int64_t value, again, other, seeded;
        struct dun_signal_time time = at(5, ms);
        assert_true(dun_signal_read(signal, 1, &time, &value));
        assert_true(dun_signal_read(signal, 1, &time, &again));
        assert_int_equal(value, again);
        time.device = 6;
        assert_true(dun_signal_read(signal, 1, &time, &other));
        time.device = 5;
        time.seed = 2;
        assert_true(dun_signal_read(signal, 1, &time, &seeded));
        same_device += value == other;
        same_seed += value == seeded;
    }
    assert_true(same_device < 10 && same_seed < 10);
}

static void counters_only_grow_and_at_the_rate_they_should(void **context)
{
    (void)context;
    for (size_t i = 0; i < dun_model_count(); i++) {
        const struct dun_model *model = dun_model_at(i);
        for (uint16_t k = 0; k < model->signal_count; k++) {
            const struct dun_signal *signal = &model->signals[k];
            int64_t before = 0;
            int64_t value = 0;
            for (dun_ms ms = 0; signal->shape == DUN_SIGNAL_COUNTER && ms < DAY_MS; ms += 10000) {
                struct dun_signal_time time = at(3, ms);
                assert_true(dun_signal_read(signal, k, &time, &value));
                assert_true(value >= before);
                before = value;
            }
            if (signal->shape == DUN_SIGNAL_COUNTER) {
                assert_in_range(value, signal->base * 24 / 3, signal->base * 24 * 2);
            }
        }
    }
}

static void the_day_shows(void **context)
{
    (void)context;
    const struct dun_signal *signal = &dun_model_find("room", 4)->signals[0];
    int64_t lowest = INT64_MAX;
    int64_t highest = INT64_MIN;
    for (dun_ms ms = 0; ms < DAY_MS; ms += 60000) {
        struct dun_signal_time time = at(9, ms);
        int64_t value;
        assert_true(dun_signal_read(signal, 0, &time, &value));
        lowest = value < lowest ? value : lowest;
        highest = value > highest ? value : highest;
    }
    assert_in_range(highest - lowest, 2 * signal->swing - 2 * signal->noise,
                    2 * signal->swing + 2 * signal->noise);
}

/* A motor stands still now and then, with all that steps in it, and a tracker loses its position.
 */
static void states_step_and_readings_fail(void **context)
{
    (void)context;
    const struct dun_model *motor = dun_model_find("motor", 5);
    const struct dun_model *tracker = dun_model_find("tracker", 7);
    int still = 0;
    int moving = 0;
    int without = 0;
    for (dun_ms ms = 0; ms < DAY_MS; ms += 60000) {
        struct dun_signal_time time = at(2, ms);
        int64_t speed, current, latitude, longitude;
        assert_true(dun_signal_read(&motor->signals[0], 0, &time, &speed));
        assert_true(dun_signal_read(&motor->signals[1], 1, &time, &current));
        assert_int_equal(speed == 0, current == 0);
        still += speed == 0;
        moving += speed != 0;
        without += !dun_signal_read(&tracker->signals[0], 0, &time, &latitude);
        (void)dun_signal_read(&tracker->signals[1], 1, &time, &longitude);
    }
    assert_true(still > 100 && moving > 100);
    assert_true(without > 5 && without < 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_models_are_found_by_name),
        cmocka_unit_test(values_follow_from_seed_device_and_time),
        cmocka_unit_test(counters_only_grow_and_at_the_rate_they_should),
        cmocka_unit_test(the_day_shows),
        cmocka_unit_test(states_step_and_readings_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
