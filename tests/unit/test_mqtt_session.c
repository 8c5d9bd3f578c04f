/*
 * test_mqtt_session.c: what the transcripts cannot say: a session against a model over a long
 * random life with reconnects, its memory limits, and the size of what it keeps.
 *
 * The scenarios byte for byte are in tests/transcripts/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/session.h"

#define WINDOW     5
#define FLIGHTS    400000
#define TOKENS     64
#define NOT_FLYING 0

/* The broker's and the agent's view of what is in flight. */
struct model {
    struct dun_mqtt_session session;
    struct dun_mqtt_slot slots[WINDOW];
    uint8_t rx[16], tx[64];
    uint16_t id_of[TOKENS]; /* NOT_FLYING: not in flight */
    bool again[TOKENS];     /* was in flight on an earlier connection of this session */
    unsigned flying;
    uint64_t random;
    dun_ms now;
};

static unsigned draw(struct model *model, unsigned below)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(model->random >> 33) % below;
}

static const struct dun_mqtt_event *feed(struct model *model, const uint8_t *bytes, size_t size)
{
    struct dun_span input = {bytes, size};
    assert_int_equal(dun_mqtt_feed(&model->session, input, model->now), size);
    return dun_mqtt_next_event(&model->session);
}

static size_t drain(struct model *model, uint8_t *bytes)
{
    struct dun_mqtt_piece piece;
    size_t size = 0;
    while (dun_mqtt_output(&model->session, &piece)) {
        assert_non_null(piece.data);
        memcpy(bytes + size, piece.data, piece.size);
        size += piece.size;
        dun_mqtt_taken(&model->session, piece.size, model->now);
    }
    return size;
}

static void reconnect(struct model *model, bool present)
{
    uint8_t bytes[64];
    const uint8_t connack[] = {0x20, 2, present, 0};
    struct dun_mqtt_connect connect = {.client_id = {(const uint8_t *)"d", 1}};
    struct dun_mqtt_times times = {0};
    dun_mqtt_lost(&model->session);
    assert_int_equal(dun_mqtt_connect(&model->session, &connect, &times, model->now), DUN_OK);
    drain(model, bytes);
    const struct dun_mqtt_event *event = feed(model, connack, sizeof connack);
    assert_non_null(event);
    assert_int_equal(event->kind, DUN_MQTT_EVENT_CONNECTED);
    for (unsigned token = 0; token < TOKENS; token++) {
        model->again[token] = present && (model->again[token] || model->id_of[token] != 0);
        if (!present) {
            model->id_of[token] = NOT_FLYING;
        }
    }
    model->flying = 0;
}

static void check_id(struct model *model, unsigned token, uint16_t id, bool dup)
{
    assert_int_not_equal(id, 0);
    assert_int_equal(dup, model->again[token]);
    if (dup) {
        assert_int_equal(id, model->id_of[token]);
    }
    for (unsigned other = 0; other < TOKENS; other++) {
        assert_true(other == token || model->id_of[other] != id);
    }
}

static void publish(struct model *model, unsigned token)
{
    uint8_t bytes[64];
    struct dun_mqtt_publish message = {.topic = {(const uint8_t *)"t", 1}, .qos = 1};
    int result = dun_mqtt_send_publish(&model->session, &message, (uint16_t)token, model->now);
    if (model->flying == WINDOW) {
        assert_int_equal(result, DUN_E_AGAIN);
        return;
    }
    assert_int_equal(result, DUN_OK);
    assert_int_equal(drain(model, bytes), 7);
    uint16_t id = (uint16_t)(bytes[5] << 8 | bytes[6]);
    check_id(model, token, id, (bytes[0] & 8) != 0);
    model->id_of[token] = id;
    model->again[token] = false;
    model->flying++;
}

/* An ack of `token`, which is in flight on this connection or not. */
static void acknowledge(struct model *model, unsigned token, bool flying)
{
    uint16_t id = model->id_of[token] != 0 ? model->id_of[token] : 0x7777;
    uint32_t unmatched = model->session.stats.unmatched_acks;
    const uint8_t puback[] = {0x40, 2, (uint8_t)(id >> 8), (uint8_t)id};
    for (unsigned other = 0; other < TOKENS && !flying; other++) {
        if (model->id_of[other] == id && !model->again[other]) {
            return; /* 0x7777 happens to be in use */
        }
    }
    const struct dun_mqtt_event *event = feed(model, puback, sizeof puback);
    if (!flying) {
        assert_null(event);
        assert_int_equal(model->session.stats.unmatched_acks, unmatched + 1);
        return;
    }
    assert_non_null(event);
    assert_int_equal(event->kind, DUN_MQTT_EVENT_ACKED);
    assert_int_equal(event->token, token);
    model->id_of[token] = NOT_FLYING;
    model->flying--;
}

