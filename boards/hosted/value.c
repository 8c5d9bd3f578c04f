/*
 * value.c: see value.h. A decimal is kept as digits times a power of ten, so that "0.1" stays 0.1
 * and the same text gives the same integer on every machine.
 */
#include "value.h"

#include <stdio.h>
#include <string.h>

#define DECIMALS_MAX 18 /* 10^18 fits 64 bits */

/* digits * 10^exponent; digits beyond 19 only move the exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
    bool negative;
    bool cut; /* a digit other than zero was left out of `digits` */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void take_digit(struct decimal *number, char c, bool fraction)
{
    unsigned digit = (unsigned)(c - '0');
    if (number->digits > (UINT64_MAX - 9) / 10) {
        number->cut = number->cut || digit != 0;
        number->exponent += fraction ? 0 : 1;
        return;
    }
    number->digits = number->digits * 10 + digit;
    number->exponent -= fraction ? 1 : 0;
}

/* "e-3" after the digits. Absurd exponents are clamped: they end as zero or as too large. */
static const char *scan_exponent(const char *at, struct decimal *number)
{
    if (*at != 'e' && *at != 'E') {
        return at;
    }
    const char *digit = at + 1;
    bool negative = *digit == '-';
    if (*digit == '-' || *digit == '+') {
        digit++;
    }
    if (!is_digit(*digit)) {
        return at;
    }
    int exponent = 0;
    for (; is_digit(*digit); digit++) {
        exponent = exponent < 10000 ? exponent * 10 + (*digit - '0') : exponent;
    }
    number->exponent += negative ? -exponent : exponent;
    return digit;
}

/* Reads a number at `text`; returns where it ends, NULL if there is none. */
static const char *scan_decimal(const char *text, struct decimal *number)
{
    *number = (struct decimal){0};
    const char *at = text;
    number->negative = *at == '-';
    if (*at == '-' || *at == '+') {
        at++;
    }
    bool any = false;
    for (; is_digit(*at); at++) {
        take_digit(number, *at, false);
        any = true;
    }
    if (*at == '.') {
        for (at++; is_digit(*at); at++) {
            take_digit(number, *at, true);
            any = true;
        }
    }
    return any ? scan_exponent(at, number) : NULL;
}

/* Drops the last digits, rounding half away from zero. */
static uint64_t divide_rounded(uint64_t digits, int count)
{
    bool half = false;
    for (; count > 0 && (digits != 0 || half); count--) {
        half = digits % 10 >= 5;
        digits /= 10;
    }
    return digits + (half ? 1 : 0);
}

static int decimal_times_power(const struct decimal *number, int power, int64_t *value)
{
    int exponent = number->exponent + power;
    uint64_t digits = number->digits;
    if (exponent < 0) {
        digits = divide_rounded(digits, -exponent);
    }
    for (; exponent > 0 && digits != 0; exponent--) {
        if (digits > (uint64_t)INT64_MAX / 10) {
            return DUN_E_TOO_LARGE;
        }
        digits *= 10;
    }
    if (digits > (uint64_t)INT64_MAX) {
        return DUN_E_TOO_LARGE;
    }
    *value = number->negative ? -(int64_t)digits : (int64_t)digits;
    return DUN_OK;
}

int dun_value_decimal(const char *text, int power, int64_t *value)
{
    while (is_blank(*text)) {
        text++;
    }
    if (*text == '\0') {
        return DUN_E_NOT_FOUND;
    }
    struct decimal number;
    const char *end = scan_decimal(text, &number);
    if (end == NULL) {
        return DUN_E_CORRUPT;
    }
    while (is_blank(*end)) {
        end++;
    }
    return *end == '\0' ? decimal_times_power(&number, power, value) : DUN_E_CORRUPT;
}

int dun_value_integer(const char *text, int64_t *value)
{
    const char *at = *text == '-' || *text == '+' ? text + 1 : text;
    if (at[strspn(at, "0123456789")] != '\0') {
        return DUN_E_INVALID;
    }
    return dun_value_decimal(text, 0, value) == DUN_OK ? DUN_OK : DUN_E_INVALID;
}

/* A non-negative number times `factor`; it must come out whole. */
static int scaled(const struct decimal *number, uint64_t factor, int64_t *value)
{
    uint64_t digits = number->digits;
    if (number->negative || number->cut || (digits != 0 && factor > UINT64_MAX / digits)) {
        return DUN_E_INVALID;
    }
    digits *= factor;
    int exponent = number->exponent;
    for (; exponent < 0 && digits != 0; exponent++) {
        if (digits % 10 != 0) {
            return DUN_E_INVALID;
        }
        digits /= 10;
    }
    struct decimal whole = {.digits = digits, .exponent = digits == 0 ? 0 : exponent};
    return decimal_times_power(&whole, 0, value) == DUN_OK ? DUN_OK : DUN_E_INVALID;
}

struct suffix {
    const char *text;
    uint64_t factor;
};

static int with_suffix(const char *text, const struct suffix *suffixes, size_t count,
                       int64_t *value)
{
    struct decimal number;
    const char *end = scan_decimal(text, &number);
    for (size_t i = 0; end != NULL && i < count; i++) {
        if (strcmp(end, suffixes[i].text) == 0) {
            return scaled(&number, suffixes[i].factor, value);
        }
    }
    return DUN_E_INVALID;
}

int dun_value_duration(const char *text, int64_t *ms)
{
    static const struct suffix suffixes[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return DUN_OK;
    }
    return with_suffix(text, suffixes, sizeof suffixes / sizeof suffixes[0], ms);
}

