/*
 * fuzz_config.c: the configuration of a hosted agent from hostile sources. The input is a file, and
 * behind it, each after a byte 0xFF, words: those with DUNLIN_ in front stand in the environment,
 * the others on the command line.
 *
 * Promises checked: what is refused is told; what is accepted and fits the lines of a file can be
 * printed and read again, with the same meaning; a number that was read is in order with another
 * one, exact or scaled.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_keys.h"

#define WORDS_MAX 12
#define WORD_MAX  300

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

/* What the next fopen of "f" reads; the fuzzer's own files are opened while nothing is read. */
static struct dun_span file_now;
static bool reading;

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (!reading) {
        return __real_fopen(path, mode);
    }
    if (strcmp(path, "f") != 0) {
        errno = ENOENT;
        return NULL;
    }
    return file_now.size > 0 ? fmemopen((void *)file_now.data, file_now.size, mode)
                             : fmemopen((void *)"\n", 1, mode);
}

struct words {
    char text[WORDS_MAX][WORD_MAX];
    char *argv[WORDS_MAX + 5];
    char *environment[WORDS_MAX + 1];
    int argc, count, environment_count;
};

static void take_words(struct words *words, struct dun_span input)
{
    words->count = words->argc = words->environment_count = 0;
    words->argv[words->argc++] = (char *)"dunlind";
    words->argv[words->argc++] = (char *)"-c";
    words->argv[words->argc++] = (char *)"f";
    while (input.size > 0 && words->count < WORDS_MAX) {
        const uint8_t *end = memchr(input.data, 0xFF, input.size);
        size_t size = end != NULL ? (size_t)(end - input.data) : input.size;
        char *text = words->text[words->count++];
        size_t kept = size < WORD_MAX - 1 ? size : WORD_MAX - 1;
        memcpy(text, input.data, kept);
        text[kept] = '\0';
        if (strncmp(text, "DUNLIN_", 7) == 0) {
            words->environment[words->environment_count++] = text;
        } else {
            words->argv[words->argc++] = text;
        }
        size += size < input.size;
        input.data += size;
        input.size -= size;
    }
    words->argv[words->argc] = NULL;
    words->environment[words->environment_count] = NULL;
}

static int read_config(struct dun_config *config, struct words *words, FILE *errors)
{
    static const struct dun_config_limits limits = {
        .points_max = 1024, .record_max = 4096, .log_size_min = 16384, .log_size_default = 1 << 24};
    reading = true;
    dun_config_init(config, "dunlind", errors);
    int result =
        dun_config_read(config, words->argc, words->argv, words->environment, "host-1", &limits);
    reading = false;
    return result;
}

/* Every value, without where it came from. To be freed. */
static char *describe(const struct dun_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < dun_key_count; i++) {
        if (dun_keys[i].type != DUN_KEY_URL) {
            dun_key_print_value(config, &dun_keys[i], out);
            fputc('\n', out);
        }
    }
    for (uint16_t i = 0; i < config->file_count; i++) {
        dun_file_print(&config->files[i], out);
    }
    for (uint16_t i = 0; i < config->limit_count; i++) {
        dun_limit_print(&config->limits[i], out);
    }
    fclose(out);
    return text;
}

/* --print-config, read again. */
static void check_printed(const struct dun_config *config)
{
    static struct dun_config again;
    static struct words none;
    char *printed = NULL, *told = NULL;
    size_t printed_size = 0, told_size = 0;
    FILE *out = open_memstream(&printed, &printed_size);
    dun_config_print(config, out);
    fclose(out);
    if (strstr(printed, "; too long for a line of the file") != NULL) {
        free(printed);
        return;
    }
    file_now = (struct dun_span){(const uint8_t *)printed, printed_size};
    take_words(&none, (struct dun_span){NULL, 0});
    FILE *errors = open_memstream(&told, &told_size);
    int result = read_config(&again, &none, errors);
    fclose(errors);
    char *before = describe(config), *after = describe(&again);
    if (result != DUN_OK || strcmp(before, after) != 0) {
        fprintf(stderr, "%s%s\n--- was\n%s--- is\n%s", told, printed, before, after);
        DUN_ASSERT(result == DUN_OK);
        DUN_ASSERT(strcmp(before, after) == 0);
    }
    free(before);
    free(after);
    free(printed);
    free(told);
}

static void check_limits(const struct dun_config *config)
{
    for (uint16_t i = 0; i < config->limit_count; i++) {
        const struct dun_limit_config *limit = &config->limits[i];
        const struct dun_metric metric = {.name = limit->metric,
                                          .attributes = limit->attributes.list,
                                          .attribute_count = limit->attributes.count};
        DUN_ASSERT(dun_limit_for(config, &metric) != NULL);
        for (int exponent = -18; exponent <= 18; exponent++) {
            DUN_ASSERT(dun_value_scaled(&limit->low, exponent, false) <=
                       dun_value_scaled(&limit->low, exponent, true));
            if (limit->low_text[0] != '\0' && limit->high_text[0] != '\0') {
                DUN_ASSERT(dun_value_scaled(&limit->low, exponent, false) <=
                           dun_value_scaled(&limit->high, exponent, false));
            }
        }
    }
}

/* What stands in files of /proc and /sys, and in [file NAME]. */
static void check_value(const char *text)
{
    struct dun_exact exact;
    int64_t value = 0, finer = 0;
    if (dun_value_decimal(text, 0, &value) == DUN_OK &&
        dun_value_decimal(text, 1, &finer) == DUN_OK) {
        int64_t rest = finer - value * 10; /* both fit, or the finer one would not */
        DUN_ASSERT(rest >= -5 && rest <= 5);
    }
    if (dun_value_exact(text, &exact) == DUN_OK) {
        DUN_ASSERT(dun_value_compare(&exact, &exact) == 0);
        DUN_ASSERT(exact.fraction >= 0);
    }
    (void)!dun_value_integer(text, &value);
    (void)!dun_value_duration(text, &value);
    (void)!dun_value_size(text, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dun_config config;
    static struct words words;
    char *told = NULL;
    size_t told_size = 0;
    FILE *errors = open_memstream(&told, &told_size);
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t file_size = end != NULL ? (size_t)(end - data) : size;
    size_t rest = file_size < size ? file_size + 1 : size;
    file_now = (struct dun_span){data, file_size};
    take_words(&words, (struct dun_span){data + rest, size - rest});
    int result = read_config(&config, &words, errors);
    fclose(errors);
    DUN_ASSERT((result == DUN_OK) == (config.error_count == 0));
    DUN_ASSERT((result == DUN_OK) == (told_size == 0));
    for (int i = 0; i < words.count; i++) {
        check_value(words.text[i]);
    }
    if (result == DUN_OK && config.command != DUN_COMMAND_HELP &&
        config.command != DUN_COMMAND_VERSION) {
        check_limits(&config);
        check_printed(&config);
    }
    free(told);
    return 0;
}
