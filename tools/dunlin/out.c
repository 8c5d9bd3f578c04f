/*
 * out.c: the buffered writer. Numbers are made by hand, two digits at a time, because a point's
 * line is mostly numbers. A failed write is remembered and everything after it is thrown away, so
 * that renderers need not check each call.
 */
#include "out.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

void dun_out_init(struct dun_out *out, int fd)
{
    out->fd = fd;
    out->failed = false;
    out->error = 0;
    out->used = 0;
}

bool dun_out_flush(struct dun_out *out)
{
    size_t done = 0;
    while (out->fd >= 0 && !out->failed && done < out->used) {
        ssize_t written = write(out->fd, out->data + done, out->used - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno != EINTR) {
            out->failed = true;
            out->error = errno;
        }
    }
    out->used = 0;
    return !out->failed;
}

void dun_out_bytes(struct dun_out *out, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > sizeof out->data - out->used) {
        size_t part = sizeof out->data - out->used;
        memcpy(out->data + out->used, from, part);
        out->used += part;
        from += part;
        size -= part;
        (void)dun_out_flush(out);
    }
    if (size > 0) {
        memcpy(out->data + out->used, from, size);
        out->used += size;
    }
}

void dun_out_text(struct dun_out *out, const char *text)
{
    dun_out_bytes(out, text, strlen(text));
}

void dun_out_span(struct dun_out *out, struct dun_span span)
{
    dun_out_bytes(out, span.data, span.size);
}

struct dun_span dun_span_of(const char *text)
{
    return (struct dun_span){(const uint8_t *)text, strlen(text)};
}

bool dun_span_equal(struct dun_span a, struct dun_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/// Numbers ///

char *dun_text_u64(char *text, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, digit_pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, digit_pairs + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(text, digits + at, sizeof digits - at);
    return text + (sizeof digits - at);
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

char *dun_text_i64(char *text, int64_t value)
{
    if (value < 0) {
        *text++ = '-';
    }
    return dun_text_u64(text, magnitude(value));
}

/* The digits of `value` with a point before the last `places`, padded and then trimmed. */
static char *text_fraction(char *text, uint64_t value, size_t places)
{
    char digits[DUN_OUT_NUMBER];
    char *end = dun_text_u64(digits, value);
    size_t count = (size_t)(end - digits);
    size_t whole = count > places ? count - places : 0;
    size_t zeros = count > places ? 0 : places - count;
    while (count > whole && digits[count - 1] == '0') {
        count--;
    }
    if (whole == 0) {
        *text++ = '0';
    }
    memcpy(text, digits, whole);
    text += whole;
    if (count > whole) {
        *text++ = '.';
        memset(text, '0', zeros);
        text += zeros;
        memcpy(text, digits + whole, count - whole);
        text += count - whole;
    }
    return text;
}

char *dun_text_decimal(char *text, int64_t value, int exponent)
{
    if (exponent == 0 || value == 0) {
        return dun_text_i64(text, value);
    }
    if (exponent > 0) {
        text = dun_text_i64(text, value);
        memset(text, '0', (size_t)exponent);
        return text + exponent;
    }
    if (value < 0) {
        *text++ = '-';
    }
    return text_fraction(text, magnitude(value), (size_t)-exponent);
}

void dun_out_u64(struct dun_out *out, uint64_t value)
{
    char text[DUN_OUT_NUMBER];
    dun_out_bytes(out, text, (size_t)(dun_text_u64(text, value) - text));
}

void dun_out_number(struct dun_out *out, const char *before, uint64_t value)
{
    dun_out_text(out, before);
    dun_out_u64(out, value);
}

void dun_out_i64(struct dun_out *out, int64_t value)
{
    char text[DUN_OUT_NUMBER];
    dun_out_bytes(out, text, (size_t)(dun_text_i64(text, value) - text));
}

void dun_out_hex(struct dun_out *out, uint64_t value, unsigned digits)
{
    char text[16];
    for (unsigned i = 0; i < digits; i++) {
        text[i] = "0123456789abcdef"[(value >> (4 * (digits - 1 - i))) & 0xF];
    }
    dun_out_bytes(out, text, digits);
}

void dun_out_decimal(struct dun_out *out, int64_t value, int exponent)
{
    char text[DUN_OUT_NUMBER];
    dun_out_bytes(out, text, (size_t)(dun_text_decimal(text, value, exponent) - text));
}

/* A decimal of few digits, as most readings are: n / 10^9 is the nearest double to what is written
 * if both are exact, so that it is read back as `value`. NULL: it is none, or needs an exponent. */
static char *text_decimal(char *text, double value)
{
    double size = fabs(value);
    int64_t n = size < 1e6 ? llrint(size * 1e9) : 0;
    if (size < 1e-4 || size >= 1e6 || n >= INT64_C(1000000000000000) || (double)n / 1e9 != size) {
        return NULL;
    }
    if (value < 0) {
        *text++ = '-';
    }
    text = dun_text_u64(text, (uint64_t)(n / 1000000000));
    *text++ = '.';
    char digits[10];
    uint64_t rest = (uint64_t)(n % 1000000000);
    int last = 0;
    for (int i = 8; i >= 0; i--, rest /= 10) {
        digits[i] = (char)('0' + rest % 10);
        last = last == 0 && digits[i] != '0' ? i + 1 : last;
    }
    memcpy(text, digits, (size_t)last);
    return text + last;
}

char *dun_text_double(char *text, double value)
{
    if (value > -1e15 && value < 1e15 && value != 0 && value == (double)(int64_t)value) {
        return dun_text_i64(text, (int64_t)value);
    }
    char *end = text_decimal(text, value);
    if (end != NULL) {
        return end;
    }
    bool subnormal = value > -DBL_MIN && value < DBL_MIN; /* may need fewer digits than others */
    for (int digits = subnormal ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, DUN_OUT_NUMBER, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof back) == 0) {
            break;
        }
    }
    return text + strlen(text);
}

void dun_out_double(struct dun_out *out, double value)
{
    char text[DUN_OUT_NUMBER];
    dun_out_bytes(out, text, (size_t)(dun_text_double(text, value) - text));
}

/// Strings ///

void dun_out_json(struct dun_out *out, struct dun_span text)
{
    dun_out_bytes(out, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        dun_out_bytes(out, text.data + from, i - from);
        from = i + 1;
        if (byte < 0x20) {
            dun_out_text(out, "\\u");
            dun_out_hex(out, byte, 4);
        } else {
            dun_out_bytes(out, byte == '"' ? "\\\"" : "\\\\", 2);
        }
    }
    if (text.size > from) {
        dun_out_bytes(out, text.data + from, text.size - from);
    }
    dun_out_bytes(out, "\"", 1);
}

static bool csv_needs_quotes(struct dun_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == ',' || byte == '"' || byte == '\n' || byte == '\r') {
            return true;
        }
    }
    return false;
}

void dun_out_csv(struct dun_out *out, struct dun_span text)
{
    if (!csv_needs_quotes(text)) {
        dun_out_span(out, text);
        return;
    }
    dun_out_bytes(out, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            dun_out_bytes(out, "\"", 1);
        }
        dun_out_bytes(out, text.data + i, 1);
    }
    dun_out_bytes(out, "\"", 1);
}
