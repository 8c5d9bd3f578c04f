/*
 * range.h: an adaptive binary range coder, the encoding half: bits become bytes at a price of
 * -log2(probability) each, the probabilities follow what was coded. Integers only; the state is
 * one small struct that the caller owns. SPEC.md, Range coder, is the decoding half.
 */
#ifndef DUN_RANGE_H
#define DUN_RANGE_H

#include <pb_encode.h>

#include "base.h"

/* How probable a 0 is, in 1/4096: the upper 12 bits. The lower: bits seen, to 7. */
typedef uint16_t dun_model;
#define DUN_MODEL_FRESH ((dun_model)(2048u << 4))

struct dun_range {
    pb_ostream_t *out; /* NULL: the bytes are only counted */
    uint64_t low;      /* 33 bits: the top one is a carry into bytes that still wait */
    uint32_t range;
    uint32_t pending;  /* bytes 0xFF that a carry may still turn into 0x00 */
    uint32_t zeros;    /* zero bytes held back: at the end they are not written */
    uint32_t size;     /* bytes written */
    uint8_t buffer[8]; /* not yet in `out` */
    uint8_t cache;
    bool started;
    bool failed; /* `out` took no more */
};

void dun_range_begin(struct dun_range *coder, pb_ostream_t *out);

/* Codes a bit under `model`, which learns from it. */
void dun_range_bit(struct dun_range *coder, dun_model *model, bool bit);

/* Codes the low `count` bits of `value` (to 63) as they are, at a bit each. */
void dun_range_direct(struct dun_range *coder, uint64_t value, uint32_t count);

/* Ends the string with as few bytes as tell it apart. False if `out` failed. */
bool dun_range_end(struct dun_range *coder);

#endif
