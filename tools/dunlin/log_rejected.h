/*
 * log_rejected.h: the records of a log that the broker refused for good. They count as done, so the
 * device sends them no more; their bytes stay until their block is used again.
 */
#ifndef DUN_LOG_REJECTED_H
#define DUN_LOG_REJECTED_H

#include "log_view.h"

struct dun_log_refusal {
    uint64_t first, last; /* sequences */
    uint8_t reason;       /* DUN_LOSS_REJECTED or DUN_LOSS_TOO_LARGE */
    uint32_t code;        /* the broker's, 0: it gave none */
};

/*
 * Rewinds the view to the oldest record that is still there, done or not, and fills `refusals`
 * (struct dun_log_refusal) from the ledger and from every record that tells losses: each of those
 * is younger than what it tells of, so it is there as long. 0, or an error of the log.
 */
DUN_MUST_USE int dun_log_rejected_find(struct dun_log_view *view, struct dun_list *refusals);

/* The refusal of this sequence, or NULL. */
const struct dun_log_refusal *dun_log_rejected_at(const struct dun_list *refusals,
                                                  uint64_t sequence);

#endif
