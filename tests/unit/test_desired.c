/*
 * test_desired.c: settings as people write them, to the wire and back, and documents that are made
 * of others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desired.h"

static struct dun_out out;
static char why[160];

/* The whole of what was printed, as a string. */
static const char *printed(void)
{
    assert_true(out.used < sizeof out.data);
    out.data[out.used] = '\0';
    return (const char *)out.data;
}

static const char *value_of(const char *text)
{
    struct dun_assignment assignment;
    if (!dun_assignment_parse(&assignment, text, why)) {
        return "refused";
    }
    dun_out_init(&out, -1);
    dun_setting_print_value(&out, &assignment.setting);
    return printed();
}

static void test_values_read_back_as_they_were_written(void **state)
{
    static const char *const cases[][2] = {
        {"interval=10s", "10s"},
        {"interval@cpu=1.5m", "90s"},
        {" interval @ cpu = 250ms ", "250ms"},
        {"interval=off", "off"},
        {"interval=0", "off"},
        {"batch.age=1d", "1d"},
        {"batch.age=36h", "36h"},
        {"batch.bytes=1.5K", "1536"},
        {"batch.bytes=4K", "4K"},
        {"backfill.percent=50", "50"},
        {"log.policy=thin", "thin"},
        {"low@a=-0.50", "-0.5"},
        {"low@a=1500", "1500"},
        {"low@a{b=c,d=e}=.25", "0.25"},
        {"high@*=none", "none"},
        {"dead_band@a=0", "0"},
        {"low@a=-999999999999999999", "-999999999999999999"},
        {"low@a=0.000000000000000001", "0.000000000000000001"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(value_of(cases[i][0]), cases[i][1]);
    }
}

static void test_what_is_wrong_is_refused_with_a_reason(void **state)
{
    static const char *const cases[][2] = {
        {"interval", "KEY=VALUE"},
        {"intervall=1s", "no setting 'intervall'"},
        {"interval=10", "a duration"},
        {"interval=1.0005s", "a duration"},
        {"interval=-1s", "a duration"},
        {"interval=", "a duration"},
        {"batch.age@cpu=1s", "no @NAME"},
        {"low=5", "needs @METRIC"},
        {"low@a=5x", "a number"},
        {"low@a=1e3", "a number"},
        {"low@a=-", "a number"},
        {"low@a=.", "a number"},
        {"batch.points=1.5", "whole"},
        {"log.policy=keep", "drop-oldest"},
        {"low@a=1234567890123456789", "a number"},
        {"batch.bytes=99999999999G", "a size"},
        {"low@\x01=1", "plain"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(value_of(cases[i][0]), "refused");
        assert_non_null(strstr(why, cases[i][1]));
    }
}

/// Documents ///

static struct dun_assignment given[4];
static struct dun_assignment *const givens[] = {&given[0], &given[1], &given[2], &given[3]};
static uint8_t bytes[2][256];

static size_t write_document(int to, uint64_t version, size_t old, const char *texts[],
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(dun_assignment_parse(&given[i], texts[i], why));
    }
    return dun_desired_write((struct dun_buffer){bytes[to], sizeof bytes[to]}, version,
                             (struct dun_span){bytes[1 - to], old}, givens, count);
}

static const char *json_of(int which, size_t size)
{
    dun_out_init(&out, -1);
    assert_true(dun_desired_json(&out, dun_span_of("d"), (struct dun_span){bytes[which], size}));
    return printed();
}

static void test_a_document_is_changed_in_part(void **state)
{
    const char *first[] = {"interval@cpu=off", "batch.age=5s", "low@a=1"};
    const char *then[] = {"interval=1s", "low@a=default", "batch.age=7s", "batch.age=9s"};
    (void)state;
    size_t size = write_document(0, 1, 0, first, 3);
    assert_string_equal(json_of(0, size),
                        "{\"type\":\"config\",\"device\":\"d\",\"version\":1,\"settings\":["
                        "{\"key\":\"batch.age\",\"value\":5000},"
                        "{\"key\":\"interval\",\"name\":\"cpu\",\"value\":0},"
                        "{\"key\":\"low\",\"name\":\"a\",\"value\":1}]}\n");
    size_t changed = write_document(1, 2, size, then, 4);
    assert_string_equal(json_of(1, changed),
                        "{\"type\":\"config\",\"device\":\"d\",\"version\":2,\"settings\":["
                        "{\"key\":\"batch.age\",\"value\":9000},"
                        "{\"key\":\"interval\",\"value\":1000},"
                        "{\"key\":\"interval\",\"name\":\"cpu\",\"value\":0}]}\n");
    assert_false(
        dun_desired_same((struct dun_span){bytes[0], size}, (struct dun_span){bytes[1], changed}));
    assert_true(dun_desired_same((struct dun_span){bytes[1], changed},
                                 (struct dun_span){bytes[1], changed}));
    struct dun_buffer small = {bytes[0], 9};
    assert_int_equal(dun_desired_write(small, 3, (struct dun_span){bytes[1], changed}, givens, 0),
                     0);
}

static void test_what_is_for_fewer_comes_later(void **state)
{
    const char *texts[] = {"low@a{b=c}=1", "low@a=2", "low@a*=3", "low@*=4"};
    static const char *const order[] = {"*", "a*", "a", "a{b=c}"};
    (void)state;
    struct dun_span document = {bytes[0], write_document(0, 1, 0, texts, 4)};
    struct dun_setting setting;
    for (int i = 0; i < 4; i++) {
        assert_true(dun_settings_next(&document, &setting));
        assert_true(dun_span_equal(setting.name, dun_span_of(order[i])));
    }
}

static void test_a_report_that_is_none_is_refused(void **state)
{
    struct dun_config_report report;
    uint8_t payload[64];
    (void)state;
    for (unsigned seed = 1; seed < 20000; seed++) {
        unsigned random = seed;
        size_t size = seed % sizeof payload;
        for (size_t i = 0; i < size; i++) {
            random = random * 1103515245 + 12345;
            payload[i] = (uint8_t)(random >> 16 & (i % 2 == 0 ? 0x3F : 0x1F));
        }
        struct dun_span span = {payload, size};
        dun_out_init(&out, -1);
        assert_true(dun_report_parse(&report, span) ==
                    dun_report_json(&out, dun_span_of("d"), span));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_read_back_as_they_were_written),
        cmocka_unit_test(test_what_is_wrong_is_refused_with_a_reason),
        cmocka_unit_test(test_a_document_is_changed_in_part),
        cmocka_unit_test(test_what_is_for_fewer_comes_later),
        cmocka_unit_test(test_a_report_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
