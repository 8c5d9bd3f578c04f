/*
 * nor.h: a simulated flash that enforces the contract of flash.h and forgets what was not synced.
 *
 * The fault model, in prose. What a device does is a list of operations: programs and erases. Those
 * before the last good sync are on the medium. Of the others nothing is certain: the medium under a
 * page cache may have taken them in any order, and the one at work when the power failed may have
 * been cut at any byte. So after a cut each of them is
 *
 *     done      all its bytes are new
 *     lost      all its bytes are as before
 *     garbage   all its bytes are noise
 *     torn      the first bytes are new, up to a place; there lies a byte of noise or not; the rest
 *               is as before. Erases are torn from the front or from the back.
 *     marginal  all its bytes are new, but for one bit
 *
 * A sync that failed leaves its operations so for ever ("limbo"), although reads show them, until
 * the block is erased and a later sync succeeds. A violation of the contract by the log (alignment,
 * bounds, order, programs on bytes that are not erased) aborts with a message.
 */
#ifndef DUN_NOR_H
#define DUN_NOR_H

#include "flash.h"

#define NOR_PENDING_MAX 4096

enum nor_outcome_kind {
    NOR_DONE,
    NOR_LOST,
    NOR_GARBAGE,
    NOR_TORN,       /* at `at`, cleanly */
    NOR_TORN_NOISE, /* the byte `at` is noise */
    NOR_TORN_BACK,  /* only the bytes from `at` on are new */
    NOR_MARGINAL,   /* the bit `at` is wrong */
};

struct nor_outcome {
    enum nor_outcome_kind kind;
    uint32_t at;
};

struct nor_op {
    bool erase;
    bool limbo;
    uint32_t block, offset, size;
    uint8_t *bytes; /* what a program wrote; NULL for an erase */
};

struct nor {
    struct dun_flash flash;
    uint8_t *live;   /* what reads show */
    uint8_t *medium; /* what is certain */
    uint32_t *high;  /* per block: bytes before it were programmed, or all of it needs an erase */
    struct nor_op pending[NOR_PENDING_MAX];
    uint32_t pending_count;
    bool frozen;     /* programs and erases are violations: a mount must not do them */
    bool sync_fails; /* with DUN_E_IO */
    uint32_t bad;    /* programs of this block fail */
    uint32_t stuck;  /* erases of this block fail */
    uint64_t progs, erases, bytes_programmed;
    /* Called with the operation last in `pending`, before anything else happens. */
    void (*cut)(void *context);
    void *cut_context;
};

void nor_init(struct nor *nor, struct dun_flash_geometry geometry);
void nor_free(struct nor *nor);

size_t nor_size(const struct nor *nor);

/* Writes into `image`, a copy of the medium, what the pending operations came to. */
void nor_apply(const struct nor *nor, const struct nor_op *op, struct nor_outcome outcome,
               uint8_t *image);

/* Starts `nor` anew with this image, as after a boot. */
void nor_boot(struct nor *nor, const uint8_t *image);

#endif
