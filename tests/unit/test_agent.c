/*
 * test_agent.c: the whole core on a log in RAM and a fake broker: what is recorded arrives, in
 * order, through outages, refusals, full logs and failing storage; and what does not is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent.h"
#include "fake_uplink.h"
#include "flash_ram.h"

enum {
    POINTS = 16,
    METRICS = 8,
    WINDOW = 4,
    BLOCK = 512,
    BLOCKS = 8,
    LOSSES = 8,
    STEP_MS = 10,
};

static const dun_ms wall_ms = INT64_C(1790000000000);

struct fixture {
    struct dun_agent agent;
    struct dun_store stores[3]; /* the durable log, the spare, the archive */
    struct dun_agent_config config;
    struct dun_agent_parts parts;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[WINDOW];
    struct dun_notice notices[16];
    struct dun_loss losses[3][LOSSES];
    struct dun_flash memory[3];
    struct dun_flash flaky; /* in front of the durable one */
    bool broken;            /* it takes nothing */
    bool absent;            /* it cannot even be read */
    bool thin;
    uint8_t bytes[3][BLOCK * BLOCKS + 16];
    uint8_t unit[3][16];
    struct fake_uplink broker;
    dun_ms now;
};

static struct fixture fixture;

/// A flash that fails when told ///

static int flaky_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct fixture *f = context;
    return f->absent ? DUN_E_IO
                     : f->memory[0].read(f->memory[0].context, block, offset, data, size);
}

static int flaky_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    struct fixture *f = context;
    return f->broken ? DUN_E_NO_SPACE
                     : f->memory[0].prog(f->memory[0].context, block, offset, data, size);
}

static int flaky_erase(void *context, uint32_t block)
{
    struct fixture *f = context;
    return f->broken ? DUN_E_IO : f->memory[0].erase(f->memory[0].context, block);
}

static int flaky_sync(void *context)
{
    struct fixture *f = context;
    if (f->absent)
        return DUN_E_NO_SPACE;
    return f->broken ? DUN_E_IO : f->memory[0].sync(f->memory[0].context);
}

/// Fixture ///

static struct dun_store *store_of(struct fixture *f, int which, uint64_t stream)
{
    struct dun_store_config config = {.flash = which == 0 ? &f->flaky : &f->memory[which],
                                      .unit = {f->unit[which], sizeof f->unit[which]},
                                      .losses = f->losses[which],
                                      .losses_max = LOSSES,
                                      .new_stream = stream};
    dun_store_init(&f->stores[which], &config);
    return &f->stores[which];
}

static void start(struct fixture *f)
{
    dun_catalog_init(&f->catalog, f->metrics, METRICS);
    dun_batch_init(&f->batch, f->points, POINTS, f->chains, METRICS);
    f->parts = (struct dun_agent_parts){
        .catalog = &f->catalog,
        .batch = &f->batch,
        .store = store_of(f, 0, 0xD0),
        .spare = store_of(f, 1, 0x5A),
        .archive = store_of(f, 2, 0xAC),
        .limits = f->limits,
        .notices = f->notices,
        .notices_max = 16,
        .window = f->window,
        .window_max = WINDOW,
        .sensors = f->parts.sensors,
        .sensor_count = f->parts.sensor_count,
        .uplink = &f->broker.uplink,
        .uplink_config = {.host = "broker", .port = 1883, .client_id = "d1"}};
    if (f->thin)
        f->parts.store->config.overflow = DUN_LOG_THIN;
    assert_int_equal(dun_agent_init(&f->agent, &f->config, &f->parts, f->now, NULL), DUN_OK);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 4};
    for (int i = 0; i < 3; i++) {
        struct dun_buffer memory = {f->bytes[i], sizeof f->bytes[i]};
        assert_int_equal(dun_flash_ram_init(&f->memory[i], geometry, memory), DUN_OK);
    }
    f->flaky = (struct dun_flash){geometry, f, flaky_read, flaky_prog, flaky_erase, flaky_sync};
    fake_uplink_init(&f->broker);
    f->now = 1000;
    f->config = (struct dun_agent_config){.device = "d1",
                                          .boot = 9,
                                          .batch_points_max = 4,
                                          .batch_age_max_ms = 1000,
                                          .storage_retry_ms = 500,
                                          .ack_persist_ms = 100,
                                          .backoff = {.base_ms = 50, .max_ms = 200}};
    start(f);
    *state = f;
    return 0;
}

