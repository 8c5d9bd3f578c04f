/* crc32c.h: the Castagnoli CRC (RFC 3720, appendix B.4), incremental. */
#ifndef DUN_CRC32C_H
#define DUN_CRC32C_H

#include "base.h"

/* Extends `crc` (0 to start) over `size` bytes. crc32c(0, "123456789") is 0xE3069283. */
uint32_t dun_crc32c(uint32_t crc, const void *data, size_t size);

#endif
