/* faults.c: each fault of scenario.h when its time has come. FAULTS.md describes them. */
#include "world.h"

#define DAY_MS (24 * 60 * 60 * (dun_ms)1000)

static void fail_storage(struct sim *sim)
{
    sim->flash.write_error = rng_chance(&sim->rng, 500) ? DUN_E_IO : DUN_E_NO_SPACE;
    sim->flash.reads_fail = rng_chance(&sim->rng, 300);
    sim->damaged |= sim->flash.reads_fail;
    if (sim->flash.reads_fail)
        sim->facts.urgent_sequence = 0; /* meanwhile the archive goes on with its copies */
}

/* The archive is nobody's last resort: it may lose without a word. */
static void archive_fault(struct sim *sim, enum fault fault)
{
    struct sim_flash *archive = &sim->archive;
    uint32_t block;
    switch (fault) {
    case FAULT_CUT_AT_ARCHIVE:
        archive->cut_in = (uint64_t)rng_spread(&sim->rng, 1, 40);
        return;
    case FAULT_ARCHIVE:
        archive->write_error = DUN_E_IO;
        archive->reads_fail = rng_chance(&sim->rng, 300);
        break;
    case FAULT_ARCHIVE_ONCE:
        archive->fail_once[rng_below(&sim->rng, 3)] = DUN_E_IO;
        break;
    case FAULT_ARCHIVE_FLIP:
        device_lose_power(&sim->device);
        block = (uint32_t)rng_below(&sim->rng, archive->flash.geometry.block_count);
        sim_flash_flip(archive, block);
        break;
    case FAULT_ARCHIVE_BLOCK_DIES:
        block = (uint32_t)rng_below(&sim->rng, archive->flash.geometry.block_count);
        archive->dead[block] = SIM_FLASH_NO_WRITE;
        break;
    default:
        return;
    }
    sim->facts.archive_lost = true;
}

static void kill_block(struct sim *sim)
{
    uint32_t count = sim->flash.flash.geometry.block_count;
    uint32_t dead = 0;
    for (uint32_t i = 0; i < count; i++)
        dead += sim->flash.dead[i] != 0;
    if (dead >= 2) /* three in a row stop a log, and two may be neighbours of a torn one */
        return;
    uint32_t block = (uint32_t)rng_below(&sim->rng, count);
    sim->flash.dead[block] = SIM_FLASH_NO_WRITE;
    if (rng_chance(&sim->rng, 300)) {
        sim->flash.dead[block] |= SIM_FLASH_NO_READ;
        sim->damaged = true;
    }
    sim_trace("block %u dies: %u", block, sim->flash.dead[block]);
}

/* The newest block is hit once in its life: two bits in its opening, or in the heads of its last
 * two records, are more than a format can undo. */
static bool newest_may_be_hit(struct sim *sim, const struct dun_log *log)
{
    bool may = sim->newest_hit != log->base_serial;
    sim->newest_hit = log->base_serial;
    return may;
}

static void flip(struct sim *sim)
{
    const struct dun_agent *agent = sim->device.agent;
    if (!agent || !sim->device.on || !agent->store->mounted)
        return;
    const struct dun_log *log = &agent->store->log;
    /* Seen at the next boot: between the check of a record and its way out there is no defence. */
    device_lose_power(&sim->device);
    for (uint64_t bits = 1 + rng_below(&sim->rng, 3); bits > 0; bits--) {
        uint32_t block = (uint32_t)rng_below(&sim->rng, log->flash->geometry.block_count);
        if (block != log->base || newest_may_be_hit(sim, log))
            sim->damaged |= sim_flash_flip(&sim->flash, block);
    }
}

static void device_fault(struct sim *sim, enum fault fault)
{
    struct device *device = &sim->device;
    switch (fault) {
    case FAULT_CUT_AT_FLASH:
        sim->flash.cut_in = (uint64_t)rng_spread(&sim->rng, 1, 40);
        break;
    case FAULT_CUT:
        device_lose_power(device);
        break;
    case FAULT_KILL:
        device_kill(device);
        break;
    case FAULT_RESTART:
        device_end(device);
        break;
    case FAULT_CLOCK_STEP:
        device_step_clock(device);
        break;
    case FAULT_SUSPEND:
        device_suspend(device, rng_chance(&sim->rng, 20)
                                   ? rng_range(&sim->rng, 20 * DAY_MS, 30 * DAY_MS)
                                   : rng_spread(&sim->rng, 1000, sim->scenario.calm_ms / 10));
        break;
    case FAULT_CATALOG:
        device_new_metric(device);
        break;
    case FAULT_BURST:
        device_burst(device);
        break;
    case FAULT_ALARM:
        device->alarm = !device->alarm;
        break;
    case FAULT_CUT_AT_SHELF:
        sim->shelf.cut_in = 1 + (uint32_t)rng_below(&sim->rng, 3);
        break;
    case FAULT_SHELF:
        sim->shelf.fails = true;
        break;
    case FAULT_SHELF_ROTS:
        device_lose_power(device);
        sim_shelf_rot(&sim->shelf);
        break;
    case FAULT_CONFIG:
        desk_write(&sim->desk);
        break;
    default:
        break;
    }
}

static void flash_fault(struct sim *sim, enum fault fault)
{
    switch (fault) {
    case FAULT_STORAGE:
        fail_storage(sim);
        break;
    case FAULT_PROGRAM_ONCE:
        sim->flash.fail_once[0] = DUN_E_IO;
        break;
    case FAULT_ERASE_ONCE:
        sim->flash.fail_once[1] = DUN_E_IO;
        break;
    case FAULT_SYNC_ONCE:
        sim->flash.fail_once[2] = DUN_E_IO;
        break;
    case FAULT_FLIP:
        flip(sim);
        break;
    case FAULT_BLOCK_DIES:
        kill_block(sim);
        break;
    default:
        break;
    }
}

