/*
 * test_uplink_mqtt.c: the compact client through its uplink table, over a link in RAM that takes
 * and gives as many bytes as the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/uplink_mqtt.h"

#define WINDOW 4

struct fake_link {
    int open_result, ready_result;
    size_t room;     /* bytes it takes; SIZE_MAX: all */
    int write_error; /* not 0: dead */
    int read_error;  /* not 0: dead once `input` is used up */
    struct dun_span input;
    size_t read_max;
    uint8_t output[8192];
    size_t output_size;
    unsigned writes, reads, closes;
    bool is_open;
};

struct fixture {
    struct fake_link fake;
    struct dun_link link;
    struct dun_uplink_mqtt mqtt;
    struct dun_uplink uplink;
    struct dun_uplink_config config;
    struct dun_mqtt_slot slots[WINDOW];
    uint8_t rx[64], tx[128], read[64], write[256];
    dun_ms now;
    struct dun_uplink_event event;
};

static int fake_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct fake_link *fake = context;
    (void)now;
    assert_string_equal(host, "broker");
    assert_int_equal(port, 1883);
    fake->is_open = fake->open_result == DUN_OK;
    return fake->open_result;
}

static int fake_ready(void *context, dun_ms now)
{
    (void)now;
    return ((struct fake_link *)context)->ready_result;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int fake_read(void *context, void *data, size_t size)
{
    struct fake_link *fake = context;
    assert_true(fake->is_open);
    fake->reads++;
    if (fake->input.size == 0) {
        return fake->read_error;
    }
    size = smaller(smaller(size, fake->input.size), fake->read_max);
    memcpy(data, fake->input.data, size);
    fake->input.data += size;
    fake->input.size -= size;
    return (int)size;
}

static int fake_write(void *context, const void *data, size_t size)
{
    struct fake_link *fake = context;
    assert_true(fake->is_open);
    fake->writes++;
    if (fake->write_error != 0) {
        return fake->write_error;
    }
    size = smaller(size, fake->room);
    assert_true(size <= sizeof fake->output - fake->output_size);
    memcpy(fake->output + fake->output_size, data, size);
    fake->output_size += size;
    fake->room -= fake->room == SIZE_MAX ? 0 : size;
    return (int)size;
}

static void fake_close(void *context)
{
    struct fake_link *fake = context;
    fake->closes++;
    fake->is_open = false;
}

static dun_ms fake_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

static void init(struct fixture *f)
{
    *f = (struct fixture){.now = 1000};
    f->fake = (struct fake_link){.ready_result = 1, .room = SIZE_MAX, .read_max = SIZE_MAX};
    f->link = (struct dun_link){&f->fake,   fake_open,  fake_ready,   fake_read,
                                fake_write, fake_close, fake_deadline};
    struct dun_uplink_mqtt_memory memory = {
        .session = {{f->rx, sizeof f->rx}, {f->tx, sizeof f->tx}, f->slots, WINDOW},
        .read = {f->read, sizeof f->read},
        .write = {f->write, sizeof f->write},
    };
    assert_int_equal(dun_uplink_mqtt_init(&f->mqtt, &f->link, &memory, &f->uplink), DUN_OK);
    f->config = (struct dun_uplink_config){.host = "broker",
                                           .port = 1883,
                                           .client_id = "d",
                                           .keepalive_s = 40,
                                           .session_expiry_s = 3600,
                                           .mqtt_version = 4,
                                           .connect_timeout_ms = 5000};
}

static enum dun_uplink_event_kind poll_once(struct fixture *f)
{
    bool got = f->uplink.poll(f->uplink.context, f->now, &f->event);
    assert_int_equal(got, f->event.kind != DUN_UPLINK_NONE);
    return f->event.kind;
}

static void receive(struct fixture *f, const void *bytes, size_t size)
{
    f->fake.input = (struct dun_span){bytes, size};
}

static void open_up(struct fixture *f)
{
    assert_int_equal(f->uplink.open(f->uplink.context, &f->config, f->now), DUN_OK);
    receive(f, "\x20\x02\x00\x00", 4);
    assert_int_equal(poll_once(f), DUN_UPLINK_UP);
    assert_false(f->event.session_present);
    assert_int_equal(poll_once(f), DUN_UPLINK_NONE);
    f->fake.output_size = 0;
    f->fake.writes = f->fake.reads = 0;
}

static void up(struct fixture *f)
{
    init(f);
    open_up(f);
}

/* A payload of counting bytes; fails from `fail_at` on. */
struct source {
    uint32_t next;
    uint32_t fail_at;
};

static int read_source(void *context, uint32_t offset, void *data, uint32_t size)
{
    struct source *source = context;
    uint8_t *bytes = data;
    assert_int_equal(offset, source->next); /* in ascending order, each byte once */
    source->next += size;
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(offset + i);
    }
    return source->next > source->fail_at ? DUN_E_NOT_FOUND : DUN_OK;
}

