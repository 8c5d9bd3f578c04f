/*
 * sensor_temperature.c: thermal zones and hwmon inputs of sysfs, in thousandths of a degree. Their
 * files stay open. New ones are searched for every SEARCH_PERIOD readings, by number and not by
 * listing a folder, because listing takes memory from the heap. One that cannot be read now (a
 * sleeping device says so by an error) is absent, and absent again until it can be read.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor_shared.h"
#include "value.h"

#define SEARCH_PERIOD 12
#define ZONES_MAX     32
#define CHIPS_MAX     32
#define INPUTS_MAX    16

static const struct dun_shape shape = {"hw.temperature", "Cel", NULL, NULL, DUN_GAUGE, -3};

/* Zones have keys below ZONES_MAX, input i of chip c comes after them. */
static uint16_t key_of(int chip, int input)
{
    return (uint16_t)(ZONES_MAX + chip * INPUTS_MAX + input - 1);
}

static bool is_known(const struct dun_sensors *sensors, uint16_t key)
{
    for (uint16_t i = 0; i < sensors->temperature_count; i++) {
        if (sensors->memory.temperatures[i].key == key) {
            return true;
        }
    }
    return false;
}

/* The text of a one-line attribute; false: there is no such file. */
static bool read_attribute(const struct dun_sensors *sensors, const char *path, char *out,
                           size_t size)
{
    int fd = -1;
    if (dun_open_once(&fd, sensors->config->sys, path) < 0) {
        return false;
    }
    int error = dun_read_small(fd, out, size);
    close(fd);
    out[strcspn(out, "\n")] = '\0';
    return error == DUN_OK;
}

static void add(struct dun_sensors *sensors, uint16_t key, int fd, const char *identifier,
                const char *name)
{
    const char *kept_identifier = NULL;
    const char *kept_name = NULL;
    if (sensors->temperature_count < sensors->memory.temperatures_max) {
        kept_identifier = dun_arena_text(sensors, identifier);
        kept_name = *name != '\0' ? dun_arena_text(sensors, name) : NULL;
    } else {
        sensors->full |= DUN_FULL_INSTANCES;
    }
    if (kept_identifier == NULL) {
        close(fd);
        return;
    }
    sensors->memory.temperatures[sensors->temperature_count++] = (struct dun_temperature){
        .fd = fd, .key = key, .id = DUN_ID_NONE, .identifier = kept_identifier, .name = kept_name};
}

static void search_zone(struct dun_sensors *sensors, int zone)
{
    char path[96];
    char identifier[32];
    char name[64];
    int fd = -1;
    snprintf(path, sizeof path, "class/thermal/thermal_zone%d/temp", zone);
    if (is_known(sensors, (uint16_t)zone) || dun_open_once(&fd, sensors->config->sys, path) < 0) {
        return;
    }
    snprintf(path, sizeof path, "class/thermal/thermal_zone%d/type", zone);
    if (!read_attribute(sensors, path, name, sizeof name)) {
        name[0] = '\0';
    }
    snprintf(identifier, sizeof identifier, "thermal_zone%d", zone);
    add(sensors, (uint16_t)zone, fd, identifier, name);
}

static void search_input(struct dun_sensors *sensors, int chip, int input, const char *chip_name)
{
    char path[96];
    char identifier[32];
    char label[64];
    char name[132];
    int fd = -1;
    snprintf(path, sizeof path, "class/hwmon/hwmon%d/temp%d_input", chip, input);
    if (is_known(sensors, key_of(chip, input)) ||
        dun_open_once(&fd, sensors->config->sys, path) < 0) {
        return;
    }
    snprintf(path, sizeof path, "class/hwmon/hwmon%d/temp%d_label", chip, input);
    bool labelled = read_attribute(sensors, path, label, sizeof label);
    snprintf(name, sizeof name, "%s%s%s", chip_name, labelled ? " " : "", labelled ? label : "");
    snprintf(identifier, sizeof identifier, "hwmon%d/temp%d", chip, input);
    add(sensors, key_of(chip, input), fd, identifier, name);
}

static void search(struct dun_sensors *sensors)
{
    for (int zone = 0; zone < ZONES_MAX; zone++) {
        search_zone(sensors, zone);
    }
    for (int chip = 0; chip < CHIPS_MAX; chip++) {
        char path[64];
        char name[64];
        snprintf(path, sizeof path, "class/hwmon/hwmon%d/name", chip);
        if (!read_attribute(sensors, path, name, sizeof name)) {
            continue;
        }
        for (int input = 1; input <= INPUTS_MAX; input++) {
            search_input(sensors, chip, input, name);
        }
    }
}

static void put_temperature(struct dun_sensors *sensors, struct dun_agent *agent,
                            struct dun_temperature *temperature, dun_ms now)
{
    char text[32];
    int64_t millidegrees;
    if (dun_read_small(temperature->fd, text, sizeof text) != DUN_OK ||
        dun_value_decimal(text, 0, &millidegrees) != DUN_OK) {
        return;
    }
    const struct dun_attribute attributes[] = {{"hw.id", temperature->identifier},
                                               {"hw.name", temperature->name}};
    dun_put(sensors, agent, &temperature->id, &shape, attributes, temperature->name != NULL ? 2 : 1,
            millidegrees, now);
}

int dun_read_temperature(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    if (sensors->temperature_age == 0) {
        search(sensors);
        sensors->temperature_age = SEARCH_PERIOD;
    }
    sensors->temperature_age--;
    for (uint16_t i = 0; i < sensors->temperature_count; i++) {
        put_temperature(sensors, agent, &sensors->memory.temperatures[i], now);
    }
    return DUN_OK;
}
