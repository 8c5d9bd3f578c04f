/*
 * config_show.c: what `dunlin config` prints: lines for people, or JSON lines. What devices and
 * strangers wrote is checked to be printable before it gets here.
 */
#include <string.h>

#include "config.h"

const char *dun_config_progress_word(enum dun_config_progress progress)
{
    static const char *const words[DUN_CONFIG_PROGRESS_COUNT] = {
        [DUN_CONFIG_IDLE] = "idle",          [DUN_CONFIG_SENDING] = "unpublished",
        [DUN_CONFIG_WAITING] = "waiting",    [DUN_CONFIG_TRIAL] = "trial",
        [DUN_CONFIG_APPLIED] = "applied",    [DUN_CONFIG_PARTLY] = "partly",
        [DUN_CONFIG_ROLLED] = "rolled_back", [DUN_CONFIG_REFUSED] = "refused",
        [DUN_CONFIG_TOO_LARGE] = "too_large"};
    return words[progress];
}

static void pad(struct dun_out *out, const char *text, size_t width)
{
    dun_out_text(out, text);
    for (size_t size = strlen(text); size < width; size++) {
        dun_out_text(out, " ");
    }
}

/// One setting ///

static void show_verdict(struct dun_out *out, const struct dun_reported *reported)
{
    struct dun_setting bound = reported->setting;
    dun_out_text(out, "  ");
    dun_out_text(out, dun_verdict_word(reported->verdict));
    if (reported->verdict == DUN_OUTCOME_OUT_OF_RANGE) {
        dun_out_text(out, ": ");
        bound.has_value = true;
        bound.value = reported->low;
        dun_setting_print_value(out, &bound);
        if (reported->high != INT64_MAX) {
            dun_out_text(out, " to ");
            bound.value = reported->high;
            dun_setting_print_value(out, &bound);
        }
    }
}

static void show_setting(struct dun_out *out, const struct dun_setting *setting)
{
    dun_out_text(out, "  ");
    dun_setting_print_key(out, setting);
    dun_out_text(out, " = ");
    dun_setting_print_value(out, setting);
}

/* What the device says of this very setting; false: nothing. */
static bool find_reported(struct dun_span report, const struct dun_setting *setting,
                          struct dun_reported *reported)
{
    bool found = false;
    struct dun_reported at;
    while (dun_reported_next(&report, &at)) {
        if (dun_span_equal(at.setting.key, setting->key) &&
            dun_span_equal(at.setting.name, setting->name)) {
            *reported = at;
            found = true;
        }
    }
    return found;
}

/// One device ///

static void show_head(struct dun_out *out, const struct dun_config_device *device, bool known,
                      const struct dun_config_report *report)
{
    dun_out_text(out, device->base);
    if (device->status[0] != '\0') {
        dun_out_text(out, "  ");
        dun_out_text(out, device->status);
    }
    if (!known) {
        dun_out_text(out, device->report == NULL ? "  no report" : "  a report that is none");
    } else {
        dun_out_text(out, "  ");
        dun_out_text(out, dun_state_word(report->state));
        if (report->running != 0) {
            dun_out_text(out, ", version ");
            dun_out_u64(out, report->running);
            dun_out_text(out, " in force");
        }
        if (report->state == DUN_REMOTE_ROLLED_BACK) {
            dun_out_text(out, ", version ");
            dun_out_u64(out, report->version);
            dun_out_text(out, " rolled back");
        }
        if (report->refusal != 0) {
            dun_out_text(out, ", version ");
            dun_out_u64(out, report->refused);
            dun_out_text(out, " refused: ");
            dun_out_text(out, dun_refusal_word(report->refusal));
        }
        dun_out_text(out, report->fleeting ? ", not durable" : "");
    }
    dun_out_text(out, "\n");
}

