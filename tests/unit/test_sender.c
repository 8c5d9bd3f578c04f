/*
 * test_sender.c: what a broker of version 5 says and what the agent makes of it: which answers free
 * a record, which pause the sending, which put a record in quarantine; limits, redirects, the will.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent.h"
#include "flash_ram.h"

enum {
    POINTS = 32,
    METRICS = 2,
    WINDOW = 4,
    BLOCK = 1024,
    BLOCKS = 16,
    LOSSES = 8,
    STEP_MS = 50,
    ACKS = 16,
    TAKEN_MAX = 2048,
    PAYLOAD_MAX = 1024,
    RETAINED = -1, /* in place of the sequence */
};

/* A publish as the broker saw it. */
struct taken {
    int64_t sequence;
    dun_ms when;
    uint32_t size;
    uint8_t qos, alias;
    bool typed, text;
};

struct broker {
    struct dun_uplink uplink;
    struct dun_uplink_terms terms;
    uint8_t (*answer)(int64_t sequence); /* the reason of the PUBACK */
    struct dun_uplink_event refusal;     /* of the next connections, while .kind is DOWN */
    struct dun_uplink_event end;         /* of this one, while .kind is DOWN */
    struct dun_uplink_config config;     /* of the last open */
    char host[64];
    int state; /* 0 closed, 1 opened, 2 up */
    bool writable_due, mute;
    int64_t poison; /* the record that ends the connection */
    unsigned opens, closes, closes_with_will;
    struct dun_uplink_event acks[ACKS];
    unsigned ack_count;
    struct taken taken[TAKEN_MAX];
    unsigned count;
    uint8_t last[PAYLOAD_MAX]; /* payload of the last record */
    uint32_t last_size;
    uint32_t code_seen; /* in a loss of reason REJECTED that a record told */
};

static struct fixture {
    struct dun_agent agent;
    struct dun_store store;
    struct dun_agent_config config;
    struct dun_uplink_config uplink_config;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_window_slot window[WINDOW];
    struct dun_notice notice_ring[16];
    char redirect_host[128];
    struct dun_loss losses[LOSSES];
    struct dun_flash flash;
    uint8_t bytes[BLOCK * BLOCKS + 16];
    uint8_t unit[16];
    struct broker broker;
    dun_ms now;
    unsigned notices[32]; /* by kind */
    struct dun_notice last[32];
} f;

/// The broker ///

static uint8_t takes_all(int64_t sequence)
{
    (void)sequence;
    return 0;
}

static int broker_open(void *context, const struct dun_uplink_config *config, dun_ms now)
{
    struct broker *broker = context;
    (void)now;
    assert_int_equal(broker->state, 0);
    broker->config = *config;
    snprintf(broker->host, sizeof broker->host, "%s", config->host);
    broker->opens++;
    broker->state = 1;
    return DUN_OK;
}

static int64_t sequence_in(const uint8_t *payload)
{
    uint64_t sequence = 0;
    unsigned shift = 0, at = 10;
    assert_int_equal(payload[9], 0x10);
    do {
        sequence |= (uint64_t)(payload[at] & 0x7F) << shift;
        shift += 7;
    } while (payload[at++] >= 0x80);
    return (int64_t)sequence;
}

/* Loss{reason: REJECTED ... code} as the encoder writes it: the code is its last field. */
static void look_for_code(struct broker *broker)
{
    for (uint32_t at = 0; at + 3 <= broker->last_size; at++)
        if (broker->last[at] == 0x38 && broker->last[at + 2] == 0x01 &&
            broker->last[at + 1] >= 0x80)
            broker->code_seen = broker->last[at + 1];
}

