/* test_ledger.c: the loss ledger: merging, telling, forgetting, and that no loss ever goes untold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger.h"

static struct dun_loss entries[64];
static struct dun_ledger ledger;

static void start(uint16_t capacity)
{
    dun_ledger_init(&ledger, entries, capacity);
    dun_ledger_stamp(&ledger, 3, 100);
}

static void check_range(uint16_t index, uint64_t first, uint64_t last, uint8_t reason)
{
    assert_true(index < ledger.count);
    assert_int_equal(entries[index].first, first);
    assert_int_equal(entries[index].last, last);
    assert_int_equal(entries[index].reason, reason);
    assert_int_equal(entries[index].points, 0);
}

static void ranges_that_touch_become_one(void **state)
{
    (void)state;
    start(4);
    dun_ledger_add(&ledger, 10, 19, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 30, 39, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 20, 29, DUN_LOSS_OVERFLOW);
    assert_int_equal(ledger.count, 1);
    check_range(0, 10, 39, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 40, 40, DUN_LOSS_DAMAGED);
    assert_int_equal(ledger.count, 2);
    check_range(1, 40, 40, DUN_LOSS_DAMAGED);
    assert_int_equal(entries[1].boot, 3);
    assert_int_equal(entries[1].uptime_ms, 100);
}

static void what_is_covered_is_not_added_again(void **state)
{
    (void)state;
    start(8);
    dun_ledger_add(&ledger, 10, 20, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 30, 40, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 12, 18, DUN_LOSS_DAMAGED);
    assert_int_equal(ledger.count, 2);
    dun_ledger_add(&ledger, 5, 50, DUN_LOSS_DAMAGED);
    assert_int_equal(ledger.count, 5);
    check_range(0, 5, 9, DUN_LOSS_DAMAGED);
    check_range(1, 10, 20, DUN_LOSS_OVERFLOW);
    check_range(2, 21, 29, DUN_LOSS_DAMAGED);
    check_range(4, 41, 50, DUN_LOSS_DAMAGED);
    dun_ledger_add(&ledger, 50, DUN_SEQUENCE_LAST, DUN_LOSS_DAMAGED);
    check_range(4, 41, DUN_SEQUENCE_LAST, DUN_LOSS_DAMAGED);
}

static void a_full_table_merges_the_nearest(void **state)
{
    (void)state;
    start(3);
    dun_ledger_add(&ledger, 10, 10, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 100, 100, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 104, 104, DUN_LOSS_DAMAGED);
    dun_ledger_add(&ledger, 1000, 1000, DUN_LOSS_DAMAGED);
    assert_int_equal(ledger.count, 3);
    check_range(1, 100, 104, DUN_LOSS_MERGED);
    check_range(2, 1000, 1000, DUN_LOSS_DAMAGED);
    dun_ledger_add(&ledger, 998, 998, DUN_LOSS_DAMAGED);
    check_range(2, 998, 1000, DUN_LOSS_MERGED);
    dun_ledger_add(&ledger, 12, 12, DUN_LOSS_OVERFLOW);
    check_range(0, 10, 12, DUN_LOSS_MERGED);
}

static void points_merge_by_reason(void **state)
{
    (void)state;
    start(4);
    dun_ledger_add_points(&ledger, 0, DUN_LOSS_STORAGE);
    assert_int_equal(ledger.count, 0);
    dun_ledger_add_points(&ledger, 5, DUN_LOSS_STORAGE);
    dun_ledger_add_points(&ledger, 6, DUN_LOSS_STORAGE);
    dun_ledger_add_points(&ledger, 7, DUN_LOSS_TOO_LARGE);
    assert_int_equal(ledger.count, 2);
    assert_int_equal(entries[0].points, 11);
    assert_int_equal(entries[1].points, 7);
    dun_ledger_told(&ledger, 9, 2);
    dun_ledger_add_points(&ledger, 1, DUN_LOSS_STORAGE); /* the told ones are under way */
    assert_int_equal(ledger.count, 3);
    assert_int_equal(dun_ledger_untold(&ledger), 1);
}

