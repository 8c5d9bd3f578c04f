/* test_backoff.c: waits grow, are spread over the whole range, and stay under the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backoff.h"

static const struct dun_backoff_config config = {.base_ms = 1000, .max_ms = 60000};

static void ceiling_doubles_up_to_the_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct dun_backoff backoff;
        dun_backoff_init(&backoff, config, seed);
        uint32_t ceiling_ms = config.base_ms;
        for (int i = 0; i < 100; i++) {
            assert_in_range(dun_backoff_next(&backoff), 0, ceiling_ms);
            ceiling_ms = ceiling_ms * 2 < config.max_ms ? ceiling_ms * 2 : config.max_ms;
        }
    }
}

/* Full jitter: a fleet's waits fill each tenth of the range about evenly. */
static void a_fleet_spreads_out(void **state)
{
    (void)state;
    enum { DEVICES = 10000, TENTHS = 10 };
    unsigned counts[TENTHS] = {0};
    for (uint64_t seed = 0; seed < DEVICES; seed++) {
        struct dun_backoff backoff;
        dun_backoff_init(&backoff, (struct dun_backoff_config){.base_ms = 9999, .max_ms = 9999},
                         seed);
        counts[dun_backoff_next(&backoff) / 1000]++;
    }
    for (int i = 0; i < TENTHS; i++)
        assert_in_range(counts[i], DEVICES / TENTHS * 8 / 10, DEVICES / TENTHS * 12 / 10);
}

static void reset_starts_over(void **state)
{
    (void)state;
    struct dun_backoff backoff;
    dun_backoff_init(&backoff, config, 42);
    for (int i = 0; i < 20; i++)
        dun_backoff_next(&backoff);
    dun_backoff_reset(&backoff);
    assert_in_range(dun_backoff_next(&backoff), 0, config.base_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ceiling_doubles_up_to_the_limit),
        cmocka_unit_test(a_fleet_spreads_out),
        cmocka_unit_test(reset_starts_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
