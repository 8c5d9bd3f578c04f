/*
 * test_log_damage.c: the log's bytes against LOG_FORMAT.md, and images with bits flipped or stale
 * records in them.
 */
#include "log_bench.h"
#include "log_format.h"

static void le(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void the_bytes_are_those_of_the_format(void **state)
{
    static const uint8_t opening[48] = {'D',  'L',  'O',  'G',  2, 0, 52, 0, 0x88, 0x77, 0x66, 0x55,
                                        0x44, 0x33, 0x22, 0x11, 1, 0, 0,  0, 0,    0,    0,    0,
                                        1,    0,    0,    0,    0, 1, 0,  0, 4,    0,    0,    0,
                                        4,    0,    0,    0,    0, 0, 0,  0, 0,    0,    0,    0};
    const uint8_t *block = memory + sizeof(struct dun_flash_geometry);
    struct bench bench;
    uint8_t expected[32];
    uint8_t covered[32];

    (void)state;
    start(&bench, 256, 4, 4);
    assert_int_equal(dun_log_append(&bench.log, (struct dun_span){(const uint8_t *)"abc", 3}), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_memory_equal(block, opening, 48);
    le(expected, dun_crc32c(0, opening, 48), 4);
    assert_memory_equal(block + 48, expected, 4);

    memset(expected, 0, sizeof expected); /* the state: nothing done, nothing lost */
    le(expected, 0x8000 | 10, 2);
    expected[2] = 1;
    expected[4] = 1;
    le(covered, STREAM, 8);
    le(covered + 8, 1, 4);
    le(covered + 12, 0x8000 | 10, 2);
    le(covered + 14, 1, 8);
    memcpy(covered + 22, expected + 4, 10);
    le(expected + 14, dun_crc32c(0, covered, 32), 4);
    assert_memory_equal(block + 52, expected, 18);

    le(covered + 12, 3, 2);
    memcpy(covered + 22, "abc", 3);
    memcpy(expected, "\3\0\1\0abc", 7);
    le(expected + 7, dun_crc32c(0, covered, 25), 4);
    memset(expected + 11, 0xFF, 7);
    assert_memory_equal(block + 70, expected, 18);
}

static void any_flipped_bit_is_survived(void **state)
{
    static uint8_t kept[256 * 5];
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 5, 4);
    append_many(&bench, 40);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    memcpy(kept, memory + sizeof(struct dun_flash_geometry), sizeof kept);
    for (uint32_t bit = 0; bit < sizeof kept * 8; bit++) {
        uint8_t *image = memory + sizeof(struct dun_flash_geometry);

        memcpy(image, kept, sizeof kept);
        image[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(mount_again(&bench), 0);
        assert_false(bench.report.formatted);
        check_all_are_accounted_for(&bench, cursor.sequence, 41);
        append_many(&bench, 1);
    }
}

/* A block whose erase was lost: the records of its last lap stand where new ones would. */
static void records_of_an_earlier_lap_are_not_taken(void **state)
{
    static uint8_t before[1024];
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t *block;

    (void)state;
    start(&bench, 1024, 2, 4);
    append_many(&bench, 3);
    block = memory + sizeof(struct dun_flash_geometry);
    append_many(&bench, 5);
    memcpy(before, block, sizeof before);
    for (uint64_t s = 1; bench.log.base == 0 || s < 3; s++)
        append_many(&bench, 1);
    while (bench.log.base == 1)
        append_many(&bench, 1);
    for (uint32_t at = bench.log.offset; at < 1024; at++)
        block[at] = before[at];
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    dun_sequence next = dun_log_next_sequence(&bench.log);
    assert_int_equal(mount_again(&bench), 0);
    check_all_are_accounted_for(&bench, cursor.sequence, next);
    assert_true(dun_log_next_sequence(&bench.log) <= next + 1);
}

/*
 * A block that should have been taken, and was passed over because its erase failed, stands in
 * front of the newest with the records of a lap before: neither they nor its state may count.
 */
static void a_block_passed_over_ends_no_chain(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, 256, 8, 4);
    append_many(&bench, 60);
    assert_int_equal(dun_log_ack_to(&bench.log, 58), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    uint32_t newest = bench.log.base;
    bench.stuck_block = (newest + 1) % 8;
    while (bench.log.base == newest)
        append_many(&bench, 1);
    assert_int_equal(bench.log.base, (newest + 2) % 8);
    uint64_t next = dun_log_next_sequence(&bench.log);
    uint64_t first = dun_log_first_sequence(&bench.log);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first_sequence(&bench.log), first);
    check_records(&bench, first, next - 1);
    assert_int_equal(dun_log_damaged(&bench.log), 0);

    uint8_t *block = memory + sizeof(struct dun_flash_geometry) + (size_t)bench.log.base * 256;
    memset(block + DUN_LOG_OPENING_SIZE, 0xFF, 256 - DUN_LOG_OPENING_SIZE);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first_sequence(&bench.log), 59);
}

