/*
 * flash_ram.h: a flash in RAM over a buffer that the caller gives: the spare log of an agent whose
 * storage fails, boards without storage, and tests. It survives nothing.
 */
#ifndef DUN_FLASH_RAM_H
#define DUN_FLASH_RAM_H

#include "flash.h"

/* The smallest buffer that holds `geometry`, bytes. */
size_t dun_flash_ram_size(const struct dun_flash_geometry *geometry);

/*
 * Makes `flash` a device of this geometry over `memory` and erases it all. The buffer stays
 * borrowed. DUN_E_INVALID if the buffer is smaller than dun_flash_ram_size.
 */
DUN_MUST_USE int dun_flash_ram_init(struct dun_flash *flash, struct dun_flash_geometry geometry,
                                    struct dun_buffer memory);

#endif