static void step_for(struct fixture *f, dun_ms ms)
{
    for (dun_ms end = f->now + ms; f->now < end; f->now += STEP_MS)
        dun_agent_step(&f->agent, f->now);
}

static int declare(struct fixture *f, const char *name)
{
    struct dun_metric metric = {.name = name, .unit = "1", .kind = DUN_GAUGE};
    return dun_agent_declare(&f->agent, &metric);
}

static void record(struct fixture *f, int points)
{
    for (int i = 0; i < points; i++) {
        assert_int_equal(dun_agent_record(&f->agent, 0, i, f->now), DUN_OK);
        dun_agent_step(&f->agent, f->now);
        f->now += STEP_MS;
    }
}

static bool arrived(const struct fixture *f, uint64_t sequence)
{
    for (unsigned i = 0; i < fake_uplink_count(&f->broker, "batch"); i++)
        if (fake_sequence(fake_uplink_message(&f->broker, "batch", i)) == sequence)
            return true;
    return false;
}

/* Every sequence from `first` to the last one stored arrived. */
static void assert_complete_from(const struct fixture *f, uint64_t first)
{
    uint64_t end = dun_log_next_sequence(&f->agent.store->log);
    for (uint64_t sequence = first; sequence < end; sequence++)
        assert_true(arrived(f, sequence));
}

static void assert_complete(const struct fixture *f)
{
    assert_complete_from(f, 1);
}

static void assert_in_order(const struct fixture *f)
{
    for (unsigned i = 0; i < fake_uplink_count(&f->broker, "batch"); i++)
        assert_int_equal(fake_sequence(fake_uplink_message(&f->broker, "batch", i)), i + 1);
}

/// Tests ///

static void what_is_recorded_arrives_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(declare(f, "a"), 0);
    record(f, 40);
    step_for(f, 2000);
    assert_complete(f);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
    assert_int_equal(dun_agent_stats(&f->agent)->points_recorded, 40);
    assert_int_equal(dun_agent_stats(&f->agent)->records_stored, 11); /* and an announcement */
    assert_int_equal(fake_stream(fake_uplink_message(&f->broker, "batch", 0)), 0xD0);
}

static void retained_messages_come_first(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    record(f, 4);
    step_for(f, 1000);
    static const char *const topics[] = {"dunlin/default/d1/about", "dunlin/default/d1/catalog",
                                         "dunlin/default/d1/status", "dunlin/default/d1/batch"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(f->broker.messages[i].topic, topics[i]);
        assert_int_equal(f->broker.messages[i].retain, i < 3);
    }
    assert_memory_equal(f->broker.messages[2].payload, "online", 6);
    assert_string_equal(f->broker.will_topic, "dunlin/default/d1/status");
}

static void an_outage_loses_nothing(void **state)
{
    struct fixture *f = *state;
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 60);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), 0);
    assert_true(f->broker.opens > 3);
    f->broker.reachable = true;
    step_for(f, 2000);
    assert_complete(f);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

static void in_strict_order_nothing_overtakes(void **state)
{
    struct fixture *f = *state;
    f->config.strict_order = true;
    start(f);
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 60);
    f->broker.reachable = true;
    record(f, 60);
    step_for(f, 2000);
    assert_complete(f);
    assert_in_order(f);
}

static void fresh_records_do_not_wait_behind_the_backlog(void **state)
{
    struct fixture *f = *state;
    f->config.backfill_bytes_s = 200; /* about two records a second */
    start(f);
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 100);
    f->broker.reachable = true;
    step_for(f, 300);
    uint64_t fresh = dun_log_next_sequence(&f->agent.store->log);
    record(f, 4);
    dun_agent_step(&f->agent, f->now);
    assert_true(arrived(f, fresh));
    assert_false(arrived(f, fresh - 1));
    step_for(f, 20000);
    assert_complete(f);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

