/*
 * points.c: points as JSON objects.
 */
#include "points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

static int by_series(const void *a, const void *b)
{
    const struct dun_point_row *one = a;
    const struct dun_point_row *other = b;
    if (one->series != other->series) {
        return one->series < other->series ? -1 : 1;
    }
    return (one->nth > other->nth) - (one->nth < other->nth);
}

void dun_points_sort(struct dun_point_row *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        points[i].nth = (uint32_t)i;
    }
    if (count > 1) {
        qsort(points, count, sizeof *points, by_series);
    }
}

size_t dun_points_run(const struct dun_point_row *points, size_t count)
{
    size_t run = 1;
    while (run < count && points[run].series == points->series &&
           points[run].is_real == points->is_real) {
        run++;
    }
    return run;
}

static char *put_value(char *at, const struct dun_point_row *point)
{
    if (!point->is_real) {
        return dun_text_i64(at, point->value);
    }
    if (isfinite(point->real)) {
        return dun_text_double(at, point->real);
    }
    /* JSON has no number for it: a text then, as decode prints it. */
    const char *name = isnan(point->real) ? "\"NaN\"" : "\"-Infinity\"";
    if (point->real > 0) {
        name = "\"Infinity\"";
    }
    size_t size = strlen(name);
    memcpy(at, name, size);
    return at + size;
}

bool dun_points_write(struct dun_list *to, const struct dun_point_row *points, size_t count,
                      int64_t first_ms)
{
    if (!dun_list_reserve(to, to->count + count * (2 * DUN_OUT_NUMBER) + 2, 1)) {
        return false;
    }
    char *from = (char *)to->items + to->count;
    char *at = from;
    for (size_t i = 0; i < count; i++) {
        *at++ = i == 0 ? '{' : ',';
        *at++ = '"';
        if (points[i].has_uptime) {
            at = dun_text_i64(at, points[i].uptime_ms - first_ms);
        }
        *at++ = '"';
        *at++ = ':';
        at = put_value(at, &points[i]);
    }
    *at++ = '}';
    to->count += (size_t)(at - from);
    return true;
}
