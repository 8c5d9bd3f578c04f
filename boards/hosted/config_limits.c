/*
 * config_limits.c: the keys of a [limit NAME] or [metric NAME] section. It says in what range a
 * metric is usual: a value that crosses a bound is urgent; and which values are worth sending. All
 * numbers are in the metric's unit and stay exact.
 */
#include "config_keys.h"

#include <stdio.h>
#include <string.h>

#define BOUND_ALLOWED "must be a number of at most 18 digits, such as 0.9 or -40"

#define RESOLUTION_ALLOWED "must be a number above 0 of at most 18 digits, such as 0.001"
#define DEAD_BAND_ALLOWED  "must be a number from 0 of at most 18 digits, such as 0.5"

struct dun_limit_config *dun_limit_section(struct dun_config *config, const char *kind,
                                           const char *label, int line)
{
    struct dun_limit_config limit = {.metric = ""};
    if (!dun_section_begin(config, &limit.section, kind, label, line)) {
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
                          "too many [limit] and [metric] sections, at most 32 are allowed");
        return NULL;
    }
    config->limits[config->limit_count] = limit;
    return &config->limits[config->limit_count++];
}

static bool set_metric(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    return dun_config_text(limit->metric, sizeof limit->metric, value);
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

static bool is_negative(const struct dun_exact *value)
{
    return value->whole < 0; /* the fraction never is */
}

static bool set_resolution(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    struct dun_exact exact;
    return dun_value_exact(value, &exact) == DUN_OK && !is_negative(&exact) &&
           (exact.whole > 0 || exact.fraction > 0) &&
           set_bound(&limit->resolution, limit->resolution_text, sizeof limit->resolution_text,
                     value);
}

static bool set_dead_band(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    struct dun_exact exact;
    return dun_value_exact(value, &exact) == DUN_OK && !is_negative(&exact) &&
           set_bound(&limit->dead_band, limit->dead_band_text, sizeof limit->dead_band_text, value);
}

static bool set_heartbeat(void *section, const char *value)
{
    struct dun_limit_config *limit = section;
    int64_t ms;
    if (dun_value_duration(value, &ms) != DUN_OK || ms < 1000 || ms > 86400000) {
        return false;
    }
    limit->heartbeat_ms = ms;
    return true;
}

enum { METRIC, LOW, HIGH, RESOLUTION, DEAD_BAND, HEARTBEAT };

static const struct dun_section_key keys[] = {
    [METRIC] = {"metric", set_metric, "must be a metric name of 1 to 127 bytes"},
    [LOW] = {"low", set_low, BOUND_ALLOWED},
    [HIGH] = {"high", set_high, BOUND_ALLOWED},
    [RESOLUTION] = {"resolution", set_resolution, RESOLUTION_ALLOWED},
    [DEAD_BAND] = {"dead_band", set_dead_band, DEAD_BAND_ALLOWED},
    [HEARTBEAT] = {"heartbeat", set_heartbeat, "must be a duration from 1s to 24h"},
    {"attributes", set_attributes,
     "must be at most 4 pairs of different keys: key=value, key=value"},
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
    unsigned bounds = 1u << LOW | 1u << HIGH;
    unsigned tunings = 1u << RESOLUTION | 1u << DEAD_BAND;
    if ((section->given & (bounds | tunings)) == 0) {
        dun_section_blame(config, section, section->line, "low, high, resolution, dead_band",
                          "one of them is needed");
    }
    if ((section->given & 1u << HEARTBEAT) != 0 && (section->given & 1u << DEAD_BAND) == 0) {
        dun_section_blame(config, section, section->line, "heartbeat", "needs a dead_band");
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
        const struct dun_limit_config *limit = &config->limits[i];
        bool bounded = limit->low_text[0] != '\0' || limit->high_text[0] != '\0';
        if (bounded && is_meant(limit, metric)) {
            return limit;
        }
    }
    return NULL;
}

const struct dun_limit_config *dun_tuning_for(const struct dun_config *config,
                                              const struct dun_metric *metric)
{
    for (uint16_t i = 0; i < config->limit_count; i++) {
        const struct dun_limit_config *limit = &config->limits[i];
        bool tuned = limit->resolution_text[0] != '\0' || limit->dead_band_text[0] != '\0';
        if (tuned && is_meant(limit, metric)) {
            return limit;
        }
    }
    return NULL;
}

static bool is_label(const struct dun_config *config, const char *label)
{
    for (uint16_t i = 0; i < config->limit_count; i++) {
        if (strcmp(config->limits[i].section.label, label) == 0) {
            return true;
        }
    }
    return false;
}

/* A profile is compiled in: what is wrong with it is left out, and seen by --print-config. What
 * that printed may be a file now, whose sections hold. */
void dun_limit_defaults(struct dun_config *config, const struct dun_config_limits *limits)
{
    for (size_t i = 0; i < limits->metric_count && config->exact == 0; i++) {
        if (config->limit_count == DUN_LIMITS_MAX) {
            return;
        }
        const struct dun_metric_default *given = &limits->metrics[i];
        struct dun_limit_config *limit = &config->limits[config->limit_count];
        *limit = (struct dun_limit_config){.section = {.kind = "metric"}};
        (void)snprintf(limit->section.label, sizeof limit->section.label, "profile-%zu", i);
        bool good = !is_label(config, limit->section.label) && set_metric(limit, given->metric);
        good = good && (given->resolution[0] == '\0' || set_resolution(limit, given->resolution));
        good = good && (given->dead_band[0] == '\0' || set_dead_band(limit, given->dead_band));
        good = good && (given->heartbeat[0] == '\0' || set_heartbeat(limit, given->heartbeat));
        config->limit_count = (uint16_t)(config->limit_count + good);
    }
}

void dun_limit_print(const struct dun_limit_config *limit, FILE *out)
{
    fprintf(out, "\n[%s %s]\nmetric = %s\n", limit->section.kind, limit->section.label,
            limit->metric);
    dun_section_print_pairs(&limit->attributes, out);
    if (limit->low_text[0] != '\0') {
        fprintf(out, "low = %s\n", limit->low_text);
    }
    if (limit->high_text[0] != '\0') {
        fprintf(out, "high = %s\n", limit->high_text);
    }
    if (limit->resolution_text[0] != '\0') {
        fprintf(out, "resolution = %s\n", limit->resolution_text);
    }
    if (limit->dead_band_text[0] != '\0') {
        fprintf(out, "dead_band = %s\n", limit->dead_band_text);
    }
    if (limit->heartbeat_ms > 0) {
        char text[24];
        dun_value_print_duration(limit->heartbeat_ms, text, sizeof text);
        fprintf(out, "heartbeat = %s\n", text);
    }
}
