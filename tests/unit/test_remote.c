/*
 * test_remote.c: remote configuration on a whole agent, a broker in a struct and a shelf whose
 * power fails: what a document does, what is told of it, and what is in force after whatever
 * happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_uplink.h"
#include "fields.h"
#include "flash_ram.h"
#include "remote.h"
#include "telemetry.pb.h"

enum {
    POINTS = 64,
    METRICS = 4,
    WINDOW = 4,
    BLOCK = 512,
    BLOCKS = 16,
    LOSSES = 8,
    STEP_MS = 10,
    DOCUMENT_MAX = 300,
    SHELF_MAX = DOCUMENT_MAX + DUN_REMOTE_EXTRA,
    TRIAL_MS = 4000, /* of the tests' documents */
};

enum { WARM, IDLE, USER }; /* metrics: hw.temperature, cpu idle, cpu user */

static struct fixture {
    struct dun_agent agent;
    struct dun_store store;
    struct dun_remote remote;
    struct dun_agent_config config;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[WINDOW];
    struct dun_loss losses[LOSSES];
    struct dun_flash flash;
    uint8_t bytes[BLOCK * BLOCKS + 16];
    uint8_t unit[16];
    struct dun_sensor sensors[3];
    struct fake_uplink broker;
    uint8_t record[SHELF_MAX];
    uint8_t document[1024];
    pb_ostream_t out;
    dun_ms now;
    uint32_t withheld;
    int retuned;

    /* The shelf. */
    struct dun_shelf shelf;
    uint8_t slots[2][SHELF_MAX];
    int sizes[2];
    int saves, cut_at; /* power fails at this save: before it, or after it */
    bool cut_after, dead;
} f;

/// The shelf ///

static int shelf_load(void *context, int slot, struct dun_buffer out)
{
    (void)context;
    size_t size = (size_t)f.sizes[slot];
    memcpy(out.data, f.slots[slot], size < out.size ? size : out.size);
    return f.sizes[slot];
}

static int shelf_save(void *context, int slot, struct dun_span record)
{
    (void)context;
    if (f.dead)
        return DUN_E_IO;
    f.dead = ++f.saves == f.cut_at;
    if (f.dead && !f.cut_after)
        return DUN_E_IO;
    assert_true(record.size <= SHELF_MAX);
    memcpy(f.slots[slot], record.data, record.size);
    f.sizes[slot] = (int)record.size;
    return DUN_OK;
}

/// The device ///

static int read_nothing(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    (void)sensor;
    (void)agent;
    (void)now;
    return DUN_OK;
}

/* The board's own configuration: warm is urgent above 90.0. */
static void retune(void *context, uint16_t metric)
{
    (void)context;
    f.retuned++;
    if (metric == WARM)
        assert_int_equal(dun_agent_limit(&f.agent, metric, INT64_MIN, 900), DUN_OK);
}

static void declare(void)
{
    static const struct dun_attribute idle = {"cpu.mode", "idle"}, user = {"cpu.mode", "user"};
    static const struct dun_metric metrics[] = {
        {.name = "hw.temperature", .unit = "Cel", .kind = DUN_GAUGE, .exponent = -1},
        {.name = "system.cpu.utilization", .unit = "1", .kind = DUN_GAUGE, .exponent = -4},
        {.name = "system.cpu.utilization", .unit = "1", .kind = DUN_GAUGE, .exponent = -4},
    };
    const struct dun_attribute *attributes[] = {NULL, &idle, &user};
    for (int i = 0; i < 3; i++) {
        struct dun_metric metric = metrics[i];
        metric.attributes = attributes[i];
        metric.attribute_count = i > 0;
        assert_int_equal(dun_agent_declare(&f.agent, &metric), i);
    }
}

