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
        int size =
            dun_mqtt_encode_publish(DUN_MQTT_3_1_1, (struct dun_buffer){out, sizeof out}, &publish);
        assert_int_equal(size, 1 + rows[i].size + 3);
        assert_memory_equal(out + 1, rows[i].length, rows[i].size);
        uint32_t value = 0;
        for (uint8_t j = 0; j < rows[i].size; j++) {
            int done = dun_mqtt_decode_length(DUN_MQTT_3_1_1, out[1 + j], j, &value);
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
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &good), 7);
    bad.qos = 2;
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_INVALID);
    bad.qos = 0; /* an id with QoS 0 */
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_INVALID);
    bad = good;
    bad.packet_id = 0;
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_INVALID);
    bad = good;
    bad.payload_size = DUN_MQTT_REMAINING_MAX - 4;
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_TOO_LARGE);
    bad.payload_size = UINT32_MAX;
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_TOO_LARGE);
    bad = good;
    bad.topic = text("a/#");
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_INVALID);
    bad.topic = text("");
    assert_int_equal(dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &bad), DUN_E_INVALID);
}

static void small_packets_are_exact(void **state)
{
    (void)state;
    uint8_t out[32];
    struct dun_buffer room = {out, sizeof out};
    assert_packet(out, dun_mqtt_encode_puback(room, 0x1234), "\x40\x02\x12\x34", 4);
    assert_packet(out, dun_mqtt_encode_pingreq(room), "\xC0\x00", 2);
    assert_packet(out, dun_mqtt_encode_disconnect(room, 0), "\xE0\x00", 2);
    assert_packet(out, dun_mqtt_encode_subscribe(DUN_MQTT_3_1_1, room, 10, text("a/b"), 1),
                  "\x82\x08\x00\x0A\x00\x03"
                  "a/b\x01",
                  10);
    assert_int_equal(dun_mqtt_encode_subscribe(DUN_MQTT_3_1_1, room, 0, text("a"), 1),
                     DUN_E_INVALID);
    assert_int_equal(dun_mqtt_encode_subscribe(DUN_MQTT_3_1_1, room, 1, text("a#"), 1),
                     DUN_E_INVALID);
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
    int needs[] = {dun_mqtt_encode_connect(room, &connect),
                   dun_mqtt_encode_publish(DUN_MQTT_3_1_1, room, &publish),
                   dun_mqtt_encode_puback(room, 1),
                   dun_mqtt_encode_subscribe(DUN_MQTT_3_1_1, room, 1, text("topic"), 1),
                   dun_mqtt_encode_pingreq(room)};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        assert_true(needs[i] > 0);
        for (size_t size = 0; size <= (size_t)needs[i]; size++) {
            struct dun_buffer out = {malloc(size + (size == 0)), size};
            int got = i == 0   ? dun_mqtt_encode_connect(out, &connect)
                      : i == 1 ? dun_mqtt_encode_publish(DUN_MQTT_3_1_1, out, &publish)
                      : i == 2 ? dun_mqtt_encode_puback(out, 1)
                      : i == 3 ? dun_mqtt_encode_subscribe(DUN_MQTT_3_1_1, out, 1, text("topic"), 1)
                               : dun_mqtt_encode_pingreq(out);
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
        int type = dun_mqtt_decode_first(DUN_MQTT_3_1_1, (uint8_t)byte);
        assert_true(wanted ? type == (int)(byte >> 4) : type < 0);
    }
}

static void lengths_end_after_four_bytes(void **state)
{
    (void)state;
    uint32_t value = 7;
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0x80, 3, &value), DUN_E_CORRUPT);
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0x00, 4, &value), DUN_E_CORRUPT);
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0xFF, 0, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0xFF, 1, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0xFF, 2, &value), 0);
    assert_int_equal(dun_mqtt_decode_length(DUN_MQTT_3_1_1, 0x7F, 3, &value), 1);
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
        int result = dun_mqtt_decode_publish(DUN_MQTT_3_1_1, 0x32, body, &got);
        assert_int_equal(result, size >= 9 ? DUN_OK : DUN_E_CORRUPT);
        free((void *)body.data);
        body = exact("\x00\x01\x00\x00", size < 4 ? size : 4);
        result = dun_mqtt_decode_puback(DUN_MQTT_3_1_1, body, &id, &reason);
        assert_true(size == 2 ? result == DUN_OK : result < 0);
        result = dun_mqtt_decode_suback(DUN_MQTT_3_1_1, body, &id, &reason);
        assert_true(size == 3 ? result == DUN_OK : result < 0);
        result = dun_mqtt_decode_connack(DUN_MQTT_3_1_1, body, &connack);
        assert_true(size == 2 ? result == DUN_OK : result < 0);
        free((void *)body.data);
    }
}

