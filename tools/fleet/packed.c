/*
 * packed.c: see packed.h. What is kept is a stream of words: for each 64 groups of 64 words a mask
 * of the groups that differ, and for each of these a mask of its words that do, and these words.
 */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

#define GROUP       64u
#define SLAB_CHUNKS 256u

/// Chunks ///

static struct dun_chunk *chunk_at(const struct dun_pool *pool, uint32_t chunk)
{
    return &pool->slabs[chunk / SLAB_CHUNKS][chunk % SLAB_CHUNKS];
}

static bool add_slab(struct dun_pool *pool)
{
    if (pool->slab_count == pool->slab_room) {
        uint32_t room = pool->slab_room * 2 + 16;
        struct dun_chunk **slabs = realloc(pool->slabs, room * sizeof(struct dun_chunk *));
        if (slabs == NULL) {
            return false;
        }
        pool->slabs = slabs;
        pool->slab_room = room;
    }
    struct dun_chunk *slab = malloc(SLAB_CHUNKS * sizeof *slab);
    if (slab == NULL) {
        return false;
    }
    pool->slabs[pool->slab_count++] = slab;
    return true;
}

/* 0: memory is out. */
static uint32_t take_chunk(struct dun_pool *pool)
{
    uint32_t chunk = pool->free;
    if (chunk != 0) {
        pool->free = (uint32_t)chunk_at(pool, chunk)->words[0];
    } else {
        pool->fresh += pool->fresh == 0 ? 1 : 0; /* number 0 means none */
        if (pool->fresh >= pool->slab_count * SLAB_CHUNKS && !add_slab(pool)) {
            return 0;
        }
        chunk = pool->fresh++;
    }
    chunk_at(pool, chunk)->words[0] = 0;
    pool->used++;
    pool->used_max = pool->used > pool->used_max ? pool->used : pool->used_max;
    return chunk;
}

static void give_back(struct dun_pool *pool, uint32_t chunk)
{
    while (chunk != 0) {
        struct dun_chunk *at = chunk_at(pool, chunk);
        uint32_t next = (uint32_t)at->words[0];
        at->words[0] = pool->free;
        pool->free = chunk;
        pool->used--;
        chunk = next;
    }
}

void dun_pool_free(struct dun_pool *pool)
{
    for (uint32_t i = 0; i < pool->slab_count; i++) {
        free(pool->slabs[i]);
    }
    free(pool->slabs);
    memset(pool, 0, sizeof *pool);
}

/// A stream of words in chunks ///

struct stream {
    struct dun_pool *pool; /* only of one that is written */
    const struct dun_pool *from;
    struct dun_chunk *chunk;
    uint32_t at; /* in the chunk */
};

/* Writes over the chunks that there are, and takes more at the end. */
static bool put(struct stream *stream, uint64_t word)
{
    if (stream->at == DUN_CHUNK_WORDS) {
        if (stream->chunk->words[0] == 0) {
            uint32_t next = take_chunk(stream->pool);
            stream->chunk->words[0] = next;
            if (next == 0) {
                return false;
            }
        }
        stream->chunk = chunk_at(stream->pool, (uint32_t)stream->chunk->words[0]);
        stream->at = 1;
    }
    stream->chunk->words[stream->at++] = word;
    return true;
}

static uint64_t get(struct stream *stream)
{
    if (stream->at == DUN_CHUNK_WORDS) {
        stream->chunk = chunk_at(stream->from, (uint32_t)stream->chunk->words[0]);
        stream->at = 1;
    }
    return stream->chunk->words[stream->at++];
}

/// Images ///

static size_t word_count(size_t size)
{
    DUN_ASSERT(size % sizeof(uint64_t) == 0 && size <= DUN_PACKED_SIZE_MAX);
    return size / sizeof(uint64_t);
}

static uint64_t mask_of(const uint64_t *image, const uint64_t *model, size_t count)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < count && i < GROUP; i++) {
        mask |= (uint64_t)(image[i] != model[i]) << i;
    }
    return mask;
}

static bool put_group(struct stream *stream, const uint64_t *image, uint64_t mask)
{
    bool good = put(stream, mask);
    for (size_t i = 0; mask != 0 && good; i++, mask >>= 1) {
        if ((mask & 1) != 0) {
            good = put(stream, image[i]);
        }
    }
    return good;
}

/* 64 groups at most. */
static bool put_groups(struct stream *stream, const uint64_t *image, const uint64_t *model,
                       size_t words)
{
    uint64_t masks[GROUP];
    uint64_t differ = 0;
    size_t groups = (words + GROUP - 1) / GROUP;
    for (size_t i = 0; i < groups; i++) {
        masks[i] = mask_of(image + i * GROUP, model + i * GROUP, words - i * GROUP);
        differ |= (uint64_t)(masks[i] != 0) << i;
    }
    bool good = put(stream, differ);
    for (size_t i = 0; i < groups && good; i++) {
        good = masks[i] == 0 || put_group(stream, image + i * GROUP, masks[i]);
    }
    return good;
}

bool dun_pack(struct dun_pool *pool, struct dun_packed *packed, const void *image,
              const void *model, size_t size)
{
    const uint64_t *from_image = image;
    const uint64_t *from_model = model;
    size_t words = word_count(size);
    packed->first = packed->first != 0 ? packed->first : take_chunk(pool);
    if (packed->first == 0) {
        return false;
    }
    struct stream stream = {.pool = pool, .chunk = chunk_at(pool, packed->first), .at = 1};
    for (size_t at = 0; at < words; at += (size_t)GROUP * GROUP) {
        size_t some = words - at < (size_t)GROUP * GROUP ? words - at : (size_t)GROUP * GROUP;
        if (!put_groups(&stream, from_image + at, from_model + at, some)) {
            return false;
        }
    }
    give_back(pool, (uint32_t)stream.chunk->words[0]);
    stream.chunk->words[0] = 0;
    return true;
}

static void get_group(struct stream *stream, uint64_t *image)
{
    uint64_t mask = get(stream);
    for (size_t i = 0; mask != 0; i++, mask >>= 1) {
        if ((mask & 1) != 0) {
            image[i] = get(stream);
        }
    }
}

void dun_unpack(const struct dun_pool *pool, const struct dun_packed *packed, void *image,
                const void *model, size_t size)
{
    uint64_t *to = image;
    size_t words = word_count(size);
    memcpy(image, model, size);
    if (packed->first == 0) {
        return;
    }
    struct stream stream = {.from = pool, .chunk = chunk_at(pool, packed->first), .at = 1};
    for (size_t at = 0; at < words; at += (size_t)GROUP * GROUP) {
        uint64_t differ = get(&stream);
        for (size_t i = 0; differ != 0; i++, differ >>= 1) {
            if ((differ & 1) != 0) {
                get_group(&stream, to + at + i * GROUP);
            }
        }
    }
}
