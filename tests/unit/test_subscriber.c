/*
 * test_subscriber.c: the recorder's MQTT client over a link that is an array: acknowledgements
 * leave at their release and not before, packets may be cut anywhere, and what a broker must not
 * say ends the connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "out.h"
#include "subscriber.h"

#define HEX(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
static const uint8_t suback[] = {0x90, 4, 0x03, 0xE8, 0, 1};
/* QoS 1, topic "a/b/c/batch", packet id 7, no properties, payload "xy". */
static const uint8_t publish[] = {0x32, 18,  0,   11,  'a', '/', 'b', '/', 'c', '/',
                                  'b',  'a', 't', 'c', 'h', 0,   7,   0,   'x', 'y'};

static struct {
    uint8_t in[65536], out[65536];
    size_t in_size, in_taken, out_size;
    size_t at_once; /* bytes a read gives; 0: all */
} wire;

static struct dun_subscriber subscriber;
static struct dun_link fake;
static struct dun_broker_options broker;
static struct dun_subscriber_settings settings;
static const char *const filters[] = {"a/+/+/batch"};

static int link_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    (void)context, (void)host, (void)port, (void)now;
    return 0;
}

static int link_ready(void *context, dun_ms now)
{
    (void)context, (void)now;
    return 1;
}

static int link_read(void *context, void *data, size_t size)
{
    (void)context;
    size_t left = wire.in_size - wire.in_taken;
    size = left < size ? left : size;
    size = wire.at_once > 0 && wire.at_once < size ? wire.at_once : size;
    memcpy(data, wire.in + wire.in_taken, size);
    wire.in_taken += size;
    return (int)size;
}

static int link_write(void *context, const void *data, size_t size)
{
    (void)context;
    assert_true(wire.out_size + size <= sizeof wire.out);
    memcpy(wire.out + wire.out_size, data, size);
    wire.out_size += size;
    return (int)size;
}

static void link_close(void *context)
{
    (void)context;
}

static int set_up(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof wire);
    broker = (struct dun_broker_options){
        .host = "h", .port = 1, .client_id = "me", .keepalive_s = 60, .version = 5};
    settings = (struct dun_subscriber_settings){
        .broker = &broker, .filters = filters, .filter_count = 1, .receive_maximum = 100};
    assert_int_equal(dun_subscriber_init(&subscriber, &settings), 0);
    fake = (struct dun_link){.open = link_open,
                             .ready = link_ready,
                             .read = link_read,
                             .write = link_write,
                             .close = link_close};
    subscriber.link = &fake;
    assert_int_equal(dun_subscriber_open(&subscriber, 0), 0);
    assert_int_equal(dun_subscriber_step(&subscriber, 0, 0, false), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dun_subscriber_free(&subscriber);
    return 0;
}

static void hear(const uint8_t *bytes, size_t size)
{
    assert_true(wire.in_size + size <= sizeof wire.in);
    memcpy(wire.in + wire.in_size, bytes, size);
    wire.in_size += size;
}

static int step(void)
{
    return dun_subscriber_step(&subscriber, 1, 0, false);
}

static void come_up(void)
{
    hear(connack, sizeof connack);
    hear(suback, sizeof suback);
    assert_int_equal(step(), 0);
    assert_int_equal(subscriber.state, DUN_SUBSCRIBER_UP);
}

static void acks_leave_when_released_and_not_before(void **state)
{
    (void)state;
    struct dun_span topic;
    struct dun_span payload;
    come_up();
    hear(publish, sizeof publish);
    wire.out_size = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(step(), 0);
    }
    assert_int_equal(dun_subscriber_count(&subscriber), 1);
    assert_int_equal(wire.out_size, 0);
    dun_subscriber_message(&subscriber, 0, &topic, &payload);
    assert_true(dun_span_equal(topic, dun_span_of("a/b/c/batch")));
    assert_true(dun_span_equal(payload, dun_span_of("xy")));
    dun_subscriber_release(&subscriber);
    assert_int_equal(step(), 0);
    assert_int_equal(wire.out_size, 4);
    static const uint8_t puback[] = {0x40, 2, 0, 7};
    assert_memory_equal(wire.out, puback, sizeof puback);
    assert_int_equal(dun_subscriber_count(&subscriber), 0);
}

static void what_was_gathered_goes_with_its_connection(void **state)
{
    (void)state;
    come_up();
    hear(publish, sizeof publish);
    assert_int_equal(step(), 0);
    assert_int_equal(dun_subscriber_open(&subscriber, 2), 0);
    wire.out_size = 0;
    dun_subscriber_release(&subscriber);
    assert_int_equal(step(), 0);
    assert_int_equal(wire.out[0], 0x10); /* CONNECT, and no PUBACK of another connection */
    assert_int_equal(dun_subscriber_count(&subscriber), 0);
}

static void packets_may_be_cut_anywhere(void **state)
{
    (void)state;
    wire.at_once = 1;
    hear(connack, sizeof connack);
    hear(suback, sizeof suback);
    for (int i = 0; i < 50; i++) {
        hear(publish, sizeof publish);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(step(), 0);
    }
    assert_int_equal(dun_subscriber_count(&subscriber), 50);
}

