/*
 * test_log.c: the log through its public seam, on a flash in RAM whose programs, erases, syncs and
 * reads can be made to fail. Power cuts are enumerated in tests/powerloss/.
 */
#include "log_bench.h"

static void a_blank_flash_is_formatted_lazily(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 4, 8);
    assert_int_equal(dun_log_stream(&bench.log), STREAM);
    assert_int_equal(dun_log_next_sequence(&bench.log), 1);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(bench.progs + bench.erases, 0);
    append_many(&bench, 1);
    assert_int_equal(bench.erases, 1);
    bench.config.new_stream = 99;
    assert_int_equal(mount_again(&bench), 0);
    assert_false(bench.report.formatted);
    assert_int_equal(dun_log_stream(&bench.log), STREAM);
    check_records(&bench, 1, 1);
}

static void records_come_back_after_a_mount(void **state)
{
    static const uint32_t units[] = {1, 2, 4, 8, 32, 256};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        start(&bench, 4096, 4, units[i]);
        append_many(&bench, 30);
        check_records(&bench, 1, 30);
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(bench.report.damaged, 0);
        check_records(&bench, 1, 30);
        append_many(&bench, 3);
        check_records(&bench, 1, 33);
    }
}

static void a_larger_unit_buffer_means_fewer_programs(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 4096, 4, 1);
    bench.config.unit.size = sizeof bench.unit;
    assert_int_equal(mount_again(&bench), 0);
    append_many(&bench, 20);
    assert_true(bench.progs <= 21);
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 1, 20);
}

static void unsynced_records_stay_hidden(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 4096, 4, 4);
    append_many(&bench, 2);
    assert_int_equal(append(&bench), 0);
    check_records(&bench, 1, 2);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    check_records(&bench, 1, 3);
}

static void pieces_must_add_up(void **state)
{
    struct bench bench;
    uint8_t payload[64];
    uint32_t size = fill(payload, 5);

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 4);
    assert_int_equal(dun_log_write(&bench.log, payload, 1), DUN_E_INVALID);
    assert_int_equal(dun_log_commit(&bench.log), DUN_E_INVALID);
    assert_int_equal(dun_log_begin(&bench.log, dun_log_record_max(&bench.log) + 1),
                     DUN_E_TOO_LARGE);
    assert_int_equal(dun_log_begin(&bench.log, size), 0);
    assert_int_equal(dun_log_write(&bench.log, payload, size - 1), 0);
    assert_int_equal(dun_log_commit(&bench.log), DUN_E_INVALID);
    assert_int_equal(dun_log_write(&bench.log, payload + size - 1, 2), DUN_E_INVALID);
    assert_int_equal(dun_log_begin(&bench.log, size), 0); /* abandons the one before */
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(dun_log_write(&bench.log, payload + i, 1), 0);
    assert_int_equal(dun_log_commit(&bench.log), 0);
    assert_int_equal(dun_log_begin(&bench.log, size), 0);
    assert_int_equal(dun_log_write(&bench.log, payload, 20), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0); /* abandons too */
    append_many(&bench, 1);
    check_records(&bench, 1, 6);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(bench.report.damaged, 0);
    check_records(&bench, 1, 6);
}

static void the_largest_record_fits_every_geometry(void **state)
{
    static const struct dun_flash_geometry geometries[] = {
        {256, 2, 1}, {256, 3, 256}, {512, 4, 8}, {4096, 4, 16}, {131072, 4, 256}};
    static uint8_t payload[32768];
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof geometries / sizeof *geometries; i++) {
        const struct dun_flash_geometry *at = &geometries[i];
        struct dun_log_cursor cursor;
        uint32_t size;

        start(&bench, at->block_size, at->block_count, at->prog_size);
        size = dun_log_record_max(&bench.log);
        assert_true(size >= 64);
        memset(payload, 0x5A, size);
        for (int n = 0; n < 3; n++) {
            assert_int_equal(dun_log_append(&bench.log, (struct dun_span){payload, size}), 0);
            assert_int_equal(dun_log_sync(&bench.log), 0);
        }
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
        assert_int_equal(cursor.size, size);
    }
}

