/* shelf_sd.c: see shelf_sd.h. Nothing is remembered of the card: it is read at each use. */
#include "shelf_sd.h"

#include <string.h>

#include "bytes.h"
#include "crc32c.h"

#define MAGIC  0x464C4853u
#define SLOTS  2
#define HEAD   12u
#define CRC_AT (DUN_SD_SECTOR - 4u)

/* Where the newest record of each slot lies; serial 0: there is none. */
struct survey {
    uint32_t serials[SLOTS];
    uint32_t sectors[SLOTS];
};

static uint32_t size_in(const uint8_t *sector)
{
    return (uint32_t)sector[10] | (uint32_t)sector[11] << 8;
}

/* A sector that fails its check is one that nothing was written to, or not all of it. */
static int examine(struct survey *survey, uint8_t sector[DUN_SD_SECTOR])
{
    *survey = (struct survey){0};
    for (uint32_t i = DUN_SHELF_SD_FIRST; i < DUN_SHELF_SD_FIRST + DUN_SHELF_SD_SECTORS; i++) {
        int result = dun_sd_read(i, sector);
        if (result != DUN_OK) {
            return result;
        }
        uint8_t slot = sector[8];
        bool valid = dun_get32(sector) == MAGIC && slot < SLOTS &&
                     size_in(sector) <= DUN_SHELF_SD_MAX &&
                     dun_get32(sector + CRC_AT) == dun_crc32c(0, sector, CRC_AT);
        if (valid && dun_get32(sector + 4) > survey->serials[slot]) {
            survey->serials[slot] = dun_get32(sector + 4);
            survey->sectors[slot] = i;
        }
    }
    return DUN_OK;
}

static int load(void *context, int slot, struct dun_buffer out)
{
    uint8_t sector[DUN_SD_SECTOR];
    struct survey survey;
    (void)context;
    int result = examine(&survey, sector);
    if (result != DUN_OK || survey.serials[slot] == 0) {
        return result;
    }
    result = dun_sd_read(survey.sectors[slot], sector);
    if (result != DUN_OK || size_in(sector) > out.size) {
        return result != DUN_OK ? result : DUN_E_TOO_LARGE;
    }
    memcpy(out.data, sector + HEAD, size_in(sector));
    return (int)size_in(sector);
}

static int save(void *context, int slot, struct dun_span record)
{
    uint8_t sector[DUN_SD_SECTOR];
    struct survey survey;
    (void)context;
    int result = examine(&survey, sector);
    if (result != DUN_OK || record.size > DUN_SHELF_SD_MAX) {
        return result != DUN_OK ? result : DUN_E_TOO_LARGE;
    }
    uint32_t target = DUN_SHELF_SD_FIRST;
    while (target == survey.sectors[0] || target == survey.sectors[1]) {
        target++;
    }
    uint32_t newest = survey.serials[0] > survey.serials[1] ? survey.serials[0] : survey.serials[1];
    memset(sector, 0, sizeof sector);
    dun_put32(sector, MAGIC);
    dun_put32(sector + 4, newest + 1);
    sector[8] = (uint8_t)slot;
    sector[10] = (uint8_t)record.size;
    sector[11] = (uint8_t)(record.size >> 8);
    memcpy(sector + HEAD, record.data, record.size);
    dun_put32(sector + CRC_AT, dun_crc32c(0, sector, CRC_AT));
    return dun_sd_write(target, sector);
}

const struct dun_shelf dun_shelf_sd = {.load = load, .save = save};
