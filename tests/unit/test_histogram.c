/* test_histogram.c: percentiles are right to the width of a bucket, from 0 to far beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "histogram.h"

static struct dun_histogram histogram;

static int set_up(void **context)
{
    (void)context;
    memset(&histogram, 0, sizeof histogram);
    return 0;
}

static void nothing_is_zero(void **context)
{
    (void)context;
    assert_int_equal(dun_histogram_at(&histogram, 0.5), 0);
}

static void small_values_are_exact(void **context)
{
    (void)context;
    for (dun_ms i = 1; i <= 100; i++) {
        dun_histogram_add(&histogram, i, 1);
    }
    assert_int_equal(dun_histogram_at(&histogram, 0), 1);
    assert_int_equal(dun_histogram_at(&histogram, 0.5), 50);
    assert_int_equal(dun_histogram_at(&histogram, 0.99), 99);
    assert_int_equal(dun_histogram_at(&histogram, 1), 100);
}

static void large_values_are_close(void **context)
{
    (void)context;
    for (dun_ms value = 1; value < INT64_C(1) << 40; value += value / 3 + 1) {
        memset(&histogram, 0, sizeof histogram);
        dun_histogram_add(&histogram, value, 3);
        dun_histogram_add(&histogram, (INT64_C(1) << 40) - 1, 1);
        dun_ms got = dun_histogram_at(&histogram, 0.75);
        assert_in_range(got, value, value + value / 60);
    }
}

static void what_is_out_of_range_counts_at_its_end(void **context)
{
    (void)context;
    dun_histogram_add(&histogram, -5, 1);
    dun_histogram_add(&histogram, INT64_MAX, 1);
    assert_int_equal(histogram.count, 2);
    assert_int_equal(dun_histogram_at(&histogram, 0.5), 0);
    assert_int_equal(dun_histogram_at(&histogram, 1), (INT64_C(1) << 40) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_zero, set_up),
        cmocka_unit_test_setup(small_values_are_exact, set_up),
        cmocka_unit_test_setup(large_values_are_close, set_up),
        cmocka_unit_test_setup(what_is_out_of_range_counts_at_its_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
