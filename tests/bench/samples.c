/*
 * samples.c: the work of which tools/bench instructions counts the instructions: so many samples of
 * fifty metrics, as random walks, recorded in one of several ways.
 *
 *     samples none|dunlin|json|line COUNT
 *
 * "dunlin" is the whole recording path: batch, encoding, CRC, log on a RAM flash. The rivals only
 * format each sample into a buffer, as a firmware that publishes text would.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_ram.h"
#include "recorder.h"

#define METRICS   50
#define POINTS    512
#define BLOCK     4096
#define BLOCKS    64
#define STEP_MS   1000
#define ENCODED   1024
#define NAME_SIZE 32

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

static char names[METRICS][NAME_SIZE];
static int64_t values[METRICS];
static uint64_t random_state = 1;

static int64_t next_value(unsigned metric)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    values[metric] += (int64_t)(random_state >> 60) - 7;
    return values[metric];
}

/// The way of dunlin ///

static struct dun_metric metrics[METRICS];
static struct dun_catalog catalog;
static struct dun_batch batch;
static struct dun_point points[POINTS];
static struct dun_chain chains[METRICS];
static uint8_t unit[256];
static struct dun_loss losses[8];
static struct dun_flash flash;
static struct dun_store store, spare;
static struct dun_clock wall;
static struct dun_stats stats;
static struct dun_notices notices;
static struct dun_recorder recorder;

static void declare_metrics(void)
{
    dun_catalog_init(&catalog, metrics, METRICS);
    for (unsigned i = 0; i < METRICS; i++) {
        struct dun_metric metric = {.name = names[i], .unit = "By", .kind = DUN_GAUGE};
        DUN_ASSERT(dun_catalog_add(&catalog, &metric) >= 0);
    }
}

static void start_recorder(void)
{
    struct dun_flash_geometry geometry = {BLOCK, BLOCKS, 1};
    size_t size = dun_flash_ram_size(&geometry);
    struct dun_buffer memory = {malloc(size), size};
    DUN_ASSERT(memory.data != NULL && dun_flash_ram_init(&flash, geometry, memory) == 0);
    declare_metrics();
    dun_batch_init(&batch, points, POINTS, chains, METRICS);
    dun_clock_init(&wall, 1, 0, 3600000);
    dun_store_init(&store, &(struct dun_store_config){.flash = &flash,
                                                      .unit = {unit, sizeof unit},
                                                      .losses = losses,
                                                      .losses_max = 8,
                                                      .new_stream = 1});
    dun_store_init(&spare, &(struct dun_store_config){0});
    recorder = (struct dun_recorder){.device = "bird-1",
                                     .encoder = &dun_columns,
                                     .limits = {.points_max = POINTS,
                                                .bytes_max = ENCODED,
                                                .age_max_ms = 10 * STEP_MS,
                                                .retry_ms = 1000},
                                     .catalog = &catalog,
                                     .batch = &batch,
                                     .clock = &wall,
                                     .durable = &store,
                                     .spare = &spare,
                                     .stats = &stats,
                                     .notices = &notices};
    dun_recorder_start(&recorder, 0);
}

static void record(unsigned metric, int64_t value, dun_ms now)
{
    DUN_ASSERT(dun_recorder_add(&recorder, (uint16_t)metric, value, now) == 0);
    dun_recorder_tick(&recorder, now);
}

/// The ways of the rivals ///

static char text[65536];
static size_t text_size;

static void put_text(int size)
{
    text_size += (size_t)size;
    if (text_size > sizeof text - 256) {
        text_size = 0;
    }
}

static void write_json(unsigned metric, int64_t value, dun_ms now)
{
    put_text(snprintf(text + text_size, 256,
                      "{\"metric\":\"%s\",\"time\":%" PRId64 ",\"value\":%" PRId64 "}\n",
                      names[metric], now, value));
}

static void write_line(unsigned metric, int64_t value, dun_ms now)
{
    put_text(snprintf(text + text_size, 256, "%s,device=bird-1 value=%" PRId64 "i %" PRId64 "\n",
                      names[metric], value, now));
}

static void write_nothing(unsigned metric, int64_t value, dun_ms now)
{
    (void)metric, (void)value, (void)now;
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*take)(unsigned metric, int64_t value, dun_ms now);
    } ways[] = {
        {"none", write_nothing}, {"dunlin", record}, {"json", write_json}, {"line", write_line}};
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    for (unsigned i = 0; i < METRICS; i++) {
        snprintf(names[i], sizeof names[i], "system.network.io.%u", i);
    }
    start_recorder();
    for (size_t way = 0; argc == 3 && way < sizeof ways / sizeof ways[0]; way++) {
        if (strcmp(ways[way].name, argv[1]) == 0) {
            for (long i = 0; i < count; i++) {
                unsigned metric = (unsigned)(i % METRICS);
                ways[way].take(metric, next_value(metric), i / METRICS * STEP_MS);
            }
            printf("%" PRIu64 " bytes stored\n", stats.bytes_stored);
            return 0;
        }
    }
    fprintf(stderr, "usage: samples none|dunlin|json|line COUNT\n");
    return 2;
}