static void acks_survive_once_synced(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 10);
    for (dun_sequence sequence = 1; sequence <= 4; sequence++)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    check_records(&bench, 5, 10);
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 1, 10);
    for (dun_sequence sequence = 1; sequence <= 4; sequence++)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 5, 10);
    assert_int_equal(dun_log_first_sequence(&bench.log), 5);
}

static void acks_come_in_any_order(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 4096, 4, 4);
    append_many(&bench, 12);
    assert_int_equal(dun_log_ack(&bench.log, 0), DUN_E_INVALID);
    assert_int_equal(dun_log_ack(&bench.log, 13), DUN_E_INVALID);
    for (dun_sequence sequence = 2; sequence <= 8; sequence += 2)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    assert_int_equal(dun_log_ack(&bench.log, 10), DUN_E_FULL);
    assert_int_equal(dun_log_ack(&bench.log, 9), 0); /* joins 8 */
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    for (dun_sequence sequence = 1; sequence <= 7; sequence += 2) {
        assert_int_equal(cursor.sequence, sequence);
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    }
    assert_int_equal(cursor.sequence, 10);
    assert_int_equal(dun_log_ack(&bench.log, 3), 0); /* 2..4 */
    assert_int_equal(dun_log_ack(&bench.log, 1), 0); /* the cursor passes them */
    assert_int_equal(dun_log_first_sequence(&bench.log), 5);
    assert_int_equal(dun_log_ack(&bench.log, 1), 0);
    assert_int_equal(dun_log_used(&bench.log), 4096);
    for (dun_sequence sequence = 5; sequence <= 12; sequence++)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 0);
    assert_int_equal(dun_log_used(&bench.log), 0);
}

static void overflow_drops_the_oldest_and_says_so(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;
    dun_sequence next;

    (void)state;
    start(&bench, 256, 4, 8);
    dun_ledger_stamp(&bench.ledger, 7, 1234);
    append_many(&bench, 100);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    assert_true(cursor.sequence > 80);
    assert_int_equal(dun_log_overflowed(&bench.log), cursor.sequence - 1);
    check_records(&bench, cursor.sequence, 100);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bench.ledger.count, 1);
        assert_int_equal(bench.losses[0].first, 1);
        assert_int_equal(bench.losses[0].last, cursor.sequence - 1);
        assert_int_equal(bench.losses[0].reason, DUN_LOSS_OVERFLOW);
        assert_int_equal(bench.losses[0].boot, 7);
        assert_int_equal(bench.losses[0].uptime_ms, 1234);
        next = dun_log_next_sequence(&bench.log);
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(dun_log_next_sequence(&bench.log), next);
    }
}

static void acknowledged_blocks_are_recycled_without_loss(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 256, 3, 4);
    for (dun_sequence sequence = 1; sequence <= 200; sequence++) {
        append_many(&bench, 1);
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    }
    assert_int_equal(bench.ledger.count, 0);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(bench.ledger.count, 0);
    check_records(&bench, 200, 200);
}

static void drop_newest_refuses_and_keeps(void **state)
{
    struct bench bench;
    dun_sequence last;

    (void)state;
    set_up(&bench, 256, 3, 4);
    bench.config.overflow = DUN_LOG_DROP_NEWEST;
    assert_int_equal(mount_again(&bench), 0);
    while (append(&bench) == 0)
        assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(append(&bench), DUN_E_FULL);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    last = dun_log_next_sequence(&bench.log) - 1;
    check_records(&bench, 1, last);
    for (dun_sequence sequence = 1; sequence <= last / 2; sequence++)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    append_many(&bench, 1);
    check_records(&bench, last / 2 + 1, last + 1);
    assert_int_equal(bench.ledger.count, 0);
}

