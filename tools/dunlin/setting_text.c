/* setting_text.c: see setting_text.h. No floating point: a decimal is an integer and an exponent.
 */
#include "setting_text.h"

#include <stdio.h>
#include <string.h>

enum kind { KIND_COUNT, KIND_DURATION, KIND_SIZE, KIND_POLICY, KIND_DECIMAL };

static const uint8_t kinds[DUN_SETTING_COUNT] = {
    [DUN_SETTING_INTERVAL] = KIND_DURATION,  [DUN_SETTING_BATCH_POINTS] = KIND_COUNT,
    [DUN_SETTING_BATCH_BYTES] = KIND_SIZE,   [DUN_SETTING_BATCH_AGE] = KIND_DURATION,
    [DUN_SETTING_BACKFILL_RATE] = KIND_SIZE, [DUN_SETTING_LOG_POLICY] = KIND_POLICY,
    [DUN_SETTING_TRIAL] = KIND_DURATION,     [DUN_SETTING_REPORT_INTERVAL] = KIND_DURATION,
    [DUN_SETTING_RESOLUTION] = KIND_DECIMAL, [DUN_SETTING_DEAD_BAND] = KIND_DECIMAL,
    [DUN_SETTING_HEARTBEAT] = KIND_DURATION, [DUN_SETTING_LOW] = KIND_DECIMAL,
    [DUN_SETTING_HIGH] = KIND_DECIMAL,
};

static const char *const policies[] = {"drop-oldest", "drop-newest", "thin"};
#define POLICIES ((int64_t)(sizeof policies / sizeof policies[0]))

struct unit {
    const char *name;
    int64_t factor;
};

/* The longest that fits comes first when a value is printed. */
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit sizes[] = {
    {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0}};

/// Reading ///

/* Digits with a sign and a point, and perhaps e and an exponent. Returns what follows them, or
 * NULL: no digit, or more than 18. */
static const char *read_decimal(const char *text, int64_t *value, int *exponent)
{
    bool negative = *text == '-';
    bool point = false;
    int digits = 0;
    *value = 0;
    *exponent = 0;
    text += *text == '-' || *text == '+';
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (digits == 18) {
            return NULL;
        }
        digits += *value != 0 || *text != '0';
        *value = *value * 10 + (*text - '0');
        *exponent -= point;
        if (*exponent < -18) {
            return NULL;
        }
    }
    bool any = (text[-1] >= '0' && text[-1] <= '9') || digits > 0;
    *value = negative ? -*value : *value;
    return any ? text : NULL;
}

/* Takes the zeros at the end away, so that one number has one form. */
static void trim(int64_t *value, int *exponent)
{
    while (*exponent < 0 && *value % 10 == 0) {
        *value /= 10;
        (*exponent)++;
    }
}

static bool read_number(const char *text, const struct unit *units, int64_t *number)
{
    int exponent;
    const char *end = read_decimal(text, number, &exponent);
    if (end == NULL || *number < 0) {
        return false;
    }
    trim(number, &exponent);
    bool bare = *end == '\0';
    while (units->name != NULL && strcmp(end, units->name) != 0) {
        units++;
    }
    if (units->name == NULL && !(bare && *number == 0)) {
        return false;
    }
    int64_t factor = units->name != NULL ? units->factor : 1;
    if (*number > INT64_MAX / factor) {
        return false;
    }
    *number *= factor;
    trim(number, &exponent);
    return exponent == 0; /* 1.5m is 90 s, 1.0005s is none */
}

static bool read_policy(const char *text, int64_t *value)
{
    for (*value = 0; *value < POLICIES; (*value)++) {
        if (strcmp(text, policies[*value]) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_value(struct dun_setting *setting, const char *text)
{
    static const struct unit none[] = {{"", 1}, {NULL, 0}};
    bool off = strcmp(text, "off") == 0 && setting->id != DUN_SETTING_LOW &&
               setting->id != DUN_SETTING_HIGH;
    int exponent = 0;
    setting->has_value = strcmp(text, "none") != 0;
    if (off || !setting->has_value) {
        return true;
    }
    switch (kinds[setting->id]) {
    case KIND_DURATION:
        return read_number(text, durations, &setting->value);
    case KIND_SIZE:
        return read_number(text, sizes, &setting->value);
    case KIND_POLICY:
        return read_policy(text, &setting->value);
    case KIND_COUNT:
        return read_number(text, none, &setting->value);
    default:
        text = read_decimal(text, &setting->value, &exponent);
        if (text == NULL || *text != '\0') {
            return false;
        }
        trim(&setting->value, &exponent);
        setting->exponent = (int8_t)exponent;
        return true;
    }
}

static const char *allowed(uint8_t id)
{
    switch (kinds[id]) {
    case KIND_DURATION:
        return "a duration such as 500ms, 5s, 1.5m, 1h, or off";
    case KIND_SIZE:
        return "a size such as 512, 64K, 1M";
    case KIND_POLICY:
        return "drop-oldest, drop-newest or thin";
    case KIND_COUNT:
        return "a whole number";
    default:
        return "a number of at most 18 digits such as -0.5, or none";
    }
}

/* Blanks off both ends, in place. */
static char *strip(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL) {
        size--;
    }
    text[size] = '\0';
    return text;
}

static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text <= '~') {
        text++;
    }
    return *text == '\0';
}

