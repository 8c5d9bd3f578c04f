/* sensor_shared.h: what the sensors share with each other and nobody else. */
#ifndef DUN_HOSTED_SENSOR_SHARED_H
#define DUN_HOSTED_SENSOR_SHARED_H

#include "lines.h"
#include "sensors.h"

/* What a metric looks like apart from the instance it belongs to. */
struct dun_shape {
    const char *name, *unit;
    const char *key, *value; /* its own attribute, NULL: none */
    uint8_t kind;            /* enum dun_metric_kind */
    int8_t exponent;
};

/* A copy of `text` in the arena, made valid UTF-8; NULL when it is full. */
const char *dun_arena_text(struct dun_sensors *sensors, const char *text);

/* The instance of this kind and name, made if it is new. NULL: no room, or the name is too long. */
struct dun_instance *dun_instance_get(struct dun_sensors *sensors, enum dun_builtin kind,
                                      const char *name);
bool dun_instance_known(struct dun_sensors *sensors, enum dun_builtin kind, const char *name);

/*
 * Records a value; declares the metric first if `*id` is DUN_ID_NONE, with the attributes given
 * (whose strings live as long as the sensors) and then the shape's own.
 */
void dun_put(struct dun_sensors *sensors, struct dun_agent *agent, int32_t *id,
             const struct dun_shape *shape, const struct dun_attribute *attributes, uint8_t count,
             int64_t value, dun_ms now);

/* Declares the metric if `*id` is DUN_ID_NONE; its attributes are copied. True if it has an id. */
bool dun_declare(struct dun_sensors *sensors, struct dun_agent *agent, int32_t *id,
                 const struct dun_metric *metric);

/* A counter of the kernel as the signed integer that a point holds. */
static inline int64_t dun_count(uint64_t count)
{
    return count <= (uint64_t)INT64_MAX ? (int64_t)count : INT64_MAX;
}

/* Bytes of a filesystem. Where the host tells only the size, `has_use` is false. */
struct dun_space {
    int64_t limit, used, free, reserved;
    bool has_use;
};

/* False: the host cannot tell. */
bool dun_filesystem_space(const struct dun_sensors *sensors, const struct dun_mount *mount,
                          struct dun_space *space);

int dun_read_memory(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_load(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_cpu(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_filesystem(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_disk(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_network(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_uptime(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_temperature(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_process(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_self(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);
int dun_read_file(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);

/* The first reading, which only sets what later ones are compared with. */
void dun_prime_cpu(struct dun_sensors *sensors);

#endif