static void backfill_leaves_room_in_the_window(void **state)
{
    struct fixture *f = *state;
    f->config.backfill_percent = 50;
    start(f);
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 100);
    f->broker.reachable = true;
    f->broker.auto_ack = false;
    step_for(f, 300);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), WINDOW / 2);
    uint64_t fresh = dun_log_next_sequence(&f->agent.store->log);
    record(f, 4);
    dun_agent_step(&f->agent, f->now);
    assert_true(arrived(f, fresh));
}

/* A second outage while the first one's backlog drains: several ranges are open at once. */
static void outage_upon_outage_loses_nothing(void **state)
{
    struct fixture *f = *state;
    f->config.backfill_bytes_s = 300;
    start(f);
    declare(f, "a");
    for (int i = 0; i < 8; i++) {
        f->broker.reachable = false;
        fake_uplink_cut(&f->broker);
        record(f, 16);
        f->broker.reachable = true;
        step_for(f, 400);
        record(f, 8);
    }
    step_for(f, 60000);
    assert_complete(f);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

static void urgent_samples_overtake_all(void **state)
{
    struct fixture *f = *state;
    f->config.backfill_bytes_s = 100;
    start(f);
    assert_int_equal(declare(f, "a"), 0);
    assert_int_equal(dun_agent_limit(&f->agent, 0, 0, 50), DUN_OK);
    assert_int_equal(dun_agent_limit(&f->agent, 0, 50, 0), DUN_E_INVALID);
    assert_int_equal(dun_agent_limit(&f->agent, 1, 0, 50), DUN_E_INVALID);
    step_for(f, 300);
    assert_int_equal(dun_agent_record(&f->agent, 0, 51, f->now), DUN_OK);
    dun_agent_step(&f->agent, f->now);
    assert_true(arrived(f, 2)); /* sealed and sent within the step */
    f->now += STEP_MS;
    assert_int_equal(dun_agent_record(&f->agent, 0, 52, f->now), DUN_OK);
    dun_agent_step(&f->agent, f->now);
    assert_false(arrived(f, 3)); /* still above: no news */
    f->broker.auto_ack = false;
    record(f, 40); /* back within, which is news; the rest fills the window */
    assert_int_equal(dun_agent_record(&f->agent, 0, -1, f->now), DUN_OK);
    dun_agent_step(&f->agent, f->now);
    uint64_t urgent = dun_log_next_sequence(&f->agent.store->log) - 1;
    assert_false(arrived(f, urgent)); /* the window is full */
    unsigned before = fake_uplink_count(&f->broker, "batch");
    f->broker.auto_ack = true;
    dun_agent_step(&f->agent, f->now);
    const struct fake_message *next = fake_uplink_message(&f->broker, "batch", before);
    assert_int_equal(fake_sequence(next), urgent);
    step_for(f, 30000);
    assert_complete(f);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

static void start_stored(struct fixture *f)
{
    f->config.ack_mode = DUN_ACK_STORED;
    f->config.stored_wait_ms = 5000;
    start(f);
    declare(f, "a");
    record(f, 16);
    step_for(f, 1500);
}

static void only_the_recorder_frees_in_stored_mode(void **state)
{
    struct fixture *f = *state;
    start_stored(f);
    uint64_t all = dun_agent_backlog(&f->agent);
    assert_true(all >= 5);
    assert_complete(f);
    fake_uplink_stored(&f->broker, 0xD0, 3);
    step_for(f, 100);
    assert_int_equal(dun_agent_backlog(&f->agent), all - 3);
    fake_uplink_stored(&f->broker, 0xD0, 2); /* behind */
    step_for(f, 100);
    fake_uplink_stored(&f->broker, 0xEE, 5); /* another stream */
    step_for(f, 100);
    fake_uplink_stored(&f->broker, 0xD0, 100); /* ahead of what was sent */
    step_for(f, 100);
    assert_int_equal(dun_agent_backlog(&f->agent), all - 3);
    assert_int_equal(f->agent.stats.stored_ignored, 2);
    fake_uplink_stored(&f->broker, 0xD0, (uint8_t)all);
    step_for(f, 100);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

static void what_is_not_stored_is_published_again(void **state)
{
    struct fixture *f = *state;
    start_stored(f);
    uint64_t all = dun_agent_backlog(&f->agent);
    unsigned before = fake_uplink_count(&f->broker, "batch");
    fake_uplink_stored(&f->broker, 0xD0, 2);
    step_for(f, 4000);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), before);
    step_for(f, 2000); /* the broker forgot it, or the recorder is away */
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), before + all - 2);
    step_for(f, 5100);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), before + 2 * (all - 2));
}

