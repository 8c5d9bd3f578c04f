/* scenario.c: dice, and the few rules that keep what they say possible. */
#include "scenario.h"

#define DAY_MS (24 * 60 * 60 * (dun_ms)1000)

const char *const fault_names[FAULT_COUNT] = {
    [FAULT_CUT_AT_FLASH] = "power cut at flash",
    [FAULT_CUT] = "power cut",
    [FAULT_KILL] = "program killed",
    [FAULT_RESTART] = "orderly restart",
    [FAULT_STORAGE] = "storage fails",
    [FAULT_PROGRAM_ONCE] = "a program fails",
    [FAULT_ERASE_ONCE] = "an erase fails",
    [FAULT_SYNC_ONCE] = "a sync fails",
    [FAULT_FLIP] = "bit flips",
    [FAULT_BLOCK_DIES] = "a block dies",
    [FAULT_RESET] = "connection reset",
    [FAULT_RESET_IN_PACKET] = "reset in a packet",
    [FAULT_HALF_OPEN] = "half-open",
    [FAULT_CONNECT] = "cannot connect",
    [FAULT_BROKER_KILL] = "broker killed",
    [FAULT_BROKER_SILENT] = "broker silent",
    [FAULT_BROKER_LEAVES] = "broker disconnects",
    [FAULT_BROKER_GARBAGE] = "broker sends garbage",
    [FAULT_BROKER_REFUSES] = "broker refuses",
    [FAULT_BROKER_REJECTS] = "broker rejects",
    [FAULT_ACKS] = "acks in disorder",
    [FAULT_SESSION_LIE] = "session lie",
    [FAULT_CLOCK_STEP] = "clock steps",
    [FAULT_SUSPEND] = "suspend",
    [FAULT_CATALOG] = "new metric",
    [FAULT_BURST] = "burst",
    [FAULT_ALARM] = "alarm",
    [FAULT_RECORDER_LAGS] = "recorder lags",
    [FAULT_STORED_LIE] = "stored lie",
    [FAULT_CUT_AT_ARCHIVE] = "power cut at archive",
    [FAULT_ARCHIVE] = "archive fails",
    [FAULT_ARCHIVE_ONCE] = "an operation of the archive fails",
    [FAULT_ARCHIVE_FLIP] = "bit flips in the archive",
    [FAULT_ARCHIVE_BLOCK_DIES] = "a block of the archive dies",
    [FAULT_CONFIG] = "configuration",
    [FAULT_CUT_AT_SHELF] = "power cut at shelf",
    [FAULT_SHELF] = "shelf fails",
    [FAULT_SHELF_ROTS] = "a bit flips on the shelf",
};

