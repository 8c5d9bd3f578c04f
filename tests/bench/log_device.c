/* log_device.c: see log_device.h. */
#include "log_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void violation(const char *what, uint32_t block, uint32_t offset, uint32_t size)
{
    fprintf(stderr, "flash misused: %s: block %u offset %u size %u\n", what, block, offset, size);
    abort();
}

static size_t place(const struct log_device *device, uint32_t block, uint32_t offset, uint32_t size)
{
    const struct dun_flash_geometry *geometry = &device->flash.geometry;

    if (block >= geometry->block_count || offset > geometry->block_size ||
        size > geometry->block_size - offset)
        violation("out of bounds", block, offset, size);
    return (size_t)block * geometry->block_size + offset;
}

static int device_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct log_device *device = context;

    memcpy(data, device->bytes + place(device, block, offset, size), size);
    device->counts.reads++;
    device->counts.bytes_read += size;
    return DUN_OK;
}

static int device_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                       uint32_t size)
{
    struct log_device *device = context;
    uint32_t unit = device->flash.geometry.prog_size;
    size_t at = place(device, block, offset, size);
    const uint8_t *fresh = data;

    if (size == 0 || offset % unit != 0 || size % unit != 0)
        violation("a program that is not aligned", block, offset, size);
    for (uint32_t i = 0; i < size; i++)
        if ((fresh[i] & ~device->bytes[at + i]) != 0)
            violation("a program that would set bits", block, offset, size);
    for (uint32_t i = 0; i < size; i += unit) {
        if (unit > 1 && device->used[(at + i) / unit])
            violation("a second program of one unit", block, offset, size);
        device->used[(at + i) / unit] = true;
    }
    memcpy(device->bytes + at, fresh, size);
    device->counts.programs++;
    device->counts.bytes_programmed += size;
    return DUN_OK;
}

static int device_erase(void *context, uint32_t block)
{
    struct log_device *device = context;
    const struct dun_flash_geometry *geometry = &device->flash.geometry;
    size_t at = place(device, block, 0, geometry->block_size);

    memset(device->bytes + at, 0xFF, geometry->block_size);
    memset(device->used + at / geometry->prog_size, 0, geometry->block_size / geometry->prog_size);
    device->erases[block]++;
    device->counts.erases++;
    return DUN_OK;
}

static int device_sync(void *context)
{
    struct log_device *device = context;

    device->counts.syncs++;
    return DUN_OK;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL)
        violation("no memory for it", 0, 0, 0);
    return memory;
}

void log_device_init(struct log_device *device, struct dun_flash_geometry geometry)
{
    size_t size = (size_t)geometry.block_size * geometry.block_count;

    memset(device, 0, sizeof *device);
    device->flash =
        (struct dun_flash){geometry, device, device_read, device_prog, device_erase, device_sync};
    device->bytes = allocate(size, 1);
    device->used = allocate(size / geometry.prog_size, sizeof *device->used);
    device->erases = allocate(geometry.block_count, sizeof *device->erases);
    memset(device->bytes, 0xFF, size);
}

void log_device_free(struct log_device *device)
{
    free(device->bytes);
    free(device->used);
    free(device->erases);
}

uint32_t log_device_erases_max(const struct log_device *device)
{
    uint32_t most = 0;

    for (uint32_t block = 0; block < device->flash.geometry.block_count; block++)
        if (device->erases[block] > most)
            most = device->erases[block];
    return most;
}

uint32_t log_device_erases_min(const struct log_device *device)
{
    uint32_t fewest = UINT32_MAX;

    for (uint32_t block = 0; block < device->flash.geometry.block_count; block++)
        if (device->erases[block] < fewest)
            fewest = device->erases[block];
    return fewest;
}
