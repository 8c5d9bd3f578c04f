/*
 * test_shelf_file.c: the shelf of a host in a folder of its own: what was saved is found again,
 * what a cut left behind is not looked at, and a folder that takes nothing says so.
 */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shelf_file.h"

static char folder[64];
static struct dun_shelf shelf;

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/dunlin-shelf-XXXXXX");
    assert_non_null(mkdtemp(folder));
    dun_shelf_file_init(&shelf, folder);
    return 0;
}

static void path_of(char *path, size_t size, const char *name)
{
    assert_in_range(snprintf(path, size, "%s/%s", folder, name), 1, size - 1);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"config.new", "config.kept", "config.new.part",
                                        "config.kept.part"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        path_of(path, sizeof path, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static int save(int slot, const char *text)
{
    return shelf.save(shelf.context, slot, (struct dun_span){(const uint8_t *)text, strlen(text)});
}

static void assert_holds(int slot, const char *text)
{
    uint8_t record[32];
    int size = shelf.load(shelf.context, slot, (struct dun_buffer){record, sizeof record});
    assert_int_equal(size, strlen(text));
    assert_memory_equal(record, text, strlen(text));
}

static void test_both_slots_hold_what_was_saved_last(void **state)
{
    (void)state;
    assert_holds(0, "");
    assert_int_equal(save(0, "new one"), DUN_OK);
    assert_int_equal(save(1, "kept"), DUN_OK);
    assert_int_equal(save(0, "newer"), DUN_OK);
    assert_holds(0, "newer");
    assert_holds(1, "kept");
}

static void test_what_a_cut_left_is_not_looked_at(void **state)
{
    static const char text[] = "a record that is long enough";
    char path[128];
    (void)state;
    assert_int_equal(save(0, "old"), DUN_OK);
    path_of(path, sizeof path, "config.new.part");
    for (size_t size = 0; size < sizeof text; size++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, size), size);
        assert_int_equal(close(fd), 0);
        assert_holds(0, "old");
    }
    assert_int_equal(save(0, "short"), DUN_OK);
    assert_holds(0, "short");
}

static void test_what_cannot_be_read_or_written_is_an_error(void **state)
{
    uint8_t record[4];
    (void)state;
    assert_int_equal(save(0, "too long for it"), DUN_OK);
    assert_int_equal(shelf.load(shelf.context, 0, (struct dun_buffer){record, 4}), DUN_E_IO);
    struct dun_shelf nowhere;
    dun_shelf_file_init(&nowhere, "/nonexistent/folder");
    assert_int_equal(nowhere.save(nowhere.context, 0, (struct dun_span){record, 4}), DUN_E_IO);
    assert_int_equal(nowhere.load(nowhere.context, 0, (struct dun_buffer){record, 4}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_slots_hold_what_was_saved_last, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_cut_left_is_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_or_written_is_an_error, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
