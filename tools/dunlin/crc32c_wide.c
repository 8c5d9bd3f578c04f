/*
 * crc32c_wide.c: the checksum of crc32c.h eight bytes at a time, for desks where a recorder sums
 * every payload: eight tables, 8 KiB of RAM, made at the first call. It is linked before the core.
 * The calls must come from one thread.
 */
#include "crc32c.h"

#define POLYNOMIAL 0x82F63B78U /* reflected */

/* tables[n][byte]: the remainder of the byte with n bytes of 0 behind it. */
static uint32_t tables[8][256];

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int n = 1; n < 8; n++) {
            uint32_t crc = tables[n - 1][byte];
            tables[n][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
        }
    }
}

uint32_t dun_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    if (tables[0][1] == 0) {
        make_tables();
    }
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        crc ^= at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^
              tables[4][crc >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    while (size-- > 0) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xFF];
    }
    return ~crc;
}
