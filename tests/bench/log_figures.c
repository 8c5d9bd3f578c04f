/*
 * log_figures.c: prints what our log and the rival cost on the same simulated flash, one figure set
 * a line, tabs between, for bench_log.py to make tables of. Counts only: two runs print the same.
 *
 * Usage: log_figures write | mount [RECORDS] | cut | ram
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_workload.h"

#define LAPS        4   /* round the device, at least */
#define ROOMY_UNIT  256 /* bytes of a write buffer that is more than one program unit */
#define MOUNT_BLOCK 4096
#define CUT_SEEDS   20 /* mounts, each over other noise */

static struct log_ours ours;
static struct log_theirs theirs;

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

/// Writing ///

static void print_counts(const struct log_device *device)
{
    printf("\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%u\t%u", device->counts.bytes_programmed,
           device->counts.programs, device->counts.erases, log_device_erases_max(device),
           log_device_erases_min(device));
}

/* One line; the rival's half is missing where its layout cannot hold such a record. */
static void write_one(struct dun_flash_geometry geometry, struct log_workload work)
{
    uint64_t capacity = (uint64_t)geometry.block_size * geometry.block_count;
    uint64_t records = LAPS * capacity / work.record_size;

    log_ours_open(&ours, geometry, work);
    if (work.record_size > dun_log_record_max(&ours.log)) {
        log_ours_close(&ours);
        return;
    }
    log_ours_run(&ours, records);
    printf("%u\t%u\t%u\t%u\t%u\t%" PRIu64, geometry.block_size, geometry.block_count,
           geometry.prog_size, work.record_size, work.group, records);
    print_counts(&ours.device);
    log_ours_close(&ours);
    work.unit_size = ROOMY_UNIT;
    log_ours_open(&ours, geometry, work);
    log_ours_run(&ours, records);
    printf("\t%" PRIu64, ours.device.counts.programs);
    log_ours_close(&ours);
    if (work.record_size <= log_rival_record_max(&geometry)) {
        log_theirs_open(&theirs, geometry, work);
        log_theirs_run(&theirs, records);
        print_counts(&theirs.device);
        log_theirs_close(&theirs);
    }
    printf("\n");
}