static void start(struct model *model)
{
    *model = (struct model){.random = 42};
    struct dun_mqtt_memory memory = {.rx = {model->rx, sizeof model->rx},
                                     .tx = {model->tx, sizeof model->tx},
                                     .slots = model->slots,
                                     .slot_count = WINDOW};
    assert_int_equal(dun_mqtt_init(&model->session, &memory), DUN_OK);
    reconnect(model, false);
}

/* After a reconnect to a kept session the agent publishes again, in any order, all that was not
 * acknowledged, before anything new. */
static void resend(struct model *model)
{
    unsigned first = draw(model, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++) {
        unsigned token = (first + i) % TOKENS;
        if (model->again[token]) {
            publish(model, token);
        }
    }
}

/* Several wraps of the packet ids, acks in any order, unknown acks, reconnects of both kinds. */
static void long_life_agrees_with_the_model(void **state)
{
    (void)state;
    static struct model model;
    start(&model);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        unsigned token = draw(&model, TOKENS);
        unsigned what = draw(&model, 1000);
        if (what == 0) {
            reconnect(&model, draw(&model, 4) > 0);
            resend(&model);
        } else if (model.id_of[token] != NOT_FLYING) {
            acknowledge(&model, token, true);
        } else if (what < 50) {
            acknowledge(&model, token, false);
        } else {
            publish(&model, token);
        }
    }
}

/* The same for a slot that stays in use while the ids go around. */
static void a_stuck_id_is_never_given_twice(void **state)
{
    (void)state;
    static struct model model;
    start(&model);
    publish(&model, 0);
    for (unsigned i = 0; i < 200000; i++) {
        publish(&model, 1 + i % 2);
        acknowledge(&model, 1 + i % 2, true);
    }
    acknowledge(&model, 0, true);
}

static void memory_limits_are_checked(void **state)
{
    (void)state;
    struct dun_mqtt_session session;
    struct dun_mqtt_slot slots[1];
    uint8_t bytes[16];
    struct dun_mqtt_memory good = {{bytes, 4}, {bytes, 16}, slots, 1};
    struct dun_mqtt_memory bad = good;
    assert_int_equal(dun_mqtt_init(&session, &good), DUN_OK);
    bad.rx.size = 3;
    assert_int_equal(dun_mqtt_init(&session, &bad), DUN_E_INVALID);
    bad = good;
    bad.tx.size = 15;
    assert_int_equal(dun_mqtt_init(&session, &bad), DUN_E_INVALID);
    bad = good;
    bad.slot_count = 0;
    assert_int_equal(dun_mqtt_init(&session, &bad), DUN_E_INVALID);
    bad.slot_count = 32768;
    assert_int_equal(dun_mqtt_init(&session, &bad), DUN_E_INVALID);
}

static void nothing_moves_without_a_connection(void **state)
{
    (void)state;
    static struct model model;
    struct dun_mqtt_piece piece;
    start(&model);
    dun_mqtt_lost(&model.session);
    assert_false(dun_mqtt_output(&model.session, &piece));
    assert_int_equal(dun_mqtt_feed(&model.session, (struct dun_span){model.rx, 4}, 0), 0);
    assert_int_equal(dun_mqtt_deadline(&model.session), DUN_MS_NEVER);
    assert_null(dun_mqtt_next_event(&model.session));
    dun_mqtt_tick(&model.session, DUN_MS_NEVER - 1);
    assert_null(dun_mqtt_next_event(&model.session));
    struct dun_span filter = {(const uint8_t *)"t", 1};
    assert_int_equal(dun_mqtt_send_subscribe(&model.session, filter, 1, 0), DUN_E_CLOSED);
    dun_mqtt_send_disconnect(&model.session, 0);
    assert_false(dun_mqtt_output(&model.session, &piece));
}

/* A head that does not fit the buffer at all, and a message of this session that hits it: refused,
 * and the slot is still there for the next try. */
static void a_refused_resend_keeps_its_slot(void **state)
{
    (void)state;
    static struct model model;
    static const uint8_t long_topic[64] = "tttttttttttttttttttttttttttttttttttttttttttttttttttttt"
                                          "tttttttttt";
    start(&model);
    publish(&model, 7);
    reconnect(&model, true);
    struct dun_mqtt_publish message = {.topic = {long_topic, 64}, .qos = 1};
    assert_int_equal(dun_mqtt_send_publish(&model.session, &message, 7, 0), DUN_E_TOO_LARGE);
    publish(&model, 7);
    acknowledge(&model, 7, true);
}

int main(void)
{
    _Static_assert(sizeof(struct dun_mqtt_slot) == 4, "a publish in flight costs 4 bytes");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_life_agrees_with_the_model),
        cmocka_unit_test(a_stuck_id_is_never_given_twice),
        cmocka_unit_test(memory_limits_are_checked),
        cmocka_unit_test(nothing_moves_without_a_connection),
        cmocka_unit_test(a_refused_resend_keeps_its_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
