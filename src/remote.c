/*
 * remote.c: see remote.h. On the shelf lie two records: the newest document, whatever became of it,
 * and the last good one. A record is a head of 8 bytes, the document, and a CRC-32C of both:
 *
 *     'D' 'C' 1 state tries 0 size[2] | document | crc[4]
 *
 * A document is good once the kept record is the same as the newest one: so each change of state is
 * one write, and power may fail before it or after it.
 */
#include "remote.h"

#include <string.h>

#include "crc32c.h"
#include "telemetry.pb.h"

#define HEAD        8u
#define TAIL        4u
#define AT_STATE    3
#define AT_TRIES    4
#define AT_SIZE     6
#define FORMAT      1
#define RESIDUE     0x48674BC7u /* what the CRC of anything with its own CRC behind it is */
#define SETTLE_PART 8 /* of the trial: so long a document is in force before an ack counts */

_Static_assert(HEAD + TAIL == DUN_REMOTE_EXTRA, "a record is a head, a document and a tail");

/// The shelf ///

static uint32_t record_size(const struct dun_remote *remote)
{
    const uint8_t *at = remote->record.data;
    return HEAD + at[AT_SIZE] + ((uint32_t)at[AT_SIZE + 1] << 8) + TAIL;
}

/* The record's document becomes the one in force, as soon as it is applied. */
static void show_document(struct dun_remote *remote)
{
    struct dun_span *document = &remote->settings.document;
    *document = (struct dun_span){remote->record.data + HEAD, record_size(remote) - HEAD - TAIL};
    if (!dun_settings_check(*document, &remote->running)) {
        document->size = 0;
        remote->running = 0;
    }
}

static uint32_t document_crc(const struct dun_remote *remote)
{
    return dun_crc32c(0, remote->settings.document.data, remote->settings.document.size);
}

static void clear_record(struct dun_remote *remote)
{
    memset(remote->record.data, 0, HEAD);
    memcpy(remote->record.data, (const uint8_t[]){'D', 'C', FORMAT}, 3);
    show_document(remote);
}

/* False: there is none, or not a whole one; then the record is an empty one. */
static bool load(struct dun_remote *remote, int slot)
{
    const uint8_t *at = remote->record.data;
    int size =
        remote->shelf ? remote->shelf->load(remote->shelf->context, slot, remote->record) : 0;
    bool whole = size >= (int)DUN_REMOTE_EXTRA && (size_t)size <= remote->record.size &&
                 memcmp(at, (const uint8_t[]){'D', 'C', FORMAT}, 3) == 0 &&
                 record_size(remote) == (uint32_t)size &&
                 dun_crc32c(0, at, (size_t)size) == RESIDUE;
    if (whole)
        show_document(remote);
    else
        clear_record(remote);
    return whole;
}

/* An error only means that less survives: `fleeting` tells. */
static bool save(struct dun_remote *remote, int slot)
{
    uint32_t size = record_size(remote);
    uint8_t *at = remote->record.data;
    at[AT_STATE] = (uint8_t)remote->state;
    uint32_t crc = dun_crc32c(0, at, size - TAIL);
    for (unsigned i = 0; i < TAIL; i++)
        at[size - TAIL + i] = (uint8_t)(crc >> 8 * i);
    return remote->shelf &&
           remote->shelf->save(remote->shelf->context, slot, (struct dun_span){at, size}) == DUN_OK;
}

/// The report ///

struct report {
    const struct dun_remote *remote;
    const struct dun_setting *setting;
};

static bool write_text(pb_ostream_t *out, uint32_t tag, struct dun_span text)
{
    return text.size == 0 ||
           (pb_encode_tag(out, PB_WT_STRING, tag) && pb_encode_string(out, text.data, text.size));
}