static void boot(void)
{
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    f.sensors[0] = (struct dun_sensor){"cpu", .interval_ms = 5000, .read = read_nothing};
    f.sensors[1] = (struct dun_sensor){"memory", .interval_ms = 5000, .read = read_nothing};
    f.sensors[2] = (struct dun_sensor){"disk", .interval_ms = 60000, .read = read_nothing};
    dun_store_init(&f.store, &(struct dun_store_config){.flash = &f.flash,
                                                        .unit = {f.unit, sizeof f.unit},
                                                        .losses = f.losses,
                                                        .losses_max = LOSSES,
                                                        .new_stream = 7});
    const struct dun_agent_parts parts = {
        .catalog = &f.catalog,
        .batch = &f.batch,
        .store = &f.store,
        .limits = f.limits,
        .window = f.window,
        .window_max = WINDOW,
        .sensors = f.sensors,
        .sensor_count = 3,
        .uplink = &f.broker.uplink,
        .uplink_config = {.host = "broker", .port = 1883, .client_id = "d1"}};
    assert_int_equal(dun_agent_init(&f.agent, &f.config, &parts, f.now, NULL), DUN_OK);
    f.remote = (struct dun_remote){
        .settings = {.agent = &f.agent, .withheld = f.withheld, .retune = retune},
        .shelf = &f.shelf,
        .record = {f.record, sizeof f.record}};
    dun_remote_start(&f.remote, f.now);
    declare();
}

static void run(dun_ms ms)
{
    for (dun_ms end = f.now + ms; f.now < end; f.now += STEP_MS) {
        dun_agent_step(&f.agent, f.now);
        dun_ms deadline = dun_remote_step(&f.remote, f.now);
        assert_true(deadline >= f.now - STEP_MS);
    }
}

/* Power fails and comes back: what is in RAM is gone. */
static void reboot(void)
{
    f.broker.state = 0;
    f.broker.down_due = false;
    f.broker.config_asked = 0;
    f.dead = false;
    f.cut_at = 0;
    memset(f.record, 0xA5, sizeof f.record);
    boot();
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    const struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 4};
    assert_int_equal(
        dun_flash_ram_init(&f.flash, geometry, (struct dun_buffer){f.bytes, sizeof f.bytes}),
        DUN_OK);
    fake_uplink_init(&f.broker);
    f.shelf = (struct dun_shelf){.load = shelf_load, .save = shelf_save};
    f.now = 1000;
    f.config = (struct dun_agent_config){.device = "d1",
                                         .boot = 9,
                                         .batch_age_max_ms = 700,
                                         .backoff = {.base_ms = 20, .max_ms = 40}};
    boot();
    return 0;
}

/// Documents ///

struct given {
    const char *key, *name;
    bool none;
    int64_t value, exponent;
};

static bool write_setting(pb_ostream_t *out, const void *context)
{
    const struct given *given = context;
    return dun_wire_string(out, dunlin_v1_Setting_key_tag, given->key) &&
           (!given->name || dun_wire_string(out, dunlin_v1_Setting_name_tag, given->name)) &&
           (given->none || dun_wire_sint(out, dunlin_v1_Setting_value_tag, given->value)) &&
           (given->exponent == 0 ||
            dun_wire_sint(out, dunlin_v1_Setting_exponent_tag, given->exponent));
}

static void begin(uint64_t version)
{
    f.out = pb_ostream_from_buffer(f.document, sizeof f.document);
    assert_true(dun_wire_uint(&f.out, dunlin_v1_Config_version_tag, version));
}

static void add(struct given given)
{
    assert_true(dun_wire_message(&f.out, dunlin_v1_Config_settings_tag, write_setting, &given));
}

static void publish(void)
{
    fake_uplink_config(&f.broker, f.document, f.out.bytes_written);
}

/* A document that sets the age of batches and the time of its own trial. */
static void publish_age(uint64_t version, int64_t age_ms)
{
    begin(version);
    add((struct given){"batch.age", .value = age_ms});
    add((struct given){"trial", .value = TRIAL_MS});
    publish();
}

static uint32_t age(void)
{
    return f.agent.recorder.limits.age_max_ms;
}

/// Reports ///

struct report {
    uint64_t version, running, state, refusal, refused, fleeting, size_max;
    int count;
    struct {
        uint64_t verdict;
        int64_t low, high;
    } outcomes[16];
};

