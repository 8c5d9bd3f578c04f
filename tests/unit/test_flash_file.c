/*
 * test_flash_file.c: the file-backed flash on a real folder. The system calls that write are
 * wrapped (see unit.cmake), so that each can be made to stop short, be interrupted or fail.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "flash_file.h"
#include "log.h"

static const struct dun_flash_geometry geometry = {4096, 8, 8};

/// Faults ///

static struct {
    bool stutter;        /* every other call is interrupted, the rest move at most 7 bytes */
    unsigned calls;      /* since stutter was set */
    int write_error;     /* errno of each write, 0: none */
    int write_countdown; /* writes that still succeed */
    unsigned writes;
    int sync_error;
    int sync_folder_error;
} fault;

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static bool interrupted(size_t *size)
{
    if (!fault.stutter)
        return false;
    if (*size > 7)
        *size = 7;
    errno = EINTR;
    return fault.calls++ % 2 == 0;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    fault.writes++;
    if (fault.write_error != 0 && fault.write_countdown-- <= 0) {
        errno = fault.write_error;
        return -1;
    }
    return interrupted(&size) ? -1 : __real_pwrite(fd, data, size, offset);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
    return interrupted(&size) ? -1 : __real_pread(fd, data, size, offset);
}

int __wrap_fdatasync(int fd)
{
    size_t size = 0;

    if (fault.sync_error != 0) {
        errno = fault.sync_error;
        return -1;
    }
    return interrupted(&size) ? -1 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    if (fault.sync_folder_error != 0) {
        errno = fault.sync_folder_error;
        return -1;
    }
    return __real_fsync(fd);
}

/// Bench ///

struct bench {
    char parent[64];
    char folder[80];
    struct dun_flash_file file;
};

static void path_of(const struct bench *bench, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", bench->folder, name);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    memset(&fault, 0, sizeof fault);
    strcpy(bench->parent, "/tmp/dunlin-flash-XXXXXX");
    assert_non_null(mkdtemp(bench->parent));
    snprintf(bench->folder, sizeof bench->folder, "%s/state", bench->parent);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char path[128];

    dun_flash_file_close(&bench->file);
    path_of(bench, "log", path);
    unlink(path);
    path_of(bench, "lock", path);
    unlink(path);
    assert_int_equal(rmdir(bench->folder) == 0 || errno == ENOENT, 1); /* nothing else was left */
    assert_int_equal(rmdir(bench->parent), 0);
    free(bench);
    return 0;
}

static void open_ok(struct bench *bench)
{
    assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, geometry), 0);
}

static int prog(struct bench *bench, uint32_t block, uint32_t offset, const char *text)
{
    return bench->file.flash.prog(&bench->file, block, offset, text, (uint32_t)strlen(text));
}

static void check_bytes(struct bench *bench, uint32_t block, uint32_t offset, const char *text)
{
    char bytes[64];

    assert_int_equal(
        bench->file.flash.read(&bench->file, block, offset, bytes, (uint32_t)strlen(text)), 0);
    assert_memory_equal(bytes, text, strlen(text));
}

/// Tests ///

