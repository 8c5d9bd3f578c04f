/*
 * points.h: the points of a record as the store has them: a row for each series, its points as one
 * JSON object, milliseconds since the record's first point -> value. A value is a scaled integer
 * or a double; one that is not finite is null. A point without any time has the key "".
 *
 * So a point costs about 14 bytes and no row of its own; the view `points` makes rows of it.
 */
#ifndef DUN_POINTS_H
#define DUN_POINTS_H

#include "store.h"

/* Brings the points of a series together; the order within it stays. */
void dun_points_sort(struct dun_point_row *points, size_t count);

/* How many of these, from the first on, go into one row. */
size_t dun_points_run(const struct dun_point_row *points, size_t count);

/* Appends their JSON to `to` (char). False: out of memory. */
bool dun_points_write(struct dun_list *to, const struct dun_point_row *points, size_t count,
                      int64_t first_ms);

#endif
