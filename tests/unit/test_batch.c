/* test_batch.c: points go in by time and come out by metric; consuming keeps the rest whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "batch.h"

enum { POINTS = 8, METRICS = 3 };

struct fixture {
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_batch batch;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    dun_batch_init(&fixture.batch, fixture.points, POINTS, fixture.chains, METRICS);
    *state = &fixture;
    return 0;
}

static void assert_chain(const struct dun_batch *batch, uint16_t metric, const int64_t *values,
                         size_t count)
{
    const struct dun_chain *chain = &batch->chains[metric];
    uint16_t index = chain->head;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(index, DUN_POINT_NONE);
        assert_int_equal(batch->points[index].value, values[i]);
        index = batch->points[index].next;
    }
    assert_int_equal(index, DUN_POINT_NONE);
}

static void chains_follow_their_metric(void **state)
{
    struct dun_batch *batch = &((struct fixture *)*state)->batch;
    assert_int_equal(dun_batch_add(batch, 2, 10, 1000), DUN_OK);
    assert_int_equal(dun_batch_add(batch, 0, -5, 1000), DUN_OK);
    assert_int_equal(dun_batch_add(batch, 2, 11, 1500), DUN_OK);
    assert_int_equal(batch->count, 3);
    assert_int_equal(batch->base_ms, 1000);
    assert_chain(batch, 0, (int64_t[]){-5}, 1);
    assert_chain(batch, 1, NULL, 0);
    assert_chain(batch, 2, (int64_t[]){10, 11}, 2);
    assert_int_equal(dun_batch_uptime(batch, 2), 1500);
}

static void refuses_what_it_cannot_hold(void **state)
{
    struct dun_batch *batch = &((struct fixture *)*state)->batch;
    assert_int_equal(dun_batch_add(batch, METRICS, 1, 0), DUN_E_INVALID);
    for (int i = 0; i < POINTS; i++)
        assert_int_equal(dun_batch_add(batch, 0, i, i), DUN_OK);
    assert_int_equal(dun_batch_add(batch, 0, 9, 9), DUN_E_FULL);
    assert_int_equal(batch->count, POINTS);
}

static void a_batch_spans_24_days_at_most(void **state)
{
    struct dun_batch *batch = &((struct fixture *)*state)->batch;
    dun_ms start = INT64_C(5000000000);
    assert_int_equal(dun_batch_add(batch, 0, 1, start), DUN_OK);
    assert_int_equal(dun_batch_add(batch, 0, 2, start + (dun_ms)INT32_MAX), DUN_OK);
    assert_int_equal(dun_batch_add(batch, 0, 3, start + (dun_ms)INT32_MAX + 1), DUN_E_FULL);
}

static void consume_keeps_the_rest(void **state)
{
    struct dun_batch *batch = &((struct fixture *)*state)->batch;
    for (int i = 0; i < POINTS; i++)
        assert_int_equal(dun_batch_add(batch, (uint16_t)(i % 2), i * 100, 1000 + i * 10), DUN_OK);
    dun_batch_consume(batch, 5);
    assert_int_equal(batch->count, 3);
    assert_int_equal(batch->base_ms, 1050);
    assert_chain(batch, 0, (int64_t[]){600}, 1);
    assert_chain(batch, 1, (int64_t[]){500, 700}, 2);
    assert_int_equal(dun_batch_uptime(batch, 0), 1050);
    assert_int_equal(dun_batch_uptime(batch, 2), 1070);
    dun_batch_consume(batch, 3);
    assert_int_equal(batch->count, 0);
    assert_int_equal(dun_batch_add(batch, 1, 7, 99), DUN_OK);
    assert_int_equal(batch->base_ms, 99);
}

static void constant_columns_cost_nothing_more(void **state)
{
    struct dun_batch *batch = &((struct fixture *)*state)->batch;
    assert_int_equal(dun_batch_add(batch, 0, 1000000, 0), DUN_OK);
    uint32_t bits = batch->rough_bits;
    for (int i = 1; i < 5; i++)
        assert_int_equal(dun_batch_add(batch, 0, 1000000, 0), DUN_OK);
    assert_int_equal(batch->rough_bits, bits);
    assert_int_equal(dun_batch_add(batch, 0, 1000001, 0), DUN_OK);
    assert_true(batch->rough_bits > bits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chains_follow_their_metric, set_up),
        cmocka_unit_test_setup(refuses_what_it_cannot_hold, set_up),
        cmocka_unit_test_setup(a_batch_spans_24_days_at_most, set_up),
        cmocka_unit_test_setup(consume_keeps_the_rest, set_up),
        cmocka_unit_test_setup(constant_columns_cost_nothing_more, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