static bool write_outcome(pb_ostream_t *out, const void *context)
{
    const struct report *report = context;
    const struct dun_setting *setting = report->setting;
    int64_t range[2] = {0, 0};
    enum dun_outcome outcome = dun_settings_judge(&report->remote->settings, setting, range);
    bool ok = write_text(out, dunlin_v1_Outcome_key_tag, setting->key) &&
              write_text(out, dunlin_v1_Outcome_name_tag, setting->name) &&
              dun_wire_uint(out, dunlin_v1_Outcome_verdict_tag, outcome);
    if (ok && setting->has_value)
        ok = dun_wire_sint(out, dunlin_v1_Outcome_value_tag, setting->value);
    if (ok && setting->exponent != 0)
        ok = dun_wire_sint(out, dunlin_v1_Outcome_exponent_tag, setting->exponent);
    if (ok && outcome == DUN_OUTCOME_OUT_OF_RANGE)
        ok = dun_wire_sint(out, dunlin_v1_Outcome_low_tag, range[0]) &&
             dun_wire_sint(out, dunlin_v1_Outcome_high_tag, range[1]);
    return ok;
}

/* What is 0 is left out: there it means absent. */
static bool write_number(pb_ostream_t *out, uint32_t tag, uint64_t number)
{
    return number == 0 || dun_wire_uint(out, tag, number);
}

static bool write_report(pb_ostream_t *out, const void *context)
{
    const struct dun_remote *remote = context;
    struct dun_span document = remote->settings.document;
    struct dun_setting setting;
    if (!write_number(out, dunlin_v1_ConfigReport_version_tag, remote->version) ||
        !write_number(out, dunlin_v1_ConfigReport_running_tag, remote->running) ||
        !write_number(out, dunlin_v1_ConfigReport_state_tag, remote->state) ||
        !write_number(out, dunlin_v1_ConfigReport_refusal_tag, remote->refusal) ||
        !write_number(out, dunlin_v1_ConfigReport_refused_tag, remote->refused) ||
        !dun_wire_uint(out, dunlin_v1_ConfigReport_size_max_tag,
                       remote->record.size - DUN_REMOTE_EXTRA) ||
        !write_number(out, dunlin_v1_ConfigReport_volatile_config_tag, remote->fleeting))
        return false;
    while (dun_settings_next(&document, &setting)) {
        const struct report report = {remote, &setting};
        if (!dun_wire_message(out, dunlin_v1_ConfigReport_outcomes_tag, write_outcome, &report))
            return false;
    }
    return true;
}

static void tell(struct dun_remote *remote, dun_ms now)
{
    remote->report_ms = now;
    remote->told = true;
    dun_sender_report(&remote->settings.agent->sender);
}

static void note(struct dun_remote *remote, int error, uint8_t reason, uint64_t version)
{
    struct dun_notice notice = {
        .kind = DUN_NOTICE_CONFIG, .error = error, .reason = reason, .value = (int64_t)version};
    dun_notices_add(&remote->settings.agent->notices, &notice);
}

static void note_state(struct dun_remote *remote)
{
    note(remote, DUN_OK, (uint8_t)remote->state, remote->version);
}

static void note_refusal(struct dun_remote *remote)
{
    note(remote, DUN_E_REFUSED, (uint8_t)remote->refusal, remote->refused);
}

/// A document comes ///

static void begin_trial(struct dun_remote *remote, dun_ms now)
{
    remote->state = DUN_REMOTE_TRIAL;
    remote->record.data[AT_TRIES]++;
    remote->fleeting = remote->kept_void || !save(remote, DUN_REMOTE_SLOT_NEW);
    remote->since_ms = now;
    remote->asked = false;
    dun_settings_apply(&remote->settings, now);
}

/* The kept record of before a removal must not be what a later document falls back to. */
static void forget_kept(struct dun_remote *remote)
{
    if (remote->kept_void) {
        clear_record(remote);
        remote->kept_void = !save(remote, DUN_REMOTE_SLOT_KEPT);
    }
}

static void adopt(struct dun_remote *remote, struct dun_span payload, dun_ms now)
{
    forget_kept(remote);
    clear_record(remote);
    memcpy(remote->record.data + HEAD, payload.data, payload.size);
    remote->record.data[AT_SIZE] = (uint8_t)payload.size;
    remote->record.data[AT_SIZE + 1] = (uint8_t)(payload.size >> 8);
    show_document(remote);
    remote->version = remote->running;
    remote->crc = document_crc(remote);
    begin_trial(remote, now);
}