static int publish(struct fixture *f, uint16_t token, uint32_t size, struct source *source)
{
    *source = (struct source){.fail_at = source->fail_at != 0 ? source->fail_at : UINT32_MAX};
    struct dun_message message = {
        .topic = "t", .payload = {source, size, read_source}, .token = token, .qos = 1};
    return f->uplink.publish(f->uplink.context, &message, f->now);
}

/// Connecting ///

static void up_follows_connack(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    f.fake.ready_result = 0;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_int_equal(f.uplink.deadline(f.uplink.context), f.now + 5000);
    f.fake.ready_result = 1;
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_int_equal(f.fake.output_size, 15);
    receive(&f, "\x20\x02\x01\x00", 4);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    assert_true(f.event.session_present);
}

static void connect_timeout_covers_link_and_connack(void **state)
{
    (void)state;
    for (int ready = 0; ready <= 1; ready++) {
        struct fixture f;
        init(&f);
        f.fake.ready_result = ready;
        assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
        f.now += 4999;
        assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
        assert_int_equal(f.uplink.deadline(f.uplink.context), f.now + 1);
        f.now += 1;
        assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
        assert_int_equal(f.event.error, DUN_E_TIMEOUT);
        assert_false(f.fake.is_open);
        assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
        assert_int_equal(f.uplink.deadline(f.uplink.context), DUN_MS_NEVER);
    }
}

static void failures_to_connect_become_down(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    f.fake.open_result = DUN_E_NOT_FOUND;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_true(f.uplink.deadline(f.uplink.context) <= f.now);
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_E_BUSY);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_NOT_FOUND);
    f.fake.open_result = DUN_OK;
    f.fake.ready_result = DUN_E_UNREACHABLE;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_UNREACHABLE);
    f.fake.ready_result = 1;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    receive(&f, "\x20\x02\x00\x05", 4);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_REFUSED);
    assert_int_equal(f.event.reason, 5);
    assert_false(f.fake.is_open);
}

static void bad_configuration_is_refused_at_open(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    f.config.client_id = "";
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_E_INVALID);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    f.config.client_id = "an id that does not fit the buffer, which has room for 128 bytes of "
                         "CONNECT and not for one more, whatever the id may be";
    f.config.username = "and a name";
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_E_TOO_LARGE);
    assert_false(f.fake.is_open);
}

static void nothing_is_published_before_up(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    init(&f);
    assert_int_equal(publish(&f, 1, 1, &source), DUN_E_CLOSED);
    assert_int_equal(f.uplink.subscribe(f.uplink.context, "t", 1, f.now), DUN_E_CLOSED);
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_int_equal(publish(&f, 1, 1, &source), DUN_E_CLOSED);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_int_equal(publish(&f, 1, 1, &source), DUN_E_CLOSED);
}

/// Moving bytes ///

