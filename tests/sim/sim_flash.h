/*
 * sim_flash.h: a flash that holds its user to the contract of flash.h and fails as real ones do.
 *
 * Two kinds. `nor` is raw flash: an operation is on the medium when it returns, programs can only
 * clear bits, and a power cut hits the operation at work alone. The other is a file or block
 * device: until a sync returned 0 nothing is certain, and at a power cut each operation since
 * then is, on its own, done, lost, garbled byte by byte, or torn at some byte.
 */
#ifndef DUN_SIM_FLASH_H
#define DUN_SIM_FLASH_H

#include "flash.h"
#include "random.h"

struct sim_flash_op {
    bool erase;
    uint32_t block, offset, size;
    uint8_t *bytes; /* what a program wrote */
};

/* What a block no longer does, as bits. */
enum sim_flash_death {
    SIM_FLASH_NO_WRITE = 1,
    SIM_FLASH_NO_READ = 2,
};

struct sim_flash {
    struct dun_flash flash;
    struct rng rng;
    bool nor;
    bool lies;       /* a sync failed: `live` has what the medium lacks and nobody will write */
    uint8_t *live;   /* what reads show */
    uint8_t *medium; /* what a power cut cannot take */
    uint32_t *high;  /* per block: below it bytes were programmed since the erase */
    uint8_t *dead;   /* per block: enum sim_flash_death */
    struct sim_flash_op *ops;
    uint32_t op_count, op_capacity;
    /* Faults at work. */
    int write_error;   /* programs, erases and syncs fail with it; 0: none */
    bool reads_fail;   /* with DUN_E_IO */
    int fail_once[3];  /* the next program, erase, sync fails with it */
    uint64_t cut_in;   /* power fails in so many operations; 0: it does not */
    bool erase_failed; /* and may have taken what the block held all the same */
    void (*cut)(void); /* called when power failed; must not return */
    uint64_t programs, erases, syncs;
};

void sim_flash_init(struct sim_flash *flash, struct dun_flash_geometry geometry, struct rng rng);
void sim_flash_free(struct sim_flash *flash);

/* Power fails: decides what became of all that was not certain. */
void sim_flash_lose_power(struct sim_flash *flash);

/* Another program begins on it: what it knows of the flash is what reads show. */
void sim_flash_boot(struct sim_flash *flash);

/* All bytes as from the factory, nothing pending. */
void sim_flash_wipe(struct sim_flash *flash);

/* Flips a bit in a byte of the block that was programmed; false: none was. */
bool sim_flash_flip(struct sim_flash *flash, uint32_t block);

/* Takes all faults away but dead blocks. */
void sim_flash_heal(struct sim_flash *flash);

#endif
