/*
 * test_columns.c: the columnar form of a record, byte by byte against SPEC.md. That an independent
 * decoder reads what the encoder writes is shown by the golden tests; here stand the bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "coding.h"
#include "encoder.h"
#include "telemetry.pb.h"

enum { POINTS = 64, METRICS = 4 };

struct fixture {
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_batch batch;
    struct dun_metric metrics[METRICS];
    struct dun_catalog catalog;
    struct dun_clock clock;
    struct dun_loss losses[4];
    struct dun_ledger ledger;
    struct dun_record record;
    uint8_t bytes[512];
    size_t size;
};

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_clock_init(&f.clock, 9, 0, 1000);
    dun_ledger_init(&f.ledger, f.losses, 4);
    f.record = (struct dun_record){.device = "d1",
                                   .stream = UINT64_C(0x0102030405060708),
                                   .sequence = 5,
                                   .clock = &f.clock,
                                   .catalog = &f.catalog,
                                   .ledger = &f.ledger,
                                   .batch = &f.batch};
    *state = &f;
    return 0;
}

static void add(struct fixture *f, uint16_t metric, int64_t value, dun_ms uptime_ms)
{
    assert_int_equal(dun_batch_add(&f->batch, metric, value, uptime_ms), DUN_OK);
    f->record.point_count = f->batch.count;
}

static void encode(struct fixture *f)
{
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    assert_true(dun_columns.encode(&sizing, &f->record));
    pb_ostream_t out = pb_ostream_from_buffer(f->bytes, sizeof f->bytes);
    assert_true(dun_columns.encode(&out, &f->record));
    assert_int_equal(out.bytes_written, sizing.bytes_written);
    f->size = out.bytes_written;
}

/* stream, sequence 5, boot 9, catalog 0 */
#define HEADER                                                                                     \
    "\x09\x08\x07\x06\x05\x04\x03\x02\x01\x10\x05\x1d\x09\x00\x00\x00\x25\x00\x00\x00\x00"

static void assert_bytes(const struct fixture *f, const char *expected, size_t size)
{
    assert_int_equal(f->size, size);
    assert_memory_equal(f->bytes, expected, size);
}

#define ASSERT_BYTES(f, literal) assert_bytes(f, literal, sizeof(literal) - 1)

static void set_clock(struct fixture *f)
{
    dun_ms step_ms;
    dun_clock_set(&f->clock, 1000, 2000, &step_ms); /* unix 1000 at uptime 0 */
    dun_clock_stored(&f->clock);
}

/* The worked example of SPEC.md. */
static void columns_taken_together_share_an_axis(void **state)
{
    struct fixture *f = *state;
    set_clock(f);
    for (int i = 0; i < 3; i++) {
        add(f, 0, 100, 1000 + i * 1000);
        add(f, 1, (int64_t[]){5, 7, 4}[i], 1000 + i * 1000);
    }
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\xe8\x07\x30\xe8\x07"     /* base, unix at uptime 0 */
                           "\x3a\x05\x08\x03\x18\xe8\x07" /* 3 rows each 1000 ms */
                           "\x42\x0a\x2a\x02\x02\x05\x32\x04\x1a\x40\x25\xc9");
}

static void a_column_may_have_some_of_the_rows(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        add(f, 0, 100, 1000 + i * 1000);
        add(f, 1, (int64_t[]){5, 7, 4}[i], 1000 + i * 1000);
        if (i == 1)
            add(f, 2, -1, 2500);
    }
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\xe8\x07"
                           "\x3a\x0a\x28\x04\x18\xf4\x03\x3a\x03\xbf\x0b\xc8"
                           /* rows, constant, level, rows, constant */
                           "\x42\x10\x2a\x05\x09\x02\x05\x09\x02"
                           "\x32\x07\xa9\xec\x39\x55\x82\xa9\xfb");
}