static void read_outcome(struct report *report, struct dun_span bytes)
{
    struct dun_field field;
    int at = report->count++;
    assert_true(at < 16);
    while (dun_fields_next(&bytes, &field) > 0) {
        if (field.tag == dunlin_v1_Outcome_verdict_tag)
            report->outcomes[at].verdict = field.number;
        if (field.tag == dunlin_v1_Outcome_low_tag)
            report->outcomes[at].low = dun_field_signed(&field);
        if (field.tag == dunlin_v1_Outcome_high_tag)
            report->outcomes[at].high = dun_field_signed(&field);
    }
}

/* The last one that was published. */
static struct report told(void)
{
    struct report report = {0};
    uint64_t *const numbers[] = {
        [1] = &report.version, [2] = &report.running,  [3] = &report.state,   [5] = &report.refusal,
        [6] = &report.refused, [7] = &report.size_max, [8] = &report.fleeting};
    unsigned count = fake_uplink_count(&f.broker, "reported");
    assert_true(count > 0);
    const struct fake_message *last = fake_uplink_message(&f.broker, "reported", count - 1);
    assert_string_equal(last->topic, "dunlin/default/d1/config/reported");
    assert_true(last->retain);
    struct dun_span bytes = {last->payload, last->size};
    struct dun_field field;
    int more;
    while ((more = dun_fields_next(&bytes, &field)) > 0) {
        assert_true(field.tag < 9);
        if (field.tag == dunlin_v1_ConfigReport_outcomes_tag)
            read_outcome(&report, field.bytes);
        else
            *numbers[field.tag] = field.number;
    }
    assert_int_equal(more, 0);
    return report;
}

/// Applying ///

static void test_all_keys_are_applied(void **state)
{
    (void)state;
    run(100);
    begin(1);
    add((struct given){"interval", .value = 1000});
    add((struct given){"interval", "m*", .value = 30000});
    add((struct given){"interval", "disk", .value = 0});
    add((struct given){"batch.points", .value = 10});
    add((struct given){"batch.bytes", .value = 512});
    add((struct given){"backfill.percent", .value = 10});
    add((struct given){"backfill.rate", .value = 2000});
    add((struct given){"log.policy", .value = DUN_LOG_DROP_NEWEST});
    add((struct given){"dead_band", "system.*", .value = 5, .exponent = -3});
    add((struct given){"heartbeat", "system.*", .value = 60000});
    add((struct given){"low", "system.cpu.utilization{cpu.mode=idle}", .value = 1, .exponent = -1});
    publish();
    run(100);
    struct report report = told();
    assert_int_equal(report.count, 11);
    for (int i = 0; i < report.count; i++)
        assert_int_equal(report.outcomes[i].verdict, DUN_OUTCOME_APPLIED);
    assert_int_equal(report.state, DUN_REMOTE_TRIAL);
    assert_int_equal(f.sensors[0].interval_ms, 1000);
    assert_int_equal(f.sensors[1].interval_ms, 30000);
    assert_int_equal(f.sensors[2].interval_ms, 0);
    assert_int_equal(f.agent.recorder.limits.points_max, 10);
    assert_int_equal(f.agent.recorder.limits.bytes_max, 512);
    assert_int_equal(f.agent.sender.outbox.config.backfill_percent, 10);
    assert_int_equal(f.agent.sender.outbox.config.backfill_bytes_s, 2000);
    assert_int_equal(f.agent.store->log.overflow, DUN_LOG_DROP_NEWEST);
    assert_true(f.limits[IDLE].tuning.sparse && f.limits[USER].tuning.sparse);
    assert_int_equal(f.limits[IDLE].tuning.dead_band, 50);
    assert_int_equal(f.limits[IDLE].tuning.heartbeat_ms, 60000);
    assert_true(f.limits[IDLE].set && !f.limits[USER].set);
    assert_int_equal(f.limits[IDLE].low, 1000);
    assert_true(f.limits[IDLE].high == INT64_MAX);
    assert_true(f.limits[WARM].set && !f.limits[WARM].tuning.sparse);
    assert_int_equal(f.limits[WARM].high, 900);
}