/* A window of publishes leaves in one write, and their acks come in one read. */
static void publishes_share_a_write(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    for (uint16_t token = 0; token < WINDOW; token++) {
        assert_int_equal(publish(&f, token, 20, &source), DUN_OK);
        assert_int_equal(poll_once(&f), DUN_UPLINK_WRITABLE);
    }
    assert_int_equal(f.fake.writes, 0);
    assert_true(f.uplink.wants_write(f.uplink.context));
    assert_int_equal(publish(&f, 9, 20, &source), DUN_E_AGAIN);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_int_equal(f.fake.writes, 1);
    assert_int_equal(f.fake.output_size, WINDOW * 27);
    assert_false(f.uplink.wants_write(f.uplink.context));
    f.fake.reads = 0;
    receive(&f, "\x40\x02\x00\x01\x40\x02\x00\x02\x40\x02\x00\x03\x40\x02\x00\x04", 16);
    for (uint16_t token = 0; token < WINDOW; token++) {
        assert_int_equal(poll_once(&f), DUN_UPLINK_ACKED);
        assert_int_equal(f.event.token, token);
        assert_int_equal(f.event.reason, 0);
    }
    assert_int_equal(f.fake.reads, 1);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
}

/* A payload much larger than all buffers, over a link that takes seven bytes at a time. */
static void a_large_payload_streams_through(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    f.fake.room = 7;
    assert_int_equal(publish(&f, 1, 3000, &source), DUN_OK);
    assert_int_equal(publish(&f, 2, 1, &(struct source){0}), DUN_E_AGAIN);
    unsigned turns = 0;
    while (poll_once(&f) != DUN_UPLINK_WRITABLE) {
        assert_true(f.uplink.wants_write(f.uplink.context));
        assert_true(f.uplink.deadline(f.uplink.context) > f.now);
        f.fake.room = 7;
        assert_true(turns++ < 1000);
    }
    assert_int_equal(source.next, 3000);
    f.fake.room = SIZE_MAX;
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_int_equal(f.fake.output_size, 3000 + 8);
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(f.fake.output[8 + i], (uint8_t)i);
    }
}

/* A link that takes nothing, and messages that are owed an ack: a board that went on waiting for
 * bytes to read would turn for ever, since nobody takes them. */
static void nothing_is_read_while_acks_find_no_room(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    char messages[6 * 9 + 1] = "";
    up(&f);
    f.fake.room = 0;
    assert_int_equal(publish(&f, 1, 3000, &source), DUN_OK);
    for (int i = 0; i < 6; i++) {
        memcpy(messages + 9 * i, "\x32\x07\x00\x01t\x00\x01xy", 9);
        messages[9 * i + 6] = (char)(i + 1);
    }
    receive(&f, messages, 6 * 9);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(poll_once(&f), DUN_UPLINK_MESSAGE);
    }
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_false(f.uplink.wants_read(f.uplink.context));
    f.fake.room = SIZE_MAX;
    for (int i = 0; i < 3; i++) {
        poll_once(&f); /* WRITABLE, and the other two */
    }
    assert_true(f.uplink.wants_read(f.uplink.context));
}

static void a_failing_reader_ends_the_connection(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {.fail_at = 200};
    up(&f);
    assert_int_equal(publish(&f, 1, 1000, &source), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_NOT_FOUND);
    assert_false(f.fake.is_open);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
}

static void a_dead_link_becomes_down(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    f.fake.read_error = DUN_E_CLOSED;
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_CLOSED);
    up(&f);
    f.fake.write_error = DUN_E_IO;
    assert_int_equal(publish(&f, 1, 10, &source), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_WRITABLE);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_IO);
    assert_int_equal(publish(&f, 1, 10, &source), DUN_E_CLOSED);
}

