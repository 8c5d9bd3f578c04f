/* test_lines.c: lines and numbers out of files of the kernel, in buffers of every size. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lines.h"

static int file_of(const char *text, size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fflush(file);
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}

static void test_lines_are_the_same_in_every_buffer(void **state)
{
    static const char *const expected[] = {"", "first", "a longer second line", "", "x"};
    static const char text[] = "\nfirst\na longer second line\n\nx";
    (void)state;
    int fd = file_of(text, sizeof text - 1);
    for (size_t size = 22; size < 64; size++) {
        uint8_t *buffer = malloc(size);
        struct dun_lines lines;
        dun_lines_open(&lines, fd, (struct dun_buffer){buffer, size});
        for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            const char *line = dun_lines_next(&lines);
            assert_non_null(line);
            assert_string_equal(line, expected[i]);
        }
        assert_null(dun_lines_next(&lines));
        assert_null(dun_lines_next(&lines));
        free(buffer);
    }
    close(fd);
}

static void test_a_line_too_long_is_cut_and_the_next_is_whole(void **state)
{
    char text[512];
    (void)state;
    for (size_t length = 30; length < 100; length++) {
        memset(text, 'a', length);
        strcpy(text + length, "\nnext\n");
        int fd = file_of(text, length + 6);
        uint8_t *buffer = malloc(16);
        struct dun_lines lines;
        dun_lines_open(&lines, fd, (struct dun_buffer){buffer, 16});
        assert_string_equal(dun_lines_next(&lines), "aaaaaaaaaaaaaaa");
        assert_string_equal(dun_lines_next(&lines), "next");
        assert_null(dun_lines_next(&lines));
        assert_int_equal(dun_lines_error(&lines), DUN_OK);
        free(buffer);
        close(fd);
    }
}

static void test_the_last_line_may_be_too_long_too(void **state)
{
    uint8_t buffer[8];
    struct dun_lines lines;
    (void)state;
    int fd = file_of("0123456789012345", 16);
    dun_lines_open(&lines, fd, (struct dun_buffer){buffer, sizeof buffer});
    assert_string_equal(dun_lines_next(&lines), "0123456");
    assert_null(dun_lines_next(&lines));
    close(fd);
}

static void test_a_file_that_cannot_be_read(void **state)
{
    uint8_t buffer[64];
    char text[16];
    struct dun_lines lines;
    int fd = -1;
    (void)state;
    assert_true(dun_open_once(&fd, "/", "tmp") >= 0); /* a folder opens but does not read */
    dun_lines_open(&lines, fd, (struct dun_buffer){buffer, sizeof buffer});
    assert_null(dun_lines_next(&lines));
    assert_int_equal(dun_lines_error(&lines), DUN_E_IO);
    assert_int_equal(dun_read_small(fd, text, sizeof text), DUN_E_IO);
    close(fd);
    fd = -1;
    assert_int_equal(dun_open_once(&fd, "/nonexistent", "stat"), -1);
}

static void test_numbers(void **state)
{
    char text[] = " 18446744073709551615 7x\t8";
    char too_large[] = "18446744073709551616";
    char none[] = " -1";
    char *at = text;
    uint64_t value = 0;
    (void)state;
    assert_true(dun_scan_u64(&at, &value));
    assert_true(value == UINT64_MAX);
    assert_true(dun_scan_u64(&at, &value));
    assert_int_equal(value, 7);
    assert_false(dun_scan_u64(&at, &value));
    at = too_large;
    assert_false(dun_scan_u64(&at, &value));
    at = none;
    assert_false(dun_scan_u64(&at, &value));
}

static void test_words(void **state)
{
    char text[] = "  one\ttwo ";
    char *at = text;
    (void)state;
    assert_string_equal(dun_scan_word(&at), "one");
    assert_string_equal(dun_scan_word(&at), "two");
    assert_null(dun_scan_word(&at));
    assert_null(dun_scan_word(&at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_the_same_in_every_buffer),
        cmocka_unit_test(test_a_line_too_long_is_cut_and_the_next_is_whole),
        cmocka_unit_test(test_the_last_line_may_be_too_long_too),
        cmocka_unit_test(test_a_file_that_cannot_be_read),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
