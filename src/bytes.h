/*
 * bytes.h: numbers as bytes, the lowest first, at any address and on any machine: how the log and
 * whatever else lies on a medium writes them.
 */
#ifndef DUN_BYTES_H
#define DUN_BYTES_H

#include <stdint.h>

static inline void dun_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void dun_put32(uint8_t *at, uint32_t value)
{
    dun_put16(at, value);
    dun_put16(at + 2, value >> 16);
}

static inline void dun_put64(uint8_t *at, uint64_t value)
{
    dun_put32(at, (uint32_t)value);
    dun_put32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t dun_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t dun_get32(const uint8_t *at)
{
    return dun_get16(at) | (uint32_t)dun_get16(at + 2) << 16;
}

static inline uint64_t dun_get64(const uint8_t *at)
{
    return dun_get32(at) | (uint64_t)dun_get32(at + 4) << 32;
}

#endif
