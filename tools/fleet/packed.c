/*
 * packed.c: see packed.h. Words are compared in groups of 64; a group without a difference costs
 * one word, its mask.
 */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

#define GROUP      64u
#define ROOM_STEP  8u  /* words; room is a multiple, so that the heap finds a fitting piece again */
#define ROOM_SPARE 32u /* words; more than that is given back */

static size_t word_count(size_t size)
{
    DUN_ASSERT(size % sizeof(uint64_t) == 0);
    return size / sizeof(uint64_t);
}

static uint64_t mask_of(const uint64_t *image, const uint64_t *model, size_t count)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < count; i++) {
        mask |= (uint64_t)(image[i] != model[i]) << i;
    }
    return mask;
}

static uint32_t bits_of(uint64_t mask)
{
    uint32_t count = 0;
    for (; mask != 0; mask &= mask - 1) {
        count++;
    }
    return count;
}

static size_t group_size(size_t words, size_t from)
{
    return words - from < GROUP ? words - from : GROUP;
}

static uint32_t size_packed(const uint64_t *image, const uint64_t *model, size_t words)
{
    uint32_t count = 0;
    for (size_t from = 0; from < words; from += GROUP) {
        count += 1 + bits_of(mask_of(image + from, model + from, group_size(words, from)));
    }
    return count;
}

static bool make_room(struct dun_packed *packed, uint32_t count)
{
    uint32_t room = (count + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
    if (packed->words != NULL && room <= packed->room && packed->room - room <= ROOM_SPARE) {
        return true;
    }
    uint64_t *words = malloc(room * sizeof *words); /* the old content is of no use */
    if (words == NULL) {
        return false;
    }
    free(packed->words);
    packed->words = words;
    packed->room = room;
    return true;
}

bool dun_pack(struct dun_packed *packed, const void *image, const void *model, size_t size)
{
    const uint64_t *from_image = image;
    const uint64_t *from_model = model;
    size_t words = word_count(size);
    uint32_t count = size_packed(from_image, from_model, words);
    if (!make_room(packed, count)) {
        return false;
    }
    uint64_t *to = packed->words;
    for (size_t from = 0; from < words; from += GROUP) {
        uint64_t *mask = to++;
        *mask = 0;
        for (size_t i = 0; i < group_size(words, from); i++) {
            if (from_image[from + i] != from_model[from + i]) {
                *mask |= UINT64_C(1) << i;
                *to++ = from_image[from + i];
            }
        }
    }
    packed->count = count;
    return true;
}

void dun_unpack(const struct dun_packed *packed, void *image, const void *model, size_t size)
{
    uint64_t *to = image;
    const uint64_t *from = packed->words;
    size_t words = word_count(size);
    memcpy(image, model, size);
    for (size_t base = 0; from != NULL && base < words; base += GROUP) {
        uint64_t mask = *from++;
        for (size_t i = 0; mask != 0; i++, mask >>= 1) {
            if ((mask & 1) != 0) {
                to[base + i] = *from++;
            }
        }
    }
}

void dun_packed_free(struct dun_packed *packed)
{
    free(packed->words);
    *packed = (struct dun_packed){NULL, 0, 0};
}

size_t dun_packed_bytes(const struct dun_packed *packed)
{
    return packed->room * sizeof *packed->words;
}
