/*
 * fuzz_mqtt_session.c: a session between a hostile broker and an agent that does anything. The
 * input is a program: a byte that says what happens, then what it needs.
 *
 * Two sessions live the same life, but one is fed byte by byte. Promises checked: both do the same;
 * a session that can be fed takes something; what goes out is whole packets a client may send; the
 * window is kept; ids are not 0 and never given twice; only what is in flight is acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/session.h"

#define WINDOW   3
#define TOKENS   8
#define RX_SIZE  24
#define TX_SIZE  48
#define LIVES    2
#define OPS_MAX  1000
#define HASH_MUL 1099511628211u

struct life {
    struct dun_mqtt_session session;
    struct dun_mqtt_slot slots[WINDOW];
    uint8_t *rx, *tx;
    uint64_t events, output; /* hashes */
    uint32_t packet_left;    /* bytes of the outgoing packet still to come */
    uint32_t length_count;   /* of its remaining length; 0: at its first byte */
    bool flying[TOKENS];
    bool feeding_bytes;
};

struct program {
    const uint8_t *data;
    size_t size;
};

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static uint8_t next_byte(struct program *program)
{
    if (program->size == 0) {
        return 0;
    }
    program->size--;
    return *program->data++;
}

static void hash(uint64_t *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        *hash = (*hash ^ bytes[i]) * HASH_MUL;
    }
}

static void take_events(struct life *life)
{
    const struct dun_mqtt_event *event;
    while ((event = dun_mqtt_next_event(&life->session)) != NULL) {
        uint8_t all[] = {(uint8_t)event->kind, event->reason, event->session_present};
        hash(&life->events, all, sizeof all);
        if (event->kind == DUN_MQTT_EVENT_ACKED) {
            DUN_ASSERT(event->token < TOKENS && life->flying[event->token]);
            life->flying[event->token] = false;
        }
        if (event->kind == DUN_MQTT_EVENT_MESSAGE) {
            hash(&life->events, event->topic.data, event->topic.size);
            hash(&life->events, event->payload.data, event->payload.size);
        }
    }
}

/* Follows the outgoing bytes packet by packet. */
static void check_byte(struct life *life, uint8_t byte)
{
    if (life->packet_left > 0) {
        life->packet_left--;
    } else if (life->length_count == 0) {
        DUN_ASSERT(byte == 0x10 || (byte & 0xF4) == 0x30 || byte == 0x40 || byte == 0x82 ||
                   byte == 0xC0 || byte == 0xE0);
        life->length_count = 1;
    } else {
        uint32_t value = life->session.first_byte; /* any value: decode_length sets it */
        DUN_ASSERT(life->length_count == 1);
        DUN_ASSERT(dun_mqtt_decode_length(DUN_MQTT_5, byte, 0, &value) ==
                   1); /* all are short here */
        life->packet_left = value;
        life->length_count = 0;
    }
}

static void take_output(struct life *life, size_t room)
{
    struct dun_mqtt_piece piece;
    while (room > 0 && dun_mqtt_output(&life->session, &piece)) {
        DUN_ASSERT(piece.size > 0);
        size_t size = piece.size < room ? piece.size : room;
        for (size_t i = 0; i < size; i++) {
            uint8_t byte = piece.data != NULL ? piece.data[i] : (uint8_t)(piece.offset + i);
            check_byte(life, byte);
            hash(&life->output, &byte, 1);
        }
        room -= size;
        dun_mqtt_taken(&life->session, size, 0);
    }
}

static void check_slots(const struct life *life)
{
    const struct dun_mqtt_session *session = &life->session;
    DUN_ASSERT(session->ring_count <= WINDOW && session->survivors <= session->ring_count);
    DUN_ASSERT(session->owed_count <= DUN_MQTT_OWED_ACKS_MAX);
    for (unsigned i = 0; i < session->ring_count; i++) {
        uint16_t id = life->slots[(session->ring_head + i) % WINDOW].packet_id;
        DUN_ASSERT(id != 0 && id != session->subscribe_id);
        for (unsigned j = 0; j < i; j++) {
            DUN_ASSERT(id != life->slots[(session->ring_head + j) % WINDOW].packet_id);
        }
    }
}

/* Returns what was not taken, because PUBACKs are owed or the session is over. */
static size_t feed(struct life *life, struct dun_span input)
{
    while (input.size > 0) {
        size_t size = life->feeding_bytes ? 1 : input.size;
        bool can = dun_mqtt_can_feed(&life->session);
        size_t used = dun_mqtt_feed(&life->session, (struct dun_span){input.data, size}, 0);
        DUN_ASSERT(used <= size && (used > 0 || !can));
        take_events(life);
        if (used == 0) {
            break;
        }
        input.data += used;
        input.size -= used;
    }
    return input.size;
}

