/*
 * bus.h: the seam between a driver of a sensor and the bus that it sits on: I2C, or what looks like
 * it. A driver knows registers and no controller; a controller knows addresses and no sensor.
 */
#ifndef DUN_BUS_H
#define DUN_BUS_H

#include "base.h"

/*
 * Both are a whole transfer from start to stop with the device at a 7-bit address, and wait for it:
 * microseconds a byte, bounded. 0, or DUN_E_NOT_FOUND: nobody answers; DUN_E_IO: it broke off;
 * DUN_E_TIMEOUT: the bus hangs.
 */
struct dun_bus {
    void *context;
    int (*write)(void *context, uint8_t address, const void *data, size_t size);
    int (*read)(void *context, uint8_t address, void *data, size_t size);
};

#endif
