/*
 * sensor_disk.c: disk I/O from /proc/diskstats. Whole disks only: what a partition moves is in its
 * disk's counters already. Loop and RAM devices repeat what the disk below them does.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor_shared.h"

#define SECTOR_SIZE 512 /* of the kernel's counters, whatever the disk's is */

static const struct dun_shape shapes[] = {
    {"system.disk.io", "By", "disk.io.direction", "read", DUN_COUNTER, 0},
    {"system.disk.io", "By", "disk.io.direction", "write", DUN_COUNTER, 0},
    {"system.disk.operations", "{operation}", "disk.io.direction", "read", DUN_COUNTER, 0},
    {"system.disk.operations", "{operation}", "disk.io.direction", "write", DUN_COUNTER, 0},
};

/* " 254  0 vda reads merged sectors ms writes merged sectors ms ..." */
bool dun_parse_disk(char *line, char **name, struct dun_disk_counts *counts)
{
    uint64_t number;
    uint64_t columns[8];
    if (!dun_scan_u64(&line, &number) || !dun_scan_u64(&line, &number)) {
        return false;
    }
    char *word = dun_scan_word(&line);
    if (word == NULL) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        if (!dun_scan_u64(&line, &columns[i])) {
            return false;
        }
    }
    if (columns[2] > UINT64_MAX / SECTOR_SIZE || columns[6] > UINT64_MAX / SECTOR_SIZE) {
        return false;
    }
    *name = word;
    *counts = (struct dun_disk_counts){
        .reads = columns[0],
        .read_bytes = columns[2] * SECTOR_SIZE,
        .writes = columns[4],
        .write_bytes = columns[6] * SECTOR_SIZE,
    };
    return true;
}

/* A whole disk has a folder of its own in /sys/block, where '/' in its name became '!'. */
static bool is_whole_disk(struct dun_sensors *sensors, const char *name)
{
    char path[512];
    int size = snprintf(path, sizeof path, "%s/block/%s", sensors->config->sys, name);
    if (size < 0 || (size_t)size >= sizeof path) {
        return false;
    }
    for (char *at = path + strlen(sensors->config->sys) + 7; *at != '\0'; at++) {
        *at = *at == '/' ? '!' : *at;
    }
    if (access(path, F_OK) == 0) {
        return true;
    }
    /* Without sysfs disks and partitions look alike: better both than none. */
    path[strlen(sensors->config->sys) + 6] = '\0';
    return access(path, F_OK) != 0;
}

static bool is_copy(const char *name)
{
    return strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0;
}

static void put_disk(struct dun_sensors *sensors, struct dun_agent *agent, const char *name,
                     const struct dun_disk_counts *counts, dun_ms now)
{
    bool idle = counts->reads == 0 && counts->writes == 0;
    if (is_copy(name) || (idle && !dun_instance_known(sensors, DUN_BUILTIN_DISK, name))) {
        return;
    }
    bool known = dun_instance_known(sensors, DUN_BUILTIN_DISK, name);
    struct dun_instance *disk = dun_instance_get(sensors, DUN_BUILTIN_DISK, name);
    if (disk == NULL) {
        return;
    }
    disk->ignored = known ? disk->ignored : !is_whole_disk(sensors, name);
    if (disk->ignored) {
        return;
    }
    const int64_t values[] = {dun_count(counts->read_bytes), dun_count(counts->write_bytes),
                              dun_count(counts->reads), dun_count(counts->writes)};
    struct dun_attribute device = {"system.device", disk->name};
    for (int i = 0; i < 4; i++) {
        dun_put(sensors, agent, &disk->ids[i], &shapes[i], &device, 1, values[i], now);
    }
}

int dun_read_disk(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    if (dun_open_once(&sensors->diskstats_fd, sensors->config->proc, "diskstats") < 0) {
        return DUN_OK;
    }
    struct dun_lines lines;
    dun_lines_open(&lines, sensors->diskstats_fd, sensors->memory.scratch);
    for (char *line = dun_lines_next(&lines); line != NULL; line = dun_lines_next(&lines)) {
        char *name;
        struct dun_disk_counts counts;
        if (dun_parse_disk(line, &name, &counts)) {
            put_disk(sensors, agent, name, &counts, now);
        }
    }
    return dun_lines_error(&lines);
}