static void make_flash(struct scenario *s, struct rng *rng)
{
    static const uint32_t blocks[] = {512, 768, 1024, 2048, 4096, 8192};
    static const uint32_t programs[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
    s->geometry.block_size = blocks[rng_below(rng, 6)];
    s->geometry.prog_size = programs[rng_below(rng, 9)];
    if (s->geometry.block_size == 512 && s->geometry.prog_size > 64)
        s->geometry.prog_size = 64; /* else a block holds one record and nothing fits */
    /* Small ones overflow, large ones do not. */
    s->geometry.block_count = (uint32_t)rng_spread(rng, rng_chance(rng, 500) ? 2 : 16, 96);
    s->nor = rng_chance(rng, 500);
    s->unit_size = s->geometry.prog_size * (uint32_t)rng_spread(rng, 1, 8);
    s->overflow = rng_chance(rng, 300) ? DUN_LOG_DROP_NEWEST : DUN_LOG_DROP_OLDEST;
    s->losses_max = (uint16_t)rng_spread(rng, 4, 64);
    s->spare_geometry = (struct dun_flash_geometry){
        .block_size = rng_chance(rng, 500) ? 1024 : 2048,
        .block_count = rng_u32(rng, 2, 8),
        .prog_size = 1,
    };
}

static void make_agent(struct scenario *s, struct rng *rng)
{
    s->batch_capacity = (uint16_t)rng_spread(rng, 8, 256);
    s->plain = rng_chance(rng, 250);
    s->wide_values = !s->plain && rng_chance(rng, 300);
    s->agent = (struct dun_agent_config){
        .prefix = "d",
        .fleet = "f",
        .device = "sim",
        .board = "sim",
        .batch_points_max = (uint32_t)rng_spread(rng, 1, s->batch_capacity),
        .batch_bytes_max = (uint32_t)rng_spread(rng, 64, 2048),
        .batch_age_max_ms = (uint32_t)rng_spread(rng, 200, 120000),
        .anchor_interval_ms = (uint32_t)rng_spread(rng, 60000, 7200000),
        .ack_persist_ms = (uint32_t)rng_spread(rng, 500, 120000),
        .storage_retry_ms = (uint32_t)rng_spread(rng, 500, 60000),
        .stable_ms = (uint32_t)rng_spread(rng, 1000, 120000),
        .ack_mode = rng_chance(rng, 350) ? DUN_ACK_STORED : DUN_ACK_PUBLISHED,
        .strict_order = rng_chance(rng, 300),
        .backfill_percent = (uint8_t)rng_range(rng, 1, 100),
        .backfill_bytes_s = rng_chance(rng, 300) ? (uint32_t)rng_spread(rng, 100, 20000) : 0,
        .stored_wait_ms = (uint32_t)rng_spread(rng, 2000, 120000),
        .backoff = {.base_ms = rng_u32(rng, 100, 2000), .max_ms = rng_u32(rng, 4000, 300000)},
    };
    s->window = (uint16_t)rng_spread(rng, 1, 64);
    s->rx_size = (uint32_t)rng_spread(rng, 128, 1024);
    s->tx_size = (uint32_t)rng_spread(rng, 256, 1280);
    s->link_rx_size = (uint32_t)rng_spread(rng, 4, 4096);
    s->link_tx_size = (uint32_t)rng_spread(rng, 16, 8192);
    s->broker = (struct dun_uplink_config){
        .host = "broker",
        .port = 1883,
        .client_id = "sim",
        .keepalive_s = (uint16_t)rng_spread(rng, 20, 300),
        .connect_timeout_ms = rng_range(rng, 20000, 60000),
        .clean_start = rng_chance(rng, 200),
        .mqtt_version = rng_chance(rng, 600) ? 0 : 4,
    };
}

static void make_load(struct scenario *s, struct rng *rng)
{
    s->calm_ms = rng_spread(rng, 20 * 60 * 1000, 12 * DAY_MS);
    dun_ms usual = s->calm_ms / rng_spread(rng, 100, 1500);
    s->metrics_max = (uint16_t)rng_range(rng, 1, 32);
    s->metrics_first = (uint16_t)rng_range(rng, 1, s->metrics_max);
    if (s->metrics_first > 6)
        s->metrics_first = 6;
    for (int i = 0; i < 32; i++) {
        s->interval_ms[i] = 1 + rng_spread(rng, usual / 3 + 1, usual * 6 + 2);
        s->regular[i] = rng_chance(rng, 600);
    }
    s->clock_wait_ms = rng_chance(rng, 500) ? 0 : rng_spread(rng, 1000, s->calm_ms / 4);
    s->clock_interval_ms = rng_spread(rng, 1000, s->calm_ms / 20 + 1000);
    s->lateness_ms = rng_chance(rng, 500) ? 0 : rng_spread(rng, 1, 500);
    if (rng_chance(rng, 500))
        s->uptime_first_ms = (INT64_C(1) << 32) - rng_spread(rng, 1000, s->calm_ms);
    if (s->uptime_first_ms < 0)
        s->uptime_first_ms = 0;
}

static void make_net(struct scenario *s, struct rng *rng)
{
    s->net.latency_ms = rng_chance(rng, 200) ? 0 : (uint32_t)rng_spread(rng, 1, 1500);
    s->net.jitter_ms = rng_chance(rng, 400) ? 0 : (uint32_t)rng_spread(rng, 1, 1500);
    s->net.bytes_s = rng_chance(rng, 500) ? 0 : (uint32_t)rng_spread(rng, 1000, 200000);
    s->net.slice = rng_chance(rng, 600) ? 0 : (uint32_t)rng_spread(rng, 1, 500);
    s->net.quantum_ms = rng_chance(rng, 800) ? 0 : (uint32_t)rng_spread(rng, 5, 1000);
    s->net.send_buffer = (uint32_t)rng_spread(rng, 512, 65536);
    if (s->net.bytes_s > 0 && s->net.send_buffer > 8 * s->net.bytes_s)
        s->net.send_buffer = 8 * s->net.bytes_s; /* else pings wait behind data for too long */
    s->ack_delay_ms = rng_chance(rng, 300) ? 0 : (uint32_t)rng_spread(rng, 1, 3000);
    s->recorder_delay_ms = (uint32_t)rng_spread(rng, 1, 10000);
    s->stored_delay_ms = (uint32_t)rng_spread(rng, 10, 30000);
    s->broker_old = rng_chance(rng, 150);
    s->receive_max = rng_chance(rng, 300) ? (uint16_t)rng_spread(rng, 1, 64) : 0;
    s->packet_max = rng_chance(rng, 100) ? (uint32_t)rng_spread(rng, 256, 2048) : 0;
    s->retain_off = rng_chance(rng, 100);
    s->server_keepalive = rng_chance(rng, 200) ? (uint16_t)rng_range(rng, 20, 60) : 0;
}

/* Faults that no device survives without loss of what it counts are kept to devices that can. */
static void make_possible(struct scenario *s)
{
    /* Long runs must not spend their time on repetitions, byte by byte. */
    if (s->agent.stored_wait_ms < s->calm_ms / 1000)
        s->agent.stored_wait_ms = (uint32_t)(s->calm_ms / 1000);
    if (s->net.slice > 0 && s->calm_ms > DAY_MS / 4)
        s->net.slice += 200;
    if (s->geometry.block_count < 10)
        s->mean_ms[FAULT_BLOCK_DIES] = 0;
    if (s->geometry.block_count < 4)
        s->mean_ms[FAULT_FLIP] = 0;
    if (s->agent.ack_mode != DUN_ACK_STORED)
        s->mean_ms[FAULT_STORED_LIE] = s->mean_ms[FAULT_RECORDER_LAGS] = 0;
    if (s->wide_values)
        s->mean_ms[FAULT_ALARM] = 0;
}

static void make_faults(struct scenario *s, struct rng *rng)
{
    uint32_t trouble = rng_u32(rng, 0, 600); /* per mille of the faults that happen at all */
    for (int i = 0; i < FAULT_CUT_AT_ARCHIVE; i++)
        if (rng_chance(rng, trouble))
            s->mean_ms[i] = s->calm_ms / rng_spread(rng, 1, 30) + 1;
    make_possible(s);
}

static void draw_fault(struct scenario *s, struct rng *rng, enum fault fault, uint32_t per_mille)
{
    if (s->mean_ms[fault] == 0 && rng_chance(rng, per_mille))
        s->mean_ms[fault] = s->calm_ms / rng_spread(rng, 1, 30) + 1;
}

/* A log that thins is small enough to overflow, and the broker is away now and then. */
static void make_thinning(struct scenario *s, struct rng *rng)
{
    s->overflow = DUN_LOG_THIN;
    s->agent.keep_every = (uint32_t)rng_spread(rng, 2, 16);
    if (s->geometry.block_count > 24)
        s->geometry.block_count = (uint32_t)rng_spread(rng, 3, 24);
    if (s->geometry.block_count < 10)
        s->mean_ms[FAULT_BLOCK_DIES] = 0;
    if (s->geometry.block_count < 4)
        s->mean_ms[FAULT_FLIP] = 0;
    s->archive_geometry = s->geometry;
    s->archive_geometry.block_size <<= rng_below(rng, 2);
    s->archive_geometry.block_count = (uint32_t)rng_spread(rng, 3, 96);
    draw_fault(s, rng, FAULT_CUT_AT_ARCHIVE, 600);
    draw_fault(s, rng, FAULT_CONNECT, 700);
    if (!s->wide_values)
        draw_fault(s, rng, FAULT_ALARM, 700);
    if (rng_chance(rng, 700))
        return;
    draw_fault(s, rng, FAULT_ARCHIVE, 400);
    draw_fault(s, rng, FAULT_ARCHIVE_ONCE, 400);
    draw_fault(s, rng, FAULT_ARCHIVE_FLIP, 300);
    if (s->archive_geometry.block_count >= 10)
        draw_fault(s, rng, FAULT_ARCHIVE_BLOCK_DIES, 300);
}

/* Each fourth seed, so that those which found something once are what they were. */
static void make_remote(struct scenario *s, uint64_t seed)
{
    struct rng rng = rng_of(seed, 10);
    if (seed % 4 != 3)
        return;
    s->config_max = (uint32_t)rng_spread(&rng, 48, 300);
    s->trial_ms = (uint32_t)rng_spread(&rng, 60000, 600000);
    s->withheld = rng_chance(&rng, 300) ? (uint32_t)rng_below(&rng, 512) : 0;
    s->mean_ms[FAULT_CONFIG] = s->calm_ms / rng_spread(&rng, 3, 40) + 1;
    draw_fault(s, &rng, FAULT_CUT, 500);
    draw_fault(s, &rng, FAULT_CONNECT, 300);
    draw_fault(s, &rng, FAULT_CUT_AT_SHELF, 500);
    draw_fault(s, &rng, FAULT_SHELF, 200);
    draw_fault(s, &rng, FAULT_SHELF_ROTS, 200);
}

/* What came to be simulated later has dice of its own: the others fall as they always did. */
static void make_later(struct scenario *s, uint64_t seed)
{
    struct rng rng = rng_of(seed, 8);
    if (rng_chance(&rng, 200))
        s->agent.backoff.spread_ms = (uint32_t)rng_spread(&rng, 1000, 600000);
    if (rng_chance(&rng, 250))
        make_thinning(s, &rng);
}

void scenario_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = rng_of(seed, 1);
    *scenario = (struct scenario){0};
    make_flash(scenario, &rng);
    make_agent(scenario, &rng);
    make_load(scenario, &rng);
    make_net(scenario, &rng);
    make_faults(scenario, &rng);
    make_later(scenario, seed);
    make_remote(scenario, seed);
    scenario->agent.random_seed = rng_next(&rng);
    scenario->agent.unheard = rng_chance(&rng, 200) ? DUN_UNHEARD_KEPT : DUN_UNHEARD_DELIVERED;
}