/* Acks that arrived before the link died count. */
static void input_before_the_end_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    assert_int_equal(publish(&f, 5, 10, &source), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_WRITABLE);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    receive(&f, "\x40\x02\x00\x01", 4);
    f.fake.read_error = DUN_E_CLOSED;
    assert_int_equal(poll_once(&f), DUN_UPLINK_ACKED);
    assert_int_equal(f.event.token, 5);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
}

/* A process that was stopped finds the PINGRESP in its socket and does not call it late. */
static void what_arrived_while_asleep_is_not_late(void **state)
{
    (void)state;
    struct fixture f;
    up(&f);
    assert_int_equal(f.uplink.deadline(f.uplink.context), f.now + 35000);
    f.now += 35000;
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_memory_equal(f.fake.output, "\xC0\x00", 2);
    f.now += 3600000;
    receive(&f, "\xD0\x00", 2);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    assert_memory_equal(f.fake.output + 2, "\xC0\x00", 2); /* nothing was sent for an hour */
    f.now += 19999;
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    f.now += 1;
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_TIMEOUT);
}

/* More messages in one read than PUBACKs may be owed: all are delivered and acknowledged, also one
 * byte at a time. */
static void many_messages_in_one_read(void **state)
{
    (void)state;
    for (size_t read_max = 1; read_max < 64; read_max += 20) {
        struct fixture f;
        uint8_t input[12 * 7];
        up(&f);
        for (uint8_t i = 0; i < 12; i++) {
            memcpy(input + 7 * i, (const uint8_t[]){0x32, 5, 0, 1, 't', 0, (uint8_t)(i + 1)}, 7);
        }
        f.fake.read_max = read_max;
        receive(&f, input, sizeof input);
        for (unsigned i = 0; i < 12; i++) {
            assert_int_equal(poll_once(&f), DUN_UPLINK_MESSAGE);
            assert_int_equal(f.event.topic.size, 1);
        }
        assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
        assert_int_equal(f.fake.output_size, 12 * 4);
        for (uint8_t i = 0; i < 12; i++) {
            assert_int_equal(f.fake.output[4 * i + 3], i + 1);
        }
    }
}

static void subscriptions_go_one_by_one(void **state)
{
    (void)state;
    struct fixture f;
    up(&f);
    assert_int_equal(f.uplink.subscribe(f.uplink.context, "a", 1, f.now), DUN_OK);
    assert_int_equal(f.uplink.subscribe(f.uplink.context, "b", 1, f.now), DUN_E_AGAIN);
    while (poll_once(&f) != DUN_UPLINK_NONE) {
    }
    receive(&f, "\x90\x03\x00\x01\x80", 5);
    assert_int_equal(poll_once(&f), DUN_UPLINK_WRITABLE);
    assert_int_equal(dun_uplink_mqtt_stats(&f.mqtt)->refused_subscriptions, 1);
    assert_int_equal(f.uplink.subscribe(f.uplink.context, "b", 1, f.now), DUN_OK);
    assert_int_equal(f.uplink.subscribe(f.uplink.context, "b#", 1, f.now), DUN_E_AGAIN);
}

/* Messages without end do not keep the link from being read. */
static void publishing_does_not_starve_reading(void **state)
{
    (void)state;
    struct fixture f;
    struct dun_message message = {.topic = "t", .payload = {NULL, 0, NULL}, .qos = 0};
    up(&f);
    assert_int_equal(f.uplink.publish(f.uplink.context, &message, f.now), DUN_OK);
    receive(&f, "\x30\x03\x00\x01m", 5);
    for (unsigned i = 0; poll_once(&f) != DUN_UPLINK_MESSAGE; i++) {
        assert_true(i < 100);
        assert_int_equal(f.uplink.publish(f.uplink.context, &message, f.now), DUN_OK);
    }
}

static int flood_read(void *context, void *data, size_t size)
{
    struct fake_link *fake = context;
    uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = fake->input.data[i % fake->input.size];
    }
    fake->reads++;
    return (int)size;
}

