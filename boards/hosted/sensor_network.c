/*
 * sensor_network.c: traffic, errors and drops of each interface from /proc/net/dev, and whether its
 * link is up from /sys/class/net. The host ends of containers (veth...) come and go under new names
 * and would fill the catalog: they are left out.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor_shared.h"

enum { RECEIVED, SENT };

#define COUNTERS 6 /* ids of an instance; the next one is that of its link */

#define DIRECTION "network.io.direction"

static const struct dun_shape shapes[] = {
    {"system.network.io", "By", DIRECTION, "receive", DUN_COUNTER, 0},
    {"system.network.io", "By", DIRECTION, "transmit", DUN_COUNTER, 0},
    {"system.network.errors", "{error}", DIRECTION, "receive", DUN_COUNTER, 0},
    {"system.network.errors", "{error}", DIRECTION, "transmit", DUN_COUNTER, 0},
    {"system.network.packet.dropped", "{packet}", DIRECTION, "receive", DUN_COUNTER, 0},
    {"system.network.packet.dropped", "{packet}", DIRECTION, "transmit", DUN_COUNTER, 0},
};

static const struct dun_shape link_shape = {"hw.network.up", "1", NULL, NULL, DUN_BOOLEAN, 0};

_Static_assert(COUNTERS < DUN_INSTANCE_IDS, "raise DUN_INSTANCE_IDS in sensors.h");

/* "  eth0:61204352 1446 0 0 ...": 8 columns received, 8 sent; the first may touch the colon. */
bool dun_parse_interface(char *line, char **name, struct dun_interface_counts *counts)
{
    char *colon = strrchr(line, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    char *at = colon + 1;
    uint64_t columns[12];
    for (int i = 0; i < 12; i++) {
        if (!dun_scan_u64(&at, &columns[i])) {
            return false;
        }
    }
    char *word = dun_scan_word(&line);
    if (word == NULL) {
        return false;
    }
    *name = word;
    *counts = (struct dun_interface_counts){
        .bytes = {columns[0], columns[8]},
        .errors = {columns[2], columns[10]},
        .dropped = {columns[3], columns[11]},
    };
    return true;
}

/* The loopback and tunnels have no link that could be down: theirs is `unknown`, and absent here.
 */
static void put_link(struct dun_sensors *sensors, struct dun_agent *agent,
                     struct dun_instance *interface, dun_ms now)
{
    char path[sizeof "class/net//operstate" + DUN_INSTANCE_NAME_MAX];
    char state[32];
    int fd = -1;
    snprintf(path, sizeof path, "class/net/%s/operstate", interface->name);
    if (dun_open_once(&fd, sensors->config->sys, path) < 0) {
        return;
    }
    int error = dun_read_small(fd, state, sizeof state);
    close(fd);
    if (error != DUN_OK || strcmp(state, "unknown\n") == 0) {
        return;
    }
    struct dun_attribute attribute = {"hw.id", interface->name};
    dun_put(sensors, agent, &interface->ids[COUNTERS], &link_shape, &attribute, 1,
            strcmp(state, "up\n") == 0, now);
}

static void put_interface(struct dun_sensors *sensors, struct dun_agent *agent, const char *name,
                          const struct dun_interface_counts *counts, dun_ms now)
{
    if (strncmp(name, "veth", 4) == 0) {
        return;
    }
    struct dun_instance *interface = dun_instance_get(sensors, DUN_BUILTIN_NETWORK, name);
    if (interface == NULL) {
        return;
    }
    const uint64_t values[] = {counts->bytes[RECEIVED],   counts->bytes[SENT],
                               counts->errors[RECEIVED],  counts->errors[SENT],
                               counts->dropped[RECEIVED], counts->dropped[SENT]};
    struct dun_attribute attribute = {"network.interface.name", interface->name};
    for (int i = 0; i < COUNTERS; i++) {
        dun_put(sensors, agent, &interface->ids[i], &shapes[i], &attribute, 1, dun_count(values[i]),
                now);
    }
    put_link(sensors, agent, interface, now);
}

int dun_read_network(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    if (dun_open_once(&sensors->netdev_fd, sensors->config->proc, "net/dev") < 0) {
        return DUN_OK;
    }
    struct dun_lines lines;
    dun_lines_open(&lines, sensors->netdev_fd, sensors->memory.scratch);
    for (char *line = dun_lines_next(&lines); line != NULL; line = dun_lines_next(&lines)) {
        char *name;
        struct dun_interface_counts counts;
        if (dun_parse_interface(line, &name, &counts)) {
            put_interface(sensors, agent, name, &counts, now);
        }
    }
    return dun_lines_error(&lines);
}