static int broker_publish(void *context, const struct dun_message *message, dun_ms now)
{
    struct broker *broker = context;
    if (broker->state != 2)
        return DUN_E_CLOSED;
    if (broker->writable_due || broker->ack_count == ACKS)
        return DUN_E_AGAIN;
    assert_true(message->qos <= broker->terms.qos_max);
    if (message->payload.size + strlen(message->topic) + 40 > broker->terms.packet_max)
        return DUN_E_TOO_LARGE;
    assert_true(broker->count < TAKEN_MAX);
    assert_in_range(message->payload.size, 1, PAYLOAD_MAX);
    uint8_t payload[PAYLOAD_MAX];
    assert_int_equal(
        message->payload.read(message->payload.context, 0, payload, message->payload.size), 0);
    int64_t sequence = message->retain ? RETAINED : sequence_in(payload);
    broker->taken[broker->count++] = (struct taken){.sequence = sequence,
                                                    .when = now,
                                                    .size = message->payload.size,
                                                    .qos = message->qos,
                                                    .alias = message->alias,
                                                    .typed = message->content_type != NULL,
                                                    .text = message->text};
    if (sequence != RETAINED) {
        memcpy(broker->last, payload, message->payload.size);
        broker->last_size = message->payload.size;
        look_for_code(broker);
    }
    if (sequence == broker->poison && sequence != 0)
        broker->end = (struct dun_uplink_event){
            .kind = DUN_UPLINK_DOWN, .error = DUN_E_CLOSED, .reason = 0x95};
    if (message->qos > 0)
        broker->acks[broker->ack_count++] = (struct dun_uplink_event){
            .kind = DUN_UPLINK_ACKED, .token = message->token, .reason = broker->answer(sequence)};
    broker->writable_due = true;
    return DUN_OK;
}

static int broker_subscribe(void *context, const char *filter, uint8_t qos, dun_ms now)
{
    (void)context;
    (void)filter;
    (void)qos;
    (void)now;
    return DUN_OK;
}

static bool go_down(struct broker *broker, struct dun_uplink_event *event,
                    const struct dun_uplink_event *why)
{
    broker->state = 0;
    broker->ack_count = 0;
    broker->writable_due = false;
    *event = *why;
    broker->end.kind = DUN_UPLINK_NONE;
    return true;
}

static bool broker_poll(void *context, dun_ms now, struct dun_uplink_event *event)
{
    struct broker *broker = context;
    (void)now;
    if (broker->state == 1 && broker->refusal.kind == DUN_UPLINK_DOWN)
        return go_down(broker, event, &broker->refusal);
    if (broker->state == 2 && broker->end.kind == DUN_UPLINK_DOWN)
        return go_down(broker, event, &broker->end);
    if (broker->state == 1) {
        broker->state = 2;
        *event = (struct dun_uplink_event){.kind = DUN_UPLINK_UP, .terms = broker->terms};
        return true;
    }
    if (broker->writable_due) {
        broker->writable_due = false;
        *event = (struct dun_uplink_event){.kind = DUN_UPLINK_WRITABLE};
        return true;
    }
    if (broker->state != 2 || broker->mute || broker->ack_count == 0)
        return false;
    *event = broker->acks[0];
    memmove(broker->acks, broker->acks + 1, --broker->ack_count * sizeof broker->acks[0]);
    return true;
}

static dun_ms broker_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

static bool broker_wants_write(void *context)
{
    (void)context;
    return false;
}

static void broker_close(void *context, bool will, dun_ms now)
{
    struct broker *broker = context;
    (void)now;
    broker->closes++;
    broker->closes_with_will += will;
    broker->state = 0;
    broker->ack_count = 0;
    broker->writable_due = false;
}

/// Fixture ///

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    struct dun_flash_geometry geometry = {
        .block_size = BLOCK, .block_count = BLOCKS, .prog_size = 1};
    assert_int_equal(
        dun_flash_ram_init(&f.flash, geometry, (struct dun_buffer){f.bytes, sizeof f.bytes}), 0);
    f.broker.uplink = (struct dun_uplink){.context = &f.broker,
                                          .open = broker_open,
                                          .publish = broker_publish,
                                          .subscribe = broker_subscribe,
                                          .poll = broker_poll,
                                          .deadline = broker_deadline,
                                          .wants_write = broker_wants_write,
                                          .close = broker_close};
    f.broker.answer = takes_all;
    f.broker.terms =
        (struct dun_uplink_terms){.packet_max = UINT32_MAX, .qos_max = 1, .retain = true};
    f.config = (struct dun_agent_config){
        .device = "d",
        .boot = 1,
        .random_seed = 7,
        .batch_age_max_ms = 100,
        .stable_ms = 5000,
    };
    f.uplink_config = (struct dun_uplink_config){.host = "home", .port = 1883, .client_id = "d"};
    return 0;
}

