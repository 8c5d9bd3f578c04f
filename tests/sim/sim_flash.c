/*
 * sim_flash.c: see sim_flash.h. Invariants: `live` is `medium` with all pending operations done
 * (unless one failed); nothing is pending on a `nor` between two calls.
 */
#include "sim_flash.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum op_kind {
    OP_PROGRAM,
    OP_ERASE,
    OP_SYNC,
};

static size_t at(const struct sim_flash *flash, uint32_t block, uint32_t offset)
{
    return (size_t)block * flash->flash.geometry.block_size + offset;
}

static size_t total(const struct sim_flash *flash)
{
    return at(flash, flash->flash.geometry.block_count, 0);
}

/// What an operation came to ///

/* How much of an operation reached the medium. */
enum fate {
    FATE_DONE,
    FATE_LOST,
    FATE_GARBLED,
    FATE_TORN,
    FATE_COUNT,
};

static uint8_t new_byte(const struct sim_flash *flash, const struct sim_flash_op *op, uint32_t i,
                        uint8_t old)
{
    if (op->erase)
        return 0xFF;
    return flash->nor ? op->bytes[i] & old : op->bytes[i];
}

static void apply(struct sim_flash *flash, const struct sim_flash_op *op, enum fate fate,
                  uint8_t *image)
{
    uint32_t torn = rng_u32(&flash->rng, 0, op->size);
    uint8_t *bytes = image + at(flash, op->block, op->offset);
    for (uint32_t i = 0; i < op->size; i++) {
        uint8_t value = new_byte(flash, op, i, bytes[i]);
        uint64_t dice = fate == FATE_GARBLED ? rng_next(&flash->rng) : 0;
        if (fate == FATE_DONE || (fate == FATE_TORN && i < torn) ||
            (fate == FATE_GARBLED && dice % 3 == 0))
            bytes[i] = value;
        else if (fate == FATE_GARBLED && dice % 3 == 1)
            bytes[i] = (uint8_t)(dice >> 8);
    }
}

static void forget_ops(struct sim_flash *flash)
{
    for (uint32_t i = 0; i < flash->op_count; i++)
        free(flash->ops[i].bytes);
    flash->op_count = 0;
}

/* Each operation that is not certain comes to something. A raw flash did all but the last. */
static void settle_by_chance(struct sim_flash *flash)
{
    for (uint32_t i = 0; i < flash->op_count; i++) {
        bool last = i + 1 == flash->op_count;
        enum fate fate = (enum fate)rng_below(&flash->rng, FATE_COUNT);
        apply(flash, &flash->ops[i], flash->nor && !last ? FATE_DONE : fate, flash->medium);
    }
    forget_ops(flash);
}

static void settle_well(struct sim_flash *flash)
{
    for (uint32_t i = 0; i < flash->op_count; i++)
        apply(flash, &flash->ops[i], FATE_DONE, flash->medium);
    forget_ops(flash);
}

static void find_high(struct sim_flash *flash)
{
    for (uint32_t block = 0; block < flash->flash.geometry.block_count; block++) {
        uint32_t high = flash->flash.geometry.block_size;
        const uint8_t *bytes = flash->live + at(flash, block, 0);
        while (high > 0 && bytes[high - 1] == 0xFF)
            high--;
        flash->high[block] = high;
    }
}

/* Reads show the medium, and what the device still has to write. */
static void drop_cache(struct sim_flash *flash)
{
    memcpy(flash->live, flash->medium, total(flash));
    for (uint32_t i = 0; i < flash->op_count; i++)
        apply(flash, &flash->ops[i], FATE_DONE, flash->live);
    find_high(flash);
    flash->lies = false;
}

void sim_flash_lose_power(struct sim_flash *flash)
{
    settle_by_chance(flash);
    drop_cache(flash);
    flash->cut_in = 0;
}

/// The contract ///

static void check_place(const struct sim_flash *flash, uint32_t block, uint32_t offset,
                        uint32_t size)
{
    const struct dun_flash_geometry *geometry = &flash->flash.geometry;
    if (block >= geometry->block_count || offset > geometry->block_size ||
        size > geometry->block_size - offset)
        sim_fail("flash contract: block %u offset %u size %u lies outside", block, offset, size);
}

static void check_program(const struct sim_flash *flash, uint32_t block, uint32_t offset,
                          uint32_t size)
{
    uint32_t unit = flash->flash.geometry.prog_size;
    check_place(flash, block, offset, size);
    if (offset % unit != 0 || size % unit != 0 || size == 0)
        sim_fail("flash contract: program of %u bytes at %u is not in units of %u", size, offset,
                 unit);
    if (offset < flash->high[block])
        sim_fail("flash contract: program at %u of block %u, which is programmed to %u", offset,
                 block, flash->high[block]);
}

/// The four functions ///

/* True if power fails in this operation. */
static bool cut_now(struct sim_flash *flash)
{
    return flash->cut_in > 0 && --flash->cut_in == 0;
}

static int error_of(struct sim_flash *flash, enum op_kind kind, uint32_t block)
{
    int once = flash->fail_once[kind];
    flash->fail_once[kind] = 0;
    if (once != 0)
        return once;
    if (flash->write_error != 0)
        return flash->write_error;
    return kind != OP_SYNC && (flash->dead[block] & SIM_FLASH_NO_WRITE) ? DUN_E_IO : DUN_OK;
}

