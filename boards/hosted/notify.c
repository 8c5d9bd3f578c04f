/* notify.c: the service manager's socket, see system.h. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system.h"

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
