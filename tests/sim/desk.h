/*
 * desk.h: the desk from which the device is configured: it writes documents, good ones and others,
 * has the broker retain them, and checks what the device makes of them. README.md names the checks.
 *
 * Documents are written and reports are read from SPEC.md, without a line of src/remote.c or
 * src/settings.c.
 */
#ifndef DUN_SIM_DESK_H
#define DUN_SIM_DESK_H

#include "base.h"
#include "random.h"

#define DESK_DOCUMENTS_MAX 64
#define DESK_SETTINGS_MAX  5
#define DESK_BYTES_MAX     448 /* of a document, those included that no device takes */

/* The keys that the desk uses, the first of them in the order of struct desk_effect. */
enum desk_key {
    DESK_INTERVAL,
    DESK_POINTS,
    DESK_BYTES,
    DESK_AGE,
    DESK_PERCENT,
    DESK_RATE,
    DESK_POLICY,
    DESK_REPORT,
    DESK_TRIAL,
    DESK_UNKNOWN,
    DESK_KEYS,
};

struct desk_setting {
    enum desk_key key;
    int sensor; /* its number, -1: of all; with DESK_INTERVAL */
    bool has_value;
    int64_t value;
};

struct desk_document {
    uint64_t version;
    struct desk_setting settings[DESK_SETTINGS_MAX];
    uint32_t count;
    uint32_t padding; /* bytes of a name that make it larger */
    bool cuts_off;    /* with it in force no broker is reached */
    bool rolled_back; /* the device said so, durably */
    uint32_t tries;   /* trials begun */
};

/* What is in force with a document, or without. */
struct desk_effect {
    int64_t values[DESK_UNKNOWN]; /* but for the intervals */
    uint32_t interval_ms[32];
};

struct desk {
    struct rng rng;
    struct desk_document documents[DESK_DOCUMENTS_MAX];
    uint32_t count;
    uint64_t version; /* the newest */
    bool final;       /* the last one is what the device must come to */
    dun_ms publish_at;
    /* The device after the last call into it. */
    struct {
        int state; /* 0: it never ran */
        uint64_t version, running, saves;
        bool fleeting;
    } seen;
    bool unsure;                 /* power failed in a call that had saved something */
    uint64_t good;               /* the version last kept, durably; 0: none, or taken away */
    struct desk_document *trial; /* the last one that was on trial */
    dun_ms trial_from;           /* uptime at which that began */
    /* The newest report that arrived. */
    uint64_t report_version, report_running;
    uint32_t report_state;
};

struct device;

void desk_init(struct desk *desk, struct rng rng);

/* FAULT_CONFIG: another document, or what looks like one. */
void desk_write(struct desk *desk);

/* The faults are over: one document that must be kept, told again and again until it is. */
void desk_finish(struct desk *desk);
dun_ms desk_wake(const struct desk *desk);
void desk_run(struct desk *desk);
bool desk_is_settled(const struct desk *desk);

/* Writes the document; `bytes` has room for DESK_BYTES_MAX. */
struct dun_span desk_encode(const struct desk_document *document, uint8_t *bytes);

/// Checks: desk_check.c ///

/* The device booted and put in force what its shelf has, or a call into it ended; `cut`: by power.
 */
void desk_after_boot(struct desk *desk, const struct device *device);
void desk_after_call(struct desk *desk, const struct device *device, bool cut);

/* The agent and what follows its step have done what was due. */
void desk_after_step(const struct desk *desk, const struct device *device);

/* A report came to the broker. */
void desk_hear(struct desk *desk, struct dun_span payload);

#endif
