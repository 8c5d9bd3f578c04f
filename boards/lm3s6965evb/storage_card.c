/*
 * storage_card.c: see storage.h. Sectors 0 to 3 of the card hold the provisioning block, sector 4
 * counts boots, then comes the shelf, and the log begins at sector 8.
 */
#include <string.h>

#include "bytes.h"
#include "flash_sd.h"
#include "led.h"
#include "profile.h"
#include "shelf_sd.h"
#include "storage.h"
#include "uart.h"

#define COUNTER_SECTOR (DUN_IDENTITY_SIZE / DUN_SD_SECTOR)
#define COUNTER_MAGIC  0x544F4F42u
#define LOG_SECTOR     8u

_Static_assert(LOG_SECTOR == DUN_SHELF_SD_FIRST + DUN_SHELF_SD_SECTORS,
               "the shelf lies just before the log");
_Static_assert(DUN_PROFILE_CONFIG_MAX + DUN_REMOTE_EXTRA <= DUN_SHELF_SD_MAX,
               "profile.h: DUN_PROFILE_CONFIG_MAX must fit a sector: at most 484");

static void read_identity(struct dun_identity *identity)
{
    static uint8_t block[DUN_IDENTITY_SIZE + 1];
    const char *what = "card";
    int result = DUN_OK;
    for (uint32_t i = 0; i < COUNTER_SECTOR && result == DUN_OK; i++) {
        result = dun_sd_read(i, block + i * DUN_SD_SECTOR);
    }
    if (result == DUN_OK) {
        result = dun_identity_parse(identity, block, &what);
    }
    if (result != DUN_OK) {
        dun_lm3s_unprovisioned(identity, what, result);
    }
}

/* Counts this boot and returns the count; 0 if the card does not take it. */
static uint32_t count_boot(void)
{
    uint8_t sector[DUN_SD_SECTOR];
    if (dun_sd_read(COUNTER_SECTOR, sector) != DUN_OK) {
        return 0;
    }
    uint32_t count = dun_get32(sector) == COUNTER_MAGIC ? dun_get32(sector + 4) + 1 : 1;
    memset(sector, 0, sizeof sector);
    dun_put32(sector, COUNTER_MAGIC);
    dun_put32(sector + 4, count);
    return dun_sd_write(COUNTER_SECTOR, sector) == DUN_OK ? count : 0;
}

void dun_lm3s_storage_start(struct dun_lm3s_storage *storage, struct dun_identity *identity)
{
    static struct dun_flash_sd card;
    int result = dun_sd_start();
    if (result != DUN_OK) {
        dun_uart_event("card: none", "error", result);
        dun_led_blink(DUN_BLINK_CARD);
        dun_identity_default(identity);
        dun_lm3s_ram(&storage->log, false);
        storage->in_ram = true;
        return;
    }
    read_identity(identity);
    storage->boots = count_boot();
    uint32_t blocks = identity->log_kib * 1024 / DUN_PROFILE_LOG_BLOCK_SIZE;
    dun_flash_sd_init(&card, LOG_SECTOR, DUN_PROFILE_LOG_BLOCK_SIZE, blocks, &storage->log);
    dun_lm3s_ram(&storage->spare, true);
    storage->has_spare = true;
    storage->shelf = &dun_shelf_sd;
}
