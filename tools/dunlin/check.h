/*
 * check.h: what SPEC.md asks of a record beyond its wire format. Each returns 0, or
 * DUN_E_CORRUPT with `complaint` filled.
 */
#ifndef DUN_CHECK_H
#define DUN_CHECK_H

#include "parse.h"

/* Also expands the points: see expand.h. */
DUN_MUST_USE int dun_check_batch(struct dun_parsed *record, struct dun_complaint *complaint);
DUN_MUST_USE int dun_check_samples(struct dun_parsed *record, struct dun_complaint *complaint);
DUN_MUST_USE int dun_check_catalog(struct dun_parsed *record, struct dun_complaint *complaint);
DUN_MUST_USE int dun_check_stored(struct dun_parsed *record, struct dun_complaint *complaint);

#endif