static void start(void)
{
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    dun_store_init(&f.store, &(struct dun_store_config){.flash = &f.flash,
                                                        .unit = {f.unit, sizeof f.unit},
                                                        .losses = f.losses,
                                                        .losses_max = LOSSES,
                                                        .new_stream = 0xD0});
    struct dun_agent_parts parts = {
        .catalog = &f.catalog,
        .batch = &f.batch,
        .store = &f.store,
        .notices = f.notice_ring,
        .notices_max = 16,
        .redirect_host = f.redirect_host,
        .redirect_size = sizeof f.redirect_host,
        .window = f.window,
        .window_max = WINDOW,
        .uplink = &f.broker.uplink,
        .uplink_config = f.uplink_config,
    };
    const struct dun_metric metric = {.name = "m", .unit = "1", .kind = DUN_GAUGE};
    assert_int_equal(dun_agent_init(&f.agent, &f.config, &parts, f.now, NULL), DUN_OK);
    assert_int_equal(dun_agent_declare(&f.agent, &metric), 0);
}

static void run(dun_ms ms)
{
    for (dun_ms end = f.now + ms; f.now < end; f.now += STEP_MS) {
        struct dun_notice notice;
        dun_agent_step(&f.agent, f.now);
        while (dun_agent_notice(&f.agent, &notice)) {
            f.notices[notice.kind]++;
            f.last[notice.kind] = notice;
        }
    }
}

/* Stores `count` records, each of one point. */
static void record(int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(dun_agent_record(&f.agent, 0, i, f.now), DUN_OK);
        assert_int_equal(dun_agent_seal(&f.agent, f.now), DUN_OK);
    }
}

static unsigned times_taken(int64_t sequence)
{
    unsigned times = 0;
    for (unsigned i = 0; i < f.broker.count; i++)
        times += f.broker.taken[i].sequence == sequence;
    return times;
}

static uint64_t stored(void)
{
    return dun_agent_backlog(&f.agent);
}

static void disconnect(int error, uint8_t reason)
{
    f.broker.end =
        (struct dun_uplink_event){.kind = DUN_UPLINK_DOWN, .error = error, .reason = reason};
    run(STEP_MS);
    f.broker.end.kind = DUN_UPLINK_NONE;
}

/// Answers ///

static uint8_t no_quota(int64_t sequence)
{
    return sequence == RETAINED ? 0 : 0x97;
}

/* Nothing is freed, sending pauses, ever longer, and then all of it arrives. */
static void quota_pauses_and_loses_nothing(void **state)
{
    (void)state;
    start();
    f.broker.answer = no_quota;
    record(10);
    run(60000);
    assert_int_equal(f.broker.opens, 1);
    assert_int_equal(f.notices[DUN_NOTICE_HELD], 1);
    assert_int_equal(f.last[DUN_NOTICE_HELD].reason, 0x97);
    assert_in_range(f.broker.count, 3 + 3, 3 + 12 * WINDOW);
    assert_int_equal(stored(), 11); /* the announcement is one */
    assert_int_equal(f.agent.stats.records_acked, 0);
    assert_int_equal(f.agent.stats.records_rejected, 0);
    f.broker.answer = takes_all;
    run(120000);
    assert_int_equal(stored(), 0);
    for (int64_t i = 5; i <= 11; i++)
        assert_int_equal(times_taken(i), 1);
}

static uint8_t third_not_authorised(int64_t sequence)
{
    return sequence == 3 ? 0x87 : 0;
}

static uint8_t third_fails_its_schema(int64_t sequence)
{
    return sequence == 3 ? 0x83 : 0;
}

static uint8_t third_has_a_wrong_format(int64_t sequence)
{
    return sequence == 3 ? 0x99 : 0;
}

static uint8_t third_too_large(int64_t sequence)
{
    return sequence == 3 ? 0x95 : 0;
}

