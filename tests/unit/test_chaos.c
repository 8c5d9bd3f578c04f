/* test_chaos.c: faults come as often as asked, storms when asked, and the same for the same seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chaos.h"

static struct dun_chaos chaos;
static struct dun_chaos_plan plan;

static void nothing_comes_unasked(void **context)
{
    (void)context;
    struct dun_chaos_event event;
    plan = (struct dun_chaos_plan){.cut_ms = 1000};
    dun_chaos_init(&chaos, &plan, 1);
    assert_int_equal(dun_chaos_deadline(&chaos), DUN_MS_NEVER);
    assert_false(dun_chaos_take(&chaos, 10, INT64_MAX - 1, &event));
}

static void as_often_as_asked(void **context)
{
    (void)context;
    struct dun_chaos_event event;
    plan = (struct dun_chaos_plan){
        .a_second = {[DUN_CHAOS_CUT] = 10, [DUN_CHAOS_REBOOT] = 1, [DUN_CHAOS_CLOCK] = 0.1},
        .cut_ms = 1000,
        .jump_ms = 5000};
    dun_chaos_init(&chaos, &plan, 1);
    for (dun_ms now = dun_chaos_deadline(&chaos); now < 1000000; now = dun_chaos_deadline(&chaos)) {
        assert_true(dun_chaos_take(&chaos, 7, now, &event));
        assert_true(event.who < 7);
        if (event.kind == DUN_CHAOS_CUT) {
            assert_in_range(event.amount, 500, 1500);
        } else if (event.kind == DUN_CHAOS_CLOCK) {
            assert_true(event.amount >= -5000 && event.amount <= 5000);
        }
    }
    assert_in_range(chaos.counts[DUN_CHAOS_CUT], 9500, 10500);
    assert_in_range(chaos.counts[DUN_CHAOS_REBOOT], 850, 1150);
    assert_in_range(chaos.counts[DUN_CHAOS_CLOCK], 60, 140);
    assert_int_equal(chaos.counts[DUN_CHAOS_LOST_ACKS], 0);
}

static void storms_come_once_each(void **context)
{
    (void)context;
    struct dun_chaos_event event;
    plan = (struct dun_chaos_plan){.storms = {{100, 5}, {200, 0}}, .storm_count = 2};
    dun_chaos_init(&chaos, &plan, 1);
    assert_int_equal(dun_chaos_deadline(&chaos), 100);
    assert_false(dun_chaos_take(&chaos, 1, 99, &event));
    assert_true(dun_chaos_take(&chaos, 1, 100, &event));
    assert_int_equal(event.kind, DUN_CHAOS_STORM);
    assert_int_equal(event.amount, 5);
    assert_false(dun_chaos_take(&chaos, 1, 100, &event));
    assert_int_equal(dun_chaos_deadline(&chaos), 200);
    assert_true(dun_chaos_take(&chaos, 1, 5000, &event));
    assert_int_equal(dun_chaos_deadline(&chaos), DUN_MS_NEVER);
}

static void the_same_seed_gives_the_same(void **context)
{
    (void)context;
    struct dun_chaos other;
    plan = (struct dun_chaos_plan){.a_second = {1, 1, 1, 1, 1}, .cut_ms = 1000, .jump_ms = 10};
    dun_chaos_init(&chaos, &plan, 5);
    dun_chaos_init(&other, &plan, 5);
    for (int i = 0; i < 1000; i++) {
        struct dun_chaos_event a, b;
        dun_ms now = dun_chaos_deadline(&chaos);
        assert_int_equal(now, dun_chaos_deadline(&other));
        assert_true(dun_chaos_take(&chaos, 100, now, &a) && dun_chaos_take(&other, 100, now, &b));
        assert_int_equal(a.kind, b.kind);
        assert_int_equal(a.who, b.who);
        assert_int_equal(a.amount, b.amount);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_unasked),
        cmocka_unit_test(as_often_as_asked),
        cmocka_unit_test(storms_come_once_each),
        cmocka_unit_test(the_same_seed_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
