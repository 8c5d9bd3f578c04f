/* test_config_sections.c: the sections with a NAME: [file], [limit] and [metric]. */
#include "config_bench.h"

static void test_file_sensors(void **state)
{
    const char *file = "[file room]\npath = /sys/x\nname = hw.temperature\nunit = Cel\n"
                       "scale = 0.001\ndecimals = 2\nkind = gauge\ninterval = 1m\n"
                       "attributes = hw.id = room , site=north\n"
                       "[file hits]\npath = /run/hits\nname = hits\nkind = counter\n";
    const struct dun_file_config *room = &fixture.config.files[0];
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.file_count, 2);
    assert_string_equal(room->section.label, "room");
    assert_int_equal(room->scale, -3);
    assert_int_equal(room->decimals, 2);
    assert_int_equal(room->interval_ms, 60000);
    assert_int_equal(room->attributes.count, 2);
    assert_string_equal(room->attributes.list[0].key, "hw.id");
    assert_string_equal(room->attributes.list[0].value, "room");
    assert_string_equal(room->attributes.list[1].value, "north");
    assert_int_equal(fixture.config.files[1].kind, DUN_COUNTER);
    assert_string_equal(fixture.config.files[1].unit, "1");
    assert_int_equal(fixture.config.files[1].interval_ms, DUN_INTERVAL_INHERIT);
}

static void test_decimals_of_file_sensors(void **state)
{
    const char *file = "[file gauge]\npath = /x\nname = n\n"
                       "[file fine]\npath = /x\nname = n\nscale = 1e-4\n"
                       "[file finer]\npath = /x\nname = n\nscale = 1e-12\n"
                       "[file whole]\npath = /x\nname = n\ndecimals = 0\nscale = 0.1\n"
                       "[file counter]\npath = /x\nname = n\nkind = counter\n";
    static const uint8_t decimals[] = {3, 4, 9, 0, 0};
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    for (size_t i = 0; i < sizeof decimals; i++) {
        assert_int_equal(fixture.config.files[i].decimals, decimals[i]);
    }
}

static void test_files_of_words_and_doubles(void **state)
{
    const char *file = "[file door]\npath = /x\nname = n\nstates = closed ,ajar,  wide open\n"
                       "[file lamp]\npath = /x\nname = n\nkind = boolean\n"
                       "[file flow]\npath = /x\nname = n\ntype = real\nscale = 0.001\n";
    const struct dun_file_config *files = fixture.config.files;
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(files[0].kind, DUN_STATE);
    assert_int_equal(files[0].state_count, 3);
    assert_string_equal(files[0].states[0], "closed");
    assert_string_equal(files[0].states[2], "wide open");
    assert_int_equal(files[1].kind, DUN_BOOLEAN);
    assert_true(files[2].real && files[2].scale == -3);
}

static void test_words_and_numbers_do_not_mix(void **state)
{
    const char *file = "[file a]\npath = /x\nname = n\nkind = state\n"
                       "[file b]\npath = /x\nname = n\nkind = gauge\nstates = a,b\n"
                       "[file c]\npath = /x\nname = n\nstates = a,b\nscale = 10\n"
                       "[file d]\npath = /x\nname = n\nkind = boolean\ndecimals = 1\n"
                       "[file e]\npath = /x\nname = n\ntype = real\ndecimals = 1\n"
                       "[file f]\npath = /x\nname = n\nstates = a,b,a\n"
                       "[file g]\npath = /x\nname = n\nstates = a,,b\n"
                       "[file h]\npath = /x\nname = n\ntype = float\n";
    static const char *const lines[] = {
        ":1: [file a] states: and kind = state need each other\n",
        ":5: [file b] states: and kind = state need each other\n",
        ":10: [file c] scale: goes with numbers only",
        ":15: [file d] decimals: goes with numbers only",
        ":20: [file e] decimals: does not go with type = real",
        ":28: [file f] states = a,b,a: must be 1 to 32 different names",
        ":32: [file g] states = a,,b: must be 1 to 32 different names",
        ":36: [file h] type = float: must be decimal or real\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    assert_says_each(lines, sizeof lines / sizeof lines[0]);
}

static void test_bad_file_sensors(void **state)
{
    const char *file = "[file a]\npath = x\nname = n\nscale = 3\ndecimals = 10\nkind = both\n"
                       "interval = 1\nattributes = a\nsize = 1\n[file a]\n[file b/c]\n[file e]\n"
                       "name = n\nname = m\n";
    static const char *const lines[] = {
        ":2: [file a] path = x: must be an absolute path",
        ":4: [file a] scale = 3: must be a power of ten",
        ":5: [file a] decimals = 10: must be a whole number from 0 to 9\n",
        ":6: [file a] kind = both: must be gauge, counter, state or boolean\n",
        ":7: [file a] interval = 1: must be a duration",
        ":8: [file a] attributes = a: must be at most 4 pairs",
        ":9: [file a] size: no such key; there are path name scale",
        ":10: [file a] there is a section of this name already\n",
        ":11: [file b/c] a name must be 1 to 32",
        ":12: [file e] path: is missing\n",
        ":14: [file e] name: given before in this section\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    assert_says_each(lines, sizeof lines / sizeof lines[0]);
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0]);
}

