/* test_sensor_lm75.c: the thermometer's driver over a bus of this test's own making. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sensor_lm75.h"

/* A chip of the family at 0x4A, and a bus that may fail. */
struct chip {
    uint8_t registers[4][2];
    uint8_t pointer;
    int broken; /* what every transfer returns, if not 0 */
    int writes, reads;
};

static int chip_write(void *context, uint8_t address, const void *data, size_t size)
{
    struct chip *chip = context;
    const uint8_t *bytes = data;
    chip->writes++;
    if (chip->broken != 0 || address != 0x4A) {
        return chip->broken != 0 ? chip->broken : DUN_E_NOT_FOUND;
    }
    assert_in_range(size, 1, 3);
    assert_in_range(bytes[0], 0, 3);
    chip->pointer = bytes[0];
    memcpy(chip->registers[chip->pointer], bytes + 1, size - 1);
    return DUN_OK;
}

static int chip_read(void *context, uint8_t address, void *data, size_t size)
{
    struct chip *chip = context;
    chip->reads++;
    if (chip->broken != 0 || address != 0x4A) {
        return chip->broken != 0 ? chip->broken : DUN_E_NOT_FOUND;
    }
    assert_in_range(size, 1, 2);
    memcpy(data, chip->registers[chip->pointer], size);
    return DUN_OK;
}

static const struct dun_metric metric = {
    .name = "hw.temperature", .unit = "Cel", .kind = DUN_GAUGE, .exponent = DUN_LM75_EXPONENT};
static struct chip chip;
static const struct dun_bus bus = {&chip, chip_write, chip_read};
static struct dun_lm75 lm75;

static int setup(void **state)
{
    (void)state;
    chip = (struct chip){0};
    return dun_lm75_init(&lm75, &bus, 0x4A, &metric);
}

static int32_t degrees(uint8_t upper, uint8_t lower)
{
    int32_t value = INT32_MIN;
    chip.registers[0][0] = upper;
    chip.registers[0][1] = lower;
    assert_int_equal(dun_lm75_read(&lm75, &value), DUN_OK);
    return value;
}

static void full_resolution_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(chip.registers[1][0], 0x60);
    assert_int_equal(chip.writes, 1);
}

/* The table of the TMP105's data sheet. */
static void values_of_the_data_sheet(void **state)
{
    (void)state;
    assert_int_equal(degrees(0x7F, 0xF0), 1279375);
    assert_int_equal(degrees(0x64, 0x00), 1000000);
    assert_int_equal(degrees(0x4B, 0x00), 750000);
    assert_int_equal(degrees(0x19, 0x10), 250625); /* 25.0625 */
    assert_int_equal(degrees(0x19, 0x00), 250000);
    assert_int_equal(degrees(0x00, 0x80), 5000);
    assert_int_equal(degrees(0x00, 0x00), 0);
    assert_int_equal(degrees(0xFF, 0xF0), -625);
    assert_int_equal(degrees(0xE7, 0x00), -250000);
    assert_int_equal(degrees(0xC9, 0x00), -550000);
    assert_int_equal(degrees(0x80, 0x00), -1280000);
}

static void nobody_there(void **state)
{
    (void)state;
    assert_int_equal(dun_lm75_init(&lm75, &bus, 0x48, &metric), DUN_E_NOT_FOUND);
}

static void a_bus_that_breaks_is_told_and_recovers(void **state)
{
    int32_t value = 42;
    struct dun_sensor sensor = {.context = &lm75};
    (void)state;
    chip.broken = DUN_E_TIMEOUT;
    assert_int_equal(dun_lm75_read(&lm75, &value), DUN_E_TIMEOUT);
    assert_int_equal(value, 42);
    assert_int_equal(chip.reads, 0);
    assert_int_equal(dun_lm75_sensor(&sensor, NULL, 0), DUN_E_TIMEOUT);
    chip.broken = 0;
    assert_int_equal(degrees(0x14, 0x00), 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(full_resolution_is_asked_for, setup),
        cmocka_unit_test_setup(values_of_the_data_sheet, setup),
        cmocka_unit_test_setup(nobody_there, setup),
        cmocka_unit_test_setup(a_bus_that_breaks_is_told_and_recovers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
