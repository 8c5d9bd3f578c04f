/*
 * coding.h: integers as bits of a range coder: the forms that SPEC.md, Coded columns, names. All
 * columns of one string share one set of models, so that each learns from those before it.
 */
#ifndef DUN_CODING_H
#define DUN_CODING_H

#include "range.h"

/* What was learnt of the integers. 0xF in the names: see the contexts in SPEC.md. */
struct dun_models {
    dun_model zero[3][2]; /* is it 0: by the size of the one before, and whether one before that */
    dun_model sign[3];    /* by the sign of the one before */
    dun_model length[6];  /* has it more than 1 + i bits */
    dun_model longer[64]; /* bits beyond 7, as a tree of 6 bits */
    dun_model top[8][4];  /* two bits below the highest, of those with 2 + i bits */
    dun_model flag[5];    /* as DUN_FLAG_... */
    dun_model row[16];    /* is there a value: by the rows since the last one */
};

struct dun_coder {
    struct dun_range range;
    struct dun_models models;
    uint8_t before, before_that; /* 0: was zero, 1: below 4, 2: more */
    uint8_t sign_before;         /* 0: was zero, 1: positive, 2: negative */
};

void dun_coder_begin(struct dun_coder *coder, pb_ostream_t *out);

/* Residuals: small ones are cheap, whatever small turns out to be. */
void dun_coder_restart(struct dun_coder *coder); /* a new column: forget what came before */
void dun_coder_value(struct dun_coder *coder, int64_t value);

/* A lone number of any size: 6 bits, its sign and its length. */
void dun_coder_number(struct dun_coder *coder, int64_t value);

void dun_coder_flag(struct dun_coder *coder, uint32_t flag, bool set);
enum {
    DUN_FLAG_STEP = 0,
    DUN_FLAG_ODD = 1,
    DUN_FLAG_MULTIPLE = 2,
    DUN_FLAG_NEGATIVE = 3,
    DUN_FLAG_EXCEPTIONS = 4,
};

/* Whether a row has a value, `gap` rows after the last that had. */
void dun_coder_row(struct dun_coder *coder, uint32_t gap, bool present);

/* Bits of `value` up to the highest that is set. */
uint32_t dun_bit_length(uint64_t value);

/* |value| as an unsigned number, that of INT64_MIN too. */
static inline uint64_t dun_magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

#endif
