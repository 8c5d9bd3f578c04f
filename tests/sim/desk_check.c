/*
 * desk_check.c: what the device makes of the desk's documents. After each call into it: what it
 * runs was written by the desk, what is in force is what that says, a trial ends in its time, and
 * what was kept is still there after the power was gone. Of each report: it tells just that.
 */
#include <string.h>

#include "sim.h"

#define DAY_MS      (24 * 60 * 60 * (dun_ms)1000)
#define PATIENCE    (10 * 60 * (dun_ms)1000) /* beyond a trial: a report under way may hold it up */
#define TRIES_MAX   3
#define BYTES_LEAST 64

enum { LOCAL = 1, TRIAL, KEPT, ROLLED_BACK }; /* ConfigState */
enum { APPLIED = 1, UNKNOWN, WITHHELD, MALFORMED, OUT_OF_RANGE, NO_MATCH };

typedef unsigned long long ull;

/// What a document means ///

static bool may_be_zero(enum desk_key key)
{
    return key == DESK_INTERVAL || key == DESK_RATE || key == DESK_REPORT;
}

static void range_of(enum desk_key key, int64_t range[2])
{
    const struct scenario *s = &sim_run->scenario;
    const int64_t ranges[DESK_UNKNOWN][2] = {
        [DESK_INTERVAL] = {100, DAY_MS},
        [DESK_POINTS] = {1, s->batch_capacity},
        [DESK_BYTES] = {BYTES_LEAST, s->agent.batch_bytes_max},
        [DESK_AGE] = {10, DAY_MS},
        [DESK_PERCENT] = {1, 100},
        [DESK_RATE] = {1, UINT32_MAX},
        [DESK_POLICY] = {0, s->overflow == DUN_LOG_THIN ? 2 : 1},
        [DESK_REPORT] = {1000, DAY_MS},
        [DESK_TRIAL] = {1000, DAY_MS},
    };
    memcpy(range, ranges[key], sizeof ranges[key]);
}

static uint32_t judge(const struct desk_setting *setting)
{
    const struct scenario *s = &sim_run->scenario;
    int64_t range[2];
    if (setting->key == DESK_UNKNOWN)
        return UNKNOWN;
    if ((s->withheld >> setting->key & 1) != 0 ||
        (s->agent.strict_order && (setting->key == DESK_PERCENT || setting->key == DESK_RATE)))
        return WITHHELD;
    if (!setting->has_value)
        return MALFORMED;
    range_of(setting->key, range);
    bool off = setting->value == 0 && may_be_zero(setting->key);
    if (!off && (setting->value < range[0] || setting->value > range[1]))
        return OUT_OF_RANGE;
    return setting->key == DESK_INTERVAL && setting->sensor >= s->metrics_max ? NO_MATCH : APPLIED;
}

/* `document` NULL: the device's own configuration. */
static struct desk_effect effect_of(const struct desk_document *document)
{
    const struct scenario *s = &sim_run->scenario;
    struct desk_effect effect = {
        .values = {[DESK_POINTS] = s->agent.batch_points_max,
                   [DESK_BYTES] = s->agent.batch_bytes_max,
                   [DESK_AGE] = s->agent.batch_age_max_ms,
                   [DESK_PERCENT] = s->agent.strict_order ? 0 : s->agent.backfill_percent,
                   [DESK_RATE] = s->agent.backfill_bytes_s,
                   [DESK_POLICY] = s->overflow,
                   [DESK_TRIAL] = s->trial_ms}};
    for (int i = 0; i < s->metrics_max; i++)
        effect.interval_ms[i] = device_own_interval(i);
    for (uint32_t n = 0; document != NULL && n < document->count; n++) {
        const struct desk_setting *setting = &document->settings[n];
        if (judge(setting) != APPLIED)
            continue;
        for (int i = 0; setting->key == DESK_INTERVAL && i < s->metrics_max; i++)
            if (setting->sensor < 0 || setting->sensor == i)
                effect.interval_ms[i] = (uint32_t)setting->value;
        effect.values[setting->key] = setting->value;
    }
    return effect;
}