static void two_entries_are_enough(void **state)
{
    (void)state;
    start(2);
    dun_ledger_add_points(&ledger, 5, DUN_LOSS_STORAGE);
    dun_ledger_add_points(&ledger, 6, DUN_LOSS_TOO_LARGE);
    dun_ledger_add(&ledger, 10, 10, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 20, 20, DUN_LOSS_DAMAGED);
    dun_ledger_told(&ledger, 30, 2);
    dun_ledger_add_points(&ledger, 1, DUN_LOSS_STORAGE);
    assert_int_equal(ledger.count, 2);
    assert_int_equal(entries[0].points, 12);
    assert_int_equal(entries[0].told_in, 0);
    check_range(1, 10, 20, DUN_LOSS_MERGED);
}

/* The record on its way carries 10 and 12, which then become one entry. */
static void what_comes_between_two_told_ends_is_told(void **state)
{
    (void)state;
    start(2);
    dun_ledger_add(&ledger, 10, 10, DUN_LOSS_OVERFLOW);
    dun_ledger_add(&ledger, 12, 12, DUN_LOSS_OVERFLOW);
    dun_ledger_told(&ledger, 20, 2);
    dun_ledger_add_points(&ledger, 1, DUN_LOSS_STORAGE);
    check_range(1, 10, 12, DUN_LOSS_MERGED);
    assert_int_equal(dun_ledger_untold(&ledger), 1);
    dun_ledger_add(&ledger, 11, 11, DUN_LOSS_DAMAGED);
    assert_int_equal(dun_ledger_untold(&ledger), 2);
    dun_ledger_acked(&ledger, 20, 20);
    check_range(1, 10, 12, DUN_LOSS_MERGED);
}

static void told_entries_are_forgotten_with_their_ack(void **state)
{
    (void)state;
    start(8);
    dun_ledger_add(&ledger, 1, 5, DUN_LOSS_OVERFLOW);
    dun_ledger_add_points(&ledger, 7, DUN_LOSS_STORAGE);
    assert_int_equal(dun_ledger_untold(&ledger), 2);
    dun_ledger_told(&ledger, 10, 1);
    assert_int_equal(dun_ledger_untold(&ledger), 1);
    dun_ledger_told(&ledger, 11, 8);
    dun_ledger_add(&ledger, 6, 7, DUN_LOSS_OVERFLOW); /* touches a told one: stays apart */
    assert_int_equal(ledger.count, 3);
    dun_ledger_acked(&ledger, 1, 9);
    assert_int_equal(ledger.count, 3);
    dun_ledger_acked(&ledger, 11, 11);
    assert_int_equal(ledger.count, 2);
    dun_ledger_acked(&ledger, 10, 10);
    assert_int_equal(ledger.count, 1);
    check_range(0, 6, 7, DUN_LOSS_OVERFLOW);
}

static void a_lost_carrier_makes_its_entries_untold(void **state)
{
    (void)state;
    start(8);
    dun_ledger_add(&ledger, 1, 5, DUN_LOSS_OVERFLOW);
    dun_ledger_told(&ledger, 10, 8);
    dun_ledger_add(&ledger, 8, 12, DUN_LOSS_OVERFLOW);
    assert_int_equal(dun_ledger_untold(&ledger), 2);
    dun_ledger_told(&ledger, 20, 8);
    dun_ledger_untell(&ledger, 21);
    assert_int_equal(dun_ledger_untold(&ledger), 0);
    dun_ledger_untell(&ledger, 20);
    assert_int_equal(dun_ledger_untold(&ledger), 2);
}

/* What a mount finds lost is entered before anybody told the ledger which boot this is. */
static void entries_without_a_stamp_get_the_first_one(void **state)
{
    uint32_t before;

    (void)state;
    dun_ledger_init(&ledger, entries, 4);
    dun_ledger_add(&ledger, 5, 6, DUN_LOSS_DAMAGED);
    assert_int_equal(entries[0].boot, 0);
    before = ledger.changes;
    dun_ledger_stamp(&ledger, 3, 100);
    assert_int_equal(entries[0].boot, 3);
    assert_int_equal(entries[0].uptime_ms, 100);
    assert_int_not_equal(ledger.changes, before);
    before = ledger.changes;
    dun_ledger_stamp(&ledger, 3, 200);
    assert_int_equal(entries[0].uptime_ms, 100);
    assert_int_equal(ledger.changes, before);
}

