/*
 * config_limits.c: the keys of a [limit NAME] section, which says in what range a metric is usual:
 * a value that crosses a bound is urgent. Bounds are in the metric's unit and stay exact.
 */
#include "config_keys.h"

#include <string.h>

#define BOUND_ALLOWED "must be a number of at most 18 digits, such as 0.9 or -40"

struct dun_limit_config *dun_limit_section(struct dun_config *config, const char *label, int line)
{
    struct dun_limit_config limit = {.metric = ""};
    if (!dun_section_begin(config, &limit.section, "limit", label, line)) {
        return NULL;
    }
    for (uint16_t i = 0; i < config->limit_count; i++) {
        if (strcmp(config->limits[i].section.label, label) == 0) {
            dun_section_blame(config, &limit.section, line, "",
                              "there is a section of this name already");
            return NULL;
        }
    }
    if (config->limit_count == DUN_LIMITS_MAX) {
        dun_section_blame(config, &limit.section, line, "",
                          "too many [limit] sections, at most 32 are allowed");
        return NULL;
    }
    config->limits[config->limit_count] = limit;
    return &config->limits[config->limit_count++];
}

static bool set_metric(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    return dun_section_text(limit->metric, sizeof limit->metric, value);
}

static bool set_attributes(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    return dun_section_pairs(&limit->attributes, value);
}

/* A bound that is refused stays empty, so that nothing is compared with it. */
static bool set_bound(struct dun_exact *bound, char *text, size_t size, const char *value)
{
    if (strlen(value) >= size || dun_value_exact(value, bound) != DUN_OK) {
        return false;
    }
    strcpy(text, value);
    return true;
}

static bool set_low(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    return set_bound(&limit->low, limit->low_text, sizeof limit->low_text, value);
}

static bool set_high(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    return set_bound(&limit->high, limit->high_text, sizeof limit->high_text, value);
}

enum { METRIC, LOW, HIGH };

static const struct dun_section_key keys[] = {
    [METRIC] = {"metric", set_metric, "must be a metric name of 1 to 127 bytes"},
    [LOW] = {"low", set_low, BOUND_ALLOWED},
    [HIGH] = {"high", set_high, BOUND_ALLOWED},
    {"attributes", set_attributes, "must be at most 4 pairs: key=value, key=value"},
};

void dun_limit_set(struct dun_config *config, struct dun_limit_config *limit, const char *key,
                   const char *value, const struct dun_place *place)
{
    dun_section_set(config, &limit->section, keys, sizeof keys / sizeof keys[0], key, value, place);
}

void dun_limit_check(struct dun_config *config, const struct dun_limit_config *limit)
{
    const struct dun_section *section = &limit->section;
    if ((section->given & 1u << METRIC) == 0) {
        dun_section_blame(config, section, section->line, "metric", "is missing");
    }
    if ((section->given & (1u << LOW | 1u << HIGH)) == 0) {
        dun_section_blame(config, section, section->line, "low, high", "one of the two is needed");
    }
    if (limit->low_text[0] != '\0' && limit->high_text[0] != '\0' &&
        dun_value_compare(&limit->low, &limit->high) > 0) {
        dun_section_blame(config, section, section->line, "low", "must not be more than high");
    }
}

static bool has_attribute(const struct dun_metric *metric, const struct dun_attribute *wanted)
{
    for (uint8_t i = 0; i < metric->attribute_count; i++) {
        const struct dun_attribute *attribute = &metric->attributes[i];
        if (strcmp(attribute->key, wanted->key) == 0) {
            return strcmp(attribute->value, wanted->value) == 0;
        }
    }
    return false;
}

static bool is_meant(const struct dun_limit_config *limit, const struct dun_metric *metric)
{
    if (strcmp(limit->metric, metric->name) != 0) {
        return false;
    }
    for (uint8_t i = 0; i < limit->attributes.count; i++) {
        if (!has_attribute(metric, &limit->attributes.list[i])) {
            return false;
        }
    }
    return true;
}

const struct dun_limit_config *dun_limit_for(const struct dun_config *config,
                                             const struct dun_metric *metric)
{
    for (uint16_t i = 0; i < config->limit_count; i++) {
        if (is_meant(&config->limits[i], metric)) {
            return &config->limits[i];
        }
    }
    return NULL;
}

void dun_limit_print(const struct dun_limit_config *limit, FILE *out)
{
    fprintf(out, "\n[limit %s]\nmetric = %s\n", limit->section.label, limit->metric);
    dun_section_print_pairs(&limit->attributes, out);
    if (limit->low_text[0] != '\0') {
        fprintf(out, "low = %s\n", limit->low_text);
    }
    if (limit->high_text[0] != '\0') {
        fprintf(out, "high = %s\n", limit->high_text);
    }
}
