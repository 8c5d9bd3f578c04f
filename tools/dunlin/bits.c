/*
 * bits.c: the range decoder. Invariant: range >= 2^24 before each symbol. The cursor is copied
 * into a local struct around each loop, so that the compiler keeps it in registers.
 */
#include "bits.h"

#define TOP        (UINT32_C(1) << 24)
#define FRESH      ((uint16_t)(2048u << 4))
#define PIECE_BITS 16

void dun_bits_begin(struct dun_bits *bits, struct dun_span data)
{
    *bits = (struct dun_bits){.range = {.at = data.data, .range = UINT32_MAX}};
    uint16_t *models = (uint16_t *)&bits->models;
    for (size_t i = 0; i < sizeof bits->models / sizeof *models; i++) {
        models[i] = FRESH;
    }
    bits->range.end = data.data + data.size;
    if (data.size > 0 && data.data[data.size - 1] == 0) {
        bits->wrong = "bits end with a zero byte";
    }
    for (int i = 0; i < 4; i++) {
        bool more = bits->range.at < bits->range.end;
        bits->range.code = bits->range.code << 8 | (more ? *bits->range.at++ : 0u);
    }
}

const char *dun_bits_end(const struct dun_bits *bits)
{
    if (bits->wrong != NULL) {
        return bits->wrong;
    }
    return bits->range.at < bits->range.end ? "bits are left over" : NULL;
}

/// Symbols ///

static inline void normalise(struct dun_bits_range *in)
{
    while (in->range < TOP) {
        uint32_t byte = in->at < in->end ? *in->at++ : 0u;
        in->code = in->code << 8 | byte;
        in->range <<= 8;
    }
}

static inline bool take_bit(struct dun_bits_range *in, uint16_t *model)
{
    static const uint8_t rates[8] = {1, 2, 2, 3, 3, 3, 3, 4};
    uint32_t seen = *model & 0xFu;
    uint32_t zero = (uint32_t)*model >> 4;
    uint32_t bound = (in->range >> 12) * zero;
    bool bit = in->code >= bound;
    if (bit) {
        in->code -= bound;
        in->range -= bound;
        zero -= zero >> rates[seen];
    } else {
        in->range = bound;
        zero += (4096u - zero) >> rates[seen];
    }
    *model = (uint16_t)(zero << 4 | (seen + (seen < 7)));
    normalise(in);
    return bit;
}

/* Sets `*wrong` where the code lies outside what `count` bits can say. */
static inline uint64_t take_direct(struct dun_bits_range *in, unsigned count, const char **wrong)
{
    uint64_t value = 0;
    while (count > 0) {
        unsigned piece = count < PIECE_BITS ? count : PIECE_BITS;
        in->range >>= piece;
        uint32_t digit = in->code / in->range;
        if (digit >> piece != 0) {
            *wrong = "direct bits out of range";
            digit = 0;
        }
        in->code -= digit * in->range;
        normalise(in);
        value = value << piece | digit;
        count -= piece;
    }
    return value;
}

static inline uint32_t take_tree(struct dun_bits_range *in, uint16_t *models, unsigned depth)
{
    uint32_t node = 1;
    for (unsigned i = 0; i < depth; i++) {
        node = node << 1 | take_bit(in, &models[node]);
    }
    return node - (1u << depth);
}

/// Values ///

static inline unsigned take_length(struct dun_bits_range *in, struct dun_bits *bits)
{
    unsigned length = 1;
    while (length <= 6 && take_bit(in, &bits->models.length[length - 1])) {
        length++;
    }
    return length <= 6 ? length : length + take_tree(in, bits->models.longer, 6);
}

/* A residual that is not 0, without its sign. */
static inline uint64_t take_size(struct dun_bits_range *in, struct dun_bits *bits)
{
    unsigned length = take_length(in, bits);
    if (length > 64) {
        bits->wrong = "a residual is longer than 64 bits";
        length = 64;
    }
    uint64_t size = 1;
    unsigned below = length - 1;
    if (length >= 2 && length <= 9) {
        unsigned learnt = below < 2 ? below : 2;
        size = size << learnt | take_tree(in, bits->models.top[length - 2], learnt);
        below -= learnt;
    }
    return below > 0 ? size << below | take_direct(in, below, &bits->wrong) : size;
}

void dun_bits_values(struct dun_bits *bits, uint64_t *values, size_t count)
{
    struct dun_bits_range in = bits->range;
    unsigned before = 0;
    unsigned before_that = 0;
    unsigned sign = 0;
    for (size_t i = 0; i < count; i++) {
        bool zero = !take_bit(&in, &bits->models.zero[before][before_that]);
        before_that = before != 0;
        if (zero) {
            before = sign = 0;
            values[i] = 0;
            continue;
        }
        bool negative = take_bit(&in, &bits->models.sign[sign]);
        uint64_t size = take_size(&in, bits);
        sign = negative ? 2 : 1;
        before = size < 4 ? 1 : 2;
        values[i] = negative ? 0 - size : size;
    }
    bits->range = in;
}

/// Lone numbers ///

uint64_t dun_bits_number(struct dun_bits *bits)
{
    unsigned below = (unsigned)take_direct(&bits->range, 6, &bits->wrong);
    uint64_t size = take_direct(&bits->range, below > 0 ? below : 1, &bits->wrong);
    size |= below > 0 ? UINT64_C(1) << below : 0;
    return size != 0 && dun_bits_flag(bits, 3) ? 0 - size : size;
}

uint64_t dun_bits_direct(struct dun_bits *bits, unsigned count)
{
    return take_direct(&bits->range, count, &bits->wrong);
}

bool dun_bits_flag(struct dun_bits *bits, unsigned flag)
{
    return take_bit(&bits->range, &bits->models.flag[flag]);
}

uint32_t dun_bits_step(struct dun_bits *bits)
{
    if (!dun_bits_flag(bits, 0)) {
        return 1;
    }
    bool odd = dun_bits_flag(bits, 1);
    unsigned below = (unsigned)take_direct(&bits->range, 6, &bits->wrong);
    if (below > 31) {
        bits->wrong = "a step is out of range";
        return 1;
    }
    uint64_t rest = odd ? take_direct(&bits->range, below, &bits->wrong) : 0;
    return (uint32_t)(1u << below | rest);
}

bool dun_bits_row(struct dun_bits *bits, uint32_t gap)
{
    return take_bit(&bits->range, &bits->models.row[gap < 15 ? gap : 15]);
}
