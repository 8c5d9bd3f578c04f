/*
 * log_bounds.c: what the log promises to cost, held to the bytes, programs, erases and reads that a
 * simulated flash counts. No clock. The last test shows that the rival of tools/bench is a log that
 * works, so that the comparison is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log_workload.h"

#define OPENING_SIZE 52 /* LOG_FORMAT.md */
#define STATE_SIZE   18 /* a state record without ranges and losses, its frame included */
#define ACK_SIZE     10 /* one that tells of an ack alone */
#define PROGRAMS_MAX 8  /* of one append with its ack and sync: each piece, and its ragged ends */
#define LOSSES_SIZE  (LOG_WORKLOAD_LOSSES * 37)

static const struct dun_flash_geometry geometries[] = {
    {256, 64, 1}, {4096, 16, 1}, {2048, 16, 8}, {4096, 16, 256}, {128 * 1024, 4, 256}, {4096, 2, 4},
};
#define GEOMETRY_COUNT (sizeof geometries / sizeof *geometries)

static const uint32_t sizes[] = {0, 32, 1024};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

static struct log_ours ours;
static struct log_theirs theirs;

static uint32_t align(uint32_t size, uint32_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Calls `check` with a new log for each geometry and size of record that fit one another. */
static void for_each(struct log_workload work, void (*check)(uint32_t size, uint32_t unit))
{
    for (size_t g = 0; g < GEOMETRY_COUNT; g++)
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            work.record_size = sizes[s];
            log_ours_open(&ours, geometries[g], work);
            if (sizes[s] <= dun_log_record_max(&ours.log))
                check(sizes[s], geometries[g].prog_size);
            log_ours_close(&ours);
        }
}

/// Overhead ///

/* The first record opens the block; those behind it cost their 8 bytes, and a sync its padding. */
static void check_overhead(uint32_t size, uint32_t unit)
{
    uint32_t block_size = ours.device.flash.geometry.block_size;
    uint32_t used, count;
    uint64_t before;

    log_ours_run(&ours, 1);
    used = (uint32_t)ours.device.counts.bytes_programmed;
    count = (block_size - used) / (size + 8);
    ours.work.group = count < 50 ? count : 50;
    if (count == 0)
        return;
    before = ours.device.counts.bytes_programmed;
    log_ours_run(&ours, ours.work.group);
    assert_int_equal(ours.device.counts.erases, 1);
    assert_int_equal(ours.device.counts.bytes_programmed - before,
                     align(ours.work.group * (size + 8), unit));
}

static void a_record_costs_8_bytes_beside_its_payload(void **state)
{
    (void)state;
    for_each((struct log_workload){.group = 1}, check_overhead);
}

/// Constant cost ///

/* What one record, acknowledged and synced, programs where no new block is needed. */
static uint64_t step_bytes(void)
{
    uint64_t erases, before;

    do {
        erases = ours.device.counts.erases;
        before = ours.device.counts.bytes_programmed;
        log_ours_run(&ours, 1);
    } while (ours.device.counts.erases != erases);
    return ours.device.counts.bytes_programmed - before;
}

static void append_and_ack_cost_the_same_however_long_the_log(void **state)
{
    struct log_workload work = {.record_size = 32, .group = 1, .unit_size = 256, .acked = true};
    uint64_t programs;

    (void)state;
    log_ours_open(&ours, (struct dun_flash_geometry){4096, 4096, 1}, work);
    ours.work.acked = false;
    log_ours_run(&ours, 50);
    ours.work.acked = true;
    assert_int_equal(step_bytes(), 32 + 8 + ACK_SIZE);
    ours.work.acked = false;
    log_ours_run(&ours, 100000);
    ours.work.acked = true;
    assert_int_equal(step_bytes(), 32 + 8 + STATE_SIZE); /* an ack of 100,000 at once */
    programs = ours.device.counts.programs;
    assert_int_equal(step_bytes(), 32 + 8 + ACK_SIZE);
    assert_in_range(ours.device.counts.programs - programs, 1, 1);
    log_ours_close(&ours);
}

