/*
 * test_real.c: doubles on their way into a column: which exponent, which exceptions, how many
 * bytes, and their limits, resolution and dead-band. That the bits come back is in
 * golden/test_encoder.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "real.h"
#include "telemetry.pb.h"

enum { POINTS = 512, REAL = 0, INTEGER = 1, METRICS = 2 };

static struct {
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_metric metrics[METRICS];
    struct dun_catalog catalog;
    struct dun_batch batch;
    struct dun_clock clock;
    struct dun_ledger ledger;
    struct dun_loss losses[2];
    struct dun_limit limits[METRICS];
    struct dun_agent agent;
    dun_ms now;
} f;

static int set_up(void **state)
{
    (void)state;
    static const struct dun_metric declared[METRICS] = {
        {.name = "flow", .unit = "m3/h", .kind = DUN_GAUGE, .exponent = -3, .real = true},
        {.name = "count", .unit = "1", .kind = DUN_COUNTER}};
    memset(&f, 0, sizeof f);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_clock_init(&f.clock, 9, 0, 1000);
    dun_ledger_init(&f.ledger, f.losses, 2);
    for (int i = 0; i < METRICS; i++)
        assert_int_equal(dun_catalog_add(&f.catalog, &declared[i]), i);
    f.agent.recorder = (struct dun_recorder){
        .limits = {.points_max = POINTS, .bytes_max = UINT32_MAX, .age_max_ms = UINT32_MAX},
        .catalog = &f.catalog,
        .batch = &f.batch,
        .stats = &f.agent.stats,
        .notices = &f.agent.notices,
        .limits_of = f.limits};
    return 0;
}

static void record(double value)
{
    assert_int_equal(dun_agent_record_real(&f.agent, REAL, value, f.now), DUN_OK);
    f.now += 1000;
}

static size_t encoded_size(void)
{
    struct dun_record all = {.device = "d1",
                             .stream = 1,
                             .sequence = 1,
                             .clock = &f.clock,
                             .catalog = &f.catalog,
                             .ledger = &f.ledger,
                             .batch = &f.batch,
                             .point_count = f.batch.count};
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    assert_true(dun_columns.encode(&sizing, &all));
    return sizing.bytes_written;
}

static void integers_and_doubles_are_not_mixed_up(void **state)
{
    (void)state;
    assert_int_equal(dun_agent_record_real(&f.agent, INTEGER, 1.5, 0), DUN_E_INVALID);
    assert_int_equal(dun_agent_record_real(&f.agent, METRICS, 1.5, 0), DUN_E_INVALID);
    assert_int_equal(dun_recorder_add(&f.agent.recorder, REAL, 15, 0), DUN_E_INVALID);
    assert_int_equal(f.batch.count, 0);
}

static void most_values_choose_the_exponent(void **state)
{
    (void)state;
    const struct {
        double values[8];
        int exponent;
        uint8_t form, coding;
    } columns[] = {
        {{1.25e-3, 1.25e-3, 1.25e-3, 1.25e-3, 1.25e-3, 1.25e-3, 1.25e-3, 1.25e-3},
         -5,
         DUN_FORM_REAL,
         dunlin_v1_Coding_CODING_CONSTANT},
        {{21.5, 21.51, 22, 21.5, 21.53, 20.1, 20, 19.99},
         -2,
         DUN_FORM_REAL,
         dunlin_v1_Coding_CODING_DELTA},
        {{21.5, 1.0 / 3, 22.1, 21.5, 21.7, 20.1, 20, 19.9},
         -1,
         DUN_FORM_REAL | DUN_FORM_ODD,
         dunlin_v1_Coding_CODING_DELTA},
        {{0.1, 0.2, NAN, 0.3, -0.0, INFINITY, 0.4, 5e-324},
         -1,
         DUN_FORM_REAL | DUN_FORM_ODD,
         dunlin_v1_Coding_CODING_LEVEL},
        {{NAN, NAN, NAN, NAN, NAN, NAN, NAN, -INFINITY},
         0,
         DUN_FORM_REAL | DUN_FORM_ODD | DUN_FORM_ALL_ODD,
         dunlin_v1_Coding_CODING_CONSTANT},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 0, DUN_FORM_REAL, dunlin_v1_Coding_CODING_ZERO},
        {{0, 0, 0, -0.0, 0, 0, 0, 0},
         0,
         DUN_FORM_REAL | DUN_FORM_ODD,
         dunlin_v1_Coding_CODING_CONSTANT},
        {{9007199254740992.0, 9007199254740991.0, -9007199254740992.0, 1, 1, 1, 2, 1},
         0,
         DUN_FORM_REAL,
         dunlin_v1_Coding_CODING_LEVEL},
        {{1e22, 2e22, 3e22, 1e22, 1e22, 1e22, 1e22, 2e22},
         22,
         DUN_FORM_REAL,
         dunlin_v1_Coding_CODING_LEVEL},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        dun_batch_consume(&f.batch, f.batch.count);
        for (int row = 0; row < 8; row++)
            record(columns[i].values[row]);
        (void)encoded_size();
        assert_int_equal(f.chains[REAL].exponent, columns[i].exponent);
        assert_int_equal(f.chains[REAL].form, columns[i].form);
        if (columns[i].coding != dunlin_v1_Coding_CODING_LEVEL) /* where several are as good */
            assert_int_equal(f.chains[REAL].coding, columns[i].coding);
    }
}

