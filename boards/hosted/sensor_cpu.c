/*
 * sensor_cpu.c: CPU utilisation from /proc/stat, by mode, for each CPU and for all together (which
 * carry no cpu.logical_number). A value is the share of the time since the reading before, so the
 * first reading of a CPU, and the first one after it was offline, give none.
 */
#include <stdio.h>
#include <string.h>

#include "sensor_shared.h"

#define SHAPE(mode)                                                                                \
    {                                                                                              \
        "system.cpu.utilization", "1", "cpu.mode", mode, DUN_GAUGE, -4                             \
    }

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, INTERRUPT, STEAL };

static const struct dun_shape shapes[DUN_CPU_MODES] = {
    SHAPE("user"),   SHAPE("nice"),      SHAPE("system"), SHAPE("idle"),
    SHAPE("iowait"), SHAPE("interrupt"), SHAPE("steal"),
};

_Static_assert(DUN_CPU_MODES <= DUN_INSTANCE_IDS, "raise DUN_INSTANCE_IDS in sensors.h");

/* "cpu3 user nice system idle iowait irq softirq steal guest guest_nice"; old kernels have fewer,
 * and guest time is part of user time already. */
bool dun_parse_cpu(char *line, uint32_t *index, struct dun_cpu_times *times)
{
    if (strncmp(line, "cpu", 3) != 0) {
        return false;
    }
    char *at = line + 3;
    uint64_t number = 0;
    bool all = *at == ' ';
    if (!all && (!dun_scan_u64(&at, &number) || number >= UINT32_MAX - 1)) {
        return false;
    }
    uint64_t columns[8] = {0};
    unsigned count = 0;
    while (count < 8 && dun_scan_u64(&at, &columns[count])) {
        count++;
    }
    if (count < 4) {
        return false;
    }
    *times = (struct dun_cpu_times){0};
    memcpy(times->ticks, columns, 5 * sizeof columns[0]);
    times->ticks[INTERRUPT] = columns[5] + columns[6];
    times->ticks[STEAL] = columns[7];
    times->modes = (uint8_t)(count < 6 ? count : count < 8 ? 6 : 7);
    *index = all ? 0 : (uint32_t)number + 1;
    return true;
}

bool dun_cpu_utilization(const struct dun_cpu_times *before, const struct dun_cpu_times *after,
                         int64_t share[DUN_CPU_MODES])
{
    uint64_t total = 0;
    uint64_t spent[DUN_CPU_MODES];
    for (int i = 0; i < DUN_CPU_MODES; i++) {
        /* Idle and iowait are known to go back by a tick now and then. */
        bool grew = after->ticks[i] > before->ticks[i];
        spent[i] = grew ? after->ticks[i] - before->ticks[i] : 0;
        /* More than a century of ticks is no time that passed. */
        if (spent[i] > UINT64_C(1) << 48) {
            return false;
        }
        total += spent[i];
    }
    if (total == 0) {
        return false;
    }
    for (int i = 0; i < DUN_CPU_MODES; i++) {
        share[i] = (int64_t)((spent[i] * 10000 + total / 2) / total);
    }
    return true;
}

static struct dun_instance *instance_of(struct dun_sensors *sensors, uint32_t index)
{
    char name[16] = "all";
    if (index > 0) {
        snprintf(name, sizeof name, "%u", (unsigned)(index - 1));
    }
    return dun_instance_get(sensors, DUN_BUILTIN_CPU, name);
}

static void put_cpu(struct dun_sensors *sensors, struct dun_agent *agent, uint32_t index,
                    const struct dun_cpu_times *times, dun_ms now)
{
    struct dun_cpu *cpu = &sensors->memory.cpus[index];
    int64_t share[DUN_CPU_MODES];
    if (!cpu->seen || !dun_cpu_utilization(&cpu->last, times, share)) {
        return;
    }
    if (cpu->instance == NULL) {
        cpu->instance = instance_of(sensors, index);
    }
    if (cpu->instance == NULL) {
        return;
    }
    struct dun_attribute number = {"cpu.logical_number", cpu->instance->name};
    for (uint8_t i = 0; i < times->modes; i++) {
        dun_put(sensors, agent, &cpu->instance->ids[i], &shapes[i], &number, index > 0 ? 1 : 0,
                share[i], now);
    }
}

/* Reads all CPUs; `agent` NULL: only remembers. */
static int read_cpus(struct dun_sensors *sensors, struct dun_agent *agent, dun_ms now)
{
    if (dun_open_once(&sensors->stat_fd, sensors->config->proc, "stat") < 0) {
        return DUN_OK;
    }
    struct dun_lines lines;
    dun_lines_open(&lines, sensors->stat_fd, sensors->memory.scratch);
    uint32_t next = 0; /* CPUs below were dealt with; the kernel lists them in ascending order */
    for (char *line = dun_lines_next(&lines); line != NULL; line = dun_lines_next(&lines)) {
        uint32_t index;
        struct dun_cpu_times times;
        if (!dun_parse_cpu(line, &index, &times)) {
            break;
        }
        if (index >= sensors->memory.cpus_max || index < next) {
            sensors->full |= index >= sensors->memory.cpus_max ? DUN_FULL_INSTANCES : 0;
            continue;
        }
        for (; next < index; next++) {
            sensors->memory.cpus[next].seen = false;
        }
        if (agent != NULL) {
            put_cpu(sensors, agent, index, &times, now);
        }
        sensors->memory.cpus[index].last = times;
        sensors->memory.cpus[index].seen = true;
        next = index + 1;
    }
    for (; next < sensors->memory.cpus_max; next++) {
        sensors->memory.cpus[next].seen = false;
    }
    return dun_lines_error(&lines);
}

int dun_read_cpu(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    return read_cpus(sensor->context, agent, now);
}

void dun_prime_cpu(struct dun_sensors *sensors)
{
    (void)read_cpus(sensors, NULL, 0);
}
