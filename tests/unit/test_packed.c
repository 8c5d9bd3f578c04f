/* test_packed.c: images come back as they were, and the pool gives out what was given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "packed.h"

#define WORDS 9000 /* more than one mask of groups holds */
#define SIZE  (WORDS * sizeof(uint64_t))

static uint64_t model[WORDS], image[WORDS], got[WORDS];
static struct dun_pool pool;
static uint64_t state = 1;

static uint64_t draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 20;
}

static int set_up(void **context)
{
    (void)context;
    for (size_t i = 0; i < WORDS; i++) {
        model[i] = draw();
    }
    memset(&pool, 0, sizeof pool);
    return 0;
}

static int tear_down(void **context)
{
    (void)context;
    dun_pool_free(&pool);
    return 0;
}

static void change(size_t count)
{
    memcpy(image, model, SIZE);
    for (size_t i = 0; i < count; i++) {
        image[draw() % WORDS] ^= draw() | 1;
    }
}

static void check(struct dun_packed *packed, size_t size)
{
    assert_true(dun_pack(&pool, packed, image, model, size));
    memset(got, 0xA5, SIZE);
    dun_unpack(&pool, packed, got, model, size);
    assert_memory_equal(got, image, size);
}

static void what_was_never_packed_is_the_model(void **context)
{
    (void)context;
    const struct dun_packed packed = {0};
    dun_unpack(&pool, &packed, got, model, SIZE);
    assert_memory_equal(got, model, SIZE);
}

static void any_image_comes_back(void **context)
{
    (void)context;
    struct dun_packed packed = {0};
    static const size_t changes[] = {0, 1, 29, 30, 31, 32, 500, 9000, 100000, 3, 0};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        change(changes[i]);
        check(&packed, SIZE);
        check(&packed, SIZE / 2);
        check(&packed, sizeof(uint64_t));
        check(&packed, 65 * sizeof(uint64_t));
    }
}

static void few_changes_cost_little(void **context)
{
    (void)context;
    struct dun_packed packed = {0};
    change(5000);
    check(&packed, SIZE);
    assert_true(pool.used > 100);
    change(3);
    check(&packed, SIZE);
    assert_int_equal(pool.used, 1);
}

static void many_share_a_pool(void **context)
{
    (void)context;
    enum { COUNT = 40, SMALL = 300 };
    static uint64_t images[COUNT][SMALL];
    struct dun_packed packed[COUNT] = {{0}};
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(images[i], model, sizeof images[i]);
    }
    for (int round = 0; round < 20000; round++) {
        size_t who = draw() % COUNT;
        dun_unpack(&pool, &packed[who], got, model, sizeof images[who]);
        assert_memory_equal(got, images[who], sizeof images[who]);
        size_t from = draw() % SMALL;
        size_t end = from + draw() % (SMALL - from);
        for (size_t i = from; i < end; i++) {
            images[who][i] = draw() % 2 == 0 ? model[i] : draw();
        }
        assert_true(dun_pack(&pool, &packed[who], images[who], model, sizeof images[who]));
    }
    assert_true(pool.used <= pool.used_max);
    assert_true(pool.used_max <= COUNT * (SMALL + 6 + 30) / 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_never_packed_is_the_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_image_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_changes_cost_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_share_a_pool, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