static void test_what_no_document_says_is_as_the_board_has_it(void **state)
{
    (void)state;
    run(100);
    begin(1);
    add((struct given){"interval", .value = 1000});
    add((struct given){"high", "hw.*", .none = true});
    add((struct given){"resolution", "hw.*", .value = 25, .exponent = -2});
    add((struct given){"log.policy", .value = DUN_LOG_DROP_NEWEST});
    publish();
    run(100);
    assert_int_equal(f.agent.store->log.overflow, DUN_LOG_DROP_NEWEST);
    assert_true(f.limits[WARM].high == INT64_MAX);
    assert_int_equal(f.limits[WARM].tuning.resolution, 3); /* of 0.1; up */
    begin(2);
    publish();
    run(100);
    assert_int_equal(f.sensors[0].interval_ms, 5000);
    assert_int_equal(f.sensors[2].interval_ms, 60000);
    assert_int_equal(f.limits[WARM].high, 900);
    assert_int_equal(f.agent.store->log.overflow, DUN_LOG_DROP_OLDEST);
    assert_int_equal(f.limits[WARM].tuning.resolution, 0);
    assert_int_equal(told().count, 0);
}

static void test_each_key_is_judged(void **state)
{
    static const struct {
        struct given given;
        enum dun_outcome outcome;
        int64_t low, high;
    } cases[] = {
        {{"batch.age", .value = 9}, DUN_OUTCOME_OUT_OF_RANGE, 10, 86400000},
        {{"batch.points", .value = POINTS + 1}, DUN_OUTCOME_OUT_OF_RANGE, 1, POINTS},
        {{"batch.bytes", .value = 1025}, DUN_OUTCOME_OUT_OF_RANGE, 64, 1024},
        {{"interval", .value = 99}, DUN_OUTCOME_OUT_OF_RANGE, 100, 86400000},
        {{"log.policy", .value = DUN_LOG_THIN}, DUN_OUTCOME_OUT_OF_RANGE, 0, 1},
        {{"interval", "gpu", .value = 1000}, DUN_OUTCOME_NO_MATCH, 0, 0},
        {{"dead_band", "hw.none", .value = 1}, DUN_OUTCOME_NO_MATCH, 0, 0},
        {{"dead_band", "*", .value = -1}, DUN_OUTCOME_OUT_OF_RANGE, 0, 0},
        {{"batch.colour", .value = 1}, DUN_OUTCOME_UNKNOWN, 0, 0},
        {{"", .value = 1}, DUN_OUTCOME_UNKNOWN, 0, 0},
        {{"batch.age", .none = true}, DUN_OUTCOME_MALFORMED, 0, 0},
        {{"batch.age", "cpu", .value = 100}, DUN_OUTCOME_MALFORMED, 0, 0},
        {{"batch.age", .value = 1, .exponent = 3}, DUN_OUTCOME_MALFORMED, 0, 0},
        {{"backfill.rate", .value = 1}, DUN_OUTCOME_WITHHELD, 0, 0},
    };
    int count = sizeof cases / sizeof cases[0];
    (void)state;
    f.withheld = 1u << DUN_SETTING_BACKFILL_RATE;
    reboot();
    run(100);
    begin(3);
    for (int i = 0; i < count; i++)
        add(cases[i].given);
    assert_true(f.out.bytes_written <= DOCUMENT_MAX);
    publish();
    run(100);
    struct report report = told();
    assert_int_equal(report.running, 3);
    assert_int_equal(report.count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(report.outcomes[i].verdict, cases[i].outcome);
        if (cases[i].high != 0) {
            assert_int_equal(report.outcomes[i].low, cases[i].low);
            assert_int_equal(report.outcomes[i].high, cases[i].high);
        }
    }
    assert_int_equal(age(), 700);
    assert_int_equal(f.agent.recorder.limits.points_max, POINTS);
    assert_int_equal(f.sensors[0].interval_ms, 5000);
}

