/*
 * test_backoff.c: one try in each window, windows grow up to their limit, and a fleet tries evenly,
 * however long its broker is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backoff.h"

static const struct dun_backoff_config config = {.base_ms = 1000, .max_ms = 60000};

static void a_try_in_each_window_which_doubles_up_to_the_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct dun_backoff backoff;
        dun_backoff_init(&backoff, config, seed);
        uint64_t begin_ms = 0, at_ms = 0;
        uint32_t window_ms = config.base_ms;
        for (int i = 0; i < 100; i++) {
            assert_int_equal(dun_backoff_window(&backoff), window_ms);
            uint32_t wait_ms = dun_backoff_next(&backoff);
            assert_in_range(wait_ms, 0, config.max_ms);
            at_ms += wait_ms;
            assert_in_range(at_ms, begin_ms, begin_ms + window_ms);
            begin_ms += window_ms;
            window_ms = window_ms * 2 < config.max_ms / 2 ? window_ms * 2 : config.max_ms / 2;
        }
    }
}

/* Tries of a fleet in each second of ten minutes, in which no try succeeds. */
static void a_fleet_tries_evenly_all_the_time(void **state)
{
    (void)state;
    enum { DEVICES = 10000, SECONDS = 600, SPREAD = 60 };
    static unsigned counts[SECONDS];
    struct dun_backoff_config spread = {1000, SPREAD * 1000, SPREAD * 1000};
    memset(counts, 0, sizeof counts);
    for (uint64_t seed = 0; seed < DEVICES; seed++) {
        struct dun_backoff backoff;
        dun_backoff_init(&backoff, spread, seed);
        for (uint64_t at_ms = dun_backoff_next(&backoff); at_ms < SECONDS * 1000;
             at_ms += dun_backoff_next(&backoff))
            counts[at_ms / 1000]++;
    }
    for (int i = 0; i < SECONDS; i++)
        assert_in_range(counts[i], DEVICES / SPREAD / 2, DEVICES / SPREAD * 3 / 2);
}

static void no_window_is_shorter_than_the_spread(void **state)
{
    (void)state;
    struct dun_backoff backoff;
    dun_backoff_init(&backoff, (struct dun_backoff_config){1000, 120000, 10000}, 7);
    static const uint32_t windows[] = {10000, 10000, 10000, 10000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        assert_int_equal(dun_backoff_window(&backoff), windows[i]);
        dun_backoff_next(&backoff);
    }
    dun_backoff_init(&backoff, (struct dun_backoff_config){1000, 60000, 90000}, 7);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(dun_backoff_window(&backoff), 90000);
        dun_backoff_next(&backoff);
    }
}

static void a_stable_connection_starts_over(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct dun_backoff backoff;
        dun_backoff_init(&backoff, config, seed);
        for (int i = 0; i < 20; i++)
            dun_backoff_next(&backoff);
        dun_backoff_up(&backoff);
        assert_in_range(dun_backoff_next(&backoff), 0, config.max_ms);
        dun_backoff_up(&backoff);
        dun_backoff_reset(&backoff);
        assert_in_range(dun_backoff_next(&backoff), 0, config.base_ms);
    }
}

static void the_longest_waits_do_not_overflow(void **state)
{
    (void)state;
    struct dun_backoff backoff;
    dun_backoff_init(&backoff, (struct dun_backoff_config){UINT32_MAX, UINT32_MAX, UINT32_MAX}, 3);
    dun_backoff_next(&backoff);
    for (int i = 0; i < 100; i++) {
        uint64_t rest_ms = backoff.rest_ms;
        assert_in_range(dun_backoff_next(&backoff), rest_ms, UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_try_in_each_window_which_doubles_up_to_the_limit),
        cmocka_unit_test(a_fleet_tries_evenly_all_the_time),
        cmocka_unit_test(no_window_is_shorter_than_the_spread),
        cmocka_unit_test(a_stable_connection_starts_over),
        cmocka_unit_test(the_longest_waits_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
