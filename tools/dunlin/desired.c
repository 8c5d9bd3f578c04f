/* desired.c: see desired.h. */
#include "desired.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "telemetry.pb.h"
#include "wire.h"

/// Reports ///

static bool is_plain(struct dun_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool read_outcome(struct dun_span bytes, struct dun_reported *reported)
{
    struct dun_setting *setting = &reported->setting;
    struct dun_field field;
    int64_t exponent = 0;
    int more;
    *reported = (struct dun_reported){.setting.id = 0};
    while ((more = dun_fields_next(&bytes, &field)) > 0) {
        switch (field.tag) {
        case dunlin_v1_Outcome_key_tag:
            setting->key = field.bytes;
            break;
        case dunlin_v1_Outcome_name_tag:
            setting->name = field.bytes;
            break;
        case dunlin_v1_Outcome_verdict_tag:
            reported->verdict = field.number;
            break;
        case dunlin_v1_Outcome_value_tag:
            setting->has_value = true;
            setting->value = dun_field_signed(&field);
            break;
        case dunlin_v1_Outcome_exponent_tag:
            exponent = dun_field_signed(&field);
            break;
        case dunlin_v1_Outcome_low_tag:
            reported->low = dun_field_signed(&field);
            break;
        case dunlin_v1_Outcome_high_tag:
            reported->high = dun_field_signed(&field);
            break;
        default:
            break;
        }
    }
    while (setting->id < DUN_SETTING_COUNT &&
           !dun_span_equal(setting->key, dun_span_of(dun_setting_names[setting->id]))) {
        setting->id++;
    }
    setting->exponent = (int8_t)exponent;
    return more == 0 && exponent >= -18 && exponent <= 18 && is_plain(setting->key) &&
           is_plain(setting->name);
}

bool dun_reported_next(struct dun_span *outcomes, struct dun_reported *reported)
{
    struct dun_field field;
    while (dun_fields_next(outcomes, &field) > 0) {
        if (field.tag == dunlin_v1_ConfigReport_outcomes_tag) {
            return read_outcome(field.bytes, reported);
        }
    }
    return false;
}

static bool take_outcome(struct dun_config_report *report, const struct dun_field *field)
{
    struct dun_reported reported;
    bool ok = field->has_bytes && read_outcome(field->bytes, &reported);
    bool good = ok && reported.verdict == DUN_OUTCOME_APPLIED;
    report->good += good;
    report->bad += !good;
    return ok;
}

bool dun_report_parse(struct dun_config_report *report, struct dun_span payload)
{
    struct dun_field field;
    bool ok = true;
    int more;
    *report = (struct dun_config_report){.outcomes = payload};
    while ((more = dun_fields_next(&payload, &field)) > 0) {
        switch (field.tag) {
        case dunlin_v1_ConfigReport_version_tag:
            report->version = field.number;
            break;
        case dunlin_v1_ConfigReport_running_tag:
            report->running = field.number;
            break;
        case dunlin_v1_ConfigReport_state_tag:
            report->state = field.number;
            break;
        case dunlin_v1_ConfigReport_outcomes_tag:
            ok = ok && take_outcome(report, &field);
            break;
        case dunlin_v1_ConfigReport_refusal_tag:
            report->refusal = field.number;
            break;
        case dunlin_v1_ConfigReport_refused_tag:
            report->refused = field.number;
            break;
        case dunlin_v1_ConfigReport_size_max_tag:
            report->size_max = field.number;
            break;
        case dunlin_v1_ConfigReport_volatile_config_tag:
            report->fleeting = field.number != 0;
            break;
        default:
            break;
        }
    }
    return ok && more == 0;
}

const char *dun_verdict_word(uint64_t verdict)
{
    static const char *const words[] = {
        [DUN_OUTCOME_APPLIED] = "applied",           [DUN_OUTCOME_UNKNOWN] = "unknown",
        [DUN_OUTCOME_WITHHELD] = "withheld",         [DUN_OUTCOME_MALFORMED] = "malformed",
        [DUN_OUTCOME_OUT_OF_RANGE] = "out_of_range", [DUN_OUTCOME_NO_MATCH] = "no_match"};
    return verdict >= 1 && verdict < sizeof words / sizeof words[0] ? words[verdict] : "?";
}

const char *dun_state_word(uint64_t state)
{
    static const char *const words[] = {[DUN_REMOTE_LOCAL] = "local",
                                        [DUN_REMOTE_TRIAL] = "trial",
                                        [DUN_REMOTE_KEPT] = "kept",
                                        [DUN_REMOTE_ROLLED_BACK] = "rolled_back"};
    return state >= 1 && state < sizeof words / sizeof words[0] ? words[state] : "?";
}

const char *dun_refusal_word(uint64_t refusal)
{
    static const char *const words[] = {[DUN_REMOTE_MALFORMED] = "malformed",
                                        [DUN_REMOTE_TOO_LARGE] = "too_large",
                                        [DUN_REMOTE_OLD] = "old",
                                        [DUN_REMOTE_CHANGED] = "changed"};
    return refusal >= 1 && refusal < sizeof words / sizeof words[0] ? words[refusal] : "?";
}

/// Documents ///

static bool write_text(pb_ostream_t *out, uint32_t tag, struct dun_span text)
{
    return text.size == 0 ||
           (pb_encode_tag(out, PB_WT_STRING, tag) && pb_encode_string(out, text.data, text.size));
}

static bool write_setting(pb_ostream_t *out, const void *context)
{
    const struct dun_setting *setting = context;
    return write_text(out, dunlin_v1_Setting_key_tag, setting->key) &&
           write_text(out, dunlin_v1_Setting_name_tag, setting->name) &&
           (!setting->has_value ||
            dun_wire_sint(out, dunlin_v1_Setting_value_tag, setting->value)) &&
           (setting->exponent == 0 ||
            dun_wire_sint(out, dunlin_v1_Setting_exponent_tag, setting->exponent));
}

static bool same_key(const struct dun_setting *a, const struct dun_setting *b)
{
    return dun_span_equal(a->key, b->key) && dun_span_equal(a->name, b->name);
}

static bool is_named(const struct dun_setting *setting, struct dun_assignment *const *assignments,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same_key(setting, &assignments[i]->setting)) {
            return true;
        }
    }
    return false;
}

