/*
 * route.c: see route.h. What a broker said is believed for as long as it works: a place we were
 * sent to that fails, and a version that nobody asked for, are given up again.
 */
#include "route.h"

#include <string.h>

#define V3_1_1 4
#define V5     5

#define REASON_WILL_NOT_RETAINED 0x9A
#define REASON_WILL_QOS          0x9B
#define REASON_USE_ANOTHER       0x9C
#define REASON_MOVED             0x9D

#define SILENT_MAX                                                                                 \
    2 /* connections closed without a word, until it is asked if the version is why */

static uint8_t first_choice(const struct dun_route *route)
{
    return route->version == V3_1_1 ? V3_1_1 : V5;
}

/* Another broker: nothing is known of it. */
static void forget_broker(struct dun_route *route)
{
    route->speaks = first_choice(route);
    route->older_told = false;
    route->silent = 0;
    route->doubt = DUN_ROUTE_SURE;
    route->will_qos_0 = false;
    route->will_not_retained = false;
}

void dun_route_start(struct dun_route *route)
{
    route->away = false;
    route->hops = 0;
    if (dun_has_routes())
        forget_broker(route);
}

void dun_route_take(struct dun_route *route, struct dun_uplink_config *config, dun_ms now)
{
    config->host = route->host;
    config->port = route->port;
    config->mqtt_version = route->version;
    config->will_qos = 1;
    config->will_retain = true;
    if (!dun_has_routes())
        return;
    if (route->older_told && route->speaks == V3_1_1 && now >= route->newer_ms) {
        route->speaks = V5; /* it may have been updated meanwhile */
        route->newer_ms = now + (dun_ms)route->retry_ms;
    }
    if (route->away) {
        config->host = route->other_host;
        config->port = route->other_port;
    }
    config->mqtt_version = route->speaks;
    config->will_qos = !route->will_qos_0;
    config->will_retain = !route->will_not_retained;
}

enum dun_route_change dun_route_up(struct dun_route *route)
{
    if (!dun_has_routes())
        return DUN_ROUTE_SAME;
    bool newer = route->speaks == V5 && route->older_told;
    route->silent = 0;
    if (route->doubt == DUN_ROUTE_TRIES_OLD) {
        route->doubt = DUN_ROUTE_OLD_WORKS;
        route->speaks = V5;
        return DUN_ROUTE_AGAIN;
    }
    route->doubt = DUN_ROUTE_SURE;
    route->older_told &= !newer;
    return newer ? DUN_ROUTE_NEWER : DUN_ROUTE_SAME;
}

/// Redirects ///

static bool host_byte_ok(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
}

/* The port behind the host, or the one given where there is none. False: no port. */
static bool parse_port(struct dun_span text, uint16_t *port)
{
    uint32_t value = 0;
    if (text.size == 0)
        return true;
    if (text.data[0] != ':' || text.size == 1 || text.size > 6)
        return false;
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= UINT16_MAX;
}

bool dun_route_parse(struct dun_span text, struct dun_span *host, uint16_t *port)
{
    size_t size = 0, start = 0, end;
    while (size < text.size && text.data[size] != ' ')
        size++;                                     /* several are separated by spaces */
    bool bracket = size > 0 && text.data[0] == '['; /* an IPv6 address */
    if (bracket)
        start = 1;
    for (end = start; end < size && text.data[end] != (bracket ? ']' : ':'); end++)
        if (!host_byte_ok(text.data[end]))
            return false;
    size_t behind = end + bracket;
    if (end == start || behind > size)
        return false;
    *host = (struct dun_span){text.data + start, end - start};
    return parse_port((struct dun_span){text.data + behind, size - behind}, port);
}

static bool is_redirect(const struct dun_uplink_event *event)
{
    bool said = event->error == DUN_E_REFUSED || event->error == DUN_E_CLOSED;
    return said && (event->reason == REASON_USE_ANOTHER || event->reason == REASON_MOVED);
}

static bool follow(struct dun_route *route, const struct dun_uplink_event *event, dun_ms now)
{
    struct dun_span host;
    uint16_t port = route->port; /* a reference without one means ours */
    if (route->hops == 0 || now - route->hops_ms >= (dun_ms)route->retry_ms) {
        route->hops = 0;
        route->hops_ms = now;
    }
    if (route->stay || route->hops >= DUN_ROUTE_HOPS_MAX ||
        !dun_route_parse(event->server, &host, &port) || host.size >= route->other_size)
        return false;
    memcpy(route->other_host, host.data, host.size);
    route->other_host[host.size] = '\0';
    route->other_port = port;
    route->moved = event->reason == REASON_MOVED;
    route->away = true;
    route->hops++;
    forget_broker(route);
    return true;
}

static enum dun_route_change go_home(struct dun_route *route)
{
    route->away = false;
    forget_broker(route);
    return DUN_ROUTE_HOME;
}

/// Versions ///

static enum dun_route_change speak_older(struct dun_route *route, dun_ms now)
{
    bool told = route->older_told;
    route->speaks = V3_1_1;
    route->older_told = true;
    if (!told)
        route->newer_ms = now + (dun_ms)route->retry_ms;
    return told ? DUN_ROUTE_AGAIN : DUN_ROUTE_OLDER;
}

/* A connection never came up: perhaps because of its version, and nobody said so. */
static enum dun_route_change suspect_version(struct dun_route *route,
                                             const struct dun_uplink_event *event, dun_ms now)
{
    bool silent = event->error == DUN_E_CLOSED && event->reason == 0 && route->speaks == V5;
    bool confirmed = silent && route->doubt == DUN_ROUTE_OLD_WORKS;
    if (route->version != 0)
        return DUN_ROUTE_SAME;
    if (route->older_told) {
        route->speaks = V3_1_1; /* a try with version 5 taught nothing */
        return DUN_ROUTE_SAME;
    }
    route->doubt = DUN_ROUTE_SURE;
    route->speaks = V5;
    if (confirmed)
        return speak_older(route, now);
    route->silent = silent ? (uint8_t)(route->silent + 1) : 0;
    if (route->silent >= SILENT_MAX) {
        route->silent = 0;
        route->speaks = V3_1_1;
        route->doubt = DUN_ROUTE_TRIES_OLD;
    }
    return DUN_ROUTE_SAME;
}

/* v5 3.1.2-20 and 3.2.2-13: a broker that cannot have such a will refuses the connection. */
static bool judge_will(struct dun_route *route, const struct dun_uplink_event *event)
{
    bool *less = event->reason == REASON_WILL_QOS            ? &route->will_qos_0
                 : event->reason == REASON_WILL_NOT_RETAINED ? &route->will_not_retained
                                                             : NULL;
    if (event->error != DUN_E_REFUSED || !less || *less)
        return false;
    *less = true;
    return true;
}

enum dun_route_change dun_route_down(struct dun_route *route, const struct dun_uplink_event *event,
                                     bool was_up, bool stable, dun_ms now)
{
    if (!dun_has_routes())
        return DUN_ROUTE_SAME;
    if (stable)
        route->hops = 0;
    if (is_redirect(event) && follow(route, event, now))
        return DUN_ROUTE_ELSEWHERE;
    if (!was_up && judge_will(route, event))
        return DUN_ROUTE_AGAIN;
    if (!was_up && event->error == DUN_E_UNSUPPORTED && route->version == 0 && route->speaks == V5)
        return speak_older(route, now);
    if (!was_up && suspect_version(route, event, now) == DUN_ROUTE_OLDER)
        return DUN_ROUTE_OLDER;
    if (route->away && (!was_up || !route->moved))
        return go_home(route);
    return DUN_ROUTE_SAME;
}