/* A broker that sends without end what gives no event: poll comes back, and wants to be called
 * again at once. */
static void a_silent_flood_does_not_hold_poll(void **state)
{
    (void)state;
    struct fixture f;
    up(&f);
    receive(&f, "\xD0\x00", 2);
    f.link.read = flood_read;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
        assert_int_equal(f.uplink.deadline(f.uplink.context), 0);
    }
    assert_in_range(f.fake.reads, 3, 1000);
}

/* And one that sends messages without end: they do not starve our ping. */
static void a_flood_of_messages_does_not_starve_the_ping(void **state)
{
    (void)state;
    struct fixture f;
    up(&f);
    f.link.read = flood_read;
    receive(&f, "\x30\x06\x00\x01mmmm", 8);
    f.now += 35000;
    for (unsigned i = 0; f.fake.output_size == 0; i++) {
        assert_int_equal(poll_once(&f), DUN_UPLINK_MESSAGE);
        assert_true(i < 100);
    }
    assert_memory_equal(f.fake.output, "\xC0\x00", 2);
}

/// Version 5 ///

static void send_connect(struct fixture *f)
{
    f->fake.output_size = 0;
    assert_int_equal(f->uplink.open(f->uplink.context, &f->config, f->now), DUN_OK);
    assert_int_equal(poll_once(f), DUN_UPLINK_NONE);
}

static void connect_5(struct fixture *f)
{
    init(f);
    f->config.mqtt_version = 5;
    send_connect(f);
}

/* CONNECT of version 5: clean flag, session expiry of an hour, packets that fit rx. */
static void assert_connect_5(const struct fixture *f, bool clean)
{
    const uint8_t wanted[] = "\x10\x18\x00\x04MQTT\x05\x00\x00\x28"
                             "\x0A\x11\x00\x00\x0E\x10\x27\x00\x00\x00\x42\x00\x01";
    assert_int_equal(f->fake.output_size, 26);
    assert_memory_equal(f->fake.output, wanted, 9);
    assert_int_equal(f->fake.output[9], clean ? 2 : 0);
    assert_memory_equal(f->fake.output + 10, wanted + 10, 15);
}

/* What ten publishes to one topic cost beside their payload. */
static size_t heads_of_ten(const char *connack, size_t size)
{
    struct fixture f;
    struct source source = {0};
    connect_5(&f);
    receive(&f, connack, size);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    f.fake.output_size = 0;
    for (uint16_t i = 0; i < 10; i++) {
        source = (struct source){.fail_at = UINT32_MAX};
        struct dun_message message = {
            .topic = "dunlin/plant-7/pump-17/batch",
            .payload = {.context = &source, .size = 10, .read = read_source},
            .token = i,
            .qos = 1,
            .alias = 1};
        assert_int_equal(f.uplink.publish(f.uplink.context, &message, f.now), DUN_OK);
        while (poll_once(&f) != DUN_UPLINK_NONE) {
        }
        uint8_t ack[] = {0x40, 2, 0, (uint8_t)(i + 1)};
        receive(&f, (const char *)ack, sizeof ack);
        assert_int_equal(poll_once(&f), DUN_UPLINK_ACKED);
    }
    struct dun_uplink_stats stats;
    f.uplink.stats(f.uplink.context, &stats);
    assert_true(stats.bytes_out > f.fake.output_size && stats.bytes_in == size + 40);
    return f.fake.output_size - 100;
}

static void aliases_save_the_topic(void **state)
{
    (void)state;
    size_t plain = heads_of_ten("\x20\x03\x00\x00\x00", 5);
    size_t aliased = heads_of_ten("\x20\x06\x00\x00\x03\x22\x00\x01", 8);
    assert_int_equal(plain, 10 * (2 + 2 + 28 + 2 + 1));
    assert_int_equal(aliased, 35 + 3 + 9 * (2 + 2 + 2 + 4));
}

