/*
 * test_sensor_file.c: files of doubles, states and booleans. Numbers, and files that are none or do
 * not answer, are in test_sensors.c.
 */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent.h"
#include "sensor_shared.h"

enum { POINTS = 64 };

static struct {
    struct dun_config config;
    struct dun_sensors sensors;
    struct dun_file_config file;
    struct dun_file_sensor source;
    struct dun_sensor sensor;
    struct dun_agent agent;
    struct dun_point points[POINTS];
    struct dun_chain chains[1];
    struct dun_batch batch;
    struct dun_metric metrics[1];
    struct dun_catalog catalog;
    struct dun_attribute arena[4];
} f;

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    strcpy(f.file.path, "/tmp/dunlin-file-XXXXXX");
    close(mkstemp(f.file.path));
    strcpy(f.file.name, "x");
    strcpy(f.file.unit, "1");
    f.file.kind = DUN_GAUGE;
    f.sensors.config = &f.config;
    f.sensors.memory.arena = (struct dun_buffer){(uint8_t *)f.arena, sizeof f.arena};
    f.source = (struct dun_file_sensor){&f.sensors, &f.file, DUN_ID_NONE};
    f.sensor.context = &f.source;
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, 1);
    dun_catalog_init(&f.catalog, f.metrics, 1);
    f.agent.parts.catalog = &f.catalog;
    f.agent.parts.batch = &f.batch;
    f.agent.config.encoder = &dun_columns;
    f.agent.recorder = (struct dun_recorder){
        .limits = {.points_max = POINTS, .bytes_max = UINT32_MAX, .age_max_ms = UINT32_MAX},
        .catalog = &f.catalog,
        .batch = &f.batch,
        .stats = &f.agent.stats,
        .notices = &f.agent.notices};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return remove(f.file.path);
}

static void put(const char *text)
{
    FILE *file = fopen(f.file.path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int read_it(void)
{
    return dun_read_file(&f.sensor, &f.agent, 1000);
}

static const int64_t *last_value(void)
{
    assert_true(f.batch.count > 0);
    return &f.points[f.batch.count - 1].value;
}

static void a_file_of_a_double(void **state)
{
    static const struct {
        const char *text;
        int result;
        double value;
    } cases[] = {{"1.25e-3\n", DUN_OK, 1.25e-6},
                 {"-0", DUN_OK, -0.0},
                 {" +.5E+0002 ", DUN_OK, 0.05},
                 {"0.1e3", DUN_OK, 0.1},
                 {"-inf", DUN_OK, -INFINITY},
                 {"NaN", DUN_OK, NAN},
                 {"123456789012345678901234567890", DUN_OK, 123456789012345678901234567.890},
                 {"1e999", DUN_E_TOO_LARGE, 0},
                 {"0x1p3", DUN_E_CORRUPT, 0},
                 {"nan(1)", DUN_E_CORRUPT, 0},
                 {".", DUN_E_CORRUPT, 0},
                 {"1.2.3", DUN_E_CORRUPT, 0},
                 {"1e", DUN_E_CORRUPT, 0},
                 {"", DUN_E_NOT_FOUND, 0}};
    (void)state;
    f.file.scale = -3;
    f.file.decimals = 9;
    f.file.real = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double real;
        put(cases[i].text);
        assert_int_equal(read_it(), cases[i].result);
        if (cases[i].result == DUN_OK) {
            memcpy(&real, last_value(), sizeof real);
            assert_true(isnan(real) ? isnan(cases[i].value)
                                    : memcmp(&real, &cases[i].value, sizeof real) == 0);
        }
    }
    assert_true(f.metrics[0].real);
}

static void a_file_of_a_state(void **state)
{
    (void)state;
    f.file.kind = DUN_STATE;
    f.file.states[0] = "down";
    f.file.states[1] = "up";
    f.file.state_count = 2;
    put("  up \n");
    assert_int_equal(read_it(), DUN_OK);
    assert_int_equal(*last_value(), 1);
    assert_int_equal(f.metrics[0].state_count, 2);
    put("dormant\n");
    assert_int_equal(read_it(), DUN_E_UNSUPPORTED);
    assert_int_equal(f.batch.count, 1);
    put(" \n");
    assert_int_equal(read_it(), DUN_E_NOT_FOUND);
}

static void a_file_of_a_boolean(void **state)
{
    static const char *const words[] = {"0\n", "1", "no", "yes", "off", "on\n", "false", "true"};
    (void)state;
    f.file.kind = DUN_BOOLEAN;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        put(words[i]);
        assert_int_equal(read_it(), DUN_OK);
        assert_int_equal(*last_value(), i % 2);
    }
    put("2");
    assert_int_equal(read_it(), DUN_E_UNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_a_double),
        TEST(a_file_of_a_state),
        TEST(a_file_of_a_boolean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
