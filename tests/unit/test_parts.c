/*
 * test_parts.c: the core without the parts that base.h lets go, as a small board links it: what is
 * not there is refused, and what is there keeps its promises: order, the ledger, no sequence twice.
 */
#include "log_bench.h"

#include "agent.h"
#include "encoder.h"
#include "fake_uplink.h"
#include "mqtt/session.h"

enum { METRICS = 2, POINTS = 16, WINDOW = 4, LOSSES = 8 };

/// The parts of this program: all or none, as `has` says ///

static bool has;

bool dun_has_routes(void)
{
    return has;
}

bool dun_has_reasons(void)
{
    return has;
}

bool dun_has_stored(void)
{
    return has;
}

bool dun_has_remote(void)
{
    return has;
}

bool dun_has_inbound(void)
{
    return has;
}

bool dun_has_lanes(void)
{
    return has;
}

bool dun_has_spare(void)
{
    return has;
}

bool dun_has_archive(void)
{
    return has;
}

bool dun_has_keeping(void)
{
    return has;
}

bool dun_has_limits(void)
{
    return has;
}

bool dun_has_ranges(void)
{
    return has;
}

bool dun_has_mending(void)
{
    return has;
}

const struct dun_encoder *dun_encoder_default(void)
{
    return has ? &dun_columns : &dun_deltas;
}

static int have_none(void **state)
{
    (void)state;
    has = false;
    return 0;
}

/// An agent ///

static struct {
    struct bench bench;
    struct dun_agent agent;
    struct dun_store store, other;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[WINDOW];
    struct fake_uplink broker;
    dun_ms now;
} f;

/* What dun_agent_init does not like, or NULL. */
static const char *start_agent(const struct dun_agent_config *given, enum dun_log_overflow overflow,
                               struct dun_store *spare)
{
    const struct dun_metric metric = {.name = "m", .unit = "1", .kind = DUN_GAUGE};
    const char *wrong = NULL;
    struct dun_agent_config config = *given;
    f.now = 0;
    set_up(&f.bench, 512, 8, 4);
    fake_uplink_init(&f.broker);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    dun_store_init(&f.store, &(struct dun_store_config){.flash = &f.bench.flash,
                                                        .unit = {f.bench.unit, 4},
                                                        .losses = f.bench.losses,
                                                        .losses_max = LOSSES,
                                                        .new_stream = STREAM,
                                                        .overflow = overflow});
    const struct dun_agent_parts parts = {.catalog = &f.catalog,
                                          .batch = &f.batch,
                                          .store = &f.store,
                                          .spare = spare,
                                          .archive = &f.other,
                                          .limits = f.limits,
                                          .window = f.window,
                                          .window_max = WINDOW,
                                          .uplink = &f.broker.uplink,
                                          .uplink_config = {.host = "h", .client_id = "d"}};
    config.device = "d";
    config.boot = 1;
    int result = dun_agent_init(&f.agent, &config, &parts, 0, &wrong);
    assert_int_equal(result, wrong ? DUN_E_INVALID : DUN_OK);
    if (!wrong)
        assert_int_equal(dun_agent_declare(&f.agent, &metric), 0);
    return wrong;
}

static void what_is_left_out_is_refused(void **state)
{
    static const struct dun_agent_config plain, stored = {.ack_mode = DUN_ACK_STORED};
    (void)state;
    assert_string_equal(start_agent(&stored, DUN_LOG_DROP_OLDEST, NULL), "ack_mode");
    assert_string_equal(start_agent(&plain, DUN_LOG_DROP_NEWEST, NULL), "overflow");
    assert_string_equal(start_agent(&plain, DUN_LOG_THIN, NULL), "archive");
    assert_string_equal(start_agent(&plain, DUN_LOG_DROP_OLDEST, &f.other), "spare");
    assert_null(start_agent(&plain, DUN_LOG_DROP_OLDEST, NULL));
    assert_int_equal(dun_agent_limit(&f.agent, 0, 1, 2), DUN_E_INVALID);
    assert_int_equal(dun_agent_tune(&f.agent, 0, &(struct dun_tuning){0}), DUN_E_INVALID);
    has = true;
    assert_null(start_agent(&stored, DUN_LOG_DROP_NEWEST, &f.other));
    assert_int_equal(dun_agent_limit(&f.agent, 0, 1, 2), DUN_OK);
}

