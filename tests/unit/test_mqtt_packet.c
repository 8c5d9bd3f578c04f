/* test_mqtt_packet.c: encoders and decoders of single MQTT packets, at every size of their buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/packet.h"

static struct dun_span text(const char *chars)
{
    return (struct dun_span){(const uint8_t *)chars, strlen(chars)};
}

static void assert_packet(const uint8_t *got, int size, const void *wanted, size_t wanted_size)
{
    assert_int_equal(size, wanted_size);
    assert_memory_equal(got, wanted, wanted_size);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "\xC3\xA4",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBB\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xE2\x82",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "ok\xFE"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(dun_mqtt_utf8_ok(text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(dun_mqtt_utf8_ok(text(bad[i])));
    }
    assert_false(dun_mqtt_utf8_ok((struct dun_span){(const uint8_t *)"a\0b", 3}));
}

static void filters_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"#", "+", "/", "a/#", "+/b", "a/+/b", "+/+", "/+/#", "a"};
    static const char *const bad[] = {"", "a#", "#/a", "a+", "+a", "a/+b", "a/b#", "##", "++"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(dun_mqtt_filter_ok(text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(dun_mqtt_filter_ok(text(bad[i])));
    }
}

/* The remaining lengths at the borders of the table in 2.2.3. */
static void publish_lengths_have_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint32_t payload;
        uint8_t length[4];
        size_t size;
    } rows[] = {
        {0, {3}, 1},
        {124, {127}, 1},
        {125, {0x80, 1}, 2},
        {16380, {0xFF, 0x7F}, 2},
        {16381, {0x80, 0x80, 1}, 3},
        {2097148, {0xFF, 0xFF, 0x7F}, 3},
        {2097149, {0x80, 0x80, 0x80, 1}, 4},
        {DUN_MQTT_REMAINING_MAX - 3, {0xFF, 0xFF, 0xFF, 0x7F}, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[16];
        struct dun_mqtt_publish publish = {.topic = text("t"), .payload_size = rows[i].payload};
        int size = dun_mqtt_encode_publish((struct dun_buffer){out, sizeof out}, &publish);
        assert_int_equal(size, 1 + rows[i].size + 3);
        assert_memory_equal(out + 1, rows[i].length, rows[i].size);
        uint32_t value = 0;
        for (uint8_t j = 0; j < rows[i].size; j++) {
            int done = dun_mqtt_decode_length(out[1 + j], j, &value);
            assert_int_equal(done, j + 1u == rows[i].size);
        }
        assert_int_equal(value, rows[i].payload + 3);
    }
}

static void publish_refuses_what_mqtt_does_not_allow(void **state)
{
    (void)state;
    uint8_t out[64];
    struct dun_buffer room = {out, sizeof out};
    static const struct dun_mqtt_publish good = {
        .topic = {(const uint8_t *)"t", 1}, .packet_id = 1, .qos = 1};
    struct dun_mqtt_publish bad = good;
    assert_int_equal(dun_mqtt_encode_publish(room, &good), 7);
    bad.qos = 2;
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_INVALID);
    bad.qos = 0; /* an id with QoS 0 */
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_INVALID);
    bad = good;
    bad.packet_id = 0;
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_INVALID);
    bad = good;
    bad.payload_size = DUN_MQTT_REMAINING_MAX - 4;
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_TOO_LARGE);
    bad.payload_size = UINT32_MAX;
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_TOO_LARGE);
    bad = good;
    bad.topic = text("a/#");
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_INVALID);
    bad.topic = text("");
    assert_int_equal(dun_mqtt_encode_publish(room, &bad), DUN_E_INVALID);
}

