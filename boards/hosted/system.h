/*
 * system.h: what the core must not know of and a host has: clocks, entropy, the boot's identity,
 * wishes to end, the supervisor. None of it takes memory from the heap after the start.
 */
#ifndef DUN_HOSTED_SYSTEM_H
#define DUN_HOSTED_SYSTEM_H

#include "base.h"

/* Milliseconds since boot, counting suspend; and since 1970. */
dun_ms dun_system_uptime(void);
dun_ms dun_system_unix(void);

/* Random, never 0. Falls back to clocks and process id if the kernel gives no entropy. */
uint64_t dun_system_random(void);

/* Entropy for keys. DUN_E_IO: early in the boot of a small device there may be none yet. */
DUN_MUST_USE int dun_system_entropy(uint8_t *out, size_t size);

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

/* The host's name, empty if it has none; `size` bytes of room. */
void dun_system_hostname(char *out, size_t size);

/// Wishes to end ///

/*
 * From here on a signal is a wish and kills nothing. It interrupts a read that blocks, so that a
 * configuration that comes through a pipe cannot hold the end up.
 */
void dun_system_catch_ends(void);

/* Before the loop: none is missed from here on. `state` is the state folder, which outlives this.
 */
void dun_system_watch_ends(const char *state);

/* How often the process was told to end. */
int dun_system_ends(void);

/* What came more than once was one wish. */
void dun_system_end_once(void);

/* Until `fd` (-1: none) has one of poll(2)'s `events`, a wish comes, or `wait` has passed. */
void dun_system_sleep(int fd, short events, dun_ms wait);

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