static void test_metric_declared_later_is_tuned_and_told(void **state)
{
    static const struct dun_metric late = {
        .name = "late.metric", .unit = "1", .kind = DUN_GAUGE, .exponent = 2};
    (void)state;
    run(100);
    begin(1);
    add((struct given){"dead_band", "late.*", .value = 399});
    publish();
    run(100);
    assert_int_equal(told().outcomes[0].verdict, DUN_OUTCOME_NO_MATCH);
    int id = dun_agent_declare(&f.agent, &late);
    run(100);
    assert_int_equal(f.limits[id].tuning.dead_band, 3); /* of 100; down */
    assert_int_equal(told().outcomes[0].verdict, DUN_OUTCOME_APPLIED);
}

/// Trial ///

static void test_good_document_is_kept_over_a_boot(void **state)
{
    (void)state;
    run(100);
    publish_age(5, 100);
    run(100);
    assert_int_equal(age(), 100);
    assert_int_equal(told().state, DUN_REMOTE_TRIAL);
    run(TRIAL_MS / 4);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
    assert_int_equal(told().running, 5);
    assert_int_equal(told().fleeting, 0);
    f.broker.reachable = false;
    reboot();
    assert_int_equal(age(), 100);
    run(10 * TRIAL_MS);
    assert_int_equal(age(), 100);
    f.broker.reachable = true;
    run(20 * TRIAL_MS);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
}

/* From the document on, the broker takes nothing. */
static void cut_off(void)
{
    run(50);
    f.broker.reachable = false;
    fake_uplink_cut(&f.broker);
}

static void test_unreachable_broker_rolls_back_and_it_is_not_tried_again(void **state)
{
    (void)state;
    run(100);
    publish_age(5, 100);
    run(TRIAL_MS);
    publish_age(6, 200);
    cut_off();
    assert_int_equal(age(), 200);
    run(TRIAL_MS - 500);
    assert_int_equal(age(), 200);
    run(1000);
    assert_int_equal(age(), 100);
    for (int boots = 0; boots < 2; boots++) {
        f.broker.reachable = true;
        run(20 * TRIAL_MS);
        struct report report = told();
        assert_int_equal(report.state, DUN_REMOTE_ROLLED_BACK);
        assert_int_equal(report.version, 6);
        assert_int_equal(report.running, 5);
        assert_int_equal(report.refusal, 0);
        assert_int_equal(age(), 100);
        reboot();
        assert_int_equal(age(), 100);
    }
    publish_age(7, 300);
    run(TRIAL_MS);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
    assert_int_equal(age(), 300);
}

static void test_first_document_rolls_back_to_the_boards_own(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    cut_off();
    run(TRIAL_MS + 500);
    assert_int_equal(age(), 700);
    f.broker.reachable = true;
    run(20 * TRIAL_MS);
    assert_int_equal(told().running, 0);
    assert_int_equal(told().version, 1);
}

/* A connection that stands while nothing comes back proves nothing. */
static void test_silent_broker_rolls_back(void **state)
{
    (void)state;
    run(100);
    f.broker.auto_ack = false;
    publish_age(1, 100);
    run(TRIAL_MS + 500);
    assert_int_equal(age(), 700);
}

static void test_refusing_broker_was_reached(void **state)
{
    (void)state;
    run(100);
    f.broker.ack_reason = 0x87;
    publish_age(1, 100);
    run(TRIAL_MS + 500);
    assert_int_equal(f.remote.state, DUN_REMOTE_KEPT);
}

static void test_boots_in_the_trial_end_it(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    run(50);
    for (int boots = 1; boots < DUN_REMOTE_TRIES; boots++) {
        reboot();
        assert_int_equal(age(), 100);
        assert_int_equal(f.remote.state, DUN_REMOTE_TRIAL);
    }
    reboot();
    assert_int_equal(age(), 700);
    run(2 * TRIAL_MS);
    assert_int_equal(told().state, DUN_REMOTE_ROLLED_BACK);
}

/// Versions and removal ///

static void test_versions_only_go_up(void **state)
{
    (void)state;
    run(100);
    publish_age(5, 100);
    run(TRIAL_MS);
    unsigned reports = fake_uplink_count(&f.broker, "reported");
    publish_age(5, 100);
    run(100);
    assert_int_equal(fake_uplink_count(&f.broker, "reported"), reports);
    publish_age(5, 200);
    run(100);
    assert_int_equal(told().refusal, DUN_REMOTE_CHANGED);
    publish_age(4, 200);
    run(100);
    assert_int_equal(told().refusal, DUN_REMOTE_OLD);
    assert_int_equal(told().refused, 4);
    assert_int_equal(told().version, 5);
    assert_int_equal(age(), 100);
    publish_age(5, 100);
    run(100);
    assert_int_equal(told().refusal, 0);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
}

