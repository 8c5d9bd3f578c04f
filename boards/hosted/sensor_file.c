/*
 * sensor_file.c: any path that holds a number. It is opened anew each time, since a script that
 * writes it properly replaces it; a FIFO or a terminal without data does not block. Absent, empty
 * and garbage give no value and are counted as errors of the sensor.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sensor_shared.h"
#include "value.h"

#define NUMBER_TEXT_MAX 64 /* bytes of the file, more is garbage */

static int read_number(const struct dun_file_config *config, int64_t *value)
{
    int fd = open(config->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? DUN_E_NOT_FOUND : DUN_E_IO;
    }
    char text[NUMBER_TEXT_MAX + 1];
    ssize_t count;
    do {
        count = pread(fd, text, sizeof text, 0);
        if (count < 0 && errno == ESPIPE) {
            count = read(fd, text, sizeof text); /* of what is no file there is no beginning */
        }
    } while (count < 0 && errno == EINTR);
    close(fd);
    if (count < 0 || (size_t)count == sizeof text) {
        return count < 0 ? DUN_E_IO : DUN_E_CORRUPT;
    }
    text[count] = '\0';
    for (ssize_t i = 0; i < count; i++) {
        if (text[i] == '\0') {
            return DUN_E_CORRUPT;
        }
    }
    return dun_value_decimal(text, config->scale + config->decimals, value);
}

int dun_read_file(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_file_sensor *file = sensor->context;
    const struct dun_file_config *config = file->config;
    int64_t value;
    int error = read_number(config, &value);
    if (error != DUN_OK) {
        return error;
    }
    const struct dun_shape shape = {.name = config->name,
                                    .unit = config->unit,
                                    .kind = config->kind,
                                    .exponent = (int8_t)-config->decimals};
    dun_put(file->sensors, agent, &file->id, &shape, config->attributes.list,
            config->attributes.count, value, now);
    return DUN_OK;
}
