/*
 * number.c: strtod, rounded right to the last bit. The libc's own is six times as large: it knows
 * long double, hexadecimal and streams.
 *
 * The digits become one long number of WORDS words with its point in the middle. It is multiplied
 * or divided by ten as often as the exponent says; what a division leaves over only matters for
 * rounding. From the highest bit on, the bits that a double has are what is left to read.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 96 /* behind them a digit only rounds */
#define POINT      48 /* words behind the point: 96 digits times 10^-426 leave 64 bits */
#define WORDS      84 /* and 10^310 before it */
#define LOWEST     (-330)
#define HIGHEST    310
#define MANTISSA   53
#define SMALLEST   (-1022) /* exponent of the smallest normal double */
#define INFINITE   ((uint64_t)0x7FF << 52)

struct number {
    uint32_t words[WORDS]; /* the lowest first */
    int digits, exponent;
    bool rest; /* something was left out */
};

static void multiply(struct number *number, uint32_t carry)
{
    for (int i = POINT; i < WORDS; i++) {
        uint64_t product = (uint64_t)number->words[i] * 10 + carry;
        number->words[i] = (uint32_t)product;
        carry = (uint32_t)(product >> 32);
    }
}

static void divide(struct number *number)
{
    uint32_t left = 0;
    for (int i = WORDS - 1; i >= 0; i--) {
        uint64_t dividend = (uint64_t)left << 32 | number->words[i];
        number->words[i] = (uint32_t)(dividend / 10);
        left = (uint32_t)(dividend % 10);
    }
    number->rest = number->rest || left != 0;
}

static unsigned bit(const struct number *number, int at)
{
    return at >= 0 ? number->words[at / 32] >> at % 32 & 1 : 0;
}

/* The double nearest to it, ties to even, as bits. */
static uint64_t rounded(const struct number *number)
{
    int top = WORDS * 32 - 1;
    while (top > 0 && bit(number, top) == 0) {
        top--;
    }
    int exponent = top - POINT * 32;
    int lowest = exponent < SMALLEST ? POINT * 32 + SMALLEST - MANTISSA + 1 : top - MANTISSA + 1;
    uint64_t bits = 0;
    bool rest = number->rest;
    for (int at = top; at >= lowest; at--) {
        bits = bits << 1 | bit(number, at);
    }
    for (int at = 0; at < lowest - 1; at++) {
        rest = rest || bit(number, at) != 0;
    }
    bits += bit(number, lowest - 1) & (rest || (bits & 1) != 0);
    bits += exponent < SMALLEST ? 0 : (uint64_t)(exponent - SMALLEST) << (MANTISSA - 1);
    return bits < INFINITE ? bits : INFINITE;
}

static uint64_t value_of(struct number *number)
{
    if (number->digits == 0 || number->digits + number->exponent < LOWEST) {
        return 0;
    }
    if (number->digits + number->exponent > HIGHEST) {
        return INFINITE;
    }
    for (; number->exponent > 0; number->exponent--) {
        multiply(number, 0);
    }
    for (; number->exponent < 0; number->exponent++) {
        divide(number);
    }
    return rounded(number);
}

/* "12.5"; NULL: there is no digit. */
static const char *scan_digits(const char *at, struct number *number)
{
    bool point = false, any = false;
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        any = true;
        number->exponent -= point;
        if (number->digits == DIGITS_MAX) {
            number->rest = number->rest || *at != '0';
            number->exponent++;
        } else if (number->digits > 0 || *at != '0') {
            multiply(number, (uint32_t)(*at - '0'));
            number->digits++;
        }
    }
    return any ? at : NULL;
}

static const char *scan_exponent(const char *at, struct number *number)
{
    const char *digit = at + 1;
    int exponent = 0;
    bool negative = *digit == '-';
    digit += negative || *digit == '+';
    if ((*at | 0x20) != 'e' || *digit < '0' || *digit > '9') {
        return at;
    }
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        exponent = exponent < 100000 ? exponent * 10 + (*digit - '0') : exponent;
    }
    number->exponent += negative ? -exponent : exponent;
    return digit;
}

/* A word without regard to case. */
static bool begins(const char *at, const char *word)
{
    while (*word != '\0' && (*at | 0x20) == *word) {
        at++;
        word++;
    }
    return *word == '\0';
}

/* No hexadecimal, no blanks before, no errno: nobody asks for them. */
double strtod(const char *restrict text, char **restrict end)
{
    struct number number = {0};
    bool negative = *text == '-';
    const char *at = text + (negative || *text == '+');
    const char *behind = scan_digits(at, &number);
    uint64_t bits = 0;
    if (behind != NULL) {
        behind = scan_exponent(behind, &number);
        bits = value_of(&number);
    } else if (begins(at, "nan")) {
        behind = at + 3;
        bits = INFINITE | (uint64_t)1 << 51;
    } else if (begins(at, "inf")) {
        behind = at + (begins(at, "infinity") ? 8 : 3);
        bits = INFINITE;
    } else {
        behind = text;
        negative = false;
    }
    if (end != NULL) {
        *end = (char *)(uintptr_t)behind;
    }
    bits |= (uint64_t)negative << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