static void test_removal_goes_back_to_the_boards_own(void **state)
{
    (void)state;
    run(100);
    publish_age(5, 100);
    run(TRIAL_MS);
    fake_uplink_config(&f.broker, "", 0);
    run(100);
    assert_int_equal(age(), 700);
    assert_int_equal(told().state, DUN_REMOTE_LOCAL);
    assert_int_equal(told().version, 0);
    reboot();
    assert_int_equal(age(), 700);
    /* It may begin anew at 1, and what was removed is nothing to fall back to. */
    run(100);
    publish_age(1, 300);
    cut_off();
    assert_int_equal(age(), 300);
    run(TRIAL_MS + 500);
    assert_int_equal(age(), 700);
    reboot();
    assert_int_equal(age(), 700);
}

static void test_too_large_is_told_and_changes_nothing(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    run(TRIAL_MS);
    begin(2);
    while (f.out.bytes_written <= DOCUMENT_MAX)
        add((struct given){"interval", .value = 1000});
    publish();
    run(100);
    assert_int_equal(told().refusal, DUN_REMOTE_TOO_LARGE);
    assert_int_equal(told().size_max, DOCUMENT_MAX);
    assert_int_equal(told().running, 1);
    assert_int_equal(age(), 100);
}

/// Hostile documents ///

static void test_a_document_cut_at_any_byte_is_refused_whole(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    run(TRIAL_MS);
    publish_age(2, 200);
    uint32_t whole = f.broker.config_size;
    uint8_t bytes[64];
    assert_true(whole <= sizeof bytes);
    memcpy(bytes, f.broker.config, whole);
    f.broker.config_due = false;
    for (uint32_t size = 1; size < whole; size++) {
        uint64_t version;
        if (dun_settings_check((struct dun_span){bytes, size}, &version))
            continue; /* cut between two fields */
        fake_uplink_config(&f.broker, bytes, size);
        run(30);
        assert_int_equal(told().refusal, DUN_REMOTE_MALFORMED);
        assert_int_equal(told().running, 1);
        assert_int_equal(age(), 100);
    }
}

static void test_changed_bytes_never_leave_the_ranges(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    uint32_t size = f.broker.config_size;
    uint8_t bytes[64];
    memcpy(bytes, f.broker.config, size);
    for (uint32_t at = 0; at < size; at++) {
        for (int with = 1; with < 256; with += 6) {
            uint8_t changed[64];
            memcpy(changed, bytes, size);
            changed[at] ^= (uint8_t)with;
            f.remote.version = 0;
            fake_uplink_config(&f.broker, changed, size);
            run(20);
            assert_in_range(age(), 10, 86400000);
        }
    }
}

/// Power loss ///

/* Two documents and a removal, with the power failing at one write after the other. What is in
 * force afterwards is one of those that were there, and without a trial it is one that was good. */
static void life(void)
{
    run(100);
    publish_age(1, 100);
    run(TRIAL_MS);
    publish_age(2, 200);
    run(TRIAL_MS);
    fake_uplink_config(&f.broker, "", 0);
    run(100);
    publish_age(3, 300);
    run(TRIAL_MS);
}

static void test_power_fails_at_any_write(void **state)
{
    life();
    int writes = f.saves;
    assert_true(writes >= 7);
    for (int cut = 1; cut <= writes; cut++) {
        for (int after = 0; after < 2; after++) {
            set_up(state);
            f.cut_at = cut;
            f.cut_after = after;
            life();
            f.broker.reachable = false;
            reboot();
            uint32_t first = age();
            assert_true(first == 100 || first == 200 || first == 300 || first == 700);
            f.broker.reachable = true;
            run(2 * TRIAL_MS);
            assert_int_equal(age(), 300); /* the broker has it still */
            assert_int_equal(told().state, DUN_REMOTE_KEPT);
        }
    }
}

