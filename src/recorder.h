/*
 * recorder.h: the recording half of the agent: points go into the open batch, a sealed batch goes
 * into a store as one record. When the durable store fails, records go to the spare one, which is
 * a stream of its own; when both fail, points wait in RAM and what does not fit is counted.
 */
#ifndef DUN_RECORDER_H
#define DUN_RECORDER_H

#include "batch.h"
#include "catalog.h"
#include "clock.h"
#include "encoder.h"
#include "notice.h"
#include "stats.h"
#include "store.h"
#include "thinner.h"

struct dun_recorder_limits {
    uint32_t points_max; /* seal at so many points */
    uint32_t bytes_max;  /* seal at about so many encoded bytes */
    uint32_t size_max;   /* no record that can be made in two is longer; 0: what the store takes */
    uint32_t age_max_ms; /* seal when the oldest thing that waits is this old */
    uint32_t retry_ms;   /* wait so long before failed storage is tried again */
};

/* Which values of a metric are worth sending; all are scaled as its values. */
struct dun_tuning {
    int64_t resolution;    /* values are rounded to multiples of this; 0: as they are */
    int64_t dead_band;     /* around the last value that was recorded, inclusive */
    uint32_t heartbeat_ms; /* but one is recorded at least so often; 0: only changes are */
    bool sparse;           /* values within the dead-band are left out */
};

/* The range in which values of a metric are usual. Crossing its bounds is urgent. */
struct dun_limit {
    int64_t low, high; /* inclusive; scaled as the metric's values */
    struct dun_tuning tuning;
    int64_t last; /* value that was recorded, if `told`; of a double its bits */
    dun_ms last_ms;
    bool told;
    bool set;
    int8_t side; /* of the last value: -1 below, 0 within, 1 above */
};

struct dun_recorder {
    bool lost_some; /* one of `lost` is not 0 */
    bool seal_due;
    uint16_t urgent_begin,
        urgent_end; /* first and last urgent point of the batch, from 1; 0: none */
    const char *device;
    const struct dun_encoder *encoder;
    struct dun_catalog *catalog;
    struct dun_batch *batch;
    struct dun_clock *clock;
    struct dun_store *durable;
    struct dun_store *spare; /* NULL: there is none */
    struct dun_stats *stats;
    struct dun_notices *notices;
    struct dun_thinner *thinner; /* NULL: the log's policy is another one */
    struct dun_limit *limits_of; /* one a metric, or NULL */
    struct dun_store *active;    /* the store that took the last record; NULL: none did */
    struct dun_recorder_limits limits;
    dun_sequence urgent_first, urgent_last; /* new durable records with an urgent sample; 0: none */
    dun_sequence lost[DUN_LOSS_TOO_LARGE + 1]; /* points by reason, not in any ledger yet */
    dun_ms waiting_since_ms; /* when the oldest unsealed thing came; DUN_MS_NEVER: none */
    dun_ms told_ms;          /* when a record was last made for nothing but losses */
    dun_ms blocked_until_ms; /* no store works: do not try before */
};

/* Mounts what can be mounted. All pointers in `recorder` were set by the caller. */
void dun_recorder_start(struct dun_recorder *recorder, dun_ms now);

/* Adds a point; see dun_agent_record. */
int dun_recorder_add(struct dun_recorder *recorder, uint16_t metric, int64_t value, dun_ms now);

/* Adds what was found worth recording, and what its metric's values are made of; `side` of its
 * limits it lies on: -1 below, 0 within, 1 above. */
int dun_recorder_put(struct dun_recorder *recorder, uint16_t metric, int64_t value, int side,
                     dun_ms now);

/* True if a heartbeat, or a first value, is due: then nothing may be left out. */
bool dun_recorder_is_due(const struct dun_limit *limit, dun_ms now);

/* Something that a record must carry came up: an anchor, a loss. */
void dun_recorder_wake(struct dun_recorder *recorder, dun_ms now);

/* Saves what the next block of `store` will take, if it is the log that thins: to be called before
 * everything that may open a block. */
void dun_recorder_save(struct dun_recorder *recorder, const struct dun_store *store);

/* Counts and tells what the log gave up since the last call; the dictionary travels again. */
void dun_recorder_note_dropped(struct dun_recorder *recorder, struct dun_store *store);

/* Seals all that waits, now: durable on return of 0, or in the spare's RAM. */
DUN_MUST_USE int dun_recorder_seal(struct dun_recorder *recorder, dun_ms now);

/* Seals what is due. */
void dun_recorder_tick(struct dun_recorder *recorder, dun_ms now);
dun_ms dun_recorder_deadline(const struct dun_recorder *recorder);

#endif
