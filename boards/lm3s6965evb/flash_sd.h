/*
 * flash_sd.h: an SD card as a struct dun_flash. A card overwrites sectors and knows no erase, and a
 * sector that was being written when power failed may be spoilt whole. So a program unit (256
 * bytes) has a sector of its own, and no write touches what another one wrote:
 *
 *     block:   header sector      data sector 0         data sector 1
 *              magic epoch crc    magic epoch 256 bytes magic epoch 256 bytes ...
 *
 * Erasing a block writes one sector: its header, with the next epoch. A data sector of another
 * epoch reads as erased. Half of each sector stays unused; cards are larger than any log here.
 */
#ifndef DUN_LM3S_FLASH_SD_H
#define DUN_LM3S_FLASH_SD_H

#include "flash.h"
#include "sdcard.h"

#define DUN_FLASH_SD_UNIT 256u

struct dun_flash_sd {
    uint32_t first_sector;
    uint32_t units;  /* in a block */
    uint32_t block;  /* whose epoch is known, UINT32_MAX: none */
    uint32_t epoch;  /* 0: the header is no header */
    uint32_t cached; /* the sector in `sector`, UINT32_MAX: none */
    uint8_t sector[DUN_SD_SECTOR];
};

/* Fills `flash`: `blocks` blocks of `block_size` bytes (a multiple of 256) from `first_sector` on.
 */
void dun_flash_sd_init(struct dun_flash_sd *sd, uint32_t first_sector, uint32_t block_size,
                       uint32_t blocks, struct dun_flash *flash);

/* Sectors that this takes on the card. */
uint32_t dun_flash_sd_sectors(uint32_t block_size, uint32_t blocks);

#endif