static void record_many(int count)
{
    for (int i = 0; i < count; i++) {
        f.now += 100;
        assert_int_equal(dun_agent_record(&f.agent, 0, i * i, f.now), DUN_OK);
        assert_int_equal(dun_agent_seal(&f.agent, f.now), DUN_OK);
    }
}

static void run(dun_ms duration)
{
    for (dun_ms end = f.now + duration; f.now < end; f.now += 10)
        dun_agent_step(&f.agent, f.now);
}

static void an_outage_is_delivered_in_order_and_once(void **state)
{
    static const struct dun_agent_config plain;
    (void)state;
    assert_null(start_agent(&plain, DUN_LOG_DROP_OLDEST, NULL));
    f.broker.reachable = f.broker.auto_ack = true;
    record_many(5);
    run(2000);
    fake_uplink_cut(&f.broker);
    f.broker.reachable = false;
    run(100);
    record_many(10);
    f.broker.reachable = true;
    run(10000);
    dun_sequence next = dun_log_next_sequence(&f.store.log);
    assert_int_equal(fake_uplink_count(&f.broker, "batch"), next - 1);
    for (unsigned i = 0; i + 1 < next; i++)
        assert_int_equal(fake_sequence(fake_uplink_message(&f.broker, "batch", i)), i + 1);
    assert_int_equal(dun_agent_backlog(&f.agent), 0);
}

/* One record is refused while those before and behind it wait: it is told as lost, they arrive. */
static void a_refused_record_is_told_and_holds_up_nobody(void **state)
{
    static const struct dun_agent_config plain;
    (void)state;
    assert_null(start_agent(&plain, DUN_LOG_DROP_OLDEST, NULL));
    f.broker.reachable = f.broker.auto_ack = true;
    run(500);
    f.broker.ack_reason = 0x87;
    record_many(1);
    run(500);
    assert_true(f.agent.stats.records_rejected > 0);
    f.broker.ack_reason = 0;
    record_many(3);
    run(15000);
    assert_int_equal(dun_agent_backlog(&f.agent), 0);
    assert_int_equal(f.store.ledger.count, 0); /* told, acknowledged, forgotten */
}

/// A log ///

static void damage_is_passed_when_all_before_it_is_acknowledged(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor, damaged;
    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 8);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    while (cursor.sequence < 5)
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    damaged = cursor;
    memory[sizeof(struct dun_flash_geometry) + damaged.block * 1024 + damaged.offset] ^= 1;
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    while (cursor.sequence < 4)
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    assert_int_equal(dun_log_next(&bench.log, &cursor), DUN_E_AGAIN);
    assert_int_equal(bench.ledger.count, 0);
    assert_int_equal(dun_log_ack_to(&bench.log, 4), 0);
    assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    assert_int_equal(cursor.sequence, 6);
    assert_int_equal(bench.ledger.count, 1);
    assert_int_equal(bench.losses[0].first, 5);
    assert_int_equal(bench.losses[0].last, 5);
    assert_int_equal(dun_log_first_sequence(&bench.log), 6);
}

/* Acks that only a board with all parts could remember: the records are sent again, none is lost.
 */
static void ranges_of_another_build_are_sent_again(void **state)
{
    struct bench bench;
    (void)state;
    has = true;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 6);
    assert_int_equal(dun_log_ack(&bench.log, 1), 0);
    assert_int_equal(dun_log_ack(&bench.log, 3), 0);
    assert_int_equal(dun_log_ack(&bench.log, 5), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    has = false;
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 2, 6);
    assert_int_equal(dun_log_ack(&bench.log, 4), DUN_E_FULL);
    assert_int_equal(dun_log_ack(&bench.log, 2), 0);
    append_many(&bench, 1);
    has = true;
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 3, 7);
}