static void each_block_is_erased_once_a_lap(void **state)
{
    struct bench bench;
    uint32_t laps;

    (void)state;
    start(&bench, 256, 5, 4);
    append_many(&bench, 500);
    laps = bench.log.serial / 5;
    assert_true(laps > 10);
    assert_int_equal(bench.erases, bench.log.serial);
}

static void mount_reads_the_same_whatever_the_count(void **state)
{
    struct bench bench;
    uint64_t few;

    (void)state;
    start(&bench, 4096, 16, 4);
    append_many(&bench, 3);
    assert_int_equal(mount_again(&bench), 0);
    few = bench.bytes_read;
    append_many(&bench, 2000);
    assert_int_equal(mount_again(&bench), 0);
    assert_true(bench.bytes_read <= few + 1024);
    assert_true(bench.bytes_read <= 16 * 44 * 3 + 4096 + 1024);
}

/* A sync with nothing but acks fails: the next one must write them, or they come to nothing. */
static void acks_outlive_a_failed_sync(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 5);
    assert_int_equal(dun_log_ack_to(&bench.log, 3), 0);
    bench.sync_error = DUN_E_IO;
    assert_int_equal(dun_log_sync(&bench.log), DUN_E_IO);
    bench.sync_error = 0;
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(bench.ram.erase(bench.ram.context, 0), 0); /* where the first attempt lies */
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first_sequence(&bench.log), 6);
    assert_int_equal(bench.ledger.count, 1); /* what was open in the block: 4 and 5 */
    assert_int_equal(bench.losses[0].first, 4);
}

/* Before a boot a record may have been read that was only in a cache. */
static void a_mount_syncs_what_it_gives_out(void **state)
{
    struct bench bench;
    uint32_t syncs;

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 5);
    syncs = bench.syncs;
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(bench.syncs, syncs + 1);
    bench.sync_error = DUN_E_IO;
    assert_int_equal(mount_again(&bench), DUN_E_IO);
}

static void a_failed_sync_withdraws(void **state)
{
    struct bench bench;
    uint8_t other[3] = {1, 2, 3};
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 5);
    assert_int_equal(append(&bench), 0);
    assert_int_equal(append(&bench), 0);
    assert_int_equal(dun_log_ack(&bench.log, 6), 0);
    dun_ledger_add_points(&bench.ledger, 3, DUN_LOSS_STORAGE);
    dun_ledger_told(&bench.ledger, 6, 8);
    bench.sync_error = DUN_E_IO;
    assert_int_equal(dun_log_sync(&bench.log), DUN_E_IO);
    assert_int_equal(dun_log_next_sequence(&bench.log), 6);
    assert_int_equal(dun_ledger_untold(&bench.ledger), 1);
    check_records(&bench, 1, 5);
    for (int i = 0; i < 20; i++) { /* a device that stays away costs no records */
        assert_int_equal(append(&bench), 0);
        assert_int_equal(dun_log_sync(&bench.log), DUN_E_IO);
    }
    bench.sync_error = 0;
    assert_int_equal(dun_log_append(&bench.log, (struct dun_span){other, 3}), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
        for (int n = 0; n < 5; n++)
            assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
        assert_int_equal(cursor.sequence, 6);
        assert_int_equal(cursor.size, 3);
        assert_int_equal(dun_log_next(&bench.log, &cursor), 0);
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(bench.ledger.count, 1);
    }
}

static void a_block_that_fails_is_skipped(void **state)
{
    struct bench bench;
    int refused = 0;

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        start(&bench, 256, 6, 8);
        if (kind == 0)
            bench.bad_block = 2;
        else
            bench.stuck_block = 2;
        for (dun_sequence sequence = 1; sequence <= 300;) {
            if (append(&bench) == 0 && dun_log_sync(&bench.log) == 0) {
                assert_int_equal(dun_log_ack(&bench.log, sequence++), 0);
                continue;
            }
            refused++;
            assert_int_equal(dun_log_next_sequence(&bench.log), sequence);
        }
        assert_int_equal(bench.ledger.count, 0);
        assert_false(bench.erased_together);
        append_many(&bench, 1);
        assert_int_equal(mount_again(&bench), 0);
        check_records(&bench, 301, 301);
    }
    assert_true(refused < 100);
}