static void small_packets_are_exact(void **state)
{
    (void)state;
    uint8_t out[32];
    struct dun_buffer room = {out, sizeof out};
    assert_packet(out, dun_mqtt_encode_puback(room, 0x1234), "\x40\x02\x12\x34", 4);
    assert_packet(out, dun_mqtt_encode_empty(room, DUN_MQTT_PINGREQ), "\xC0\x00", 2);
    assert_packet(out, dun_mqtt_encode_empty(room, DUN_MQTT_DISCONNECT), "\xE0\x00", 2);
    assert_packet(out, dun_mqtt_encode_subscribe(room, 10, text("a/b"), 1),
                  "\x82\x08\x00\x0A\x00\x03"
                  "a/b\x01",
                  10);
    assert_int_equal(dun_mqtt_encode_subscribe(room, 0, text("a"), 1), DUN_E_INVALID);
    assert_int_equal(dun_mqtt_encode_subscribe(room, 1, text("a#"), 1), DUN_E_INVALID);
}

/* Each encoder with a buffer of every size below its need: refused, and (by the sanitizer, since
 * the block is exactly that large) nothing written beyond. */
static void encoders_stay_in_their_buffer(void **state)
{
    (void)state;
    struct dun_mqtt_connect connect = {.client_id = text("dev"),
                                       .username = text("u"),
                                       .password = text("p"),
                                       .will_topic = text("w"),
                                       .will_payload = text("gone")};
    struct dun_mqtt_publish publish = {.topic = text("topic"), .qos = 1, .packet_id = 9};
    uint8_t whole[64];
    struct dun_buffer room = {whole, sizeof whole};
    int needs[] = {dun_mqtt_encode_connect(room, &connect), dun_mqtt_encode_publish(room, &publish),
                   dun_mqtt_encode_puback(room, 1),
                   dun_mqtt_encode_subscribe(room, 1, text("topic"), 1),
                   dun_mqtt_encode_empty(room, DUN_MQTT_PINGREQ)};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        assert_true(needs[i] > 0);
        for (size_t size = 0; size <= (size_t)needs[i]; size++) {
            struct dun_buffer out = {malloc(size + (size == 0)), size};
            int got = i == 0   ? dun_mqtt_encode_connect(out, &connect)
                      : i == 1 ? dun_mqtt_encode_publish(out, &publish)
                      : i == 2 ? dun_mqtt_encode_puback(out, 1)
                      : i == 3 ? dun_mqtt_encode_subscribe(out, 1, text("topic"), 1)
                               : dun_mqtt_encode_empty(out, DUN_MQTT_PINGREQ);
            assert_int_equal(got, size == (size_t)needs[i] ? needs[i] : DUN_E_TOO_LARGE);
            free(out.data);
        }
    }
}

static void connect_rules_are_kept(void **state)
{
    (void)state;
    uint8_t out[64];
    struct dun_buffer room = {out, sizeof out};
    struct dun_mqtt_connect connect = {.client_id = text("d"), .version = DUN_MQTT_3_1_1};
    assert_packet(out, dun_mqtt_encode_connect(room, &connect),
                  "\x10\x0D\x00\x04MQTT\x04\x00\x00\x00\x00\x01"
                  "d",
                  15);
    connect.version = 3;
    assert_int_equal(dun_mqtt_encode_connect(room, &connect), DUN_E_UNSUPPORTED);
    connect.version = 0;
    connect.client_id = text("\xFF");
    assert_int_equal(dun_mqtt_encode_connect(room, &connect), DUN_E_INVALID);
    connect.client_id = text("");
    assert_int_equal(dun_mqtt_encode_connect(room, &connect), DUN_E_INVALID);
    connect.clean_start = true;
    connect.password = text("p");
    assert_int_equal(dun_mqtt_encode_connect(room, &connect), DUN_E_INVALID);
    connect.password = (struct dun_span){NULL, 0};
    connect.will_topic = text("w");
    connect.will_qos = 3;
    assert_int_equal(dun_mqtt_encode_connect(room, &connect), DUN_E_INVALID);
}