static void cuts_between_publish_and_ack_repeat_with_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    f->broker.auto_ack = false;
    for (int i = 0; i < 20; i++) {
        record(f, 4);
        step_for(f, 300);
        fake_uplink_cut(&f->broker);
    }
    f->broker.auto_ack = true;
    step_for(f, 3000);
    assert_complete(f);
    unsigned count = fake_uplink_count(&f->broker, "batch");
    assert_true(count > 21);
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = i + 1; j < count; j++) {
            const struct fake_message *a = fake_uplink_message(&f->broker, "batch", i);
            const struct fake_message *b = fake_uplink_message(&f->broker, "batch", j);
            if (fake_sequence(a) != fake_sequence(b))
                continue;
            assert_int_equal(a->size, b->size);
            assert_memory_equal(a->payload, b->payload, a->size);
            assert_int_equal(a->token, b->token);
        }
}

static void the_window_bounds_what_is_in_flight(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    step_for(f, 200);
    f->broker.auto_ack = false;
    record(f, 60);
    step_for(f, 1000);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), WINDOW);
}

static void acks_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    record(f, 8);
    step_for(f, 1500);
    unsigned before = fake_uplink_count(&f->broker, "batch");
    fake_uplink_cut(&f->broker);
    f->broker.state = 0;
    f->broker.down_due = false;
    start(f);
    declare(f, "a");
    record(f, 4);
    step_for(f, 1500);
    assert_complete(f);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), before + 2);
}

/* The announcement of a reboot names the dictionary again; a grown catalog extends it. */
static void the_dictionary_travels_in_the_stream(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    record(f, 4);
    step_for(f, 200);
    assert_int_equal(f->agent.stats.records_stored, 2);
    declare(f, "b");
    record(f, 4);
    step_for(f, 200);
    assert_int_equal(f->agent.stats.records_stored, 4);
    const struct fake_message *grown = fake_uplink_message(&f->broker, "batch", 2);
    uint32_t hash = f->catalog.hash;
    assert_int_equal(fake_sequence(grown), 3);
    assert_memory_equal(grown->payload + 17, &hash, 4);
    assert_int_equal(fake_uplink_count(&f->broker, "catalog"), 2);
}

static void a_large_dictionary_is_announced_in_several_records(void **state)
{
    struct fixture *f = *state;
    static char names[METRICS][200];
    f->config.batch_bytes_max = 512;
    start(f);
    for (int i = 0; i < METRICS; i++) {
        memset(names[i], 'a' + i, sizeof names[i] - 1);
        assert_int_equal(declare(f, names[i]), i);
    }
    record(f, 4);
    step_for(f, 300);
    assert_complete(f);
    for (unsigned i = 0; i < fake_uplink_count(&f->broker, "batch"); i++)
        assert_in_range(fake_uplink_message(&f->broker, "batch", i)->size, 0, 512);
    assert_true(f->agent.stats.records_stored > METRICS / 2);
}

static void nothing_to_say_is_not_stored(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dun_agent_seal(&f->agent, f->now), DUN_OK);
    assert_int_equal(dun_log_next_sequence(&f->agent.store->log), 1);
}

static void a_full_log_drops_the_oldest_and_tells(void **state)
{
    struct fixture *f = *state;
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 600);
    assert_true(f->agent.stats.records_dropped > 0);
    f->broker.reachable = true;
    step_for(f, 3000);
    assert_false(arrived(f, f->agent.stats.records_dropped));
    assert_complete_from(f, f->agent.stats.records_dropped + 1);
    assert_int_equal(dun_ledger_untold(&f->agent.store->ledger), 0);
    assert_int_equal(f->agent.store->ledger.count, 0); /* told, acknowledged, forgotten */
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
}