/* Two sensors that have nothing in common but the record. */
static void unrelated_times_have_axes_of_their_own(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 12; i++) {
        add(f, 0, 0, i * 1000);
        add(f, 1, 0, i * 1000 + 77 + i * 3);
    }
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\x00"
                           "\x3a\x05\x08\x0c\x18\xe8\x07"
                           "\x3a\x07\x08\x0c\x10\x4d\x18\xeb\x07"
                           "\x42\x03\x2a\x01\x01"
                           "\x42\x07\x08\x01\x10\x01\x2a\x01\x01");
}

static void metrics_without_points_are_skipped(void **state)
{
    struct fixture *f = *state;
    add(f, 1, 0, 0);
    add(f, 3, 0, 0);
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\x00\x3a\x02\x08\x01"
                           "\x42\x07\x08\x01\x2a\x03\x01\x08\x01");
}

static void jitter_is_what_leaves_the_grid(void **state)
{
    struct fixture *f = *state;
    const dun_ms times[] = {0, 1000, 2001, 3000, 4000, 5000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        add(f, 0, 0, times[i]);
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\x00"
                           "\x3a\x0a\x28\x06\x18\xe8\x07\x30\x05\x3a\x01\x61"
                           "\x42\x03\x2a\x01\x01");
}

static void extreme_values_wrap_around(void **state)
{
    struct fixture *f = *state;
    add(f, 0, INT64_MAX, 0);
    add(f, 0, INT64_MIN, 0); /* the delta is +1 modulo 2^64 */
    encode(f);
    ASSERT_BYTES(f, HEADER "\x28\x00\x3a\x02\x08\x02"
                           "\x42\x0f\x2a\x01\x03\x32\x0a"
                           "\x7d\xfe\xf8\x3f\xff\xff\xff\xff\xfa\x82");
}

/* Beside the points' buffer, 32 metrics cost at most a kilobyte, the coder on the stack included.
 */
static void the_state_of_32_metrics_fits_a_kilobyte(void **state)
{
    (void)state;
    size_t chains = 32 * sizeof(struct dun_chain);
    assert_in_range(sizeof(struct dun_batch) + chains + sizeof(struct dun_coder), 1, 1024);
}

static void each_shape_gets_its_coding(void **state)
{
    static const struct {
        int64_t values[8];
        uint8_t coding;
        uint32_t step;
    } shapes[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0}, dunlin_v1_Coding_CODING_ZERO, 1},
        {{-3, -3, -3, -3, -3, -3, -3, -3}, dunlin_v1_Coding_CODING_CONSTANT, 1},
        {{101, 907, 803, 1502, 1404, 2501, 2407, 3003}, dunlin_v1_Coding_CODING_DELTA, 1},
        {{0, 100, 200, 300, 400, 500, 601, 701}, dunlin_v1_Coding_CODING_DELTA2, 1},
        {{0, 900, 0, 0, 913, 0, 0, 907}, dunlin_v1_Coding_CODING_LEVEL, 1},
        {{4096, 36864, 32768, 61440, 57344, 102400, 98304, 122880},
         dunlin_v1_Coding_CODING_DELTA,
         4096},
        {{7, 9007, 8007, 15007, 14007, 25007, 24007, 30007}, dunlin_v1_Coding_CODING_DELTA, 1000},
    };
    struct fixture *f = *state;
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        dun_batch_consume(&f->batch, f->batch.count);
        for (int i = 0; i < 8; i++)
            add(f, 0, shapes[shape].values[i], i * 10);
        encode(f);
        assert_int_equal(f->chains[0].coding, shapes[shape].coding);
        assert_int_equal(f->chains[0].step, shapes[shape].step);
    }
}

static void a_column_may_be_like_the_one_before(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 15; i++) {
        int64_t walk = i * i * 7919 % 1009;
        add(f, 0, walk, i);
        add(f, 1, 5, i);
        add(f, 2, walk + 3, i);
        add(f, 3, 100000 - walk, i);
    }
    encode(f);
    assert_int_equal(f->chains[2].coding, dunlin_v1_Coding_CODING_LIKE);
    assert_int_equal(f->chains[3].coding, dunlin_v1_Coding_CODING_UNLIKE);
}

