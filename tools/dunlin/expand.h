/*
 * expand.h: from the axes and columns of a parsed Batch to its points, with all that SPEC.md asks
 * of them. Fills record->times, values and expanded.
 */
#ifndef DUN_EXPAND_H
#define DUN_EXPAND_H

#include "parse.h"

/* 0, or DUN_E_CORRUPT with `complaint` filled. */
DUN_MUST_USE int dun_expand_batch(struct dun_parsed *record, struct dun_complaint *complaint);

#endif
