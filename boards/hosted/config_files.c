/*
 * config_files.c: the keys of a [file NAME] section, which turns any path that holds a number into
 * a metric. The number times `scale` is the value in `unit`; `decimals` of it are kept: by default
 * 3 of a gauge, none of a counter, and never fewer than `scale` has.
 */
#include "config_keys.h"

#include <string.h>

#include "value.h"

#define DECIMALS_MAX     9
#define DECIMALS_DEFAULT UINT8_MAX

static void blame(struct dun_config *config, const struct dun_file_config *file, int line,
                  const char *key, const char *why)
{
    char section[48];
    snprintf(section, sizeof section, "file %s", file->label);
    struct dun_place place = {.kind = DUN_ORIGIN_FILE, .line = line, .section = section};
    dun_config_blame(config, &place);
    fprintf(config->errors, "%s%s%s\n", key, *key != '\0' ? ": " : "", why);
}

struct dun_file_config *dun_file_section(struct dun_config *config, const char *label, int line)
{
    struct dun_file_config file = {
        .line = line,
        .kind = DUN_GAUGE,
        .decimals = DECIMALS_DEFAULT,
        .interval_ms = DUN_INTERVAL_INHERIT,
    };
    snprintf(file.label, sizeof file.label, "%s", label);
    if (!dun_agent_name_ok(label) || strlen(label) >= sizeof file.label) {
        blame(config, &file, line, "",
              "a name must be 1 to 32 of the characters A-Z a-z 0-9 . _ -");
        return NULL;
    }
    for (uint16_t i = 0; i < config->file_count; i++) {
        if (strcmp(config->files[i].label, label) == 0) {
            blame(config, &file, line, "", "there is a section of this name already");
            return NULL;
        }
    }
    if (config->file_count == DUN_FILES_MAX) {
        blame(config, &file, line, "", "too many [file] sections, at most 32 are allowed");
        return NULL;
    }
    config->files[config->file_count] = file;
    return &config->files[config->file_count++];
}

static bool copy_text(char *out, size_t size, const char *value)
{
    size_t used = strlen(value);
    if (used == 0 || used >= size || !dun_value_is_text(value)) {
        return false;
    }
    memcpy(out, value, used + 1);
    return true;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        text[--size] = '\0';
    }
    return text;
}

/* "key=value, key=value" */
static bool set_attributes(struct dun_file_config *file, const char *value)
{
    file->attribute_count = 0;
    if (!copy_text(file->attributes_text, sizeof file->attributes_text, value)) {
        return false;
    }
    char *next = file->attributes_text;
    while (next != NULL) {
        char *pair = next;
        char *comma = strchr(pair, ',');
        next = comma != NULL ? comma + 1 : NULL;
        if (comma != NULL) {
            *comma = '\0';
        }
        char *equals = strchr(pair, '=');
        if (equals == NULL || file->attribute_count == DUN_FILE_ATTRIBUTES_MAX) {
            return false;
        }
        *equals = '\0';
        struct dun_attribute *attribute = &file->attributes[file->attribute_count++];
        *attribute = (struct dun_attribute){trim(pair), trim(equals + 1)};
        if (*attribute->key == '\0') {
            return false;
        }
    }
    return true;
}

static bool set_scale(struct dun_file_config *file, const char *value)
{
    int power;
    if (dun_value_power(value, &power) != DUN_OK) {
        return false;
    }
    file->scale = (int8_t)power;
    return true;
}

static bool set_decimals(struct dun_file_config *file, const char *value)
{
    int64_t decimals;
    if (dun_value_integer(value, &decimals) != DUN_OK || decimals < 0 || decimals > DECIMALS_MAX) {
        return false;
    }
    file->decimals = (uint8_t)decimals;
    return true;
}

static bool set_kind(struct dun_file_config *file, const char *value)
{
    bool counter = strcmp(value, "counter") == 0;
    file->kind = counter ? DUN_COUNTER : DUN_GAUGE;
    return counter || strcmp(value, "gauge") == 0;
}