/* A record that is being read when the erase of its block fails, and takes half of it. */
static void a_failed_erase_ends_a_reading(void **state)
{
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t payload[64];

    (void)state;
    start(&bench, 256, 2, 4);
    append_many(&bench, 30);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    assert_int_not_equal(cursor.block, bench.log.base);
    while (cursor.size < 20)
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    assert_int_equal(dun_log_read(&bench.log, &cursor, 0, payload, 8), 0);
    assert_int_not_equal(cursor.block, bench.log.base);
    bench.stuck_block = cursor.block;
    while (append(&bench) == DUN_OK)
        assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(dun_log_read(&bench.log, &cursor, 0, payload, 8), 0);
    memset(memory + sizeof(struct dun_flash_geometry) + (size_t)cursor.block * 256 + cursor.offset +
               12,
           0xFF, 4);
    assert_int_equal(dun_log_read(&bench.log, &cursor, 8, payload, 8), DUN_E_NOT_FOUND);
}

/* The header of a record has 16 bits of its sequence; the CRC has all of them. */
static void a_record_65536_sequences_old_is_not_taken(void **state)
{
    uint8_t *block = memory + sizeof(struct dun_flash_geometry);
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 256, 4, 4);
    append_many(&bench, 3);
    le(block + 16, 1 + 65536, 8);
    le(block + 48, dun_crc32c(0, block, 48), 4);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 0);
    assert_int_equal(dun_log_next_sequence(&bench.log), 1 + 65536 + 3);
}

/* The last records were damaged after they had been sent: their sequences must not come again. */
static void damaged_last_records_keep_their_sequences(void **state)
{
    uint8_t *block = memory + sizeof(struct dun_flash_geometry);
    struct bench bench;
    struct dun_log_cursor cursor;

    (void)state;
    start(&bench, 1024, 4, 16);
    append_many(&bench, 8);
    for (int result = dun_log_first(&bench.log, &cursor); result == 1;
         result = dun_log_next(&bench.log, &cursor))
        if (cursor.sequence >= 4)
            block[cursor.offset] ^= 1;
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(dun_log_next_sequence(&bench.log), 9);
    check_records(&bench, 1, 3);
    assert_int_equal(bench.ledger.count, 1);
    assert_int_equal(bench.losses[0].first, 4);
    assert_int_equal(bench.losses[0].last, 8);
}

/*
 * The oldest blocks of a full ring are gone. Up to three: erases failed, and then the power. Four:
 * no opening tries so many.
 */
static void check_gap(uint32_t gone, enum dun_loss_reason reason)
{
    struct bench bench;
    struct dun_log_cursor cursor;

    start(&bench, 256, 7, 4);
    append_many(&bench, 60);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    while (cursor.block != (bench.log.tail + gone) % 7)
        assert_int_equal(dun_log_next(&bench.log, &cursor), 1);
    for (uint32_t i = 0; i < gone; i++)
        assert_int_equal(bench.ram.erase(bench.ram.context, (bench.log.tail + i) % 7), 0);
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, cursor.sequence, 60);
    assert_true(bench.ledger.count > 0);
    assert_int_equal(bench.losses[bench.ledger.count - 1].last, cursor.sequence - 1);
    assert_int_equal(bench.losses[bench.ledger.count - 1].reason, reason);
}

