/*
 * test_tuning.c: which values of a metric are recorded: resolution, dead-band, heartbeat, and what
 * never is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "recorder.h"

enum { POINTS = 32 };

static struct {
    struct dun_point points[POINTS];
    struct dun_chain chains[1];
    struct dun_batch batch;
    struct dun_metric metrics[1];
    struct dun_catalog catalog;
    struct dun_stats stats;
    struct dun_notices notices;
    struct dun_limit limits[1];
    struct dun_recorder recorder;
    dun_ms now;
} f;

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, 1);
    dun_catalog_init(&f.catalog, f.metrics, 1);
    f.catalog.count = 1;
    f.recorder = (struct dun_recorder){.limits = {.points_max = POINTS,
                                                  .bytes_max = UINT32_MAX,
                                                  .age_max_ms = UINT32_MAX,
                                                  .retry_ms = 1000},
                                       .catalog = &f.catalog,
                                       .batch = &f.batch,
                                       .stats = &f.stats,
                                       .notices = &f.notices,
                                       .limits_of = f.limits};
    return 0;
}

/* True if the value was recorded, as `expected`. */
static bool takes(int64_t value, dun_ms after_ms, int64_t expected)
{
    uint16_t before = f.batch.count;
    f.now += after_ms;
    assert_int_equal(dun_recorder_add(&f.recorder, 0, value, f.now), DUN_OK);
    if (f.batch.count > before)
        assert_true(f.points[before].value == expected);
    return f.batch.count > before;
}

static void values_are_rounded_to_the_resolution(void **state)
{
    (void)state;
    f.limits[0].tuning = (struct dun_tuning){.resolution = 10};
    assert_true(takes(104, 1, 100));
    assert_true(takes(105, 1, 110));
    assert_true(takes(105, 1, 110)); /* no dead-band: the same again is told again */
    assert_true(takes(-104, 1, -100));
    assert_true(takes(-105, 1, -110));
    assert_true(takes(INT64_MAX, 1, INT64_MAX)); /* there is no multiple beyond */
    assert_true(takes(INT64_MIN, 1, INT64_MIN));
    f.limits[0].tuning.resolution = INT64_MAX;
    assert_true(takes(5, 1, 0));
}

static void what_lies_in_the_dead_band_is_left_out(void **state)
{
    (void)state;
    f.limits[0].tuning = (struct dun_tuning){.sparse = true, .dead_band = 20};
    assert_true(takes(100, 0, 100)); /* the first always is told */
    assert_false(takes(120, 1, 0));
    assert_false(takes(80, 1, 0));
    assert_true(takes(121, 1, 121));
    assert_false(takes(101, 1, 0)); /* measured from what was told, so a drift is seen */
    assert_true(takes(100, 100000000, 100));
    assert_true(takes(INT64_MAX, 1, INT64_MAX));
    assert_true(takes(INT64_MIN, 1, INT64_MIN)); /* a change that no int64 holds */
    assert_false(takes(INT64_MIN, 100000000, 0));
}

static void a_dead_band_of_0_tells_changes(void **state)
{
    (void)state;
    f.limits[0].tuning = (struct dun_tuning){.sparse = true};
    assert_true(takes(0, 0, 0));
    assert_false(takes(0, 1000, 0));
    assert_true(takes(1, 1000, 1));
    assert_false(takes(1, 1000, 0));
}

static void a_heartbeat_is_told_in_time(void **state)
{
    (void)state;
    f.limits[0].tuning = (struct dun_tuning){.sparse = true, .heartbeat_ms = 10000};
    assert_true(takes(7, 0, 7));
    assert_false(takes(7, 9999, 0));
    assert_true(takes(7, 1, 7));
    assert_false(takes(7, 9999, 0));
    assert_true(takes(8, 0, 8)); /* counts from each value that is told */
    assert_false(takes(8, 9999, 0));
}

/* It is judged as it is read, and told within the dead-band too. */
static void a_crossing_is_never_left_out(void **state)
{
    (void)state;
    f.limits[0] = (struct dun_limit){.low = 0, .high = 52, .set = true};
    f.limits[0].tuning = (struct dun_tuning){.resolution = 10, .sparse = true, .dead_band = 1000};
    assert_true(takes(50, 0, 50));
    assert_false(takes(52, 1, 0));
    assert_false(f.recorder.urgent_end > 0);
    assert_true(takes(53, 1, 50));
    assert_true(f.recorder.urgent_end > 0);
    assert_false(takes(54, 1, 0)); /* above still: no news */
    assert_true(takes(52, 1, 50));
}

/* What is not stored in RAM was not told: the next value is. */
static void a_refused_value_is_not_the_last_one(void **state)
{
    (void)state;
    f.limits[0].tuning = (struct dun_tuning){.sparse = true};
    f.recorder.blocked_until_ms = DUN_MS_NEVER;
    for (int i = 0; i < POINTS; i++)
        assert_true(takes(i, 1, i));
    assert_int_equal(dun_recorder_add(&f.recorder, 0, 99, f.now), DUN_E_FULL);
    dun_batch_consume(&f.batch, POINTS);
    assert_true(takes(99, 1, 99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_are_rounded_to_the_resolution, set_up),
        cmocka_unit_test_setup(what_lies_in_the_dead_band_is_left_out, set_up),
        cmocka_unit_test_setup(a_dead_band_of_0_tells_changes, set_up),
        cmocka_unit_test_setup(a_heartbeat_is_told_in_time, set_up),
        cmocka_unit_test_setup(a_crossing_is_never_left_out, set_up),
        cmocka_unit_test_setup(a_refused_value_is_not_the_last_one, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
