/*
 * sensor_file.c: any path that holds a number or a word. It is opened anew each time, since a
 * script that writes it properly replaces it; a FIFO or a terminal without data does not block.
 * Absent, empty, garbage and a word that is no state give no value and are counted as errors of the
 * sensor.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "real.h"
#include "sensor_shared.h"
#include "value.h"
#include "value_real.h"

#define TEXT_MAX 64 /* bytes of the file, more is garbage */
#define BLANKS   " \t\r\n"

static int read_text(const char *path, char text[TEXT_MAX + 1])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? DUN_E_NOT_FOUND : DUN_E_IO;
    }
    ssize_t count;
    do {
        count = pread(fd, text, TEXT_MAX + 1, 0);
        if (count < 0 && errno == ESPIPE) {
            count = read(fd, text, TEXT_MAX + 1); /* of what is no file there is no beginning */
        }
    } while (count < 0 && errno == EINTR);
    close(fd);
    if (count < 0 || count == TEXT_MAX + 1) {
        return count < 0 ? DUN_E_IO : DUN_E_CORRUPT;
    }
    text[count] = '\0';
    return memchr(text, '\0', (size_t)count) == NULL ? DUN_OK : DUN_E_CORRUPT;
}

/* The word that the text is, without blanks around it. */
static char *word_of(char *text)
{
    text += strspn(text, BLANKS);
    size_t size = strlen(text);
    while (size > 0 && strchr(BLANKS, text[size - 1]) != NULL) {
        text[--size] = '\0';
    }
    return text;
}

/* The place of the word in the list, or DUN_E_UNSUPPORTED: a word that nobody told us of. */
static int place_of(const char *word, const char *const *names, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            return i;
        }
    }
    return *word == '\0' ? DUN_E_NOT_FOUND : DUN_E_UNSUPPORTED;
}

static int state_of(const struct dun_file_config *config, char *text, int64_t *value)
{
    static const char *const booleans[] = {"0",   "1",   "false", "true", "no",
                                           "yes", "off", "on",    "n",    "y"};
    const uint8_t count = sizeof booleans / sizeof booleans[0];
    bool is_state = config->kind == DUN_STATE;
    int place = is_state ? place_of(word_of(text), config->states, config->state_count)
                         : place_of(word_of(text), booleans, count);
    *value = is_state ? place : place % 2;
    return place < 0 ? place : DUN_OK;
}

static bool declare(struct dun_file_sensor *file, struct dun_agent *agent)
{
    const struct dun_file_config *config = file->config;
    bool words = config->kind == DUN_STATE || config->kind == DUN_BOOLEAN;
    const struct dun_metric metric = {.name = config->name,
                                      .unit = config->unit,
                                      .attributes = config->attributes.list,
                                      .attribute_count = config->attributes.count,
                                      .states = config->states,
                                      .state_count = config->state_count,
                                      .kind = config->kind,
                                      .exponent = (int8_t)(words ? 0 : -config->decimals),
                                      .real = config->real};
    return dun_declare(file->sensors, agent, &file->id, &metric);
}

static int record_real(struct dun_file_sensor *file, struct dun_agent *agent, const char *text,
                       dun_ms now)
{
    double value;
    int error = dun_value_real(text, file->config->scale, &value);
    if (error == DUN_OK && declare(file, agent)) {
        /* A point that found no room is counted by the agent. */
        (void)dun_agent_record_real(agent, (uint16_t)file->id, value, now);
    }
    return error;
}

int dun_read_file(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_file_sensor *file = sensor->context;
    const struct dun_file_config *config = file->config;
    char text[TEXT_MAX + 1];
    int64_t value;
    int error = read_text(config->path, text);
    if (error != DUN_OK) {
        return error;
    }
    if (config->real) {
        return record_real(file, agent, text, now);
    }
    if (config->kind == DUN_STATE || config->kind == DUN_BOOLEAN) {
        error = state_of(config, text, &value);
    } else {
        error = dun_value_decimal(text, config->scale + config->decimals, &value);
    }
    if (error == DUN_OK && declare(file, agent)) {
        (void)dun_agent_record(agent, (uint16_t)file->id, value, now);
    }
    return error;
}