static void no_more_is_gathered_than_the_limit(void **state)
{
    (void)state;
    come_up();
    for (unsigned i = 0; i < DUN_GATHER_MESSAGES_MAX + 10; i++) {
        hear(publish, sizeof publish);
    }
    assert_int_equal(step(), 0);
    assert_int_equal(dun_subscriber_count(&subscriber), DUN_GATHER_MESSAGES_MAX);
    dun_subscriber_release(&subscriber);
    assert_int_equal(step(), 0);
    assert_int_equal(dun_subscriber_count(&subscriber), 10);
}

static void deaf_it_reads_nothing_and_pings(void **state)
{
    (void)state;
    come_up();
    hear(publish, sizeof publish);
    wire.out_size = 0;
    assert_int_equal(dun_subscriber_step(&subscriber, 50000, 0, true), 0);
    assert_int_equal(dun_subscriber_step(&subscriber, 500000, 0, true), 0);
    assert_int_equal(dun_subscriber_count(&subscriber), 0);
    assert_int_equal(wire.out[0], 0xC0);
}

static void a_broker_that_falls_silent_is_given_up(void **state)
{
    (void)state;
    come_up();
    assert_int_equal(dun_subscriber_step(&subscriber, 60000, 0, false), 0);
    assert_int_equal(dun_subscriber_step(&subscriber, 120002, 0, false), DUN_E_TIMEOUT);
    assert_int_equal(subscriber.state, DUN_SUBSCRIBER_DOWN);
}

static void tellings_end_with_their_ack_or_their_connection(void **state)
{
    (void)state;
    int one;
    int two;
    uint8_t reason;
    come_up();
    assert_true(dun_subscriber_tell(&subscriber, "a/b/c/stored", dun_span_of("1"), &one));
    assert_true(dun_subscriber_tell(&subscriber, "a/b/d/stored", dun_span_of("2"), &two));
    assert_null(dun_subscriber_told(&subscriber, &reason));
    hear(HEX(0x40, 3, 0, 2, 0x87));
    hear(HEX(0x40, 2, 0, 9)); /* of nothing */
    assert_int_equal(step(), 0);
    assert_ptr_equal(dun_subscriber_told(&subscriber, &reason), &two);
    assert_int_equal(reason, 0x87);
    assert_true(dun_subscriber_telling(&subscriber));
    assert_int_equal(dun_subscriber_open(&subscriber, 2), 0);
    assert_ptr_equal(dun_subscriber_told(&subscriber, &reason), &one);
    assert_int_equal(reason, DUN_TELL_AGAIN);
}

static void check(const uint8_t *bytes, size_t size, int error)
{
    void *state = NULL;
    tear_down(&state);
    set_up(&state);
    if (bytes[0] != 0x20) {
        come_up();
    }
    hear(bytes, size);
    assert_int_equal(step(), error);
    assert_int_equal(subscriber.state, DUN_SUBSCRIBER_DOWN);
    assert_int_equal(step(), DUN_E_CLOSED);
}

static void what_must_not_be_said_ends_the_connection(void **state)
{
    (void)state;
    check(HEX(0x20, 3, 0, 0x87, 0), DUN_E_REFUSED);
    assert_int_equal(subscriber.reason, 0x87);
    check(HEX(0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1), DUN_E_PROTOCOL); /* a length of five bytes */
    check(HEX(0x34, 6, 0, 1, 'a', 0, 1, 0), DUN_E_PROTOCOL);     /* QoS 2 */
    check(HEX(0x32, 3, 0, 9, 'a'), DUN_E_PROTOCOL);              /* a topic beyond its packet */
    check(HEX(0x32, 6, 0, 1, '+', 0, 1, 0), DUN_E_PROTOCOL);     /* a wildcard */
    check(HEX(0x10, 0), DUN_E_PROTOCOL);                         /* CONNECT */
    check(HEX(0x90, 4, 3, 0xE8, 0, 1), DUN_E_PROTOCOL);          /* SUBACK of nothing */
    check(HEX(0x40, 0), DUN_E_PROTOCOL);
    check(HEX(0xE0, 1, 0x8E), DUN_E_CLOSED);
    assert_non_null(strstr(subscriber.why, "taken over"));
}

static void a_message_before_the_greeting_is_no_message(void **state)
{
    (void)state;
    hear(publish, sizeof publish);
    assert_int_equal(step(), DUN_E_PROTOCOL);
}

static void a_refused_filter_is_named(void **state)
{
    (void)state;
    hear(connack, sizeof connack);
    hear(HEX(0x90, 4, 0x03, 0xE8, 0, 0x87));
    assert_int_equal(step(), DUN_E_REFUSED);
    assert_non_null(strstr(subscriber.why, "a/+/+/batch: not authorized (0x87)"));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(acks_leave_when_released_and_not_before),
        WITH(what_was_gathered_goes_with_its_connection),
        WITH(packets_may_be_cut_anywhere),
        WITH(no_more_is_gathered_than_the_limit),
        WITH(deaf_it_reads_nothing_and_pings),
        WITH(a_broker_that_falls_silent_is_given_up),
        WITH(tellings_end_with_their_ack_or_their_connection),
        WITH(what_must_not_be_said_ends_the_connection),
        WITH(a_message_before_the_greeting_is_no_message),
        WITH(a_refused_filter_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
