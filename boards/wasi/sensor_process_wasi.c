/*
 * sensor_process_wasi.c: memory and CPU time of the runtime with the component in it: in a granted
 * /proc, `self` is the runtime's process. WASI itself tells neither.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "sensor_shared.h"

#define TICK_MS 10 /* Linux shows CPU time to programs in hundredths of a second */

static const struct dun_shape shapes[] = {
    {"process.memory.usage", "By", NULL, NULL, DUN_GAUGE, 0},
    {"process.cpu.time", "s", "cpu.mode", "user", DUN_COUNTER, -3},
    {"process.cpu.time", "s", "cpu.mode", "system", DUN_COUNTER, -3},
};

static void put(struct dun_sensors *sensors, struct dun_agent *agent, int which, uint64_t value,
                dun_ms now)
{
    dun_put(sensors, agent, &sensors->process_ids[which], &shapes[which], NULL, 0, dun_count(value),
            now);
}

/* "VmRSS:      3456 kB"; statm counts in pages, whose size WASI does not tell. */
static int put_memory(struct dun_sensors *sensors, struct dun_agent *agent, dun_ms now)
{
    struct dun_lines lines;
    uint64_t kib;
    if (dun_open_once(&sensors->statm_fd, sensors->config->proc, "self/status") < 0) {
        return DUN_OK;
    }
    dun_lines_open(&lines, sensors->statm_fd, sensors->memory.scratch);
    for (char *text = dun_lines_next(&lines); text != NULL; text = dun_lines_next(&lines)) {
        char *at = text + sizeof "VmRSS:" - 1;
        if (strncmp(text, "VmRSS:", sizeof "VmRSS:" - 1) == 0 && dun_scan_u64(&at, &kib)) {
            put(sensors, agent, 0, kib * 1024, now);
            break;
        }
    }
    return dun_lines_error(&lines);
}

/* "123 (name) S 1 ...": the name may hold anything, so fields are counted behind the last ')'. */
static void put_times(struct dun_sensors *sensors, struct dun_agent *agent, char *text, dun_ms now)
{
    enum { FIRST_BEHIND_NAME = 3, USER = 14 };
    char *at = strrchr(text, ')');
    uint64_t user, system;
    if (at == NULL) {
        return;
    }
    at++;
    for (int i = FIRST_BEHIND_NAME; i < USER; i++) {
        if (dun_scan_word(&at) == NULL) {
            return;
        }
    }
    if (dun_scan_u64(&at, &user) && dun_scan_u64(&at, &system)) {
        put(sensors, agent, 1, user * TICK_MS, now);
        put(sensors, agent, 2, system * TICK_MS, now);
    }
}

int dun_read_process(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    char text[512];
    int fd = -1;
    int error = put_memory(sensors, agent, now);
    if (dun_open_once(&fd, sensors->config->proc, "self/stat") >= 0) {
        if (dun_read_small(fd, text, sizeof text) == DUN_OK) {
            put_times(sensors, agent, text, now);
        }
        close(fd);
    }
    return error;
}
