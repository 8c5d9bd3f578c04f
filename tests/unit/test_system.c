/* test_system.c: secrets, identity of the boot, and what the service manager hears. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "system.h"

static char folder[32];
static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/dunlin-system-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_secret(const char *text, mode_t mode)
{
    snprintf(path, sizeof path, "%s/secret", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_secret(void **state)
{
    uint8_t secret[8];
    bool exposed = true;
    (void)state;
    write_secret("sesame\r\n", 0600);
    assert_int_equal(dun_system_secret(path, secret, sizeof secret, &exposed), 6);
    assert_memory_equal(secret, "sesame", 6);
    assert_false(exposed);
    write_secret("12345678\n", 0640);
    assert_int_equal(dun_system_secret(path, secret, sizeof secret, &exposed), 8);
    assert_true(exposed);
    write_secret("123456789", 0600);
    assert_int_equal(dun_system_secret(path, secret, sizeof secret, &exposed), DUN_E_TOO_LARGE);
    write_secret("", 0600);
    assert_int_equal(dun_system_secret(path, secret, sizeof secret, &exposed), 0);
    unlink(path);
    assert_int_equal(dun_system_secret(path, secret, sizeof secret, &exposed), DUN_E_NOT_FOUND);
    assert_int_equal(dun_system_secret(folder, secret, sizeof secret, &exposed), DUN_E_IO);
}

static void test_boot(void **state)
{
    (void)state;
    assert_int_not_equal(dun_system_boot("/proc"), 0);
    assert_int_equal(dun_system_boot("/proc"), dun_system_boot("/proc"));
    assert_int_not_equal(dun_system_boot("/nonexistent"), 0);
    assert_true(dun_system_random() != dun_system_random());
}

static void test_clocks(void **state)
{
    (void)state;
    dun_ms before = dun_system_uptime();
    assert_true(before > 0);
    assert_true(dun_system_uptime() >= before);
    assert_true(dun_system_unix() > INT64_C(1600000000000));
}

/* A service manager that listens at `name` ('@' stands for the abstract namespace). */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, name, size);
    address.sun_path[0] = (char)(name[0] == '@' ? '\0' : name[0]);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    return fd;
}

static void assert_heard(int fd, const char *expected)
{
    char heard[64] = "";
    ssize_t size = recv(fd, heard, sizeof heard - 1, 0);
    assert_int_equal(size, (ssize_t)strlen(expected));
    assert_string_equal(heard, expected);
}

static void assert_silence(int fd)
{
    char heard[64];
    assert_int_equal(recv(fd, heard, sizeof heard, 0), -1);
}

static void talk(const char *name)
{
    struct dun_notify notify;
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    dun_notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    dun_notify_send(&notify, "READY=1");
    assert_heard(fd, "READY=1");
    assert_int_equal(dun_notify_watchdog(&notify, 10000), 12000);
    assert_heard(fd, "WATCHDOG=1");
    assert_int_equal(dun_notify_watchdog(&notify, 11999), 12000);
    assert_silence(fd);
    assert_int_equal(dun_notify_watchdog(&notify, 12000), 14000);
    assert_heard(fd, "WATCHDOG=1");
    close(notify.fd);
    close(fd);
}

static void test_notify(void **state)
{
    char name[64];
    (void)state;
    snprintf(path, sizeof path, "%s/notify", folder);
    talk(path);
    snprintf(name, sizeof name, "@%s", folder);
    talk(name);
}

static void test_nobody_to_notify(void **state)
{
    static const char *const names[] = {"", "relative", "/nonexistent/notify", "@"};
    struct dun_notify notify;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        setenv("WATCHDOG_USEC", "4000000", 1);
        dun_notify_open(&notify);
        assert_int_equal(notify.fd, -1);
        dun_notify_send(&notify, "READY=1");
        assert_true(dun_notify_watchdog(&notify, 1) == DUN_MS_NEVER);
    }
}

static void test_a_watchdog_of_another_process(void **state)
{
    struct dun_notify notify;
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "@%s", folder);
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    dun_notify_open(&notify);
    assert_true(dun_notify_watchdog(&notify, 1) == DUN_MS_NEVER);
    close(notify.fd);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_secret),           TEST(test_boot),
        TEST(test_clocks),           TEST(test_notify),
        TEST(test_nobody_to_notify), TEST(test_a_watchdog_of_another_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
