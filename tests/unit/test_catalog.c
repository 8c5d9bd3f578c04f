/* test_catalog.c: ids, hashes of prefixes, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "catalog.h"
#include "crc32c.h"

static const struct dun_attribute used[] = {{"system.memory.state", "used"}};
static const struct dun_metric memory = {.name = "system.memory.usage",
                                         .unit = "By",
                                         .attributes = used,
                                         .attribute_count = 1,
                                         .kind = DUN_GAUGE};
static const struct dun_metric load = {
    .name = "system.cpu.load_average.1m", .unit = "1", .kind = DUN_GAUGE, .exponent = -2};

static void ids_count_up_and_hashes_name_prefixes(void **state)
{
    (void)state;
    struct dun_metric metrics[2];
    struct dun_catalog catalog;
    dun_catalog_init(&catalog, metrics, 2);
    assert_int_equal(catalog.hash, 0);
    assert_int_equal(dun_catalog_add(&catalog, &memory), 0);
    uint32_t first = catalog.hash;
    assert_int_equal(dun_catalog_add(&catalog, &load), 1);
    assert_int_equal(dun_catalog_hash(&catalog, 0), 0);
    assert_int_equal(dun_catalog_hash(&catalog, 1), first);
    assert_int_equal(dun_catalog_hash(&catalog, 2), catalog.hash);
    assert_int_not_equal(first, catalog.hash);
    assert_int_equal(dun_catalog_add(&catalog, &load), DUN_E_FULL);
}

static void the_hash_runs_over_the_encoded_metrics(void **state)
{
    (void)state;
    struct dun_metric metrics[2];
    struct dun_catalog catalog;
    dun_catalog_init(&catalog, metrics, 2);
    assert_int_equal(dun_catalog_add(&catalog, &memory), 0);
    /* id 0, name, unit, kind 1, attribute {key, value}: written by hand from SPEC.md. */
    static const char bytes[] = "\x08\x00\x12\x13system.memory.usage\x1a\x02"
                                "By\x28\x01\x32\x1b\x0a\x13system.memory.state\x12\x04used";
    assert_int_equal(catalog.hash, dun_crc32c(0, bytes, sizeof bytes - 1));
}

static void states_and_doubles_are_encoded(void **state)
{
    (void)state;
    static const char *const names[] = {"down", "up"};
    static const char link[] = "\x08\x00\x12\x01l\x1a\x01"
                               "1\x28\x03\x3a\x04"
                               "down\x3a\x02up";
    static const char flow[] = "\x08\x01\x12\x01"
                               "f\x1a\x01"
                               "1\x28\x01";
    struct dun_metric metrics[2];
    struct dun_catalog catalog;
    dun_catalog_init(&catalog, metrics, 2);
    struct dun_metric metric = {
        .name = "l", .unit = "1", .kind = DUN_STATE, .states = names, .state_count = 2};
    assert_int_equal(dun_catalog_add(&catalog, &metric), 0);
    uint32_t hash = dun_crc32c(0, link, sizeof link - 1);
    assert_int_equal(catalog.hash, hash);
    metric = (struct dun_metric){
        .name = "f", .unit = "1", .kind = DUN_GAUGE, .exponent = -9, .real = true};
    assert_int_equal(dun_catalog_add(&catalog, &metric), 1);
    assert_int_equal(catalog.hash, dun_crc32c(hash, flow, sizeof flow - 1));
}

static void wrong_metrics_are_refused(void **state)
{
    (void)state;
    struct dun_metric metrics[1];
    struct dun_catalog catalog;
    dun_catalog_init(&catalog, metrics, 1);
    static char long_name[1000];
    memset(long_name, 'x', sizeof long_name - 1);
    static const char *const names[] = {"a", ""};
    struct dun_metric bad[] = {load, load, load, load, load, load, load, load, load, load, load};
    bad[0].name = "";
    bad[1].unit = NULL;
    bad[2].kind = 0;
    bad[3].exponent = 19;
    bad[4].attribute_count = 1;
    bad[5].name = long_name;
    bad[6].kind = DUN_BOOLEAN; /* which has no exponent */
    bad[7].kind = DUN_STATE;   /* without names */
    bad[7].exponent = 0;
    bad[8].states = names; /* names of a gauge */
    bad[8].state_count = 1;
    bad[9] = bad[8];
    bad[9].kind = DUN_STATE;
    bad[9].exponent = 0;
    bad[9].state_count = 2; /* one without a name */
    bad[10] = bad[9];
    bad[10].state_count = 1;
    bad[10].real = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(dun_catalog_add(&catalog, &bad[i]), DUN_E_INVALID);
    assert_int_equal(catalog.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_count_up_and_hashes_name_prefixes),
        cmocka_unit_test(the_hash_runs_over_the_encoded_metrics),
        cmocka_unit_test(states_and_doubles_are_encoded),
        cmocka_unit_test(wrong_metrics_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