int dun_value_size(const char *text, int64_t *bytes)
{
    const uint64_t kib = 1024;
    const uint64_t mib = kib * kib;
    const uint64_t gib = mib * kib;
    const struct suffix suffixes[] = {
        {"", 1},    {"B", 1},     {"K", kib}, {"KiB", kib},
        {"M", mib}, {"MiB", mib}, {"G", gib}, {"GiB", gib},
    };
    return with_suffix(text, suffixes, sizeof suffixes / sizeof suffixes[0], bytes);
}

int dun_value_power(const char *text, int *power)
{
    struct decimal number;
    const char *end = scan_decimal(text, &number);
    if (end == NULL || *end != '\0' || number.negative || number.cut || number.digits == 0) {
        return DUN_E_INVALID;
    }
    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    if (number.digits != 1 || number.exponent < -18 || number.exponent > 18) {
        return DUN_E_INVALID;
    }
    *power = number.exponent;
    return DUN_OK;
}

/// Exact numbers ///

static int64_t power_of_ten(int exponent)
{
    int64_t power = 1;
    for (; exponent > 0; exponent--) {
        power *= 10;
    }
    return power;
}

/* A magnitude as whole and fraction. False if it does not fit. */
static bool split(const struct decimal *number, struct dun_exact *value)
{
    uint64_t digits = number->digits;
    int decimals = -number->exponent;
    for (; decimals > 0 && digits % 10 == 0 && digits != 0; decimals--) {
        digits /= 10;
    }
    *value = (struct dun_exact){0};
    if (digits == 0) {
        return true;
    }
    if (decimals <= 0) {
        struct decimal whole = {.digits = digits, .exponent = -decimals};
        return decimal_times_power(&whole, 0, &value->whole) == DUN_OK;
    }
    if (decimals > DECIMALS_MAX) {
        return false;
    }
    uint64_t power = (uint64_t)power_of_ten(decimals);
    value->whole = (int64_t)(digits / power);
    value->fraction = (int64_t)(digits % power) * power_of_ten(DECIMALS_MAX - decimals);
    return true;
}

int dun_value_exact(const char *text, struct dun_exact *value)
{
    while (is_blank(*text)) {
        text++;
    }
    struct decimal number;
    struct dun_exact found;
    const char *end = scan_decimal(text, &number);
    while (end != NULL && is_blank(*end)) {
        end++;
    }
    if (end == NULL || *end != '\0' || number.cut || !split(&number, &found)) {
        return DUN_E_INVALID;
    }
    if (number.negative) {
        bool partly = found.fraction != 0;
        found.whole = -found.whole - (partly ? 1 : 0);
        found.fraction = partly ? power_of_ten(DECIMALS_MAX) - found.fraction : 0;
    }
    *value = found;
    return DUN_OK;
}

int dun_value_compare(const struct dun_exact *a, const struct dun_exact *b)
{
    int wholes = (a->whole > b->whole) - (a->whole < b->whole);
    return wholes != 0 ? wholes : (a->fraction > b->fraction) - (a->fraction < b->fraction);
}

/* Rounds down; `*exact` tells if nothing was cut off. */
static int64_t divided(const struct dun_exact *value, int64_t power, bool *exact)
{
    int64_t quotient = value->whole / power;
    int64_t rest = value->whole % power;
    *exact = rest == 0 && value->fraction == 0;
    return quotient - (rest < 0 ? 1 : 0);
}

static int64_t multiplied(const struct dun_exact *value, int decimals, bool *exact)
{
    int64_t power = power_of_ten(decimals);
    int64_t step = power_of_ten(DECIMALS_MAX - decimals);
    *exact = value->fraction % step == 0;
    if (value->whole > INT64_MAX / power || value->whole < INT64_MIN / power) {
        *exact = true;
        return value->whole > 0 ? INT64_MAX : INT64_MIN;
    }
    int64_t product = value->whole * power;
    int64_t rest = value->fraction / step;
    return product > INT64_MAX - rest ? INT64_MAX : product + rest;
}

int64_t dun_value_scaled(const struct dun_exact *value, int exponent, bool up)
{
    bool exact;
    int64_t scaled = exponent > 0 ? divided(value, power_of_ten(exponent), &exact)
                                  : multiplied(value, -exponent, &exact);
    return scaled + (up && !exact && scaled < INT64_MAX ? 1 : 0);
}

/// Text ///

/* Length of the UTF-8 sequence at `at`, 0 if it is none (overlong, surrogate, cut, > U+10FFFF). */
static size_t sequence_size(const unsigned char *at)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (at[0] > 0xF4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) {
        return 0;
    }
    return size;
}

bool dun_value_is_text(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t size = sequence_size(at);
        if (size == 0 || *at < ' ' || *at == 0x7f) {
            return false;
        }
        at += size;
    }
    return true;
}

static void print_with_unit(int64_t value, const struct suffix *suffixes, size_t count, char *out,
                            size_t size)
{
    for (size_t i = 0; i < count; i++) {
        int64_t factor = (int64_t)suffixes[i].factor;
        if (value != 0 && value % factor == 0) {
            snprintf(out, size, "%lld%s", (long long)(value / factor), suffixes[i].text);
            return;
        }
    }
    snprintf(out, size, "%lld", (long long)value);
}

void dun_value_print_duration(int64_t ms, char *out, size_t size)
{
    static const struct suffix units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    print_with_unit(ms, units, sizeof units / sizeof units[0], out, size);
}

void dun_value_print_size(int64_t bytes, char *out, size_t size)
{
    static const struct suffix units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}};
    print_with_unit(bytes, units, sizeof units / sizeof units[0], out, size);
}
