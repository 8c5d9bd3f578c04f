/* flash_sd.c: see flash_sd.h. One sector is cached, which is what a walk through a block reads. */
#include "flash_sd.h"

#include <string.h>

#include "bytes.h"
#include "crc32c.h"

#define MAGIC       0x53444E55u
#define DATA_AT     8u /* of the payload in a data sector: behind magic and epoch */
#define NOT_A_BLOCK UINT32_MAX

static uint32_t header_of(const struct dun_flash_sd *sd, uint32_t block)
{
    return sd->first_sector + block * (sd->units + 1);
}

static int load(struct dun_flash_sd *sd, uint32_t sector)
{
    if (sd->cached == sector) {
        return DUN_OK;
    }
    sd->cached = NOT_A_BLOCK;
    int result = dun_sd_read(sector, sd->sector);
    sd->cached = result == DUN_OK ? sector : NOT_A_BLOCK;
    return result;
}

static int store(struct dun_flash_sd *sd, uint32_t sector)
{
    sd->cached = NOT_A_BLOCK;
    int result = dun_sd_write(sector, sd->sector);
    sd->cached = result == DUN_OK ? sector : NOT_A_BLOCK;
    return result;
}

/* The epoch that the loaded sector names, 0 if it names none. */
static uint32_t epoch_here(const struct dun_flash_sd *sd)
{
    return dun_get32(sd->sector) == MAGIC ? dun_get32(sd->sector + 4) : 0;
}

/* Learns the epoch of a block from its header. */
static int enter(struct dun_flash_sd *sd, uint32_t block)
{
    if (sd->block == block) {
        return DUN_OK;
    }
    int result = load(sd, header_of(sd, block));
    if (result != DUN_OK) {
        return result;
    }
    bool valid = dun_get32(sd->sector + 8) == dun_crc32c(0, sd->sector, 8);
    sd->block = block;
    sd->epoch = valid ? epoch_here(sd) : 0;
    return DUN_OK;
}

/* One piece that lies within a unit. */
static int read_piece(struct dun_flash_sd *sd, uint32_t block, uint32_t offset, uint8_t *data,
                      uint32_t size)
{
    int result = load(sd, header_of(sd, block) + 1 + offset / DUN_FLASH_SD_UNIT);
    if (result != DUN_OK) {
        return result;
    }
    if (sd->epoch != 0 && epoch_here(sd) == sd->epoch) {
        memcpy(data, sd->sector + DATA_AT + offset % DUN_FLASH_SD_UNIT, size);
    } else {
        memset(data, 0xFF, size);
    }
    return DUN_OK;
}

static int sd_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct dun_flash_sd *sd = context;
    uint8_t *at = data;
    int result = enter(sd, block);
    while (result == DUN_OK && size > 0) {
        uint32_t piece = DUN_FLASH_SD_UNIT - offset % DUN_FLASH_SD_UNIT;
        piece = piece < size ? piece : size;
        result = read_piece(sd, block, offset, at, piece);
        at += piece;
        offset += piece;
        size -= piece;
    }
    return result;
}

static int sd_prog(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size)
{
    struct dun_flash_sd *sd = context;
    const uint8_t *at = data;
    int result = enter(sd, block);
    if (result == DUN_OK && sd->epoch == 0) {
        result = DUN_E_IO;
    }
    while (result == DUN_OK && size > 0) {
        memset(sd->sector, 0, sizeof sd->sector);
        dun_put32(sd->sector, MAGIC);
        dun_put32(sd->sector + 4, sd->epoch);
        memcpy(sd->sector + DATA_AT, at, DUN_FLASH_SD_UNIT);
        result = store(sd, header_of(sd, block) + 1 + offset / DUN_FLASH_SD_UNIT);
        at += DUN_FLASH_SD_UNIT;
        offset += DUN_FLASH_SD_UNIT;
        size -= DUN_FLASH_SD_UNIT;
    }
    return result;
}

/* Behind a header that was spoilt, data sectors of any epoch may lie: the next one is above all. */
static int newest_epoch(struct dun_flash_sd *sd, uint32_t block, uint32_t *newest)
{
    int result = DUN_OK;
    *newest = sd->epoch;
    for (uint32_t i = 0; sd->epoch == 0 && i < sd->units && result == DUN_OK; i++) {
        result = load(sd, header_of(sd, block) + 1 + i);
        if (result == DUN_OK && epoch_here(sd) > *newest) {
            *newest = epoch_here(sd);
        }
    }
    return result;
}

static int sd_erase(void *context, uint32_t block)
{
    struct dun_flash_sd *sd = context;
    uint32_t newest;
    int result = enter(sd, block);
    if (result == DUN_OK) {
        result = newest_epoch(sd, block, &newest);
    }
    if (result != DUN_OK) {
        return result;
    }
    memset(sd->sector, 0, sizeof sd->sector);
    dun_put32(sd->sector, MAGIC);
    dun_put32(sd->sector + 4, newest + 1);
    dun_put32(sd->sector + 8, dun_crc32c(0, sd->sector, 8));
    sd->block = NOT_A_BLOCK;
    return store(sd, header_of(sd, block));
}

/* Each write was on the medium when it returned. */
static int sd_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

uint32_t dun_flash_sd_sectors(uint32_t block_size, uint32_t blocks)
{
    return blocks * (block_size / DUN_FLASH_SD_UNIT + 1);
}

void dun_flash_sd_init(struct dun_flash_sd *sd, uint32_t first_sector, uint32_t block_size,
                       uint32_t blocks, struct dun_flash *flash)
{
    *sd = (struct dun_flash_sd){.first_sector = first_sector,
                                .units = block_size / DUN_FLASH_SD_UNIT,
                                .block = NOT_A_BLOCK,
                                .cached = NOT_A_BLOCK};
    *flash = (struct dun_flash){
        .geometry = {.block_size = block_size,
                     .block_count = blocks,
                     .prog_size = DUN_FLASH_SD_UNIT},
        .context = sd,
        .read = sd_read,
        .prog = sd_prog,
        .erase = sd_erase,
        .sync = sd_sync,
    };
}
