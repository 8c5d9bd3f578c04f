/*
 * range.c: the interval [low, low + range) narrows with each bit; bytes leave at its top as soon
 * as they are settled. A byte 0xFF is settled only when no carry can come any more: such bytes are
 * counted in `pending`. Invariant between calls: range >= 2^24.
 */
#include "range.h"

#define TOP         (UINT32_C(1) << 24)
#define MODEL_BITS  12
#define PIECE_BITS  16 /* of a direct value that are coded at once */
#define BUFFER_SIZE sizeof(((struct dun_range *)0)->buffer)

void dun_range_begin(struct dun_range *coder, pb_ostream_t *out)
{
    *coder = (struct dun_range){.out = out, .range = UINT32_MAX};
}

static void flush(struct dun_range *coder)
{
    size_t count = coder->size % BUFFER_SIZE ? coder->size % BUFFER_SIZE : BUFFER_SIZE;
    if (coder->out && !coder->failed && coder->size > 0)
        coder->failed = !pb_write(coder->out, coder->buffer, count);
}

static void emit(struct dun_range *coder, uint8_t byte)
{
    coder->buffer[coder->size++ % BUFFER_SIZE] = byte;
    if (coder->size % BUFFER_SIZE == 0)
        flush(coder);
}

static void put(struct dun_range *coder, uint8_t byte)
{
    if (byte == 0) {
        coder->zeros++;
        return;
    }
    for (; coder->zeros > 0; coder->zeros--)
        emit(coder, 0);
    emit(coder, byte);
}

/* The first byte would always be 0: the interval began below 1. It is left out. */
static void shift(struct dun_range *coder)
{
    uint32_t low = (uint32_t)coder->low;
    uint8_t carry = (uint8_t)(coder->low >> 32);
    if (low < UINT32_C(0xFF000000) || carry) {
        if (coder->started)
            put(coder, (uint8_t)(coder->cache + carry));
        for (; coder->pending > 0; coder->pending--)
            put(coder, (uint8_t)(0xFF + carry));
        coder->started = true;
        coder->cache = (uint8_t)(low >> 24);
    } else {
        coder->pending++;
    }
    coder->low = (uint64_t)(low & (TOP - 1)) << 8;
}

static void normalise(struct dun_range *coder)
{
    while (coder->range < TOP) {
        shift(coder);
        coder->range <<= 8;
    }
}

/* A model follows fast at first, then with a sixteenth of the surprise. */
static void learn(dun_model *model, bool bit)
{
    static const uint8_t rates[8] = {1, 2, 2, 3, 3, 3, 3, 4};
    uint32_t seen = *model & 0xF;
    uint32_t zero = *model >> 4;
    if (bit)
        zero -= zero >> rates[seen];
    else
        zero += ((1u << MODEL_BITS) - zero) >> rates[seen];
    *model = (dun_model)(zero << 4 | (seen < 7 ? seen + 1 : seen));
}

void dun_range_bit(struct dun_range *coder, dun_model *model, bool bit)
{
    uint32_t bound = (coder->range >> MODEL_BITS) * (*model >> 4);
    if (bit) {
        coder->low += bound;
        coder->range -= bound;
    } else {
        coder->range = bound;
    }
    learn(model, bit);
    normalise(coder);
}

void dun_range_direct(struct dun_range *coder, uint64_t value, uint32_t count)
{
    while (count > 0) {
        uint32_t bits = count < PIECE_BITS ? count : PIECE_BITS;
        count -= bits;
        coder->range >>= bits;
        coder->low += ((value >> count) & ((1u << bits) - 1)) * coder->range;
        normalise(coder);
    }
}

/* Of all values in the interval the one with the most zero bytes at its end. */
bool dun_range_end(struct dun_range *coder)
{
    uint64_t last = coder->low + coder->range - 1;
    uint32_t bits = 32;
    while (last >> bits << bits < coder->low)
        bits -= 8;
    coder->low = last >> bits << bits;
    for (int i = 0; i < 5; i++)
        shift(coder);
    if (coder->size % BUFFER_SIZE != 0)
        flush(coder);
    return !coder->failed;
}
