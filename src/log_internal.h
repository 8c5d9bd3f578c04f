/*
 * log_internal.h: what the files of the log share and nobody else may use: places in the ring, the
 * set of acknowledged sequences. log.c opens with the whole picture.
 */
#ifndef DUN_LOG_INTERNAL_H
#define DUN_LOG_INTERNAL_H

#include "log.h"
#include "log_format.h"

#define DUN_LOG_SKIP_MAX 3 /* blocks tried for one opening */

/* How many ledger entries a block of this size can store and still hold a record. */
uint16_t dun_log_losses_max(uint32_t block_size);

/* How far `to` lies behind `from` in the ring: 1 to block_count. */
uint32_t dun_log_distance(const struct dun_log *log, uint32_t from, uint32_t to);

/* May the opening that was read from `block` be of the chain? Damage may have put another there. */
bool dun_log_in_chain(const struct dun_log *log, uint32_t block,
                      const struct dun_log_opening *opening);

/*
 * The next block of the chain behind `block` whose serial is above `serial`, up to the base, of
 * which only what the log knows is filled in. Returns its index, or -1. Cost: one opening for each
 * block passed.
 */
int64_t dun_log_block_after(const struct dun_log *log, uint32_t block, uint32_t serial,
                            struct dun_log_opening *opening);

/* What the log knows by heart of the base's opening, which damage may have hit since. */
void dun_log_base_opening(const struct dun_log *log, struct dun_log_opening *opening);

/* True if `block` is the one that DROP_NEWEST keeps for records that tell losses. */
bool dun_log_is_reserve(const struct dun_log *log, uint32_t block);

/* What the ledger calls a loss that recycling made. */
enum dun_loss_reason dun_log_overflow_reason(const struct dun_log *log);

/* How many ranges there are behind the cursor. */
static inline uint8_t dun_log_done_used(const struct dun_log *log)
{
    return dun_has_ranges() ? log->done_used : 0;
}

/* True if `sequence` was acknowledged or given up. */
bool dun_log_is_done(const struct dun_log *log, dun_sequence sequence);

/* Takes first..first+count-1 as acknowledged; false if that needs one range too many. */
bool dun_log_mark_done(struct dun_log *log, dun_sequence first, dun_sequence count);

/*
 * The first run of sequences in *first..end-1 that are not done: moves `*first` to its beginning
 * and returns its end. There is none if that is not above `*first`.
 */
dun_sequence dun_log_open_run(const struct dun_log *log, dun_sequence *first, dun_sequence end);

/* Enters what is not done of first..end-1 in the ledger. Returns how many sequences that is. */
dun_sequence dun_log_lose(struct dun_log *log, dun_sequence first, dun_sequence end,
                          enum dun_loss_reason reason);

/* Moves the cursor to `sequence` or further. */
void dun_log_advance(struct dun_log *log, dun_sequence sequence);

#endif