static bool set_interval(struct dun_file_config *file, const char *value)
{
    int64_t ms;
    if (dun_value_duration(value, &ms) != DUN_OK || ms < 100 || ms > 86400000) {
        return false;
    }
    file->interval_ms = ms;
    return true;
}

static bool set_path(struct dun_file_config *file, const char *value)
{
    return value[0] == '/' && copy_text(file->path, sizeof file->path, value);
}

static bool set_name(struct dun_file_config *file, const char *value)
{
    return copy_text(file->name, sizeof file->name, value);
}

static bool set_unit(struct dun_file_config *file, const char *value)
{
    return copy_text(file->unit, sizeof file->unit, value);
}

enum { PATH, NAME };

static const struct {
    const char *key;
    bool (*set)(struct dun_file_config *file, const char *value);
    const char *allowed;
} keys[] = {
    [PATH] = {"path", set_path, "must be an absolute path of at most 255 bytes"},
    [NAME] = {"name", set_name, "must be a metric name of 1 to 127 bytes"},
    {"unit", set_unit, "must be a UCUM unit of 1 to 31 bytes"},
    {"scale", set_scale, "must be a power of ten from 1e-18 to 1e18, such as 0.001"},
    {"decimals", set_decimals, "must be a whole number from 0 to 9"},
    {"kind", set_kind, "must be gauge or counter"},
    {"interval", set_interval, "must be a duration from 100ms to 24h"},
    {"attributes", set_attributes, "must be at most 4 pairs: key=value, key=value"},
};

void dun_file_set(struct dun_config *config, struct dun_file_config *file, const char *key,
                  const char *value, const struct dun_place *place)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!dun_key_same(keys[i].key, key)) {
            continue;
        }
        bool again = (file->given & 1u << i) != 0;
        file->given |= (uint16_t)(1u << i);
        if (again) {
            dun_config_blame(config, place);
            fprintf(config->errors, "%s: given before in this section\n", keys[i].key);
        } else if (!keys[i].set(file, value)) {
            dun_config_blame(config, place);
            fprintf(config->errors, "%s = ", keys[i].key);
            dun_config_print_raw(config->errors, value);
            fprintf(config->errors, ": %s\n", keys[i].allowed);
        }
        return;
    }
    dun_config_blame(config, place);
    dun_config_print_raw(config->errors, key);
    fputs(": no such key; there are", config->errors);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        fprintf(config->errors, " %s", keys[i].key);
    }
    fputc('\n', config->errors);
}

void dun_file_check(struct dun_config *config, struct dun_file_config *file)
{
    for (size_t i = PATH; i <= NAME; i++) {
        if ((file->given & 1u << i) == 0) {
            blame(config, file, file->line, keys[i].key, "is missing");
        }
    }
    if (file->decimals == DECIMALS_DEFAULT) {
        int least = file->kind == DUN_COUNTER ? 0 : 3;
        int wanted = -file->scale > least ? -file->scale : least;
        file->decimals = (uint8_t)(wanted < DECIMALS_MAX ? wanted : DECIMALS_MAX);
    }
    if (file->unit[0] == '\0') {
        strcpy(file->unit, "1");
    }
}

void dun_file_print(const struct dun_file_config *file, FILE *out)
{
    char interval[24];
    fprintf(out, "\n[file %s]\npath = %s\nname = %s\nunit = %s\nscale = 1e%d\ndecimals = %d\n",
            file->label, file->path, file->name, file->unit, file->scale, file->decimals);
    fprintf(out, "kind = %s\n", file->kind == DUN_COUNTER ? "counter" : "gauge");
    if (file->interval_ms != DUN_INTERVAL_INHERIT) {
        dun_value_print_duration(file->interval_ms, interval, sizeof interval);
        fprintf(out, "interval = %s\n", interval);
    }
    for (uint8_t i = 0; i < file->attribute_count; i++) {
        fprintf(out, "%s%s=%s", i == 0 ? "attributes = " : ", ", file->attributes[i].key,
                file->attributes[i].value);
    }
    fputs(file->attribute_count > 0 ? "\n" : "", out);
}
