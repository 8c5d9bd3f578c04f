/*
 * test_knowledge.c: dictionaries as chains of announcements, in any order, and what hostile ones
 * cannot do; anchors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "knowledge.h"
#include "out.h"

static struct dun_knowledge knowledge;
static struct dun_metric_text metrics[8];

static int set_up(void **state)
{
    (void)state;
    dun_knowledge_init(&knowledge);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dun_knowledge_free(&knowledge);
    return 0;
}

/* An announcement of ids first..first+count-1, all named `name`. */
static void announce(const char *device, uint32_t base, uint32_t hash, uint32_t first,
                     uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        metrics[i] = (struct dun_metric_text){
            .id = first + i, .name = dun_span_of(name), .raw = dun_span_of(name)};
    }
    struct dun_list list = {metrics, count, count};
    dun_knowledge_add_metrics(&knowledge, dun_span_of(device), 1, base, hash, &list);
}

static void assert_named(const char *device, uint32_t hash, uint32_t id, const char *name)
{
    const struct dun_metric_text *found =
        dun_knowledge_metric(&knowledge, dun_span_of(device), 1, hash, id);
    if (name == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_true(dun_span_equal(found->name, dun_span_of(name)));
    assert_int_equal(found->id, id);
}

static void announcements_in_any_order(void **state)
{
    (void)state;
    announce("d", 20, 30, 5, 1, "c");
    assert_named("d", 30, 5, "c");
    assert_named("d", 30, 0, NULL);
    announce("d", 10, 20, 2, 3, "b");
    announce("d", 0, 10, 0, 2, "a");
    assert_named("d", 30, 0, "a");
    assert_named("d", 30, 4, "b");
    assert_named("d", 30, 5, "c");
    assert_named("d", 30, 6, NULL);
    assert_named("d", 20, 5, NULL);
    assert_named("e", 10, 0, NULL);
    assert_named("d", 0, 0, NULL);
}

static void the_whole_catalog_replaces_a_late_part(void **state)
{
    (void)state;
    announce("d", 99, 30, 5, 1, "part");
    assert_named("d", 30, 0, NULL);
    announce("d", 0, 30, 0, 6, "whole");
    assert_named("d", 30, 0, "whole");
    announce("d", 99, 30, 5, 1, "part");
    assert_named("d", 30, 0, "whole");
    assert_int_equal(knowledge.count, 1);
}

static void a_ring_of_hashes_ends(void **state)
{
    (void)state;
    announce("d", 2, 1, 4, 2, "x");
    announce("d", 1, 2, 2, 2, "y");
    assert_named("d", 1, 0, NULL);
    announce("d", 5, 5, 3, 1, "own");
    assert_named("d", 5, 0, NULL);
}

static void many_devices_keep_apart(void **state)
{
    (void)state;
    char device[8] = "d000";
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            device[1] = (char)('0' + i / 100);
            device[2] = (char)('0' + i / 10 % 10);
            device[3] = (char)('0' + i % 10);
            if (round == 0) {
                announce(device, 0, 7, 0, 1, device);
            } else {
                assert_named(device, 7, 0, device);
            }
        }
    }
}

static void the_latest_anchor_wins(void **state)
{
    (void)state;
    int64_t offset = 0;
    struct dun_span device = dun_span_of("d");
    dunlin_v1_Anchor anchor = {.boot = 3, .uptime_ms = 100, .unix_ms = 1100};
    assert_false(dun_knowledge_offset(&knowledge, device, 1, 3, &offset));
    dun_knowledge_add_anchor(&knowledge, device, 1, &anchor);
    anchor.uptime_ms = 50;
    anchor.unix_ms = 9999;
    dun_knowledge_add_anchor(&knowledge, device, 1, &anchor);
    assert_true(dun_knowledge_offset(&knowledge, device, 1, 3, &offset));
    assert_int_equal(offset, 1000);
    anchor.uptime_ms = 100;
    anchor.unix_ms = 90;
    dun_knowledge_add_anchor(&knowledge, device, 1, &anchor);
    assert_true(dun_knowledge_offset(&knowledge, device, 1, 3, &offset));
    assert_int_equal(offset, -10);
    assert_false(dun_knowledge_offset(&knowledge, device, 2, 3, &offset));
    assert_false(dun_knowledge_offset(&knowledge, device, 1, 4, &offset));
}

static void it_stops_at_its_limit(void **state)
{
    (void)state;
    int64_t offset;
    dunlin_v1_Anchor anchor = {.unix_ms = 1};
    for (uint32_t i = 0; i <= DUN_KNOWLEDGE_ENTRIES_MAX; i++) {
        anchor.boot = i;
        dun_knowledge_add_anchor(&knowledge, dun_span_of("d"), 1, &anchor);
    }
    assert_int_equal(knowledge.count, DUN_KNOWLEDGE_ENTRIES_MAX);
    assert_int_equal(knowledge.dropped, 1);
    assert_true(dun_knowledge_offset(&knowledge, dun_span_of("d"), 1, 0, &offset));
    assert_false(
        dun_knowledge_offset(&knowledge, dun_span_of("d"), 1, DUN_KNOWLEDGE_ENTRIES_MAX, &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(announcements_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_whole_catalog_replaces_a_late_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ring_of_hashes_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_devices_keep_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_anchor_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_stops_at_its_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
