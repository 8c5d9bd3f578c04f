/*
 * agent.h: the conductor, the only place where the stages meet:
 *
 *     sensors -> recorder (batch) -> store (log) -> sender -> uplink
 *
 * It calls no clock, socket or allocator: `now` comes in, a deadline goes out, and everything it
 * works on was handed over by the board in struct dun_agent_parts.
 */
#ifndef DUN_AGENT_H
#define DUN_AGENT_H

#include "recorder.h"
#include "sender.h"
#include "sensor.h"

/* Behaviour. Zero means the default in brackets. Strings are borrowed. */
struct dun_agent_config {
    const char *prefix;   /* ["dunlin"] */
    const char *fleet;    /* ["default"] */
    const char *device;   /* required; [A-Za-z0-9._-]{1,64}, as prefix and fleet */
    const char *board;    /* ["unknown"] */
    const char *firmware; /* [DUN_VERSION] */
    const struct dun_knob *knobs;
    uint16_t knob_count;
    const struct dun_encoder *encoder; /* [dun_encoder_default()] */
    uint32_t boot;                     /* random, or a hash of the system's boot id; not 0 */
    dun_ms unix_earliest_ms;           /* a wall clock before this is not set [2026-01-01] */
    uint32_t batch_points_max;         /* seal at so many points [all of the buffer] */
    uint32_t batch_bytes_max;          /* aim for records of this size [1024] */
    uint32_t batch_age_max_ms;         /* seal when the oldest point is this old [10 s] */
    uint32_t anchor_interval_ms;       /* repeat the time anchor so often [1 h] */
    uint32_t ack_persist_ms;           /* acks become durable at least so often [30 s] */
    uint32_t storage_retry_ms;         /* try failed storage again after [10 s] */
    uint32_t stable_ms;                /* a connection this old resets the backoff [60 s] */
    uint32_t keep_every;               /* DUN_LOG_THIN: every k-th old record stays [8] */
    enum dun_ack_mode ack_mode;        /* [DUN_ACK_PUBLISHED] */
    bool strict_order;                 /* one lane: fresh records wait behind the backlog [no] */
    uint8_t backfill_percent;          /* of the window that the backlog may use, to 100 [75] */
    uint32_t backfill_bytes_s;         /* payload bytes a second of the backlog [no limit] */
    uint32_t stored_wait_ms;           /* publish again what is not stored after [60 s] */
    enum dun_unheard unheard;          /* records that nobody had subscribed [delivered] */
    uint32_t message_expiry_s;         /* MQTT 5: the broker drops records after [never] */
    uint32_t version_retry_ms;         /* an old broker is tried with MQTT 5 again after [1 h] */
    bool stay;                         /* follow no Server Reference [no] */
    struct dun_backoff_config backoff; /* [1 s, doubling to 5 min, no spread] */
    uint64_t random_seed;              /* for the moments of the backoff's tries */
};

/* What the board hands over. Everything stays borrowed for the life of the agent. */
struct dun_agent_parts {
    struct dun_catalog *catalog;
    struct dun_batch *batch;
    /* Stores, each given to dun_store_init; NULL: there is none. */
    struct dun_store *store; /* the durable log; required */
    struct dun_store *spare; /* a log in RAM, used while the durable one fails */
    /* With the overflow policy DUN_LOG_THIN: where what thinning keeps goes; drops its oldest. */
    struct dun_store *archive;
    /* One for each metric of the batch; NULL: none is ever urgent, left out or rounded. */
    struct dun_limit *limits;
    struct dun_notice *notices; /* what happened and was not asked for yet */
    uint16_t notices_max;
    char *redirect_host; /* where a Server Reference sent us; not kept if it is longer */
    uint16_t redirect_size;
    struct dun_window_slot *window; /* publishes in flight; the uplink must take `window_max` +
                                       DUN_SENDER_EXTRA_SLOTS */
    uint16_t window_max;
    struct dun_sensor *sensors;
    uint16_t sensor_count;
    struct dun_uplink *uplink;
    struct dun_uplink_config uplink_config; /* the will fields are filled by the agent */
};