/* One record in quarantine: it holds nobody up, comes once, and is told with the broker's word. */
static void a_permanent_refusal_is_quarantined(void **state)
{
    uint8_t (*const answers[])(int64_t) = {third_not_authorised, third_fails_its_schema,
                                           third_has_a_wrong_format, third_too_large};
    const uint8_t codes[] = {0x87, 0x83, 0x99, 0x95};
    for (size_t i = 0; i < sizeof codes; i++) {
        set_up(state);
        start();
        f.broker.answer = answers[i];
        record(6);
        run(2000);
        assert_int_equal(times_taken(3), 1);
        assert_int_equal(times_taken(7), 1);
        assert_int_equal(f.agent.stats.records_rejected, 1);
        assert_int_equal(f.agent.stats.records_acked, 7); /* six, and the one that tells */
        assert_int_equal(f.notices[DUN_NOTICE_REJECTED], 1);
        assert_int_equal(f.last[DUN_NOTICE_REJECTED].value, 3);
        assert_int_equal(f.last[DUN_NOTICE_REJECTED].reason, codes[i]);
        assert_int_equal(f.notices[DUN_NOTICE_HELD], 0);
        assert_int_equal(f.broker.code_seen, codes[i] == 0x95 ? 0 : codes[i]);
        assert_int_equal(stored(), 0);
    }
}

static uint8_t third_fails_somehow(int64_t sequence)
{
    return sequence == 3 ? 0x80 : 0;
}

/* 0x80 says nothing: it may pass, but not for ever. */
static void an_unspecified_error_counts_the_third_time(void **state)
{
    (void)state;
    start();
    f.broker.answer = third_fails_somehow;
    record(6);
    run(60000);
    assert_int_equal(times_taken(3), 3);
    assert_int_equal(times_taken(7), 1);
    assert_int_equal(f.agent.stats.records_rejected, 1);
    assert_int_equal(f.broker.code_seen, 0x80);
    assert_int_equal(stored(), 0);
}

static uint8_t refuses_all(int64_t sequence)
{
    return sequence == RETAINED ? 0 : 0x87;
}

/* A wrong access list must not cost a whole backlog in a second. */
static void when_all_is_refused_it_goes_slowly(void **state)
{
    (void)state;
    start();
    f.broker.answer = refuses_all;
    record(100);
    run(30000);
    assert_in_range(f.agent.stats.records_rejected, 8, 60);
    assert_int_equal(f.notices[DUN_NOTICE_HELD], 1);
    assert_true(stored() > 40);
}

static uint8_t nobody_listens(int64_t sequence)
{
    return sequence == RETAINED ? 0 : 0x10;
}

static void no_subscribers_is_a_setting(void **state)
{
    for (int keep = 0; keep < 2; keep++) {
        set_up(state);
        f.config.unheard = keep ? DUN_UNHEARD_KEPT : DUN_UNHEARD_DELIVERED;
        start();
        f.broker.answer = nobody_listens;
        record(3);
        run(30000);
        assert_int_equal(stored(), keep ? 4 : 0);
        f.broker.answer = takes_all;
        run(60000);
        assert_int_equal(stored(), 0);
        assert_int_equal(f.agent.stats.records_rejected, 0);
    }
}

static uint8_t retained_are_refused(int64_t sequence)
{
    return sequence == RETAINED ? 0x87 : 0;
}

static void a_refused_retained_message_holds_nobody_up(void **state)
{
    (void)state;
    start();
    f.broker.answer = retained_are_refused;
    record(3);
    run(2000);
    assert_int_equal(stored(), 0);
    assert_int_equal(f.notices[DUN_NOTICE_REJECTED], 3);
    assert_int_equal(times_taken(RETAINED), 3);
}

/// Limits ///

