/*
 * system.h: what the core must not know of and a host has: clocks, entropy, the boot's identity,
 * the supervisor. None of it takes memory from the heap after the start.
 */
#ifndef DUN_HOSTED_SYSTEM_H
#define DUN_HOSTED_SYSTEM_H

#include "base.h"

/* Milliseconds since boot, counting suspend; and since 1970. */
dun_ms dun_system_uptime(void);
dun_ms dun_system_unix(void);

/* Random, never 0. Falls back to clocks and process id if the kernel gives no entropy. */
uint64_t dun_system_random(void);

/*
 * Names this boot: a hash of PROC/sys/kernel/random/boot_id, the same for every start in this boot
 * and never 0; random where the kernel has none.
 */
uint32_t dun_system_boot(const char *proc);

/*
 * Reads a secret from a file: its content without the final newline, at most `size` bytes. Returns
 * its length, DUN_E_NOT_FOUND, DUN_E_IO, DUN_E_TOO_LARGE. `*exposed`: group or others may read it.
 */
DUN_MUST_USE int dun_system_secret(const char *path, uint8_t *out, size_t size, bool *exposed);

/// The service manager, told by datagrams to $NOTIFY_SOCKET (sd_notify(3)) ///

struct dun_notify {
    int fd;             /* -1: nobody listens */
    dun_ms watchdog_ms; /* how often it wants to hear from us; 0: never */
    dun_ms watchdog_due_ms;
};

/* Reads $NOTIFY_SOCKET and $WATCHDOG_USEC, and takes them out of the environment of children. */
void dun_notify_open(struct dun_notify *notify);

/* Sends `state`, such as "READY=1". */
void dun_notify_send(const struct dun_notify *notify, const char *state);

/* Sends WATCHDOG=1 when it is due; returns when it is due next, DUN_MS_NEVER if never. */
dun_ms dun_notify_watchdog(struct dun_notify *notify, dun_ms now);

#endif
