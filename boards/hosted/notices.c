/* notices.c: the words for each notice of the core. */
#include "notices.h"

#include "clock.h"
#include "ledger.h"
#include "outbox.h"
#include "remote.h"
#include "say.h"
#include "secure.h"

static const char *loss_reason(uint8_t reason)
{
    static const char *const names[] = {
        [DUN_LOSS_OVERFLOW] = "overflow",   [DUN_LOSS_DAMAGED] = "damaged",
        [DUN_LOSS_STORAGE] = "storage",     [DUN_LOSS_REJECTED] = "rejected",
        [DUN_LOSS_TOO_LARGE] = "too large", [DUN_LOSS_MERGED] = "several",
        [DUN_LOSS_THINNED] = "thinned",
    };
    return reason > 0 && reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

struct words {
    enum dun_say_level level;
    const char *message;
};

static struct words remote_words(const struct dun_notice *notice)
{
    static const struct words states[] = {
        [DUN_REMOTE_LOCAL] = {DUN_SAY_INFO, "remote configuration removed, our own is in force"},
        [DUN_REMOTE_TRIAL] = {DUN_SAY_INFO, "remote configuration in force, on trial"},
        [DUN_REMOTE_KEPT] = {DUN_SAY_INFO, "remote configuration in force"},
        [DUN_REMOTE_ROLLED_BACK] = {DUN_SAY_WARNING,
                                    "the broker was not reached with this remote configuration, "
                                    "the one before is in force"}};
    static const struct words refusals[] = {
        [DUN_REMOTE_MALFORMED] = {DUN_SAY_WARNING, "remote configuration refused, it is malformed"},
        [DUN_REMOTE_TOO_LARGE] = {DUN_SAY_WARNING, "remote configuration refused, it is too large"},
        [DUN_REMOTE_OLD] = {DUN_SAY_WARNING,
                            "remote configuration refused, a newer one was taken before"},
        [DUN_REMOTE_CHANGED] = {DUN_SAY_WARNING,
                                "remote configuration refused, it changed under its version"}};
    return notice->error == DUN_OK ? states[notice->reason] : refusals[notice->reason];
}

static struct words words_of(const struct dun_notice *notice)
{
    switch (notice->kind) {
    case DUN_NOTICE_UP:
        return (struct words){DUN_SAY_INFO, "connected to the broker"};
    case DUN_NOTICE_DOWN:
        return (struct words){DUN_SAY_WARNING, "no connection to the broker"};
    case DUN_NOTICE_VERSION:
        return (struct words){
            DUN_SAY_WARNING, notice->value == 4 ? "the broker refuses MQTT 5, going on with 3.1.1"
                                                : "the broker speaks MQTT 5 now, going on with it"};
    case DUN_NOTICE_REDIRECTED:
        return (struct words){DUN_SAY_WARNING, "the broker sends us to another one"};
    case DUN_NOTICE_BACK_HOME:
        return (struct words){DUN_SAY_WARNING, "going back to the configured broker"};
    case DUN_NOTICE_HELD:
        return (struct words){DUN_SAY_WARNING, "the broker asks for less, sending pauses"};
    case DUN_NOTICE_NO_QOS:
        return (struct words){DUN_SAY_ERROR,
                              "this broker takes QoS 0 only, where no record is safe; "
                              "set [send] ack = stored or use another broker"};
    case DUN_NOTICE_NO_RETAIN:
        return (struct words){DUN_SAY_WARNING,
                              "this broker keeps no retained messages, who comes late misses "
                              "status and catalog"};
    case DUN_NOTICE_TAKEN_OVER:
        return (struct words){
            DUN_SAY_ERROR,
            notice->reason != 0
                ? "another client with our client id took the connection, give each its own"
                : "each connection is soon closed, as if another client had our client id"};
    case DUN_NOTICE_MOUNTED:
        return notice->reason == 0
                   ? (struct words){DUN_SAY_INFO, "log opened"}
                   : (struct words){DUN_SAY_WARNING,
                                    "log opened, another device wrote it: its records go out under "
                                    "our name"};
    case DUN_NOTICE_FORMATTED:
        return (struct words){DUN_SAY_INFO, "log is new, a stream begins"};
    case DUN_NOTICE_STORAGE_FAILED:
        return (struct words){DUN_SAY_ERROR, "storage failed, recording goes to memory"};
    case DUN_NOTICE_STORAGE_BACK:
        return (struct words){DUN_SAY_INFO, "storage works, recording is durable again"};
    case DUN_NOTICE_LOST:
        return (struct words){DUN_SAY_WARNING, "records lost"};
    case DUN_NOTICE_POINTS_LOST:
        return (struct words){DUN_SAY_WARNING, "points lost before they were recorded"};
    case DUN_NOTICE_CLOCK:
        return (struct words){DUN_SAY_INFO, notice->reason == DUN_ANCHOR_STEPPED
                                                ? "wall clock stepped"
                                                : "wall clock known"};
    case DUN_NOTICE_SENSOR_FAILED:
        return (struct words){DUN_SAY_WARNING, "sensor gave no value"};
    case DUN_NOTICE_STORED_IGNORED:
        return (struct words){DUN_SAY_WARNING, "a stored cursor is not of this stream, ignored"};
    case DUN_NOTICE_CONFIG:
        return remote_words(notice);
    case DUN_NOTICE_REJECTED:
        return (struct words){DUN_SAY_WARNING,
                              notice->value != 0
                                  ? "the broker refused a record for good, it is in quarantine"
                                  : "the broker refused a retained message for good"};
    default:
        return (struct words){DUN_SAY_DEBUG, "notice"};
    }
}

static void add_fields(struct dun_say *say, const struct dun_notice *notice)
{
    switch (notice->kind) {
    case DUN_NOTICE_DOWN:
        dun_say_text(say, "error", dun_say_error(notice->error));
        dun_say_number(say, "reason", notice->reason);
        dun_say_number(say, "retry_ms", notice->delay_ms);
        break;
    case DUN_NOTICE_TAKEN_OVER:
        dun_say_text(say, "client_id", notice->name);
        dun_say_text(say, "remedy", "[broker] client_id or [agent] device");
        dun_say_number(say, "times", notice->value);
        dun_say_number(say, "retry_ms", notice->delay_ms);
        break;
    case DUN_NOTICE_FORMATTED:
        dun_say_text(say, "store", notice->name);
        break;
    case DUN_NOTICE_MOUNTED:
        dun_say_text(say, "store", notice->name);
        dun_say_number(say, "next_sequence", notice->value);
        dun_say_number(say, "damaged", notice->delay_ms);
        break;
    case DUN_NOTICE_STORAGE_FAILED:
        dun_say_text(say, "error", dun_say_error(notice->error));
        dun_say_number(say, "retry_ms", notice->delay_ms);
        break;
    case DUN_NOTICE_LOST:
    case DUN_NOTICE_POINTS_LOST:
        dun_say_text(say, "reason", loss_reason(notice->reason));
        dun_say_number(say, "count", notice->value);
        break;
    case DUN_NOTICE_CLOCK:
        if (notice->reason == DUN_ANCHOR_STEPPED) {
            dun_say_number(say, "by_ms", notice->value);
        }
        break;
    case DUN_NOTICE_SENSOR_FAILED:
        dun_say_text(say, "sensor", notice->name);
        dun_say_text(say, "error", dun_say_error(notice->error));
        break;
    case DUN_NOTICE_STORED_IGNORED:
        dun_say_number(say, "sequence", notice->value);
        dun_say_text(say, "why", notice->reason == DUN_STORED_AHEAD ? "ahead" : "other stream");
        break;
    case DUN_NOTICE_REDIRECTED:
        dun_say_text(say, "host", notice->name);
        dun_say_number(say, "port", notice->value);
        dun_say_number(say, "reason", notice->reason);
        break;
    case DUN_NOTICE_HELD:
        dun_say_number(say, "reason", notice->reason);
        dun_say_number(say, "pause_ms", notice->delay_ms);
        break;
    case DUN_NOTICE_CONFIG:
        dun_say_number(say, "version", notice->value);
        break;
    case DUN_NOTICE_REJECTED:
        dun_say_number(say, "sequence", notice->value);
        dun_say_number(say, "reason", notice->reason);
        break;
    default:
        break;
    }
}

/* Why a connection did not come up, where more is known than the error. */
static void add_secure(struct dun_say *say, const struct dun_notice *notice,
                       const struct dun_daemon_tls *tls)
{
    static bool up; /* the newest connection came up */
    bool was_up = up;
    up = notice->kind == DUN_NOTICE_UP || (notice->kind != DUN_NOTICE_DOWN && up);
    if (notice->kind == DUN_NOTICE_UP && tls != NULL) {
        tls->secure->say_up(say, tls->report());
    } else if (notice->kind == DUN_NOTICE_DOWN && tls != NULL) {
        tls->secure->say_trouble(say, tls->report());
    } else if (notice->kind == DUN_NOTICE_DOWN && !was_up &&
               (notice->error == DUN_E_CLOSED || notice->error == DUN_E_PROTOCOL)) {
        dun_say_text(say, "remedy", "a port with TLS answers like this; mqtts:// speaks it");
    }
}

void dun_say_notice(const struct dun_notice *notice, const struct dun_daemon_tls *tls, dun_ms now,
                    dun_ms unix_ms)
{
    struct dun_say say;
    struct words words = words_of(notice);
    dun_say_begin(&say, words.level, words.message);
    add_fields(&say, notice);
    add_secure(&say, notice, tls);
    dun_say_end(&say, now, unix_ms);
}
