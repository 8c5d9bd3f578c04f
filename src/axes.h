/*
 * axes.h: when the rows of a record were taken: which columns have the same times, and whether one
 * shared axis, of which a column may have only part of the rows, costs less than an axis for each.
 */
#ifndef DUN_AXES_H
#define DUN_AXES_H

#include "column.h"

/*
 * Finds the different sequences of times among the first `limit` points and the cheaper way to
 * write them; keeps it in the batch's plan and chains. Cost: each column is compared with the
 * first of each sequence, as far as they agree.
 */
void dun_axes_plan(struct dun_batch *batch, uint16_t limit);

/* Writes the axes as planned. */
bool dun_axes_write(pb_ostream_t *out, const struct dun_batch *batch);

/* Codes which rows of the shared axis the columns of sequence `axis` have. */
void dun_axes_code_rows(struct dun_coder *coder, const struct dun_batch *batch, uint16_t axis);

#endif