static void connect(struct life *life, uint8_t flags, dun_ms now)
{
    struct dun_mqtt_connect connect = {.clean_start = (flags & 1) != 0,
                                       .version = (flags & 2) != 0 ? DUN_MQTT_5 : DUN_MQTT_3_1_1,
                                       .keepalive_s = flags >> 4,
                                       .client_id = {(const uint8_t *)"d", 1}};
    struct dun_mqtt_times times = {.connack_deadline = now + 1000};
    DUN_ASSERT(dun_mqtt_connect(&life->session, &connect, &times, now) == DUN_OK);
    life->packet_left = life->length_count = 0;
    memset(life->flying, 0, sizeof life->flying);
}

static int publish(struct life *life, uint8_t what, uint8_t size, dun_ms now)
{
    struct dun_mqtt_publish publish = {.topic = {(const uint8_t *)"topic", 1 + what % 5},
                                       .payload_size = size % 100,
                                       .qos = (what & 0x80) == 0,
                                       .retain = (what & 0x40) != 0};
    uint16_t token = what / 5 % TOKENS;
    if (life->flying[token]) {
        return 0; /* the agent promises not to */
    }
    int result = dun_mqtt_send_publish(&life->session, &publish, token, now);
    life->flying[token] |= result == DUN_OK && publish.qos > 0;
    return result;
}

/* One thing happens to one session. */
static int happen(struct life *life, uint8_t what, const uint8_t *arguments, struct program feed_in,
                  dun_ms now)
{
    switch (what % 8) {
    case 0:
        connect(life, arguments[0], now);
        take_output(life, arguments[1]);
        return 0;
    case 1:
        return publish(life, arguments[0], arguments[1], now);
    case 2:
        return dun_mqtt_send_subscribe(&life->session, (struct dun_span){arguments, 2}, 1, now);
    case 3:
        take_output(life, arguments[0]);
        return 0;
    case 4:
        dun_mqtt_tick(&life->session, now);
        take_events(life);
        return 0;
    case 5:
        if (arguments[0] > 0xF0) {
            dun_mqtt_send_disconnect(&life->session, 0);
        }
        return 0;
    default:
        return (int)feed(life, (struct dun_span){feed_in.data, feed_in.size});
    }
}

static void check_same(const struct life *a, const struct life *b)
{
    DUN_ASSERT(a->events == b->events && a->output == b->output);
    DUN_ASSERT(a->session.state == b->session.state);
    DUN_ASSERT(a->session.stats.unmatched_acks == b->session.stats.unmatched_acks);
    DUN_ASSERT(a->session.stats.skipped_messages == b->session.stats.skipped_messages);
    DUN_ASSERT(dun_mqtt_deadline(&a->session) == dun_mqtt_deadline(&b->session));
}

static void run(struct life *lives, struct program program)
{
    dun_ms now = 0;
    for (unsigned op = 0; op < OPS_MAX && program.size > 0; op++) {
        uint8_t what = next_byte(&program);
        uint8_t arguments[2] = {next_byte(&program), next_byte(&program)};
        struct program feed_in = {program.data, 0};
        int results[LIVES];
        now += what >> 3;
        if (what % 8 > 5) {
            feed_in.size = arguments[0] < program.size ? arguments[0] : program.size;
            program.data += feed_in.size;
            program.size -= feed_in.size;
        }
        for (unsigned i = 0; i < LIVES; i++) {
            results[i] = happen(&lives[i], what, arguments, feed_in, now);
            check_slots(&lives[i]);
        }
        DUN_ASSERT(results[0] == results[1]);
        check_same(&lives[0], &lives[1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct life lives[LIVES];
    memset(lives, 0, sizeof lives);
    for (unsigned i = 0; i < LIVES; i++) {
        lives[i].rx = malloc(RX_SIZE);
        lives[i].tx = malloc(TX_SIZE);
        lives[i].feeding_bytes = i == 1;
        struct dun_mqtt_memory memory = {
            {lives[i].rx, RX_SIZE}, {lives[i].tx, TX_SIZE}, lives[i].slots, WINDOW};
        DUN_ASSERT(dun_mqtt_init(&lives[i].session, &memory) == DUN_OK);
    }
    run(lives, (struct program){data, size});
    for (unsigned i = 0; i < LIVES; i++) {
        free(lives[i].rx);
        free(lives[i].tx);
    }
    return 0;
}
