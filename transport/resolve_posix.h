/*
 * resolve_posix.h: names to addresses without blocking: getaddrinfo runs in a short-lived child
 * process, which honours nsswitch and mDNS; the parent needs no thread and no heap. Numeric
 * addresses never fork. A WASI component has its runtime look names up (resolve_wasi.c).
 */
#ifndef DUN_RESOLVE_POSIX_H
#define DUN_RESOLVE_POSIX_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base.h"

#define DUN_RESOLVE_ADDRESSES_MAX 8
#define DUN_RESOLVE_SECONDS_MAX   30 /* the child gives up by itself */

struct dun_address {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
    uint32_t scope; /* of a link-local IPv6 address */
};

struct dun_resolve {
    pid_t child; /* 0: none; without processes: what takes its place */
    int fd;      /* readable when the answer is there; -1: none, ask again soon */
    uint8_t count;
    struct dun_address addresses[DUN_RESOLVE_ADDRESSES_MAX];
};

/* Starts. 1: done at once (numeric), 0: wait for `fd`, or DUN_E_IO, DUN_E_INVALID; DUN_E_REFUSED:
 * a sandbox forbids it. */
DUN_MUST_USE int dun_resolve_start(struct dun_resolve *resolve, const char *host);

/* 1: `addresses` are filled, 0: not yet; DUN_E_NOT_FOUND, or DUN_E_UNREACHABLE if no resolver
 * answered. After anything but 0 the child is gone. */
DUN_MUST_USE int dun_resolve_poll(struct dun_resolve *resolve);

/* Ends the child, if there is one, and reaps it. */
void dun_resolve_stop(struct dun_resolve *resolve);

#endif