/* Each v5 packet cut at every length, in a block of exactly that size. */
static void v5_decoders_refuse_cut_packets(void **state)
{
    (void)state;
    static const char connack[] = "\x00\x00\x0A\x21\x00\x05\x27\x00\x00\x04\x00\x25\x00";
    static const char publish[] = "\x00\x01t\x0B\x03\x00\x01"
                                  "c\x26\x00\x01k\x00\x01v";
    static const char puback[] = "\x00\x01\x97\x05\x1F\x00\x02no";
    struct dun_mqtt_connack limits;
    struct dun_mqtt_publish message;
    uint16_t id;
    uint8_t reason;
    for (size_t size = 0; size < sizeof connack; size++) {
        struct dun_span body = exact(connack, size);
        int result = dun_mqtt_decode_connack(DUN_MQTT_5, body, &limits);
        assert_true(size == sizeof connack - 1 ? result == DUN_OK : result < 0);
        free((void *)body.data);
    }
    assert_int_equal(dun_mqtt_decode_connack(DUN_MQTT_5, text("\x01"), &limits), DUN_E_CORRUPT);
    for (size_t size = 0; size < sizeof publish; size++) {
        struct dun_span body = exact(publish, size);
        int result = dun_mqtt_decode_publish(DUN_MQTT_5, 0x30, body, &message);
        assert_true(size == sizeof publish - 1 ? result == DUN_OK : result < 0);
        free((void *)body.data);
    }
    for (size_t size = 0; size < sizeof puback; size++) {
        struct dun_span body = exact(puback, size);
        int result = dun_mqtt_decode_puback(DUN_MQTT_5, body, &id, &reason);
        bool whole = size == 2 || size == 3 || size == sizeof puback - 1;
        assert_true(whole ? result == DUN_OK : result < 0);
        free((void *)body.data);
    }
}

static void v5_limits_are_taken(void **state)
{
    (void)state;
    static const char body[] = "\x00\x00\x12\x21\x00\x05\x27\x00\x00\x04\x01\x25\x00"
                               "\x13\x00\x1E\x22\x00\x07\x24\x01";
    struct dun_mqtt_connack connack;
    struct dun_span span = {(const uint8_t *)body, sizeof body - 1};
    assert_int_equal(dun_mqtt_decode_connack(DUN_MQTT_5, span, &connack), DUN_OK);
    assert_int_equal(connack.receive_maximum, 5);
    assert_int_equal(connack.maximum_packet_size, 0x401);
    assert_false(connack.retain_available);
    assert_true(connack.keepalive_given);
    assert_int_equal(connack.server_keepalive_s, 30);
    assert_int_equal(connack.topic_alias_maximum, 7);
    assert_int_equal(connack.maximum_qos, 1);
}

static void v5_packets_are_exact(void **state)
{
    (void)state;
    uint8_t out[64];
    struct dun_buffer room = {out, sizeof out};
    struct dun_mqtt_connect connect = {.version = DUN_MQTT_5,
                                       .clean_start = true,
                                       .client_id = text("d"),
                                       .session_expiry_s = 3600,
                                       .maximum_packet_size = 515,
                                       .will_topic = text("w"),
                                       .will_payload = text("x"),
                                       .will_delay_s = 5};
    assert_packet(out, dun_mqtt_encode_connect(room, &connect),
                  "\x10\x24\x00\x04MQTT\x05\x06\x00\x00"
                  "\x0A\x11\x00\x00\x0E\x10\x27\x00\x00\x02\x03"
                  "\x00\x01"
                  "d\x05\x18\x00\x00\x00\x05\x00\x01w\x00\x01x",
                  38);
    struct dun_mqtt_publish publish = {.topic = text("t"),
                                       .payload_size = 3,
                                       .content_type = text("cbor"),
                                       .expiry_s = 60,
                                       .qos = 1,
                                       .packet_id = 7};
    assert_packet(out, dun_mqtt_encode_publish(DUN_MQTT_5, room, &publish),
                  "\x32\x15\x00\x01t\x00\x07\x0C\x02\x00\x00\x00\x3C\x03\x00\x04"
                  "cbor",
                  20);
    publish.content_type.size = 0;
    publish.expiry_s = 0;
    assert_packet(out, dun_mqtt_encode_publish(DUN_MQTT_5, room, &publish),
                  "\x32\x09\x00\x01t\x00\x07\x00", 8);
    assert_packet(out, dun_mqtt_encode_subscribe(DUN_MQTT_5, room, 3, text("a"), 1),
                  "\x82\x07\x00\x03\x00\x00\x01"
                  "a\x01",
                  9);
    assert_packet(out, dun_mqtt_encode_disconnect(room, 0x82), "\xE0\x01\x82", 3);
}

static void publish_is_taken_apart(void **state)
{
    (void)state;
    struct dun_mqtt_publish got;
    struct dun_span body = exact("\x00\x03"
                                 "a/b\x01\x02payload",
                                 14);
    assert_int_equal(dun_mqtt_decode_publish(DUN_MQTT_3_1_1, 0x3B, body, &got), DUN_OK);
    assert_int_equal(got.topic.size, 3);
    assert_int_equal(got.packet_id, 0x0102);
    assert_int_equal(got.payload.size, 7);
    assert_memory_equal(got.payload.data, "payload", 7);
    assert_true(got.retain && got.dup && got.qos == 1);
    assert_int_equal(dun_mqtt_decode_publish(DUN_MQTT_3_1_1, 0x30, body, &got), DUN_OK);
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
        cmocka_unit_test(v5_decoders_refuse_cut_packets),
        cmocka_unit_test(v5_limits_are_taken),
        cmocka_unit_test(v5_packets_are_exact),
        cmocka_unit_test(publish_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