static void a_part_of_a_batch_is_encoded_alone(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        add(f, (uint16_t)(i % 2), i, i * 10);
    f->record.point_count = 4;
    encode(f);
    struct fixture whole = *f;
    set_up(state);
    for (int i = 0; i < 4; i++)
        add(f, (uint16_t)(i % 2), i, i * 10);
    encode(f);
    assert_bytes(f, (const char *)whole.bytes, whole.size);
}

static void losses_and_anchors_travel(void **state)
{
    struct fixture *f = *state;
    dun_ledger_stamp(&f->ledger, 9, 300);
    dun_ledger_add(&f->ledger, 2, 4, DUN_LOSS_OVERFLOW);
    dun_ms step_ms;
    dun_clock_set(&f->clock, 300, 1000, &step_ms);
    f->record.loss_count = 1;
    encode(f);
    ASSERT_BYTES(f, HEADER "\x4a\x0e\x08\x02\x10\x04\x18\x01\x2d\x09\x00\x00\x00\x30\xac\x02"
                           "\x52\x0d\x0d\x09\x00\x00\x00\x10\xac\x02\x18\xe8\x07\x20\x01");
    dun_ledger_told(&f->ledger, 5, 1);
    dun_clock_stored(&f->clock);
    encode(f);
    ASSERT_BYTES(f, HEADER);
}

static void an_announcement_names_its_base(void **state)
{
    struct fixture *f = *state;
    struct dun_metric metric = {.name = "a", .unit = "1", .kind = DUN_COUNTER, .exponent = -2};
    assert_int_equal(dun_catalog_add(&f->catalog, &metric), 0);
    assert_int_equal(dun_catalog_add(&f->catalog, &metric), 1);
    f->record.metric_end = 1;
    encode(f);
    uint32_t first = dun_catalog_hash(&f->catalog, 1);
    assert_memory_equal(f->bytes + 17, &first, 4); /* little-endian hosts run this test */
    static const char rest[] = "\x5d\x00\x00\x00\x00\x62\x0c\x08\x00\x12\x01"
                               "a\x1a\x01\x31\x20\x03\x28\x02";
    assert_int_equal(f->size, 21 + sizeof rest - 1);
    assert_memory_equal(f->bytes + 21, rest, sizeof rest - 1);
}

static void a_full_stream_fails_cleanly(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        add(f, (uint16_t)(i % 3), i * i, i * 7);
    encode(f);
    for (size_t room = 0; room < f->size; room++) {
        pb_ostream_t out = pb_ostream_from_buffer(f->bytes, room);
        assert_false(dun_columns.encode(&out, &f->record));
        assert_in_range(out.bytes_written, 0, room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(columns_taken_together_share_an_axis, set_up),
        cmocka_unit_test_setup(a_column_may_have_some_of_the_rows, set_up),
        cmocka_unit_test_setup(unrelated_times_have_axes_of_their_own, set_up),
        cmocka_unit_test_setup(metrics_without_points_are_skipped, set_up),
        cmocka_unit_test_setup(jitter_is_what_leaves_the_grid, set_up),
        cmocka_unit_test_setup(extreme_values_wrap_around, set_up),
        cmocka_unit_test_setup(the_state_of_32_metrics_fits_a_kilobyte, set_up),
        cmocka_unit_test_setup(each_shape_gets_its_coding, set_up),
        cmocka_unit_test_setup(a_column_may_be_like_the_one_before, set_up),
        cmocka_unit_test_setup(a_part_of_a_batch_is_encoded_alone, set_up),
        cmocka_unit_test_setup(losses_and_anchors_travel, set_up),
        cmocka_unit_test_setup(an_announcement_names_its_base, set_up),
        cmocka_unit_test_setup(a_full_stream_fails_cleanly, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
