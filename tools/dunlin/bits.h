/*
 * bits.h: the decoding half of SPEC.md, Range coder: integers from hostile bits. Whatever the bits
 * are, a call reads a bounded number of them and ends; what cannot be is noted in `wrong` and the
 * numbers after it mean nothing.
 */
#ifndef DUN_BITS_H
#define DUN_BITS_H

#include "tool.h"

/* The caller's cursor: small enough for registers in a loop over values. */
struct dun_bits_range {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t code;
    uint32_t range;
};

/* Probabilities of a 0, in 1/4096, in the upper 12 bits; in the lower how often it learnt, to 7. */
struct dun_bits_models {
    uint16_t zero[3][2], sign[3], length[6], longer[64], top[8][4], flag[5], row[16];
};

struct dun_bits {
    struct dun_bits_range range;
    struct dun_bits_models models;
    const char *wrong; /* NULL: nothing so far */
};

void dun_bits_begin(struct dun_bits *bits, struct dun_span data);

/* Residuals of a column, `count` of them, as they are: not multiplied, not added up. */
void dun_bits_values(struct dun_bits *bits, uint64_t *values, size_t count);

uint64_t dun_bits_number(struct dun_bits *bits);
bool dun_bits_flag(struct dun_bits *bits, unsigned flag);
uint64_t dun_bits_direct(struct dun_bits *bits, unsigned count);
uint32_t dun_bits_step(struct dun_bits *bits);
bool dun_bits_row(struct dun_bits *bits, uint32_t gap);

/* NULL if all went well and nothing is left over, else what is wrong. */
const char *dun_bits_end(const struct dun_bits *bits);

#endif