/* Whoever follows a redirect must hear where to. */
static void the_broker_names_another(void **state)
{
    (void)state;
    struct fixture f;
    connect_5(&f);
    receive(&f, "\x20\x09\x00\x9C\x06\x1C\x00\x03\x62:1", 11);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_REFUSED);
    assert_int_equal(f.event.reason, 0x9C);
    assert_int_equal(f.event.server.size, 3);
    assert_memory_equal(f.event.server.data, "b:1", 3);

    send_connect(&f);
    receive(&f, "\x20\x03\x00\x00\x00\xE0\x08\x9D\x06\x1C\x00\x03\x63:2", 15);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.reason, 0x9D);
    assert_memory_equal(f.event.server.data, "c:2", 3);
}

/* An end that lets the will speak: with a reason in version 5, without a word in 3.1.1. */
static void close_can_leave_the_will(void **state)
{
    (void)state;
    struct fixture f;
    connect_5(&f);
    receive(&f, "\x20\x03\x00\x00\x00", 5);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    f.fake.output_size = 0;
    f.uplink.close(f.uplink.context, true, f.now);
    assert_int_equal(f.fake.output_size, 3);
    assert_memory_equal(f.fake.output, "\xE0\x01\x04", 3);
    f.config.mqtt_version = 4;
    open_up(&f);
    f.fake.output_size = 0;
    f.uplink.close(f.uplink.context, true, f.now);
    assert_int_equal(f.fake.output_size, 0);
    assert_false(f.fake.is_open);
}

/* The first connection of a boot is clean, the later ones resume (v5 3.2.2-4). */
static void version_5_resumes_only_what_it_knows(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    f.config.mqtt_version = 5;
    for (int i = 0; i < 2; i++) {
        send_connect(&f);
        receive(&f, i == 0 ? "\x20\x03\x00\x00\x00" : "\x20\x03\x01\x00\x00", 5);
        assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
        assert_int_equal(f.event.session_present, i);
        assert_connect_5(&f, i == 0);
        f.uplink.close(f.uplink.context, false, f.now);
    }
}

static void an_old_broker_gets_3_1_1(void **state)
{
    (void)state;
    struct fixture f;
    connect_5(&f);
    receive(&f, "\x20\x02\x00\x01", 4);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_UNSUPPORTED);
    f.config.mqtt_version = 4; /* which is for whoever uses the uplink to decide */
    send_connect(&f);
    receive(&f, "\x20\x02\x00\x00", 4);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    assert_int_equal(f.fake.output[8], 4);
}

/* What is wrong is said before the link is closed. */
static void version_5_says_why_it_leaves(void **state)
{
    (void)state;
    struct fixture f;
    connect_5(&f);
    receive(&f, "\x20\x03\x00\x00\x00\xF0\x00", 7);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    f.fake.output_size = 0;
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_PROTOCOL);
    assert_int_equal(f.fake.output_size, 3);
    assert_memory_equal(f.fake.output, "\xE0\x01\x82", 3);
    assert_false(f.fake.is_open);
}

static void the_broker_says_why_it_leaves(void **state)
{
    (void)state;
    struct fixture f;
    connect_5(&f);
    receive(&f, "\x20\x03\x00\x00\x00\xE0\x01\x8E", 8);
    assert_int_equal(poll_once(&f), DUN_UPLINK_UP);
    assert_int_equal(poll_once(&f), DUN_UPLINK_DOWN);
    assert_int_equal(f.event.error, DUN_E_CLOSED);
    assert_int_equal(f.event.reason, 0x8E);
}

/// The end ///

static void close_says_disconnect(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    assert_int_equal(publish(&f, 1, 3, &source), DUN_OK);
    f.uplink.close(f.uplink.context, false, f.now);
    assert_memory_equal(f.fake.output, "\x32\x08\x00\x01t\x00\x01\x00\x01\x02\xE0\x00", 12);
    assert_int_equal(f.fake.output_size, 12);
    assert_false(f.fake.is_open);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    /* And again, from the start. */
    f.fake.output_size = 0;
    open_up(&f);
}

