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

/* One that sleeps: for each 64 words a bit for each word that is kept, then these words. */
struct dun_packed {
    uint64_t *words; /* from the heap; NULL: nothing differs */
    uint32_t count;  /* in use */
    uint32_t room;
};

/* `size` is a multiple of 8, and both are aligned to 8. False if memory is out: then what was
 * packed before is as it was. */
DUN_MUST_USE bool dun_pack(struct dun_packed *packed, const void *image, const void *model,
                           size_t size);
void dun_unpack(const struct dun_packed *packed, void *image, const void *model, size_t size);
void dun_packed_free(struct dun_packed *packed);

/* Bytes on the heap. */
size_t dun_packed_bytes(const struct dun_packed *packed);

#endif
