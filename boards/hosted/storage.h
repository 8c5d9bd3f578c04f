/*
 * storage.h: the geometry that the log of a hosted agent has in its file. Blocks are of one size,
 * whatever the size of the log: an agent may be given a larger log later on and finds the old one
 * in it.
 */
#ifndef DUN_HOSTED_STORAGE_H
#define DUN_HOSTED_STORAGE_H

#include "flash.h"

#define DUN_STORAGE_BLOCK_SIZE 8192 /* what an overflow takes at once, bytes */
#define DUN_STORAGE_PROG_SIZE  1    /* a file takes any number of bytes */
#define DUN_STORAGE_SIZE_MIN   (2 * DUN_STORAGE_BLOCK_SIZE)

/* The geometry of a log of at most `size` bytes, DUN_STORAGE_SIZE_MIN or more. */
static inline struct dun_flash_geometry dun_storage_geometry(uint64_t size)
{
    return (struct dun_flash_geometry){
        .block_size = DUN_STORAGE_BLOCK_SIZE,
        .block_count = (uint32_t)(size / DUN_STORAGE_BLOCK_SIZE),
        .prog_size = DUN_STORAGE_PROG_SIZE,
    };
}

#endif
