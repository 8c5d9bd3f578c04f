/*
 * system_wasi.c: system.h where there are neither signals nor a service manager's socket.
 *
 * The runtime's monotonic clock begins anew with each start of the component, so each start is a
 * boot of its own, with a random id. The wish to end is a file named `stop` in the state folder:
 * whoever runs the component makes it, the agent takes it away and ends in order.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc/wasi.h"
#include "lines.h"
#include "system.h"
#include "system_wasi.h"
#include "wait.h"

#define LOOK_MS       500 /* how long a wish to end may wait */
#define PATH_SIZE_MAX 4096

static char stop_path[PATH_SIZE_MAX];
static dun_ms looked_ms;
static int ends;
static const struct dun_link_wasi *watched;

/// Clocks, entropy, names ///

dun_ms dun_system_uptime(void)
{
    return (dun_ms)(wasi_monotonic() / 1000000);
}

dun_ms dun_system_unix(void)
{
    struct wasi_date now;
    wasi_date(&now);
    return (dun_ms)now.seconds * 1000 + now.nanoseconds / 1000000;
}

int dun_system_entropy(uint8_t *out, size_t size)
{
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t bytes = wasi_random();
        size_t left = size - done;
        memcpy(out + done, &bytes, left < sizeof bytes ? left : sizeof bytes);
    }
    return DUN_OK;
}

uint64_t dun_system_random(void)
{
    uint64_t number = wasi_random();
    return number != 0 ? number : 1;
}

uint32_t dun_system_boot(const char *proc)
{
    (void)proc;
    uint32_t boot = (uint32_t)dun_system_random();
    return boot != 0 ? boot : 1;
}

/* WASI has no host name. A granted /proc has the kernel's. */
void dun_system_hostname(char *out, size_t size)
{
    int fd = -1;
    out[0] = '\0';
    if (dun_open_once(&fd, "/proc", "sys/kernel/hostname") >= 0) {
        if (dun_read_small(fd, out, size) != DUN_OK) {
            out[0] = '\0';
        }
        close(fd);
        out[strcspn(out, "\n")] = '\0';
    }
}

/// Wishes to end ///

void dun_system_catch_ends(void)
{
}

/* A file that was there before is a wish that another life did not see. */
void dun_system_watch_ends(const char *state)
{
    int size = snprintf(stop_path, sizeof stop_path, "%s/stop", state);
    if (size < 0 || (size_t)size >= sizeof stop_path) {
        stop_path[0] = '\0';
        return;
    }
    unlink(stop_path);
}

int dun_system_ends(void)
{
    dun_ms now = dun_system_uptime();
    if (stop_path[0] != '\0' && now - looked_ms >= LOOK_MS) {
        looked_ms = now;
        ends += unlink(stop_path) == 0 ? 1 : 0;
    }
    return ends;
}

void dun_system_end_once(void)
{
    ends = 1;
}

void dun_system_watch_link(const struct dun_link_wasi *link)
{
    watched = link;
}

/* Why it woke does not matter: the agent looks at everything. */
void dun_system_sleep(int fd, short events, dun_ms wait)
{
    wait = wait < LOOK_MS ? wait : LOOK_MS;
    if (fd >= 0 && watched != NULL) {
        dun_link_wasi_wait(watched, (events & POLLIN) != 0, (events & POLLOUT) != 0, wait);
    } else {
        dun_wait(NULL, 0, wait);
    }
}

/// Service manager: the host's business ///

void dun_notify_open(struct dun_notify *notify)
{
    *notify = (struct dun_notify){.fd = -1};
}

void dun_notify_send(const struct dun_notify *notify, const char *state)
{
    (void)notify;
    (void)state;
}

dun_ms dun_notify_watchdog(struct dun_notify *notify, dun_ms now)
{
    (void)notify;
    (void)now;
    return DUN_MS_NEVER;
}
