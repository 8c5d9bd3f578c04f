/* test_plain.c: rows for generic consumers: names, units, absolute time, zeros present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "encoder.h"

static struct dun_point points[4];
static struct dun_chain chains[2];
static struct dun_batch batch;
static struct dun_metric metrics[2];
static struct dun_catalog catalog;
static struct dun_clock device_clock;
static struct dun_ledger ledger;
static uint8_t bytes[256];

static const struct dun_attribute used[] = {{"state", "used"}};

static size_t encode_one(int64_t value, int8_t exponent, bool clock_known)
{
    dun_batch_init(&batch, points, 4, chains, 2);
    dun_catalog_init(&catalog, metrics, 2);
    dun_clock_init(&device_clock, 9, 0, 1000);
    dun_ms step_ms;
    if (clock_known)
        dun_clock_set(&device_clock, 0, 100, &step_ms);
    dun_clock_stored(&device_clock);
    struct dun_metric metric = {.name = "m",
                                .unit = "By",
                                .kind = DUN_GAUGE,
                                .exponent = exponent,
                                .attributes = used,
                                .attribute_count = 1};
    assert_int_equal(dun_catalog_add(&catalog, &metric), 0);
    assert_int_equal(dun_batch_add(&batch, 0, value, 28), DUN_OK);
    struct dun_record record = {.device = "d",
                                .stream = 1,
                                .sequence = 2,
                                .clock = &device_clock,
                                .catalog = &catalog,
                                .ledger = &ledger,
                                .batch = &batch,
                                .point_count = 1};
    pb_ostream_t out = pb_ostream_from_buffer(bytes, sizeof bytes);
    assert_true(dun_plain.encode(&out, &record));
    return out.bytes_written;
}

#define IDENTITY                                                                                   \
    "\x0a\x01"                                                                                     \
    "d\x12\x01m\x1a\x02"                                                                           \
    "By\x32\x0d\x0a\x05state\x12\x04used"
#define TAIL   "\x3d\x09\x00\x00\x00\x40\x1c" /* boot 9, uptime 28 */
#define RECORD "\x11\x01\x00\x00\x00\x00\x00\x00\x00\x18\x02"

static void a_row_says_all(void **state)
{
    (void)state;
    static const char expected[] = "\x0a\x2c" IDENTITY "\x21\x00\x00\x00\x00\x00\x00\xf8\x3f"
                                   "\x28\x80\x01" TAIL RECORD; /* 1.5 at 128 */
    assert_int_equal(encode_one(15, -1, true), sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
}

static void zero_is_there_and_an_unset_clock_is_not(void **state)
{
    (void)state;
    static const char expected[] =
        "\x0a\x29" IDENTITY "\x21\x00\x00\x00\x00\x00\x00\x00\x00" TAIL RECORD;
    assert_int_equal(encode_one(0, 0, false), sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
}

static double value_of(int64_t value, int8_t exponent)
{
    encode_one(value, exponent, false);
    double result;
    memcpy(&result, bytes + 2 + sizeof IDENTITY - 1 + 1, sizeof result);
    return result;
}

static void values_are_the_nearest_doubles(void **state)
{
    (void)state;
    assert_true(value_of(123456, -3) == 123.456);
    assert_true(value_of(-1, -18) == -1e-18);
    assert_true(value_of(7, 18) == 7e18);
    assert_true(value_of(INT64_C(9007199254740993), 0) == 9007199254740992.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_says_all),
        cmocka_unit_test(zero_is_there_and_an_unset_clock_is_not),
        cmocka_unit_test(values_are_the_nearest_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
