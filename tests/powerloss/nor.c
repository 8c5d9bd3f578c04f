/* nor.c: see nor.h. */
#include "nor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void violation(const struct nor *nor, const char *what, uint32_t block,
                                uint32_t offset, uint32_t size)
{
    fprintf(stderr, "flash contract broken: %s: block %u offset %u size %u (high %u)\n", what,
            block, offset, size, block < nor->flash.geometry.block_count ? nor->high[block] : 0);
    abort();
}

size_t nor_size(const struct nor *nor)
{
    return (size_t)nor->flash.geometry.block_size * nor->flash.geometry.block_count;
}

static size_t place(const struct nor *nor, uint32_t block, uint32_t offset)
{
    return (size_t)block * nor->flash.geometry.block_size + offset;
}

static void check_bounds(const struct nor *nor, uint32_t block, uint32_t offset, uint32_t size)
{
    const struct dun_flash_geometry *geometry = &nor->flash.geometry;

    if (block >= geometry->block_count || offset > geometry->block_size ||
        size > geometry->block_size - offset)
        violation(nor, "out of bounds", block, offset, size);
}

static uint8_t noise(uint32_t block, uint32_t offset)
{
    uint32_t value = (block + 1) * 2654435761u ^ (offset + 7) * 2246822519u;

    return (uint8_t)(value >> 15);
}

void nor_apply(const struct nor *nor, const struct nor_op *op, struct nor_outcome outcome,
               uint8_t *image)
{
    uint8_t *at = image + place(nor, op->block, op->offset);

    for (uint32_t i = 0; i < op->size; i++) {
        uint8_t fresh = op->erase ? 0xFF : op->bytes[i];
        bool written =
            outcome.kind == NOR_DONE || outcome.kind == NOR_MARGINAL ||
            (outcome.kind == NOR_TORN_BACK && i >= outcome.at) ||
            ((outcome.kind == NOR_TORN || outcome.kind == NOR_TORN_NOISE) && i < outcome.at);

        if (outcome.kind == NOR_GARBAGE || (outcome.kind == NOR_TORN_NOISE && i == outcome.at))
            at[i] = noise(op->block, op->offset + i);
        else if (written)
            at[i] = fresh;
    }
    if (outcome.kind == NOR_MARGINAL)
        at[outcome.at / 8] ^= (uint8_t)(1u << outcome.at % 8);
}

static void add_pending(struct nor *nor, struct nor_op op)
{
    if (nor->pending_count == NOR_PENDING_MAX) {
        fprintf(stderr, "NOR_PENDING_MAX is too small\n");
        abort();
    }
    nor->pending[nor->pending_count++] = op;
    if (nor->cut != NULL)
        nor->cut(nor->cut_context);
    nor_apply(nor, &op, (struct nor_outcome){NOR_DONE, 0}, nor->live);
}

static int nor_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct nor *nor = context;

    check_bounds(nor, block, offset, size);
    memcpy(data, nor->live + place(nor, block, offset), size);
    return DUN_OK;
}

static int nor_prog(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size)
{
    struct nor *nor = context;
    uint32_t unit = nor->flash.geometry.prog_size;
    struct nor_op op = {.block = block, .offset = offset, .size = size};

    check_bounds(nor, block, offset, size);
    if (nor->frozen)
        violation(nor, "a program while mounting or reading", block, offset, size);
    if (size == 0 || offset % unit != 0 || size % unit != 0)
        violation(nor, "a program that is not aligned", block, offset, size);
    if (offset < nor->high[block])
        violation(nor, "a program on bytes that are not erased", block, offset, size);
    if (block == nor->bad)
        return DUN_E_IO;
    nor->high[block] = offset + size;
    nor->progs++;
    nor->bytes_programmed += size;
    op.bytes = malloc(size);
    memcpy(op.bytes, data, size);
    add_pending(nor, op);
    return DUN_OK;
}

static int nor_erase(void *context, uint32_t block)
{
    struct nor *nor = context;
    struct nor_op op = {.erase = true, .block = block};

    check_bounds(nor, block, 0, 0);
    op.size = nor->flash.geometry.block_size;
    if (nor->frozen)
        violation(nor, "an erase while mounting or reading", block, 0, 0);
    if (block == nor->stuck)
        return DUN_E_IO;
    nor->erases++;
    add_pending(nor, op);
    nor->high[block] = 0;
    return DUN_OK;
}

/* Operations in limbo on a block that was erased again since, for certain, are over. */
static bool overtaken(const struct nor *nor, uint32_t index)
{
    for (uint32_t i = index + 1; i < nor->pending_count; i++)
        if (nor->pending[i].erase && !nor->pending[i].limbo &&
            nor->pending[i].block == nor->pending[index].block)
            return true;
    return false;
}

static int nor_sync(void *context)
{
    struct nor *nor = context;
    uint32_t kept = 0;

    if (nor->sync_fails) {
        for (uint32_t i = 0; i < nor->pending_count; i++)
            nor->pending[i].limbo = true;
        return DUN_E_IO;
    }
    for (uint32_t i = 0; i < nor->pending_count; i++) {
        struct nor_op op = nor->pending[i];

        if (op.limbo && !overtaken(nor, i)) {
            nor->pending[kept++] = op;
            continue;
        }
        if (!op.limbo)
            nor_apply(nor, &op, (struct nor_outcome){NOR_DONE, 0}, nor->medium);
        free(op.bytes);
    }
    nor->pending_count = kept;
    return DUN_OK;
}

void nor_init(struct nor *nor, struct dun_flash_geometry geometry)
{
    memset(nor, 0, sizeof *nor);
    nor->flash = (struct dun_flash){geometry, nor, nor_read, nor_prog, nor_erase, nor_sync};
    nor->live = malloc(nor_size(nor));
    nor->medium = malloc(nor_size(nor));
    nor->high = calloc(geometry.block_count, sizeof *nor->high);
    nor->bad = nor->stuck = UINT32_MAX;
    memset(nor->live, 0xFF, nor_size(nor));
    memset(nor->medium, 0xFF, nor_size(nor));
    for (uint32_t block = 0; block < geometry.block_count; block++)
        nor->high[block] = UINT32_MAX; /* nobody says that a new device is blank */
}

static void drop_pending(struct nor *nor)
{
    while (nor->pending_count > 0)
        free(nor->pending[--nor->pending_count].bytes);
}

void nor_free(struct nor *nor)
{
    drop_pending(nor);
    free(nor->live);
    free(nor->medium);
    free(nor->high);
}

/* After a boot bytes count as erased from the first unit on behind which all is 0xFF. */
void nor_boot(struct nor *nor, const uint8_t *image)
{
    const struct dun_flash_geometry *geometry = &nor->flash.geometry;

    drop_pending(nor);
    memcpy(nor->live, image, nor_size(nor));
    memcpy(nor->medium, image, nor_size(nor));
    for (uint32_t block = 0; block < geometry->block_count; block++) {
        const uint8_t *bytes = image + place(nor, block, 0);
        uint32_t used = geometry->block_size;

        while (used > 0 && bytes[used - 1] == 0xFF)
            used--;
        nor->high[block] =
            (used + geometry->prog_size - 1) / geometry->prog_size * geometry->prog_size;
        if (used == 0)
            nor->high[block] = UINT32_MAX;
    }
}
