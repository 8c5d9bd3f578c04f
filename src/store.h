/*
 * store.h: one log as the agent uses it: mounted when it can be, tried again when it failed. The
 * agent has up to three: the durable one, a spare in RAM for the time in which that fails, and an
 * archive. Where a store is asked for something, NULL is one that is not there and holds nothing.
 */
#ifndef DUN_STORE_H
#define DUN_STORE_H

#include "encoder.h"
#include "log.h"
#include "notice.h"

/* What the board gives for one log. `flash` NULL: there is none. All borrowed. */
struct dun_store_config {
    const char *name; /* for notices: log, memory, archive */
    const struct dun_flash *flash;
    struct dun_buffer unit;  /* geometry.prog_size bytes */
    struct dun_loss *losses; /* loss ledger, `losses_max` entries, 4 or more */
    uint16_t losses_max;
    uint64_t new_stream; /* random, not 0 */
    enum dun_log_overflow overflow;
    bool in_ram;    /* its flash survives no loss of power */
    uint16_t owner; /* see struct dun_log_config; the agent fills it in */
};

struct dun_store {
    struct dun_store_config config;
    struct dun_log log;
    struct dun_ledger ledger;
    bool mounted;
    bool failing;        /* the last write failed */
    dun_ms retry_ms;     /* when a failing store may be tried again */
    uint16_t announced;  /* catalog entries that this stream has since its mount */
    uint32_t overflowed; /* dun_log_overflowed as last noted */
    dun_ms acks_due_ms;  /* when acks in RAM must become durable; DUN_MS_NEVER: none */
};

void dun_store_init(struct dun_store *store, const struct dun_store_config *config);

/* Mounts the log if it is not. 0 or the error; a notice tells what was found. */
DUN_MUST_USE int dun_store_mount(struct dun_store *store, struct dun_notices *notices);

/*
 * Stores what `record` says (stream and sequence are filled here) as one durable record: on return
 * of 0 it survives power loss. An error leaves the store as it was and marks it failing;
 * DUN_E_TOO_LARGE and DUN_E_FULL (policy) do not.
 */
DUN_MUST_USE int dun_store_append(struct dun_store *store, const struct dun_encoder *encoder,
                                  struct dun_record *record, uint32_t *size);

/* How many records the log gave up, for want of room, since this was asked last. */
uint32_t dun_store_dropped(struct dun_store *store);

static inline bool dun_store_is_mounted(const struct dun_store *store)
{
    return store && store->mounted;
}

/* Records stored and not acknowledged. */
dun_sequence dun_store_backlog(const struct dun_store *store);

/* Takes an ack for a full sequence; it becomes durable by `due_ms` at the latest. */
void dun_store_ack(struct dun_store *store, dun_sequence sequence, dun_ms due_ms);

/* The same for all up to and including `sequence`. */
void dun_store_ack_to(struct dun_store *store, dun_sequence sequence, dun_ms due_ms);

/* Makes acks durable when they are due. Returns 0 or the error. */
DUN_MUST_USE int dun_store_tick(struct dun_store *store, dun_ms now);

#endif
