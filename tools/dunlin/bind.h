/*
 * bind.h: what a message says, as values that a database takes. Text is borrowed, or made in
 * `scratch`, which stays until its owner empties it.
 */
#ifndef DUN_BIND_H
#define DUN_BIND_H

#include "out.h"
#include "store.h"

struct dun_bind dun_bind_number(int64_t value);

/* NULL if it is not known; capped at DUN_SEQUENCE_MAX. */
struct dun_bind dun_bind_maybe(bool known, uint64_t value);
struct dun_bind dun_bind_text(struct dun_span span);

/* With a question mark for U+0000, which PostgreSQL knows no text with. */
struct dun_bind dun_bind_clean(struct dun_out *scratch, struct dun_span span);

/* A JSON object, NULL if there are none. They have 1,024 bytes at most. */
struct dun_bind dun_bind_attributes(struct dun_out *scratch, const struct dun_pair *pairs,
                                    size_t count);

/* What the integers 0, 1, 2 ... are called, as a JSON list; NULL if they are not. */
struct dun_bind dun_bind_states(struct dun_out *scratch, const struct dun_metric_text *metric);

#endif
