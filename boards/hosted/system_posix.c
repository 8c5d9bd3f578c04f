/*
 * system_posix.c: the half of system.h that a POSIX host with Linux's clocks has: clocks, entropy,
 * the boot's identity, and signals, which are the wishes to end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"
#include "system.h"

/// Clocks, entropy, names ///

static dun_ms read_clock(clockid_t clock)
{
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (dun_ms)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

dun_ms dun_system_uptime(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

dun_ms dun_system_unix(void)
{
    return read_clock(CLOCK_REALTIME);
}

int dun_system_entropy(uint8_t *out, size_t size)
{
    return getrandom(out, size, GRND_NONBLOCK) == (ssize_t)size ? DUN_OK : DUN_E_IO;
}

uint64_t dun_system_random(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) {
        /* Early in the boot of a small device: unlikely to repeat is what is left. */
        struct timespec time = {0};
        clock_gettime(CLOCK_MONOTONIC, &time);
        number = (uint64_t)time.tv_nsec << 32 ^ (uint64_t)read_clock(CLOCK_REALTIME) ^
                 (uint64_t)getpid() << 20;
    }
    return number != 0 ? number : 1;
}

uint32_t dun_system_boot(const char *proc)
{
    char path[512];
    char text[64];
    snprintf(path, sizeof path, "%s/sys/kernel/random/boot_id", proc);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0) {
        close(fd);
    }
    uint32_t boot = size > 0 ? dun_crc32c(0, text, (size_t)size) : (uint32_t)dun_system_random();
    return boot != 0 ? boot : 1;
}

void dun_system_hostname(char *out, size_t size)
{
    out[size - 1] = '\0';
    if (gethostname(out, size - 1) != 0) {
        out[0] = '\0';
    }
}

/// Wishes to end ///

static volatile sig_atomic_t signals_seen;
static sigset_t asleep; /* what is blocked while sleeping */

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(int signal)
{
    (void)signal;
    signals_seen++;
}

void dun_system_catch_ends(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        sigaction(ending_signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* The signals stay blocked except while sleeping, so none is missed between a look and a sleep. */
void dun_system_watch_ends(const char *state)
{
    (void)state;
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        sigaddset(&blocked, ending_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &asleep);
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        sigdelset(&asleep, ending_signals[i]);
    }
}

int dun_system_ends(void)
{
    return signals_seen;
}

void dun_system_end_once(void)
{
    signals_seen = 1;
}

void dun_system_sleep(int fd, short events, dun_ms wait)
{
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000),
                               .tv_nsec = (long)(wait % 1000) * 1000000};
    struct pollfd link = {.fd = fd, .events = events};
    /* Why it woke does not matter: the agent looks at everything. */
    int ignored = ppoll(&link, 1, &timeout, &asleep);
    (void)ignored;
}
