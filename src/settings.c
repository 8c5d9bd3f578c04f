/*
 * settings.c: see settings.h. A setting is judged by what the agent has, each time it is asked, so
 * that nothing is kept of a document beside its bytes.
 */
#include "settings.h"

#include <string.h>

#include "fields.h"
#include "telemetry.pb.h"

#define DAY_MS        (24 * 60 * 60 * 1000)
#define EXPONENT_MAX  18
#define IS_METRIC(id) ((id) >= DUN_SETTING_RESOLUTION)

const char dun_setting_names[DUN_SETTING_COUNT][17] = {
    [DUN_SETTING_INTERVAL] = "interval",
    [DUN_SETTING_BATCH_POINTS] = "batch.points",
    [DUN_SETTING_BATCH_BYTES] = "batch.bytes",
    [DUN_SETTING_BATCH_AGE] = "batch.age",
    [DUN_SETTING_BACKFILL_PERCENT] = "backfill.percent",
    [DUN_SETTING_BACKFILL_RATE] = "backfill.rate",
    [DUN_SETTING_LOG_POLICY] = "log.policy",
    [DUN_SETTING_REPORT_INTERVAL] = "report.interval",
    [DUN_SETTING_TRIAL] = "trial",
    [DUN_SETTING_RESOLUTION] = "resolution",
    [DUN_SETTING_DEAD_BAND] = "dead_band",
    [DUN_SETTING_HEARTBEAT] = "heartbeat",
    [DUN_SETTING_LOW] = "low",
    [DUN_SETTING_HIGH] = "high",
};

/// Reading ///

static bool is(struct dun_span text, const char *wanted)
{
    size_t size = strlen(wanted);
    return text.size == size && (size == 0 || memcmp(text.data, wanted, size) == 0);
}

static uint8_t find_id(struct dun_span key)
{
    uint8_t id = 0;
    while (id < DUN_SETTING_COUNT && !is(key, dun_setting_names[id]))
        id++;
    return id;
}

/* What is said back in the report must be text there too. */
static bool take_text(const struct dun_field *field, struct dun_span *text)
{
    *text = field->bytes;
    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] < ' ' || text->data[i] > '~')
            return false;
    return field->has_bytes;
}

static bool read_setting(struct dun_span bytes, struct dun_setting *setting)
{
    struct dun_field field;
    int64_t exponent = 0;
    bool ok = true;
    int more;
    *setting = (struct dun_setting){0};
    while ((more = dun_fields_next(&bytes, &field)) > 0) {
        if (field.tag == dunlin_v1_Setting_key_tag)
            ok = ok && take_text(&field, &setting->key);
        else if (field.tag == dunlin_v1_Setting_name_tag)
            ok = ok && take_text(&field, &setting->name);
        else if (field.tag == dunlin_v1_Setting_exponent_tag)
            exponent = dun_field_signed(&field);
        else if (field.tag == dunlin_v1_Setting_value_tag) {
            setting->value = dun_field_signed(&field);
            setting->has_value = true;
        }
    }
    setting->id = find_id(setting->key);
    bool fits = exponent >= -EXPONENT_MAX && exponent <= EXPONENT_MAX;
    setting->exponent = (int8_t)(fits ? exponent : 0);
    return ok && fits && more == 0;
}

bool dun_settings_check(struct dun_span document, uint64_t *version)
{
    struct dun_field field;
    struct dun_setting setting;
    bool ok = true;
    int more;
    *version = 0;
    while ((more = dun_fields_next(&document, &field)) > 0) {
        if (field.tag == dunlin_v1_Config_version_tag && !field.has_bytes)
            *version = field.number;
        if (field.tag == dunlin_v1_Config_settings_tag)
            ok = ok && field.has_bytes && read_setting(field.bytes, &setting);
    }
    return ok && more == 0 && *version != 0;
}

bool dun_settings_next(struct dun_span *document, struct dun_setting *setting)
{
    struct dun_field field;
    while (dun_fields_next(document, &field) > 0)
        if (field.tag == dunlin_v1_Config_settings_tag)
            return read_setting(field.bytes, setting);
    return false;
}