static void remember(struct sim_flash *flash, const struct sim_flash_op *op, const void *bytes)
{
    if (flash->op_count == flash->op_capacity) {
        flash->op_capacity = flash->op_capacity * 2 + 64;
        flash->ops = sim_grow(flash->ops, flash->op_capacity * sizeof *flash->ops);
    }
    struct sim_flash_op *kept = &flash->ops[flash->op_count++];
    *kept = *op;
    if (!op->erase) {
        kept->bytes = sim_grow(NULL, op->size);
        memcpy(kept->bytes, bytes, op->size);
    }
}

/* Does a program or an erase, wholly, not at all or by halves. */
static int operate(struct sim_flash *flash, enum op_kind kind, struct sim_flash_op op,
                   const void *bytes)
{
    int error = error_of(flash, kind, op.block);
    remember(flash, &op, bytes);
    struct sim_flash_op *kept = &flash->ops[flash->op_count - 1];
    if (cut_now(flash)) {
        sim_trace("power fails in a %s of block %u", op.erase ? "erase" : "program", op.block);
        flash->cut();
    }
    enum fate fate = error == 0 ? FATE_DONE : (enum fate)rng_below(&flash->rng, FATE_COUNT);
    if (error != 0 && fate == FATE_DONE)
        fate = FATE_TORN;
    apply(flash, kept, fate, flash->live);
    flash->erase_failed |= error != 0 && op.erase;
    if (error != 0 || flash->nor) {
        /* What a failed operation left is there; what came before it is as uncertain as ever. */
        if (flash->nor)
            memcpy(flash->medium + at(flash, op.block, 0), flash->live + at(flash, op.block, 0),
                   flash->flash.geometry.block_size);
        else
            apply(flash, kept, fate == FATE_LOST ? FATE_LOST : FATE_GARBLED, flash->medium);
        free(kept->bytes);
        flash->op_count--;
    }
    return error;
}

static int flash_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct sim_flash *flash = context;
    check_place(flash, block, offset, size);
    if (flash->reads_fail || (flash->dead[block] & SIM_FLASH_NO_READ))
        return DUN_E_IO;
    memcpy(data, flash->live + at(flash, block, offset), size);
    return DUN_OK;
}

static int flash_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    struct sim_flash *flash = context;
    check_program(flash, block, offset, size);
    flash->high[block] = offset + size;
    flash->programs++;
    return operate(flash, OP_PROGRAM,
                   (struct sim_flash_op){.block = block, .offset = offset, .size = size}, data);
}

static int flash_erase(void *context, uint32_t block)
{
    struct sim_flash *flash = context;
    check_place(flash, block, 0, 0);
    struct sim_flash_op op = {
        .erase = true, .block = block, .size = flash->flash.geometry.block_size};
    int result = operate(flash, OP_ERASE, op, NULL);
    flash->high[block] = result < 0 ? flash->flash.geometry.block_size : 0;
    flash->erases++;
    return result;
}

/* After a sync that failed the device still has to write, or has forgotten what: then that is on
 * the medium or is not, whatever reads show until the next good sync. */
static void fail_sync(struct sim_flash *flash)
{
    if (rng_chance(&flash->rng, 300))
        return;
    settle_by_chance(flash);
    flash->lies = true;
    if (rng_chance(&flash->rng, 500))
        drop_cache(flash);
}

static int flash_sync(void *context)
{
    struct sim_flash *flash = context;
    flash->syncs++;
    if (cut_now(flash)) {
        sim_trace("power fails in a sync");
        if (rng_chance(&flash->rng, 500))
            settle_well(flash);
        flash->cut();
    }
    int error = error_of(flash, OP_SYNC, 0);
    if (error != 0)
        fail_sync(flash);
    else
        settle_well(flash);
    if (error == 0 && flash->lies)
        drop_cache(flash);
    return error;
}

/// Life ///

void sim_flash_init(struct sim_flash *flash, struct dun_flash_geometry geometry, struct rng rng)
{
    *flash = (struct sim_flash){
        .flash = {.geometry = geometry,
                  .context = flash,
                  .read = flash_read,
                  .prog = flash_prog,
                  .erase = flash_erase,
                  .sync = flash_sync},
        .rng = rng,
    };
    flash->live = sim_grow(NULL, total(flash));
    flash->medium = sim_grow(NULL, total(flash));
    flash->high = sim_grow(NULL, geometry.block_count * sizeof *flash->high);
    flash->dead = sim_grow(NULL, geometry.block_count);
    memset(flash->dead, 0, geometry.block_count);
    sim_flash_wipe(flash);
}

void sim_flash_free(struct sim_flash *flash)
{
    forget_ops(flash);
    free(flash->ops);
    free(flash->live);
    free(flash->medium);
    free(flash->high);
    free(flash->dead);
    *flash = (struct sim_flash){0};
}

void sim_flash_boot(struct sim_flash *flash)
{
    drop_cache(flash);
}

void sim_flash_wipe(struct sim_flash *flash)
{
    forget_ops(flash);
    memset(flash->live, 0xFF, total(flash));
    memset(flash->medium, 0xFF, total(flash));
    find_high(flash);
}

bool sim_flash_flip(struct sim_flash *flash, uint32_t block)
{
    uint32_t high = flash->high[block];
    if (high == 0)
        return false;
    size_t byte = at(flash, block, (uint32_t)rng_below(&flash->rng, high));
    uint8_t bit = (uint8_t)(1u << rng_below(&flash->rng, 8));
    flash->live[byte] ^= bit;
    flash->medium[byte] ^= bit;
    sim_trace("a bit flips in block %u", block);
    return true;
}

void sim_flash_heal(struct sim_flash *flash)
{
    flash->write_error = 0;
    flash->reads_fail = false;
    memset(flash->fail_once, 0, sizeof flash->fail_once);
    flash->cut_in = 0;
}
