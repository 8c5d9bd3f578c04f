/*
 * log_bench.h: a log on a flash in RAM whose programs, erases, syncs and reads can be made to fail,
 * for the tests of the log. The payload of a record follows from its sequence.
 */
#ifndef DUN_LOG_BENCH_H
#define DUN_LOG_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"
#include "flash_ram.h"
#include "log.h"

#define MEMORY_SIZE (1u << 20)
#define STREAM      UINT64_C(0x1122334455667788)

static uint8_t memory[MEMORY_SIZE];

struct bench {
    struct dun_flash ram;
    struct dun_flash flash; /* the one below, with faults */
    struct dun_log log;
    struct dun_log_config config;
    struct dun_log_report report;
    struct dun_ledger ledger;
    struct dun_loss losses[8];
    uint8_t unit[512];
    uint32_t progs, erases, syncs;
    uint64_t bytes_read;             /* since the last mount began */
    uint32_t erased, syncs_at_erase; /* the last block, and when */
    bool erased_together;            /* two erases without a sync between them */
    int sync_error;
    uint32_t bad_block;   /* programs there fail */
    uint32_t stuck_block; /* erases there fail */
    uint32_t dark_block;  /* reads there fail */
    bool worn_out;        /* all programs fail */
    bool dark;            /* all reads fail */
};

static inline int read_faulty(void *context, uint32_t block, uint32_t offset, void *data,
                              uint32_t size)
{
    struct bench *bench = context;

    bench->bytes_read += size;
    if (bench->dark || block == bench->dark_block)
        return DUN_E_IO;
    return bench->ram.read(bench->ram.context, block, offset, data, size);
}

static inline int prog_faulty(void *context, uint32_t block, uint32_t offset, const void *data,
                              uint32_t size)
{
    struct bench *bench = context;

    bench->progs++;
    if (bench->worn_out || block == bench->bad_block)
        return DUN_E_IO;
    return bench->ram.prog(bench->ram.context, block, offset, data, size);
}

static inline int erase_faulty(void *context, uint32_t block)
{
    struct bench *bench = context;

    bench->erased_together |= bench->erases > 0 && bench->syncs == bench->syncs_at_erase;
    bench->erases++;
    bench->erased = block;
    bench->syncs_at_erase = bench->syncs;
    if (block == bench->stuck_block)
        return DUN_E_IO;
    return bench->ram.erase(bench->ram.context, block);
}

static inline int sync_faulty(void *context)
{
    struct bench *bench = context;

    bench->syncs++;
    return bench->sync_error;
}

static inline void set_up(struct bench *bench, uint32_t block_size, uint32_t count,
                          uint32_t prog_size)
{
    struct dun_flash_geometry geometry = {block_size, count, prog_size};

    memset(bench, 0, sizeof *bench);
    assert_int_equal(
        dun_flash_ram_init(&bench->ram, geometry, (struct dun_buffer){memory, MEMORY_SIZE}), 0);
    bench->flash =
        (struct dun_flash){geometry, bench, read_faulty, prog_faulty, erase_faulty, sync_faulty};
    bench->bad_block = bench->stuck_block = bench->dark_block = UINT32_MAX;
    bench->config.flash = &bench->flash;
    bench->config.ledger = &bench->ledger;
    bench->config.unit = (struct dun_buffer){bench->unit, prog_size};
    bench->config.new_stream = STREAM;
}

static inline int mount_again(struct bench *bench)
{
    dun_ledger_init(&bench->ledger, bench->losses, 8);
    memset(bench->unit, 0xAA, sizeof bench->unit);
    memset(&bench->log, 0x55, sizeof bench->log);
    bench->bytes_read = 0;
    return dun_log_mount(&bench->log, &bench->config, &bench->report);
}

static inline void start(struct bench *bench, uint32_t block_size, uint32_t count,
                         uint32_t prog_size)
{
    set_up(bench, block_size, count, prog_size);
    assert_int_equal(mount_again(bench), 0);
    assert_true(bench->report.formatted);
}

/* The payload that belongs to a sequence: size and bytes follow from it. */
static inline uint32_t fill(uint8_t *payload, uint64_t sequence)
{
    uint32_t size = (uint32_t)(sequence * 7 % 60);

    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)(sequence * 31 + i);
    return size;
}

static inline int append(struct bench *bench)
{
    uint8_t payload[64];
    uint32_t size = fill(payload, dun_log_next_sequence(&bench->log));

    return dun_log_append(&bench->log, (struct dun_span){payload, size});
}

static inline void append_many(struct bench *bench, uint32_t count)
{
    while (count-- > 0) {
        assert_int_equal(append(bench), 0);
        assert_int_equal(dun_log_sync(&bench->log), 0);
    }
}

static inline void check_record(struct bench *bench, const struct dun_log_cursor *cursor)
{
    uint8_t expected[64];
    uint8_t payload[64];
    uint32_t size = fill(expected, cursor->sequence);

    assert_int_equal(cursor->size, size);
    assert_int_equal(dun_log_read(&bench->log, cursor, 0, payload, size), 0);
    assert_memory_equal(payload, expected, size);
}

/* Walks all open records; they must be first..last without a hole. */
static inline void check_records(struct bench *bench, uint64_t first, uint64_t last)
{
    struct dun_log_cursor cursor;
    int result = dun_log_first(&bench->log, &cursor);

    for (uint64_t sequence = first; sequence <= last; sequence++) {
        assert_int_equal(result, 1);
        assert_int_equal(cursor.sequence, sequence);
        check_record(bench, &cursor);
        result = dun_log_next(&bench->log, &cursor);
    }
    assert_int_equal(result, 0);
}

/* Records first..next-1 come, with acks where they are waited for, or the ledger names them. */
static inline void check_all_are_accounted_for(struct bench *bench, dun_sequence first,
                                               dun_sequence next)
{
    struct dun_log_cursor cursor;
    dun_sequence due = first, named = 0, came = 0;

    assert_true(dun_log_next_sequence(&bench->log) >= next);
    int result = dun_log_first(&bench->log, &cursor);
    for (; result != 0; result = dun_log_next(&bench->log, &cursor)) {
        if (result == DUN_E_AGAIN) {
            assert_int_equal(dun_log_ack_to(&bench->log, due - 1), 0);
            continue;
        }
        assert_int_equal(result, 1);
        assert_true(cursor.sequence >= due && cursor.sequence < next);
        check_record(bench, &cursor);
        due = cursor.sequence + 1;
        came++;
    }
    for (uint16_t i = 0; i < bench->ledger.count; i++)
        for (dun_sequence s = bench->losses[i].first; s <= bench->losses[i].last; s++)
            named += s >= first && s < next;
    assert_true(came + named >= next - first);
}

#endif
