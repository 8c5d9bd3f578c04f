/* system.c: see system.h. */
#define _GNU_SOURCE
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"

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

int dun_system_secret(const char *path, uint8_t *out, size_t size, bool *exposed)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? DUN_E_NOT_FOUND : DUN_E_IO;
    }
    struct stat status;
    *exposed = fstat(fd, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    size_t used = 0;
    ssize_t count = 1;
    uint8_t more;
    while (used < size && count > 0) {
        count = read(fd, out + used, size - used);
        used += count > 0 ? (size_t)count : 0;
    }
    bool too_large = used == size && read(fd, &more, 1) > 0 && more != '\n';
    close(fd);
    if (count < 0) {
        return DUN_E_IO;
    }
    while (used > 0 && (out[used - 1] == '\n' || out[used - 1] == '\r')) {
        used--;
    }
    return too_large ? DUN_E_TOO_LARGE : (int)used;
}

/// Service manager ///

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof address.sun_path) {
        return -1;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract namespace */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, length) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void dun_notify_open(struct dun_notify *notify)
{
    const char *path = getenv("NOTIFY_SOCKET");
    const char *period = getenv("WATCHDOG_USEC");
    const char *whom = getenv("WATCHDOG_PID");
    *notify = (struct dun_notify){.fd = path != NULL ? connect_to(path) : -1};
    bool ours = whom == NULL || strtoll(whom, NULL, 10) == (long long)getpid();
    if (notify->fd >= 0 && period != NULL && ours) {
        long long microseconds = strtoll(period, NULL, 10);
        /* Twice as often as it asks for, as sd_watchdog_enabled(3) advises. */
        notify->watchdog_ms = microseconds > 2000 ? microseconds / 2000 : 0;
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void dun_notify_send(const struct dun_notify *notify, const char *state)
{
    if (notify->fd >= 0) {
        ssize_t ignored = send(notify->fd, state, strlen(state), MSG_NOSIGNAL);
        (void)ignored;
    }
}

dun_ms dun_notify_watchdog(struct dun_notify *notify, dun_ms now)
{
    if (notify->watchdog_ms == 0) {
        return DUN_MS_NEVER;
    }
    if (now >= notify->watchdog_due_ms) {
        dun_notify_send(notify, "WATCHDOG=1");
        notify->watchdog_due_ms = now + notify->watchdog_ms;
    }
    return notify->watchdog_due_ms;
}
