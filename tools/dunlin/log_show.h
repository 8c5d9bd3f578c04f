/*
 * log_show.h: what log_view.h found, as text for people or as JSON lines.
 */
#ifndef DUN_LOG_SHOW_H
#define DUN_LOG_SHOW_H

#include "log_rejected.h"

/* The log as a whole: its state, its ledger, the damage. `renderer` decides between JSON and text,
 * `now_ms` is unix time. */
void dun_log_show(struct dun_log_view *view, struct dun_renderer *renderer, int64_t now_ms);

void dun_log_show_record_head(struct dun_renderer *renderer);
void dun_log_show_record(const struct dun_log_view *view, struct dun_renderer *renderer,
                         const struct dun_log_cursor *cursor, struct dun_span payload,
                         const struct dun_log_contents *contents);

/* Behind the line of a record: why it was given up. */
void dun_log_show_refusal(struct dun_renderer *renderer, uint64_t sequence,
                          const struct dun_log_refusal *refusal);

#endif