/* The document was taken away: all is as the device's own configuration says. */
static void remove_document(struct dun_remote *remote, dun_ms now)
{
    clear_record(remote);
    remote->state = DUN_REMOTE_LOCAL;
    remote->version = 0;
    remote->kept_void = true;
    remote->fleeting = !save(remote, DUN_REMOTE_SLOT_NEW);
    dun_settings_apply(&remote->settings, now);
}

/* Why the document is not taken; 0: it is. `*known`: it is the one that was taken last. */
static enum dun_remote_refusal refuse(struct dun_remote *remote, struct dun_span payload,
                                      bool *known)
{
    *known = false;
    remote->refused = 0;
    if (payload.size > remote->record.size - DUN_REMOTE_EXTRA || payload.size > UINT16_MAX)
        return DUN_REMOTE_TOO_LARGE;
    if (!dun_settings_check(payload, &remote->refused))
        return DUN_REMOTE_MALFORMED;
    if (remote->refused < remote->version)
        return DUN_REMOTE_OLD;
    *known = remote->refused == remote->version;
    if (*known && dun_crc32c(0, payload.data, payload.size) != remote->crc)
        return DUN_REMOTE_CHANGED;
    remote->refused = 0;
    return 0;
}

static void take(void *context, struct dun_span payload, dun_ms now)
{
    struct dun_remote *remote = context;
    enum dun_remote_refusal before = remote->refusal;
    bool known = false;
    remote->refusal = 0;
    if (payload.size == 0) {
        remote->refused = 0;
        if (remote->version == 0 && before == 0)
            return;
        remove_document(remote, now);
    } else {
        remote->refusal = refuse(remote, payload, &known);
        if (remote->refusal == 0 && known && before == 0)
            return;
        if (remote->refusal == 0 && !known)
            adopt(remote, payload, now);
    }
    if (remote->refusal != 0)
        note_refusal(remote);
    else
        note_state(remote);
    tell(remote, now);
}

/// The trial ///

static void keep(struct dun_remote *remote, dun_ms now)
{
    bool unsaved = remote->fleeting;
    remote->state = DUN_REMOTE_KEPT;
    /* In this order: power that fails between the two means another trial, not the document before
     * this one. */
    remote->fleeting =
        (unsaved && !save(remote, DUN_REMOTE_SLOT_NEW)) || !save(remote, DUN_REMOTE_SLOT_KEPT);
    remote->kept_void = remote->kept_void && remote->fleeting;
    note_state(remote);
    tell(remote, now);
}

/* From here on `version` is only remembered, so that it is not tried again. */
static void roll_back(struct dun_remote *remote, dun_ms now)
{
    remote->state = DUN_REMOTE_ROLLED_BACK;
    remote->fleeting = !save(remote, DUN_REMOTE_SLOT_NEW);
    if (remote->kept_void || !load(remote, DUN_REMOTE_SLOT_KEPT))
        clear_record(remote);
    dun_settings_apply(&remote->settings, now);
    note_state(remote);
    tell(remote, now);
}

static dun_ms judge_trial(struct dun_remote *remote, dun_ms now)
{
    uint32_t trial_ms = remote->settings.trial_now_ms;
    dun_ms settled_ms = remote->since_ms + trial_ms / SETTLE_PART;
    dun_ms end_ms = remote->since_ms + trial_ms;
    if (!remote->asked && now >= settled_ms) {
        remote->asked = true;
        tell(remote, now);
    }
    if (remote->settings.agent->sender.answered_ms >= settled_ms)
        keep(remote, now);
    else if (now >= end_ms)
        roll_back(remote, now);
    else
        return remote->asked ? end_ms : settled_ms;
    return DUN_MS_NEVER;
}

/// Start and step ///

