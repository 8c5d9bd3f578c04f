/*
 * route.h: where the next connection goes, and which MQTT it speaks there. The configured broker
 * and version 5, unless an answer said otherwise: a broker that is older gets 3.1.1, and one that
 * sends us on (Server Reference, MQTT 5.0 4.11) is obeyed within bounds. Decides only; it neither
 * connects nor waits.
 */
#ifndef DUN_ROUTE_H
#define DUN_ROUTE_H

#include "uplink.h"

#define DUN_ROUTE_HOPS_MAX 4 /* redirects in a row, without a connection that proved stable */

/* What the beginning or the end of a connection taught. */
enum dun_route_change {
    DUN_ROUTE_SAME = 0,
    DUN_ROUTE_OLDER,     /* this broker gets 3.1.1 from now on */
    DUN_ROUTE_NEWER,     /* it speaks version 5 after all */
    DUN_ROUTE_ELSEWHERE, /* the next connection goes to another broker, as we were told */
    DUN_ROUTE_HOME,      /* it goes back to the configured one, since the other one failed */
    DUN_ROUTE_AGAIN,     /* it goes to the same one, and asks for something else: nothing to tell */
};

/* A broker that hangs up on version 5 without a word may be too old to have any, or just be ill. */
enum dun_route_doubt {
    DUN_ROUTE_SURE = 0,
    DUN_ROUTE_TRIES_OLD, /* the next connection is one of 3.1.1 */
    DUN_ROUTE_OLD_WORKS, /* it came up; version 5 is asked once more, and then we know */
};

struct dun_route {
    /* Set by the caller before dun_route_start; borrowed. */
    const char *host;
    uint16_t port;
    uint8_t version;   /* 4 or 5: this one and no other; 0: 5, falling back to 4 */
    bool stay;         /* do not follow redirects */
    uint32_t retry_ms; /* version 5 is tried again, by a connection that is due anyway, after */
    char *
        other_host; /* where a redirect leads: caller-owned room for so many bytes, with the NUL; */
    uint16_t other_size; /* what does not fit is not followed */

    /* Its own. */
    uint16_t other_port;
    dun_ms newer_ms; /* when version 5 may be tried again */
    dun_ms hops_ms;  /* when the first of `hops` was made */
    uint8_t hops;
    uint8_t silent;  /* connections that ended just after CONNECT of version 5, in a row */
    uint8_t doubt;   /* enum dun_route_doubt */
    uint8_t speaks;  /* the version of the next connection */
    bool older_told; /* that this broker is old */
    bool away;       /* at other_host */
    bool moved;      /* for good, as it said */
    bool will_qos_0, will_not_retained; /* this broker wants it so */
};

void dun_route_start(struct dun_route *route);

/* Fills host, port, version and the kind of will of the connection that begins now. */
void dun_route_take(struct dun_route *route, struct dun_uplink_config *config, dun_ms now);

/* It came up: SAME, NEWER, or AGAIN: then the caller ends it. */
enum dun_route_change dun_route_up(struct dun_route *route);

/* It ended, or never came up. `was_up` and `stable` tell how far it got. After anything but SAME
 * and HOME the next try may come soon: the answer was that of a broker that works. */
enum dun_route_change dun_route_down(struct dun_route *route, const struct dun_uplink_event *event,
                                     bool was_up, bool stable, dun_ms now);

/* Takes the first "HOST[:PORT]" of a Server Reference; `host` lies in `text`. False if it is none:
 * an empty host, bytes that no host name has, a port that is none. */
bool dun_route_parse(struct dun_span text, struct dun_span *host, uint16_t *port);

#endif
