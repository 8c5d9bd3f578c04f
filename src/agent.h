/*
 * agent.h: the conductor, the only place where the stages meet:
 *
 *     sensors -> batch -> log -> uplink
 *
 * It calls no clock, socket or allocator: `now` comes in, a deadline goes out, and everything it
 * works on was handed over by the board in struct dun_agent_parts.
 */
#ifndef DUN_AGENT_H
#define DUN_AGENT_H

#include "backoff.h"
#include "batch.h"
#include "catalog.h"
#include "log.h"
#include "sensor.h"
#include "uplink.h"

#define DUN_NAME_MAX 64   /* longest prefix, fleet or device id, bytes */
#define DUN_TOPIC_MAX 216 /* three names, the longest channel, separators, NUL */
#define DUN_ANCHORS_MAX 4 /* anchors that wait for a record */

/* A limit of the board's profile, told in the `about` message. */
struct dun_knob {
    const char *name;
    uint64_t value;
};

enum dun_encoding {
    DUN_ENCODING_COLUMNS = 0, /* dunlin.v1.Batch on .../batch */
    DUN_ENCODING_PLAIN = 1,   /* dunlin.v1.Samples on .../samples */
};

/* Behaviour. Zero means the default in brackets. Strings are borrowed. */
struct dun_agent_config {
    const char *prefix;   /* ["dunlin"] */
    const char *fleet;    /* ["default"] */
    const char *device;   /* required; [A-Za-z0-9._-]{1,64}, as prefix and fleet */
    const char *board;    /* ["unknown"] */
    const char *firmware; /* [DUN_VERSION] */
    const struct dun_knob *knobs;
    uint16_t knob_count;
    enum dun_encoding encoding;
    uint32_t boot;                /* random, or a hash of the system's boot id; not 0 */
    dun_ms unix_earliest_ms;      /* a wall clock before this is not set [2026-01-01] */
    uint32_t batch_points_max;    /* seal at so many points [all of the buffer] */
    uint32_t batch_bytes_max;     /* aim for records of at most this size [1024] */
    uint32_t batch_age_max_ms;    /* seal when the oldest point is this old [10 s] */
    uint32_t anchor_interval_ms;  /* repeat the time anchor so often [1 h] */
    uint32_t ack_persist_ms;      /* acks become durable at least so often [30 s] */
    uint32_t storage_retry_ms;    /* try failed storage again after [10 s] */
    uint32_t stable_ms;           /* a connection this old resets the backoff [60 s] */
    struct dun_backoff_config backoff; /* [1 s doubling to 5 min, full jitter] */
};

/* One log and what it takes to mount it. `flash` NULL: there is none. */
struct dun_agent_store {
    const struct dun_flash *flash;
    struct dun_buffer unit;    /* geometry.prog_size bytes */
    struct dun_loss *losses;   /* loss ledger, `losses_max` entries */
    uint16_t losses_max;
    uint64_t new_stream;       /* random, not 0 */
    enum dun_log_overflow overflow;
};

/* One publish in flight: 4 bytes. */
struct dun_agent_slot {
    uint32_t sequence : 30; /* low bits */
    uint32_t spare : 1;     /* which store */
    uint32_t acked : 1;
};

/* What the board hands over. Everything stays borrowed for the life of the agent. */
struct dun_agent_parts {
    struct dun_catalog *catalog;
    struct dun_batch *batch;
    struct dun_agent_store store; /* the durable log */
    struct dun_agent_store spare; /* a log in RAM, used while the durable one fails */
    struct dun_agent_slot *window; /* `window_max` slots of publishes in flight */
    uint16_t window_max;
    struct dun_sensor *sensors;
    uint16_t sensor_count;
    struct dun_uplink *uplink;
    const struct dun_uplink_config *uplink_config; /* its will fields are filled by the agent */
    uint64_t random_seed; /* for backoff jitter */
};

/* Counters since start, for the agent's own metrics and log lines. */
struct dun_agent_stats {
    uint64_t points_recorded;
    uint64_t points_lost;      /* before they got into a record */
    uint64_t batches_recorded; /* records, announcements included */
    uint64_t batches_published; /* resent ones included */
    uint64_t batches_acked;
    uint64_t batches_rejected; /* refused by the broker for good */
    uint64_t batches_dropped;  /* taken by overflow or damage */
    uint64_t bytes_recorded;
    uint64_t connects;         /* times UP */
    uint64_t disconnects;      /* times DOWN after UP */
    uint64_t connect_failures; /* times DOWN without UP */
    uint64_t sensor_errors;
    uint64_t storage_errors;
};

