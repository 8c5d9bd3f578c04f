/* test_say.c: the form of log lines, and that repetition is held back and counted. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "say.h"

static FILE *output;
static char text[16384];

static int setup(void **state)
{
    (void)state;
    output = tmpfile();
    dun_say_setup(fileno(output), DUN_SAY_INFO, false);
    return output == NULL;
}

static int teardown(void **state)
{
    (void)state;
    return fclose(output);
}

/* All that was written so far. */
static const char *written(void)
{
    ssize_t size = pread(fileno(output), text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static int count_lines(const char *needle)
{
    int count = 0;
    for (const char *at = strstr(written(), needle); at != NULL; at = strstr(at + 1, needle)) {
        count++;
    }
    return count;
}

static void say_retry(dun_ms now, const char *error, int64_t wait)
{
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_WARNING, "no connection");
    dun_say_text(&say, "error", error);
    dun_say_number(&say, "retry_ms", wait);
    dun_say_end(&say, now, 0);
}

static void test_form(void **state)
{
    struct dun_say say;
    (void)state;
    dun_say_begin(&say, DUN_SAY_INFO, "started");
    dun_say_text(&say, "device", "a-1");
    dun_say_text(&say, "path", "/a b\"c\\d=e\n\x1b");
    dun_say_text(&say, "none", NULL);
    dun_say_number(&say, "port", -5);
    dun_say_end(&say, 0, INT64_C(1769860800123));
    assert_string_equal(written(), "ts=2026-01-31T12:00:00.123Z level=info msg=\"started\" "
                                   "device=a-1 path=\"/a b\\\"c\\\\d=e\\x0a\\x1b\" none=\"\" "
                                   "port=-5\n");
}

static void test_dates(void **state)
{
    static const struct {
        int64_t unix_ms;
        const char *stamp;
    } dates[] = {{0, "ts=1970-01-01T00:00:00.000Z "},
                 {INT64_C(951782399999), "ts=2000-02-28T23:59:59.999Z "},
                 {INT64_C(951782400000), "ts=2000-02-29T00:00:00.000Z "},
                 {INT64_C(951868800000), "ts=2000-03-01T00:00:00.000Z "},
                 {INT64_C(1735689599000), "ts=2024-12-31T23:59:59.000Z "},
                 {INT64_C(1735689600000), "ts=2025-01-01T00:00:00.000Z "},
                 {INT64_C(4107542399000), "ts=2100-02-28T23:59:59.000Z "},
                 {INT64_C(4107542400000), "ts=2100-03-01T00:00:00.000Z "}};
    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        struct dun_say say;
        dun_say_begin(&say, DUN_SAY_INFO, "date");
        dun_say_number(&say, "number", (int64_t)i);
        dun_say_end(&say, (dun_ms)i * DUN_SAY_PERIOD_MS, dates[i].unix_ms);
        assert_int_equal(count_lines(dates[i].stamp), 1);
    }
}

static void test_journal_takes_priorities(void **state)
{
    (void)state;
    dun_say_setup(fileno(output), DUN_SAY_INFO, true);
    say_retry(0, "timeout", 1);
    assert_string_equal(written(),
                        "<4>level=warning msg=\"no connection\" error=timeout retry_ms=1\n");
}

static void test_levels(void **state)
{
    struct dun_say say;
    (void)state;
    dun_say_begin(&say, DUN_SAY_DEBUG, "detail");
    dun_say_end(&say, 0, 0);
    assert_string_equal(written(), "");
}

static void test_long_lines_are_cut(void **state)
{
    struct dun_say say;
    char value[2000];
    (void)state;
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    dun_say_begin(&say, DUN_SAY_INFO, "long");
    for (int i = 0; i < 100; i++) {
        dun_say_number(&say, "n", i);
    }
    dun_say_text(&say, "value", value);
    dun_say_end(&say, 0, 0);
    assert_true(strlen(written()) < DUN_SAY_LINE_MAX + 64);
    assert_string_equal(written() + strlen(written()) - 5, " ...\n");
}

static void test_repetition_is_held_back_and_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        say_retry(i, "timeout", i);
    }
    assert_int_equal(count_lines("error=timeout"), DUN_SAY_BURST);
    say_retry(100, "refused", 1); /* other words: another line */
    assert_int_equal(count_lines("error=refused"), 1);
    say_retry(DUN_SAY_PERIOD_MS, "timeout", 1);
    assert_int_equal(count_lines("error=timeout"), DUN_SAY_BURST + 1);
    assert_int_equal(count_lines("suppressed=97\n"), 1);
}

static void test_the_count_comes_out_by_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        say_retry(i, "timeout", i);
    }
    dun_say_flush(DUN_SAY_PERIOD_MS - 1, 0);
    assert_int_equal(count_lines("suppressed"), 0);
    dun_say_flush(DUN_SAY_PERIOD_MS, 0);
    assert_int_equal(count_lines("msg=\"no connection\" suppressed=7\n"), 1);
    dun_say_flush(2 * DUN_SAY_PERIOD_MS, 0);
    assert_int_equal(count_lines("suppressed"), 1);
}

static void test_nothing_suppressed_is_forgotten_in_a_flood(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        say_retry(0, "timeout", i);
    }
    for (int i = 0; i < 2 * DUN_SAY_REMEMBERED; i++) {
        char word[16];
        snprintf(word, sizeof word, "e%d", i);
        say_retry(1 + i, word, 0);
    }
    assert_int_equal(count_lines("suppressed=7"), 1);
}

static void test_every_error_has_a_word(void **state)
{
    (void)state;
    for (int error = DUN_OK; error >= DUN_E_NO_SPACE; error--) {
        assert_string_not_equal(dun_say_error(error), "unknown");
    }
    assert_string_equal(dun_say_error(DUN_E_TIMEOUT), "timeout");
    assert_string_equal(dun_say_error(DUN_E_NO_SPACE), "no space left");
    assert_string_equal(dun_say_error(1), "unknown");
    assert_string_equal(dun_say_error(-100), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_form),
        TEST(test_dates),
        TEST(test_journal_takes_priorities),
        TEST(test_levels),
        TEST(test_long_lines_are_cut),
        TEST(test_repetition_is_held_back_and_counted),
        TEST(test_the_count_comes_out_by_itself),
        TEST(test_nothing_suppressed_is_forgotten_in_a_flood),
        TEST(test_every_error_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
