/* sim_shelf.c: see sim_shelf.h. */
#include "sim_shelf.h"

#include <string.h>

#include "sim.h"

static int load(void *context, int slot, struct dun_buffer out)
{
    const struct sim_shelf *shelf = context;
    uint32_t size = shelf->sizes[slot];
    memcpy(out.data, shelf->slots[slot], size < out.size ? size : out.size);
    return (int)size;
}

static int save(void *context, int slot, struct dun_span record)
{
    struct sim_shelf *shelf = context;
    bool cut = shelf->cut_in > 0 && --shelf->cut_in == 0;
    bool done = (!cut && !shelf->fails) || rng_chance(&shelf->rng, 500);
    shelf->saves++;
    shelf->failed |= cut || shelf->fails;
    if (record.size > SIM_SHELF_MAX)
        sim_fail("the shelf is given %u bytes", (unsigned)record.size);
    if (done) {
        memcpy(shelf->slots[slot], record.data, record.size);
        shelf->sizes[slot] = (uint32_t)record.size;
    }
    sim_trace("shelf: slot %d, %u bytes, done %d, cut %d", slot, (unsigned)record.size, done, cut);
    if (cut)
        shelf->cut();
    return shelf->fails ? DUN_E_IO : DUN_OK;
}

void sim_shelf_init(struct sim_shelf *shelf, struct rng rng)
{
    *shelf =
        (struct sim_shelf){.shelf = {.context = shelf, .load = load, .save = save}, .rng = rng};
}

void sim_shelf_rot(struct sim_shelf *shelf)
{
    uint32_t slot = (uint32_t)rng_below(&shelf->rng, 2);
    if (shelf->sizes[slot] == 0)
        return;
    uint64_t bit = rng_below(&shelf->rng, 8u * shelf->sizes[slot]);
    shelf->slots[slot][bit / 8] ^= (uint8_t)(1u << bit % 8);
    shelf->rotten = true;
}
