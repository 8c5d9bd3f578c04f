/*
 * unpack.c: texts and tables are half of what is not code, so component.py leaves them in the
 * component as LZMA (raw, LZMA1, with 3 bits of context for a literal and none of the position) and
 * this puts them into their place before anything else runs. They lie packed where the stack will
 * grow to. A component that was not packed has zeros there.
 *
 * It trusts its input, which came with it, and reads no table: there is none yet.
 */
#include "unpack.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STATES      12
#define EVEN        1024 /* a probability of one half, of 2048 */
#define LITERAL     0x300
#define SLOT_DIRECT 14 /* distances from here on have bits of even probability */

struct lengths {
    uint16_t choice, choice_long;
    uint16_t shorts[8], middles[8], longs[256];
};

struct models {
    uint16_t match[STATES], rep[STATES], rep_old[STATES], rep_older[STATES], rep_oldest[STATES],
        rep_long[STATES];
    uint16_t slots[4][64], distances[128], align[16];
    struct lengths lengths, rep_lengths;
    uint16_t literals[8 * LITERAL];
};

struct unpacker {
    const uint8_t *from;
    uint8_t *to;
    uint32_t range, code;
    uint32_t distances[4]; /* the last ones, each less one */
    struct models models;
};

static unsigned even_bit(struct unpacker *unpacker)
{
    unpacker->range >>= 1;
    bool one = unpacker->code >= unpacker->range;
    unpacker->code -= one ? unpacker->range : 0;
    if (unpacker->range < 1u << 24) {
        unpacker->range <<= 8;
        unpacker->code = unpacker->code << 8 | *unpacker->from++;
    }
    return one;
}

static unsigned bit(struct unpacker *unpacker, uint16_t *model)
{
    uint32_t bound = (unpacker->range >> 11) * *model;
    bool one = unpacker->code >= bound;
    if (one) {
        unpacker->range -= bound;
        unpacker->code -= bound;
        *model = (uint16_t)(*model - (*model >> 5));
    } else {
        unpacker->range = bound;
        *model = (uint16_t)(*model + ((2048 - *model) >> 5));
    }
    if (unpacker->range < 1u << 24) {
        unpacker->range <<= 8;
        unpacker->code = unpacker->code << 8 | *unpacker->from++;
    }
    return one;
}

/* `count` bits, the highest first. */
static unsigned tree(struct unpacker *unpacker, uint16_t *models, int count)
{
    unsigned at = 1;
    for (int i = 0; i < count; i++) {
        at = at << 1 | bit(unpacker, &models[at]);
    }
    return at - (1u << count);
}

static unsigned reverse_tree(struct unpacker *unpacker, uint16_t *models, int count)
{
    unsigned at = 1, value = 0;
    for (int i = 0; i < count; i++) {
        unsigned one = bit(unpacker, &models[at]);
        at = at << 1 | one;
        value |= one << i;
    }
    return value;
}

static unsigned length_of(struct unpacker *unpacker, struct lengths *lengths)
{
    if (bit(unpacker, &lengths->choice) == 0) {
        return 2 + tree(unpacker, lengths->shorts, 3);
    }
    if (bit(unpacker, &lengths->choice_long) == 0) {
        return 10 + tree(unpacker, lengths->middles, 3);
    }
    return 18 + tree(unpacker, lengths->longs, 8);
}

static uint32_t distance_of(struct unpacker *unpacker, unsigned length)
{
    struct models *models = &unpacker->models;
    unsigned slot = tree(unpacker, models->slots[length < 6 ? length - 2 : 3], 6);
    if (slot < 4) {
        return slot;
    }
    int count = (int)(slot >> 1) - 1;
    uint32_t distance = (2 | (slot & 1)) << count;
    if (slot < SLOT_DIRECT) {
        return distance + reverse_tree(unpacker, models->distances + distance - slot, count);
    }
    uint32_t high = 0;
    for (int i = 4; i < count; i++) {
        high = high << 1 | even_bit(unpacker);
    }
    return distance + (high << 4) + reverse_tree(unpacker, models->align, 4);
}

/* Behind a match, the byte that would have gone on with it tells what this one is not. */
static void literal(struct unpacker *unpacker, bool behind_match)
{
    uint16_t *models = unpacker->models.literals + LITERAL * (unpacker->to[-1] >> 5);
    unsigned expected = unpacker->to[-(int32_t)unpacker->distances[0] - 1];
    unsigned at = 1;
    while (at < 0x100) {
        unsigned likely = expected >> 7 & 1;
        unsigned one = bit(unpacker, &models[at + (behind_match ? 0x100 + (likely << 8) : 0)]);
        behind_match = behind_match && one == likely;
        expected <<= 1;
        at = at << 1 | one;
    }
    *unpacker->to++ = (uint8_t)at;
}

/* Which of the last distances is meant; it becomes the last one. */
static void recall(struct unpacker *unpacker, unsigned state)
{
    struct models *models = &unpacker->models;
    uint32_t *distances = unpacker->distances;
    int which = bit(unpacker, &models->rep_older[state]) == 0    ? 1
                : bit(unpacker, &models->rep_oldest[state]) == 0 ? 2
                                                                 : 3;
    uint32_t distance = distances[which];
    for (; which > 0; which--) {
        distances[which] = distances[which - 1];
    }
    distances[0] = distance;
}

/* A match of old or new distance; its length, 0 at the end of all. */
static unsigned match(struct unpacker *unpacker, unsigned *state)
{
    struct models *models = &unpacker->models;
    uint32_t *distances = unpacker->distances;
    bool behind_literal = *state < 7;
    if (bit(unpacker, &models->rep[*state]) == 0) {
        memmove(distances + 1, distances, 3 * sizeof distances[0]);
        *state = behind_literal ? 7 : 10;
        unsigned length = length_of(unpacker, &models->lengths);
        distances[0] = distance_of(unpacker, length);
        return distances[0] != UINT32_MAX ? length : 0;
    }
    if (bit(unpacker, &models->rep_old[*state]) != 0) {
        recall(unpacker, *state);
    } else if (bit(unpacker, &models->rep_long[*state]) == 0) {
        *state = behind_literal ? 9 : 11;
        return 1;
    }
    *state = behind_literal ? 8 : 11;
    return length_of(unpacker, &models->rep_lengths);
}

static void unpack(struct unpacker *unpacker)
{
    unsigned state = 0;
    for (;;) {
        if (bit(unpacker, &unpacker->models.match[state]) == 0) {
            literal(unpacker, state >= 7);
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        unsigned length = match(unpacker, &state);
        if (length == 0) {
            return;
        }
        for (; length > 0; length--) {
            *unpacker->to = unpacker->to[-(int32_t)unpacker->distances[0] - 1];
            unpacker->to++;
        }
    }
}

void dun_unpack(const uint8_t *from, uint8_t *to)
{
    struct unpacker unpacker = {.from = from + 5, .to = to, .range = UINT32_MAX};
    for (int i = 1; i < 5; i++) {
        unpacker.code = unpacker.code << 8 | from[i];
    }
    uint16_t *models = (uint16_t *)(void *)&unpacker.models;
    for (size_t i = 0; i < sizeof unpacker.models / sizeof models[0]; i++) {
        models[i] = EVEN;
    }
    unpack(&unpacker);
}
