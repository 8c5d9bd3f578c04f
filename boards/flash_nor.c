/* flash_nor.c: see flash_nor.h. A program that wants a cleared bit set fails, as real cells do. */
#include "flash_nor.h"

#include <string.h>

#include "crc32c.h"

#define MAGIC 0x524F4E44u

/* The bytes at a place, NULL if they do not lie within one block. */
static uint8_t *at(void *context, uint32_t block, uint32_t offset, uint32_t size)
{
    struct dun_flash_nor *nor = context;
    uint32_t block_size = nor->geometry.block_size;
    if (block >= nor->geometry.block_count || offset > block_size || size > block_size - offset) {
        return NULL;
    }
    return nor->blocks + (size_t)block * block_size + offset;
}

static int nor_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    const uint8_t *from = at(context, block, offset, size);
    if (from == NULL) {
        return DUN_E_INVALID;
    }
    memcpy(data, from, size);
    return DUN_OK;
}

static int nor_prog(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size)
{
    const struct dun_flash_nor *nor = context;
    const uint8_t *bytes = data;
    uint8_t *to = at(context, block, offset, size);
    uint32_t unit = nor->geometry.prog_size;
    if (to == NULL || offset % unit != 0 || size % unit != 0) {
        return DUN_E_INVALID;
    }
    int result = DUN_OK;
    for (uint32_t i = 0; i < size; i++) {
        to[i] &= bytes[i];
        result = to[i] == bytes[i] ? result : DUN_E_IO;
    }
    return result;
}

static int nor_erase(void *context, uint32_t block)
{
    const struct dun_flash_nor *nor = context;
    uint8_t *to = at(context, block, 0, nor->geometry.block_size);
    if (to == NULL) {
        return DUN_E_INVALID;
    }
    memset(to, 0xFF, nor->geometry.block_size);
    return DUN_OK;
}

static int nor_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

bool dun_flash_nor_init(struct dun_flash *flash, struct dun_flash_geometry geometry,
                        struct dun_buffer memory, bool keep)
{
    struct dun_flash_nor *nor = (struct dun_flash_nor *)(void *)memory.data;
    uint32_t check = dun_crc32c(MAGIC, &geometry, sizeof geometry);
    DUN_ASSERT(memory.size >= DUN_FLASH_NOR_SIZE(geometry.block_size, geometry.block_count));
    bool kept = keep && nor->magic == MAGIC && nor->check == check &&
                memcmp(&nor->geometry, &geometry, sizeof geometry) == 0;
    if (!kept) {
        memset(nor->blocks, 0xFF, (size_t)geometry.block_size * geometry.block_count);
        nor->geometry = geometry;
        nor->check = check;
        nor->magic = MAGIC;
    }
    *flash = (struct dun_flash){
        .geometry = geometry,
        .context = nor,
        .read = nor_read,
        .prog = nor_prog,
        .erase = nor_erase,
        .sync = nor_sync,
    };
    return kept;
}
