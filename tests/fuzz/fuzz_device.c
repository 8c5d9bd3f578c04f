/*
 * fuzz_device.c: a whole device, with the profile of the template board, and a hostile broker. The
 * input is a program: a byte that says what happens, then what it needs. The broker sends anything,
 * and messages on the one topic that the device reads, .../stored, in packets that are right around
 * payloads that are not.
 *
 * Promises checked: with ack = stored a record is freed only by a dunlin.v1.Stored that names the
 * stream and covers it; the device comes to rest: its deadline does not lie in the past for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_ram.h"
#include "node.h"

#define OPS_MAX   300
#define STEPS_MAX 1000 /* until the deadline lies ahead */
#define STREAM    0x1122334455667788u
#define BLOCKS    64
#define TOPIC     "dunlin/default/d/stored"
#define TOPIC_LEN (sizeof TOPIC - 1)

struct program {
    const uint8_t *data;
    size_t size;
};

static struct dun_node node;
static struct dun_flash flash;
static uint8_t memory[BLOCKS * 1024 + sizeof(struct dun_flash_geometry)];

/* The link: what the broker sent and the device has not read. */
static struct {
    uint8_t input[4096];
    size_t size;
    bool open, refused, stuck;
} pipe_now;

static uint64_t allowed; /* the highest sequence that a Stored for our stream named */

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

/// The link ///

static int pipe_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    (void)context;
    (void)host;
    (void)port;
    (void)now;
    pipe_now.open = !pipe_now.refused;
    pipe_now.size = 0;
    return pipe_now.refused ? DUN_E_UNREACHABLE : DUN_OK;
}

static int pipe_ready(void *context, dun_ms now)
{
    (void)context;
    (void)now;
    return pipe_now.open ? 1 : DUN_E_CLOSED;
}

static int pipe_read(void *context, void *data, size_t size)
{
    (void)context;
    if (!pipe_now.open) {
        return DUN_E_CLOSED;
    }
    size = size < pipe_now.size ? size : pipe_now.size;
    memcpy(data, pipe_now.input, size);
    memmove(pipe_now.input, pipe_now.input + size, pipe_now.size - size);
    pipe_now.size -= size;
    return (int)size;
}

static int pipe_write(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    if (!pipe_now.open) {
        return DUN_E_CLOSED;
    }
    return pipe_now.stuck ? 0 : (int)size;
}

static void pipe_close(void *context)
{
    (void)context;
    pipe_now.open = false;
}

static dun_ms pipe_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

static const struct dun_link link_table = {.open = pipe_open,
                                           .ready = pipe_ready,
                                           .read = pipe_read,
                                           .write = pipe_write,
                                           .close = pipe_close,
                                           .deadline = pipe_deadline};

/// The broker ///

static void say(const void *data, size_t size)
{
    if (pipe_now.open && size <= sizeof pipe_now.input - pipe_now.size) {
        memcpy(pipe_now.input + pipe_now.size, data, size);
        pipe_now.size += size;
    }
}

/* A PUBLISH on the topic, QoS 0 or 1, whose payload is this. */
static void say_stored(const uint8_t *payload, size_t size, bool qos1)
{
    bool v5 = node.connection.mqtt.session.version == 5;
    size_t body = 2 + TOPIC_LEN + (qos1 ? 2 : 0) + v5 + size;
    uint8_t packet[128] = {(uint8_t)(0x30 | qos1 << 1), (uint8_t)body, 0, (uint8_t)TOPIC_LEN};
    memcpy(packet + 4, TOPIC, TOPIC_LEN);
    size_t at = 4 + TOPIC_LEN;
    if (qos1) {
        packet[at + 1] = 1;
        at += 2;
    }
    at += v5; /* no properties */
    memcpy(packet + at, payload, size);
    say(packet, at + size);
}

static void say_sequence(uint64_t stream, uint64_t sequence)
{
    uint8_t payload[24] = {0x09};
    for (int i = 0; i < 8; i++) {
        payload[1 + i] = (uint8_t)(stream >> (8 * i));
    }
    payload[9] = 0x10;
    size_t size = 10;
    for (uint64_t left = sequence;; left >>= 7) {
        payload[size++] = (uint8_t)(left >= 0x80 ? left | 0x80 : left);
        if (left < 0x80) {
            break;
        }
    }
    /* What is ahead of the device frees nothing. */
    uint64_t next = dun_log_next_sequence(&node.agent.store->log);
    if (stream == STREAM && sequence > allowed && sequence < next) {
        allowed = sequence;
    }
    say_stored(payload, size, sequence & 1);
}