/// Whom a name is for ///

/* `pattern` is a name, or the beginning of one and `*`; empty: every name. */
static bool fits(struct dun_span pattern, const char *name)
{
    if (pattern.size == 0)
        return true;
    if (pattern.data[pattern.size - 1] == '*')
        return strncmp(name, (const char *)pattern.data, pattern.size - 1) == 0;
    return is(pattern, name);
}

static bool has_attribute(const struct dun_metric *metric, struct dun_span key,
                          struct dun_span value)
{
    for (uint8_t i = 0; i < metric->attribute_count; i++)
        if (is(key, metric->attributes[i].key))
            return is(value, metric->attributes[i].value);
    return false;
}

/* Takes what stands before `mark` off the front of `text`, and the mark; all of it if there is no
 * mark. */
static struct dun_span take_until(struct dun_span *text, char mark)
{
    if (text->size == 0)
        return *text;
    const uint8_t *at = memchr(text->data, mark, text->size);
    struct dun_span head = {text->data, at ? (size_t)(at - text->data) : text->size};
    size_t used = head.size + (at != NULL);
    text->data += used;
    text->size -= used;
    return head;
}

/* NAME, or NAME{key=value,key=value}. */
static bool fits_metric(struct dun_span pattern, const struct dun_metric *metric)
{
    struct dun_span name = take_until(&pattern, '{');
    if (pattern.size > 0 && pattern.data[pattern.size - 1] == '}')
        pattern.size--;
    while (pattern.size > 0) {
        struct dun_span pair = take_until(&pattern, ',');
        struct dun_span key = take_until(&pair, '=');
        if (!has_attribute(metric, key, pair))
            return false;
    }
    return fits(name, metric->name);
}

static bool fits_any(const struct dun_settings *settings, const struct dun_setting *setting)
{
    const struct dun_agent *agent = settings->agent;
    for (uint16_t i = 0; setting->id == DUN_SETTING_INTERVAL && i < agent->parts.sensor_count; i++)
        if (fits(setting->name, agent->parts.sensors[i].name))
            return true;
    for (uint16_t i = 0; IS_METRIC(setting->id) && agent->parts.limits && i < settings->tuned; i++)
        if (fits_metric(setting->name, &agent->parts.catalog->metrics[i]))
            return true;
    return false;
}

/// Bounds ///

/* 0 is allowed beside the range where it means "off". */
static bool bounds(const struct dun_settings *settings, uint8_t id, int64_t range[2])
{
    const struct dun_agent *agent = settings->agent;
    uint32_t bytes_max = settings->bytes_max;
    range[0] = 1;
    range[1] = DAY_MS;
    switch (id) {
    case DUN_SETTING_INTERVAL:
        range[0] = 100;
        return true;
    case DUN_SETTING_BATCH_POINTS:
        range[1] = agent->parts.batch->capacity;
        return false;
    case DUN_SETTING_BATCH_BYTES:
        range[0] = 64;
        range[1] = bytes_max > 0 ? bytes_max : agent->config.batch_bytes_max;
        return false;
    case DUN_SETTING_BATCH_AGE:
        range[0] = 10;
        return false;
    case DUN_SETTING_BACKFILL_PERCENT:
        range[1] = 100;
        return false;
    case DUN_SETTING_BACKFILL_RATE:
        range[1] = UINT32_MAX;
        return true;
    case DUN_SETTING_LOG_POLICY:
        range[0] = DUN_LOG_DROP_OLDEST;
        range[1] = agent->archive ? DUN_LOG_THIN : DUN_LOG_DROP_NEWEST;
        return false;
    case DUN_SETTING_RESOLUTION:
    case DUN_SETTING_DEAD_BAND:
        range[1] = INT64_MAX;
        return true;
    case DUN_SETTING_LOW:
    case DUN_SETTING_HIGH:
        range[0] = INT64_MIN;
        range[1] = INT64_MAX;
        return true;
    case DUN_SETTING_HEARTBEAT:
    case DUN_SETTING_REPORT_INTERVAL:
        range[0] = 1000;
        return true;
    default:
        range[0] = 1000;
        return false;
    }
}

