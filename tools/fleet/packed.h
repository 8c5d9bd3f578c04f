/*
 * packed.h: devices that sleep. All devices of a model are woken, one at a time, in the same place
 * of memory, so that each is the same as a new one but for the words that its life has changed;
 * only these are kept. It knows nothing of what an image means.
 *
 * That works because pointers into the place mean the same to each of them. Whoever puts a pointer
 * into an image owns what it points to.
 */
#ifndef DUN_FLEET_PACKED_H
#define DUN_FLEET_PACKED_H

#include "base.h"

#define DUN_CHUNK_WORDS     32                /* the first names the next chunk */
#define DUN_PACKED_SIZE_MAX ((size_t)1 << 27) /* bytes of an image */

struct dun_chunk {
    uint64_t words[DUN_CHUNK_WORDS];
};

/* Chunks of equal size, so that nothing is lost between pieces that grow and shrink. */
struct dun_pool {
    struct dun_chunk **slabs; /* from the heap */
    uint32_t slab_count, slab_room;
    uint32_t fresh; /* chunks from here on were never used */
    uint32_t free;  /* the first of those that are free again; 0: none */
    uint32_t used, used_max;
};

/* One that sleeps. All zero: it is as new. */
struct dun_packed {
    uint32_t first; /* chunk, 0: none */
};

/* Keeps how `image` differs from `model`; `size` is a multiple of 8, both are aligned to 8. False
 * if memory is out: then what was packed is lost. */
DUN_MUST_USE bool dun_pack(struct dun_pool *pool, struct dun_packed *packed, const void *image,
                           const void *model, size_t size);
void dun_unpack(const struct dun_pool *pool, const struct dun_packed *packed, void *image,
                const void *model, size_t size);

/* Ends with all that is packed in it. */
void dun_pool_free(struct dun_pool *pool);

#endif
