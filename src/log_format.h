/*
 * log_format.h: the bytes of LOG_FORMAT.md, for the files of the log only: openings of blocks, the
 * state record, and the walk over the records of one block. It never writes to the flash and knows
 * nothing of rings; whatever the bytes are, it neither asserts nor loops for ever.
 */
#ifndef DUN_LOG_FORMAT_H
#define DUN_LOG_FORMAT_H

#include "base.h"
#include "bytes.h"
#include "flash.h"
#include "ledger.h"

#define DUN_LOG_VERSION      2
#define DUN_LOG_OPENING_SIZE 52
#define DUN_LOG_OPENING_OLD  44 /* of version 1, which is read and never written */
#define DUN_LOG_HEADER_SIZE  4  /* of a record: length, sequence */
#define DUN_LOG_CRC_SIZE     4
#define DUN_LOG_META         0x8000u /* bit of the length: a state record, which has no sequence */
#define DUN_LOG_URGENT       0x4000u /* bit of the length: a record that thinning keeps */
#define DUN_LOG_SIZE_MASK    0x3FFFu /* the other bits: bytes of payload */
#define DUN_LOG_SIZE_MAX     0x3FFEu
#define DUN_LOG_BLANK        0xFFFFu /* a length that was never programmed */
#define DUN_LOG_AHEAD_MAX    1023    /* records that a resynchronisation may skip */

#define DUN_LOG_SEQUENCE_MAX (DUN_SEQUENCE_LAST / 4) /* no device gets there */

#define DUN_LOG_STATE_SIZE  10 /* cursor and counts */
#define DUN_LOG_STATE_SHORT 2  /* the whole payload, where only the cursor moved */
#define DUN_LOG_DONE_SIZE   8  /* a range acknowledged out of order */
#define DUN_LOG_LOSS_SIZE   37 /* a ledger entry */

/* Bytes that a walk holds at once; more means fewer reads, and lies on the stack. */
#define DUN_LOG_WINDOW 256

enum dun_log_block_kind {
    DUN_LOG_BLOCK_OURS,       /* a valid opening of this version */
    DUN_LOG_BLOCK_BLANK,      /* the opening was never programmed */
    DUN_LOG_BLOCK_GARBAGE,    /* anything else */
    DUN_LOG_BLOCK_NEWER,      /* a valid opening of a version that we do not know */
    DUN_LOG_BLOCK_LOST,       /* marked by the device below: what it held is gone */
    DUN_LOG_BLOCK_UNREADABLE, /* the flash gave an error */
};

struct dun_log_opening {
    uint64_t stream;
    dun_sequence first;        /* sequence of the first record of the block */
    dun_sequence before_first; /* the same of the block before it in the chain, whose serial is */
    uint32_t before_serial;    /* 0: none, or not known */
    uint32_t serial;
    uint32_t block_size;
    uint32_t block_count;
    uint16_t prog_size;
    uint16_t owner; /* of the device, see struct dun_log_config; 0: not known */
    uint16_t size;  /* of the opening itself: records begin there */
    bool mended;    /* one bit of it had flipped */
};

/* A place in one block. */
struct dun_log_walk {
    const struct dun_flash *flash;
    dun_sequence sequence; /* of the next record, if none is missing */
    dun_sequence end;      /* records from this sequence on are void */
    uint32_t tried;        /* bytes of what looked like records and was none */
    uint32_t block;
    uint32_t offset;
    uint32_t seed;        /* of the records' CRCs */
    uint32_t used;        /* behind the last byte seen that is not 0xFF */
    uint32_t window_from; /* offset of window[0] */
    uint32_t window_size;
    uint8_t window[DUN_LOG_WINDOW];
};

struct dun_log_found {
    bool meta;
    bool urgent;
    dun_sequence sequence;
    uint32_t offset; /* of the payload */
    uint32_t size;
};

/* The seed of all record CRCs in the block that has this stream and serial. */
uint32_t dun_log_seed(uint64_t stream, uint32_t serial);

/* Extends the seed over what stands before a record's payload. */
uint32_t dun_log_record_crc(uint32_t seed, uint16_t length, uint64_t sequence);

/* Writes DUN_LOG_OPENING_SIZE bytes of the newest version. */
void dun_log_put_opening(uint8_t *at, const struct dun_log_opening *opening);

/*
 * Reads and judges the opening of `block`; a single bit that flipped is put right. Reads
 * DUN_LOG_OPENING_SIZE bytes, more if NEWER.
 */
enum dun_log_block_kind dun_log_get_opening(const struct dun_flash *flash, uint32_t block,
                                            struct dun_log_opening *opening);

void dun_log_put_loss(uint8_t *at, const struct dun_loss *loss);
void dun_log_get_loss(const uint8_t *at, struct dun_loss *loss);

/* What a short state record with the payload `at` makes of the cursor of the last full one. */
dun_sequence dun_log_short_cursor(dun_sequence cursor, const uint8_t *at);

/* Is a state record of `size` bytes whole, if `counts` are its bytes 8 and 9? */
bool dun_log_state_fits(uint32_t size, const uint8_t *counts);

/*
 * `block` has no valid opening. If it begins all the same with the state record that follows one,
 * fills `opening`, which holds the newest valid one, with what that was: first and serial follow
 * from the record, whose CRC covers them. False: it does not. Cost: reads that record.
 */
bool dun_log_guess_opening(const struct dun_flash *flash, uint32_t block,
                           struct dun_log_opening *opening);

/* Starts behind the opening of `block`. */
void dun_log_walk_start(struct dun_log_walk *walk, const struct dun_flash *flash, uint32_t block,
                        const struct dun_log_opening *opening);

/*
 * `size` (up to DUN_LOG_WINDOW) bytes at `offset`, valid until the next call on this walk. Bytes
 * that the flash does not give, even when asked twice, read as 0: damage like any other.
 */
const uint8_t *dun_log_walk_peek(struct dun_log_walk *walk, uint32_t offset, uint32_t size);

/*
 * Goes to the next valid record: padding is skipped, and so is damage, behind which the sequence of
 * what was found lies ahead of walk->sequence as it was before the call. False: none up to the end
 * of the block. Cost: the bytes up to it; over damage, where each byte is tried as a start, about
 * a block and a record more.
 */
bool dun_log_walk_next(struct dun_log_walk *walk, struct dun_log_found *found);

#endif
