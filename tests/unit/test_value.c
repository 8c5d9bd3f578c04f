/* test_value.c: numbers as people and kernels write them, and text that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "value.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500},  {"5s", 5000},     {"1.5s", 1500}, {"1m", 60000}, {"2min", 120000},
                {"1h", 3600000}, {"1d", 86400000}, {"0", 0},       {"0s", 0}};
    static const char *const bad[] = {"",     "5",       "s",     "-5s",   "5 s",
                                      "5sec", "1.0001s", "5s ",   "1e99d", "ms5",
                                      "0x5s", "5S",      "nan s", "+-5s",  "99999999999999999999d"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = -1;
        assert_int_equal(dun_value_duration(good[i].text, &ms), DUN_OK);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = -1;
        assert_int_equal(dun_value_duration(bad[i], &ms), DUN_E_INVALID);
        assert_int_equal(ms, -1);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"4096", 4096}, {"64K", 65536}, {"8M", 8 << 20}, {"1GiB", 1 << 30}, {"1.5K", 1536}};
    static const char *const bad[] = {"", "K", "-1K", "1KB", "64k", "1.0001K", "9999999999G"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t bytes = -1;
        assert_int_equal(dun_value_size(good[i].text, &bytes), DUN_OK);
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t bytes = -1;
        assert_int_equal(dun_value_size(bad[i], &bytes), DUN_E_INVALID);
        assert_int_equal(bytes, -1);
    }
}

static void test_decimals(void **state)
{
    static const struct {
        const char *text;
        int power;
        int64_t value;
    } good[] = {{"0", 0, 0},
                {"-0.0", 2, 0},
                {"12", 0, 12},
                {"\t -12.50\r\n", 2, -1250},
                {"0.1", 1, 1},
                {"1e3", 0, 1000},
                {"25e-1", 1, 25},
                {"0.05", 1, 1},
                {"0.049999", 1, 0},
                {"-0.05", 1, -1},
                {"23875", -3, 24},
                {".5", 1, 5},
                {"5.", 0, 5},
                {"9223372036854775807", 0, INT64_MAX},
                {"0e99999999999", 0, 0},
                {"1e-99999999999", 9, 0},
                {"0.0000000000000000000000000001", 0, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t value = 77;
        assert_int_equal(dun_value_decimal(good[i].text, good[i].power, &value), DUN_OK);
        assert_int_equal(value, good[i].value);
    }
}

static void test_decimals_that_are_none(void **state)
{
    static const struct {
        const char *text;
        int error;
    } bad[] = {{"", DUN_E_NOT_FOUND},       {" \n", DUN_E_NOT_FOUND},
               {"abc", DUN_E_CORRUPT},      {"12 C", DUN_E_CORRUPT},
               {"1 2", DUN_E_CORRUPT},      {"0x10", DUN_E_CORRUPT},
               {"nan", DUN_E_CORRUPT},      {"inf", DUN_E_CORRUPT},
               {"--1", DUN_E_CORRUPT},      {".", DUN_E_CORRUPT},
               {"1e", DUN_E_CORRUPT},       {"1,5", DUN_E_CORRUPT},
               {"1e19", DUN_E_TOO_LARGE},   {"9223372036854775808", DUN_E_TOO_LARGE},
               {"-1e300", DUN_E_TOO_LARGE}, {"99999999999999999999999", DUN_E_TOO_LARGE}};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t value = 77;
        assert_int_equal(dun_value_decimal(bad[i].text, 0, &value), bad[i].error);
        assert_int_equal(value, 77);
    }
}

static void test_exact_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t whole, fraction;
    } good[] = {
        {"0.05", 0, 50000000000000000},
        {" -0.05 ", -1, 950000000000000000},
        {"-40", -40, 0},
        {"9e-1", 0, 900000000000000000},
        {"1.50e3", 1500, 0},
        {"0.000000000000000001", 0, 1},
        {"-0e99", 0, 0},
        {"9223372036854775807", INT64_MAX, 0},
        {"-922337203685477580.5", -922337203685477581, 500000000000000000},
        {"00000000000000000000000.10000000000000000000000", 0, 100000000000000000},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "ten",
                                      "0.9 %",
                                      "nan",
                                      "0x1",
                                      "1e-19",
                                      "1e19",
                                      "1,5",
                                      "1 2",
                                      "0.1234567890123456789",
                                      "9223372036854775808",
                                      "123456789012345678901.5"};
    struct dun_exact value = {7, 7};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(dun_value_exact(bad[i], &value), DUN_E_INVALID);
        assert_int_equal(value.whole, 7);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(dun_value_exact(good[i].text, &value), DUN_OK);
        assert_int_equal(value.whole, good[i].whole);
        assert_int_equal(value.fraction, good[i].fraction);
    }
}

static struct dun_exact exact(const char *text)
{
    struct dun_exact value;
    assert_int_equal(dun_value_exact(text, &value), DUN_OK);
    return value;
}

static void test_comparison(void **state)
{
    static const char *const rising[] = {"-1e18", "-2",  "-1.5", "-1", "-1e-18", "0",
                                         "1e-18", "0.5", "0.51", "1",  "1e18"};
    const int count = sizeof rising / sizeof rising[0];
    (void)state;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < count; k++) {
            struct dun_exact a = exact(rising[i]);
            struct dun_exact b = exact(rising[k]);
            assert_int_equal(dun_value_compare(&a, &b), (i > k) - (i < k));
        }
    }
}

static void test_scaling_rounds_as_told(void **state)
{
    static const struct {
        const char *text;
        int exponent;
        int64_t down, up;
    } cases[] = {
        {"0.9", -4, 9000, 9000},
        {"0.05", 0, 0, 1},
        {"-0.05", 0, -1, 0},
        {"-0.05", -2, -5, -5},
        {"-0.055", -2, -6, -5},
        {"1500", 3, 1, 2},
        {"-1500", 3, -2, -1},
        {"-9.5", 1, -1, 0},
        {"1e-18", -18, 1, 1},
        {"1e-18", -17, 0, 1},
        {"1e-18", 18, 0, 1},
        {"9.5", -18, INT64_MAX, INT64_MAX},
        {"-9.5", -18, INT64_MIN, INT64_MIN},
        {"9.223372036854775807", -18, INT64_MAX, INT64_MAX},
        {"9.2233720368547758", -18, 9223372036854775800, 9223372036854775800},
        {"9223372036854775807", -1, INT64_MAX, INT64_MAX},
        {"-3", 0, -3, -3},
        {"20", 1, 2, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dun_exact value = exact(cases[i].text);
        assert_int_equal(dun_value_scaled(&value, cases[i].exponent, false), cases[i].down);
        assert_int_equal(dun_value_scaled(&value, cases[i].exponent, true), cases[i].up);
    }
}

static void test_powers(void **state)
{
    static const struct {
        const char *text;
        int power;
    } good[] = {{"1", 0}, {"0.001", -3}, {"1000", 3}, {"1e-3", -3}, {"10e2", 3}, {"1e18", 18}};
    static const char *const bad[] = {"", "0", "2", "-1", "1e19", "1e-19", "0.0015", "ten"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        int power = 99;
        assert_int_equal(dun_value_power(good[i].text, &power), DUN_OK);
        assert_int_equal(power, good[i].power);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int power = 99;
        assert_int_equal(dun_value_power(bad[i], &power), DUN_E_INVALID);
    }
}

static void test_text(void **state)
{
    static const char *const bad[] = {"a\nb",
                                      "\x7f",
                                      "\xff",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf4\x90\x80\x80"};
    (void)state;
    assert_true(dun_value_is_text(""));
    assert_true(dun_value_is_text("/mnt/Gr\xc3\xbc\xc3\x9f"
                                  "e \xf0\x9f\x90\xa6"));
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(dun_value_is_text(bad[i]));
    }
}

static void test_printing_reads_back(void **state)
{
    static const int64_t values[] = {0, 1, 999, 1000, 1500, 60000, 86400000, 90061001};
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[24];
        int64_t back = -1;
        dun_value_print_duration(values[i], text, sizeof text);
        assert_int_equal(dun_value_duration(text, &back), DUN_OK);
        assert_int_equal(back, values[i]);
        dun_value_print_size(values[i] * 1024, text, sizeof text);
        assert_int_equal(dun_value_size(text, &back), DUN_OK);
        assert_int_equal(back, values[i] * 1024);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_decimals_that_are_none),
        cmocka_unit_test(test_exact_numbers),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_scaling_rounds_as_told),
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_printing_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