/* Every first byte: which a server may send to this client. */
static void first_bytes_are_checked(void **state)
{
    (void)state;
    static const uint8_t good[] = {0x20, 0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B, 0x40, 0x90, 0xD0};
    for (unsigned byte = 0; byte < 256; byte++) {
        bool wanted = memchr(good, (int)byte, sizeof good) != NULL;
        int type = dun_mqtt_decode_first((uint8_t)byte);
        assert_int_equal(type, wanted ? (int)(byte >> 4) : DUN_E_PROTOCOL);
    }
}

static void lengths_end_after_four_bytes(void **state)
{
    (void)state;
    uint32_t value = 7;
    assert_int_equal(dun_mqtt_decode_length(0x80, 3, &value), DUN_E_PROTOCOL);
    assert_int_equal(dun_mqtt_decode_length(0x00, 4, &value), DUN_E_PROTOCOL);
    assert_int_equal(dun_mqtt_decode_length(0xFF, 0, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(0xFF, 1, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(0xFF, 2, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(0x7F, 3, &value), 1);
    assert_int_equal(value, DUN_MQTT_REMAINING_MAX);
}

/* A body of exactly `size` bytes in a block of its own, so that the sanitizer sees one byte more.
 */
static struct dun_span exact(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return (struct dun_span){copy, size};
}

/* A valid packet cut at every length: only the whole one is accepted. */
static void decoders_refuse_cut_packets(void **state)
{
    (void)state;
    static const char publish[] = "\x00\x05topic\x12\x34";
    for (size_t size = 0; size < sizeof publish; size++) {
        struct dun_mqtt_publish got;
        uint16_t id;
        uint8_t reason;
        struct dun_mqtt_connack connack;
        struct dun_span body = exact(publish, size);
        int result = dun_mqtt_decode_publish(0x32, body, &got);
        assert_int_equal(result, size >= 9 ? DUN_OK : DUN_E_PROTOCOL);
        free((void *)body.data);
        body = exact("\x00\x01\x00\x00", size < 4 ? size : 4);
        assert_int_equal(dun_mqtt_decode_puback(body, &id), size == 2 ? DUN_OK : DUN_E_PROTOCOL);
        assert_int_equal(dun_mqtt_decode_suback(body, &id, &reason),
                         size == 3 ? DUN_OK : DUN_E_PROTOCOL);
        assert_int_equal(dun_mqtt_decode_connack(body, &connack),
                         size == 2 ? DUN_OK : DUN_E_PROTOCOL);
        free((void *)body.data);
    }
}

static void publish_is_taken_apart(void **state)
{
    (void)state;
    struct dun_mqtt_publish got;
    struct dun_span body = exact("\x00\x03"
                                 "a/b\x01\x02payload",
                                 14);
    assert_int_equal(dun_mqtt_decode_publish(0x3B, body, &got), DUN_OK);
    assert_int_equal(got.topic.size, 3);
    assert_int_equal(got.packet_id, 0x0102);
    assert_int_equal(got.payload.size, 7);
    assert_memory_equal(got.payload.data, "payload", 7);
    assert_true(got.retain && got.dup && got.qos == 1);
    assert_int_equal(dun_mqtt_decode_publish(0x30, body, &got), DUN_OK);
    assert_int_equal(got.packet_id, 0);
    assert_int_equal(got.payload.size, 9);
    free((void *)body.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(filters_are_checked),
        cmocka_unit_test(publish_lengths_have_the_shortest_form),
        cmocka_unit_test(publish_refuses_what_mqtt_does_not_allow),
        cmocka_unit_test(small_packets_are_exact),
        cmocka_unit_test(encoders_stay_in_their_buffer),
        cmocka_unit_test(connect_rules_are_kept),
        cmocka_unit_test(first_bytes_are_checked),
        cmocka_unit_test(lengths_end_after_four_bytes),
        cmocka_unit_test(decoders_refuse_cut_packets),
        cmocka_unit_test(publish_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