/* The sync between two erases fails: whether the first one was done is not certain any more. */
static void a_block_whose_erase_is_not_certain_is_erased_again(void **state)
{
    struct bench bench;
    uint32_t size;

    (void)state;
    start(&bench, 256, 6, 8);
    append_many(&bench, 40);
    size = dun_log_record_max(&bench.log);
    while (dun_log_room(&bench.log) >= size + DUN_LOG_RECORD_OVERHEAD)
        append_many(&bench, 1);
    bench.bad_block = (bench.log.base + 1) % 6;
    bench.sync_error = DUN_E_IO;
    assert_int_equal(dun_log_begin(&bench.log, size), DUN_E_IO);
    assert_int_equal(bench.erased, bench.bad_block);
    bench.erased = bench.bad_block = UINT32_MAX;
    bench.sync_error = 0;
    assert_int_equal(dun_log_begin(&bench.log, size), 0);
    assert_int_equal(bench.erased, (bench.log.base + 1) % 6);
}

static void a_dead_device_does_not_eat_the_backlog(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 16, 8);
    append_many(&bench, 100);
    for (uint32_t block = 0; block < 2; block++) {
        assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
        bench.sync_error = block == 0 ? DUN_E_IO : 0;
        for (int i = 0; i < 100; i++) {
            bench.worn_out = block == 1;
            assert_true(append(&bench) < 0 || dun_log_sync(&bench.log) < 0);
        }
        bench.sync_error = 0;
        bench.worn_out = false;
    }
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    assert_true(cursor.sequence < 60);
    check_records(&bench, cursor.sequence, dun_log_next_sequence(&bench.log) - 1);
}

static void damage_is_skipped_and_told(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t *byte;

    (void)state;
    start(&bench, 1024, 4, 4);
    append_many(&bench, 20);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    byte = memory + sizeof(struct dun_flash_geometry) + cursor.block * 1024u + cursor.offset + 2;
    *byte ^= 0x10;
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    for (dun_sequence sequence = 1; sequence <= 20; sequence++) {
        if (sequence == 7)
            continue;
        assert_int_equal(cursor.sequence, sequence);
        assert_int_equal(dun_log_next(&bench.log, &cursor), sequence < 20);
    }
    assert_int_equal(bench.ledger.count, 1);
    assert_int_equal(bench.losses[0].first, 7);
    assert_int_equal(bench.losses[0].last, 7);
    assert_int_equal(bench.losses[0].reason, DUN_LOSS_DAMAGED);
    assert_int_equal(dun_log_damaged(&bench.log), 1);
    for (dun_sequence sequence = 1; sequence <= 20; sequence++)
        assert_int_equal(dun_log_ack(&bench.log, sequence), 0);
    assert_int_equal(dun_log_first_sequence(&bench.log), 21);
}

static void an_unreadable_block_is_skipped_but_an_absent_device_is_not(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 8, 4);
    append_many(&bench, 25);
    bench.dark = true;
    assert_int_equal(dun_log_first(&bench.log, &cursor), DUN_E_IO);
    assert_int_equal(mount_again(&bench), DUN_E_IO);
    bench.dark = false;
    bench.dark_block = 1;
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    while (dun_log_next(&bench.log, &cursor) == 1)
        check_record(&bench, &cursor);
    assert_int_equal(cursor.sequence, 25);
    assert_int_equal(bench.ledger.count, 1);
    assert_int_equal(bench.losses[0].reason, DUN_LOSS_DAMAGED);
    assert_int_equal(bench.losses[0].last - bench.losses[0].first + 1, dun_log_damaged(&bench.log));
}

