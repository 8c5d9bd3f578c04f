/* selftest.c: see selftest.h. It needs 256 bytes of stack for one program unit. */
#include "selftest.h"

#include <string.h>

#define UNIT_MAX 256u
#define PIECE    13u /* a size that meets every alignment */
#define TICKS    20
#define TRIES    100000000
#define STEP_MAX 1000
#define ERASED   0xFFu

static uint8_t pattern(uint32_t block, uint32_t offset)
{
    uint32_t mixed = (block * 0x9E3779B1u) ^ (offset * 0x85EBCA6Bu);
    return (uint8_t)(mixed >> 24 ^ mixed >> 8);
}

/* Reads a block in odd pieces; each byte must be that of the pattern, or erased. */
static int verify(const struct dun_flash *flash, uint32_t block, bool erased)
{
    uint8_t piece[PIECE];
    uint32_t size = flash->geometry.block_size;
    for (uint32_t at = 0; at < size; at += PIECE) {
        uint32_t count = size - at < PIECE ? size - at : PIECE;
        int result = flash->read(flash->context, block, at, piece, count);
        for (uint32_t i = 0; i < count && result == DUN_OK; i++) {
            result =
                piece[i] == (erased ? ERASED : pattern(block, at + i)) ? DUN_OK : DUN_E_CORRUPT;
        }
        if (result != DUN_OK) {
            return result;
        }
    }
    return DUN_OK;
}

static int fill(const struct dun_flash *flash, uint32_t block)
{
    uint8_t unit[UNIT_MAX];
    uint32_t size = flash->geometry.prog_size;
    int result = DUN_OK;
    for (uint32_t at = 0; at < flash->geometry.block_size && result == DUN_OK; at += size) {
        for (uint32_t i = 0; i < size; i++) {
            unit[i] = pattern(block, at + i);
        }
        result = flash->prog(flash->context, block, at, unit, size);
    }
    return result;
}

static int erase_all(const struct dun_flash *flash, const char **what)
{
    int result = DUN_OK;
    *what = "erase";
    for (uint32_t i = 0; i < flash->geometry.block_count && result == DUN_OK; i++) {
        result = flash->erase(flash->context, i);
    }
    *what = result == DUN_OK ? "erased bytes read as 0xFF" : *what;
    for (uint32_t i = 0; i < flash->geometry.block_count && result == DUN_OK; i++) {
        result = verify(flash, i, true);
    }
    return result;
}

/* Every second block is erased; all must hold what they should. */
static int erase_half(const struct dun_flash *flash, const char **what)
{
    int result = DUN_OK;
    *what = "erase of a block that was programmed";
    for (uint32_t i = 0; i < flash->geometry.block_count && result == DUN_OK; i += 2) {
        result = flash->erase(flash->context, i);
    }
    *what = result == DUN_OK ? "an erase takes its own block, and no other" : *what;
    for (uint32_t i = 0; i < flash->geometry.block_count && result == DUN_OK; i++) {
        result = verify(flash, i, i % 2 == 0);
    }
    return result;
}

int dun_selftest_flash(const struct dun_flash *flash, const char **what)
{
    const struct dun_flash_geometry *geometry = &flash->geometry;
    *what = "geometry";
    if (geometry->prog_size == 0 || geometry->prog_size > UNIT_MAX || geometry->block_count < 2 ||
        geometry->block_size < UNIT_MAX || geometry->block_size % geometry->prog_size != 0) {
        return DUN_E_INVALID;
    }
    int result = erase_all(flash, what);
    for (uint32_t i = 0; i < geometry->block_count && result == DUN_OK; i++) {
        *what = "program";
        result = fill(flash, i);
    }
    if (result == DUN_OK) {
        *what = "sync";
        result = flash->sync(flash->context);
    }
    for (uint32_t i = 0; i < geometry->block_count && result == DUN_OK; i++) {
        *what = "programmed bytes read back, in every block";
        result = verify(flash, i, false);
    }
    result = result == DUN_OK ? erase_half(flash, what) : result;
    return result == DUN_OK ? erase_all(flash, what) : result;
}

int dun_selftest_clock(dun_ms (*now)(void), const char **what)
{
    dun_ms last = now();
    int ticks = 0;
    for (int32_t i = 0; i < TRIES && ticks < TICKS; i++) {
        dun_ms next = now();
        *what = next < last ? "the clock never goes back" : "the clock counts milliseconds";
        if (next < last || next - last > STEP_MAX) {
            return DUN_E_CORRUPT;
        }
        ticks += next != last;
        last = next;
    }
    *what = "the clock goes on";
    return ticks == TICKS ? DUN_OK : DUN_E_TIMEOUT;
}
