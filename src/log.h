/*
 * log.h: a ring of opaque records on erase blocks: the outbox. LOG_FORMAT.md is the byte-exact
 * format; log.c opens with how it survives.
 *
 * A record is durable when dun_log_sync returned 0 after its append. It is given out as often as
 * asked and forgotten only when it was acknowledged (or dropped by the overflow policy, which the
 * ledger tells). Sequences start at 1 and have no holes; one stream id lives as long as the log.
 */
#ifndef DUN_LOG_H
#define DUN_LOG_H

#include "base.h"
#include "flash.h"
#include "ledger.h"

#define DUN_LOG_RECORD_OVERHEAD 8 /* bytes a record costs beside its payload */
#define DUN_LOG_DONE_MAX        4 /* ranges acknowledged out of order that the log remembers */

enum dun_log_overflow {
    DUN_LOG_DROP_OLDEST = 0,
    /* dun_log_append returns DUN_E_FULL and writes nothing. A ring of 4 blocks and more keeps one
     * of them for records that tell losses. */
    DUN_LOG_DROP_NEWEST = 1,
    DUN_LOG_THIN = 2, /* as DROP_OLDEST, but the loss is told as THINNED: see thinner.h */
};

struct dun_log_config {
    const struct dun_flash *flash;
    struct dun_ledger *ledger;
    struct dun_buffer unit; /* write buffer: prog_size bytes or more; more joins small pieces */
    uint64_t new_stream;    /* random id for the case that there is no log yet, not 0 */
    enum dun_log_overflow overflow;
    uint16_t owner; /* names the device, as a hash of its id; 0: not told */
};

/* Where one record lies. A value: copy it freely; it goes stale when its block is recycled. */
struct dun_log_cursor {
    dun_sequence sequence;
    uint32_t block;
    uint32_t offset; /* of the payload */
    uint32_t size;   /* of the payload, bytes */
    uint32_t serial; /* the life of the block in which this was true */
    bool urgent;
};

/* What a mount found. */
struct dun_log_report {
    bool formatted;   /* there was no log: a new stream began */
    bool foreign;     /* another device wrote the newest block: see owner */
    uint32_t damaged; /* records or blocks skipped because a check failed */
};

/*
 * Less than 200 bytes; everything in it is the log's own business. Places are (block, offset);
 * `base` is the newest block with a good sync, `head` the one being written, `tail` the oldest.
 */
struct dun_log {
    /* Small fields first: the nearer they lie, the shorter is the code on some machines. */
    bool head_open : 1;
    bool record_open : 1;
    bool acks_changed : 1;
    bool state_full : 1; /* the head has a full state record that says what is so but the cursor */
    bool base_old : 1;   /* the base is of format version 1 */
    bool base_lost : 1;  /* its opening is gone, and so are its records */
    bool in_reserve : 1; /* the head is the block that DROP_NEWEST keeps for what tells losses */
    bool erase_failed : 1; /* of a block in use, since mount: cursors may point to nothing */
    uint8_t done_used;
    uint8_t skip; /* blocks behind `base` that failed, one after the other */
    uint8_t overflow;
    uint16_t unit_size; /* a multiple of prog_size */
    uint16_t owner;
    const struct dun_flash *flash;
    struct dun_ledger *ledger;
    uint8_t *unit;
    dun_sequence next;          /* sequence of the next append */
    dun_sequence cursor;        /* first sequence not acknowledged */
    dun_sequence hint_sequence; /* a record at or before the cursor, and its place */
    uint32_t hint_block, hint_offset, hint_serial;
    uint32_t unsynced; /* committed records that are not durable */
    uint32_t tail, tail_serial;
    uint32_t base, base_serial; /* serial 0: there is no block yet */
    uint32_t base_first;        /* the low bits of its first sequence */
    uint32_t head, serial;      /* serial of the newest opening */
    uint32_t offset, fill;      /* the unit buffer belongs there, and holds so many bytes */
    uint32_t record_start, record_left, record_crc;
    uint32_t ledger_saved; /* ledger->changes as last written */
    uint32_t state_cursor; /* the low bits of the cursor in the head's last full state record */
    uint32_t overflowed, damaged;
    uint32_t done_count[DUN_LOG_DONE_MAX];
    dun_sequence done_first[DUN_LOG_DONE_MAX]; /* ranges behind the cursor, sorted, apart */
    uint64_t stream;
};

/*
 * Finds the log on the flash, or begins a new one. The flash, ledger and unit buffer stay borrowed;
 * the ledger must be initialised (and stamped, if the boot is known), is filled, and its capacity
 * is lowered to what a block of this geometry can store.
 * Reads the openings of all blocks and one block whole, whatever the count of records; writes
 * nothing, but syncs the flash, so that what is given out cannot vanish any more.
 * DUN_E_IO if the flash cannot be read or synced, DUN_E_INVALID for a configuration or geometry out
 * of range, DUN_E_UNSUPPORTED for a log of a newer version or of other block or program sizes.
 */
DUN_MUST_USE int dun_log_mount(struct dun_log *log, const struct dun_log_config *config,
                               struct dun_log_report *report);

uint64_t dun_log_stream(const struct dun_log *log);

