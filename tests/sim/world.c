/*
 * world.c: lets time pass from one thing that happens to the next, and says when a run is over:
 * some time of faults, then calm; in the calm the backlog must drain in bounded time, and then
 * everything must be accounted for.
 */
#include "world.h"

#include <string.h>

#include "check.h"

#define TAIL_MS (30 * 60 * (dun_ms)1000) /* of calm in which points go on being recorded */

/// Time ///

static void advance(struct sim *sim, dun_ms limit)
{
    dun_ms next = dun_ms_earlier(device_wake(&sim->device), broker_wake(&sim->broker));
    next = dun_ms_earlier(next, dun_ms_earlier(faults_wake(sim), desk_wake(&sim->desk)));
    next = dun_ms_earlier(next, limit);
    if (next > sim->now)
        sim->now = next;
    sim->steps++;
    faults_run(sim);
    desk_run(&sim->desk);
    broker_run(&sim->broker);
    if (device_wake(&sim->device) <= sim->now)
        device_run(&sim->device);
}

static void run_until(struct sim *sim, dun_ms until)
{
    while (sim->now < until)
        advance(sim, until);
}

/// The calm ///

/* How long the slowest device of this kind may need for a full log: generous, but bounded. */
static dun_ms patience(const struct sim *sim)
{
    const struct scenario *s = &sim->scenario;
    uint64_t bytes = (uint64_t)s->geometry.block_size * s->geometry.block_count + 65536 +
                     (uint64_t)s->archive_geometry.block_size * s->archive_geometry.block_count;
    dun_ms turn = 2 * (dun_ms)(s->net.latency_ms + s->net.jitter_ms + s->net.quantum_ms) +
                  s->ack_delay_ms + 2 * s->lateness_ms + 10;
    dun_ms patience = 4 * 60 * 60 * (dun_ms)1000;
    patience += (dun_ms)(bytes / 20) * turn / 2; /* one record at a time, small ones */
    if (s->net.bytes_s > 0)
        patience += (dun_ms)(bytes * 8000 / s->net.bytes_s);
    if (s->agent.backfill_bytes_s > 0)
        patience += (dun_ms)(bytes * 4000 / s->agent.backfill_bytes_s);
    if (s->agent.ack_mode == DUN_ACK_STORED)
        patience +=
            100 * (dun_ms)(s->recorder_delay_ms + s->stored_delay_ms + s->agent.stored_wait_ms);
    return patience;
}

static void complain_of_backlog(const struct sim *sim)
{
    const struct dun_agent *agent = sim->device.agent;
    const struct dun_sender *sender = &agent->sender;
    sim_fail(
        "after %lld s of calm it is not drained: on %d, state %d, due %x, unacked %x, batch %u, "
        "backlog %llu, %llu and %llu, losses %u and %u",
        (long long)patience(sim) / 1000, sim->device.on, (int)sender->state, sender->due,
        sender->unacked, sim->device.batch.count,
        (unsigned long long)dun_store_backlog(agent->store),
        (unsigned long long)dun_store_backlog(agent->spare),
        (unsigned long long)dun_store_backlog(agent->archive), agent->store->ledger.count,
        agent->spare->ledger.count);
}

static void wait_for_drain(struct sim *sim)
{
    dun_ms until = sim->now + patience(sim);
    bool remote = sim->scenario.config_max > 0;
    while (!device_drained(&sim->device) || (remote && !desk_is_settled(&sim->desk))) {
        if (sim->now >= until)
            complain_of_backlog(sim);
        advance(sim, until);
    }
}

static void say_goodbye(struct sim *sim)
{
    if (!sim->scenario.retain_off && strcmp(sim->broker.status, "online") != 0)
        sim_fail("the device is up, and its status says %s", sim->broker.status);
    device_end(&sim->device);
    while (sim->device.on)
        advance(sim, DUN_MS_NEVER);
    sim->device.boots_at = DUN_MS_NEVER;
    run_until(sim, sim->now + 30000);
    const struct sim_net_shape *net = &sim->scenario.net;
    /* The device waits a second for `offline` to go; on a slow link that is not enough. */
    bool fast = net->latency_ms + net->jitter_ms + net->quantum_ms + sim->scenario.ack_delay_ms +
                        sim->scenario.lateness_ms <
                    300 &&
                net->bytes_s == 0;
    if (fast && !sim->scenario.retain_off && strcmp(sim->broker.status, "offline") != 0)
        sim_fail("the device is gone, and its status says %s", sim->broker.status);
}

/// A run ///

static void start(struct sim *sim, uint64_t seed)
{
    sim->seed = seed;
    sim->rng = rng_of(seed, 2);
    scenario_make(&sim->scenario, seed);
    facts_init(&sim->facts);
    sim_flash_init(&sim->flash, sim->scenario.geometry, rng_of(seed, 3));
    sim->flash.nor = sim->scenario.nor;
    sim_flash_init(&sim->spare, sim->scenario.spare_geometry, rng_of(seed, 4));
    if (sim->scenario.overflow == DUN_LOG_THIN) {
        sim_flash_init(&sim->archive, sim->scenario.archive_geometry, rng_of(seed, 9));
        sim->archive.nor = sim->scenario.nor;
    }
    sim_net_init(&sim->net, sim->scenario.net, rng_of(seed, 5));
    sim_shelf_init(&sim->shelf, rng_of(seed, 11));
    desk_init(&sim->desk, rng_of(seed, 12));
    broker_init(&sim->broker, rng_of(seed, 6));
    device_init(&sim->device, rng_of(seed, 7));
    faults_start(sim);
}

void sim_world(struct sim *sim, uint64_t seed)
{
    start(sim, seed);
    run_until(sim, sim->scenario.calm_ms);
    sim->calm = true;
    sim_trace("calm");
    faults_end(sim);
    if (sim->scenario.config_max > 0)
        desk_finish(&sim->desk);
    run_until(sim, sim->now + TAIL_MS);
    sim->device.sampling = false;
    wait_for_drain(sim);
    check_end(&sim->facts, sim->device.agent);
    say_goodbye(sim);
}

void sim_world_free(struct sim *sim)
{
    device_free(&sim->device);
    broker_free(&sim->broker);
    sim_net_free(&sim->net);
    sim_flash_free(&sim->archive);
    sim_flash_free(&sim->spare);
    sim_flash_free(&sim->flash);
    facts_free(&sim->facts);
}
