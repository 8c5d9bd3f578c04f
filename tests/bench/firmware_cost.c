/*
 * firmware_cost.c: an image for the lm3s6965evb that counts the client's own instructions: so many
 * samples recorded while there is no connection, then all records published. The broker is a link
 * that answers CONNECT and each PUBLISH; its own work, and making the values, is not counted.
 *
 * QEMU's -icount gives each instruction the same virtual time, and SysTick counts that: with
 * shift=5 an instruction takes 32 ns, 8/5 of a tick of 20 ns. So the figures are the same each run.
 */
#include <string.h>

#include "clock_lm3s.h"
#include "flash_ram.h"
#include "node.h"
#include "registers.h"
#include "stack.h"
#include "uart.h"

#define METRICS 12
#define ROWS    80
#define STEP_MS 1000
#define BLOCK   2048
#define BLOCKS  6

static struct dun_node node;
static uint8_t flash_bytes[BLOCK * BLOCKS + sizeof(struct dun_flash_geometry)];
static uint32_t started, counted; /* ticks */

/// Counting ///

static void resume(void)
{
    started = SYST_CVR;
}

static void pause(void)
{
    counted += (started - SYST_CVR) & 0xFFFFFFu; /* it counts down */
}

static uint32_t take_count(void)
{
    uint32_t instructions = (uint32_t)(counted * UINT64_C(5) / 8);
    counted = 0;
    return instructions;
}

/// The broker ///

static bool reachable;
static uint8_t answer[64];
static size_t answer_size;
static struct {
    uint8_t head[DUN_TOPIC_MAX + 16];
    size_t have, left; /* of the head so far; bytes of the packet behind it */
} packet;

static int link_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    (void)context, (void)host, (void)port, (void)now;
    return DUN_OK;
}

static int link_ready(void *context, dun_ms now)
{
    (void)context, (void)now;
    return reachable;
}

static int link_read(void *context, void *data, size_t size)
{
    (void)context;
    pause();
    size_t count = answer_size < size ? answer_size : size;
    memcpy(data, answer, count);
    memmove(answer, answer + count, answer_size - count);
    answer_size -= count;
    resume();
    return (int)count;
}

static void reply(const uint8_t *bytes, size_t size)
{
    DUN_ASSERT(answer_size + size <= sizeof answer);
    memcpy(answer + answer_size, bytes, size);
    answer_size += size;
}

/* The size of the packet that begins in `head`; 0: not known yet. */
static size_t packet_size(void)
{
    size_t size = 0;
    for (size_t i = 1; i < packet.have && i < 5; i++) {
        size |= (size_t)(packet.head[i] & 0x7F) << 7 * (i - 1);
        if ((packet.head[i] & 0x80) == 0) {
            return size + i + 1;
        }
    }
    return 0;
}

static void take_packet(void)
{
    size_t body = packet.head[1] & 0x80 ? 3 : 2;
    if (packet.head[0] >> 4 == 1) {
        bool v5 = packet.head[body + 6] == 5;
        reply((const uint8_t[]){0x20, v5 ? 3 : 2, 0, 0, 0}, v5 ? 5 : 4);
    } else if ((packet.head[0] & 0xF6) == 0x32) {
        size_t id = body + 2 + ((size_t)packet.head[body] << 8 | packet.head[body + 1]);
        reply((const uint8_t[]){0x40, 2, packet.head[id], packet.head[id + 1]}, 4);
    }
    packet.have = 0;
}

static void take_byte(uint8_t byte)
{
    if (packet.have < sizeof packet.head) {
        packet.head[packet.have] = byte;
    }
    packet.have++;
    size_t size = packet_size();
    if (size != 0 && packet.have == size) {
        take_packet();
    }
}

static int link_write(void *context, const void *data, size_t size)
{
    (void)context;
    pause();
    for (size_t i = 0; i < size; i++) {
        take_byte(((const uint8_t *)data)[i]);
    }
    resume();
    return (int)size;
}

static void link_close(void *context)
{
    (void)context;
}

static dun_ms link_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

/// The work ///

static int64_t next_value(unsigned metric)
{
    static uint64_t random_state = 1;
    static int64_t values[METRICS];
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    values[metric] += (int64_t)(random_state >> 60) - 7;
    return values[metric];
}

static void start(void)
{
    static struct dun_flash flash;
    static const struct dun_link link = {.open = link_open,
                                         .ready = link_ready,
                                         .read = link_read,
                                         .write = link_write,
                                         .close = link_close,
                                         .deadline = link_deadline};
    struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 1};
    struct dun_node_config config = {.agent = {.device = "fw-1", .boot = 1},
                                     .broker = {.client_id = "fw-1", .host = "x", .port = 1},
                                     .link = &link,
                                     .flash = &flash,
                                     .stream = 1};
    int result =
        dun_flash_ram_init(&flash, geometry, (struct dun_buffer){flash_bytes, sizeof flash_bytes});
    DUN_ASSERT(result == DUN_OK);
    result = dun_node_init(&node, &config, 0, NULL);
    DUN_ASSERT(result == DUN_OK);
    for (unsigned i = 0; i < METRICS; i++) {
        struct dun_metric metric = {.name = "system.network.io", .unit = "By", .kind = DUN_GAUGE};
        result = dun_agent_declare(&node.agent, &metric);
        DUN_ASSERT(result == (int)i);
    }
}

static void record_row(dun_ms now)
{
    for (uint16_t metric = 0; metric < METRICS; metric++) {
        int64_t value = next_value(metric);
        resume();
        int result = dun_agent_record(&node.agent, metric, value, now);
        pause();
        DUN_ASSERT(result == DUN_OK);
    }
    resume();
    dun_agent_step(&node.agent, now);
    pause();
}

static void tell(const char *what, uint32_t number)
{
    dun_uart_text(what);
    dun_uart_text(" ");
    dun_uart_number((int32_t)number);
    dun_uart_text("\n");
}

int main(void)
{
    dun_uart_start();
    dun_clock_start();
    SYST_CSR = 5; /* core clock, no interrupt */
    SYST_RVR = 0xFFFFFF;
    SYST_CVR = 0;
    start();
    dun_ms now = 0;
    for (; now < ROWS * STEP_MS; now += STEP_MS) {
        record_row(now);
    }
    int result = dun_agent_seal(&node.agent, now);
    DUN_ASSERT(result == DUN_OK);
    tell("samples", ROWS * METRICS);
    tell("instructions", take_count());
    uint64_t records = dun_agent_backlog(&node.agent);
    tell("records", (uint32_t)records);
    tell("bytes", (uint32_t)dun_agent_stats(&node.agent)->bytes_stored);
    reachable = true;
    while (dun_agent_backlog(&node.agent) > 0) {
        now++;
        resume();
        dun_agent_step(&node.agent, now);
        pause();
    }
    tell("published", (uint32_t)dun_agent_stats(&node.agent)->records_published);
    tell("instructions", take_count());
    tell("stack", dun_stack_size() - dun_stack_free());
    dun_uart_text("done\n");
    for (;;) {
    }
}