static void a_gap_at_mount_is_overflow_or_damage(void **state)
{
    (void)state;
    check_gap(1, DUN_LOSS_OVERFLOW);
    check_gap(3, DUN_LOSS_OVERFLOW);
    check_gap(4, DUN_LOSS_DAMAGED);
}

static uint64_t noise_state;

static uint8_t noise(void)
{
    noise_state = noise_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint8_t)(noise_state >> 40);
}

/* So much noise that a reader no longer reads all that looks like a record: it finds them still. */
static void records_behind_much_noise_are_found(void **state)
{
    enum { FROM = 8192, TO = 24576, COUNT = 1000, ACKED = 10 };
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t *block = memory + sizeof(struct dun_flash_geometry);
    static bool touched[COUNT + 1];

    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        start(&bench, 65536, 2, 4);
        append_many(&bench, COUNT);
        for (int result = dun_log_first(&bench.log, &cursor); result == 1;
             result = dun_log_next(&bench.log, &cursor))
            touched[cursor.sequence] =
                cursor.offset - 4 < TO && cursor.offset + cursor.size + 4 > FROM;
        assert_int_equal(dun_log_ack_to(&bench.log, ACKED), 0);
        assert_int_equal(dun_log_sync(&bench.log), 0); /* writes a short state record */
        noise_state = seed;
        for (uint32_t at = FROM; at < TO; at++)
            block[at] = noise();
        assert_int_equal(mount_again(&bench), 0);
        assert_int_equal(dun_log_next_sequence(&bench.log), COUNT + 1);
        int result = dun_log_first(&bench.log, &cursor);
        for (uint64_t s = ACKED + 1; s <= COUNT; s++) {
            if (touched[s])
                continue;
            assert_int_equal(result, 1);
            assert_int_equal(cursor.sequence, s);
            check_record(&bench, &cursor);
            result = dun_log_next(&bench.log, &cursor);
        }
        assert_int_equal(result, 0);
    }
}

/* Bytes that look like a record wherever one begins to read, and like another one behind it: a
 * reader that believed them would read the block as often as it has bytes. */
static void a_block_of_lookalikes_is_read_a_few_times(void **state)
{
    enum { SIZE = 65536, LOOKALIKE = 0x9F, SEQUENCE = 0x9F9F };
    struct bench bench;
    uint8_t *block = memory + sizeof(struct dun_flash_geometry);

    (void)state;
    start(&bench, SIZE, 2, 1);
    struct dun_log_opening opening = {.stream = STREAM,
                                      .first = SEQUENCE - 100,
                                      .serial = 1,
                                      .block_size = SIZE,
                                      .block_count = 2,
                                      .prog_size = 1};
    dun_log_put_opening(block, &opening);
    memset(block + DUN_LOG_OPENING_SIZE, LOOKALIKE, SIZE - DUN_LOG_OPENING_SIZE);
    assert_int_equal(mount_again(&bench), 0);
    assert_true(bench.bytes_read < 20 * SIZE);
}

/* A damaged record whose payload is full of them hides nothing of what follows. */
static void a_record_behind_lookalikes_is_found(void **state)
{
    static uint8_t payload[3072];
    struct bench bench;
    struct dun_log_cursor cursor;
    uint8_t *block = memory + sizeof(struct dun_flash_geometry);

    (void)state;
    for (uint32_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 0x40);
    start(&bench, 4096, 6, 1);
    assert_int_equal(dun_log_append(&bench.log, (struct dun_span){payload, sizeof payload}), 0);
    append_many(&bench, 1);
    assert_int_equal(dun_log_first(&bench.log, &cursor), 1);
    block[cursor.offset + cursor.size] ^= 1;
    assert_int_equal(mount_again(&bench), 0);
    check_records(&bench, 2, 2);
    assert_int_equal(bench.ledger.count, 1);
}