static void any_flipped_bit_is_survived(void **state)
{
    static uint8_t kept[256 * 5];
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t *image = memory + sizeof(struct dun_flash_geometry);
    (void)state;
    start(&bench, 256, 5, 4);
    append_many(&bench, 40);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    memcpy(kept, image, sizeof kept);
    for (uint32_t bit = 0; bit < sizeof kept * 8; bit++) {
        memcpy(image, kept, sizeof kept);
        image[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(mount_again(&bench), 0);
        assert_false(bench.report.formatted);
        assert_true(dun_log_next_sequence(&bench.log) >= 41); /* none is given twice */
        check_all_are_accounted_for(&bench, cursor.sequence, 41);
        append_many(&bench, 1);
    }
}

/* An opening that a power cut tore, with nothing behind it, costs no sequences. */
static void a_torn_opening_is_no_loss(void **state)
{
    struct bench bench;
    uint32_t newest;
    (void)state;
    start(&bench, 512, 4, 4);
    append_many(&bench, 3);
    newest = bench.log.base;
    memset(memory + sizeof(struct dun_flash_geometry) + (newest + 1) % 4 * 512, 0x5A, 20);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_next_sequence(&bench.log), 4);
    assert_int_equal(bench.ledger.count, 0);
    append_many(&bench, 30);
    assert_int_equal(dun_log_damaged(&bench.log), 0);
}

/// A session ///

/* A broker may keep subscriptions of an earlier firmware. */
static void messages_pass_unheard(void **state)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    static const uint8_t small[] = {0x32, 7, 0, 1, 't', 0, 9, 'h', 'i'};
    static uint8_t large[2 + 100] = {0x32, 100, 0, 1, 't', 0, 9};
    uint8_t rx[16], tx[64];
    struct dun_mqtt_slot slots[2];
    const struct dun_mqtt_memory memories = {
        .rx = {rx, sizeof rx}, .tx = {tx, sizeof tx}, .slots = slots, .slot_count = 2};
    const struct dun_mqtt_connect connect = {.version = 4, .client_id = {(const uint8_t *)"d", 1}};
    struct dun_mqtt_session session;
    struct dun_mqtt_piece piece;
    (void)state;
    assert_int_equal(dun_mqtt_init(&session, &memories), 0);
    assert_int_equal(dun_mqtt_connect(&session, &connect, &(struct dun_mqtt_times){0}, 0), 0);
    assert_true(dun_mqtt_output(&session, &piece));
    dun_mqtt_taken(&session, piece.size, 0);
    assert_int_equal(dun_mqtt_feed(&session, (struct dun_span){connack, 4}, 0), 4);
    assert_int_equal(dun_mqtt_next_event(&session)->kind, DUN_MQTT_EVENT_CONNECTED);
    assert_int_equal(dun_mqtt_feed(&session, (struct dun_span){small, sizeof small}, 0), 9);
    for (size_t i = 0; i < sizeof large; i++)
        assert_int_equal(dun_mqtt_feed(&session, (struct dun_span){large + i, 1}, 0), 1);
    assert_null(dun_mqtt_next_event(&session));
    assert_false(dun_mqtt_output(&session, &piece)); /* no PUBACK: nobody has it */
    assert_true(dun_mqtt_is_idle(&session));
    assert_int_equal(session.stats.skipped_messages, 2);
    assert_int_equal(
        dun_mqtt_send_subscribe(&session, (struct dun_span){(const uint8_t *)"t", 1}, 0, 0),
        DUN_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_left_out_is_refused, have_none),
        cmocka_unit_test_setup(an_outage_is_delivered_in_order_and_once, have_none),
        cmocka_unit_test_setup(a_refused_record_is_told_and_holds_up_nobody, have_none),
        cmocka_unit_test_setup(damage_is_passed_when_all_before_it_is_acknowledged, have_none),
        cmocka_unit_test_setup(ranges_of_another_build_are_sent_again, have_none),
        cmocka_unit_test_setup(any_flipped_bit_is_survived, have_none),
        cmocka_unit_test_setup(a_torn_opening_is_no_loss, have_none),
        cmocka_unit_test_setup(messages_pass_unheard, have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
