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
#define DUN_LOG_DONE_MAX 4        /* ranges acknowledged out of order that the log remembers */

enum dun_log_overflow {
    DUN_LOG_DROP_OLDEST = 0,
    DUN_LOG_DROP_NEWEST = 1, /* dun_log_append returns DUN_E_FULL and writes nothing */
};

struct dun_log_config {
    const struct dun_flash *flash;
    struct dun_ledger *ledger;   /* filled at mount from what the log last stored */
    struct dun_buffer unit;      /* write buffer: at least geometry.prog_size bytes */
    uint64_t new_stream;         /* random id for the case that there is no log yet, not 0 */
    enum dun_log_overflow overflow;
};

/* Where one record lies. A value: copy it freely; it goes stale when its block is recycled. */
struct dun_log_cursor {
    uint64_t sequence;
    uint32_t block;
    uint32_t offset; /* of the payload */
    uint32_t size;   /* of the payload, bytes */
    uint32_t serial; /* the life of the block in which this was true */
};

/* What a mount found. */
struct dun_log_report {
    bool formatted;       /* there was no log: a new stream began */
    uint32_t damaged;     /* records or blocks skipped because a check failed */
    uint64_t bytes_read;
};

struct dun_log {
    uint64_t stream; /* the rest follows with log.c */
};

/*
 * Finds the log on the flash, or begins a new one. The flash, ledger and unit buffer stay borrowed.
 * Reads one header a block and one block whole, whatever the count of records; writes nothing.
 * Fails with DUN_E_IO if the flash cannot be read, DUN_E_INVALID for a geometry out of range.
 */
DUN_MUST_USE int dun_log_mount(struct dun_log *log, const struct dun_log_config *config,
                               struct dun_log_report *report);

uint64_t dun_log_stream(const struct dun_log *log);

/* The sequence that the next append will get, and the oldest one not acknowledged yet. */
uint64_t dun_log_next_sequence(const struct dun_log *log);
uint64_t dun_log_first_sequence(const struct dun_log *log);

/* The largest payload one record holds on this geometry. */
uint32_t dun_log_record_max(const struct dun_log *log);

/*
 * Appends one record in pieces, so that no second copy of it is needed: begin with its size, write
 * exactly that many bytes, commit. Begin may recycle the oldest block (overflow: the ledger gets the range).
 * Nothing is durable before dun_log_sync. A failed write or commit leaves the log as before begin.
 * Returns 0; DUN_E_TOO_LARGE, DUN_E_FULL (DROP_NEWEST), DUN_E_IO, DUN_E_NO_SPACE.
 */
DUN_MUST_USE int dun_log_begin(struct dun_log *log, uint32_t size);
DUN_MUST_USE int dun_log_write(struct dun_log *log, const void *data, uint32_t size);
DUN_MUST_USE int dun_log_commit(struct dun_log *log);

/* The three above in one call. */
DUN_MUST_USE int dun_log_append(struct dun_log *log, struct dun_span payload);

/*
 * Makes every committed record, ack and ledger entry so far durable. After an error the records since the last
 * good sync are withdrawn: their sequences will be given again, so do not publish before this
 * returned 0; the log goes on in a fresh block (a failed fsync says nothing about old pages).
 */
DUN_MUST_USE int dun_log_sync(struct dun_log *log);

/* The oldest record not acknowledged. Returns 1 and fills `cursor`, 0 if there is none, or an error. */
DUN_MUST_USE int dun_log_first(struct dun_log *log, struct dun_log_cursor *cursor);

/* The next one after `cursor` that is not acknowledged; damage is skipped and entered in the ledger. Same results;
 * a cursor gone stale continues at the oldest record after its sequence. */
DUN_MUST_USE int dun_log_next(struct dun_log *log, struct dun_log_cursor *cursor);

/* Reads payload bytes offset..offset+size. DUN_E_NOT_FOUND if the record is no longer there. */
DUN_MUST_USE int dun_log_read(struct dun_log *log, const struct dun_log_cursor *cursor,
                              uint32_t offset, void *data, uint32_t size);

/*
 * Acknowledges one sequence, in any order. Takes effect in RAM at once; it becomes durable with the
 * next dun_log_sync (after power loss before that, the record is sent again). Returns 0 (also for one that was acknowledged
 * before), DUN_E_INVALID for a sequence never given, DUN_E_FULL when more than DUN_LOG_DONE_MAX
 * separate ranges would be open: the record then simply stays.
 */
DUN_MUST_USE int dun_log_ack(struct dun_log *log, uint64_t sequence);

/* Bytes in use by records not acknowledged (whole blocks), and the bytes there are. */
uint64_t dun_log_used(const struct dun_log *log);
uint64_t dun_log_capacity(const struct dun_log *log);

#endif