/* Values that no coding makes small. */
static int64_t noise(int i)
{
    uint64_t mixed = (uint64_t)(i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return (int64_t)(mixed ^ mixed >> 27);
}

static void records_are_made_to_fit_the_broker(void **state)
{
    (void)state;
    f.config.batch_bytes_max = 4096;
    f.config.batch_age_max_ms = 1000;
    f.broker.terms.packet_max = 180;
    start();
    run(500);
    f.broker.count = 0;
    for (int i = 0; i < 30; i++)
        assert_int_equal(dun_agent_record(&f.agent, 0, noise(i), f.now + i * i), DUN_OK);
    run(5000);
    assert_int_equal(stored(), 0);
    assert_int_equal(f.agent.stats.records_rejected, 0);
    assert_int_equal(f.agent.stats.points_recorded, 30);
    for (unsigned i = 0; i < f.broker.count; i++)
        assert_in_range(f.broker.taken[i].size, 1, 140);
}

/* What was stored before the broker told its limit, and does not fit, is told and passed over. */
static void an_oversized_stored_record_is_quarantined(void **state)
{
    (void)state;
    f.config.batch_bytes_max = 4096;
    start();
    record(1);
    for (int i = 0; i < 30; i++)
        assert_int_equal(dun_agent_record(&f.agent, 0, noise(i), f.now + i * i), DUN_OK);
    f.now += 1000;
    record(1);
    f.broker.terms.packet_max = 150;
    run(5000);
    assert_int_equal(f.agent.stats.records_rejected, 1);
    assert_int_equal(stored(), 0);
    assert_int_equal(f.broker.code_seen, 0);
}

static void a_broker_without_qos_1(void **state)
{
    for (int stored_mode = 0; stored_mode < 2; stored_mode++) {
        set_up(state);
        f.broker.terms.qos_max = 0;
        f.config.ack_mode = stored_mode ? DUN_ACK_STORED : DUN_ACK_PUBLISHED;
        start();
        record(3);
        run(20000);
        assert_int_equal(f.notices[DUN_NOTICE_NO_QOS] > 0, !stored_mode);
        assert_int_equal(f.notices[DUN_NOTICE_UP], stored_mode);
        assert_int_equal(times_taken(2), stored_mode);
        assert_int_equal(stored(), 4); /* no PUBACK, and no cursor yet: nothing is freed */
        assert_int_equal(f.broker.closes > 0, !stored_mode);
    }
}

static void a_broker_without_retained_messages_is_told_once(void **state)
{
    (void)state;
    f.broker.terms.retain = false;
    start();
    run(2000);
    disconnect(DUN_E_IO, 0);
    run(20000);
    assert_int_equal(f.notices[DUN_NOTICE_UP], 2);
    assert_int_equal(f.notices[DUN_NOTICE_NO_RETAIN], 1);
}

static void messages_say_what_they_are(void **state)
{
    (void)state;
    start();
    record(1);
    run(1000);
    unsigned texts = 0;
    for (unsigned i = 0; i < f.broker.count; i++) {
        const struct taken *taken = &f.broker.taken[i];
        texts += taken->text;
        assert_true(taken->text != taken->typed);
        assert_int_equal(taken->alias, taken->sequence == RETAINED ? 0 : 1);
    }
    assert_int_equal(texts, 1); /* status */
}

/// The end of connections ///

/* After each end an ordinary one would be retried within a second, nearly always. */
static void a_busy_broker_is_left_alone(void **state)
{
    const uint8_t reasons[] = {0x89, 0x97, 0x96, 0x9F};
    for (size_t i = 0; i < sizeof reasons; i++) {
        dun_ms waited = 0;
        for (uint64_t seed = 0; seed < 8; seed++) {
            set_up(state);
            f.config.random_seed = seed;
            start();
            run(6000);
            disconnect(DUN_E_CLOSED, reasons[i]);
            waited += f.last[DUN_NOTICE_DOWN].delay_ms;
        }
        assert_true(waited / 8 > 3000);
    }
}

/* A broker that throws the client out for one of its messages, without saying which. */
static void a_message_that_ends_the_connection_is_found(void **state)
{
    (void)state;
    start();
    f.broker.poison = 3;
    record(6);
    run(120000);
    assert_int_equal(stored(), 0);
    assert_int_equal(f.agent.stats.records_rejected, 1);
    assert_int_equal(f.last[DUN_NOTICE_REJECTED].value, 3);
    assert_in_range(times_taken(3), 3, 6);
    assert_int_equal(f.broker.opens, times_taken(3) + 1);
}

static void an_old_broker_is_told_once(void **state)
{
    (void)state;
    start();
    f.broker.refusal =
        (struct dun_uplink_event){.kind = DUN_UPLINK_DOWN, .error = DUN_E_UNSUPPORTED};
    while (f.broker.opens == 0)
        run(STEP_MS);
    assert_int_equal(f.broker.config.mqtt_version, 5);
    f.broker.refusal.kind = DUN_UPLINK_NONE;
    run(3000);
    assert_int_equal(f.broker.config.mqtt_version, 4);
    disconnect(DUN_E_IO, 0);
    run(20000);
    assert_int_equal(f.broker.config.mqtt_version, 4);
    assert_int_equal(f.notices[DUN_NOTICE_VERSION], 1);
    assert_int_equal(f.notices[DUN_NOTICE_UP], 2);
}

static void a_redirect_is_followed_and_told(void **state)
{
    (void)state;
    start();
    run(2000);
    f.broker.end = (struct dun_uplink_event){.kind = DUN_UPLINK_DOWN,
                                             .error = DUN_E_CLOSED,
                                             .reason = 0x9D,
                                             .server = {(const uint8_t *)"other:7", 7}};
    run(STEP_MS);
    f.broker.end.kind = DUN_UPLINK_NONE;
    run(2000);
    assert_string_equal(f.broker.host, "other");
    assert_int_equal(f.broker.config.port, 7);
    assert_int_equal(f.notices[DUN_NOTICE_REDIRECTED], 1);
    assert_int_equal(f.last[DUN_NOTICE_REDIRECTED].value, 7);
    f.broker.refusal =
        (struct dun_uplink_event){.kind = DUN_UPLINK_DOWN, .error = DUN_E_UNREACHABLE};
    disconnect(DUN_E_IO, 0);
    while (f.notices[DUN_NOTICE_BACK_HOME] == 0)
        run(STEP_MS);
    f.broker.refusal.kind = DUN_UPLINK_NONE;
    run(20000);
    assert_string_equal(f.broker.host, "home");
}

/* `offline` without an ack: then the broker must tell the will. */
static void the_will_speaks_for_whom_was_not_heard(void **state)
{
    for (int mute = 0; mute < 2; mute++) {
        set_up(state);
        start();
        run(2000);
        f.broker.mute = mute;
        dun_agent_end(&f.agent, f.now, f.now + 1000);
        run(5000);
        assert_true(dun_agent_ended(&f.agent));
        assert_int_equal(f.broker.closes, 1);
        assert_int_equal(f.broker.closes_with_will, mute);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quota_pauses_and_loses_nothing, set_up),
        cmocka_unit_test_setup(a_permanent_refusal_is_quarantined, set_up),
        cmocka_unit_test_setup(an_unspecified_error_counts_the_third_time, set_up),
        cmocka_unit_test_setup(when_all_is_refused_it_goes_slowly, set_up),
        cmocka_unit_test_setup(no_subscribers_is_a_setting, set_up),
        cmocka_unit_test_setup(a_refused_retained_message_holds_nobody_up, set_up),
        cmocka_unit_test_setup(records_are_made_to_fit_the_broker, set_up),
        cmocka_unit_test_setup(an_oversized_stored_record_is_quarantined, set_up),
        cmocka_unit_test_setup(a_broker_without_qos_1, set_up),
        cmocka_unit_test_setup(a_broker_without_retained_messages_is_told_once, set_up),
        cmocka_unit_test_setup(messages_say_what_they_are, set_up),
        cmocka_unit_test_setup(a_busy_broker_is_left_alone, set_up),
        cmocka_unit_test_setup(a_message_that_ends_the_connection_is_found, set_up),
        cmocka_unit_test_setup(an_old_broker_is_told_once, set_up),
        cmocka_unit_test_setup(a_redirect_is_followed_and_told, set_up),
        cmocka_unit_test_setup(the_will_speaks_for_whom_was_not_heard, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
