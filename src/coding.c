/* coding.c: integers to bits. Invariant: what is coded depends on nothing but what was coded before
 * in the same string, so that a decoder can follow. */
#include "coding.h"

#define LENGTHS  6 /* lengths that are told one by one; longer ones by a tree */
#define TOP_LAST 9 /* longer numbers are noise below their highest bit */

void dun_coder_begin(struct dun_coder *coder, pb_ostream_t *out)
{
    dun_model *models = (dun_model *)&coder->models;
    dun_range_begin(&coder->range, out);
    for (size_t i = 0; i < sizeof coder->models / sizeof *models; i++)
        models[i] = DUN_MODEL_FRESH;
    dun_coder_restart(coder);
}

void dun_coder_restart(struct dun_coder *coder)
{
    coder->before = coder->before_that = coder->sign_before = 0;
}

uint32_t dun_bit_length(uint64_t value)
{
    static const uint8_t lengths[16] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};
    uint32_t length = 0;
    for (; value >= 256; value >>= 8)
        length += 8;
    for (; value >= 16; value >>= 4)
        length += 4;
    return length + lengths[value];
}

/* The low `depth` bits of `value`, each under the model that the bits before it lead to. */
static void code_tree(struct dun_coder *coder, dun_model *models, uint32_t value, uint32_t depth)
{
    uint32_t node = 1;
    while (depth-- > 0) {
        bool bit = value >> depth & 1;
        dun_range_bit(&coder->range, &models[node], bit);
        node = node << 1 | bit;
    }
}

static void code_length(struct dun_coder *coder, uint32_t length)
{
    for (uint32_t i = 1; i <= LENGTHS; i++) {
        dun_range_bit(&coder->range, &coder->models.length[i - 1], length > i);
        if (length == i)
            return;
    }
    code_tree(coder, coder->models.longer, length - LENGTHS - 1, 6);
}

/* The bits below the highest. */
static void code_rest(struct dun_coder *coder, uint64_t size, uint32_t length)
{
    uint32_t below = length - 1;
    if (below > 0 && length <= TOP_LAST) {
        uint32_t learnt = below < 2 ? below : 2;
        uint32_t top = (uint32_t)(size >> (below - learnt)) & ((1u << learnt) - 1);
        code_tree(coder, coder->models.top[length - 2], top, learnt);
        below -= learnt;
    }
    dun_range_direct(&coder->range, size, below);
}

void dun_coder_value(struct dun_coder *coder, int64_t value)
{
    uint64_t size = dun_magnitude(value);
    dun_model *zero = &coder->models.zero[coder->before][coder->before_that != 0];
    dun_range_bit(&coder->range, zero, size != 0);
    coder->before_that = coder->before;
    coder->before = size == 0 ? 0 : size < 4 ? 1 : 2;
    if (size == 0) {
        coder->sign_before = 0;
        return;
    }
    dun_range_bit(&coder->range, &coder->models.sign[coder->sign_before], value < 0);
    coder->sign_before = value < 0 ? 2 : 1;
    uint32_t length = dun_bit_length(size);
    code_length(coder, length);
    code_rest(coder, size, length);
}

void dun_coder_number(struct dun_coder *coder, int64_t value)
{
    uint64_t size = dun_magnitude(value);
    uint32_t below = size < 2 ? 0 : dun_bit_length(size) - 1;
    dun_range_direct(&coder->range, below, 6);
    dun_range_direct(&coder->range, size, below > 0 ? below : 1);
    if (size != 0)
        dun_coder_flag(coder, DUN_FLAG_NEGATIVE, value < 0);
}

void dun_coder_flag(struct dun_coder *coder, uint32_t flag, bool set)
{
    dun_range_bit(&coder->range, &coder->models.flag[flag], set);
}

void dun_coder_row(struct dun_coder *coder, uint32_t gap, bool present)
{
    dun_range_bit(&coder->range, &coder->models.row[gap < 15 ? gap : 15], present);
}
