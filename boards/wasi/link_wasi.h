/*
 * link_wasi.h: a struct dun_link over wasi:sockets: TCP by IPv4 and IPv6, and names with several
 * addresses, which are tried one after the other. A board waits by dun_link_wasi_wait.
 */
#ifndef DUN_WASI_LINK_H
#define DUN_WASI_LINK_H

#include "link.h"

#define DUN_LINK_WASI_ADDRESSES_MAX 8

enum dun_link_wasi_state {
    DUN_LINK_WASI_CLOSED = 0,
    DUN_LINK_WASI_RESOLVING,
    DUN_LINK_WASI_CONNECTING,
    DUN_LINK_WASI_OPEN,
};

/* In the order of a text: 4 bytes or 16. */
struct dun_link_wasi_address {
    uint8_t size;
    uint8_t bytes[16];
};

struct dun_link_wasi {
    struct dun_link_wasi_address addresses[DUN_LINK_WASI_ADDRESSES_MAX];
    dun_ms attempt_timeout_ms; /* for one address while others remain to be tried */
    dun_ms connect_timeout_ms; /* for all of it */
    dun_ms attempt_deadline, connect_deadline;
    int32_t names, socket, input, output; /* handles of the runtime, as far as `state` has them */
    uint16_t port;
    uint8_t count, next; /* addresses; the one to be tried next */
    uint8_t state;       /* enum dun_link_wasi_state */
    bool blocked;        /* the socket took less than it was given */
    bool drained;        /* the last read got all there was */
};

/* Fills `link`. Time-outs of 0: 5 s for an address, 60 s for all. */
void dun_link_wasi_init(struct dun_link_wasi *wasi, dun_ms attempt_timeout_ms,
                        dun_ms connect_timeout_ms, struct dun_link *link);

/* Waits, at most `ms`, until the link can go on: until there is something to read if `reads`, and
 * until it takes more if `writes` or it took less than it was given. */
void dun_link_wasi_wait(const struct dun_link_wasi *wasi, bool reads, bool writes, dun_ms ms);

/* Whether the runtime lets us connect, and look `host` up: 0, or DUN_E_REFUSED. */
DUN_MUST_USE int dun_link_wasi_may_connect(void);
DUN_MUST_USE int dun_link_wasi_may_resolve(const char *host);

#endif
