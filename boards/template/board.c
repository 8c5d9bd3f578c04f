/*
 * board.c: a board to copy. It compiles, links and runs on any machine with nothing behind it: the
 * link never connects, the flash is RAM, the one sensor counts its own readings. Replace what is
 * marked HERE, one part at a time; each part left out is an error of the compiler or the linker.
 */
#include "flash_ram.h"
#include "link_null.h"
#include "node.h"
#include "selftest.h"

/* HERE: reset the device, and keep where it happened. */
_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
    for (;;) {
    }
}

/* HERE: milliseconds since boot, 64 bits wide: extend a counter that wraps. */
static dun_ms uptime_ms(void)
{
    static dun_ms now;
    return now += 100;
}

/* HERE: sleep until `deadline`, or until the link has bytes or room. False ends the program. */
static bool wait_until(dun_ms deadline)
{
    static int rounds;
    (void)deadline;
    return ++rounds < 1000;
}

/* HERE: a sensor of yours. */
static int read_counter(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    static const struct dun_metric metric = {
        .name = "template.readings", .unit = "{reading}", .kind = DUN_COUNTER};
    static int id = -1;
    static int64_t readings;
    (void)sensor;
    if (id < 0) {
        id = dun_agent_declare(agent, &metric);
    }
    return id < 0 ? id : dun_agent_record(agent, (uint16_t)id, ++readings, now);
}

static struct dun_node node;
static struct dun_sensor sensors[] = {
    {.name = "counter", .interval_ms = 5000, .read = read_counter},
};

int main(void)
{
    /* HERE: your flash and your link. */
    static uint8_t blocks[4 * 1024 + sizeof(struct dun_flash_geometry)];
    static struct dun_flash flash = {
        .geometry = {.block_size = 1024, .block_count = 4, .prog_size = 1}};
    static struct dun_link link;
    dun_link_null_init(&link);
    if (dun_flash_ram_init(&flash, flash.geometry, (struct dun_buffer){blocks, sizeof blocks}) !=
        DUN_OK) {
        return 1;
    }
    /* HERE: take this out once it passes on the device: it erases the log. */
    const char *what;
    if (dun_selftest_clock(uptime_ms, &what) != DUN_OK ||
        dun_selftest_flash(&flash, &what) != DUN_OK) {
        return 1;
    }
    /* HERE: who this device is, its broker, and numbers that are random. */
    const struct dun_node_config config = {
        .agent = {.device = "template-1", .board = "template", .boot = 1, .random_seed = 1},
        .broker = {.host = "broker",
                   .port = 1883,
                   .client_id = "template-1",
                   .keepalive_s = 60,
                   .connect_timeout_ms = 20000},
        .link = &link,
        .flash = &flash,
        .stream = 1,
        .sensors = sensors,
        .sensor_count = sizeof sensors / sizeof sensors[0],
    };
    if (dun_node_init(&node, &config, uptime_ms(), NULL) != DUN_OK) {
        return 1;
    }
    while (wait_until(dun_agent_step(&node.agent, uptime_ms()))) {
    }
    return dun_agent_stats(&node.agent)->records_stored > 0 ? 0 : 1;
}