/* What is for fewer comes behind what is for more, so that it holds. */
static size_t rank(const struct dun_setting *setting)
{
    struct dun_span name = setting->name;
    if (name.size == 0) {
        return 0;
    }
    if (memchr(name.data, '{', name.size) != NULL) {
        return 2 * DUN_DESIRED_MAX;
    }
    return name.data[name.size - 1] == '*' ? name.size : DUN_DESIRED_MAX;
}

static int compare(const void *left, const void *right)
{
    const struct dun_setting *a = left, *b = right;
    size_t size = a->key.size < b->key.size ? a->key.size : b->key.size;
    int order = size > 0 ? memcmp(a->key.data, b->key.data, size) : 0;
    if (order != 0 || a->key.size != b->key.size) {
        return order != 0 ? order : a->key.size < b->key.size ? -1 : 1;
    }
    size_t rank_a = rank(a), rank_b = rank(b);
    if (rank_a != rank_b) {
        return rank_a < rank_b ? -1 : 1;
    }
    size = a->name.size < b->name.size ? a->name.size : b->name.size;
    order = size > 0 ? memcmp(a->name.data, b->name.data, size) : 0;
    return order != 0 ? order : (a->name.size > b->name.size) - (a->name.size < b->name.size);
}

static bool add(struct dun_list *settings, const struct dun_setting *setting)
{
    struct dun_setting *item = dun_list_add(settings, sizeof *item);
    if (item != NULL) {
        *item = *setting;
    }
    return item != NULL;
}

static bool gather(struct dun_list *settings, struct dun_span old,
                   struct dun_assignment *const *assignments, size_t count)
{
    struct dun_setting setting;
    bool ok = true;
    while (ok && dun_settings_next(&old, &setting)) {
        ok = is_named(&setting, assignments, count) || add(settings, &setting);
    }
    for (size_t i = 0; i < count && ok; i++) {
        const struct dun_setting *given = &assignments[i]->setting;
        bool again = is_named(given, assignments + i + 1, count - i - 1);
        ok = assignments[i]->remove || again || add(settings, given);
    }
    return ok;
}

