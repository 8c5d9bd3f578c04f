/*
 * sensors.c: the table of sensors, the arena, the instances, and the one way a value takes to the
 * agent. It reads no file itself.
 */
#define _POSIX_C_SOURCE 200809L
#include "sensors.h"

#include <string.h>
#include <unistd.h>

#include "sensor_shared.h"
#include "value.h"

/// Arena and instances ///

static void *arena_take(struct dun_sensors *sensors, size_t size, size_t align)
{
    size_t start = (sensors->arena_used + align - 1) / align * align;
    if (start > sensors->memory.arena.size || size > sensors->memory.arena.size - start) {
        sensors->full |= DUN_FULL_ARENA;
        return NULL;
    }
    sensors->arena_used = start + size;
    return sensors->memory.arena.data + start;
}

/* The kernel lets a disk, an interface or a mount have any bytes in its name. */
static void clean_text(char *text)
{
    bool valid = dun_value_is_text(text);
    for (unsigned char *at = (unsigned char *)text; !valid && *at != '\0'; at++) {
        if (*at < ' ' || *at >= 0x7f) {
            *at = '?';
        }
    }
}

const char *dun_arena_text(struct dun_sensors *sensors, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_take(sensors, size, 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        clean_text(copy);
    }
    return copy;
}

static struct dun_instance *find_instance(struct dun_sensors *sensors, enum dun_builtin kind,
                                          const char *name)
{
    /* Files list the same things in the same order each time: begin behind the last one found. */
    for (uint16_t i = 0; i < sensors->instance_count; i++) {
        uint16_t index = (uint16_t)((sensors->instance_hint + i) % sensors->instance_count);
        struct dun_instance *instance = &sensors->memory.instances[index];
        if (instance->kind == kind && strcmp(instance->name, name) == 0) {
            sensors->instance_hint = (uint16_t)(index + 1);
            return instance;
        }
    }
    return NULL;
}

static bool clean_name(char *out, const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > DUN_INSTANCE_NAME_MAX) {
        return false;
    }
    memcpy(out, name, size + 1);
    clean_text(out);
    return true;
}

bool dun_instance_known(struct dun_sensors *sensors, enum dun_builtin kind, const char *name)
{
    char clean[DUN_INSTANCE_NAME_MAX + 1];
    return clean_name(clean, name) && find_instance(sensors, kind, clean) != NULL;
}

struct dun_instance *dun_instance_get(struct dun_sensors *sensors, enum dun_builtin kind,
                                      const char *name)
{
    char clean[DUN_INSTANCE_NAME_MAX + 1];
    if (!clean_name(clean, name)) {
        return NULL;
    }
    struct dun_instance *instance = find_instance(sensors, kind, clean);
    if (instance != NULL) {
        return instance;
    }
    if (sensors->instance_count == sensors->memory.instances_max) {
        sensors->full |= DUN_FULL_INSTANCES;
        return NULL;
    }
    const char *kept = dun_arena_text(sensors, clean);
    if (kept == NULL) {
        return NULL;
    }
    instance = &sensors->memory.instances[sensors->instance_count++];
    *instance = (struct dun_instance){.name = kept, .kind = (uint8_t)kind};
    for (int i = 0; i < DUN_INSTANCE_IDS; i++) {
        instance->ids[i] = DUN_ID_NONE;
    }
    return instance;
}

/// Values ///

/* Rounded into the range: a value of the metric is outside of one exactly if of the other. */
static void apply_limit(struct dun_sensors *sensors, struct dun_agent *agent, uint16_t id,
                        const struct dun_metric *metric)
{
    const struct dun_limit_config *limit = dun_limit_for(sensors->config, metric);
    if (limit == NULL) {
        return;
    }
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;
    if (limit->low_text[0] != '\0') {
        low = dun_value_scaled(&limit->low, metric->exponent, true);
    }
    if (limit->high_text[0] != '\0') {
        high = dun_value_scaled(&limit->high, metric->exponent, false);
    }
    if (dun_agent_limit(agent, id, low, high) == DUN_OK) {
        sensors->limits_used |= 1u << (limit - sensors->config->limits);
    }
}

