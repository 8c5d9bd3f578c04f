/*
 * log_device.h: a NOR flash in RAM that counts what is done to it, for measurements beside rivals.
 *
 * It holds everybody to what flash allows, no more: programs are aligned and clear bits only; with
 * a program unit of one byte the same byte may be programmed again to clear more of its bits, as
 * serial NOR allows; a larger unit, which carries an error-correcting code, is programmed once
 * between erases. A violation aborts with a message. It loses nothing: power cuts are the business
 * of tests/powerloss/.
 */
#ifndef LOG_DEVICE_H
#define LOG_DEVICE_H

#include "flash.h"

struct log_counts {
    uint64_t programs, bytes_programmed;
    uint64_t erases, syncs;
    uint64_t reads, bytes_read;
};

struct log_device {
    struct dun_flash flash;
    uint8_t *bytes;
    bool *used;       /* per program unit: programmed since the last erase */
    uint32_t *erases; /* per block */
    struct log_counts counts;
};

/* A new chip: all bytes erased, no block worn. */
void log_device_init(struct log_device *device, struct dun_flash_geometry geometry);
void log_device_free(struct log_device *device);

/* The erases of the block that has the most and of the one that has the fewest. */
uint32_t log_device_erases_max(const struct log_device *device);
uint32_t log_device_erases_min(const struct log_device *device);

#endif