static void test_too_many_file_sensors(void **state)
{
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < DUN_FILES_MAX + 1; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[file s%d]\npath = /p\nname = n\n", i);
    }
    assert_int_equal(read_all(text, NULL, NULL), DUN_E_INVALID);
    assert_says("too many [file] sections");
    assert_int_equal(count_errors(), 1);
}

static const struct dun_limit_config *limit_of(const char *name, const struct dun_attribute *list,
                                               uint8_t count)
{
    const struct dun_metric metric = {.name = name, .attributes = list, .attribute_count = count};
    return dun_limit_for(&fixture.config, &metric);
}

static void test_limits(void **state)
{
    const char *file = "[limit idle]\nmetric = cpu\nattributes = mode = idle\nlow = 0.05\n"
                       "[limit any]\nmetric = cpu\nlow = -1\nhigh = -1\n"
                       "[limit late]\nmetric = cpu\nattributes = mode=user\nhigh = 9e-1\n";
    static const struct dun_attribute idle[] = {{"core", "1"}, {"mode", "idle"}};
    static const struct dun_attribute user[] = {{"mode", "user"}};
    const struct dun_limit_config *limits_read = fixture.config.limits;
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 3);
    assert_string_equal(limits_read[0].section.label, "idle");
    assert_string_equal(limits_read[0].low_text, "0.05");
    assert_string_equal(limits_read[0].high_text, "");
    assert_int_equal(limits_read[0].low.fraction, 50000000000000000);
    assert_ptr_equal(limit_of("cpu", idle, 2), &limits_read[0]);
    assert_ptr_equal(limit_of("cpu", idle, 1), &limits_read[1]);
    assert_ptr_equal(limit_of("cpu", user, 1), &limits_read[1]); /* the first that fits */
    assert_ptr_equal(limit_of("cpu", NULL, 0), &limits_read[1]);
    assert_null(limit_of("cpus", idle, 2));
}

static void test_metrics(void **state)
{
    static const struct dun_metric_default defaults[] = {{"m", "0.5", "", ""},
                                                         {"other", "", "0", "5m"}};
    const char *file = "[metric m]\nmetric = m\nresolution = 0.01\ndead_band = 2\n"
                       "heartbeat = 90s\n[limit l]\nmetric = m\nlow = 3\n"
                       "[metric both]\nmetric = n\nhigh = 4\ndead_band = 0.1\n";
    (void)state;
    limits.metrics = defaults;
    limits.metric_count = 2;
    assert_int_equal(read_all(file, NULL, NULL), DUN_OK);
    limits.metric_count = 0;
    struct dun_metric metric = {.name = "m"};
    const struct dun_limit_config *tuning = dun_tuning_for(&fixture.config, &metric);
    assert_ptr_equal(tuning, &fixture.config.limits[0]);
    assert_string_equal(tuning->section.kind, "metric");
    assert_string_equal(tuning->resolution_text, "0.01");
    assert_int_equal(tuning->dead_band.whole, 2);
    assert_int_equal(tuning->heartbeat_ms, 90000);
    assert_ptr_equal(limit_of("m", NULL, 0), &fixture.config.limits[1]);
    metric.name = "n";
    assert_ptr_equal(dun_tuning_for(&fixture.config, &metric), limit_of("n", NULL, 0));
    metric.name = "other"; /* of the profile, behind the sections of the file */
    tuning = dun_tuning_for(&fixture.config, &metric);
    assert_ptr_equal(tuning, &fixture.config.limits[4]);
    assert_int_equal(tuning->heartbeat_ms, 300000);
    metric.name = "none";
    assert_null(dun_tuning_for(&fixture.config, &metric));
}

