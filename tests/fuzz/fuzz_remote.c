/*
 * fuzz_remote.c: remote configuration on a whole agent without a broker. The input is a row of
 * documents, a byte of size before each, whose upper values let the shelf fail, boot the device, or
 * let time pass.
 *
 * Promises checked: whatever comes, what is in force lies within the ranges of the board; the
 * report is the same each time it is written, can be read whole by the reader of the tools, and
 * tells as many outcomes as there are settings; a boot never asserts.
 */
#include <stdlib.h>
#include <string.h>

#include "desired.h"
#include "flash_ram.h"
#include "remote.h"
#include "wire.h"

enum { POINTS = 16, METRICS = 3, WINDOW = 2, BLOCK = 512, BLOCKS = 4, LOSSES = 4, DOCUMENT = 160 };
enum { OP_FAIL = 250, OP_WORK, OP_BOOT, OP_WAIT, OP_ANSWER, OP_REMOVE };

static struct life {
    struct dun_agent agent;
    struct dun_store store;
    struct dun_remote remote;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[WINDOW];
    struct dun_loss losses[LOSSES];
    struct dun_flash flash;
    uint8_t bytes[BLOCK * BLOCKS + 16], unit[16];
    struct dun_sensor sensors[2];
    struct dun_uplink uplink;
    uint8_t record[DOCUMENT + DUN_REMOTE_EXTRA];
    uint8_t slots[2][DOCUMENT + DUN_REMOTE_EXTRA];
    int sizes[2];
    bool failing;
    dun_ms now;
} life;

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
    abort();
}

static void promise(bool held)
{
    if (!held)
        abort();
}

static int load(void *context, int slot, struct dun_buffer out)
{
    (void)context;
    memcpy(out.data, life.slots[slot], (size_t)life.sizes[slot]);
    return life.failing ? DUN_E_IO : life.sizes[slot];
}

static int save(void *context, int slot, struct dun_span record)
{
    (void)context;
    if (life.failing)
        return DUN_E_IO;
    memcpy(life.slots[slot], record.data, record.size);
    life.sizes[slot] = (int)record.size;
    return DUN_OK;
}

static const struct dun_shelf shelf = {.load = load, .save = save};

static void no_stats(void *context, struct dun_uplink_stats *stats)
{
    (void)context;
    *stats = (struct dun_uplink_stats){0};
}

static void boot(void)
{
    static const struct dun_attribute idle = {"cpu.mode", "idle"};
    static const struct dun_metric metrics[] = {
        {.name = "hw.temperature", .unit = "Cel", .kind = DUN_GAUGE, .exponent = -1},
        {.name = "system.cpu.utilization",
         .unit = "1",
         .attributes = &idle,
         .attribute_count = 1,
         .kind = DUN_GAUGE,
         .exponent = 18},
    };
    dun_catalog_init(&life.catalog, life.metrics, METRICS);
    dun_batch_init(&life.batch, life.points, POINTS, life.chains, METRICS);
    life.sensors[0] = (struct dun_sensor){.name = "cpu", .interval_ms = 5000};
    life.sensors[1] = (struct dun_sensor){.name = "memory", .interval_ms = 5000};
    const struct dun_agent_config config = {.device = "d", .boot = 1};
    dun_store_init(&life.store, &(struct dun_store_config){.flash = &life.flash,
                                                           .unit = {life.unit, sizeof life.unit},
                                                           .losses = life.losses,
                                                           .losses_max = LOSSES,
                                                           .new_stream = 1});
    const struct dun_agent_parts parts = {.catalog = &life.catalog,
                                          .batch = &life.batch,
                                          .store = &life.store,
                                          .limits = life.limits,
                                          .window = life.window,
                                          .window_max = WINDOW,
                                          .sensors = life.sensors,
                                          .sensor_count = 2,
                                          .uplink = &life.uplink};
    promise(dun_agent_init(&life.agent, &config, &parts, life.now, NULL) == DUN_OK);
    life.remote = (struct dun_remote){.settings = {.agent = &life.agent},
                                      .shelf = &shelf,
                                      .record = {life.record, sizeof life.record}};
    dun_remote_start(&life.remote, life.now);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        promise(dun_agent_declare(&life.agent, &metrics[i]) == (int)i);
    (void)dun_remote_step(&life.remote, life.now);
}

static void check_ranges(void)
{
    const struct dun_recorder_limits *limits = &life.agent.recorder.limits;
    promise(limits->points_max >= 1 && limits->points_max <= POINTS);
    promise(limits->bytes_max >= 64 && limits->bytes_max <= 1024);
    promise(limits->age_max_ms >= 10 && limits->age_max_ms <= 86400000);
    promise(life.agent.store->log.overflow <= DUN_LOG_DROP_NEWEST);
    promise(life.agent.sender.outbox.config.backfill_percent >= 1 &&
            life.agent.sender.outbox.config.backfill_percent <= 100);
    for (int i = 0; i < 2; i++) {
        uint32_t interval_ms = life.sensors[i].interval_ms;
        promise(interval_ms == 0 || (interval_ms >= 100 && interval_ms <= 86400000));
        promise(life.limits[i].tuning.dead_band >= 0 && life.limits[i].tuning.resolution >= 0);
        promise(!life.limits[i].set || life.limits[i].low <= life.limits[i].high);
    }
}

static void check_report(void)
{
    static uint8_t bytes[2][8192];
    struct dun_config_report report;
    struct dun_span document = life.remote.settings.document;
    struct dun_setting setting;
    size_t settings = 0;
    dun_wire_body body = life.remote.inbox.report;
    size_t size = dun_wire_size(body, &life.remote);
    promise(size > 0 && size <= sizeof bytes[0]);
    promise(dun_wire_window(body, &life.remote, 0, (struct dun_buffer){bytes[0], size}));
    promise(dun_wire_window(body, &life.remote, 0, (struct dun_buffer){bytes[1], size / 2}));
    promise(memcmp(bytes[0], bytes[1], size / 2) == 0);
    promise(dun_report_parse(&report, (struct dun_span){bytes[0], size}));
    while (dun_settings_next(&document, &setting))
        settings++;
    promise(report.good + report.bad == settings);
    promise(report.running <= report.version);
}

/* Returns how many bytes of the input were used. */
static size_t act(struct dun_span input)
{
    uint8_t op = input.data[0];
    size_t size = op < OP_FAIL && op < input.size ? op : input.size - 1;
    size = op < OP_FAIL ? size : 0;
    struct dun_span document = {input.data + 1, size};
    if (op == OP_FAIL || op == OP_WORK)
        life.failing = op == OP_FAIL;
    else if (op == OP_BOOT)
        boot();
    else if (op == OP_WAIT)
        life.now += 60000;
    else if (op == OP_ANSWER)
        life.agent.sender.answered_ms = life.now;
    else if (op == OP_REMOVE || size > 0)
        life.remote.inbox.take(life.remote.inbox.context, document, life.now);
    life.now += 10;
    (void)dun_remote_step(&life.remote, life.now);
    return 1 + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 4};
    memset(&life, 0, sizeof life);
    promise(dun_flash_ram_init(&life.flash, geometry,
                               (struct dun_buffer){life.bytes, sizeof life.bytes}) == DUN_OK);
    life.uplink.stats = no_stats;
    life.now = 1000;
    boot();
    struct dun_span input = {data, size};
    while (input.size > 0) {
        size_t used = act(input);
        input.data += used;
        input.size -= used;
        check_ranges();
        check_report();
    }
    return 0;
}
