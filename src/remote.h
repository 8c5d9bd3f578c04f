/*
 * remote.h: remote configuration: takes desired documents from .../config, keeps the last good one
 * over power loss, and tells on .../config/reported what became of each setting. SPEC.md, Remote
 * configuration, says the same for whoever writes documents.
 *
 * A new document is in force at once, on trial: if the broker does not acknowledge anything between
 * an eighth of the trial's time and its end, the document is rolled back to the last good one, and
 * is not tried again. A boot in the trial begins it anew, DUN_REMOTE_TRIES times at most.
 *
 * A board that wants none of this does not link it.
 */
#ifndef DUN_REMOTE_H
#define DUN_REMOTE_H

#include "settings.h"

#define DUN_REMOTE_EXTRA     12 /* bytes that a record has beside its document */
#define DUN_REMOTE_TRIES     3
#define DUN_REMOTE_TRIAL_MS  (2 * 60 * 1000) /* where neither board nor document says */
#define DUN_REMOTE_SLOT_NEW  0
#define DUN_REMOTE_SLOT_KEPT 1

/*
 * Two small records that are replaced as a whole: after a power loss each is the old or the new
 * one. `save` is durable on return; 0 or an error. `load` gives the size, 0: there is none, or an
 * error; what does not fit `out`, or was spoilt, may be given in part.
 */
struct dun_shelf {
    void *context;
    int (*load)(void *context, int slot, struct dun_buffer out);
    int (*save)(void *context, int slot, struct dun_span record);
};

/* The values of dunlin.v1.ConfigState, and what only records say. */
enum dun_remote_state {
    DUN_REMOTE_LOCAL = 1,
    DUN_REMOTE_TRIAL,
    DUN_REMOTE_KEPT,
    DUN_REMOTE_ROLLED_BACK,
};

/* The values of dunlin.v1.ConfigRefusal. */
enum dun_remote_refusal {
    DUN_REMOTE_MALFORMED = 1,
    DUN_REMOTE_TOO_LARGE,
    DUN_REMOTE_OLD,
    DUN_REMOTE_CHANGED,
};

struct dun_remote {
    /* Set by the caller, the rest 0; borrowed. */
    struct dun_settings settings;
    const struct dun_shelf *shelf; /* NULL: nothing survives a restart */
    struct dun_buffer record;      /* DUN_REMOTE_EXTRA bytes more than the largest document */

    /* Its own. */
    struct dun_inbox inbox;
    enum dun_remote_state state;
    enum dun_remote_refusal refusal; /* of the last document that came; 0: none */
    uint64_t refused;                /* its version */
    uint64_t version;                /* the newest one that was taken; 0: none */
    uint64_t running;                /* the one in `record`, which is in force; 0: none */
    uint32_t skipped;                /* messages that the uplink passed over, as last seen */
    uint32_t crc;                    /* of the document `version` */
    dun_ms since_ms;                 /* when the trial began */
    dun_ms report_ms;                /* when the report was last made */
    bool told;                       /* the sender has a report that the next step publishes */
    bool asked;                      /* the report that is to be acknowledged was made */
    bool kept_void;                  /* the shelf's kept record is one that was removed */
    bool fleeting;                   /* what is in force is not on the shelf */
};

/* After dun_agent_init, before the first step: puts in force what the shelf has. */
void dun_remote_start(struct dun_remote *remote, dun_ms now);

/* After each step of the agent. Returns when it wants to be called again at the latest. */
dun_ms dun_remote_step(struct dun_remote *remote, dun_ms now);

#endif
