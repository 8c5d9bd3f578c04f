/*
 * test_deltas.c: the small form of a Batch, byte by byte against SPEC.md. That the readers know it
 * is shown by the golden files of the form before, and by the small firmware end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "encoder.h"

enum { POINTS = 32, METRICS = 4 };

static struct dun_point points[POINTS];
static struct dun_chain chains[METRICS];
static struct dun_batch batch;
static struct dun_metric metrics[METRICS];
static struct dun_catalog catalog;
static struct dun_clock device_clock;
static struct dun_loss losses[4];
static struct dun_ledger ledger;
static struct dun_record record;
static uint8_t bytes[256];

static int set_up(void **state)
{
    (void)state;
    dun_batch_init(&batch, points, POINTS, chains, METRICS);
    dun_catalog_init(&catalog, metrics, METRICS);
    dun_clock_init(&device_clock, 9, 0, 1000);
    dun_ledger_init(&ledger, losses, 4);
    record = (struct dun_record){.device = "d1",
                                 .stream = 1,
                                 .sequence = 5,
                                 .clock = &device_clock,
                                 .catalog = &catalog,
                                 .ledger = &ledger,
                                 .batch = &batch};
    return 0;
}

static void add(uint16_t metric, int64_t value, dun_ms uptime_ms)
{
    assert_int_equal(dun_batch_add(&batch, metric, value, uptime_ms), DUN_OK);
    record.point_count = batch.count;
}

/* stream 1, sequence 5, boot 9, catalog 0, base 1000 */
#define HEADER                                                                                     \
    "\x09\x01\x00\x00\x00\x00\x00\x00\x00\x10\x05\x1d\x09\x00\x00\x00\x25\x00\x00\x00\x00\x28\xe8" \
    "\x07"

static void assert_encodes(const char *expected, size_t size)
{
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    pb_ostream_t out = pb_ostream_from_buffer(bytes, sizeof bytes);
    assert_true(dun_deltas.encode(&sizing, &record));
    assert_true(dun_deltas.encode(&out, &record));
    assert_int_equal(out.bytes_written, sizing.bytes_written);
    assert_int_equal(out.bytes_written, size);
    assert_memory_equal(bytes, expected, size);
}

#define ASSERT_ENCODES(literal) assert_encodes(HEADER literal, sizeof(HEADER literal) - 1)

static void columns_taken_together_share_an_axis(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        add(0, 100, 1000 + i * 1000);
        add(1, (int64_t[]){5, 7, 4}[i], 1000 + i * 1000);
    }
    ASSERT_ENCODES("\x3a\x07\x08\x03\x10\x00\x18\xe8\x07"               /* 3 rows each 1000 ms */
                   "\x42\x07\x08\x00\x10\x00\x18\xc8\x01"               /* 100 in all */
                   "\x42\x0a\x08\x01\x10\x00\x18\x0a\x22\x02\x04\x05"); /* 5, +2, -3 */
}

static void other_times_are_another_axis(void **state)
{
    (void)state;
    add(0, 0, 1000);
    add(2, 1, 1010);
    add(0, 0, 2000);
    add(0, 0, 3001);
    ASSERT_ENCODES("\x3a\x0b\x08\x03\x10\x00\x18\xe8\x07\x22\x02\x00\x02" /* the last is late */
                   "\x3a\x06\x08\x01\x10\x0a\x18\x00"
                   "\x42\x06\x08\x00\x10\x00\x18\x00"
                   "\x42\x06\x08\x02\x10\x01\x18\x02");
}

static void extreme_values_wrap_around(void **state)
{
    (void)state;
    add(0, INT64_MAX, 1000);
    add(0, INT64_MIN, 1001);
    ASSERT_ENCODES("\x3a\x06\x08\x02\x10\x00\x18\x01"
                   "\x42\x12\x08\x00\x10\x00\x18\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                   "\x22\x01\x02");
}

static void a_part_of_a_batch_is_encoded_alone(void **state)
{
    (void)state;
    add(0, 1, 1000);
    add(0, 9, 2000);
    add(3, 9, 2000);
    record.point_count = 1;
    ASSERT_ENCODES("\x3a\x06\x08\x01\x10\x00\x18\x00"
                   "\x42\x06\x08\x00\x10\x00\x18\x02");
}

static void a_full_stream_fails_cleanly(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        add((uint16_t)(i % METRICS), i * i, 1000 + i * 7);
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    assert_true(dun_deltas.encode(&sizing, &record));
    for (size_t room = 0; room < sizing.bytes_written; room++) {
        pb_ostream_t out = pb_ostream_from_buffer(bytes, room);
        assert_false(dun_deltas.encode(&out, &record));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(columns_taken_together_share_an_axis, set_up),
        cmocka_unit_test_setup(other_times_are_another_axis, set_up),
        cmocka_unit_test_setup(extreme_values_wrap_around, set_up),
        cmocka_unit_test_setup(a_part_of_a_batch_is_encoded_alone, set_up),
        cmocka_unit_test_setup(a_full_stream_fails_cleanly, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
