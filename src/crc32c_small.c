/*
 * crc32c_small.c: the checksum of crc32c.h a nibble at a time: a table of 64 bytes in place of one
 * of 1,024, for boards that rather have the flash than the cycles. They link it before the core.
 */
#include "crc32c.h"

static const uint32_t remainders[16] = {
    0x00000000U, 0x105EC76FU, 0x20BD8EDEU, 0x30E349B1U, 0x417B1DBCU, 0x5125DAD3U,
    0x61C69362U, 0x7198540DU, 0x82F63B78U, 0x92A8FC17U, 0xA24BB5A6U, 0xB21572C9U,
    0xC38D26C4U, 0xD3D3E1ABU, 0xE330A81AU, 0xF36E6F75U,
};

uint32_t dun_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    crc = ~crc;
    while (size-- > 0) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ remainders[crc & 0xF];
        crc = crc >> 4 ^ remainders[crc & 0xF];
    }
    return ~crc;
}