/* What the setting alone tells; APPLIED: if there is anything that it is for. */
static enum dun_outcome judge(const struct dun_settings *settings,
                              const struct dun_setting *setting, int64_t range[2])
{
    uint8_t id = setting->id;
    bool named = id == DUN_SETTING_INTERVAL || IS_METRIC(id);
    if (id == DUN_SETTING_COUNT)
        return DUN_OUTCOME_UNKNOWN;
    bool strict = settings->agent->config.strict_order &&
                  (id == DUN_SETTING_BACKFILL_PERCENT || id == DUN_SETTING_BACKFILL_RATE);
    if ((settings->withheld >> id & 1) != 0 || strict)
        return DUN_OUTCOME_WITHHELD;
    if ((!named && setting->name.size > 0) || (!IS_METRIC(id) && !setting->has_value) ||
        (setting->exponent != 0 && (!IS_METRIC(id) || id == DUN_SETTING_HEARTBEAT)))
        return DUN_OUTCOME_MALFORMED;
    bool off = bounds(settings, id, range) && setting->value == 0;
    if (!off && (setting->value < range[0] || setting->value > range[1]))
        return DUN_OUTCOME_OUT_OF_RANGE;
    return DUN_OUTCOME_APPLIED;
}

enum dun_outcome dun_settings_judge(const struct dun_settings *settings,
                                    const struct dun_setting *setting, int64_t range[2])
{
    enum dun_outcome outcome = judge(settings, setting, range);
    bool named = setting->id == DUN_SETTING_INTERVAL || IS_METRIC(setting->id);
    if (outcome == DUN_OUTCOME_APPLIED && named && !fits_any(settings, setting))
        outcome = DUN_OUTCOME_NO_MATCH;
    return outcome;
}

/* The next setting of the document that is to be applied. */
static bool next_good(const struct dun_settings *settings, struct dun_span *document,
                      struct dun_setting *setting)
{
    int64_t range[2];
    while (dun_settings_next(document, setting))
        if (judge(settings, setting, range) == DUN_OUTCOME_APPLIED)
            return true;
    return false;
}

/// Putting in force ///

/* value * 10^shift, rounded down or up, as far as 64 bits reach. */
static int64_t scaled(int64_t value, int shift, bool up)
{
    for (; shift > 0; shift--) {
        if (value > INT64_MAX / 10 || value < INT64_MIN / 10)
            return value < 0 ? INT64_MIN : INT64_MAX;
        value *= 10;
    }
    for (; shift < 0; shift++) {
        int64_t rest = value % 10;
        value = value / 10 + (up ? rest > 0 : -(rest < 0));
    }
    return value;
}

static void set_metric(struct dun_limit *limit, const struct dun_setting *setting,
                       const struct dun_metric *metric)
{
    struct dun_tuning *tuning = &limit->tuning;
    bool up = setting->id == DUN_SETTING_LOW || setting->id == DUN_SETTING_RESOLUTION;
    int64_t value = scaled(setting->value, setting->exponent - metric->exponent, up);
    if (setting->id == DUN_SETTING_RESOLUTION)
        tuning->resolution = value;
    else if (setting->id == DUN_SETTING_DEAD_BAND) {
        tuning->dead_band = value;
        tuning->sparse = setting->has_value;
    } else if (setting->id == DUN_SETTING_HEARTBEAT)
        tuning->heartbeat_ms = (uint32_t)setting->value;
    else {
        limit->low = limit->set ? limit->low : INT64_MIN;
        limit->high = limit->set ? limit->high : INT64_MAX;
        limit->set = true;
        if (setting->id == DUN_SETTING_LOW)
            limit->low = setting->has_value ? value : INT64_MIN;
        else
            limit->high = setting->has_value ? value : INT64_MAX;
    }
}