size_t dun_desired_write(struct dun_buffer to, uint64_t version, struct dun_span old,
                         struct dun_assignment *const *assignments, size_t count)
{
    struct dun_list settings = {NULL, 0, 0};
    pb_ostream_t out = pb_ostream_from_buffer(to.data, to.size);
    bool ok = gather(&settings, old, assignments, count) &&
              dun_wire_uint(&out, dunlin_v1_Config_version_tag, version);
    struct dun_setting *items = settings.items;
    if (ok && settings.count > 0) {
        qsort(items, settings.count, sizeof *items, compare);
    }
    for (size_t i = 0; i < settings.count && ok; i++) {
        ok = dun_wire_message(&out, dunlin_v1_Config_settings_tag, write_setting, &items[i]);
    }
    free(settings.items);
    return ok ? out.bytes_written : 0;
}

bool dun_desired_same(struct dun_span a, struct dun_span b)
{
    struct dun_setting left, right;
    bool has_left, has_right;
    do {
        has_left = dun_settings_next(&a, &left);
        has_right = dun_settings_next(&b, &right);
        if (has_left && has_right &&
            (!same_key(&left, &right) || left.has_value != right.has_value ||
             left.value != right.value || left.exponent != right.exponent)) {
            return false;
        }
    } while (has_left && has_right);
    return has_left == has_right;
}

/// JSON lines ///

static void json_text(struct dun_out *out, const char *key, const char *value)
{
    dun_out_text(out, key);
    if (value == NULL) {
        dun_out_text(out, "null");
    } else {
        dun_out_json(out, dun_span_of(value));
    }
}

static void json_number(struct dun_out *out, const char *key, uint64_t value)
{
    dun_out_text(out, key);
    if (value == 0) {
        dun_out_text(out, "null");
    } else {
        dun_out_u64(out, value);
    }
}

static void json_setting(struct dun_out *out, const struct dun_setting *setting)
{
    dun_out_text(out, "{\"key\":");
    dun_out_json(out, setting->key);
    if (setting->name.size > 0) {
        dun_out_text(out, ",\"name\":");
        dun_out_json(out, setting->name);
    }
    dun_out_text(out, ",\"value\":");
    if (setting->has_value) {
        dun_out_decimal(out, setting->value, setting->exponent);
    } else {
        dun_out_text(out, "null");
    }
}

bool dun_desired_json(struct dun_out *out, struct dun_span device, struct dun_span payload)
{
    struct dun_setting setting;
    uint64_t version;
    const char *comma = "";
    if (!dun_settings_check(payload, &version)) {
        return false;
    }
    dun_out_text(out, "{\"type\":\"config\",\"device\":");
    dun_out_json(out, device);
    json_number(out, ",\"version\":", version);
    dun_out_text(out, ",\"settings\":[");
    while (dun_settings_next(&payload, &setting)) {
        dun_out_text(out, comma);
        json_setting(out, &setting);
        dun_out_text(out, "}");
        comma = ",";
    }
    dun_out_text(out, "]}\n");
    return true;
}

static void json_outcomes(struct dun_out *out, struct dun_span outcomes)
{
    struct dun_reported reported;
    const char *comma = "";
    while (dun_reported_next(&outcomes, &reported)) {
        dun_out_text(out, comma);
        json_setting(out, &reported.setting);
        json_text(out, ",\"verdict\":", dun_verdict_word(reported.verdict));
        if (reported.verdict == DUN_OUTCOME_OUT_OF_RANGE) {
            dun_out_text(out, ",\"low\":");
            dun_out_i64(out, reported.low);
            dun_out_text(out, ",\"high\":");
            dun_out_i64(out, reported.high);
        }
        dun_out_text(out, "}");
        comma = ",";
    }
}

bool dun_report_json(struct dun_out *out, struct dun_span device, struct dun_span payload)
{
    struct dun_config_report report;
    if (!dun_report_parse(&report, payload)) {
        return false;
    }
    dun_out_text(out, "{\"type\":\"config_report\",\"device\":");
    dun_out_json(out, device);
    json_number(out, ",\"version\":", report.version);
    json_number(out, ",\"running\":", report.running);
    json_text(out, ",\"state\":", dun_state_word(report.state));
    json_text(out, ",\"refusal\":", report.refusal != 0 ? dun_refusal_word(report.refusal) : NULL);
    json_number(out, ",\"refused\":", report.refused);
    json_number(out, ",\"size_max\":", report.size_max);
    dun_out_text(out, report.fleeting ? ",\"volatile\":true" : ",\"volatile\":false");
    dun_out_text(out, ",\"settings\":[");
    json_outcomes(out, report.outcomes);
    dun_out_text(out, "]}\n");
    return true;
}
