/* sensor_process.c: memory and CPU time of the agent itself. */
#define _POSIX_C_SOURCE 200809L
#include <sys/resource.h>
#include <unistd.h>

#include "sensor_shared.h"

static const struct dun_shape shapes[] = {
    {"process.memory.usage", "By", NULL, NULL, DUN_GAUGE, 0},
    {"process.cpu.time", "s", "cpu.mode", "user", DUN_COUNTER, -3},
    {"process.cpu.time", "s", "cpu.mode", "system", DUN_COUNTER, -3},
};

static int64_t milliseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

/* Resident pages are the second number of statm. */
static void put_memory(struct dun_sensors *sensors, struct dun_agent *agent, dun_ms now)
{
    char text[128];
    char *at = text;
    uint64_t pages;
    long page_size = sysconf(_SC_PAGESIZE);
    if (dun_open_once(&sensors->statm_fd, sensors->config->proc, "self/statm") < 0 ||
        dun_read_small(sensors->statm_fd, text, sizeof text) != DUN_OK ||
        !dun_scan_u64(&at, &pages) || !dun_scan_u64(&at, &pages) || page_size <= 0 ||
        pages > (uint64_t)INT64_MAX / (uint64_t)page_size) {
        return;
    }
    dun_put(sensors, agent, &sensors->process_ids[0], &shapes[0], NULL, 0,
            (int64_t)(pages * (uint64_t)page_size), now);
}

int dun_read_process(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    struct rusage usage;
    put_memory(sensors, agent, now);
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return DUN_E_IO;
    }
    dun_put(sensors, agent, &sensors->process_ids[1], &shapes[1], NULL, 0,
            milliseconds(usage.ru_utime), now);
    dun_put(sensors, agent, &sensors->process_ids[2], &shapes[2], NULL, 0,
            milliseconds(usage.ru_stime), now);
    return DUN_OK;
}
