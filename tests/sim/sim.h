/*
 * sim.h: one run of the simulated world, and what all parts of it may call. There is one run at a
 * time in a process; a failure jumps out of it.
 */
#ifndef DUN_SIM_SIM_H
#define DUN_SIM_SIM_H

#include "broker.h"
#include "desk.h"
#include "device.h"
#include "facts.h"
#include "random.h"
#include "scenario.h"
#include "sim_flash.h"
#include "sim_link.h"
#include "sim_shelf.h"

#define SIM_UNIX_MS INT64_C(1790000000000) /* wall-clock time when a run begins */

struct sim {
    uint64_t seed;
    dun_ms now; /* true time since the run began */
    bool trace;
    bool calm;    /* faults are over */
    bool damaged; /* bits flipped or blocks died: records may be called damaged */
    struct rng rng;
    struct scenario scenario;
    struct sim_flash flash, spare, archive;
    struct sim_net net;
    struct sim_shelf shelf;
    struct broker broker;
    struct desk desk;
    struct facts facts;
    struct device device;
    dun_ms fault_due[FAULT_COUNT];
    dun_ms fault_over[FAULT_COUNT]; /* when a fault that lasts ends; DUN_MS_NEVER: none is on */
    uint32_t newest_hit;            /* serial of the newest block when a bit last flipped in it */
    uint64_t cuts, boots, steps, faults;
};

/* The run at work. */
extern struct sim *sim_run;

static inline dun_ms sim_now(void)
{
    return sim_run->now;
}

#if defined(__GNUC__)
#define SIM_PRINTF __attribute__((format(printf, 1, 2)))
#else
#define SIM_PRINTF
#endif

/* The run failed: says how and ends it. */
_Noreturn SIM_PRINTF void sim_fail(const char *format, ...);
SIM_PRINTF void sim_trace(const char *format, ...);

/* Memory, or the end of the program. */
void *sim_grow(void *old, size_t size);

/* The broker gives up a connection whose place is needed. */
void sim_broker_forgets(struct sim_connection *connection);

/* Runs one seed to its end. */
void sim_world(struct sim *sim, uint64_t seed);
void sim_world_free(struct sim *sim);

#endif
