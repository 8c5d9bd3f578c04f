/* sensor_load.c: load average from /proc/loadavg, uptime from /proc/uptime. */
#include "sensor_shared.h"
#include "value.h"

static const struct dun_shape load_shapes[] = {
    {"system.cpu.load_average.1m", "1", NULL, NULL, DUN_GAUGE, -2},
    {"system.cpu.load_average.5m", "1", NULL, NULL, DUN_GAUGE, -2},
    {"system.cpu.load_average.15m", "1", NULL, NULL, DUN_GAUGE, -2},
};
static const struct dun_shape uptime_shape = {"system.uptime", "s", NULL, NULL, DUN_GAUGE, -2};

/* "0.00 0.01 0.00 5/93 6645" */
bool dun_parse_load(char *line, int64_t hundredths[3])
{
    int64_t values[3];
    for (int i = 0; i < 3; i++) {
        const char *word = dun_scan_word(&line);
        if (word == NULL || dun_value_decimal(word, 2, &values[i]) != DUN_OK || values[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        hundredths[i] = values[i];
    }
    return true;
}

int dun_read_load(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    char text[128];
    int64_t hundredths[3];
    if (dun_open_once(&sensors->loadavg_fd, sensors->config->proc, "loadavg") < 0) {
        return DUN_OK;
    }
    int error = dun_read_small(sensors->loadavg_fd, text, sizeof text);
    if (error != DUN_OK || !dun_parse_load(text, hundredths)) {
        return error != DUN_OK ? error : DUN_E_CORRUPT;
    }
    for (int i = 0; i < 3; i++) {
        dun_put(sensors, agent, &sensors->load_ids[i], &load_shapes[i], NULL, 0, hundredths[i],
                now);
    }
    return DUN_OK;
}

int dun_read_uptime(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    char text[128];
    int64_t hundredths;
    if (dun_open_once(&sensors->uptime_fd, sensors->config->proc, "uptime") < 0) {
        return DUN_OK;
    }
    int error = dun_read_small(sensors->uptime_fd, text, sizeof text);
    char *at = text;
    const char *word = dun_scan_word(&at);
    if (error != DUN_OK || word == NULL || dun_value_decimal(word, 2, &hundredths) != DUN_OK) {
        return error != DUN_OK ? error : DUN_E_CORRUPT;
    }
    dun_put(sensors, agent, &sensors->uptime_id, &uptime_shape, NULL, 0, hundredths, now);
    return DUN_OK;
}