static void a_lost_newest_block_never_gives_a_sequence_twice(void **state)
{
    struct bench bench;
    uint8_t *opening;
    dun_sequence next;

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        start(&bench, 256, 6, 4);
        append_many(&bench, 60);
        next = dun_log_next_sequence(&bench.log);
        opening = memory + sizeof(struct dun_flash_geometry) + bench.log.head * 256u;
        if (kind == 0)
            opening[9] ^= 1;
        else if (kind == 1)
            memcpy(opening, "LOST", 4);
        else
            bench.dark_block = bench.log.head;
        assert_int_equal(mount_again(&bench), 0);
        assert_true(dun_log_next_sequence(&bench.log) >= next);
        append_many(&bench, 1);
        assert_int_equal(mount_again(&bench), 0);
        assert_true(dun_log_next_sequence(&bench.log) > next);
    }
}

/* The card of another device: its records are the only copies, so they are kept, and it is told. */
static void an_image_of_another_device_is_taken_and_told(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 512, 4, 4);
    bench.config.owner = 7;
    assert_int_equal(mount_again(&bench), 0);
    append_many(&bench, 3);
    assert_int_equal(mount_again(&bench), 0);
    assert_false(bench.report.foreign);
    bench.config.owner = 9;
    assert_int_equal(mount_again(&bench), 0);
    assert_true(bench.report.foreign);
    check_records(&bench, 1, 3);
    bench.config.owner = 0; /* one that does not tell its own minds no other */
    assert_int_equal(mount_again(&bench), 0);
    assert_false(bench.report.foreign);
}

/* A ring of DROP_NEWEST is full; what tells a loss finds room all the same. */
static void drop_newest_keeps_room_to_tell_losses(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 256, 5, 4);
    bench.config.overflow = DUN_LOG_DROP_NEWEST;
    assert_int_equal(mount_again(&bench), 0);
    while (append(&bench) == 0)
        assert_int_equal(dun_log_sync(&bench.log), 0);
    dun_sequence next = dun_log_next_sequence(&bench.log);
    for (int tries = 0; tries < 2; tries++) {
        assert_int_equal(dun_log_begin_telling(&bench.log, 3), 0);
        assert_int_equal(dun_log_write(&bench.log, "abc", 3), 0);
        assert_int_equal(dun_log_commit(&bench.log), 0);
        assert_int_equal(dun_log_sync(&bench.log), 0);
        assert_int_equal(append(&bench), DUN_E_FULL);
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(append(&bench), DUN_E_FULL);
    }
    assert_int_equal(dun_log_next_sequence(&bench.log), next + 2);
    assert_int_equal(dun_log_first_sequence(&bench.log), 1);
    assert_int_equal(dun_log_ack_to(&bench.log, next + 1), 0);
    append_many(&bench, 1);
}

static void newer_versions_and_other_geometries_are_left_alone(void **state)
{
    struct bench bench;
    uint8_t *opening = memory + sizeof(struct dun_flash_geometry);
    uint32_t crc;

    (void)state;
    start(&bench, 512, 4, 4);
    append_many(&bench, 3);
    bench.flash.geometry.block_count = 3;
    assert_int_equal(mount_again(&bench), DUN_E_UNSUPPORTED);
    bench.flash.geometry.block_count = 4;
    opening[4] = 3;
    opening[6] = 64; /* a larger opening, with its CRC at its end */
    crc = dun_crc32c(0, opening, 60);
    memcpy(opening + 60, &crc, 4);
    assert_int_equal(mount_again(&bench), DUN_E_UNSUPPORTED);
    opening[60] ^= 1;
    assert_int_equal(mount_again(&bench), 0);
    assert_true(bench.report.formatted);
    assert_int_equal(bench.report.damaged, 1);
}

static void a_grown_ring_keeps_its_records(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 4, 4);
    append_many(&bench, 60);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    bench.flash.geometry.block_count = 9;
    ((struct dun_flash_geometry *)(void *)memory)->block_count = 9;
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, cursor.sequence, 60);
    append_many(&bench, 200);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    check_records(&bench, cursor.sequence, 260);
    assert_true(bench.log.base >= 4 || bench.log.tail >= 4);
}