/* With a write buffer of one program unit, which is all that the log may ask for. */
static void check_programs(uint32_t size, uint32_t unit)
{
    uint64_t erases, programs;

    (void)size;
    (void)unit;
    for (uint32_t i = 0; i < 30; i++) {
        erases = ours.device.counts.erases;
        programs = ours.device.counts.programs;
        log_ours_run(&ours, 1);
        if (ours.device.counts.erases == erases)
            assert_in_range(ours.device.counts.programs - programs, 1, PROGRAMS_MAX);
    }
}

static void append_and_ack_take_few_programs_whatever_the_size(void **state)
{
    (void)state;
    for_each((struct log_workload){.group = 1, .acked = true}, check_programs);
}

/// Wear ///

/*
 * Never two erases of a block while another waits for its turn, and none that a block's worth of
 * programs did not call for: what stays unused at the end of a block is less than one record with
 * the state and its padding. A boot every now and then changes nothing.
 */
static void check_wear(uint32_t size, uint32_t unit)
{
    struct dun_flash_geometry geometry = ours.device.flash.geometry;
    uint64_t capacity = (uint64_t)geometry.block_size * geometry.block_count;
    uint64_t slack = align(size + 8 + STATE_SIZE + 8 * DUN_LOG_DONE_MAX + LOSSES_SIZE, unit) + unit;
    uint64_t full = geometry.block_size > slack ? geometry.block_size - slack : 1;

    while (ours.device.counts.bytes_programmed < 4 * capacity) {
        log_ours_run(&ours, 37);
        assert_in_range(log_device_erases_max(&ours.device) - log_device_erases_min(&ours.device),
                        0, 1);
        (void)log_ours_boot(&ours);
    }
    assert_true(ours.device.counts.erases <= 1 + ours.device.counts.bytes_programmed / full);
}

static void a_block_is_erased_at_most_once_a_lap(void **state)
{
    (void)state;
    for_each((struct log_workload){.group = 1, .acked = true}, check_wear);
    for_each((struct log_workload){.group = 10, .acked = true}, check_wear);
}

static void overflow_does_not_wear_more(void **state)
{
    (void)state;
    for_each((struct log_workload){.group = 10}, check_wear);
}

/// Mount ///

/* From the geometry alone: the openings, those of a backlog twice, and the newest block. */
static uint64_t mount_bytes_max(const struct dun_flash_geometry *geometry)
{
    return UINT64_C(2) * OPENING_SIZE * geometry->block_count + geometry->block_size +
           geometry->block_size / 32 + 512;
}

static void check_mount(uint32_t size, uint32_t unit)
{
    uint64_t most = mount_bytes_max(&ours.device.flash.geometry);

    (void)size;
    (void)unit;
    assert_true(log_ours_boot(&ours).mount <= most);
    for (uint32_t records = 1; records <= 10000; records = records * 3 + 1) {
        log_ours_run(&ours, records);
        assert_true(log_ours_boot(&ours).mount <= most);
    }
}

static void mount_reads_openings_and_one_block(void **state)
{
    (void)state;
    for_each((struct log_workload){.group = 1, .acked = true}, check_mount);
    for_each((struct log_workload){.group = 10}, check_mount);
}

/* Bytes that a mount reads of a log that has gone round the device. */
static uint64_t mount_bytes(uint32_t size, uint64_t records)
{
    struct dun_flash_geometry geometry = {4096, 256, 1};
    struct log_workload work = {.record_size = size, .group = 10, .unit_size = 256};
    uint64_t bytes;

    log_ours_open(&ours, geometry, work);
    log_ours_run(&ours, records);
    assert_int_equal(log_device_erases_min(&ours.device), 1);
    bytes = log_ours_boot(&ours).mount;
    log_ours_close(&ours);
    return bytes;
}

static void mount_reads_the_same_for_few_large_records_and_many_small_ones(void **state)
{
    uint64_t few = mount_bytes(1000, 1100);
    uint64_t many = mount_bytes(8, 70000);

    (void)state;
    assert_true((few > many ? few - many : many - few) <= 4096 + 512);
}

/* What a reader may try in vain behind one damage: a block's worth and one record. */
static uint64_t hunt_bytes_max(const struct dun_flash_geometry *geometry)
{
    uint32_t record_max = geometry->block_size < 16384 ? geometry->block_size : 16384;

    return geometry->block_size + record_max;
}