static void speak(struct program *program, uint8_t what)
{
    uint8_t argument = next_byte(program);
    const uint8_t connack[] = {0x20, 2, 0, 0}, connack5[] = {0x20, 3, 0, 0, 0};
    const uint8_t puback[] = {0x40, 2, 0, argument}, suback[] = {0x90, 3, 0, argument, 1};
    const uint8_t suback5[] = {0x90, 4, 0, argument, 0, 1};
    bool v5 = node.connection.mqtt.session.version == 5;
    size_t size = argument % 60u < program->size ? argument % 60u : program->size;
    switch (what % 6) {
    case 0:
        v5 ? say(connack5, sizeof connack5) : say(connack, sizeof connack);
        break;
    case 1:
        say(puback, sizeof puback);
        break;
    case 2:
        v5 ? say(suback5, sizeof suback5) : say(suback, sizeof suback);
        break;
    case 3:
        say_sequence(argument & 0x80 ? STREAM + 1 : STREAM,
                     dun_log_first_sequence(&node.agent.store->log) + argument % 0x80 - 8);
        break;
    case 4:
        say_stored(program->data, size, argument & 0x80);
        allowed = size > 0 ? UINT64_MAX : allowed; /* it may have been right */
        program->data += size;
        program->size -= size;
        break;
    default:
        say(program->data, size);
        allowed = size > 0 ? UINT64_MAX : allowed;
        program->data += size;
        program->size -= size;
        break;
    }
}

/// The device ///

static dun_ms step(dun_ms now)
{
    struct dun_notice notice;
    dun_ms next = 0;
    for (int i = 0; next <= now; i++) {
        DUN_ASSERT(i < STEPS_MAX);
        next = dun_agent_step(&node.agent, now);
        while (dun_agent_notice(&node.agent, &notice)) {
        }
        if (pipe_now.stuck || dun_agent_ended(&node.agent)) {
            break;
        }
    }
    DUN_ASSERT(allowed == UINT64_MAX ||
               dun_log_first_sequence(&node.agent.store->log) <= allowed + 1);
    return next;
}

static dun_ms happen(struct program *program, dun_ms now)
{
    uint8_t what = next_byte(program);
    switch (what % 6) {
    case 0:
        (void)dun_agent_record(&node.agent, 0, next_byte(program), now);
        break;
    case 1:
        (void)!dun_agent_seal(&node.agent, now);
        break;
    case 2:
        now += next_byte(program) * (dun_ms)(1 + what / 6 * what / 6);
        break;
    case 3:
        pipe_now.open = pipe_now.open && what & 0x40;
        pipe_now.refused = what & 0x20;
        pipe_now.stuck = what & 0x80;
        break;
    default:
        speak(program, what / 6);
        break;
    }
    dun_ms next = step(now);
    return what & 1 && next > now && next != DUN_MS_NEVER ? next
                                                          : now; /* or sleeps until it is due */
}

static void start(uint8_t how)
{
    struct dun_node_config config = {
        .agent = {.device = "d",
                  .boot = 1,
                  .ack_mode = how & 1 ? DUN_ACK_PUBLISHED : DUN_ACK_STORED,
                  .strict_order = how & 2,
                  .stored_wait_ms = 1000},
        .broker = {.host = "h", .port = 1, .client_id = "d", .mqtt_version = how & 4 ? 5 : 4},
        .link = &link_table,
        .flash = &flash,
        .stream = STREAM};
    struct dun_metric metric = {"m", "1", .kind = DUN_GAUGE};
    struct dun_flash_geometry geometry = {1024, BLOCKS, 1};
    memset(&node, 0, sizeof node);
    memset(&pipe_now, 0, sizeof pipe_now);
    allowed = how & 1 ? UINT64_MAX : 0;
    DUN_ASSERT(dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}) ==
               DUN_OK);
    DUN_ASSERT(dun_node_init(&node, &config, 0, NULL) == DUN_OK);
    DUN_ASSERT(dun_agent_declare(&node.agent, &metric) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {data, size};
    dun_ms now = 0;
    start(next_byte(&program));
    for (unsigned op = 0; op < OPS_MAX && program.size > 0; op++) {
        now = happen(&program, now);
    }
    return 0;
}
