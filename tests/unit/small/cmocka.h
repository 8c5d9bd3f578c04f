/*
 * cmocka.h: as much of cmocka as the unit tests use, for a machine without setjmp: a check that
 * fails ends the program, so the tests behind it are not run. The output is cmocka's.
 */
#ifndef DUN_SMALL_CMOCKA_H
#define DUN_SMALL_CMOCKA_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f, NULL, NULL                                                                          \
    }
#define cmocka_unit_test_setup(f, s)                                                               \
    {                                                                                              \
#f, f, s, NULL                                                                             \
    }
#define cmocka_unit_test_teardown(f, t)                                                            \
    {                                                                                              \
#f, f, NULL, t                                                                             \
    }
#define cmocka_unit_test_setup_teardown(f, s, t)                                                   \
    {                                                                                              \
#f, f, s, t                                                                                \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    dun_run_group((tests), sizeof(tests) / sizeof((tests)[0]), (setup), (teardown))

#define print_message printf
#define fail_msg(...) (printf(__VA_ARGS__), dun_check(0, "fail_msg", __FILE__, __LINE__))
#define fail()        dun_check(0, "fail", __FILE__, __LINE__)

#define assert_true(c)     dun_check((c) ? 1 : 0, #c, __FILE__, __LINE__)
#define assert_false(c)    dun_check((c) ? 0 : 1, "not " #c, __FILE__, __LINE__)
#define assert_non_null(p) dun_check((p) != NULL, #p " is NULL", __FILE__, __LINE__)
#define assert_null(p)     dun_check((p) == NULL, #p " is not NULL", __FILE__, __LINE__)
#define assert_ptr_equal(a, b)                                                                     \
    dun_check((const void *)(a) == (const void *)(b), #a " == " #b, __FILE__, __LINE__)
#define assert_int_equal(a, b)                                                                     \
    dun_check_same((int64_t)(a), (int64_t)(b), 1, #a " == " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                                                 \
    dun_check_same((int64_t)(a), (int64_t)(b), 0, #a " != " #b, __FILE__, __LINE__)
#define assert_in_range(v, low, high)                                                              \
    dun_check_range((uint64_t)(v), (uint64_t)(low), (uint64_t)(high), #v, __FILE__, __LINE__)
#define assert_string_equal(a, b)     dun_check_text((a), (b), 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) dun_check_text((a), (b), 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size)                                                            \
    dun_check(memcmp((a), (b), (size)) == 0, #a " == " #b, __FILE__, __LINE__)

static inline void dun_check(int held, const char *what, const char *file, int line)
{
    if (!held) {
        printf("%s:%d: error: %s\n[  FAILED  ]\n", file, line, what);
        exit(1);
    }
}

static inline void dun_check_same(int64_t a, int64_t b, int same, const char *what,
                                  const char *file, int line)
{
    if ((a == b) != (same != 0)) {
        printf("%" PRId64 ", %" PRId64 "\n", a, b);
        dun_check(0, what, file, line);
    }
}

static inline void dun_check_range(uint64_t value, uint64_t low, uint64_t high, const char *what,
                                   const char *file, int line)
{
    if (value < low || value > high) {
        printf("%" PRIu64 " is not in %" PRIu64 "..%" PRIu64 "\n", value, low, high);
        dun_check(0, what, file, line);
    }
}

static inline void dun_check_text(const char *a, const char *b, int same, const char *file,
                                  int line)
{
    if ((strcmp(a, b) == 0) != (same != 0)) {
        printf("\"%s\"\n\"%s\"\n", a, b);
        dun_check(0, "texts", file, line);
    }
}

static inline int dun_run_group(const struct CMUnitTest *tests, size_t count,
                                int (*setup)(void **state), int (*teardown)(void **state))
{
    void *shared = NULL;
    dun_check(setup == NULL || setup(&shared) == 0, "group setup", __FILE__, __LINE__);
    for (size_t i = 0; i < count; i++) {
        void *state = shared;
        printf("[ RUN      ] %s\n", tests[i].name);
        dun_check(tests[i].setup == NULL || tests[i].setup(&state) == 0, "setup", __FILE__,
                  __LINE__);
        tests[i].test(&state);
        dun_check(tests[i].teardown == NULL || tests[i].teardown(&state) == 0, "teardown", __FILE__,
                  __LINE__);
        printf("[       OK ] %s\n", tests[i].name);
    }
    dun_check(teardown == NULL || teardown(&shared) == 0, "group teardown", __FILE__, __LINE__);
    printf("[  PASSED  ] %zu test(s).\n", count);
    return 0;
}

#endif