/* What happened in a step that a person may want to read; the board turns these into log lines. */
enum dun_agent_notice_kind {
    DUN_NOTICE_NONE = 0,
    DUN_NOTICE_UP,              /* connected to the broker */
    DUN_NOTICE_DOWN,            /* `error`, `reason`; next try in `delay_ms` */
    DUN_NOTICE_STORAGE_FAILED,  /* `error`: recording goes to RAM */
    DUN_NOTICE_STORAGE_BACK,    /* recording is durable again */
    DUN_NOTICE_MOUNTED,         /* `value`: next sequence; `delay_ms`: damaged records */
    DUN_NOTICE_FORMATTED,       /* a new stream began */
    DUN_NOTICE_LOST,            /* `value` records dropped, `reason`: enum dun_loss_reason */
    DUN_NOTICE_POINTS_LOST,     /* `value` points dropped before they were recorded */
    DUN_NOTICE_CLOCK,           /* the wall clock became known or stepped by `value` ms */
    DUN_NOTICE_SENSOR_FAILED,   /* `sensor`, `error` */
    DUN_NOTICE_REJECTED,        /* the broker refused a record, `reason` */
};

struct dun_agent_notice {
    enum dun_agent_notice_kind kind;
    int error;
    uint8_t reason;
    dun_ms delay_ms;
    int64_t value;
    const struct dun_sensor *sensor;
};

struct dun_agent; /* defined at the end of this header */

/*
 * Checks the configuration and mounts the logs. 0, or DUN_E_INVALID with `*what` naming the field
 * (may be NULL). Storage that fails is not an error: the agent starts on the spare and says so.
 */
DUN_MUST_USE int dun_agent_init(struct dun_agent *agent, const struct dun_agent_config *config,
                                const struct dun_agent_parts *parts, dun_ms now,
                                const char **what);

/*
 * Does all that is due: reads sensors, seals, stores, moves bytes, publishes. Returns when it
 * wants to be called again at the latest; call earlier when the link has bytes or room.
 */
dun_ms dun_agent_step(struct dun_agent *agent, dun_ms now);

/* Declares a metric. Returns its id, DUN_E_FULL or DUN_E_INVALID. */
DUN_MUST_USE int dun_agent_declare(struct dun_agent *agent, const struct dun_metric *metric);

/*
 * Records one value of a declared metric, taken now. It is in RAM until its batch is sealed (see
 * batch_age_max_ms), then durable. Returns 0; DUN_E_INVALID for an unknown id; DUN_E_FULL when
 * neither storage nor RAM takes it: then it is counted in the loss ledger.
 */
int dun_agent_record(struct dun_agent *agent, uint16_t metric, int64_t value, dun_ms now);

/* Tells the wall clock: call it as often as convenient; anchors are made when one is needed. */
void dun_agent_set_clock(struct dun_agent *agent, dun_ms now, dun_ms unix_ms);

/* Seals the open batch now and makes it durable. Returns 0 or the storage's error. */
int dun_agent_seal(struct dun_agent *agent, dun_ms now);

/*
 * Begins the end: seals, then delivers what is stored until `deadline`, publishes `offline` and
 * disconnects. Go on stepping until dun_agent_ended.
 */
void dun_agent_end(struct dun_agent *agent, dun_ms now, dun_ms deadline);
bool dun_agent_ended(const struct dun_agent *agent);

/* The oldest notice not taken yet; false: none. At most 16 are kept, the newest go first lost. */
bool dun_agent_notice(struct dun_agent *agent, struct dun_agent_notice *notice);

const struct dun_agent_stats *dun_agent_stats(const struct dun_agent *agent);

/* Records stored and not acknowledged, in both logs. */
uint64_t dun_agent_backlog(const struct dun_agent *agent);
bool dun_agent_is_up(const struct dun_agent *agent);

/* True if `name` may be a device id, fleet or prefix: [A-Za-z0-9._-]{1,64}. */
bool dun_agent_name_ok(const char *name);

#endif
