/* test_clock.c: when a pair of clock readings makes an anchor, and when it is noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "clock.h"

enum { HOUR_MS = 3600000 };
static const dun_ms earliest_ms = INT64_C(1767225600000);
static const dun_ms wall_ms = INT64_C(1790000000000);

static struct dun_clock new_clock(void)
{
    struct dun_clock clock;
    dun_clock_init(&clock, 7, earliest_ms, HOUR_MS);
    return clock;
}

static void an_unset_clock_is_not_believed(void **state)
{
    (void)state;
    struct dun_clock clock = new_clock();
    dun_ms step_ms;
    assert_int_equal(dun_clock_set(&clock, 5000, 5000, &step_ms), 0); /* 1970 */
    assert_int_equal(dun_clock_set(&clock, 5000, earliest_ms - 1, &step_ms), 0);
    assert_false(clock.known);
    assert_int_equal(clock.anchor_count, 0);
}

static void the_first_good_reading_is_an_anchor(void **state)
{
    (void)state;
    struct dun_clock clock = new_clock();
    dun_ms step_ms;
    assert_int_equal(dun_clock_set(&clock, 5000, wall_ms, &step_ms), DUN_ANCHOR_KNOWN);
    assert_true(clock.known);
    assert_int_equal(clock.boot_unix_ms, wall_ms - 5000);
    assert_int_equal(clock.anchors[0].uptime_ms, 5000);
    assert_int_equal(clock.anchors[0].unix_ms, wall_ms);
    assert_int_equal(clock.anchors[0].boot, 7);
    assert_int_equal(dun_clock_set(&clock, 6000, wall_ms + 1000 + 99, &step_ms), 0);
}

static void steps_both_ways_are_told(void **state)
{
    (void)state;
    struct dun_clock clock = new_clock();
    dun_ms step_ms;
    assert_int_equal(dun_clock_set(&clock, 0, wall_ms, &step_ms), DUN_ANCHOR_KNOWN);
    assert_int_equal(dun_clock_set(&clock, 10, wall_ms + 10 + 100, &step_ms), DUN_ANCHOR_STEPPED);
    assert_int_equal(step_ms, 100);
    assert_int_equal(dun_clock_set(&clock, 20, wall_ms + 20 - 5000, &step_ms), DUN_ANCHOR_STEPPED);
    assert_int_equal(step_ms, -5100);
    assert_int_equal(clock.boot_unix_ms, wall_ms - 5000);
}

static void an_anchor_comes_each_interval(void **state)
{
    (void)state;
    struct dun_clock clock = new_clock();
    dun_ms step_ms;
    assert_int_equal(dun_clock_set(&clock, 0, wall_ms, &step_ms), DUN_ANCHOR_KNOWN);
    dun_ms now = HOUR_MS;
    assert_int_equal(dun_clock_set(&clock, now - 1, wall_ms + now - 1, &step_ms), 0);
    assert_int_equal(dun_clock_set(&clock, now, wall_ms + now, &step_ms), DUN_ANCHOR_PERIODIC);
    dun_clock_stored(&clock);
    assert_int_equal(clock.anchor_count, 0);
}

static void the_latest_anchors_are_kept(void **state)
{
    (void)state;
    struct dun_clock clock = new_clock();
    dun_ms step_ms;
    for (int i = 0; i < DUN_ANCHORS_MAX + 3; i++)
        dun_clock_set(&clock, i, wall_ms + i * 1000, &step_ms);
    assert_int_equal(clock.anchor_count, DUN_ANCHORS_MAX);
    assert_int_equal(clock.anchors[DUN_ANCHORS_MAX - 1].uptime_ms, DUN_ANCHORS_MAX + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unset_clock_is_not_believed),
        cmocka_unit_test(the_first_good_reading_is_an_anchor),
        cmocka_unit_test(steps_both_ways_are_told),
        cmocka_unit_test(an_anchor_comes_each_interval),
        cmocka_unit_test(the_latest_anchors_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
