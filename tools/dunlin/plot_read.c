/* plot_read.c: from rows of the view `points` to lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

#define SQL_MAX       8192
#define LINE_NAME_MAX 512
#define GAP_STEPS     5
#define GAP_MS_MIN    1000

bool dun_plot_match(const char *pattern, const char *text)
{
    const char *star = NULL; /* the last one, and where it may go on */
    const char *again = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            again = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static bool match_any(const char *const *patterns, size_t count, const char *text)
{
    bool found = count == 0;
    for (size_t i = 0; i < count && !found; i++) {
        found = dun_plot_match(patterns[i], text);
    }
    return found;
}

/// Rows ///

struct reading {
    struct dun_plot *plot;
    const struct dun_plot_wish *wish;
    struct dun_plot_line *last; /* rows of a line come together more often than not */
};

static char *copy_of(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    return copy != NULL ? strcpy(copy, text) : NULL;
}

static struct dun_plot_line *find_line(struct reading *reading, const char *name, const char *unit)
{
    struct dun_plot *plot = reading->plot;
    if (reading->last != NULL && strcmp(reading->last->name, name) == 0) {
        return reading->last;
    }
    for (size_t i = 0; i < plot->line_count; i++) {
        if (strcmp(plot->lines[i].name, name) == 0) {
            return reading->last = &plot->lines[i];
        }
    }
    if (plot->line_count == DUN_PLOT_LINES_MAX) {
        plot->left_out++;
        return NULL;
    }
    struct dun_plot_line *line = &plot->lines[plot->line_count];
    *line = (struct dun_plot_line){.name = copy_of(name), .unit = copy_of(unit)};
    if (line->name == NULL || line->unit == NULL) {
        free(line->name);
        free(line->unit);
        return NULL;
    }
    plot->line_count++;
    return reading->last = line;
}

/* Keeps them sorted; those beyond the first few of a line go without a name. */
static void add_state(struct dun_plot_line *line, double value, const char *name)
{
    struct dun_plot_state *states = line->states;
    size_t at = 0;
    while (at < line->state_count && states[at].value < value) {
        at++;
    }
    bool known = at < line->state_count && states[at].value <= value;
    if (known || line->state_count == DUN_PLOT_STATES_MAX) {
        return;
    }
    memmove(&states[at + 1], &states[at], (line->state_count++ - at) * sizeof *states);
    states[at].value = value;
    size_t size = strlen(name);
    if (size >= sizeof states[at].name) {
        size = sizeof states[at].name - 1;
        while (((uint8_t)name[size] & 0xC0) == 0x80) { /* not within a character */
            size--;
        }
    }
    memcpy(states[at].name, name, size);
    states[at].name[size] = '\0';
}

/* device, metric, attributes, unit, time_ms, value, state */
static bool take_point(void *context, const char *const *cells, size_t count)
{
    struct reading *reading = context;
    const struct dun_plot_wish *wish = reading->wish;
    char name[LINE_NAME_MAX];
    (void)count;
    if (cells[4] == NULL || cells[5] == NULL ||
        !match_any(wish->devices, wish->device_count, cells[0]) ||
        !match_any(wish->metrics, wish->metric_count, cells[1])) {
        return true;
    }
    struct dun_plot_point point = {.at_ms = strtoll(cells[4], NULL, 10),
                                   .value = strtod(cells[5], NULL)};
    bool finite = point.value - point.value == 0;
    if (!finite || (wish->has_from && point.at_ms < wish->from_ms) ||
        (wish->has_to && point.at_ms > wish->to_ms)) {
        return true;
    }
    (void)snprintf(name, sizeof name, "%s %s%s%s", cells[0], cells[1], cells[2] != NULL ? " " : "",
                   cells[2] != NULL ? cells[2] : "");
    struct dun_plot_line *line = find_line(reading, name, cells[3] != NULL ? cells[3] : "");
    if (line == NULL) {
        return true;
    }
    if (cells[6] != NULL && !wish->rate) {
        add_state(line, point.value, cells[6]);
    }
    struct dun_list *points = &line->points;
    if (reading->plot->points == DUN_PLOT_POINTS_MAX ||
        !dun_list_reserve(points, points->count + 1, sizeof point)) {
        reading->plot->full = true;
        return false;
    }
    ((struct dun_plot_point *)points->items)[points->count++] = point;
    reading->plot->points++;
    return true;
}

/// The question ///