static void a_new_image_is_blank_and_private(void **state)
{
    struct bench *bench = *state;
    struct stat info;
    uint8_t block[4096];
    char path[128];

    open_ok(bench);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(bench->file.flash.read(&bench->file, i, 0, block, 4096), 0);
        for (size_t n = 0; n < sizeof block; n++)
            assert_int_equal(block[n], 0xFF);
    }
    path_of(bench, "log", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 8 * 4096);
    assert_int_equal(info.st_mode & 0777, 0600);
    path_of(bench, "log.new", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void what_was_programmed_is_there_after_reopening(void **state)
{
    struct bench *bench = *state;

    open_ok(bench);
    assert_int_equal(prog(bench, 3, 16, "eight by"), 0);
    assert_int_equal(prog(bench, 7, 4088, "last one"), 0);
    assert_int_equal(bench->file.flash.sync(&bench->file), 0);
    dun_flash_file_close(&bench->file);
    open_ok(bench);
    check_bytes(bench, 3, 16, "eight by");
    check_bytes(bench, 7, 4088, "last one");
    assert_int_equal(bench->file.flash.erase(&bench->file, 3), 0);
    check_bytes(bench, 3, 16, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    check_bytes(bench, 7, 4088, "last one");
}

static void what_lies_outside_is_refused(void **state)
{
    struct bench *bench = *state;
    struct dun_flash *flash = &bench->file.flash;
    uint8_t byte = 0;

    open_ok(bench);
    assert_int_equal(flash->read(&bench->file, 8, 0, &byte, 1), DUN_E_INVALID);
    assert_int_equal(flash->read(&bench->file, 0, 4096, &byte, 1), DUN_E_INVALID);
    assert_int_equal(flash->prog(&bench->file, 0, UINT32_MAX, &byte, 1), DUN_E_INVALID);
    assert_int_equal(flash->prog(&bench->file, 0, 4090, &byte, 8), DUN_E_INVALID);
    assert_int_equal(flash->erase(&bench->file, 8), DUN_E_INVALID);
}

static void interrupted_and_short_transfers_are_carried_through(void **state)
{
    struct bench *bench = *state;

    fault.stutter = true;
    open_ok(bench);
    assert_int_equal(prog(bench, 1, 0, "a text of some forty bytes, say, or more"), 0);
    assert_int_equal(bench->file.flash.sync(&bench->file), 0);
    check_bytes(bench, 1, 0, "a text of some forty bytes, say, or more");
    assert_int_equal(bench->file.flash.erase(&bench->file, 1), 0);
    check_bytes(bench, 1, 32, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
}

static void a_full_disk_passes(void **state)
{
    struct bench *bench = *state;
    char path[128];

    for (int n = 0; n < 9; n++) { /* at each of the writes that make the image */
        fault.write_error = ENOSPC;
        fault.write_countdown = n;
        assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, geometry),
                         DUN_E_NO_SPACE);
        assert_int_equal(bench->file.system_error, ENOSPC);
        fault.write_countdown = 0;
        assert_int_equal(bench->file.flash.erase(&bench->file, 0), DUN_E_NO_SPACE);
        path_of(bench, "log.new", path);
        assert_int_equal(access(path, F_OK), -1);
        fault.write_error = 0;
        assert_int_equal(prog(bench, 0, 0, "now well"), 0);
        check_bytes(bench, 0, 0, "now well");
        dun_flash_file_close(&bench->file);
        path_of(bench, "log", path);
        assert_int_equal(unlink(path), 0);
        path_of(bench, "lock", path);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_disk_that_is_too_small_is_not_written_to(void **state)
{
    struct bench *bench = *state;
    const struct dun_flash_geometry huge = {1u << 20, 1u << 30, 8};
    char path[128];
    uint8_t byte;

    assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, huge), DUN_E_NO_SPACE);
    assert_int_equal(bench->file.flash.read(&bench->file, 0, 0, &byte, 1), DUN_E_NO_SPACE);
    assert_int_equal(bench->file.system_error, ENOSPC);
    assert_int_equal(fault.writes, 0);
    path_of(bench, "log.new", path);
    assert_int_equal(access(path, F_OK), -1);
    dun_flash_file_close(&bench->file);
}

static void errors_of_the_device_are_told(void **state)
{
    struct bench *bench = *state;

    fault.sync_folder_error = EIO;
    assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, geometry), DUN_E_INVALID);
    fault.sync_folder_error = 0;
    open_ok(bench);
    fault.sync_error = EIO;
    assert_int_equal(bench->file.flash.sync(&bench->file), DUN_E_IO);
    assert_int_equal(bench->file.system_error, EIO);
    fault.sync_error = 0;
    assert_int_equal(bench->file.flash.sync(&bench->file), 0);
    fault.write_error = EIO;
    assert_int_equal(prog(bench, 0, 0, "12345678"), DUN_E_IO);
    assert_int_equal(bench->file.flash.erase(&bench->file, 0), DUN_E_IO);
    fault.write_error = EDQUOT;
    assert_int_equal(prog(bench, 0, 0, "12345678"), DUN_E_NO_SPACE);
}

static void a_folder_that_cannot_be_is_refused(void **state)
{
    struct bench *bench = *state;
    char longer[DUN_FLASH_FILE_PATH_MAX + 1];

    snprintf(longer, sizeof longer, "%s/a/b", bench->parent);
    assert_int_equal(dun_flash_file_open(&bench->file, longer, geometry), DUN_E_INVALID);
    assert_int_equal(bench->file.system_error, ENOENT);
    assert_int_equal(dun_flash_file_open(&bench->file, "", geometry), DUN_E_INVALID);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(dun_flash_file_open(&bench->file, longer, geometry), DUN_E_INVALID);
    assert_int_equal(bench->file.system_error, ENAMETOOLONG);
    assert_int_equal(dun_flash_file_open(&bench->file, "/dev/null", geometry), DUN_E_INVALID);
    assert_int_equal(bench->file.system_error, ENOTDIR);
}

