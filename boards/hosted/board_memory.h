/*
 * board_memory.h: the memory that a hosted board lends to the daemon, sized by its profile.h, and
 * what a board's node takes over from the daemon. For board.c only: it holds what a profile
 * decides.
 */
#ifndef DUN_HOSTED_BOARD_MEMORY_H
#define DUN_HOSTED_BOARD_MEMORY_H

#include <stddef.h>

#include "daemon.h"
#include "node.h"
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
_Static_assert(DUN_PROFILE_CONFIG_MAX >= 16 && DUN_PROFILE_CONFIG_MAX <= 65535,
               "profile.h: DUN_PROFILE_CONFIG_MAX must be 16 to 65535");

struct dun_board_memory {
    struct dun_instance instances[DUN_PROFILE_INSTANCES_MAX];
    struct dun_cpu cpus[DUN_PROFILE_CPUS_MAX + 1];
    struct dun_temperature temperatures[DUN_PROFILE_TEMPERATURES_MAX];
    struct dun_mount mounts[DUN_PROFILE_MOUNTS_MAX];
    _Alignas(max_align_t) uint8_t arena[DUN_PROFILE_ARENA_SIZE];
    uint8_t scratch[DUN_PROFILE_SCRATCH_SIZE];
    uint8_t remote[DUN_PROFILE_CONFIG_MAX + DUN_REMOTE_EXTRA];
    uint8_t spare[DUN_PROFILE_SPARE_BLOCK_SIZE * DUN_PROFILE_SPARE_BLOCK_COUNT +
                  sizeof(struct dun_flash_geometry)];
};

static inline void dun_board_lend(struct dun_board_memory *memory, struct dun_daemon_board *board)
{
    board->limits.points_max = DUN_PROFILE_POINTS_MAX;
    board->limits.record_max = DUN_PROFILE_RECORD_MAX;
    board->limits.log_size_min = DUN_STORAGE_SIZE_MIN;
    board->limits.log_size_default = DUN_PROFILE_LOG_SIZE;
#ifdef DUN_PROFILE_METRICS
    static const struct dun_metric_default metrics[] = {DUN_PROFILE_METRICS};
    board->limits.metrics = metrics;
    board->limits.metric_count = sizeof metrics / sizeof metrics[0];
#endif
    board->sensors =
        (struct dun_sensors_memory){.arena = {memory->arena, sizeof memory->arena},
                                    .scratch = {memory->scratch, sizeof memory->scratch},
                                    .instances = memory->instances,
                                    .instances_max = DUN_PROFILE_INSTANCES_MAX,
                                    .cpus = memory->cpus,
                                    .cpus_max = DUN_PROFILE_CPUS_MAX + 1,
                                    .temperatures = memory->temperatures,
                                    .temperatures_max = DUN_PROFILE_TEMPERATURES_MAX,
                                    .mounts = memory->mounts,
                                    .mounts_max = DUN_PROFILE_MOUNTS_MAX};
    board->remote = (struct dun_buffer){memory->remote, sizeof memory->remote};
    board->spare = (struct dun_buffer){memory->spare, sizeof memory->spare};
    board->spare_geometry =
        (struct dun_flash_geometry){DUN_PROFILE_SPARE_BLOCK_SIZE, DUN_PROFILE_SPARE_BLOCK_COUNT, 1};
}

/* All but the way to the broker. */
static inline struct dun_node_config dun_board_node(const struct dun_daemon_start *start)
{
    return (struct dun_node_config){
        .agent = start->agent,
        .broker = start->broker,
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
}

#endif