static void write_all(void)
{
    static const struct dun_flash_geometry geometries[] = {
        {256, 1024, 1}, {4096, 64, 1}, {2048, 128, 8}, {4096, 64, 256}, {128 * 1024, 8, 256},
    };
    static const uint32_t sizes[] = {32, 128, 1024};
    static const uint32_t groups[] = {1, 10};

    for (size_t g = 0; g < sizeof geometries / sizeof *geometries; g++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
                write_one(geometries[g], (struct log_workload){.record_size = sizes[s],
                                                               .group = groups[i],
                                                               .acked = true});
}

/// Mounting ///

/* Room for so many records of 32 bytes in either log, acks included, and two blocks to spare. */
static uint32_t blocks_for(uint64_t records)
{
    return (uint32_t)(records * 60 / (MOUNT_BLOCK - 128)) + 3;
}

static void print_mount(const char *device, const char *state, uint64_t records)
{
    struct log_boot us = log_ours_boot(&ours);
    struct log_boot them = log_theirs_boot(&theirs);

    printf("%s\t%s\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
           "\n",
           device, state, ours.device.flash.geometry.block_count, records, us.mount, us.first,
           them.mount, them.first, them.count);
}

static void open_both(uint32_t blocks, bool acked)
{
    struct dun_flash_geometry geometry = {MOUNT_BLOCK, blocks, 1};
    struct log_workload work = {.record_size = 32, .group = 1, .acked = acked, .unit_size = 64};

    log_ours_open(&ours, geometry, work);
    log_theirs_open(&theirs, geometry, work);
}

static void close_both(void)
{
    log_ours_close(&ours);
    log_theirs_close(&theirs);
}

static void mount_all(uint64_t records_max, bool acked)
{
    const char *state = acked ? "delivered" : "waiting";
    uint64_t done = 0;

    open_both(blocks_for(records_max), acked);
    for (uint64_t records = 100; records <= records_max; done = records, records *= 10) {
        log_ours_run(&ours, records - done);
        log_theirs_run(&theirs, records - done);
        print_mount("fixed", state, records);
    }
    close_both();
    for (uint64_t records = 100; records <= records_max; records *= 10) {
        open_both(blocks_for(records), acked);
        log_ours_run(&ours, records);
        log_theirs_run(&theirs, records);
        print_mount("growing", state, records);
        close_both();
    }
}

/// Mounting after a cut ///

static void spoil(uint32_t block, uint32_t from, uint32_t size, uint64_t seed)
{
    size_t at = (size_t)block * ours.device.flash.geometry.block_size + from;

    for (uint32_t i = 0; i < size; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ours.device.bytes[at + i] = (uint8_t)(seed >> 40);
    }
}

/*
 * The power fails in the program behind the last record, or in the erase of the next block, and
 * leaves noise where it was at work. `size` 0: nothing of the kind.
 */
static void cut_one(struct dun_flash_geometry geometry, const char *what, bool erase, uint32_t size)
{
    struct log_workload work = {.record_size = 128, .group = 1, .unit_size = 256, .acked = true};
    uint64_t most = 0, sum = 0;

    for (uint64_t seed = 1; seed <= CUT_SEEDS; seed++) {
        uint32_t block, end = geometry.block_size;
        uint64_t bytes;

        log_ours_open(&ours, geometry, work);
        log_ours_run(&ours, (uint64_t)geometry.block_size * geometry.block_count / 150);
        block = (ours.log.base + erase) % geometry.block_count;
        while (!erase && ours.device.bytes[(size_t)block * geometry.block_size + end - 1] == 0xFF)
            end--;
        end = (end + geometry.prog_size - 1) / geometry.prog_size * geometry.prog_size;
        if (erase)
            spoil(block, 0, size, seed);
        else
            spoil(block, end, size < geometry.block_size - end ? size : geometry.block_size - end,
                  seed);
        bytes = log_ours_mount(&ours);
        log_ours_close(&ours);
        sum += bytes;
        most = bytes > most ? bytes : most;
    }
    printf("%u\t%u\t%u\t%s\t%" PRIu64 "\t%" PRIu64 "\n", geometry.block_size, geometry.block_count,
           geometry.prog_size, what, sum / CUT_SEEDS, most);
}

static void cut_all(void)
{
    static const struct dun_flash_geometry geometries[] = {
        {4096, 64, 1}, {2048, 128, 8}, {128 * 1024, 8, 256}};

    for (size_t i = 0; i < sizeof geometries / sizeof *geometries; i++) {
        cut_one(geometries[i], "none", false, 0);
        cut_one(geometries[i], "in a program of 256 bytes", false, 256);
        cut_one(geometries[i], "in programs of 2048 bytes", false, 2048);
        cut_one(geometries[i], "in an erase", true, geometries[i].block_size);
    }
}

/// Memory ///

static void print_ram(void)
{
    static const uint32_t units[] = {1, 8, 256};

    printf("log\t%zu\nledger\t%zu\nloss\t%zu\nrival\t%zu\noverhead\t%d\n", sizeof(struct dun_log),
           sizeof(struct dun_ledger), sizeof(struct dun_loss), sizeof(struct log_rival),
           DUN_LOG_RECORD_OVERHEAD);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct dun_flash_geometry geometry = {4096, 64, units[i]};

        printf("rival_overhead_%u\t%u\n", units[i], log_rival_overhead(&geometry));
    }
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "write") == 0) {
        write_all();
    } else if (argc >= 2 && strcmp(argv[1], "mount") == 0) {
        uint64_t records_max = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;

        mount_all(records_max, true);
        mount_all(records_max, false);
    } else if (argc >= 2 && strcmp(argv[1], "cut") == 0) {
        cut_all();
    } else if (argc >= 2 && strcmp(argv[1], "ram") == 0) {
        print_ram();
    } else {
        fprintf(stderr, "usage: log_figures write | mount [RECORDS] | cut | ram\n");
        return 2;
    }
    return 0;
}