/* The shelf's promise broken: whatever lies there is whole, or not believed. */
/* The shelf fails when a document comes, and not any more when it is kept. */
static void test_what_was_kept_is_what_comes_after_a_boot(void **state)
{
    (void)state;
    run(100);
    publish_age(5, 100);
    run(TRIAL_MS);
    f.dead = true;
    publish_age(6, 200);
    run(100);
    f.dead = false;
    run(TRIAL_MS);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
    reboot();
    assert_int_equal(age(), 200);
    assert_int_equal(f.remote.state, DUN_REMOTE_KEPT);
}

static void test_spoilt_records_are_not_believed(void **state)
{
    (void)state;
    run(100);
    publish_age(1, 100);
    run(TRIAL_MS);
    uint8_t good[2][SHELF_MAX];
    memcpy(good, f.slots, sizeof good);
    f.broker.reachable = false;
    for (int at = 0; at < f.sizes[1]; at++) {
        memcpy(f.slots, good, sizeof good);
        f.slots[0][at % f.sizes[0]] ^= 0x10;
        f.slots[1][at] ^= 0x10;
        reboot();
        assert_int_equal(age(), 700);
    }
    int whole = f.sizes[1];
    memcpy(f.slots, good, sizeof good);
    f.sizes[0] = 0;
    for (f.sizes[1] = 0; f.sizes[1] < whole; f.sizes[1]++) {
        reboot();
        assert_int_equal(age(), 700);
    }
    reboot();
    assert_int_equal(age(), 100);
}

static void test_without_a_shelf_it_is_told_that_it_is_fleeting(void **state)
{
    (void)state;
    run(100);
    f.remote.shelf = NULL;
    publish_age(1, 100);
    run(TRIAL_MS);
    assert_int_equal(told().state, DUN_REMOTE_KEPT);
    assert_int_equal(told().fleeting, 1);
}

static void test_report_is_repeated(void **state)
{
    (void)state;
    run(100);
    begin(1);
    add((struct given){"report.interval", .value = 1000});
    publish();
    run(100);
    unsigned before = fake_uplink_count(&f.broker, "reported");
    run(5000);
    assert_in_range(fake_uplink_count(&f.broker, "reported") - before, 4, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_keys_are_applied, set_up),
        cmocka_unit_test_setup(test_what_no_document_says_is_as_the_board_has_it, set_up),
        cmocka_unit_test_setup(test_each_key_is_judged, set_up),
        cmocka_unit_test_setup(test_metric_declared_later_is_tuned_and_told, set_up),
        cmocka_unit_test_setup(test_good_document_is_kept_over_a_boot, set_up),
        cmocka_unit_test_setup(test_unreachable_broker_rolls_back_and_it_is_not_tried_again,
                               set_up),
        cmocka_unit_test_setup(test_first_document_rolls_back_to_the_boards_own, set_up),
        cmocka_unit_test_setup(test_silent_broker_rolls_back, set_up),
        cmocka_unit_test_setup(test_refusing_broker_was_reached, set_up),
        cmocka_unit_test_setup(test_boots_in_the_trial_end_it, set_up),
        cmocka_unit_test_setup(test_versions_only_go_up, set_up),
        cmocka_unit_test_setup(test_removal_goes_back_to_the_boards_own, set_up),
        cmocka_unit_test_setup(test_too_large_is_told_and_changes_nothing, set_up),
        cmocka_unit_test_setup(test_a_document_cut_at_any_byte_is_refused_whole, set_up),
        cmocka_unit_test_setup(test_changed_bytes_never_leave_the_ranges, set_up),
        cmocka_unit_test_setup(test_power_fails_at_any_write, set_up),
        cmocka_unit_test_setup(test_what_was_kept_is_what_comes_after_a_boot, set_up),
        cmocka_unit_test_setup(test_spoilt_records_are_not_believed, set_up),
        cmocka_unit_test_setup(test_without_a_shelf_it_is_told_that_it_is_fleeting, set_up),
        cmocka_unit_test_setup(test_report_is_repeated, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