static void reset_in_packet(struct sim *sim)
{
    if (sim->net.current >= 0)
        sim->net.connections[sim->net.current].reset_after =
            (uint32_t)rng_spread(&sim->rng, 1, 4000);
}

static void net_fault(struct sim *sim, enum fault fault)
{
    struct broker *broker = &sim->broker;
    switch (fault) {
    case FAULT_RESET:
        sim_net_reset(&sim->net);
        break;
    case FAULT_RESET_IN_PACKET:
        reset_in_packet(sim);
        break;
    case FAULT_HALF_OPEN:
        sim_net_half_open(&sim->net);
        break;
    case FAULT_CONNECT:
        sim->net.trouble = (enum sim_connect_trouble)(1 + rng_below(&sim->rng, 3));
        if (rng_chance(&sim->rng, 700))
            sim_net_reset(&sim->net);
        break;
    case FAULT_BROKER_KILL:
        broker_kill(broker, rng_chance(&sim->rng, 500));
        break;
    case FAULT_BROKER_SILENT:
        broker->silent = true;
        break;
    case FAULT_BROKER_LEAVES:
        broker_leave(broker);
        break;
    case FAULT_BROKER_GARBAGE:
        broker_garbage(broker);
        break;
    case FAULT_BROKER_REFUSES:
        broker->refuses = true;
        broker_leave(broker);
        break;
    case FAULT_BROKER_REJECTS:
        broker->rejects = true;
        break;
    case FAULT_ACKS:
        broker->disorder = true;
        break;
    case FAULT_SESSION_LIE:
        broker->session_lie = rng_chance(&sim->rng, 500) ? 1 : -1;
        sim_net_reset(&sim->net);
        break;
    case FAULT_RECORDER_LAGS:
        broker->lags = true;
        break;
    case FAULT_STORED_LIE:
        broker_stored_lie(broker);
        break;
    default:
        break;
    }
}

static void end_fault(struct sim *sim, enum fault fault)
{
    struct broker *broker = &sim->broker;
    sim->fault_over[fault] = DUN_MS_NEVER;
    sim_trace("over: %s", fault_names[fault]);
    if (fault == FAULT_STORAGE) {
        sim->flash.write_error = 0;
        sim->flash.reads_fail = false;
    }
    if (fault == FAULT_ARCHIVE) {
        sim->archive.write_error = 0;
        sim->archive.reads_fail = false;
    }
    if (fault == FAULT_CONNECT)
        sim->net.trouble = SIM_CONNECT_WELL;
    sim->shelf.fails &= fault != FAULT_SHELF;
    broker->silent &= fault != FAULT_BROKER_SILENT;
    broker->refuses &= fault != FAULT_BROKER_REFUSES;
    broker->rejects &= fault != FAULT_BROKER_REJECTS;
    broker->disorder &= fault != FAULT_ACKS;
    broker->lags &= fault != FAULT_RECORDER_LAGS;
}

static bool lasts(enum fault fault)
{
    return fault == FAULT_STORAGE || fault == FAULT_CONNECT || fault == FAULT_BROKER_SILENT ||
           fault == FAULT_BROKER_REFUSES || fault == FAULT_BROKER_REJECTS || fault == FAULT_ACKS ||
           fault == FAULT_RECORDER_LAGS || fault == FAULT_ARCHIVE || fault == FAULT_SHELF;
}

static void draw(struct sim *sim, enum fault fault)
{
    dun_ms mean = sim->scenario.mean_ms[fault];
    sim->fault_due[fault] = mean == 0 ? DUN_MS_NEVER : sim->now + rng_range(&sim->rng, 1, 2 * mean);
}

static void begin_fault(struct sim *sim, enum fault fault)
{
    sim->faults++;
    sim_trace("fault: %s", fault_names[fault]);
    if (lasts(fault))
        sim->fault_over[fault] =
            sim->now + rng_spread(&sim->rng, 1000, sim->scenario.mean_ms[fault] + 2000);
    device_fault(sim, fault);
    flash_fault(sim, fault);
    archive_fault(sim, fault);
    net_fault(sim, fault);
    draw(sim, fault);
}

void faults_start(struct sim *sim)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        draw(sim, (enum fault)i);
        sim->fault_over[i] = DUN_MS_NEVER;
    }
}

dun_ms faults_wake(const struct sim *sim)
{
    dun_ms wake = DUN_MS_NEVER;
    for (int i = 0; i < FAULT_COUNT; i++)
        wake = dun_ms_earlier(wake, dun_ms_earlier(sim->fault_due[i], sim->fault_over[i]));
    return wake;
}

void faults_run(struct sim *sim)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (sim->fault_over[i] <= sim->now)
            end_fault(sim, (enum fault)i);
        if (sim->fault_due[i] <= sim->now)
            begin_fault(sim, (enum fault)i);
    }
}

void faults_end(struct sim *sim)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (sim->fault_over[i] != DUN_MS_NEVER)
            end_fault(sim, (enum fault)i);
        sim->fault_due[i] = DUN_MS_NEVER;
    }
    device_wake_up(&sim->device);
    sim_flash_heal(&sim->flash);
    sim_flash_heal(&sim->archive);
    broker_heal(&sim->broker);
    sim->shelf.cut_in = 0;
}