/// What the device does ///

/* The document that it runs, which the desk must have written; NULL: none. */
static struct desk_document *running(struct desk *desk, const struct device *device)
{
    uint8_t bytes[DESK_BYTES_MAX];
    struct dun_span document = device->remote->settings.document;
    if (device->remote->running == 0 && document.size == 0)
        return NULL;
    for (uint32_t i = 0; i < desk->count; i++) {
        struct dun_span written = desk_encode(&desk->documents[i], bytes);
        if (desk->documents[i].version == device->remote->running &&
            written.size == document.size && memcmp(bytes, document.data, written.size) == 0)
            return &desk->documents[i];
    }
    sim_fail("it runs configuration %llu, %u bytes, which nobody wrote",
             (ull)device->remote->running, (unsigned)document.size);
}

static void check_value(enum desk_key key, const struct desk_effect *effect, int64_t value)
{
    if (effect->values[key] != value)
        sim_fail("configuration: setting %d is %lld, the document says %lld", (int)key,
                 (long long)value, (long long)effect->values[key]);
}

static void check_effect(const struct device *device, const struct desk_document *document)
{
    const struct dun_agent *agent = device->agent;
    struct desk_effect effect = effect_of(document);
    check_value(DESK_POINTS, &effect, agent->recorder.limits.points_max);
    check_value(DESK_BYTES, &effect, agent->recorder.limits.bytes_max);
    check_value(DESK_AGE, &effect, agent->recorder.limits.age_max_ms);
    check_value(DESK_PERCENT, &effect, agent->sender.outbox.config.backfill_percent);
    check_value(DESK_RATE, &effect, agent->sender.outbox.config.backfill_bytes_s);
    check_value(DESK_REPORT, &effect, device->remote->settings.report_ms);
    check_value(DESK_TRIAL, &effect, device->remote->settings.trial_now_ms);
    if (agent->store->mounted)
        check_value(DESK_POLICY, &effect, agent->store->log.overflow);
    for (int i = 0; i < sim_run->scenario.metrics_max; i++)
        if (device->sensors[i].interval_ms != effect.interval_ms[i])
            sim_fail("configuration: sensor %d is read each %u ms, the document says %u", i,
                     (unsigned)device->sensors[i].interval_ms, (unsigned)effect.interval_ms[i]);
}

static void see(struct desk *desk, const struct device *device)
{
    const struct dun_remote *remote = device->remote;
    desk->seen.state = (int)remote->state;
    desk->seen.version = remote->version;
    desk->seen.running = remote->running;
    desk->seen.fleeting = remote->fleeting;
    desk->seen.saves = sim_run->shelf.saves;
    desk->unsure = false;
}

static bool shelf_was_well(void)
{
    return !sim_run->shelf.rotten && !sim_run->shelf.failed;
}

static void begin_trial(struct desk *desk, const struct device *device,
                        struct desk_document *document)
{
    desk->trial = document;
    desk->trial_from = device_uptime(device);
    if (document->rolled_back && !sim_run->shelf.rotten)
        sim_fail("configuration %llu was rolled back, and is tried again", (ull)document->version);
    if (++document->tries > TRIES_MAX && shelf_was_well())
        sim_fail("configuration %llu is on trial for the %u. time", (ull)document->version,
                 (unsigned)document->tries);
}

void desk_after_step(const struct desk *desk, const struct device *device)
{
    if (sim_run->scenario.config_max == 0 || desk->seen.state != TRIAL)
        return;
    dun_ms took_ms = device_uptime(device) - desk->trial_from;
    if (took_ms > (dun_ms)device->remote->settings.trial_now_ms + PATIENCE)
        sim_fail("configuration %llu is still on trial after %lld s", (ull)device->remote->running,
                 (long long)took_ms / 1000);
}

