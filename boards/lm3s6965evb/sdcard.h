/*
 * sdcard.h: an SD card on SSI 0 in SPI mode, sector by sector (SD Physical Layer, chapter 7). Every
 * call waits for the card; a write is on the medium when it returns.
 */
#ifndef DUN_LM3S_SDCARD_H
#define DUN_LM3S_SDCARD_H

#include "base.h"

#define DUN_SD_SECTOR 512u

/* Wakes the card. DUN_E_NOT_FOUND: there is none; DUN_E_UNSUPPORTED: it refuses our voltage. */
DUN_MUST_USE int dun_sd_start(void);

/* One sector, whole. DUN_E_IO, DUN_E_TIMEOUT. */
DUN_MUST_USE int dun_sd_read(uint32_t sector, uint8_t data[DUN_SD_SECTOR]);
DUN_MUST_USE int dun_sd_write(uint32_t sector, const uint8_t data[DUN_SD_SECTOR]);

#endif