/* All recent records, every k-th old one, sparser the older, everything urgent; the ledger tells
 * the range, and each copy has the bytes of the original. */
static void a_thinned_log_keeps_some_of_everything(void **state)
{
    struct fixture *f = *state;
    f->thin = true;
    f->config.keep_every = 4;
    start(f);
    declare(f, "a");
    declare(f, "b");
    assert_int_equal(dun_agent_limit(&f->agent, 1, 0, 10), DUN_OK);
    f->broker.reachable = false;
    record(f, 200);
    assert_int_equal(dun_agent_record(&f->agent, 1, 99, f->now), DUN_OK);
    dun_agent_step(&f->agent, f->now);
    uint64_t urgent = dun_log_next_sequence(&f->agent.store->log) - 1;
    record(f, 1200);
    uint64_t dropped = f->agent.stats.records_dropped;
    assert_true(dropped > 200);
    f->broker.reachable = true;
    step_for(f, 5000);
    assert_complete_from(f, dropped + 1);
    assert_true(arrived(f, urgent));
    unsigned kept = 0;
    for (uint64_t sequence = 1; sequence <= dropped; sequence++)
        kept += arrived(f, sequence);
    assert_in_range(kept, dropped / 20, dropped / 3);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
    assert_int_equal(f->agent.store->ledger.count, 0);
}

/* What was recorded in one form stays in that form, on that form's channel. */
static void a_backlog_outlives_a_change_of_encoding(void **state)
{
    struct fixture *f = *state;
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 16);
    uint64_t batches = dun_log_next_sequence(&f->agent.store->log) - 1;
    f->broker.state = 0;
    f->config.encoder = &dun_plain;
    start(f);
    declare(f, "a");
    f->broker.reachable = true;
    record(f, 16);
    step_for(f, 2000);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), batches);
    assert_int_equal(fake_uplink_count(&f->broker, "samples"), 4);
    for (unsigned i = 0; i < batches; i++)
        assert_int_equal(fake_sequence(fake_uplink_message(&f->broker, "batch", i)), i + 1);
}

static void failing_storage_moves_to_ram_and_back(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    record(f, 8);
    step_for(f, 300);
    f->broken = true;
    record(f, 40);
    step_for(f, 300);
    assert_int_equal(f->agent.stats.points_recorded, 48);
    assert_int_equal(f->agent.stats.points_lost, 0);
    unsigned count = fake_uplink_count(&f->broker, "batch");
    assert_int_equal(fake_stream(fake_uplink_message(&f->broker, "batch", count - 1)), 0x5A);
    f->broken = false;
    step_for(f, 600);
    record(f, 8);
    step_for(f, 1500);
    assert_int_equal(f->agent.stats.points_recorded, 56);
    count = fake_uplink_count(&f->broker, "batch");
    assert_int_equal(fake_stream(fake_uplink_message(&f->broker, "batch", count - 1)), 0xD0);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
    bool failed = false;
    bool back = false;
    for (struct dun_notice notice; dun_agent_notice(&f->agent, &notice);) {
        failed |= notice.kind == DUN_NOTICE_STORAGE_FAILED;
        back |= notice.kind == DUN_NOTICE_STORAGE_BACK;
    }
    assert_true(failed && back);
}

static void storage_that_fails_at_the_start_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct dun_notice notice;
    unsigned told = 0;
    f->absent = true;
    start(f);
    while (dun_agent_notice(&f->agent, &notice)) {
        if (notice.kind == DUN_NOTICE_STORAGE_FAILED) {
            assert_int_equal(notice.error, DUN_E_NO_SPACE);
            told++;
        }
    }
    assert_int_equal(told, 1);
    assert_int_equal(f->agent.stats.storage_errors, 1);
}