static void show_document(struct dun_out *out, const struct dun_config_device *device, bool current,
                          bool only_bad)
{
    struct dun_span document = dun_config_document(device);
    struct dun_setting setting;
    struct dun_reported reported;
    while (dun_settings_next(&document, &setting)) {
        bool told = current && find_reported(dun_config_report_of(device), &setting, &reported);
        if (only_bad && told && reported.verdict == DUN_OUTCOME_APPLIED) {
            continue;
        }
        show_setting(out, &setting);
        if (told) {
            show_verdict(out, &reported);
        } else {
            dun_out_text(out, "  not in force");
        }
        dun_out_text(out, "\n");
    }
}

void dun_config_show(struct dun_out *out, const struct dun_config_device *device, bool json)
{
    struct dun_config_report report = {0};
    struct dun_span document = dun_config_document(device), id = dun_span_of(device->id);
    bool known = dun_report_parse(&report, dun_config_report_of(device)) && device->report != NULL;
    uint64_t version = 0;
    bool desired = dun_settings_check(document, &version);
    if (json) {
        (void)dun_desired_json(out, id, document);
        if (known) {
            (void)dun_report_json(out, id, dun_config_report_of(device));
        }
        return;
    }
    show_head(out, device, known, &report);
    if (document.size > 0 && !desired) {
        dun_out_text(out, "  the document is none\n");
    }
    if (desired) {
        show_document(out, device, known && report.running == version, false);
    }
}

bool dun_config_show_diff(struct dun_out *out, const struct dun_config_device *device, bool json)
{
    struct dun_config_report report = {0};
    bool known = dun_report_parse(&report, dun_config_report_of(device)) && device->report != NULL;
    uint64_t version = 0;
    bool desired = dun_settings_check(dun_config_document(device), &version);
    bool none = device->config_size == 0 && report.running == 0;
    if (none || dun_config_is_applied(device)) {
        return true;
    }
    if (json) {
        dun_config_show(out, device, true);
        return false;
    }
    show_head(out, device, known, &report);
    if (desired) {
        show_document(out, device, known && report.running == version, true);
    } else {
        dun_out_text(out, device->config_size == 0 ? "  no document is desired any more\n"
                                                   : "  the document is none\n");
    }
    return false;
}

static void progress_json(struct dun_out *out, const struct dun_config_device *device)
{
    struct dun_span outcomes = dun_config_report_of(device);
    struct dun_reported reported;
    const char *comma = "";
    bool spoke = device->progress >= DUN_CONFIG_TRIAL && device->progress <= DUN_CONFIG_PARTLY;
    dun_out_text(out, "{\"type\":\"config_progress\",\"device\":");
    dun_out_json(out, dun_span_of(device->id));
    dun_out_text(out, ",\"topic\":");
    dun_out_json(out, dun_span_of(device->base));
    dun_out_text(out, ",\"version\":");
    dun_out_u64(out, device->wanted);
    dun_out_text(out, ",\"progress\":\"");
    dun_out_text(out, dun_config_progress_word(device->progress));
    dun_out_text(out, "\",\"refused\":[");
    while (spoke && dun_reported_next(&outcomes, &reported)) {
        if (reported.verdict != DUN_OUTCOME_APPLIED) {
            dun_out_text(out, comma);
            dun_out_text(out, "{\"key\":");
            dun_out_json(out, reported.setting.key);
            dun_out_text(out, ",\"name\":");
            dun_out_json(out, reported.setting.name);
            dun_out_text(out, ",\"verdict\":\"");
            dun_out_text(out, dun_verdict_word(reported.verdict));
            dun_out_text(out, "\"}");
            comma = ",";
        }
    }
    dun_out_text(out, "]}\n");
}

void dun_config_show_progress(struct dun_out *out, const struct dun_config_device *device,
                              bool json)
{
    if (json) {
        progress_json(out, device);
        return;
    }
    pad(out, dun_config_progress_word(device->progress), 12);
    dun_out_text(out, " ");
    dun_out_text(out, device->base);
    dun_out_text(out, "  version ");
    dun_out_u64(out, device->wanted);
    dun_out_text(out, device->status[0] != '\0' ? ", " : "");
    dun_out_text(out, device->status);
    dun_out_text(out, "\n");
    if (device->progress == DUN_CONFIG_PARTLY) {
        show_document(out, device, true, true);
    }
}