static void bad_configurations_are_refused(void **state)
{
    static const struct dun_flash_geometry bad[] = {{128, 4, 1},  {1u << 21, 4, 1}, {256, 1, 1},
                                                    {256, 4, 0},  {256, 4, 24},     {512, 4, 512},
                                                    {250, 4, 125}};
    struct bench bench;

    (void)state;
    set_up(&bench, 256, 4, 8);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bench.flash.geometry = bad[i];
        bench.config.unit.size = sizeof bench.unit;
        assert_int_equal(mount_again(&bench), DUN_E_INVALID);
    }
    set_up(&bench, 256, 4, 8);
    bench.config.unit.size = 7;
    assert_int_equal(mount_again(&bench), DUN_E_INVALID);
    bench.config.unit.size = 8;
    bench.config.new_stream = 0;
    assert_int_equal(mount_again(&bench), DUN_E_INVALID);
}

static void a_stale_cursor_goes_on(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t byte;

    (void)state;
    start(&bench, 256, 4, 4);
    append_many(&bench, 5);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    append_many(&bench, 100);
    assert_int_equal(dun_log_read(&bench.log, &cursor, 0, &byte, 1), DUN_E_NOT_FOUND);
    assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    assert_int_equal(cursor.sequence, dun_log_first_sequence(&bench.log));
}

static void told_entries_go_with_their_record(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 512, 4, 4);
    dun_ledger_add_points(&bench.ledger, 9, DUN_LOSS_STORAGE);
    append_many(&bench, 1);
    dun_ledger_told(&bench.ledger, 1, 8);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(bench.ledger.count, 1);
    assert_int_equal(bench.losses[0].told_in, 1);
    assert_int_equal(bench.losses[0].points, 9);
    assert_int_equal(dun_log_ack(&bench.log, 1), 0);
    assert_int_equal(bench.ledger.count, 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(bench.ledger.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blank_flash_is_formatted_lazily),
        cmocka_unit_test(records_come_back_after_a_mount),
        cmocka_unit_test(a_larger_unit_buffer_means_fewer_programs),
        cmocka_unit_test(unsynced_records_stay_hidden),
        cmocka_unit_test(pieces_must_add_up),
        cmocka_unit_test(the_largest_record_fits_every_geometry),
        cmocka_unit_test(acks_survive_once_synced),
        cmocka_unit_test(acks_come_in_any_order),
        cmocka_unit_test(overflow_drops_the_oldest_and_says_so),
        cmocka_unit_test(acknowledged_blocks_are_recycled_without_loss),
        cmocka_unit_test(drop_newest_refuses_and_keeps),
        cmocka_unit_test(each_block_is_erased_once_a_lap),
        cmocka_unit_test(mount_reads_the_same_whatever_the_count),
        cmocka_unit_test(acks_outlive_a_failed_sync),
        cmocka_unit_test(a_mount_syncs_what_it_gives_out),
        cmocka_unit_test(a_failed_sync_withdraws),
        cmocka_unit_test(a_block_that_fails_is_skipped),
        cmocka_unit_test(a_block_whose_erase_is_not_certain_is_erased_again),
        cmocka_unit_test(a_dead_device_does_not_eat_the_backlog),
        cmocka_unit_test(damage_is_skipped_and_told),
        cmocka_unit_test(an_unreadable_block_is_skipped_but_an_absent_device_is_not),
        cmocka_unit_test(a_lost_newest_block_never_gives_a_sequence_twice),
        cmocka_unit_test(an_image_of_another_device_is_taken_and_told),
        cmocka_unit_test(drop_newest_keeps_room_to_tell_losses),
        cmocka_unit_test(newer_versions_and_other_geometries_are_left_alone),
        cmocka_unit_test(a_grown_ring_keeps_its_records),
        cmocka_unit_test(bad_configurations_are_refused),
        cmocka_unit_test(a_stale_cursor_goes_on),
        cmocka_unit_test(told_entries_go_with_their_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