static uint8_t find_id(const char *key)
{
    uint8_t id = 0;
    while (id < DUN_SETTING_COUNT && strcmp(dun_setting_names[id], key) != 0) {
        id++;
    }
    return id;
}

static bool complain(char why[160], const char *format, const char *first, const char *second)
{
    (void)snprintf(why, 160, format, first, second);
    return false;
}

bool dun_assignment_parse(struct dun_assignment *assignment, const char *text, char why[160])
{
    struct dun_setting *setting = &assignment->setting;
    *setting = (struct dun_setting){0};
    if (strlen(text) >= sizeof assignment->text || !is_plain(text)) {
        return complain(why, "'%.40s' is too long, or not plain text%s", text, "");
    }
    strcpy(assignment->text, text);
    char *name = NULL;
    char *key = assignment->text;
    char *at = key + strcspn(key, "@=");
    char *equals = *at == '@' ? strrchr(at, '=') : strchr(at, '=');
    if (equals == NULL) {
        return complain(why, "'%.60s' is not KEY=VALUE or KEY@NAME=VALUE%s", text, "");
    }
    if (*at == '@') {
        *at = '\0';
        name = at + 1;
    }
    *equals = '\0';
    key = strip(key);
    char *value = strip(equals + 1);
    setting->id = find_id(key);
    setting->key = dun_span_of(key);
    setting->name = name != NULL ? dun_span_of(strip(name)) : (struct dun_span){NULL, 0};
    bool named = setting->id == DUN_SETTING_INTERVAL || setting->id >= DUN_SETTING_RESOLUTION;
    if (setting->id == DUN_SETTING_COUNT) {
        return complain(why, "there is no setting '%.40s'; --help lists them%s", key, "");
    }
    if (!named && setting->name.size > 0) {
        return complain(why, "'%s' takes no @NAME%s", key, "");
    }
    if (setting->id >= DUN_SETTING_RESOLUTION && setting->name.size == 0) {
        return complain(why, "'%s' needs @METRIC; @* is for all%s", key, "");
    }
    assignment->remove = strcmp(value, "default") == 0;
    if (assignment->remove || read_value(setting, value)) {
        return true;
    }
    return complain(why, "'%.60s' is not %s", value, allowed(setting->id));
}

/// Printing ///

static void print_unit(struct dun_out *out, int64_t value, const struct unit *unit)
{
    while (unit[1].name != NULL && (value == 0 || value % unit->factor != 0)) {
        unit++;
    }
    dun_out_i64(out, value / unit->factor);
    dun_out_text(out, unit->name);
}

void dun_setting_print_value(struct dun_out *out, const struct dun_setting *setting)
{
    int kind = setting->id < DUN_SETTING_COUNT ? kinds[setting->id] : KIND_DECIMAL;
    int64_t value = setting->value;
    if (!setting->has_value) {
        dun_out_text(out, "none");
    } else if (kind == KIND_DURATION && value == 0) {
        dun_out_text(out, "off");
    } else if (kind == KIND_POLICY && value >= 0 && value < POLICIES) {
        dun_out_text(out, policies[value]);
    } else if (kind == KIND_DURATION || kind == KIND_SIZE) {
        print_unit(out, value, kind == KIND_SIZE ? sizes : durations);
    } else {
        dun_out_decimal(out, value, setting->exponent);
    }
}

void dun_setting_print_key(struct dun_out *out, const struct dun_setting *setting)
{
    dun_out_span(out, setting->key);
    if (setting->name.size > 0) {
        dun_out_text(out, "@");
        dun_out_span(out, setting->name);
    }
}