/* A resolution rounds to the next integer of the metric's scale up, a dead-band down. */
static void apply_tuning(struct dun_sensors *sensors, struct dun_agent *agent, uint16_t id,
                         const struct dun_metric *metric)
{
    const struct dun_limit_config *section = dun_tuning_for(sensors->config, metric);
    if (section == NULL) {
        return;
    }
    struct dun_tuning tuning = {.sparse = section->dead_band_text[0] != '\0',
                                .heartbeat_ms = (uint32_t)section->heartbeat_ms};
    if (section->resolution_text[0] != '\0') {
        tuning.resolution = dun_value_scaled(&section->resolution, metric->exponent, true);
    }
    if (tuning.sparse) {
        tuning.dead_band = dun_value_scaled(&section->dead_band, metric->exponent, false);
    }
    if (dun_agent_tune(agent, id, &tuning) == DUN_OK) {
        sensors->limits_used |= 1u << (section - sensors->config->limits);
    }
}

void dun_sensors_retune(struct dun_sensors *sensors, struct dun_agent *agent, uint16_t id)
{
    const struct dun_metric *metric = &agent->parts.catalog->metrics[id];
    apply_limit(sensors, agent, id, metric);
    apply_tuning(sensors, agent, id, metric);
}

bool dun_declare(struct dun_sensors *sensors, struct dun_agent *agent, int32_t *id,
                 const struct dun_metric *wanted)
{
    if (*id != DUN_ID_NONE) {
        return *id >= 0;
    }
    struct dun_metric metric = *wanted;
    size_t size = metric.attribute_count * sizeof(struct dun_attribute);
    size_t used_before = sensors->arena_used;
    struct dun_attribute *kept = arena_take(sensors, size, _Alignof(struct dun_attribute));
    *id = DUN_ID_REFUSED;
    if (kept == NULL) {
        return false;
    }
    for (uint8_t i = 0; i < metric.attribute_count; i++) {
        kept[i] = metric.attributes[i];
    }
    metric.attributes = kept;
    int given = dun_agent_declare(agent, &metric);
    if (given < 0) {
        sensors->arena_used = used_before;
        sensors->full |= given == DUN_E_FULL ? DUN_FULL_METRICS : 0;
        return false;
    }
    *id = given;
    dun_sensors_retune(sensors, agent, (uint16_t)given);
    return true;
}

static bool declare_shape(struct dun_sensors *sensors, struct dun_agent *agent, int32_t *id,
                          const struct dun_shape *shape, const struct dun_attribute *attributes,
                          uint8_t count)
{
    struct dun_attribute all[DUN_PAIRS_MAX + 1];
    DUN_ASSERT(count <= DUN_PAIRS_MAX);
    for (uint8_t i = 0; i < count; i++) {
        all[i] = attributes[i];
    }
    if (shape->key != NULL) {
        all[count++] = (struct dun_attribute){shape->key, shape->value};
    }
    const struct dun_metric metric = {
        .name = shape->name,
        .unit = shape->unit,
        .attributes = all,
        .attribute_count = count,
        .kind = shape->kind,
        .exponent = shape->exponent,
    };
    return dun_declare(sensors, agent, id, &metric);
}

void dun_put(struct dun_sensors *sensors, struct dun_agent *agent, int32_t *id,
             const struct dun_shape *shape, const struct dun_attribute *attributes, uint8_t count,
             int64_t value, dun_ms now)
{
    if (*id == DUN_ID_NONE && !declare_shape(sensors, agent, id, shape, attributes, count)) {
        return;
    }
    if (*id >= 0) {
        /* A point that found no room is counted by the agent. */
        (void)dun_agent_record(agent, (uint16_t)*id, value, now);
    }
}

/// Start and stop ///

static void add_sensor(struct dun_sensors *sensors, const char *name, uint32_t interval_ms,
                       int (*read)(struct dun_sensor *, struct dun_agent *, dun_ms), void *context)
{
    if (interval_ms == 0) {
        return;
    }
    DUN_ASSERT(sensors->count < DUN_SENSORS_MAX);
    sensors->table[sensors->count++] = (struct dun_sensor){
        .name = name,
        .interval_ms = interval_ms,
        .read = read,
        .context = context,
    };
}

