/*
 * value.h: turns what a person or a kernel wrote into numbers: durations, sizes, decimals. Pure
 * functions on text, without floating point, locale or errno. Refused text leaves the result alone.
 */
#ifndef DUN_HOSTED_VALUE_H
#define DUN_HOSTED_VALUE_H

#include "base.h"

/* Decimal digits with an optional sign, nothing else, within int64. */
DUN_MUST_USE int dun_value_integer(const char *text, int64_t *value);

/* "500ms", "5s", "1.5m", "2h", "1d": to milliseconds, never negative. "0" needs no unit. */
DUN_MUST_USE int dun_value_duration(const char *text, int64_t *ms);

/* "4096", "64K", "8M", "1G" (powers of 1024, an optional "iB" or "B"): to bytes. */
DUN_MUST_USE int dun_value_size(const char *text, int64_t *bytes);

/*
 * A decimal number ("-12.50", "1e3", "\t7\n") times 10^power, as an integer. Digits that do not
 * fit are rounded half away from zero. DUN_E_NOT_FOUND for blank text, DUN_E_CORRUPT for anything
 * that is no number, DUN_E_TOO_LARGE outside int64.
 */
DUN_MUST_USE int dun_value_decimal(const char *text, int power, int64_t *value);

/* A decimal number exactly: whole + fraction / 10^18. */
struct dun_exact {
    int64_t whole; /* rounded down, so that the fraction is never negative */
    int64_t fraction;
};

/* "-12.50", "9e-1", blanks around it. DUN_E_INVALID for anything that is none, and for what does
 * not fit: more than 18 decimals or 19 digits, outside int64. */
DUN_MUST_USE int dun_value_exact(const char *text, struct dun_exact *value);

/* Below, equal to or above 0 as a is less than, equal to or more than b. */
int dun_value_compare(const struct dun_exact *a, const struct dun_exact *b);

/* How many times 10^exponent (-18 to 18) the value is, rounded down, or up; at most int64. An
 * integer of that scale is below the value exactly if it is below what is rounded up, and above it
 * exactly if it is above what is rounded down. */
int64_t dun_value_scaled(const struct dun_exact *value, int exponent, bool up);

/* "0.001", "1", "1000", "1e-3": the power of ten it is. DUN_E_INVALID when it is none. */
DUN_MUST_USE int dun_value_power(const char *text, int *power);

/* True for valid UTF-8 without control characters: what may stand in a topic or a catalog. */
bool dun_value_is_text(const char *text);

/* The way back, for --print-config: "5s", "8M". `out` holds at least 24 bytes. */
void dun_value_print_duration(int64_t ms, char *out, size_t size);
void dun_value_print_size(int64_t bytes, char *out, size_t size);

#endif
