/*
 * column.h: the values of one metric as a column: the rows of a batch that belong to a record,
 * how they are coded best, and their bits. Integers only.
 */
#ifndef DUN_COLUMN_H
#define DUN_COLUMN_H

#include "batch.h"
#include "coding.h"

/* The rows of one metric that fall into a record. */
struct dun_column {
    const struct dun_batch *batch;
    uint16_t metric;
    uint16_t limit; /* points with an index below this belong to the record */
};

/* NULL: there is none. */
const struct dun_point *dun_column_first(const struct dun_column *column);
const struct dun_point *dun_column_next(const struct dun_column *column,
                                        const struct dun_point *point);

/* True for a coding whose values differ from row to row. */
bool dun_coding_varies(uint8_t coding);

/* True for a coding of which several in a row are counted. */
bool dun_coding_counts(uint32_t coding);

/* False for one that is like no other and that no other is like: it has exceptions. */
bool dun_column_may_be_like(const struct dun_column *column);

/*
 * Chooses the coding and the step of a column and keeps them in its chain. `like` is the column
 * before it that has the same rows and varies, or NULL; `before` the coding of the one before.
 * Cost: two walks of the chain; five of one of doubles.
 */
void dun_column_choose(struct dun_batch *batch, const struct dun_column *column,
                       const struct dun_column *like, uint8_t before);

/* Codes a column as chosen, with the same `like`. */
void dun_column_code(struct dun_coder *coder, const struct dun_column *column,
                     const struct dun_column *like);

#endif
