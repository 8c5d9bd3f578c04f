/*
 * ledger.h: the loss ledger: which sequences of a stream will never arrive, why, and when we knew.
 *
 * Entries are ranges, kept sorted by `first` and merged when they touch and their reasons agree.
 * When the table is full the two nearest ranges of lost sequences become one, with the reason
 * MERGED: such a range may cover sequences that were delivered, which SPEC.md tells receivers, but
 * never the other way round: no loss goes untold. All other entries are exact.
 *
 * An entry lives until a record that carries it was acknowledged. If that record is itself lost,
 * the entry is told again. It never does I/O: the log stores it (see log.h).
 */
#ifndef DUN_LEDGER_H
#define DUN_LEDGER_H

#include "base.h"

#define DUN_LEDGER_CAPACITY_MIN 2 /* one range of sequences, one count of points */

/* The values of dunlin.v1.LossReason. */
enum dun_loss_reason {
    DUN_LOSS_OVERFLOW = 1,
    DUN_LOSS_DAMAGED = 2,
    DUN_LOSS_STORAGE = 3,
    DUN_LOSS_REJECTED = 4,
    DUN_LOSS_TOO_LARGE = 5,
    DUN_LOSS_MERGED = 6,
    DUN_LOSS_THINNED = 7,
};

/* From here on a reason is the broker's MQTT 5 reason code, and what it means is REJECTED. */
#define DUN_LOSS_CODES 0x80

struct dun_loss {
    dun_sequence first;   /* 0: points that never got a sequence */
    dun_sequence last;    /* inclusive */
    dun_sequence points;  /* points without a sequence; 0 where `first` is not 0 */
    dun_sequence told_in; /* sequence of the record that carries this entry, 0: not told yet */
    dun_ms uptime_ms;     /* when we learnt of it, in boot `boot` */
    uint32_t boot;
    uint8_t reason; /* enum dun_loss_reason; from DUN_LOSS_CODES on, REJECTED with this code */
};

struct dun_ledger {
    struct dun_loss *entries; /* caller-owned */
    uint16_t capacity;        /* DUN_LEDGER_CAPACITY_MIN or more; a log may lower it at mount */
    uint16_t count;
    uint32_t boot; /* stamp for new entries, set by dun_ledger_stamp */
    dun_ms uptime_ms;
    uint32_t changes; /* grows with every change, so that the log knows when to store it */
};

void dun_ledger_init(struct dun_ledger *ledger, struct dun_loss *entries, uint16_t capacity);

/* Sets the (boot, uptime) that entries added from now on carry, and those that have none yet. */
void dun_ledger_stamp(struct dun_ledger *ledger, uint32_t boot, dun_ms uptime_ms);

/*
 * Adds lost sequences first..last (first not 0). What an entry covers already is not added again,
 * but told again if that is MERGED: a record may have carried its two ends before they became one.
 * Entries that were told in one of them become untold. Cost: O(capacity) for each gap it fills.
 */
void dun_ledger_add(struct dun_ledger *ledger, dun_sequence first, dun_sequence last,
                    uint8_t reason);

/*
 * Adds points that were lost before they got a sequence; merged by reason. When the table holds
 * nothing else to merge, an entry that is on its way may be told twice: more loss, never less.
 */
void dun_ledger_add_points(struct dun_ledger *ledger, dun_sequence points,
                           enum dun_loss_reason reason);

/* How many entries no record carries yet. */
uint16_t dun_ledger_untold(const struct dun_ledger *ledger);

/* Is one of them a range of sequences, which a far end may wait for? */
bool dun_ledger_untold_sequences(const struct dun_ledger *ledger);

/*
 * Marks the first `count` untold entries as carried by the record `sequence`. To be called before
 * the sync that makes the record durable: a sync that fails, or power that does, takes it back.
 */
void dun_ledger_told(struct dun_ledger *ledger, dun_sequence sequence, uint16_t count);

/* The records first..last (not 0) were acknowledged: the entries they carried are forgotten. */
void dun_ledger_acked(struct dun_ledger *ledger, dun_sequence first, dun_sequence last);

/* Records from `sequence` on never came to be: what they carried is untold again. */
void dun_ledger_untell(struct dun_ledger *ledger, dun_sequence sequence);

/* The entries come from an old state, and all records before `sequence` are done: what an entry was
 * told in may be among them, or have been lost. It is told again. For the log's mount. */
void dun_ledger_untell_before(struct dun_ledger *ledger, dun_sequence sequence);

/* Puts back an entry as it was stored, merging as needed. For the log's mount. */
void dun_ledger_restore(struct dun_ledger *ledger, const struct dun_loss *entry);

#endif
