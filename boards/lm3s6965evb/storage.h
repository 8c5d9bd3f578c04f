/*
 * storage.h: where this device keeps its log and learns who it is. storage_card.c is an SD card,
 * and RAM where there is none; storage_ram.c, for a board without a slot, is RAM and the last 2 KiB
 * of the flash. The image that is linked chooses.
 */
#ifndef DUN_LM3S_STORAGE_H
#define DUN_LM3S_STORAGE_H

#include "flash.h"
#include "identity.h"
#include "remote.h"

struct dun_lm3s_storage {
    struct dun_flash log;
    struct dun_flash spare; /* for the time in which the log fails */
    bool has_spare;
    const struct dun_shelf *shelf; /* of remote configuration; NULL: it is forgotten */
    bool in_ram;                   /* the log is: it outlives a reset, no loss of power */
    uint32_t boots;                /* as the card counts them; 0: nobody does */
};

/* Starts it and reads the identity; what is wrong is told on the UART and by the LED. */
void dun_lm3s_storage_start(struct dun_lm3s_storage *storage, struct dun_identity *identity);

/* For both: says that there is no identity, and takes the default one. */
void dun_lm3s_unprovisioned(struct dun_identity *identity, const char *what, int error);

/* For both: a log in the RAM that a reset leaves alone, or (`fresh`) a new one each time. */
void dun_lm3s_ram(struct dun_flash *flash, bool fresh);

#endif
