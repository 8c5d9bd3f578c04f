/*
 * test_out.c: how numbers, dates and strings are written by the tools.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "date.h"
#include "render.h"

static struct dun_out out;

static void assert_written(const char *expected)
{
    assert_int_equal(out.used, strlen(expected));
    assert_memory_equal(out.data, expected, out.used);
    out.used = 0;
}

static void assert_decimal(int64_t value, int exponent, const char *expected)
{
    dun_out_decimal(&out, value, exponent);
    assert_written(expected);
}

static void decimals_are_exact(void **state)
{
    (void)state;
    assert_decimal(0, 0, "0");
    assert_decimal(0, -18, "0");
    assert_decimal(0, 18, "0");
    assert_decimal(-1, 0, "-1");
    assert_decimal(99, 0, "99");
    assert_decimal(100, 0, "100");
    assert_decimal(12345, -2, "123.45");
    assert_decimal(12300, -2, "123");
    assert_decimal(12310, -2, "123.1");
    assert_decimal(5, -1, "0.5");
    assert_decimal(-5, -3, "-0.005");
    assert_decimal(1, -18, "0.000000000000000001");
    assert_decimal(7, 3, "7000");
    assert_decimal(INT64_MAX, 0, "9223372036854775807");
    assert_decimal(INT64_MIN, 0, "-9223372036854775808");
    assert_decimal(INT64_MIN, -18, "-9.223372036854775808");
    assert_decimal(INT64_MIN, 18, "-9223372036854775808000000000000000000");
    dun_out_u64(&out, UINT64_MAX);
    assert_written("18446744073709551615");
    dun_out_hex(&out, 0xAB, 8);
    assert_written("000000ab");
}

static void doubles_read_back_as_they_were(void **state)
{
    (void)state;
    const double values[] = {0.0, -0.0, 0.1, 1.0 / 3.0, 1e300, 5e-324, 123456789012345678.0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dun_out_double(&out, values[i]);
        dun_out_bytes(&out, "", 1);
        double back = strtod((const char *)out.data, NULL);
        assert_memory_equal(&back, &values[i], sizeof back);
        out.used = 0;
    }
    dun_out_double(&out, 0.1);
    assert_written("0.1");
}

/* As printf has them, which is slow: those with few digits, and neighbours of those. */
static void short_decimals_are_what_printf_says(void **state)
{
    (void)state;
    uint64_t dice = 1;
    for (int i = 0; i < 20000; i++) {
        char text[DUN_OUT_NUMBER];
        char wanted[DUN_OUT_NUMBER];
        dice = dice * 6364136223846793005U + 1442695040888963407U;
        double value = (double)((int64_t)(dice >> 16) % 100000000000) / 1e9;
        value = i % 3 == 0 ? -value : i % 3 == 1 ? nextafter(value, 9) : round(value * 1e4) / 1e4;
        *dun_text_double(text, value) = '\0';
        assert_true(strtod(text, NULL) - value == 0);
        (void)snprintf(wanted, sizeof wanted, "%.15g", value);
        if (strtod(wanted, NULL) - value == 0 && value != 0) {
            assert_string_equal(text, wanted);
        }
    }
}

static void assert_date(int64_t unix_ms, const char *expected)
{
    char text[DUN_OUT_NUMBER];
    *dun_date_write(text, unix_ms) = '\0';
    assert_string_equal(text, expected);
}

static void dates(void **state)
{
    (void)state;
    assert_date(0, "1970-01-01T00:00:00.000Z");
    assert_date(-1, "1969-12-31T23:59:59.999Z");
    assert_date(951782400000, "2000-02-29T00:00:00.000Z");
    assert_date(4107542399999, "2100-02-28T23:59:59.999Z");
    assert_date(4107542400000, "2100-03-01T00:00:00.000Z");
    assert_date(1767225599999, "2025-12-31T23:59:59.999Z");
    assert_date(-62167219200000, "0000-01-01T00:00:00.000Z");
    assert_date(DUN_MS_MAX, "287396-10-12T08:59:00.991Z");
    assert_date(-DUN_MS_MAX, "-283457-03-21T15:00:59.009Z");
}

static void strings(void **state)
{
    (void)state;
    dun_out_json(&out, dun_span_of("a\"b\\c\n\x01\xC3\xA9"));
    assert_written("\"a\\\"b\\\\c\\u000a\\u0001\xC3\xA9\"");
    dun_out_json(&out, (struct dun_span){NULL, 0});
    assert_written("\"\"");
    dun_out_csv(&out, dun_span_of("plain text"));
    assert_written("plain text");
    dun_out_csv(&out, dun_span_of("a,\"b\""));
    assert_written("\"a,\"\"b\"\"\"");
    dun_out_plain(&out, dun_span_of("a\x1b[0m\x7f\xC2\x9B\xC3\xA9"));
    assert_written("a?[0m??\xC3\xA9");
}

static void utf8(void **state)
{
    (void)state;
    const char *const good[] = {"",
                                "a",
                                "\xC3\xA9",
                                "\xE6\xBC\xA2",
                                "\xF0\x9F\x90\xA6",
                                "\xEF\xBF\xBF",
                                "\xF4\x8F\xBF\xBF"};
    const char *const bad[] = {"\x80",
                               "\xC3",
                               "\xC0\x80",
                               "\xE0\x80\x80",
                               "\xED\xA0\x80",
                               "\xF0\x80\x80\x80",
                               "\xF4\x90\x80\x80",
                               "\xFF",
                               "a\xE6\xBC"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(dun_text_is_utf8(dun_span_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(dun_text_is_utf8(dun_span_of(bad[i])));
    }
}

int main(void)
{
    dun_out_init(&out, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(doubles_read_back_as_they_were),
        cmocka_unit_test(short_decimals_are_what_printf_says),
        cmocka_unit_test(dates),
        cmocka_unit_test(strings),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
