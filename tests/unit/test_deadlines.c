/* test_deadlines.c: the heap always gives the earliest, against a model that looks at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deadlines.h"

#define COUNT 100u

static uint64_t state = 1;

static uint64_t draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 33;
}

static void nobody_is_due_at_first(void **context)
{
    (void)context;
    struct dun_deadlines deadlines;
    assert_true(dun_deadlines_init(&deadlines, 1));
    assert_int_equal(dun_deadlines_first(&deadlines).at, DUN_MS_NEVER);
    dun_deadlines_set(&deadlines, 0, 7);
    assert_int_equal(dun_deadlines_first(&deadlines).at, 7);
    dun_deadlines_set(&deadlines, 0, DUN_MS_NEVER);
    assert_int_equal(dun_deadlines_first(&deadlines).at, DUN_MS_NEVER);
    dun_deadlines_free(&deadlines);
}

static void agrees_with_a_model(void **context)
{
    (void)context;
    struct dun_deadlines deadlines;
    dun_ms model[COUNT];
    assert_true(dun_deadlines_init(&deadlines, COUNT));
    for (uint32_t i = 0; i < COUNT; i++) {
        model[i] = DUN_MS_NEVER;
    }
    for (int round = 0; round < 50000; round++) {
        uint32_t who = (uint32_t)(draw() % COUNT);
        model[who] = draw() % 8 == 0 ? DUN_MS_NEVER : (dun_ms)(draw() % 1000);
        dun_deadlines_set(&deadlines, who, model[who]);
        dun_ms earliest = DUN_MS_NEVER;
        for (uint32_t i = 0; i < COUNT; i++) {
            earliest = dun_ms_earlier(earliest, model[i]);
        }
        struct dun_deadline first = dun_deadlines_first(&deadlines);
        assert_int_equal(first.at, earliest);
        assert_int_equal(model[first.who], earliest);
        assert_int_equal(dun_deadlines_of(&deadlines, who), model[who]);
    }
    dun_deadlines_free(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_due_at_first),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
