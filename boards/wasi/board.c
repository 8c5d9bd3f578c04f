/*
 * board.c: a WASI 0.2 component: the memory of an agent by profile.h, the compact MQTT client over
 * wasi:sockets, and main. What happens is in boards/hosted/daemon.c. No heap: all of it is static.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "daemon.h"
#include "link_posix.h"
#include "node.h"
#include "rights.h"
#include "storage.h"

_Static_assert(DUN_PROFILE_CPUS_MAX >= 1, "profile.h: raise DUN_PROFILE_CPUS_MAX to 1");
_Static_assert(DUN_PROFILE_SCRATCH_SIZE >= 512,
               "profile.h: raise DUN_PROFILE_SCRATCH_SIZE to 512, a line of /proc must fit");
_Static_assert(DUN_PROFILE_SPARE_BLOCK_SIZE >= 256 && DUN_PROFILE_SPARE_BLOCK_COUNT >= 2,
               "profile.h: the log in RAM needs 2 blocks of 256 bytes");
_Static_assert(DUN_PROFILE_RECORD_MAX >= 128 &&
                   DUN_PROFILE_RECORD_MAX <= DUN_STORAGE_BLOCK_SIZE / 2,
               "profile.h: DUN_PROFILE_RECORD_MAX must be 128 to half a block of the log");
_Static_assert(DUN_PROFILE_LOG_SIZE >= DUN_STORAGE_SIZE_MIN,
               "profile.h: raise DUN_PROFILE_LOG_SIZE to 16 KiB");
_Static_assert(DUN_PROFILE_PROG_SIZE_MAX >= DUN_STORAGE_PROG_SIZE,
               "profile.h: raise DUN_PROFILE_PROG_SIZE_MAX to DUN_STORAGE_PROG_SIZE");
_Static_assert(DUN_PROFILE_MQTT_TX_SIZE >= 512,
               "profile.h: raise DUN_PROFILE_MQTT_TX_SIZE to 512, CONNECT must fit");

static struct dun_node node;
static struct dun_link_posix posix;
static struct dun_link link_table;

static struct {
    struct dun_instance instances[DUN_PROFILE_INSTANCES_MAX];
    struct dun_cpu cpus[DUN_PROFILE_CPUS_MAX + 1];
    struct dun_temperature temperatures[DUN_PROFILE_TEMPERATURES_MAX];
    struct dun_mount mounts[DUN_PROFILE_MOUNTS_MAX];
    _Alignas(max_align_t) uint8_t arena[DUN_PROFILE_ARENA_SIZE];
    uint8_t scratch[DUN_PROFILE_SCRATCH_SIZE];
    uint8_t spare[DUN_PROFILE_SPARE_BLOCK_SIZE * DUN_PROFILE_SPARE_BLOCK_COUNT +
                  sizeof(struct dun_flash_geometry)];
} memory;

static const struct dun_knob knobs[] = {
    {"metrics_max", DUN_PROFILE_METRICS_MAX},
    {"points_max", DUN_PROFILE_POINTS_MAX},
    {"record_max", DUN_PROFILE_RECORD_MAX},
    {"log_size", DUN_PROFILE_LOG_SIZE},
    {"losses_max", DUN_PROFILE_LOSSES_MAX},
    {"spare_size", DUN_PROFILE_SPARE_BLOCK_SIZE *DUN_PROFILE_SPARE_BLOCK_COUNT},
    {"window", DUN_PROFILE_WINDOW},
    {"mqtt_rx_size", DUN_PROFILE_MQTT_RX_SIZE},
    {"mqtt_tx_size", DUN_PROFILE_MQTT_TX_SIZE},
};

static int start(const struct dun_daemon_start *start, dun_ms now, const char **what)
{
    const struct dun_node_config config = {
        .agent = start->agent,
        .broker = start->broker,
        .link = &link_table,
        .flash = start->flash,
        .spare = start->spare,
        .archive = start->archive,
        .stream = start->stream,
        .spare_stream = start->spare_stream,
        .archive_stream = start->archive_stream,
        .overflow = start->overflow,
        .sensors = start->sensors,
        .sensor_count = start->sensor_count,
    };
    dun_link_posix_init(&posix, DUN_PROFILE_ADDRESS_TIMEOUT_MS, start->broker.connect_timeout_ms,
                        &link_table);
    return dun_node_init(&node, &config, now, what);
}

static int wait_fd(void)
{
    return dun_link_posix_fd(&posix);
}

static short wait_events(void)
{
    int out = node.uplink.wants_write(node.uplink.context) ? POLLOUT : 0;
    int in = node.uplink.wants_read(node.uplink.context) ? 0 : POLLIN;
    return (short)((dun_link_posix_events(&posix) | out) & ~in);
}

int main(int argc, char *argv[])
{
    static const struct dun_daemon_board board = {
        .program = "dunlind",
        .name = "wasi",
        .knobs = knobs,
        .knob_count = sizeof knobs / sizeof knobs[0],
        .limits = {.points_max = DUN_PROFILE_POINTS_MAX,
                   .record_max = DUN_PROFILE_RECORD_MAX,
                   .log_size_min = DUN_STORAGE_SIZE_MIN,
                   .log_size_default = DUN_PROFILE_LOG_SIZE},
        .sensors = {.arena = {memory.arena, sizeof memory.arena},
                    .scratch = {memory.scratch, sizeof memory.scratch},
                    .instances = memory.instances,
                    .instances_max = DUN_PROFILE_INSTANCES_MAX,
                    .cpus = memory.cpus,
                    .cpus_max = DUN_PROFILE_CPUS_MAX + 1,
                    .temperatures = memory.temperatures,
                    .temperatures_max = DUN_PROFILE_TEMPERATURES_MAX,
                    .mounts = memory.mounts,
                    .mounts_max = DUN_PROFILE_MOUNTS_MAX},
        .spare = {memory.spare, sizeof memory.spare},
        .spare_geometry = {DUN_PROFILE_SPARE_BLOCK_SIZE, DUN_PROFILE_SPARE_BLOCK_COUNT, 1},
        .agent = &node.agent,
        .may_lack_state = true,
        .survey = dun_rights_survey,
        .start = start,
        .wait_fd = wait_fd,
        .wait_events = wait_events,
    };
    return dun_daemon_main(&board, argc, argv, environ);
}