static void end_trial(struct desk *desk, const struct dun_remote *remote,
                      struct desk_document *document)
{
    if (remote->state == DUN_REMOTE_KEPT && document->cuts_off)
        sim_fail("configuration %llu cuts off, and is kept", (ull)document->version);
    if (remote->state == DUN_REMOTE_ROLLED_BACK && remote->version == desk->trial->version) {
        desk->trial->rolled_back |= !remote->fleeting;
        if (shelf_was_well() && remote->running != desk->good)
            sim_fail("configuration %llu was rolled back to %llu, the last good one is %llu",
                     (ull)remote->version, (ull)remote->running, (ull)desk->good);
    }
    sim_trace("config %llu: state %d, runs %llu", (ull)remote->version, (int)remote->state,
              (ull)remote->running);
}

/* It was taken away: what was refused or rolled back before may come again. */
static void forget(struct desk *desk)
{
    desk->good = 0;
    for (uint32_t i = 0; i < desk->count; i++) {
        desk->documents[i].rolled_back = false;
        desk->documents[i].tries = 0;
    }
}

static void follow(struct desk *desk, const struct device *device, bool booted)
{
    const struct dun_remote *remote = device->remote;
    struct desk_document *document = running(desk, device);
    bool same = desk->seen.state == (int)remote->state && desk->seen.running == remote->running &&
                desk->seen.version == remote->version;
    check_effect(device, document);
    sim_run->net.cut_off = document != NULL && document->cuts_off;
    if (remote->state == DUN_REMOTE_TRIAL && (booted || !same))
        begin_trial(desk, device, document);
    else if (!same && desk->seen.state == TRIAL)
        end_trial(desk, remote, document);
    if (remote->state == DUN_REMOTE_KEPT && !remote->fleeting)
        desk->good = remote->running;
    if (remote->state == DUN_REMOTE_LOCAL && !same)
        forget(desk);
    if (sim_run->net.cut_off && !same)
        sim_net_reset(&sim_run->net);
    see(desk, device);
}

void desk_after_call(struct desk *desk, const struct device *device, bool cut)
{
    if (sim_run->scenario.config_max == 0)
        return;
    if (cut)
        desk->unsure |= desk->seen.saves != sim_run->shelf.saves;
    else if (device->remote != NULL && device->remote_started)
        follow(desk, device, false);
}

/* A trial goes on, as often as it may; all else is as it was. */
static void check_boot(const struct desk *desk, const struct dun_remote *remote)
{
    bool trial = desk->seen.state == TRIAL && remote->state == DUN_REMOTE_ROLLED_BACK;
    uint64_t wanted = trial ? desk->good : desk->seen.running;
    if ((!trial && (int)remote->state != desk->seen.state) || remote->running != wanted ||
        remote->version != desk->seen.version)
        sim_fail("configuration: version %llu, running %llu, state %d became %llu, %llu, %d",
                 (ull)desk->seen.version, (ull)desk->seen.running, desk->seen.state,
                 (ull)remote->version, (ull)remote->running, (int)remote->state);
}

void desk_after_boot(struct desk *desk, const struct device *device)
{
    if (sim_run->scenario.config_max == 0)
        return;
    if (!desk->unsure && !desk->seen.fleeting && shelf_was_well() && desk->seen.state != 0)
        check_boot(desk, device->remote);
    if (!desk->unsure && !sim_run->shelf.rotten && device->remote->running < desk->good)
        sim_fail("configuration %llu was kept, and %llu is in force after the boot",
                 (ull)desk->good, (ull)device->remote->running);
    follow(desk, device, true);
}

/// What the device says ///

static uint64_t take_varint(struct dun_span *in)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        if (in->size == 0)
            sim_fail("a report that ends in a number");
        uint8_t byte = *in->data++;
        in->size--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* All fields of a report are varints or have a length. */
