/*
 * settings.h: a desired document (dunlin.v1.Config) and the device that it is for: which of its
 * settings this device takes, within which bounds, and putting them in force. What a document does
 * not set is as the device's own configuration says. Where the document lies and how it came is
 * remote.h's.
 */
#ifndef DUN_SETTINGS_H
#define DUN_SETTINGS_H

#include "agent.h"

/* SPEC.md, Remote configuration, tells what each means. */
enum dun_setting_id {
    DUN_SETTING_INTERVAL,
    DUN_SETTING_BATCH_POINTS,
    DUN_SETTING_BATCH_BYTES,
    DUN_SETTING_BATCH_AGE,
    DUN_SETTING_BACKFILL_PERCENT,
    DUN_SETTING_BACKFILL_RATE,
    DUN_SETTING_LOG_POLICY,
    DUN_SETTING_REPORT_INTERVAL,
    DUN_SETTING_TRIAL,
    DUN_SETTING_RESOLUTION,
    DUN_SETTING_DEAD_BAND,
    DUN_SETTING_HEARTBEAT,
    DUN_SETTING_LOW,
    DUN_SETTING_HIGH,
    DUN_SETTING_COUNT,
};

/* As documents name them, in the order of the ids. */
extern const char dun_setting_names[DUN_SETTING_COUNT][17];

struct dun_setting {
    struct dun_span key, name; /* into the document; printable ASCII */
    int64_t value;
    int8_t exponent; /* -18 to 18; what is beyond has no value */
    bool has_value;
    uint8_t id; /* enum dun_setting_id; DUN_SETTING_COUNT: unknown */
};

/* The values of dunlin.v1.Verdict. */
enum dun_outcome {
    DUN_OUTCOME_APPLIED = 1,
    DUN_OUTCOME_UNKNOWN,
    DUN_OUTCOME_WITHHELD,
    DUN_OUTCOME_MALFORMED,
    DUN_OUTCOME_OUT_OF_RANGE,
    DUN_OUTCOME_NO_MATCH,
};

struct dun_settings {
    /* Set by the caller; borrowed. */
    struct dun_agent *agent;
    uint32_t withheld;  /* ids that documents may not change, a bit each */
    uint32_t bytes_max; /* of batch.bytes; 0: not above the device's own */
    uint32_t trial_ms;  /* where the document does not say */
    /* Limits and tuning of a metric as the device's own configuration has them, by dun_agent_limit
     * and dun_agent_tune; called after both were cleared. NULL: it has none. */
    void (*retune)(void *context, uint16_t metric);
    void *context;
    struct dun_span document; /* that dun_settings_check let pass, or empty */

    /* Its own. */
    uint16_t tuned;                   /* metrics that have what the document says of them */
    uint8_t own_policy;               /* of the log, where the document does not say */
    uint32_t trial_now_ms, report_ms; /* in force; report_ms 0: no repetition */
};

/* True for a dunlin.v1.Config that can be read to its end. `*version` is what was found, also in
 * one that cannot; 0: none. Cost: one walk. */
bool dun_settings_check(struct dun_span document, uint64_t *version);

/* Takes the next setting off the front of a document that was checked; false: none is left. */
bool dun_settings_next(struct dun_span *document, struct dun_setting *setting);

/* What becomes of a setting; with OUT_OF_RANGE `range` holds the lowest and the highest value. */
enum dun_outcome dun_settings_judge(const struct dun_settings *settings,
                                    const struct dun_setting *setting, int64_t range[2]);

/* Puts the document in force in place of the one before. Cost: metrics times settings. */
void dun_settings_apply(struct dun_settings *settings, dun_ms now);

/* The same for metrics declared since; true if there were any. */
bool dun_settings_tune(struct dun_settings *settings);

#endif
