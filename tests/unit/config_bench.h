/*
 * config_bench.h: a configuration read from a file, an environment and a command line of a test's
 * own, and what was told meanwhile.
 */
#ifndef DUN_CONFIG_BENCH_H
#define DUN_CONFIG_BENCH_H

#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct dun_config_limits limits = {.points_max = 1000,
                                          .record_max = 4096,
                                          .log_size_min = 16384,
                                          .log_size_default = 1 << 20,
                                          .has_tls = true};

static struct {
    struct dun_config config;
    FILE *errors;
    char path[64]; /* of the file, empty: none */
    char text[16384];
} fixture;

static inline int setup(void **state)
{
    (void)state;
    fixture.errors = tmpfile();
    fixture.path[0] = '\0';
    return fixture.errors == NULL;
}

static inline void remove_file(void)
{
    if (fixture.path[0] != '\0') {
        unlink(fixture.path);
    }
}

static inline int teardown(void **state)
{
    (void)state;
    remove_file();
    return fclose(fixture.errors);
}

static inline void write_file(const char *text, size_t size)
{
    remove_file(); /* of an earlier reading in the same test */
    strcpy(fixture.path, "/tmp/dunlin-config-XXXXXX");
    int fd = mkstemp(fixture.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

/* Reads the file (NULL: none), then these variables and words. */
static inline int read_all(const char *file, const char *const *environment,
                           const char *const *words)
{
    char *argv[32] = {"dunlind"};
    char *environ_copy[16] = {NULL};
    int argc = 1;
    if (file != NULL) {
        write_file(file, strlen(file));
        argv[argc++] = "-c";
        argv[argc++] = fixture.path;
    }
    for (; words != NULL && *words != NULL; words++) {
        argv[argc++] = (char *)*words;
    }
    for (int i = 0; environment != NULL && environment[i] != NULL; i++) {
        environ_copy[i] = (char *)environment[i];
    }
    dun_config_init(&fixture.config, "dunlind", fixture.errors);
    return dun_config_read(&fixture.config, argc, argv, environ_copy, "host-1", &limits);
}

static inline const char *errors(void)
{
    fflush(fixture.errors);
    ssize_t size = pread(fileno(fixture.errors), fixture.text, sizeof fixture.text - 1, 0);
    fixture.text[size > 0 ? size : 0] = '\0';
    return fixture.text;
}

static inline void assert_says(const char *words)
{
    if (strstr(errors(), words) == NULL) {
        fail_msg("not told: %s\nin:\n%s", words, errors());
    }
}

static inline void assert_silent_about(const char *words)
{
    if (strstr(errors(), words) != NULL) {
        fail_msg("told: %s\nin:\n%s", words, errors());
    }
}

static inline int count_errors(void)
{
    int lines = 0;
    for (const char *at = errors(); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    return lines;
}

static inline void assert_says_each(const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_says(lines[i]);
    }
}

#endif
