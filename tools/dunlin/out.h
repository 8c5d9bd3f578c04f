/*
 * out.h: a buffered writer with the number and string formats that the renderers need. It never
 * allocates and never calls stdio, so that a point costs a few copies.
 */
#ifndef DUN_OUT_H
#define DUN_OUT_H

#include "base.h"

#define DUN_OUT_SIZE   65536
#define DUN_OUT_NUMBER 64 /* bytes that any number below fits in */

struct dun_out {
    int fd;      /* -1: everything is thrown away */
    bool failed; /* a write failed; errno is kept in `error`, the rest is thrown away */
    int error;
    size_t used;
    uint8_t data[DUN_OUT_SIZE];
};

void dun_out_init(struct dun_out *out, int fd);

/* False if this or an earlier write failed. */
bool dun_out_flush(struct dun_out *out);

void dun_out_bytes(struct dun_out *out, const void *data, size_t size);
void dun_out_text(struct dun_out *out, const char *text);
void dun_out_span(struct dun_out *out, struct dun_span span);
void dun_out_u64(struct dun_out *out, uint64_t value);
void dun_out_number(struct dun_out *out, const char *before, uint64_t value); /* text, number */
void dun_out_i64(struct dun_out *out, int64_t value);
void dun_out_hex(struct dun_out *out, uint64_t value, unsigned digits);

/* value * 10^exponent, exact: no exponent, no trailing zero after the point. */
void dun_out_decimal(struct dun_out *out, int64_t value, int exponent);

/* The shortest decimal that reads back as `value`, which must be finite. */
void dun_out_double(struct dun_out *out, double value);

/* A JSON string with its quotes. The span is valid UTF-8. */
void dun_out_json(struct dun_out *out, struct dun_span text);

/* A CSV field, quoted where RFC 4180 asks for it. */
void dun_out_csv(struct dun_out *out, struct dun_span text);

/* The text of a number, without an out: returns the end. `text` has DUN_OUT_NUMBER bytes. */
char *dun_text_u64(char *text, uint64_t value);
char *dun_text_i64(char *text, int64_t value);
char *dun_text_double(char *text, double value); /* finite */
char *dun_text_decimal(char *text, int64_t value, int exponent);

/* A C string as a span, without its NUL. */
struct dun_span dun_span_of(const char *text);
bool dun_span_equal(struct dun_span a, struct dun_span b);

#endif
