/*
 * test_libc.c: what our programs ask of strtod and string.h. Everywhere it holds by the libc of the
 * machine; in WASI it is boards/wasi/libc that has to keep to it.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, double wanted, size_t size)
{
    char *end;
    double value = strtod(text, &end);
    uint64_t got_bits, wanted_bits;
    memcpy(&got_bits, &value, sizeof value);
    memcpy(&wanted_bits, &wanted, sizeof wanted);
    if (got_bits != wanted_bits) {
        print_message("of %s\n", text);
    }
    assert_int_equal(got_bits, wanted_bits);
    assert_int_equal(end - text, size);
}

static void whole(const char *text, double wanted)
{
    expect(text, wanted, strlen(text));
}

static void test_numbers(void **state)
{
    (void)state;
    whole("0", 0.0);
    whole("-0.000", -0.0);
    whole("+1.", 0x1p0);
    whole(".5e+1", 0x1.4p2);
    whole("0.1", 0x1.999999999999ap-4);
    whole("1234567890123456789012345678901234567890", 0x1.d064903ae06e0p+129);
    whole("123e-7", 0x1.9cb8320b15070p-17);
}

/* Between two doubles the nearer one; from the middle, the even one. */
static void test_numbers_are_rounded_once(void **state)
{
    (void)state;
    whole("9007199254740993", 0x1p53);
    whole("9007199254740993.0000000000000000000000000000000001", 0x1.0000000000001p53);
    whole("9007199254740995", 0x1.0000000000002p53);
    whole("2.2250738585072011e-308", 0x0.fffffffffffffp-1022);
    whole("2.2250738585072012e-308", 0x1p-1022);
    whole("1.7976931348623157e308", 0x1.fffffffffffffp1023);
}

static void test_numbers_at_the_ends(void **state)
{
    (void)state;
    whole("4.9406564584124654e-324", 0x1p-1074);
    whole("2.4703282292062327e-324", 0.0);
    whole("2.4703282292062328e-324", 0x1p-1074);
    whole("1.7976931348623159e308", (double)INFINITY);
    whole("-1e400", (double)-INFINITY);
    whole("1e-400", 0.0);
    whole("0e99999", 0.0);
    whole("1e99999999999999999999", (double)INFINITY);
    whole("-InFinity", (double)-INFINITY);
    expect("infinit", (double)INFINITY, 3);
    assert_true(isnan(strtod("nan", NULL)));
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    expect("", 0.0, 0);
    expect("-", 0.0, 0);
    expect(".", 0.0, 0);
    expect("e5", 0.0, 0);
    expect("1e", 1.0, 1);
    expect("1e+", 1.0, 1);
    expect("1.5.5", 1.5, 3);
    expect("7 ", 7.0, 1);
}

static void test_texts_compared(void **state)
{
    (void)state;
    assert_int_equal(strcmp("", ""), 0);
    assert_true(strcmp("a", "b") < 0);
    assert_true(strcmp("ab", "a") > 0);
    assert_true(strcmp("\xff", "a") > 0);
    assert_int_equal(strncmp("abc", "abd", 2), 0);
    assert_int_equal(strncmp("a", "b", 0), 0);
    assert_int_equal(strncmp("a\0b", "a\0c", 3), 0);
    assert_int_equal(memcmp("a\0b", "a\0c", 2), 0);
    assert_true(memcmp("a\0b", "a\0c", 3) < 0);
}

static void test_texts_searched(void **state)
{
    const char *text = "one two one";
    (void)state;
    assert_ptr_equal(strchr(text, 'o'), text);
    assert_ptr_equal(strrchr(text, 'o'), text + 8);
    assert_ptr_equal(strchr(text, '\0'), text + 11);
    assert_ptr_equal(strrchr(text, '\0'), text + 11);
    assert_null(strchr(text, 'x'));
    assert_null(strrchr(text, 'x'));
    assert_ptr_equal(strstr(text, "two"), text + 4);
    assert_ptr_equal(strstr(text, ""), text);
    assert_null(strstr(text, "one two one two"));
    assert_ptr_equal(memchr(text, ' ', 4), text + 3);
    assert_null(memchr(text, ' ', 3));
}

static void test_texts_measured(void **state)
{
    char copy[16] = "";
    (void)state;
    assert_int_equal(strlen(""), 0);
    assert_int_equal(strnlen("abc", 2), 2);
    assert_int_equal(strnlen("abc", 9), 3);
    assert_int_equal(strspn("1123x", "0123456789"), 4);
    assert_int_equal(strspn("x", ""), 0);
    assert_int_equal(strcspn("ab:c", ":,"), 2);
    assert_int_equal(strcspn("abc", ""), 3);
    assert_ptr_equal(strcpy(copy, "abc"), copy);
    assert_ptr_equal(strcat(copy, "def"), copy);
    assert_string_equal(copy, "abcdef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_are_rounded_once),
        cmocka_unit_test(test_numbers_at_the_ends),
        cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_texts_compared),
        cmocka_unit_test(test_texts_searched),
        cmocka_unit_test(test_texts_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
