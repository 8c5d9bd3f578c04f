/*
 * sensor_memory.c: memory from /proc/meminfo. "used" is total less free, buffers and cached, so
 * that the states add up to the total, as the conventions ask.
 */
#include <string.h>

#include "sensor_shared.h"

enum { TOTAL, FREE, AVAILABLE, BUFFERS, CACHED, FIELD_COUNT };

static const char *const fields[FIELD_COUNT] = {"MemTotal", "MemFree", "MemAvailable", "Buffers",
                                                "Cached"};

static const struct dun_shape shapes[FIELD_COUNT] = {
    {"system.memory.limit", "By", NULL, NULL, DUN_GAUGE, 0},
    {"system.memory.usage", "By", "system.memory.state", "free", DUN_GAUGE, 0},
    {"system.memory.linux.available", "By", NULL, NULL, DUN_GAUGE, 0},
    {"system.memory.usage", "By", "system.memory.state", "buffers", DUN_GAUGE, 0},
    {"system.memory.usage", "By", "system.memory.state", "cached", DUN_GAUGE, 0},
};
static const struct dun_shape used_shape = {
    "system.memory.usage", "By", "system.memory.state", "used", DUN_GAUGE, 0};

/* "MemTotal:       24684092 kB" */
bool dun_parse_meminfo(char *line, const char **field, uint64_t *kib)
{
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        return false;
    }
    char *at = colon + 1;
    uint64_t value;
    if (!dun_scan_u64(&at, &value) || value > (uint64_t)INT64_MAX / 1024) {
        return false;
    }
    *colon = '\0';
    *field = line;
    *kib = value;
    return true;
}

/* Bytes of each field that the kernel has; returns which, a bit each. */
static unsigned read_fields(struct dun_lines *lines, int64_t bytes[FIELD_COUNT])
{
    unsigned found = 0;
    char *line = dun_lines_next(lines);
    for (; line != NULL && found != (1u << FIELD_COUNT) - 1; line = dun_lines_next(lines)) {
        const char *field;
        uint64_t kib;
        if (!dun_parse_meminfo(line, &field, &kib)) {
            continue;
        }
        for (unsigned i = 0; i < FIELD_COUNT; i++) {
            if (strcmp(field, fields[i]) == 0) {
                bytes[i] = (int64_t)(kib * 1024);
                found |= 1u << i;
            }
        }
    }
    return found;
}

int dun_read_memory(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    if (dun_open_once(&sensors->meminfo_fd, sensors->config->proc, "meminfo") < 0) {
        return DUN_OK;
    }
    struct dun_lines lines;
    int64_t bytes[FIELD_COUNT] = {0};
    dun_lines_open(&lines, sensors->meminfo_fd, sensors->memory.scratch);
    unsigned found = read_fields(&lines, bytes);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        if ((found & (1u << i)) != 0) {
            dun_put(sensors, agent, &sensors->memory_ids[i], &shapes[i], NULL, 0, bytes[i], now);
        }
    }
    const unsigned needed = 1u << TOTAL | 1u << FREE | 1u << BUFFERS | 1u << CACHED;
    int64_t rest = bytes[FREE] + bytes[BUFFERS] + bytes[CACHED];
    if ((found & needed) == needed && rest <= bytes[TOTAL]) {
        dun_put(sensors, agent, &sensors->memory_ids[FIELD_COUNT], &used_shape, NULL, 0,
                bytes[TOTAL] - rest, now);
    }
    return dun_lines_error(&lines);
}
