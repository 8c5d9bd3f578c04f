/*
 * value_real.c: see value_real.h. The power moves into the text's own exponent, so that strtod
 * rounds the decimal that is meant. strtod takes more than we do (hexadecimal, "nan(...)"): the
 * form is checked before. Its decimal point is the C locale's, which no program of ours leaves.
 */
#include "value_real.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX     64
#define EXPONENT_MAX 10000 /* from here on, all is zero or too large */

/* A word without regard to case; `rest` is what stands behind it. */
static bool takes_word(const char *at, const char *word, const char **rest)
{
    size_t size = strlen(word);
    for (size_t i = 0; i < size; i++) {
        if ((at[i] | 0x20) != word[i]) {
            return false;
        }
    }
    *rest = at + size;
    return true;
}

static bool takes_special(const char *at, const char **rest)
{
    return takes_word(at, "nan", rest) || takes_word(at, "infinity", rest) ||
           takes_word(at, "inf", rest);
}

/* Bytes of "12.5"; 0: there is no digit. */
static size_t mantissa_size(const char *at)
{
    size_t whole = strspn(at, "0123456789");
    size_t fraction = at[whole] == '.' ? strspn(at + whole + 1, "0123456789") : 0;
    bool point = at[whole] == '.';
    return whole + fraction == 0 ? 0 : whole + fraction + point;
}

static long exponent_at(const char *at, const char **rest)
{
    *rest = at;
    if (*at != 'e' && *at != 'E') {
        return 0;
    }
    const char *digits = at + 1 + (at[1] == '-' || at[1] == '+');
    long exponent = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        exponent = exponent < EXPONENT_MAX ? exponent * 10 + (*digits - '0') : exponent;
        *rest = digits + 1;
    }
    return at[1] == '-' ? -exponent : exponent;
}

static bool is_blank(const char *at)
{
    return at[strspn(at, " \t\r\n")] == '\0';
}

int dun_value_real(const char *text, int power, double *value)
{
    char whole[TEXT_MAX + 16];
    const char *rest;
    text += strspn(text, " \t\r\n");
    if (*text == '\0' || strlen(text) >= TEXT_MAX) {
        return *text == '\0' ? DUN_E_NOT_FOUND : DUN_E_CORRUPT;
    }
    const char *at = text + (*text == '-' || *text == '+');
    if (takes_special(at, &rest) && is_blank(rest)) {
        *value = strtod(text, NULL);
        return DUN_OK;
    }
    size_t size = mantissa_size(at);
    long exponent = exponent_at(at + size, &rest);
    if (size == 0 || !is_blank(rest)) {
        return DUN_E_CORRUPT;
    }
    int mantissa = (int)(at + size - text);
    (void)snprintf(whole, sizeof whole, "%.*se%ld", mantissa, text, exponent + power);
    double result = strtod(whole, NULL);
    if (isinf(result)) {
        return DUN_E_TOO_LARGE;
    }
    *value = result;
    return DUN_OK;
}
