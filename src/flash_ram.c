/*
 * flash_ram.c: the flash seam over a plain buffer. The context is the buffer's first byte. It
 * refuses what lies outside a block; it does not check the order of programs, which the simulated
 * flash of the tests does.
 */
#include "flash_ram.h"

#include <string.h>

/*
 * The geometry must be known to find a block, and the seam hands over the context alone; so it
 * lies in front of the blocks, in the caller's buffer.
 */
static uint8_t *block_at(void *context, uint32_t block, uint32_t offset, uint32_t size)
{
    struct dun_flash_geometry geometry;
    uint8_t *base = context;

    memcpy(&geometry, base, sizeof geometry);
    if (block >= geometry.block_count || offset > geometry.block_size ||
        size > geometry.block_size - offset)
        return NULL;
    return base + sizeof geometry + (size_t)block * geometry.block_size + offset;
}

static int ram_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    const uint8_t *at = block_at(context, block, offset, size);

    if (at == NULL)
        return DUN_E_INVALID;
    memcpy(data, at, size);
    return DUN_OK;
}

static int ram_prog(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size)
{
    uint8_t *at = block_at(context, block, offset, size);

    if (at == NULL)
        return DUN_E_INVALID;
    memcpy(at, data, size);
    return DUN_OK;
}

static int ram_erase(void *context, uint32_t block)
{
    struct dun_flash_geometry geometry;
    uint8_t *at = block_at(context, block, 0, 0);

    if (at == NULL)
        return DUN_E_INVALID;
    memcpy(&geometry, context, sizeof geometry);
    memset(at, 0xFF, geometry.block_size);
    return DUN_OK;
}

static int ram_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

size_t dun_flash_ram_size(const struct dun_flash_geometry *geometry)
{
    return sizeof *geometry + (size_t)geometry->block_count * geometry->block_size;
}

int dun_flash_ram_init(struct dun_flash *flash, struct dun_flash_geometry geometry,
                       struct dun_buffer memory)
{
    if (geometry.block_size == 0 ||
        geometry.block_count > (SIZE_MAX - sizeof geometry) / geometry.block_size ||
        memory.size < dun_flash_ram_size(&geometry))
        return DUN_E_INVALID;
    memset(memory.data, 0xFF, dun_flash_ram_size(&geometry));
    memcpy(memory.data, &geometry, sizeof geometry);
    flash->geometry = geometry;
    flash->context = memory.data;
    flash->read = ram_read;
    flash->prog = ram_prog;
    flash->erase = ram_erase;
    flash->sync = ram_sync;
    return DUN_OK;
}