/* A power cut leaves noise where the next write buffer was to be. */
static void a_torn_end_does_not_make_mount_read_more(void **state)
{
    struct log_workload work = {.record_size = 64, .group = 1};
    uint32_t end = OPENING_SIZE + STATE_SIZE + 16 * (64 + 8);
    struct dun_flash_geometry geometry = {4096, 16, 1};

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t noise = seed;

        log_ours_open(&ours, geometry, work);
        log_ours_run(&ours, 16);
        assert_int_equal(ours.device.counts.bytes_programmed, end);
        for (uint32_t i = 0; i < 256; i++) {
            noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            ours.device.bytes[end + i] = (uint8_t)(noise >> 40);
        }
        assert_true(log_ours_mount(&ours) <=
                    mount_bytes_max(&geometry) + hunt_bytes_max(&geometry));
        log_ours_close(&ours);
    }
}

static void make_noise(uint32_t from, uint32_t to)
{
    uint64_t noise = 1;

    for (uint32_t i = from; i < to; i++) {
        noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ours.device.bytes[i] = (uint8_t)(noise >> 40);
    }
}

/*
 * A power cut in an erase leaves a block of noise, which may have been the newest: its beginning
 * would tell. Noise in the newest block itself is looked through, and once more for heads of spoilt
 * records; some of it passes even the closer look, less than another block.
 */
static void a_torn_erase_does_not_make_mount_read_more(void **state)
{
    struct log_workload work = {.record_size = 128, .group = 1, .unit_size = 256};
    struct dun_flash_geometry geometry = {128 * 1024, 4, 256};
    uint32_t size = geometry.block_size;

    (void)state;
    log_ours_open(&ours, geometry, work);
    log_ours_run(&ours, 600);
    assert_int_equal(ours.device.counts.erases, 2);
    make_noise(2 * size, 3 * size);
    assert_true(log_ours_mount(&ours) <= mount_bytes_max(&geometry));
    make_noise(size + size / 4, 2 * size);
    assert_true(log_ours_mount(&ours) <=
                mount_bytes_max(&geometry) + hunt_bytes_max(&geometry) + 2 * size);
    log_ours_close(&ours);
}

/// Memory ///

/* The other tests run with a write buffer of one program unit, so the log needs no more. */
static void state_takes_at_most_200_bytes(void **state)
{
    (void)state;
    assert_true(sizeof(struct dun_log) <= 200);
}

/// The rival ///

static void the_rival_is_a_working_log(void **state)
{
    struct log_workload work = {.record_size = 32, .group = 10, .acked = true};
    struct log_rival_record record;
    uint8_t payload[32];

    (void)state;
    for (size_t g = 0; g < GEOMETRY_COUNT; g++) {
        log_theirs_open(&theirs, geometries[g], work);
        log_theirs_run(&theirs, 3000);
        (void)log_theirs_boot(&theirs);
        for (uint32_t time = 2991; time <= 3000; time++) {
            assert_true(log_rival_first(&theirs.rival, &record));
            assert_int_equal(record.time, time);
            assert_true(log_rival_read(&theirs.rival, &record, payload));
            log_rival_deliver(&theirs.rival, &record);
        }
        assert_false(log_rival_first(&theirs.rival, &record));
        log_theirs_close(&theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_costs_8_bytes_beside_its_payload),
        cmocka_unit_test(append_and_ack_cost_the_same_however_long_the_log),
        cmocka_unit_test(append_and_ack_take_few_programs_whatever_the_size),
        cmocka_unit_test(a_block_is_erased_at_most_once_a_lap),
        cmocka_unit_test(overflow_does_not_wear_more),
        cmocka_unit_test(mount_reads_openings_and_one_block),
        cmocka_unit_test(mount_reads_the_same_for_few_large_records_and_many_small_ones),
        cmocka_unit_test(a_torn_end_does_not_make_mount_read_more),
        cmocka_unit_test(a_torn_erase_does_not_make_mount_read_more),
        cmocka_unit_test(state_takes_at_most_200_bytes),
        cmocka_unit_test(the_rival_is_a_working_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
