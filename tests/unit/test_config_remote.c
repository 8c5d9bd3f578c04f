/* test_config_remote.c: [remote]: what documents of the remote configuration may change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "settings.h"

static struct dun_config config;
static char told[1024];

/* Reads these two words of a command line; what was told is in `told`. */
static int read_words(const char *option, const char *value)
{
    static const struct dun_config_limits limits = {
        .points_max = 1000, .record_max = 4096, .log_size_min = 4096, .log_size_default = 1 << 20};
    char *argv[] = {"dunlind", (char *)option, (char *)value};
    char *environment[] = {NULL};
    FILE *errors = tmpfile();
    assert_non_null(errors);
    dun_config_init(&config, "dunlind", errors);
    int result = dun_config_read(&config, option != NULL ? 3 : 1, argv, environment, "h", &limits);
    rewind(errors);
    told[fread(told, 1, sizeof told - 1, errors)] = '\0';
    assert_int_equal(fclose(errors), 0);
    return result;
}

static void test_what_documents_may_change(void **state)
{
    const uint32_t all = (1u << DUN_SETTING_COUNT) - 1;
    (void)state;
    assert_int_equal(read_words(NULL, NULL), DUN_OK);
    assert_int_equal(config.remote, 1);
    assert_int_equal(config.remote_withheld, 0);
    assert_int_equal(config.remote_trial_ms, 120000);
    assert_int_equal(read_words("--remote-allow", "high, interval"), DUN_OK);
    assert_int_equal(config.remote_withheld,
                     all & ~(1u << DUN_SETTING_HIGH | 1u << DUN_SETTING_INTERVAL));
    assert_int_equal(read_words("--remote", "no"), DUN_OK);
    assert_int_equal(config.remote, 0);
    assert_string_equal(told, "");
    assert_int_equal(read_words("--remote-allow", "low hat"), DUN_E_INVALID);
    assert_non_null(strstr(told, "no setting is called \"hat\"; there are interval batch.points"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_documents_may_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