/* What another process sees: the exit code is 0 if opening gave `expected` and, if it is busy,
 * named `holder` and the lock's path. */
static void check_from_outside(struct bench *bench, int expected, pid_t holder)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct dun_flash_file file;
        char path[128];
        bool ok = dun_flash_file_open(&file, bench->folder, geometry) == expected;

        path_of(bench, "lock", path);
        if (expected == DUN_E_BUSY)
            ok = ok && file.holder == holder && strcmp(file.path, path) == 0;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_second_process_is_refused_and_told_the_first(void **state)
{
    struct bench *bench = *state;
    int pipe_ends[2];
    pid_t child;

    open_ok(bench);
    check_from_outside(bench, DUN_E_BUSY, getpid());
    assert_int_equal(pipe(pipe_ends), 0);
    child = fork(); /* a child that outlives the lock, as a resolver may */
    assert_true(child >= 0);
    if (child == 0) {
        char byte;

        close(pipe_ends[1]);
        _exit(read(pipe_ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(pipe_ends[0]);
    dun_flash_file_close(&bench->file);
    check_from_outside(bench, DUN_OK, 0);
    close(pipe_ends[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void the_ring_grows_and_never_shrinks(void **state)
{
    struct bench *bench = *state;
    struct dun_flash_geometry larger = {4096, 12, 8};

    open_ok(bench);
    assert_int_equal(prog(bench, 7, 0, "a record"), 0);
    dun_flash_file_close(&bench->file);
    assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, larger), 0);
    assert_int_equal(bench->file.flash.geometry.block_count, 12);
    check_bytes(bench, 7, 0, "a record");
    check_bytes(bench, 8, 0, "\xFF\xFF\xFF\xFF");
    check_bytes(bench, 11, 4088, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    dun_flash_file_close(&bench->file);
    open_ok(bench);
    assert_int_equal(bench->file.flash.geometry.block_count, 12);
}

static void blocks_that_were_cut_off_are_marked(void **state)
{
    struct bench *bench = *state;
    char path[128];

    open_ok(bench);
    assert_int_equal(prog(bench, 4, 0, "whole..."), 0);
    assert_int_equal(prog(bench, 5, 0, "halved.."), 0);
    dun_flash_file_close(&bench->file);
    path_of(bench, "log", path);
    assert_int_equal(truncate(path, 5 * 4096 + 100), 0);
    fault.write_error = ENOSPC; /* and then the disk is full before all are marked */
    fault.write_countdown = 3;
    assert_int_equal(dun_flash_file_open(&bench->file, bench->folder, geometry), DUN_E_NO_SPACE);
    fault.write_error = 0;
    check_bytes(bench, 4, 0, "whole...");
    for (uint32_t block = 5; block < 8; block++) {
        check_bytes(bench, block, 0, "LOST\xFF\xFF\xFF\xFF");
        check_bytes(bench, block, 4088, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    }
}

static void a_log_lives_on_it(void **state)
{
    struct bench *bench = *state;
    struct dun_loss losses[4];
    struct dun_ledger ledger;
    uint8_t unit[512];
    struct dun_log log;
    struct dun_log_report report;
    struct dun_log_cursor cursor;
    struct dun_log_config config = {
        .flash = &bench->file.flash, .ledger = &ledger, .unit = {unit, 512}, .new_stream = 5};

    for (uint64_t boot = 0; boot < 3; boot++) {
        open_ok(bench);
        dun_ledger_init(&ledger, losses, 4);
        assert_int_equal(dun_log_mount(&log, &config, &report), 0);
        assert_int_equal(dun_log_next_sequence(&log), boot * 5 + 1);
        for (uint8_t i = 0; i < 5; i++)
            assert_int_equal(dun_log_append(&log, (struct dun_span){&i, 1}), 0);
        assert_int_equal(dun_log_sync(&log), 0);
        assert_int_equal(dun_log_first(&log, &cursor), 1);
        assert_int_equal(cursor.sequence, 1);
        dun_flash_file_close(&bench->file);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_image_is_blank_and_private),
        TEST(what_was_programmed_is_there_after_reopening),
        TEST(what_lies_outside_is_refused),
        TEST(interrupted_and_short_transfers_are_carried_through),
        TEST(a_full_disk_passes),
        TEST(a_disk_that_is_too_small_is_not_written_to),
        TEST(errors_of_the_device_are_told),
        TEST(a_folder_that_cannot_be_is_refused),
        TEST(a_second_process_is_refused_and_told_the_first),
        TEST(the_ring_grows_and_never_shrinks),
        TEST(blocks_that_were_cut_off_are_marked),
        TEST(a_log_lives_on_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
