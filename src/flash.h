/*
 * flash.h: the seam below the log: a device of equal erase blocks. Raw NOR, an SD card, a file and
 * the simulator all fit it.
 *
 * What the log promises to the device: `prog` is aligned to and a multiple of `prog_size`, within
 * one block, on bytes erased since their last program, in ascending order. `erase` comes before
 * the first program of a block's new life.
 * What the device promises: erased bytes read as 0xFF. A `prog` or `erase` that was cut by a power
 * failure leaves each of its bytes old, new or garbage, and touches no other. After `sync`
 * returned 0, all that was programmed and erased before it is durable, and so is all that `read`
 * shows; when it returns an error, nothing since the last good `sync` may be trusted. So a device
 * with a cache that forgets, after a failed write, that it still had to write (a page cache does,
 * and outlives the program) drops what that cache holds when it is opened and when a `sync` fails.
 */
#ifndef DUN_FLASH_H
#define DUN_FLASH_H

#include "base.h"

struct dun_flash_geometry {
    uint32_t block_size;  /* bytes in an erase block, a multiple of prog_size, 256 to 2^20 */
    uint32_t block_count; /* 2 or more */
    uint32_t prog_size;   /* bytes in a program unit, 1 to 256 */
};

/* All four return 0 or a negative enum dun_error. */
struct dun_flash {
    struct dun_flash_geometry geometry;
    void *context;
    int (*read)(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size);
    int (*prog)(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size);
    int (*erase)(void *context, uint32_t block);
    int (*sync)(void *context);
};

#endif
