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

struct dun_file_config *dun_file_section(struct dun_config *config, const char *label, int line)
{
    struct dun_file_config file = {
        .kind = DUN_GAUGE,
        .decimals = DECIMALS_DEFAULT,
        .interval_ms = DUN_INTERVAL_INHERIT,
    };
    if (!dun_section_begin(config, &file.section, "file", label, line)) {
        return NULL;
    }
    for (uint16_t i = 0; i < config->file_count; i++) {
        if (strcmp(config->files[i].section.label, label) == 0) {
            dun_section_blame(config, &file.section, line, "",
                              "there is a section of this name already");
            return NULL;
        }
    }
    if (config->file_count == DUN_FILES_MAX) {
        dun_section_blame(config, &file.section, line, "",
                          "too many [file] sections, at most 32 are allowed");
        return NULL;
    }
    config->files[config->file_count] = file;
    return &config->files[config->file_count++];
}

static bool set_attributes(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return dun_section_pairs(&file->attributes, value);
}

static bool set_scale(void *section, const char *value)
{
    struct dun_file_config *file = section;
    int power;
    if (dun_value_power(value, &power) != DUN_OK) {
        return false;
    }
    file->scale = (int8_t)power;
    return true;
}

static bool set_decimals(void *section, const char *value)
{
    struct dun_file_config *file = section;
    int64_t decimals;
    if (dun_value_integer(value, &decimals) != DUN_OK || decimals < 0 || decimals > DECIMALS_MAX) {
        return false;
    }
    file->decimals = (uint8_t)decimals;
    return true;
}

static bool set_kind(void *section, const char *value)
{
    struct dun_file_config *file = section;
    bool counter = strcmp(value, "counter") == 0;
    file->kind = counter ? DUN_COUNTER : DUN_GAUGE;
    return counter || strcmp(value, "gauge") == 0;
}

static bool set_interval(void *section, const char *value)
{
    struct dun_file_config *file = section;
    int64_t ms;
    if (dun_value_duration(value, &ms) != DUN_OK || ms < 100 || ms > 86400000) {
        return false;
    }
    file->interval_ms = ms;
    return true;
}

static bool set_path(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return value[0] == '/' && dun_section_text(file->path, sizeof file->path, value);
}

static bool set_name(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return dun_section_text(file->name, sizeof file->name, value);
}

static bool set_unit(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return dun_section_text(file->unit, sizeof file->unit, value);
}

enum { PATH, NAME };

static const struct dun_section_key keys[] = {
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
    dun_section_set(config, &file->section, keys, sizeof keys / sizeof keys[0], key, value, place);
}

void dun_file_check(struct dun_config *config, struct dun_file_config *file)
{
    for (size_t i = PATH; i <= NAME; i++) {
        if ((file->section.given & 1u << i) == 0) {
            dun_section_blame(config, &file->section, file->section.line, keys[i].key,
                              "is missing");
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
            file->section.label, file->path, file->name, file->unit, file->scale, file->decimals);
    fprintf(out, "kind = %s\n", file->kind == DUN_COUNTER ? "counter" : "gauge");
    if (file->interval_ms != DUN_INTERVAL_INHERIT) {
        dun_value_print_duration(file->interval_ms, interval, sizeof interval);
        fprintf(out, "interval = %s\n", interval);
    }
    dun_section_print_pairs(&file->attributes, out);
}
