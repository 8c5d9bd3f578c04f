/*
 * config_files.c: the keys of a [file NAME] section, which turns any path that holds a number or a
 * word into a metric. The number times `scale` is the value in `unit`; `decimals` of it are kept:
 * by default 3 of a gauge, none of a counter, and never fewer than `scale` has. With `type = real`
 * it is kept as the double that it is. A word is one of `states`, or of those that mean true and
 * false.
 */
#include "config_keys.h"

#include <string.h>

#include "value.h"

#define DECIMALS_MAX     9 /* and the scale of limits and tuning of doubles */
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

static const char *const kind_names[] = {
    [DUN_GAUGE] = "gauge",
    [DUN_COUNTER] = "counter",
    [DUN_STATE] = "state",
    [DUN_BOOLEAN] = "boolean",
};

static bool set_kind(void *section, const char *value)
{
    struct dun_file_config *file = section;
    for (uint8_t kind = DUN_GAUGE; kind <= DUN_BOOLEAN; kind++) {
        if (strcmp(value, kind_names[kind]) == 0) {
            file->kind = kind;
            return true;
        }
    }
    return false;
}

static bool set_type(void *section, const char *value)
{
    struct dun_file_config *file = section;
    file->real = strcmp(value, "real") == 0;
    return file->real || strcmp(value, "decimal") == 0;
}

static bool add_state(struct dun_file_config *file, char *name)
{
    name += strspn(name, " \t");
    size_t size = strlen(name);
    while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == '\t')) {
        name[--size] = '\0';
    }
    for (uint8_t i = 0; i < file->state_count; i++) {
        if (strcmp(file->states[i], name) == 0) {
            return false;
        }
    }
    if (size == 0 || file->state_count == DUN_STATES_MAX) {
        return false;
    }
    file->states[file->state_count++] = name;
    return true;
}

static bool set_states(void *section, const char *value)
{
    struct dun_file_config *file = section;
    if (!dun_config_text(file->states_text, sizeof file->states_text, value)) {
        return false;
    }
    bool good = true;
    for (char *name = file->states_text; good && name != NULL;) {
        char *comma = strchr(name, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        good = add_state(file, name);
        name = comma != NULL ? comma + 1 : NULL;
    }
    file->state_count = good ? file->state_count : 0;
    return good;
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
    return value[0] == '/' && dun_config_text(file->path, sizeof file->path, value);
}

static bool set_name(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return dun_config_text(file->name, sizeof file->name, value);
}

static bool set_unit(void *section, const char *value)
{
    struct dun_file_config *file = section;
    return dun_config_text(file->unit, sizeof file->unit, value);
}

enum { PATH, NAME, SCALE, DECIMALS, KIND, TYPE, STATES };

static const struct dun_section_key keys[] = {
    [PATH] = {"path", set_path, "must be an absolute path of at most 183 bytes"},
    [NAME] = {"name", set_name, "must be a metric name of 1 to 127 bytes"},
    [SCALE] = {"scale", set_scale, "must be a power of ten from 1e-18 to 1e18, such as 0.001"},
    [DECIMALS] = {"decimals", set_decimals, "must be a whole number from 0 to 9"},
    [KIND] = {"kind", set_kind, "must be gauge, counter, state or boolean"},
    [TYPE] = {"type", set_type, "must be decimal or real"},
    [STATES] = {"states", set_states, "must be 1 to 32 different names with commas between"},
    {"unit", set_unit, "must be a UCUM unit of 1 to 31 bytes"},
    {"interval", set_interval, "must be a duration from 100ms to 24h"},
    {"attributes", set_attributes,
     "must be at most 4 pairs of different keys: key=value, key=value"},
};

void dun_file_set(struct dun_config *config, struct dun_file_config *file, const char *key,
                  const char *value, const struct dun_place *place)
{
    dun_section_set(config, &file->section, keys, sizeof keys / sizeof keys[0], key, value, place);
}

static bool is_given(const struct dun_file_config *file, unsigned key)
{
    return (file->section.given & 1u << key) != 0;
}

/* Words have no scale, and only states have names; the names alone make it a state. */
static void check_kind(struct dun_config *config, struct dun_file_config *file)
{
    static const unsigned numeric[] = {SCALE, DECIMALS, TYPE};
    if (is_given(file, STATES) && !is_given(file, KIND)) {
        file->kind = DUN_STATE;
    }
    bool words = file->kind == DUN_STATE || file->kind == DUN_BOOLEAN;
    for (size_t i = 0; words && i < sizeof numeric / sizeof numeric[0]; i++) {
        if (is_given(file, numeric[i])) {
            dun_section_blame(config, &file->section, file->section.line, keys[numeric[i]].key,
                              "goes with numbers only, not with states or kind = boolean");
        }
    }
    if (is_given(file, STATES) != (file->kind == DUN_STATE)) {
        dun_section_blame(config, &file->section, file->section.line, "states",
                          "and kind = state need each other");
    }
    if (file->real && is_given(file, DECIMALS)) {
        dun_section_blame(config, &file->section, file->section.line, "decimals",
                          "does not go with type = real, which keeps all of them");
    }
}

void dun_file_check(struct dun_config *config, struct dun_file_config *file)
{
    for (size_t i = PATH; i <= NAME; i++) {
        if (!is_given(file, (unsigned)i)) {
            dun_section_blame(config, &file->section, file->section.line, keys[i].key,
                              "is missing");
        }
    }
    check_kind(config, file);
    if (file->real) {
        file->decimals = DECIMALS_MAX;
    } else if (file->decimals == DECIMALS_DEFAULT) {
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
    fprintf(out, "\n[file %s]\npath = %s\nname = %s\nunit = %s\nkind = %s\n", file->section.label,
            file->path, file->name, file->unit, kind_names[file->kind]);
    for (uint8_t i = 0; i < file->state_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "states = " : ",", file->states[i]);
    }
    if (file->kind == DUN_STATE) {
        fputc('\n', out);
    } else if (file->real) {
        fprintf(out, "type = real\nscale = 1e%d\n", file->scale);
    } else if (file->kind != DUN_BOOLEAN) {
        fprintf(out, "scale = 1e%d\ndecimals = %d\n", file->scale, file->decimals);
    }
    if (file->interval_ms != DUN_INTERVAL_INHERIT) {
        dun_value_print_duration(file->interval_ms, interval, sizeof interval);
        fprintf(out, "interval = %s\n", interval);
    }
    dun_section_print_pairs(&file->attributes, out);
}