static uint32_t take_field(struct dun_span *in, uint64_t *number, struct dun_span *bytes)
{
    uint64_t key = take_varint(in);
    *number = take_varint(in);
    *bytes = (struct dun_span){in->data, 0};
    if ((key & 7) == 2) {
        if (*number > in->size)
            sim_fail("a report that ends in a text");
        bytes->size = (size_t)*number;
        in->data += bytes->size;
        in->size -= bytes->size;
    } else if ((key & 7) != 0) {
        sim_fail("a report with a field of type %u", (unsigned)(key & 7));
    }
    return (uint32_t)(key >> 3);
}

static int64_t zigzag(uint64_t number)
{
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static bool tells(struct dun_span outcome, const struct desk_setting *setting)
{
    uint64_t number;
    struct dun_span bytes;
    uint32_t verdict = 0;
    int64_t value = 0, told[2] = {0, 0}, range[2] = {0, 0};
    bool has_value = false, named = false;
    while (outcome.size > 0) {
        uint32_t tag = take_field(&outcome, &number, &bytes);
        named |= tag == 2;
        verdict = tag == 3 ? (uint32_t)number : verdict;
        has_value |= tag == 4;
        value = tag == 4 ? zigzag(number) : value;
        if (tag == 6 || tag == 7)
            told[tag - 6] = zigzag(number);
    }
    if (verdict == OUT_OF_RANGE && setting->key != DESK_UNKNOWN)
        range_of(setting->key, range);
    return verdict == judge(setting) && has_value == setting->has_value &&
           value == setting->value && named == (setting->sensor >= 0) && told[0] == range[0] &&
           told[1] == range[1];
}

static bool tells_all(struct dun_span report, const struct desk_document *document)
{
    uint64_t number;
    struct dun_span bytes;
    uint32_t count = 0;
    while (report.size > 0) {
        if (take_field(&report, &number, &bytes) != 4)
            continue;
        if (count >= document->count || !tells(bytes, &document->settings[count]))
            return false;
        count++;
    }
    return count == document->count;
}

/* One of those with that version, since the desk writes others under the same one. */
static void check_outcomes(const struct desk *desk, struct dun_span report)
{
    static const struct desk_document none = {.version = 0};
    bool right = desk->report_running == 0 && tells_all(report, &none);
    for (uint32_t i = 0; i < desk->count && !right; i++)
        right = desk->documents[i].version == desk->report_running &&
                tells_all(report, &desk->documents[i]);
    if (!right)
        sim_fail("the report of configuration %llu tells other outcomes than its settings have",
                 (ull)desk->report_running);
}

void desk_hear(struct desk *desk, struct dun_span payload)
{
    struct dun_span report = payload, bytes;
    uint64_t number, size_max = 0;
    desk->report_version = desk->report_running = desk->report_state = 0;
    while (report.size > 0) {
        uint32_t tag = take_field(&report, &number, &bytes);
        desk->report_version = tag == 1 ? number : desk->report_version;
        desk->report_running = tag == 2 ? number : desk->report_running;
        desk->report_state = tag == 3 ? (uint32_t)number : desk->report_state;
        size_max = tag == 7 ? number : size_max;
    }
    bool same = desk->report_version == desk->report_running;
    bool fits = desk->report_state == LOCAL         ? same && desk->report_version == 0
                : desk->report_state == ROLLED_BACK ? !same
                                                    : same && desk->report_version != 0;
    if (!fits || size_max != sim_run->scenario.config_max)
        sim_fail("a report of version %llu, running %llu, state %u, size_max %llu",
                 (ull)desk->report_version, (ull)desk->report_running, (unsigned)desk->report_state,
                 (ull)size_max);
    check_outcomes(desk, payload);
    sim_trace("report: version %llu, running %llu, state %u", (ull)desk->report_version,
              (ull)desk->report_running, (unsigned)desk->report_state);
}