/* What the newest record says of its document; the kept one is loaded meanwhile. */
static void resume(struct dun_remote *remote, enum dun_remote_state state, dun_ms now)
{
    remote->version = remote->running;
    remote->crc = document_crc(remote);
    bool kept = load(remote, DUN_REMOTE_SLOT_KEPT);
    if (kept && remote->running == remote->version && document_crc(remote) == remote->crc) {
        remote->state = DUN_REMOTE_KEPT;
    } else if (state == DUN_REMOTE_ROLLED_BACK) {
        remote->state = DUN_REMOTE_ROLLED_BACK;
    } else if (load(remote, DUN_REMOTE_SLOT_NEW)) {
        if (remote->record.data[AT_TRIES] < DUN_REMOTE_TRIES)
            begin_trial(remote, now);
        else
            roll_back(remote, now);
    } else { /* it cannot be read a second time */
        remote->version = 0;
    }
}

void dun_remote_start(struct dun_remote *remote, dun_ms now)
{
    struct dun_agent *agent = remote->settings.agent;
    DUN_ASSERT(remote->record.size > DUN_REMOTE_EXTRA);
    if (remote->settings.trial_ms == 0)
        remote->settings.trial_ms = DUN_REMOTE_TRIAL_MS;
    remote->settings.own_policy = (uint8_t)agent->store->config.overflow;
    for (uint16_t i = 0; i < agent->parts.sensor_count; i++)
        agent->parts.sensors[i].own_ms = agent->parts.sensors[i].interval_ms;
    remote->inbox = (struct dun_inbox){.context = remote, .take = take, .report = write_report};
    agent->sender.inbox = &remote->inbox;
    remote->state = DUN_REMOTE_LOCAL;
    if (load(remote, DUN_REMOTE_SLOT_NEW)) {
        enum dun_remote_state state = (enum dun_remote_state)remote->record.data[AT_STATE];
        if (state == DUN_REMOTE_LOCAL)
            remote->kept_void = true;
        else
            resume(remote, state, now);
    } else if (load(remote, DUN_REMOTE_SLOT_KEPT)) {
        remote->version = remote->running;
        remote->crc = document_crc(remote);
        remote->state = remote->running > 0 ? DUN_REMOTE_KEPT : DUN_REMOTE_LOCAL;
    }
    if (remote->version > 0)
        note_state(remote);
    dun_settings_apply(&remote->settings, now);
}

/* All that is subscribed with QoS 0 are documents, so what the uplink passed over was one. */
static void look_for_skipped(struct dun_remote *remote, dun_ms now)
{
    const struct dun_uplink *uplink = remote->settings.agent->sender.uplink;
    struct dun_uplink_stats stats;
    uplink->stats(uplink->context, &stats);
    if (stats.skipped_messages == remote->skipped)
        return;
    remote->skipped = stats.skipped_messages;
    remote->refusal = DUN_REMOTE_TOO_LARGE;
    remote->refused = 0;
    note_refusal(remote);
    tell(remote, now);
}

dun_ms dun_remote_step(struct dun_remote *remote, dun_ms now)
{
    const struct dun_sender *sender = &remote->settings.agent->sender;
    dun_ms deadline = DUN_MS_NEVER;
    /* WRITABLE or DOWN brings the next step. */
    if (dun_sender_is_reporting(sender))
        return DUN_MS_NEVER;
    look_for_skipped(remote, now);
    if (dun_settings_tune(&remote->settings) && remote->running > 0)
        tell(remote, now);
    if (remote->state == DUN_REMOTE_TRIAL)
        deadline = judge_trial(remote, now);
    if (remote->settings.report_ms > 0 && sender->state == DUN_SENDER_UP) {
        dun_ms due_ms = remote->report_ms + (dun_ms)remote->settings.report_ms;
        if (now >= due_ms)
            tell(remote, now);
        deadline = dun_ms_earlier(deadline, remote->report_ms + (dun_ms)remote->settings.report_ms);
    }
    bool told = remote->told;
    remote->told = false;
    return told ? now : deadline;
}
