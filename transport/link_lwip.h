/*
 * link_lwip.h: a struct dun_link over lwIP's raw API, for boards without an operating system.
 * lwIP's callbacks only note what happened; the uplink asks. Received bytes stay in lwIP's buffers
 * until they are read, and only then is the window opened again.
 */
#ifndef DUN_LINK_LWIP_H
#define DUN_LINK_LWIP_H

#include "link.h"

struct tcp_pcb;
struct pbuf;

enum dun_link_lwip_state {
    DUN_LINK_LWIP_CLOSED = 0,
    DUN_LINK_LWIP_WAITING, /* for the interface to have an address */
    DUN_LINK_LWIP_RESOLVING,
    DUN_LINK_LWIP_CONNECTING,
    DUN_LINK_LWIP_OPEN,
};

struct dun_link_lwip {
    struct tcp_pcb *pcb;
    struct pbuf *input; /* received and not read yet */
    const char *host;   /* borrowed while it connects */
    uint16_t port;
    uint16_t attempt; /* tells an answer for this connection from a late one */
    int error;        /* why it is dead, or 0 */
    uint8_t state;    /* enum dun_link_lwip_state */
    bool ended;       /* the peer sends no more */
};

/* Fills `link`. lwIP must be initialised; one link at a time may resolve a name. */
void dun_link_lwip_init(struct dun_link_lwip *lwip, struct dun_link *link);

/* True if the connection is over: a timer of lwIP may find that while no frame comes. */
bool dun_link_lwip_is_dead(const struct dun_link_lwip *lwip);

#endif
