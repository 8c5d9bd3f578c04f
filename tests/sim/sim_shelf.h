/*
 * sim_shelf.h: where the device keeps its configuration documents: two small records, each replaced
 * as a whole. Power may fail in a save, which then is done or not; saves may fail, done or not; and
 * what lies there may change at rest.
 */
#ifndef DUN_SIM_SHELF_H
#define DUN_SIM_SHELF_H

#include "random.h"
#include "remote.h"

#define SIM_SHELF_MAX 320

struct sim_shelf {
    struct dun_shelf shelf;
    struct rng rng;
    uint8_t slots[2][SIM_SHELF_MAX];
    uint32_t sizes[2];
    uint32_t cut_in; /* power fails in that save from now; 0: it does not */
    void (*cut)(void);
    bool fails;
    bool rotten; /* something changed at rest, once */
    bool failed; /* a save did, or power in it, once */
    uint64_t saves;
};

/* `cut` stays to be set by the caller. */
void sim_shelf_init(struct sim_shelf *shelf, struct rng rng);

/* A bit of what lies there changes, if anything does. */
void sim_shelf_rot(struct sim_shelf *shelf);

#endif