/* In the middle of a packet there is no way to say DISCONNECT: nothing but its rest may follow. */
static void close_in_a_packet_sends_nothing_else(void **state)
{
    (void)state;
    struct fixture f;
    struct source source = {0};
    up(&f);
    f.fake.room = 100;
    assert_int_equal(publish(&f, 1, 1000, &source), DUN_OK);
    f.uplink.close(f.uplink.context, false, f.now);
    assert_int_equal(f.fake.output_size, 100);
    for (size_t i = 8; i < 100; i++) {
        assert_int_equal(f.fake.output[i], (uint8_t)(i - 8));
    }
    assert_false(f.fake.is_open);
}

static void close_works_in_every_state(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    f.uplink.close(f.uplink.context, false, f.now);
    f.fake.ready_result = 0;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    f.uplink.close(f.uplink.context, false, f.now);
    assert_int_equal(f.fake.output_size, 0);
    f.fake.ready_result = 1;
    assert_int_equal(f.uplink.open(f.uplink.context, &f.config, f.now), DUN_OK);
    assert_int_equal(poll_once(&f), DUN_UPLINK_NONE);
    f.uplink.close(f.uplink.context, false, f.now);
    assert_int_equal(f.fake.output_size, 15); /* no DISCONNECT before CONNACK */
    f.fake.output_size = 0;
    open_up(&f);
}

static void memory_limits_are_checked(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    struct dun_uplink_mqtt_memory memory = {
        .session = {{f.rx, sizeof f.rx}, {f.tx, sizeof f.tx}, f.slots, WINDOW},
        .read = {f.read, 3},
        .write = {f.write, sizeof f.write},
    };
    assert_int_equal(dun_uplink_mqtt_init(&f.mqtt, &f.link, &memory, &f.uplink), DUN_E_INVALID);
    memory.read.size = 4;
    memory.write.size = 15;
    assert_int_equal(dun_uplink_mqtt_init(&f.mqtt, &f.link, &memory, &f.uplink), DUN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_follows_connack),
        cmocka_unit_test(connect_timeout_covers_link_and_connack),
        cmocka_unit_test(failures_to_connect_become_down),
        cmocka_unit_test(bad_configuration_is_refused_at_open),
        cmocka_unit_test(nothing_is_published_before_up),
        cmocka_unit_test(publishes_share_a_write),
        cmocka_unit_test(a_large_payload_streams_through),
        cmocka_unit_test(nothing_is_read_while_acks_find_no_room),
        cmocka_unit_test(a_failing_reader_ends_the_connection),
        cmocka_unit_test(a_dead_link_becomes_down),
        cmocka_unit_test(input_before_the_end_counts),
        cmocka_unit_test(what_arrived_while_asleep_is_not_late),
        cmocka_unit_test(many_messages_in_one_read),
        cmocka_unit_test(subscriptions_go_one_by_one),
        cmocka_unit_test(publishing_does_not_starve_reading),
        cmocka_unit_test(a_silent_flood_does_not_hold_poll),
        cmocka_unit_test(a_flood_of_messages_does_not_starve_the_ping),
        cmocka_unit_test(version_5_resumes_only_what_it_knows),
        cmocka_unit_test(an_old_broker_gets_3_1_1),
        cmocka_unit_test(the_broker_names_another),
        cmocka_unit_test(aliases_save_the_topic),
        cmocka_unit_test(close_can_leave_the_will),
        cmocka_unit_test(version_5_says_why_it_leaves),
        cmocka_unit_test(the_broker_says_why_it_leaves),
        cmocka_unit_test(close_says_disconnect),
        cmocka_unit_test(close_in_a_packet_sends_nothing_else),
        cmocka_unit_test(close_works_in_every_state),
        cmocka_unit_test(memory_limits_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