static void every_change_is_counted(void **state)
{
    uint32_t before;

    (void)state;
    start(4);
    before = ledger.changes;
    dun_ledger_add(&ledger, 1, 1, DUN_LOSS_OVERFLOW);
    assert_int_not_equal(ledger.changes, before);
    before = ledger.changes;
    dun_ledger_told(&ledger, 3, 1);
    assert_int_not_equal(ledger.changes, before);
    before = ledger.changes;
    dun_ledger_acked(&ledger, 4, 4);
    assert_int_equal(ledger.changes, before);
    dun_ledger_acked(&ledger, 3, 3);
    assert_int_not_equal(ledger.changes, before);
    before = ledger.changes;
    dun_ledger_add_points(&ledger, 1, DUN_LOSS_STORAGE);
    assert_int_not_equal(ledger.changes, before);
}

/* Random losses against a plain set: sorted, disjoint, nothing lost is ever missing, and as long as
 * nothing was merged for want of room, nothing else is covered. */
static void no_loss_is_ever_missing(void **state)
{
    (void)state;
    srand(1);
    for (int run = 0; run < 300; run++) {
        bool lost[256] = {false};
        bool merged = false;

        start((uint16_t)(2 + run % 7));
        for (int n = 0; n < 25; n++) {
            unsigned first = 1 + (unsigned)rand() % 240;
            unsigned last = first + (unsigned)rand() % 6;

            merged = merged || ledger.count + 1 >= ledger.capacity;
            dun_ledger_add(&ledger, first, last, (uint8_t)(1 + rand() % 2));
            for (unsigned i = first; i <= last; i++)
                lost[i] = true;
        }
        for (unsigned i = 1, at = 0; i < 256; i++) {
            while (at < ledger.count && entries[at].last < i)
                at++;
            bool covered = at < ledger.count && entries[at].first <= i;
            assert_true(covered || !lost[i]);
            assert_true(merged || covered == lost[i]);
        }
        for (uint16_t i = 1; i < ledger.count; i++)
            assert_true(entries[i - 1].last < entries[i].first);
        assert_true(ledger.count <= ledger.capacity);
    }
}

/* An entry of an old state whose record is done by a newer one would never be forgotten. */
static void test_what_was_told_before_the_cursor_is_told_again(void **state)
{
    struct dun_loss table[4];
    struct dun_ledger old;
    (void)state;
    dun_ledger_init(&old, table, 4);
    dun_ledger_restore(&old, &(struct dun_loss){.first = 60, .last = 60, .told_in = 61});
    dun_ledger_restore(&old, &(struct dun_loss){.first = 64, .last = 65, .told_in = 68});
    dun_ledger_untell_before(&old, 68);
    assert_int_equal(dun_ledger_untold(&old), 1);
    assert_int_equal(old.entries[0].told_in, 0);
    assert_int_equal(old.entries[1].told_in, 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_that_touch_become_one),
        cmocka_unit_test(what_is_covered_is_not_added_again),
        cmocka_unit_test(a_full_table_merges_the_nearest),
        cmocka_unit_test(points_merge_by_reason),
        cmocka_unit_test(two_entries_are_enough),
        cmocka_unit_test(what_comes_between_two_told_ends_is_told),
        cmocka_unit_test(told_entries_are_forgotten_with_their_ack),
        cmocka_unit_test(a_lost_carrier_makes_its_entries_untold),
        cmocka_unit_test(entries_without_a_stamp_get_the_first_one),
        cmocka_unit_test(every_change_is_counted),
        cmocka_unit_test(no_loss_is_ever_missing),
        cmocka_unit_test(test_what_was_told_before_the_cursor_is_told_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