/* Decimals cost what integers do; single precision half of what noise does. */
static void doubles_cost_what_they_hold(void **state)
{
    (void)state;
    size_t sizes[4];
    uint32_t rough[4];
    for (int way = 0; way < 4; way++) {
        uint32_t noise = 1;
        set_up(state);
        for (int i = 0; i < POINTS; i++) {
            noise = noise * 1664525 + 1013904223;
            double digits = (double)(noise >> 22);
            double values[] = {digits / 100, (double)(float)(digits / 100),
                               digits / 300 + noise * 1e-12};
            if (way < 3)
                record(values[way]);
            else
                assert_int_equal(
                    dun_recorder_add(&f.agent.recorder, INTEGER, (int64_t)(noise >> 22), 1000 * i),
                    DUN_OK);
        }
        sizes[way] = encoded_size();
        rough[way] = dun_batch_rough_size(&f.batch);
        assert_in_range(rough[way], sizes[way] * 9 / 10, sizes[way] * 2);
    }
    assert_in_range(sizes[0], sizes[3] - 4, sizes[3] + 4);
    assert_true(sizes[1] < POINTS * 4);
    assert_true(sizes[2] < POINTS * 8);
}

static bool takes(double value, dun_ms after_ms, double expected)
{
    uint16_t before = f.batch.count;
    f.now += after_ms;
    assert_int_equal(dun_agent_record_real(&f.agent, REAL, value, f.now), DUN_OK);
    if (f.batch.count > before)
        assert_memory_equal(&f.points[before].value, &expected, sizeof expected);
    return f.batch.count > before;
}

static void tuning_is_in_the_metrics_unit(void **state)
{
    (void)state;
    f.limits[REAL].tuning = (struct dun_tuning){.resolution = 50}; /* 0.05 */
    assert_true(takes(1.024, 0, 1.0));
    assert_true(takes(1.025, 1, 1.05));
    assert_true(takes(-0.176, 1, -0.2));
    assert_true(takes(NAN, 1, NAN));
    assert_true(takes(1e300, 1, 1e300));
    f.limits[REAL].tuning =
        (struct dun_tuning){.sparse = true, .dead_band = 100, .heartbeat_ms = 10000};
    assert_true(takes(5, 0, 5));
    assert_false(takes(5.1, 1, 0));
    assert_true(takes(5.11, 1, 5.11));
    assert_true(takes(NAN, 1, NAN));
    assert_false(takes(NAN, 1, 0));
    assert_true(takes(NAN, 10000, NAN));
    assert_true(takes(5, 1, 5));
    assert_true(takes(INFINITY, 1, INFINITY));
    assert_false(takes(INFINITY, 1, 0));
}

static void a_crossing_is_urgent(void **state)
{
    (void)state;
    f.limits[REAL] = (struct dun_limit){.low = INT64_MIN, .high = 1500, .set = true};
    assert_true(takes(1.5, 0, 1.5));
    assert_true(takes(-1e300, 0, -1e300));
    assert_true(takes(NAN, 0, NAN));
    assert_false(f.agent.recorder.urgent_end > 0);
    assert_true(takes(1.5000001, 0, 1.5000001));
    assert_int_equal(f.agent.recorder.urgent_end, 4);
}

static void what_stays_after_a_seal_is_doubles_still(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        record(i / 10.0);
    (void)encoded_size();
    dun_batch_consume(&f.batch, 7);
    (void)encoded_size();
    assert_int_equal(f.chains[REAL].exponent, -1);
    assert_int_equal(f.chains[REAL].form, DUN_FORM_REAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(integers_and_doubles_are_not_mixed_up, set_up),
        cmocka_unit_test_setup(most_values_choose_the_exponent, set_up),
        cmocka_unit_test_setup(doubles_cost_what_they_hold, set_up),
        cmocka_unit_test_setup(tuning_is_in_the_metrics_unit, set_up),
        cmocka_unit_test_setup(a_crossing_is_urgent, set_up),
        cmocka_unit_test_setup(what_stays_after_a_seal_is_doubles_still, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
