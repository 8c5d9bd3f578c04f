/*
 * shelf_sd.h: the shelf of remote configuration on an SD card: two records in three sectors,
 * between the counter of boots and the log. A record goes to the sector that holds the newest of
 * neither, so a write that power cuts short spoils nothing that is still needed:
 *
 *     sector:  magic serial slot 0 size[2]  record ...  crc
 */
#ifndef DUN_LM3S_SHELF_SD_H
#define DUN_LM3S_SHELF_SD_H

#include "remote.h"
#include "sdcard.h"

#define DUN_SHELF_SD_FIRST   5u
#define DUN_SHELF_SD_SECTORS 3u
#define DUN_SHELF_SD_MAX     (DUN_SD_SECTOR - 16u) /* bytes of a record */

extern const struct dun_shelf dun_shelf_sd;

#endif