/* Appends until the log has four blocks and returns the oldest. */
static uint8_t *fill_four_blocks(struct bench *bench)
{
    start(bench, 256, 8, 4);
    while (bench->log.base_serial < 4)
        append_many(bench, 1);
    return memory + sizeof(struct dun_flash_geometry);
}

/* Reads all; returns how many there were. */
static uint64_t check_ascending(struct bench *bench)
{
    struct dun_log_cursor cursor;
    uint64_t last = 0, count = 0;

    for (int result = dun_log_first(&bench->log, &cursor); result == 1;
         result = dun_log_next(&bench->log, &cursor)) {
        assert_true(cursor.sequence > last && cursor.sequence < dun_log_next_sequence(&bench->log));
        check_record(bench, &cursor);
        last = cursor.sequence;
        count++;
    }
    return count;
}

/* After the mount somebody writes to a block of the chain an opening that is beyond the log's end:
 * what the log loses are the records of that block; of the oldest one it knows where they begin. */
static void an_opening_from_beyond_is_passed_over(void **state)
{
    struct bench bench;

    (void)state;
    for (int block = 0; block < 3; block++) {
        uint8_t *at = fill_four_blocks(&bench) + block * 256;
        uint64_t count = check_ascending(&bench);
        uint64_t own = block == 0 ? 0 : dun_get64(at + 256 + 16) - dun_get64(at + 16);
        le(at + 16, dun_get64(at + 16) + 1000000, 8);
        le(at + 48, dun_crc32c(0, at, 48), 4);
        assert_int_equal(check_ascending(&bench), count - own);
        assert_int_equal(dun_log_damaged(&bench.log), own);
    }
}

/* A copy of the newest block stands where an older one was: its records are not given out twice. */
static void a_copy_of_the_newest_block_is_passed_over(void **state)
{
    struct bench bench;

    (void)state;
    for (int block = 0; block < 3; block++) {
        uint8_t *first = fill_four_blocks(&bench);
        uint8_t *at = first + block * 256;
        uint64_t count = check_ascending(&bench);
        uint64_t own = dun_get64(at + 256 + 16) - dun_get64(at + 16);
        memcpy(at, first + 3 * 256, 256);
        assert_int_equal(check_ascending(&bench), count - own);
        assert_int_equal(dun_log_damaged(&bench.log), own);
    }
}

/* A copy of an older block stands before the newest one: after a mount it ends no chain. */
static void a_copy_of_an_older_block_is_passed_over(void **state)
{
    struct bench bench;

    (void)state;
    uint8_t *first = fill_four_blocks(&bench);
    uint64_t count = check_ascending(&bench);
    uint64_t lost = dun_get64(first + 3 * 256 + 16) - dun_get64(first + 2 * 256 + 16);
    memcpy(first + 2 * 256, first, 256);
    assert_int_equal(dun_log_ack_to(&bench.log, 2), 0);
    assert_int_equal(dun_log_sync(&bench.log), 0);
    assert_int_equal(mount_again(&bench), 0);
    assert_int_equal(check_ascending(&bench), count - lost - 2);
    assert_int_equal(dun_log_damaged(&bench.log), lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(any_flipped_bit_is_survived),
        cmocka_unit_test(records_of_an_earlier_lap_are_not_taken),
        cmocka_unit_test(a_block_passed_over_ends_no_chain),
        cmocka_unit_test(a_failed_erase_ends_a_reading),
        cmocka_unit_test(a_record_65536_sequences_old_is_not_taken),
        cmocka_unit_test(damaged_last_records_keep_their_sequences),
        cmocka_unit_test(a_gap_at_mount_is_overflow_or_damage),
        cmocka_unit_test(records_behind_much_noise_are_found),
        cmocka_unit_test(a_block_of_lookalikes_is_read_a_few_times),
        cmocka_unit_test(a_record_behind_lookalikes_is_found),
        cmocka_unit_test(an_opening_from_beyond_is_passed_over),
        cmocka_unit_test(a_copy_of_the_newest_block_is_passed_over),
        cmocka_unit_test(a_copy_of_an_older_block_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