/* What a pattern must be at least, for the database to leave most out: LIKE knows % and _. */
static size_t add_like(char *sql, size_t at, const char *column, const char *pattern)
{
    at += (size_t)snprintf(sql + at, SQL_MAX - at, "%s LIKE '", column);
    for (; *pattern != '\0' && at + 64 < SQL_MAX; pattern++) {
        bool plain = (*pattern >= 'a' && *pattern <= 'z') || (*pattern >= 'A' && *pattern <= 'Z') ||
                     (*pattern >= '0' && *pattern <= '9') || *pattern == '.' || *pattern == '-';
        sql[at++] = *pattern == '*' ? '%' : plain ? *pattern : '_';
    }
    return at + (size_t)snprintf(sql + at, SQL_MAX - at, "'");
}

static size_t add_likes(char *sql, size_t at, const char *column, const char *const *patterns,
                        size_t count)
{
    for (size_t i = 0; i < count && at + 512 < SQL_MAX; i++) {
        at += (size_t)snprintf(sql + at, SQL_MAX - at, i == 0 ? " AND (" : " OR ");
        at = add_like(sql, at, column, patterns[i]);
    }
    return count > 0 ? at + (size_t)snprintf(sql + at, SQL_MAX - at, ")") : at;
}

static void make_question(const struct dun_plot_wish *wish, char *sql)
{
    size_t at = (size_t)snprintf(sql, SQL_MAX,
                                 "SELECT device, metric, attributes, unit, time_ms, value, state "
                                 "FROM points WHERE time_ms IS NOT NULL");
    at = add_likes(sql, at, "metric", wish->metrics, wish->metric_count);
    (void)add_likes(sql, at, "device", wish->devices, wish->device_count);
}

/// Lines ///

static int by_time(const void *a, const void *b)
{
    int64_t first = ((const struct dun_plot_point *)a)->at_ms;
    int64_t second = ((const struct dun_plot_point *)b)->at_ms;
    return (first > second) - (first < second);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct dun_plot_line *)a)->name, ((const struct dun_plot_line *)b)->name);
}

static int by_size(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* The median of the steps between points. */
static int64_t usual_step(const struct dun_plot_line *line)
{
    const struct dun_plot_point *points = line->points.items;
    size_t count = line->points.count;
    int64_t *steps = count > 1 ? malloc((count - 1) * sizeof *steps) : NULL;
    if (steps == NULL) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        steps[i - 1] = points[i].at_ms - points[i - 1].at_ms;
    }
    qsort(steps, count - 1, sizeof *steps, by_size);
    int64_t step = steps[(count - 1) / 2];
    free(steps);
    return step;
}

/* Each point becomes the growth a second since the one before; a fall is a counter's reset. */
static void make_rate(struct dun_plot_line *line)
{
    struct dun_plot_point *points = line->points.items;
    size_t to = 0;
    for (size_t i = 1; i < line->points.count; i++) {
        double grown = points[i].value - points[i - 1].value;
        int64_t took = points[i].at_ms - points[i - 1].at_ms;
        if (took > 0 && grown >= 0) {
            points[to++] = (struct dun_plot_point){points[i].at_ms, grown * 1000 / (double)took};
        }
    }
    line->points.count = to;
}

static void finish_line(struct dun_plot_line *line, const struct dun_plot_wish *wish)
{
    struct dun_plot_point *points = line->points.items;
    if (line->points.count > 1) {
        qsort(points, line->points.count, sizeof *points, by_time);
    }
    if (wish->rate) {
        make_rate(line);
    }
    int64_t usual = GAP_STEPS * usual_step(line);
    line->gap_ms = wish->gap_ms > 0 ? wish->gap_ms : usual > GAP_MS_MIN ? usual : GAP_MS_MIN;
    for (size_t i = 1; i < line->points.count; i++) {
        line->gaps += points[i].at_ms - points[i - 1].at_ms > line->gap_ms ? 1 : 0;
    }
}

int dun_plot_read(struct dun_plot *plot, struct dun_store *store, const struct dun_plot_wish *wish)
{
    struct reading reading = {.plot = plot, .wish = wish};
    char sql[SQL_MAX];
    make_question(wish, sql);
    int error = store->ops->query(store, sql, take_point, &reading);
    if (error != 0) {
        return error;
    }
    qsort(plot->lines, plot->line_count, sizeof plot->lines[0], by_name);
    for (size_t i = 0; i < plot->line_count; i++) {
        finish_line(&plot->lines[i], wish);
    }
    return 0;
}

void dun_plot_free(struct dun_plot *plot)
{
    for (size_t i = 0; i < plot->line_count; i++) {
        free(plot->lines[i].name);
        free(plot->lines[i].unit);
        free(plot->lines[i].points.items);
    }
}
