/*
 * plot.h: the parts of `dunlin plot`: lines of points out of a store, and their drawing as SVG.
 */
#ifndef DUN_PLOT_H
#define DUN_PLOT_H

#include "out.h"
#include "store.h"

#define DUN_PLOT_LINES_MAX    64
#define DUN_PLOT_PANELS_MAX   12
#define DUN_PLOT_POINTS_MAX   ((size_t)50000000)
#define DUN_PLOT_PATTERNS_MAX 16
#define DUN_PLOT_STATES_MAX   8

/* What to draw. Strings are borrowed. */
struct dun_plot_wish {
    const char *metrics[DUN_PLOT_PATTERNS_MAX]; /* with * and ?; none: all */
    const char *devices[DUN_PLOT_PATTERNS_MAX];
    size_t metric_count, device_count;
    bool has_from, has_to;
    int64_t from_ms, to_ms; /* since 1970, inclusive */
    int64_t gap_ms;         /* a longer pause is a gap; 0: five times the line's usual step */
    bool rate;              /* growth a second instead of the value */
    bool steps;             /* a value stays until the next one */
    const char *title;
    uint32_t width, height; /* of the picture, and of a panel; pixels */
};

struct dun_plot_point {
    int64_t at_ms;
    double value;
};

/* What the metric calls a value. */
struct dun_plot_state {
    double value;
    char name[32]; /* what does not fit is cut off */
};

/* The points of one metric of one device, in the order of time. */
struct dun_plot_line {
    char *name; /* device, metric, attributes */
    char *unit;
    struct dun_list points; /* struct dun_plot_point */
    int64_t gap_ms;
    size_t gaps;                                       /* pauses longer than that */
    struct dun_plot_state states[DUN_PLOT_STATES_MAX]; /* that occur, by value */
    size_t state_count;
};

struct dun_plot {
    struct dun_plot_line lines[DUN_PLOT_LINES_MAX];
    size_t line_count;
    size_t left_out; /* lines beyond that */
    size_t points;
    bool full; /* more points than DUN_PLOT_POINTS_MAX, or than memory */
};

/* True if `text` is what `pattern` says: * any text, ? any character. */
bool dun_plot_match(const char *pattern, const char *text);

/* Reads what is wished for. 0, or DUN_E_IO with store->error. */
DUN_MUST_USE int dun_plot_read(struct dun_plot *plot, struct dun_store *store,
                               const struct dun_plot_wish *wish);
void dun_plot_free(struct dun_plot *plot);

/* Draws lines that have points: a panel for each unit, the time in UTC below, gaps dashed. */
void dun_plot_draw(const struct dun_plot *plot, const struct dun_plot_wish *wish,
                   struct dun_out *out);

/// For the drawing, and its tests ///

/* The step of an axis from `low` to `high` with about `count` ticks: 1, 2 or 5 times a power of
 * ten; of a time, in ms: what clocks and calendars are cut into. */
double dun_plot_step(double low, double high, unsigned count);
int64_t dun_plot_time_step(int64_t span_ms, unsigned count);

#endif