static void add_builtins(struct dun_sensors *sensors)
{
    static const struct {
        const char *name;
        int (*read)(struct dun_sensor *, struct dun_agent *, dun_ms);
    } builtins[DUN_BUILTIN_COUNT] = {
        [DUN_BUILTIN_MEMORY] = {"memory", dun_read_memory},
        [DUN_BUILTIN_LOAD] = {"load", dun_read_load},
        [DUN_BUILTIN_CPU] = {"cpu", dun_read_cpu},
        [DUN_BUILTIN_FILESYSTEM] = {"filesystem", dun_read_filesystem},
        [DUN_BUILTIN_DISK] = {"disk", dun_read_disk},
        [DUN_BUILTIN_NETWORK] = {"network", dun_read_network},
        [DUN_BUILTIN_UPTIME] = {"uptime", dun_read_uptime},
        [DUN_BUILTIN_TEMPERATURE] = {"temperature", dun_read_temperature},
        [DUN_BUILTIN_PROCESS] = {"process", dun_read_process},
        [DUN_BUILTIN_AGENT] = {"self", dun_read_self},
    };
    for (int i = 0; i < DUN_BUILTIN_COUNT; i++) {
        uint32_t interval = dun_config_interval(sensors->config, (enum dun_builtin)i);
        add_sensor(sensors, builtins[i].name, interval, builtins[i].read, sensors);
    }
}

static void add_files(struct dun_sensors *sensors)
{
    const struct dun_config *config = sensors->config;
    for (uint16_t i = 0; i < config->file_count; i++) {
        const struct dun_file_config *file = &config->files[i];
        sensors->files[i] = (struct dun_file_sensor){sensors, file, DUN_ID_NONE};
        int64_t interval =
            file->interval_ms == DUN_INTERVAL_INHERIT ? config->interval_ms : file->interval_ms;
        add_sensor(sensors, file->section.label, (uint32_t)interval, dun_read_file,
                   &sensors->files[i]);
    }
}

static void file_descriptors(struct dun_sensors *sensors, int *list[8])
{
    list[0] = &sensors->meminfo_fd;
    list[1] = &sensors->loadavg_fd;
    list[2] = &sensors->stat_fd;
    list[3] = &sensors->mountinfo_fd;
    list[4] = &sensors->diskstats_fd;
    list[5] = &sensors->netdev_fd;
    list[6] = &sensors->uptime_fd;
    list[7] = &sensors->statm_fd;
}

static void forget_ids(int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ids[i] = DUN_ID_NONE;
    }
}

void dun_sensors_start(struct dun_sensors *sensors, const struct dun_config *config,
                       const struct dun_sensors_memory *memory)
{
    memset(sensors, 0, sizeof *sensors);
    sensors->config = config;
    sensors->memory = *memory;
    int *list[8];
    file_descriptors(sensors, list);
    for (int i = 0; i < 8; i++) {
        *list[i] = -1;
    }
    forget_ids(sensors->memory_ids, sizeof sensors->memory_ids / sizeof(int32_t));
    forget_ids(sensors->load_ids, sizeof sensors->load_ids / sizeof(int32_t));
    forget_ids(&sensors->uptime_id, 1);
    forget_ids(sensors->process_ids, sizeof sensors->process_ids / sizeof(int32_t));
    forget_ids(sensors->self_ids, sizeof sensors->self_ids / sizeof(int32_t));
    memset(memory->cpus, 0, memory->cpus_max * sizeof *memory->cpus);
    add_builtins(sensors);
    add_files(sensors);
    dun_prime_cpu(sensors);
}

void dun_sensors_stop(struct dun_sensors *sensors)
{
    int *list[8];
    file_descriptors(sensors, list);
    for (int i = 0; i < 8; i++) {
        if (*list[i] >= 0) {
            close(*list[i]);
            *list[i] = -1;
        }
    }
    for (uint16_t i = 0; i < sensors->temperature_count; i++) {
        if (sensors->memory.temperatures[i].fd >= 0) {
            close(sensors->memory.temperatures[i].fd);
        }
    }
    sensors->temperature_count = 0;
}
