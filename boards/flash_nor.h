/*
 * flash_nor.h: NOR flash simulated in RAM, for boards that have no storage: a program only clears
 * bits, whole units at aligned places; an erase sets those of a block. It lies in memory that a
 * reset leaves alone, so a log in it outlives a watchdog or a fault, but no loss of power.
 */
#ifndef DUN_FLASH_NOR_H
#define DUN_FLASH_NOR_H

#include "flash.h"

/* The memory begins with this; the blocks follow. */
struct dun_flash_nor {
    uint32_t magic;
    uint32_t check; /* of the geometry */
    struct dun_flash_geometry geometry;
    uint8_t blocks[];
};

/* Bytes of memory that a geometry takes. */
#define DUN_FLASH_NOR_SIZE(block_size, block_count)                                                \
    (sizeof(struct dun_flash_nor) + (size_t)(block_size) * (block_count))

/*
 * Fills `flash` over `memory`, which stays borrowed and is aligned for a uint32_t. If `keep`, what
 * it holds stays if it is a flash of this very geometry; else all is erased. True if it stayed.
 */
bool dun_flash_nor_init(struct dun_flash *flash, struct dun_flash_geometry geometry,
                        struct dun_buffer memory, bool keep);

#endif
