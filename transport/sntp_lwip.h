/*
 * sntp_lwip.h: asks a server for the time over lwIP's UDP: soon after the interface has an address,
 * then each hour; without an answer after 15 seconds, then at doubled intervals up to 16 minutes
 * (RFC 4330, section 10). An answer for which nobody waits is dropped.
 */
#ifndef DUN_SNTP_LWIP_H
#define DUN_SNTP_LWIP_H

#include <lwip/ip_addr.h>

#include "base.h"

struct udp_pcb;

struct dun_sntp_lwip {
    struct udp_pcb *pcb;
    const char *name;  /* borrowed; NULL: `server` was told by DHCP, if it was */
    ip_addr_t server;  /* any: not known yet */
    dun_ms next_ms;    /* when to ask, uptime */
    dun_ms asked_ms;   /* when the open question went out; DUN_MS_NEVER: there is none */
    dun_ms now_ms;     /* of the last tick */
    dun_ms unix_ms;    /* of the answer */
    uint32_t retry_ms; /* how long to wait for the next answer */
    uint64_t cookie;
    bool answered;
};

/* `server` is a name or an address, NULL for what dun_sntp_lwip_set_server will say. lwIP must be
 * initialised. */
void dun_sntp_lwip_init(struct dun_sntp_lwip *sntp, const char *server);

/* The server that DHCP named. It does not replace one that dun_sntp_lwip_init was given. */
void dun_sntp_lwip_set_server(struct dun_sntp_lwip *sntp, const ip_addr_t *server);

/* To be called before the frames of this moment are handed to lwIP. `random` is for the cookie. */
void dun_sntp_lwip_tick(struct dun_sntp_lwip *sntp, dun_ms now, uint64_t (*random)(void));

/* True, once, if an answer came since the last call: `*unix_ms` is the time at the last tick. */
bool dun_sntp_lwip_take(struct dun_sntp_lwip *sntp, dun_ms *unix_ms);

#endif