/* Without a spare the points wait in the batch, and what RAM cannot hold is counted. */
static void without_any_storage_ram_holds_what_it_can(void **state)
{
    struct fixture *f = *state;
    f->broken = true;
    f->agent.spare->config.flash = NULL;
    declare(f, "a");
    for (int i = 0; i < POINTS + 5; i++) {
        int result = dun_agent_record(&f->agent, 0, i, f->now);
        assert_int_equal(result, i < POINTS ? DUN_OK : DUN_E_FULL);
    }
    assert_int_equal(f->agent.stats.points_lost, 5);
    f->broken = false;
    f->now += 600;
    step_for(f, 2000);
    assert_int_equal(f->agent.stats.points_recorded, POINTS);
    assert_complete(f);
    /* Loss{reason STORAGE, points 5}: the ledger's entry in some record. */
    bool told = false;
    for (unsigned i = 0; i < fake_uplink_count(&f->broker, "batch"); i++) {
        const struct fake_message *message = fake_uplink_message(&f->broker, "batch", i);
        for (uint32_t at = 0; at + 4 <= message->size; at++)
            told |= memcmp(message->payload + at, "\x18\x03\x20\x05", 4) == 0;
    }
    assert_true(told);
}

static void drop_newest_keeps_the_old(void **state)
{
    struct fixture *f = *state;
    f->agent.store->log.overflow = DUN_LOG_DROP_NEWEST;
    f->broker.reachable = false;
    declare(f, "a");
    record(f, 600);
    assert_int_equal(f->agent.stats.records_dropped, 0);
    assert_true(f->agent.stats.points_lost > 0);
    f->broker.reachable = true;
    step_for(f, 2000);
    assert_int_equal(f->agent.stats.points_recorded + f->agent.stats.points_lost, 600);
    assert_complete(f);
}

static void a_refused_record_is_told_and_does_not_block(void **state)
{
    struct fixture *f = *state;
    f->broker.ack_reason = 0x87;
    declare(f, "a");
    record(f, 4);
    step_for(f, 300);
    f->broker.ack_reason = 0;
    step_for(f, 2000);
    assert_true(f->agent.stats.records_rejected >= 1);
    assert_int_equal(dun_agent_backlog(&f->agent), 0);
    assert_int_equal(f->agent.store->ledger.count, 0);
}

static void time_becomes_known_later(void **state)
{
    struct fixture *f = *state;
    dun_agent_set_clock(&f->agent, f->now, 12345); /* 1970: not set */
    declare(f, "a");
    record(f, 4);
    step_for(f, 300);
    unsigned before = fake_uplink_count(&f->broker, "batch");
    dun_agent_set_clock(&f->agent, f->now, wall_ms);
    step_for(f, 1500);
    assert_int_equal(fake_uplink_count(&f->broker, "batch"), before + 1); /* the anchor alone */
}

static int count_read(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    (void)agent;
    (void)now;
    ++*(int *)sensor->context;
    return DUN_E_IO;
}

static void sensors_are_read_at_their_interval(void **state)
{
    struct fixture *f = *state;
    int fast = 0;
    int slow = 0;
    int off = 0;
    struct dun_sensor sensors[] = {
        {.name = "fast", .interval_ms = 100, .read = count_read, .context = &fast},
        {.name = "slow", .interval_ms = 1000, .read = count_read, .context = &slow},
        {.name = "off", .interval_ms = 0, .read = count_read, .context = &off},
    };
    f->parts.sensors = sensors;
    f->parts.sensor_count = 3;
    start(f);
    step_for(f, 5000);
    assert_int_equal(fast, 50);
    assert_int_equal(slow, 5);
    assert_int_equal(off, 0);
    assert_int_equal(f->agent.stats.sensor_errors, 55);
    f->now += 1000000; /* suspended: one reading, not a thousand */
    dun_agent_step(&f->agent, f->now);
    assert_int_equal(fast, 51);
    assert_int_equal(slow, 6);
}