struct dun_agent {
    struct dun_agent_config config;
    struct { /* as in struct dun_agent_parts; the others went to the stage they are for */
        struct dun_catalog *catalog;
        struct dun_batch *batch;
        struct dun_limit *limits;
        struct dun_sensor *sensors;
        struct dun_uplink *uplink;
        uint16_t sensor_count;
    } parts;
    struct dun_clock clock;
    struct dun_store *store;
    struct dun_store *spare;
    struct dun_store *archive;
    struct dun_thinner thinner;
    struct dun_recorder recorder;
    struct dun_sender sender;
    struct dun_stats stats;
    struct dun_notices notices;
    /* Does what is due of the end; NULL: it goes on. A board that never ends links none of it. */
    void (*ending)(struct dun_agent *agent, dun_ms now);
    dun_ms end_ms;  /* when to stop delivering, while ending */
    dun_ms stop_ms; /* when to stop waiting for the ack of `offline` */
};

/*
 * Checks the configuration and mounts the logs. 0, or DUN_E_INVALID with `*what` naming the field
 * (may be NULL). Storage that fails is not an error: the agent starts on the spare and says so.
 */
DUN_MUST_USE int dun_agent_init(struct dun_agent *agent, const struct dun_agent_config *config,
                                const struct dun_agent_parts *parts, dun_ms now, const char **what);

/*
 * Does all that is due: reads sensors, seals, stores, moves bytes, publishes. Returns when it
 * wants to be called again at the latest; call earlier when the link has bytes or room. `now`
 * must never go backwards.
 */
dun_ms dun_agent_step(struct dun_agent *agent, dun_ms now);

/* Declares a metric (copied; its strings stay borrowed). Returns its id, DUN_E_FULL or
 * DUN_E_INVALID. */
DUN_MUST_USE int dun_agent_declare(struct dun_agent *agent, const struct dun_metric *metric);

/*
 * Records one value of a declared metric, taken now. It is in RAM until its batch is sealed (see
 * batch_age_max_ms), then durable. Returns 0; DUN_E_INVALID for an unknown id; DUN_E_FULL when
 * neither storage nor RAM takes it: then it is counted in the loss ledger.
 */
int dun_agent_record(struct dun_agent *agent, uint16_t metric, int64_t value, dun_ms now);

/* A metric of doubles is recorded with dun_agent_record_real: see real.h. */

/*
 * Values of `metric` are usual from `low` to `high`. A value that crosses a bound, either way, is
 * urgent: its batch is sealed in this step and overtakes all that waits to be sent, unless order is
 * strict. After a reboot it waits with the backlog. Returns 0, or DUN_E_INVALID for an unknown id,
 * low above high, or an agent without `limits`.
 */
DUN_MUST_USE int dun_agent_limit(struct dun_agent *agent, uint16_t metric, int64_t low,
                                 int64_t high);

/*
 * Says which values of `metric` are worth sending. One that is left out is no loss: it lay within
 * the dead-band of the last one that was recorded. A value that crosses a limit is never left out.
 * Returns 0, or DUN_E_INVALID for an unknown id, a negative number, or an agent without `limits`.
 */
DUN_MUST_USE int dun_agent_tune(struct dun_agent *agent, uint16_t metric,
                                const struct dun_tuning *tuning);

/* From now on the sensor, one of this agent's, is read at this interval; 0: never. */
void dun_agent_pace(struct dun_agent *agent, struct dun_sensor *sensor, uint32_t interval_ms,
                    dun_ms now);

/* Tells the wall clock: call it as often as convenient; anchors are made when one is needed. */
void dun_agent_set_clock(struct dun_agent *agent, dun_ms now, dun_ms unix_ms);

/* Seals the open batch now and makes it durable. Returns 0 or the storage's error. */
DUN_MUST_USE int dun_agent_seal(struct dun_agent *agent, dun_ms now);

/*
 * Begins the end: seals, then delivers what is stored until `deadline`, publishes `offline` and
 * disconnects. Go on stepping until dun_agent_ended. Without a connection it ends at once: what is
 * durable is delivered by the next start.
 */
void dun_agent_end(struct dun_agent *agent, dun_ms now, dun_ms deadline);
bool dun_agent_ended(const struct dun_agent *agent);

/* Takes the oldest notice; false: none. */
bool dun_agent_notice(struct dun_agent *agent, struct dun_notice *notice);

const struct dun_stats *dun_agent_stats(const struct dun_agent *agent);

/* Records stored and not acknowledged, in both logs. */
dun_sequence dun_agent_backlog(const struct dun_agent *agent);
bool dun_agent_is_up(const struct dun_agent *agent);

/* True if `name` may be a device id, fleet or prefix: [A-Za-z0-9._-]{1,64}. */
bool dun_agent_name_ok(const char *name);

#endif