/* The sequence that the next append will get, and the oldest one not acknowledged yet. */
dun_sequence dun_log_next_sequence(const struct dun_log *log);
dun_sequence dun_log_first_sequence(const struct dun_log *log);

/* The largest payload one record holds on this geometry and with this ledger. */
uint32_t dun_log_record_max(const struct dun_log *log);

/*
 * Appends one record in pieces, so that no second copy of it is needed: begin with its size, write
 * exactly that many bytes, commit. A record not committed is abandoned by the next begin or sync.
 * Begin goes to a new block when the old one is full: it syncs the old one and recycles the oldest
 * (overflow: the ledger gets the range). Nothing is durable before dun_log_sync.
 * Returns 0; DUN_E_TOO_LARGE, DUN_E_FULL (DROP_NEWEST), DUN_E_INVALID (pieces that do not add up),
 * or what the flash said (DUN_E_IO, DUN_E_NO_SPACE): then all records since the last good sync are
 * withdrawn, as by a failed dun_log_sync. Cost: the bytes written, in O(1) programs a piece,
 * whatever its size; at most one erase.
 */
DUN_MUST_USE int dun_log_begin(struct dun_log *log, uint32_t size);
DUN_MUST_USE int dun_log_begin_urgent(struct dun_log *log, uint32_t size); /* for the cursor */
/* For a record that tells losses of sequences, without which the far end waits for ever: with
 * DROP_NEWEST it may use the block kept in reserve, and if that is full take the oldest one. */
DUN_MUST_USE int dun_log_begin_telling(struct dun_log *log, uint32_t size);
DUN_MUST_USE int dun_log_write(struct dun_log *log, const void *data, uint32_t size);
DUN_MUST_USE int dun_log_commit(struct dun_log *log);

/* The three above in one call. */
DUN_MUST_USE int dun_log_append(struct dun_log *log, struct dun_span payload);

/*
 * Makes every committed record, ack and ledger entry so far durable. After an error the records
 * since the last good sync are withdrawn: dun_log_next_sequence goes back, the caller keeps them
 * and appends them again, and the log goes on in a fresh block (a failed fsync says nothing about
 * old pages). With DROP_NEWEST and no free block, acks that find no room stay in RAM.
 */
DUN_MUST_USE int dun_log_sync(struct dun_log *log);

/*
 * The oldest durable record that is not acknowledged; records that no sync covers yet stay hidden.
 * Damage on the way is skipped, entered in the ledger and taken as acknowledged. The bytes of the
 * record have passed their check. Returns 1 and fills `cursor`; 0 if there is none; DUN_E_IO if the
 * whole flash no longer answers. Cost: reads from the last known place up to the record.
 */
DUN_MUST_USE int dun_log_first(struct dun_log *log, struct dun_log_cursor *cursor);

/* The same for the next one after `cursor`, which may have gone stale. DUN_E_AGAIN, if acks out of
 * order are not remembered: behind damage, until all before that is acknowledged. Cost: O(1)
 * records. */
DUN_MUST_USE int dun_log_next(struct dun_log *log, struct dun_log_cursor *cursor);

/* Reads payload bytes offset..offset+size. DUN_E_NOT_FOUND if the record is no longer there. Once
 * an erase has failed the whole record is checked anew. */
DUN_MUST_USE int dun_log_read(struct dun_log *log, const struct dun_log_cursor *cursor,
                              uint32_t offset, void *data, uint32_t size);

/*
 * Acknowledges one sequence, in any order; the ledger forgets what that record carried. Takes
 * effect in RAM at once and becomes durable with the next dun_log_sync (after power loss before
 * that, the record is sent again). Returns 0 (also for one that was acknowledged before),
 * DUN_E_INVALID for a sequence never given, DUN_E_FULL when more than DUN_LOG_DONE_MAX separate
 * ranges would be open: the record then simply stays. Writes nothing.
 */
DUN_MUST_USE int dun_log_ack(struct dun_log *log, dun_sequence sequence);

/* Acknowledges all sequences up to and including this one. Otherwise as dun_log_ack; never FULL. */
DUN_MUST_USE int dun_log_ack_to(struct dun_log *log, dun_sequence sequence);

/* A number that grows each time a block is opened, and the end of what so many openings, of good
 * blocks or bad, take from now on: records from dun_log_first_sequence up to below it. One append
 * with its sync opens up to DUN_LOG_OPENINGS_MAX: for itself, again when it tells what that took,
 * and for the state. Cost of the latter: a few openings read. */
#define DUN_LOG_OPENINGS_MAX 3
uint32_t dun_log_serial(const struct dun_log *log);
dun_sequence dun_log_victims_end(const struct dun_log *log, uint32_t openings);

/* Bytes that records, each with its overhead, can take before a block must be opened. */
uint32_t dun_log_room(const struct dun_log *log);

/* Records that went to the ledger since mount: taken by overflow, or found damaged. Wraps. */
uint32_t dun_log_overflowed(const struct dun_log *log);
uint32_t dun_log_damaged(const struct dun_log *log);

/* Bytes in use by records not acknowledged (whole blocks), and the bytes there are. */
uint64_t dun_log_used(const struct dun_log *log);
uint64_t dun_log_capacity(const struct dun_log *log);

#endif