static void tune(const struct dun_settings *settings, uint16_t id)
{
    const struct dun_metric *metric = &settings->agent->parts.catalog->metrics[id];
    struct dun_limit *limit = &settings->agent->parts.limits[id];
    struct dun_span document = settings->document;
    struct dun_setting setting;
    limit->set = false;
    limit->side = 0;
    limit->tuning = (struct dun_tuning){0};
    if (settings->retune)
        settings->retune(settings->context, id);
    while (next_good(settings, &document, &setting))
        if (IS_METRIC(setting.id) && fits_metric(setting.name, metric))
            set_metric(limit, &setting, metric);
    limit->set = limit->set && limit->low <= limit->high;
}

bool dun_settings_tune(struct dun_settings *settings)
{
    uint16_t from = settings->tuned;
    settings->tuned = settings->agent->parts.catalog->count;
    for (uint16_t id = from; settings->agent->parts.limits && id < settings->tuned; id++)
        tune(settings, id);
    return settings->tuned != from;
}

static void set_intervals(const struct dun_settings *settings, dun_ms now)
{
    struct dun_agent *agent = settings->agent;
    for (uint16_t i = 0; i < agent->parts.sensor_count; i++) {
        struct dun_sensor *sensor = &agent->parts.sensors[i];
        struct dun_span document = settings->document;
        struct dun_setting setting;
        uint32_t interval_ms = sensor->own_ms;
        while (next_good(settings, &document, &setting))
            if (setting.id == DUN_SETTING_INTERVAL && fits(setting.name, sensor->name))
                interval_ms = (uint32_t)setting.value;
        if (interval_ms != sensor->interval_ms)
            dun_agent_pace(agent, sensor, interval_ms, now);
    }
}

static void set_policy(struct dun_agent *agent, enum dun_log_overflow policy)
{
    agent->store->config.overflow = policy;
    agent->store->log.overflow = (uint8_t)policy;
    agent->recorder.thinner = policy == DUN_LOG_THIN ? &agent->thinner : NULL;
}

void dun_settings_apply(struct dun_settings *settings, dun_ms now)
{
    struct dun_agent *agent = settings->agent;
    const struct dun_agent_config *own = &agent->config;
    struct dun_span document = settings->document;
    struct dun_setting setting;
    uint32_t values[DUN_SETTING_RESOLUTION] = {
        [DUN_SETTING_BATCH_POINTS] = own->batch_points_max,
        [DUN_SETTING_BATCH_BYTES] = own->batch_bytes_max,
        [DUN_SETTING_BATCH_AGE] = own->batch_age_max_ms,
        [DUN_SETTING_BACKFILL_PERCENT] = own->strict_order ? 0 : own->backfill_percent,
        [DUN_SETTING_BACKFILL_RATE] = own->backfill_bytes_s,
        [DUN_SETTING_LOG_POLICY] = settings->own_policy,
        [DUN_SETTING_TRIAL] = settings->trial_ms,
    };
    while (next_good(settings, &document, &setting))
        if (!IS_METRIC(setting.id))
            values[setting.id] = (uint32_t)setting.value;
    agent->recorder.limits.points_max = values[DUN_SETTING_BATCH_POINTS];
    agent->recorder.limits.bytes_max = values[DUN_SETTING_BATCH_BYTES];
    agent->recorder.limits.age_max_ms = values[DUN_SETTING_BATCH_AGE];
    agent->sender.outbox.config.backfill_percent = (uint8_t)values[DUN_SETTING_BACKFILL_PERCENT];
    agent->sender.outbox.config.backfill_bytes_s = values[DUN_SETTING_BACKFILL_RATE];
    settings->report_ms = values[DUN_SETTING_REPORT_INTERVAL];
    settings->trial_now_ms = values[DUN_SETTING_TRIAL];
    set_policy(agent, (enum dun_log_overflow)values[DUN_SETTING_LOG_POLICY]);
    set_intervals(settings, now);
    settings->tuned = agent->parts.catalog->count;
    for (uint16_t id = 0; agent->parts.limits && id < settings->tuned; id++)
        tune(settings, id);
}
