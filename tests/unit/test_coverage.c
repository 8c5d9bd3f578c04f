/*
 * test_coverage.c: what arrived, what is missing, what came twice; against a model that keeps one
 * flag a sequence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coverage.h"
#include "out.h"

static struct dun_coverage coverage;

static int set_up(void **state)
{
    (void)state;
    dun_coverage_init(&coverage, dun_span_of("d"), 7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dun_coverage_free(&coverage);
    return 0;
}

static bool receive(uint64_t sequence)
{
    return dun_coverage_receive(&coverage, sequence, dun_span_of("bytes"));
}

static void in_order_is_one_range(void **state)
{
    (void)state;
    size_t gaps;
    for (uint64_t i = 10; i < 100000; i++) {
        assert_true(receive(i));
    }
    assert_int_equal(coverage.received.count, 1);
    assert_int_equal(dun_coverage_missing(&coverage, NULL, 0, &gaps), 0);
    assert_true(dun_coverage_complete(&coverage));
}

static void a_gap_is_missing_until_it_arrives_or_is_told_lost(void **state)
{
    (void)state;
    struct dun_range gaps[2];
    size_t count;
    (void)receive(1);
    (void)receive(10);
    assert_int_equal(dun_coverage_missing(&coverage, gaps, 2, &count), 8);
    assert_int_equal(count, 1);
    assert_int_equal(gaps[0].first, 2);
    assert_int_equal(gaps[0].last, 9);
    dun_coverage_lose(&coverage, 4, 6);
    assert_int_equal(dun_coverage_missing(&coverage, gaps, 2, &count), 5);
    assert_int_equal(count, 2);
    assert_int_equal(gaps[1].first, 7);
    dun_coverage_lose(&coverage, 1, 3);
    dun_coverage_lose(&coverage, 7, 20);
    assert_true(dun_coverage_complete(&coverage));
    assert_int_equal(dun_coverage_lost(&coverage), 18);
}

/* The device merges ranges when its ledger is full, so one may cover what arrived. */
static void what_arrived_is_not_lost(void **state)
{
    (void)state;
    dun_coverage_lose(&coverage, 1, 5);
    (void)receive(3);
    assert_int_equal(dun_coverage_lost(&coverage), 4);
    dun_coverage_lose(&coverage, 1, 5);
    assert_int_equal(dun_coverage_lost(&coverage), 4);
}

static void a_repetition_with_other_bytes_is_seen(void **state)
{
    (void)state;
    assert_true(receive(5));
    assert_false(receive(5));
    assert_int_equal(coverage.duplicates, 1);
    assert_true(dun_coverage_complete(&coverage));
    assert_false(dun_coverage_receive(&coverage, 5, dun_span_of("other")));
    assert_int_equal(coverage.duplicates, 2);
    assert_int_equal(coverage.altered, 1);
    assert_false(dun_coverage_complete(&coverage));
}

static void the_ends_of_the_number_line(void **state)
{
    (void)state;
    size_t count;
    dun_coverage_lose(&coverage, 1, UINT64_MAX - 1);
    assert_true(receive(UINT64_MAX));
    assert_true(receive(1));
    assert_int_equal(dun_coverage_missing(&coverage, NULL, 0, &count), 0);
    dun_coverage_lose(&coverage, UINT64_MAX, UINT64_MAX);
    assert_int_equal(coverage.lost.count, 1);
    assert_false(receive(UINT64_MAX));
}

/* Every second sequence, so that no two ranges join. */
static void too_many_ranges_are_never_called_complete(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= DUN_RANGES_MAX; i++) {
        (void)receive(1 + 2 * i);
    }
    assert_int_equal(coverage.untracked, 1);
    dun_coverage_lose(&coverage, 1, 1000000);
    assert_false(dun_coverage_complete(&coverage));
}

/// Against a model ///

#define SPAN 200

static uint32_t random_state = 1;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static void compare(const bool *received, const bool *lost)
{
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t missing = 0;
    uint64_t only_lost = 0;
    size_t count;
    for (uint64_t i = 1; i < SPAN; i++) {
        first = received[i] && first == 0 ? i : first;
        last = received[i] ? i : last;
        only_lost += lost[i] && !received[i] ? 1 : 0;
    }
    for (uint64_t i = first; i < last; i++) {
        missing += !received[i] && !lost[i] ? 1 : 0;
    }
    assert_int_equal(dun_coverage_missing(&coverage, NULL, 0, &count), missing);
    assert_int_equal(dun_coverage_lost(&coverage), only_lost);
}

static void agrees_with_a_model(void **state)
{
    for (int round = 0; round < 300; round++) {
        bool received[SPAN] = {false};
        bool lost[SPAN] = {false};
        (void)set_up(state);
        for (int i = 0; i < 60; i++) {
            uint64_t first = 1 + draw(SPAN - 21);
            if (draw(3) == 0) {
                uint64_t last = first + draw(20);
                dun_coverage_lose(&coverage, first, last);
                for (uint64_t at = first; at <= last; at++) {
                    lost[at] = true;
                }
            } else {
                assert_int_equal(receive(first), !received[first]);
                received[first] = true;
            }
            compare(received, lost);
        }
        (void)tear_down(state);
    }
}

static void an_origin_asks_for_what_came_before_the_first(void **state)
{
    (void)state;
    struct dun_range gaps[2];
    size_t count;
    dun_coverage_receive_range(&coverage, 5, 9);
    assert_int_equal(dun_coverage_missing(&coverage, gaps, 2, &count), 0);
    assert_int_equal(dun_coverage_complete_to(&coverage), 9);
    coverage.origin = 1;
    assert_int_equal(dun_coverage_missing(&coverage, gaps, 2, &count), 4);
    assert_int_equal(gaps[0].first, 1);
    assert_int_equal(gaps[0].last, 4);
    assert_int_equal(dun_coverage_complete_to(&coverage), 0);
    dun_coverage_lose(&coverage, 1, 3);
    assert_int_equal(dun_coverage_missing(&coverage, gaps, 2, &count), 1);
    assert_int_equal(dun_coverage_complete_to(&coverage), 3);
    assert_true(receive(4));
    assert_true(dun_coverage_complete(&coverage));
    assert_int_equal(dun_coverage_complete_to(&coverage), 9);
}

static void ranges_and_losses_lead_on_in_turn(void **state)
{
    (void)state;
    coverage.origin = 1;
    assert_int_equal(dun_coverage_complete_to(&coverage), 0);
    for (uint64_t i = 1; i <= 1000; i += 4) {
        dun_coverage_receive_range(&coverage, i, i + 1);
        dun_coverage_lose(&coverage, i + 1, i + 3);
    }
    assert_int_equal(dun_coverage_complete_to(&coverage), 1000);
    dun_coverage_lose(&coverage, 900, UINT64_MAX);
    assert_true(dun_coverage_complete_to(&coverage) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_origin_asks_for_what_came_before_the_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ranges_and_losses_lead_on_in_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_order_is_one_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gap_is_missing_until_it_arrives_or_is_told_lost, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_arrived_is_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repetition_with_other_bytes_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ends_of_the_number_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_ranges_are_never_called_complete, set_up,
                                        tear_down),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