static void test_the_profile_gives_way(void **state)
{
    static const struct dun_metric_default defaults[] = {{"m", "5", "", ""}, {"n", "5", "", ""}};
    const char *printed = "[metric profile-0]\nmetric = m\nresolution = 7\n";
    (void)state;
    limits.metrics = defaults;
    limits.metric_count = 2;
    assert_int_equal(read_all(printed, NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 2); /* the label is not given twice */
    assert_string_equal(fixture.config.limits[0].resolution_text, "7");
    assert_string_equal(fixture.config.limits[1].metric, "n");
    assert_int_equal(read_all("[sensors]\nresolution = exact\n", NULL, NULL), DUN_OK);
    assert_int_equal(fixture.config.limit_count, 0);
    limits.metric_count = 0;
}

static void test_bad_metrics(void **state)
{
    const char *file = "[metric a]\nmetric = m\nresolution = 0\ndead_band = -0.5\n"
                       "[metric b]\nmetric = m\nresolution = 1\nheartbeat = 5s\n"
                       "[metric c]\nmetric = m\ndead_band = 1\nheartbeat = 0.5s\n";
    static const char *const lines[] = {
        ":3: [metric a] resolution = 0: must be a number above 0",
        ":4: [metric a] dead_band = -0.5: must be a number from 0",
        ":5: [metric b] heartbeat: needs a dead_band\n",
        ":12: [metric c] heartbeat = 0.5s: must be a duration from 1s to 24h\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    assert_says_each(lines, sizeof lines / sizeof lines[0]);
}

static void test_bad_limits(void **state)
{
    const char *file = "[limit a]\nlow = 1x\nhigh = 1e-19\n"
                       "[limit b]\nmetric = m\nattributes = a\nlow = 0.2\nhigh = 0.10\n"
                       "[limit c]\nmetric = m\n[limit a]\n[limit d/e]\n"
                       "[limit f]\nmetric = m\nmetric = m\nhigh = 1\nabove = 1\n"
                       "[limit g]\nmetric = m\nlow = 00000000000000000000000000000001\n"
                       "[limit]\n";
    static const char *const lines[] = {
        ":1: [limit a] metric: is missing\n",
        ":2: [limit a] low = 1x: must be a number",
        ":3: [limit a] high = 1e-19: must be a number of at most 18 digits, such as 0.9",
        ":4: [limit b] low: must not be more than high\n",
        ":6: [limit b] attributes = a: must be at most 4 pairs",
        ":9: [limit c] low, high, resolution, dead_band: one of them is needed\n",
        ":11: [limit a] there is a section of this name already\n",
        ":12: [limit d/e] a name must be 1 to 32",
        ":15: [limit f] metric: given before in this section\n",
        ":17: [limit f] above: no such key; there are metric low high resolution dead_band",
        ":20: [limit g] low = 00000000000000000000000000000001: must be a number",
        ":21: [limit]: no such section; there are [agent]",
        "[sensors] [file NAME], [limit NAME] and [metric NAME]\n",
    };
    (void)state;
    assert_int_equal(read_all(file, NULL, NULL), DUN_E_INVALID);
    assert_says_each(lines, sizeof lines / sizeof lines[0]);
    assert_int_equal(count_errors(), sizeof lines / sizeof lines[0] - 1);
}

static void test_a_key_of_attributes_given_twice(void **state)
{
    (void)state;
    assert_int_equal(
        read_all("[limit a]\nmetric = m\nlow = 1\nattributes = k=v, k=w\n", NULL, NULL),
        DUN_E_INVALID);
    assert_says(":4: [limit a] attributes = k=v, k=w: must be at most 4 pairs of different keys");
}

static void test_too_many_limits(void **state)
{
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < DUN_LIMITS_MAX + 1; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[limit s%d]\nmetric = n\nlow = 1\n", i);
    }
    assert_int_equal(read_all(text, NULL, NULL), DUN_E_INVALID);
    assert_says("too many [limit] and [metric] sections");
    assert_int_equal(count_errors(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file_sensors),
        TEST(test_decimals_of_file_sensors),
        TEST(test_files_of_words_and_doubles),
        TEST(test_words_and_numbers_do_not_mix),
        TEST(test_bad_file_sensors),
        TEST(test_too_many_file_sensors),
        TEST(test_limits),
        TEST(test_metrics),
        TEST(test_the_profile_gives_way),
        TEST(test_bad_metrics),
        TEST(test_bad_limits),
        TEST(test_a_key_of_attributes_given_twice),
        TEST(test_too_many_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
