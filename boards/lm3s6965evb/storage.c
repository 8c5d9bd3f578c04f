/* storage.c: see storage.h: what both kinds share. */
#include "storage.h"

#include "flash_nor.h"
#include "led.h"
#include "profile.h"
#include "uart.h"

void dun_lm3s_unprovisioned(struct dun_identity *identity, const char *what, int error)
{
    dun_uart_text(what);
    dun_uart_event(": not provisioned; run tools/make_card", "error", error);
    dun_led_blink(DUN_BLINK_IDENTITY);
    dun_identity_default(identity);
}

void dun_lm3s_ram(struct dun_flash *flash, bool fresh)
{
    __attribute__((section(".kept"), aligned(4))) static uint8_t
        memory[DUN_FLASH_NOR_SIZE(DUN_PROFILE_SPARE_BLOCK_SIZE, DUN_PROFILE_SPARE_BLOCK_COUNT)];
    bool kept =
        dun_flash_nor_init(flash,
                           (struct dun_flash_geometry){.block_size = DUN_PROFILE_SPARE_BLOCK_SIZE,
                                                       .block_count = DUN_PROFILE_SPARE_BLOCK_COUNT,
                                                       .prog_size = DUN_PROFILE_SPARE_PROG_SIZE},
                           (struct dun_buffer){memory, sizeof memory}, !fresh);
    if (kept) {
        dun_uart_event("memory: the log of before the reset", "bytes", sizeof memory);
    }
}
