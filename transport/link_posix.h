/*
 * link_posix.h: a struct dun_link over a non-blocking TCP socket: IPv4, IPv6, and names with
 * several addresses, which are tried one after the other.
 *
 * A board waits in poll(2) on dun_link_posix_fd for dun_link_posix_events, and at most until the
 * uplink's deadline. The descriptor changes while a connection is made: ask before each wait.
 */
#ifndef DUN_LINK_POSIX_H
#define DUN_LINK_POSIX_H

#include "link.h"
#include "resolve_posix.h"

enum dun_link_posix_state {
    DUN_LINK_POSIX_CLOSED = 0,
    DUN_LINK_POSIX_RESOLVING,
    DUN_LINK_POSIX_CONNECTING,
    DUN_LINK_POSIX_OPEN,
};

struct dun_link_posix {
    struct dun_resolve resolve;
    dun_ms attempt_timeout_ms; /* for one address while others remain to be tried */
    dun_ms connect_timeout_ms; /* for all of it */
    dun_ms attempt_deadline, connect_deadline;
    int fd; /* the socket, -1: none */
    uint16_t port;
    uint8_t next;  /* address to be tried next */
    uint8_t state; /* enum dun_link_posix_state */
    bool blocked;  /* the socket took less than it was given */
    bool drained;  /* the last read got all there was */
};

/* Fills `link`. Time-outs of 0: 5 s for an address, 60 s for all. */
void dun_link_posix_init(struct dun_link_posix *posix, dun_ms attempt_timeout_ms,
                         dun_ms connect_timeout_ms, struct dun_link *link);

/* What to wait for; -1: nothing, only for the deadline. */
int dun_link_posix_fd(const struct dun_link_posix *posix);

/* Events for poll(2): POLLIN, POLLOUT. Add POLLOUT when the uplink's wants_write says so, and take
 * POLLIN away when its wants_read does not. */
short dun_link_posix_events(const struct dun_link_posix *posix);

#endif