static void the_end_seals_drains_and_says_offline(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    step_for(f, 300);
    assert_int_equal(dun_agent_record(&f->agent, 0, 1, f->now), DUN_OK);
    dun_agent_end(&f->agent, f->now, f->now + 5000);
    step_for(f, 500);
    assert_true(dun_agent_ended(&f->agent));
    assert_complete(f);
    const struct fake_message *last = &f->broker.messages[f->broker.count - 1];
    assert_string_equal(last->topic, "dunlin/default/d1/status");
    assert_memory_equal(last->payload, "offline", 7);
    assert_int_equal(f->broker.closes, 1);
    assert_int_equal(dun_agent_step(&f->agent, f->now), DUN_MS_NEVER);
}

static void the_end_is_bounded(void **state)
{
    struct fixture *f = *state;
    declare(f, "a");
    step_for(f, 300);
    f->broker.auto_ack = false;
    assert_int_equal(dun_agent_record(&f->agent, 0, 1, f->now), DUN_OK);
    dun_agent_end(&f->agent, f->now, f->now + 500);
    step_for(f, 490);
    assert_false(dun_agent_ended(&f->agent));
    step_for(f, 1100);
    assert_true(dun_agent_ended(&f->agent));
}

static void wrong_names_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      "a/b",
                                      "a+",
                                      "#",
                                      "a b",
                                      "\xc3\xa4",
                                      ("0123456789012345678901234567890123456789"
                                       "0123456789012345678901234")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dun_agent_config config = f->config;
        const char *what = NULL;
        config.device = bad[i];
        assert_int_equal(dun_agent_init(&f->agent, &config, &f->parts, 0, &what), DUN_E_INVALID);
        assert_string_equal(what, "device");
    }
    assert_true(dun_agent_name_ok("A-z_0.9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_recorded_arrives_in_order, set_up),
        cmocka_unit_test_setup(retained_messages_come_first, set_up),
        cmocka_unit_test_setup(an_outage_loses_nothing, set_up),
        cmocka_unit_test_setup(in_strict_order_nothing_overtakes, set_up),
        cmocka_unit_test_setup(fresh_records_do_not_wait_behind_the_backlog, set_up),
        cmocka_unit_test_setup(backfill_leaves_room_in_the_window, set_up),
        cmocka_unit_test_setup(outage_upon_outage_loses_nothing, set_up),
        cmocka_unit_test_setup(urgent_samples_overtake_all, set_up),
        cmocka_unit_test_setup(only_the_recorder_frees_in_stored_mode, set_up),
        cmocka_unit_test_setup(what_is_not_stored_is_published_again, set_up),
        cmocka_unit_test_setup(cuts_between_publish_and_ack_repeat_with_the_same_bytes, set_up),
        cmocka_unit_test_setup(the_window_bounds_what_is_in_flight, set_up),
        cmocka_unit_test_setup(acks_survive_a_restart, set_up),
        cmocka_unit_test_setup(the_dictionary_travels_in_the_stream, set_up),
        cmocka_unit_test_setup(a_large_dictionary_is_announced_in_several_records, set_up),
        cmocka_unit_test_setup(nothing_to_say_is_not_stored, set_up),
        cmocka_unit_test_setup(a_full_log_drops_the_oldest_and_tells, set_up),
        cmocka_unit_test_setup(a_thinned_log_keeps_some_of_everything, set_up),
        cmocka_unit_test_setup(a_backlog_outlives_a_change_of_encoding, set_up),
        cmocka_unit_test_setup(failing_storage_moves_to_ram_and_back, set_up),
        cmocka_unit_test_setup(storage_that_fails_at_the_start_is_told_once, set_up),
        cmocka_unit_test_setup(without_any_storage_ram_holds_what_it_can, set_up),
        cmocka_unit_test_setup(drop_newest_keeps_the_old, set_up),
        cmocka_unit_test_setup(a_refused_record_is_told_and_does_not_block, set_up),
        cmocka_unit_test_setup(time_becomes_known_later, set_up),
        cmocka_unit_test_setup(sensors_are_read_at_their_interval, set_up),
        cmocka_unit_test_setup(the_end_seals_drains_and_says_offline, set_up),
        cmocka_unit_test_setup(the_end_is_bounded, set_up),
        cmocka_unit_test_setup(wrong_names_are_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
