/*
 * screen.c: the live table of `dunlin watch` on a terminal: one row a device and metric with its
 * last value, redrawn in place on the alternate screen, without cursor and line wrap. It is a
 * render format, so that points reach it as they reach any other output. What does not fit the
 * window is counted, not scrolled.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "date.h"
#include "watch.h"

#define ROWS_MAX       4096
#define NAME_MAX_BYTES 120
#define TREND_MAX      16 /* values of a sparkline */

struct row {
    char device[65];
    char name[NAME_MAX_BYTES]; /* metric and its attributes' values */
    char value[DUN_OUT_NUMBER];
    char unit[16];
    bool dated;
    int64_t time;
    uint64_t points;
    int64_t heard_ms;
    double trend[TREND_MAX]; /* the newest values, a ring */
    size_t trend_count;      /* ever */
};

struct dun_screen {
    struct dun_out *out;
    struct dun_out scratch;
    bool color;
    enum dun_sort sort;
    int64_t now_ms;
    bool sorted;
    size_t count;
    uint64_t untold; /* points that found no room */
    struct row rows[ROWS_MAX];
};

/* The renderer knows no context of its own, and a process has one terminal. */
static struct dun_screen *the_screen;

/// Rows ///

/* The scratch as a string that fits `to`, cut between characters. */
static void take_scratch(struct dun_screen *screen, char *to, size_t room)
{
    size_t size = screen->scratch.used;
    if (size >= room) {
        size = room - 1;
        while (size > 0 && (screen->scratch.data[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    memcpy(to, screen->scratch.data, size);
    to[size] = '\0';
    screen->scratch.used = 0;
}

static struct row *find_row(struct dun_screen *screen, const char *device, const char *name)
{
    for (size_t i = 0; i < screen->count; i++) {
        if (strcmp(screen->rows[i].name, name) == 0 &&
            strcmp(screen->rows[i].device, device) == 0) {
            return &screen->rows[i];
        }
    }
    if (screen->count == ROWS_MAX) {
        return NULL;
    }
    struct row *row = &screen->rows[screen->count++];
    memset(row, 0, sizeof *row);
    (void)snprintf(row->device, sizeof row->device, "%s", device);
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    screen->sorted = false;
    return row;
}

static void add_trend(struct row *row, const struct dun_series *series, size_t index)
{
    double value = series->reals != NULL ? series->reals[index] : (double)series->values[index];
    if (isfinite(value)) {
        row->trend[row->trend_count++ % TREND_MAX] = value;
    }
}

/* Only the newest value counts; a backlog that drains must not turn the clock back. */
static void update_row(struct dun_screen *screen, struct row *row, const struct dun_series *series)
{
    size_t last = series->count - 1;
    int64_t time = series->uptimes[last] + (series->has_time ? series->offset_ms : 0);
    row->points += series->count;
    row->heard_ms = screen->now_ms;
    if (row->points > series->count && row->dated == series->has_time && time < row->time) {
        return;
    }
    row->dated = series->has_time;
    row->time = time;
    for (size_t i = series->count > TREND_MAX ? series->count - TREND_MAX : 0; i < series->count;
         i++) {
        add_trend(row, series, i);
    }
    dun_render_words(&screen->scratch, series, last);
    take_scratch(screen, row->value, sizeof row->value);
    dun_out_plain(&screen->scratch, series->unit);
    take_scratch(screen, row->unit, sizeof row->unit);
}

static void screen_series(struct dun_renderer *renderer, const struct dun_series *series)
{
    struct dun_screen *screen = the_screen;
    char device[65];
    char name[NAME_MAX_BYTES];
    renderer->points += series->count;
    dun_out_plain(&screen->scratch, series->device);
    take_scratch(screen, device, sizeof device);
    dun_out_plain(&screen->scratch, series->metric);
    for (size_t i = 0; i < series->pair_count; i++) {
        dun_out_text(&screen->scratch, " ");
        dun_out_plain(&screen->scratch, series->pairs[i].value);
    }
    take_scratch(screen, name, sizeof name);
    struct row *row = find_row(screen, device, name);
    if (row == NULL) {
        screen->untold += series->count;
    } else {
        update_row(screen, row, series);
    }
}

const struct dun_render_format dun_render_screen = {.name = "screen", .series = screen_series};

static int by_device(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    int devices = strcmp(left->device, right->device);
    return devices != 0 ? devices : strcmp(left->name, right->name);
}

static int by_metric(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    int metrics = strcmp(left->name, right->name);
    return metrics != 0 ? metrics : strcmp(left->device, right->device);
}

/* The newest first; what has no date comes last. */
static int by_time(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    if (left->dated != right->dated) {
        return left->dated ? -1 : 1;
    }
    return left->time != right->time ? (left->time > right->time ? -1 : 1) : by_device(a, b);
}

/// Drawing ///

/* How wide the columns are. Only the metric's follows the window. */
enum {
    DEVICE_WIDTH = 16,
    VALUE_WIDTH = 20,
    UNIT_WIDTH = 10,
    TIME_WIDTH = 11,
    MARK_WIDTH = 9,
    TREND_WIDTH = TREND_MAX,
    FIXED_WIDTH = DEVICE_WIDTH + VALUE_WIDTH + UNIT_WIDTH + TIME_WIDTH + MARK_WIDTH + 5,
    NAME_WIDTH_MIN = 16,
    NAME_WIDTH_GOOD = 40, /* a trend is drawn where this much is left for the name */
};

/* `text` in `width` characters (not bytes): cut or padded, on the right or on the left. */
static void draw_cell(struct dun_out *out, const char *text, unsigned width, bool to_the_right)
{
    size_t bytes = 0;
    unsigned columns = 0;
    for (; text[bytes] != '\0'; bytes++) {
        bool begins = ((uint8_t)text[bytes] & 0xC0) != 0x80;
        if (begins && columns == width) {
            break;
        }
        columns += begins ? 1 : 0;
    }
    unsigned blanks = width - columns;
    for (unsigned i = 0; to_the_right && i < blanks; i++) {
        dun_out_text(out, " ");
    }
    dun_out_bytes(out, text, bytes);
    for (unsigned i = 0; !to_the_right && i < blanks; i++) {
        dun_out_text(out, " ");
    }
}

/* What was there is erased to the end of the line, so that nothing flickers. */
static void end_line(struct dun_out *out)
{
    dun_out_text(out, "\033[K\r\n");
}

static bool has_trend(unsigned width)
{
    return width >= FIXED_WIDTH + NAME_WIDTH_GOOD + TREND_WIDTH + 1;
}

static void draw_columns(struct dun_out *out, const struct row *row, const char *time,
                         const char *mark, unsigned width)
{
    unsigned fixed = FIXED_WIDTH + (has_trend(width) ? TREND_WIDTH + 1 : 0);
    unsigned name_width = width > fixed + NAME_WIDTH_MIN ? width - fixed : NAME_WIDTH_MIN;
    draw_cell(out, row->device, DEVICE_WIDTH, false);
    dun_out_text(out, " ");
    draw_cell(out, row->name, name_width, false);
    dun_out_text(out, " ");
    draw_cell(out, row->value, VALUE_WIDTH, true);
    dun_out_text(out, " ");
    draw_cell(out, row->unit, UNIT_WIDTH, false);
    dun_out_text(out, " ");
    draw_cell(out, time, TIME_WIDTH, false);
    dun_out_text(out, " ");
    draw_cell(out, mark, MARK_WIDTH, false);
}

/* Eight heights between the smallest and the largest of them; one level: the lowest. */
static void draw_trend(struct dun_out *out, const struct row *row)
{
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    size_t count = row->trend_count < TREND_MAX ? row->trend_count : TREND_MAX;
    double low = INFINITY;
    double high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, row->trend[i]);
        high = fmax(high, row->trend[i]);
    }
    dun_out_text(out, " ");
    for (size_t i = row->trend_count - count; i < row->trend_count; i++) {
        double height = high > low ? (row->trend[i % TREND_MAX] - low) / (high - low) * 7.5 : 0;
        dun_out_text(out, bars[(size_t)height]);
    }
}

/* What a person should look at, the worst first. */
static const char *mark_of(const struct row *row, const struct dun_device_health *health,
                           int64_t stale_before_ms)
{
    static const char *const configured[] = {[DUN_CONFIGURED_FINE] = "",
                                             [DUN_CONFIGURED_TRIAL] = "cfg trial",
                                             [DUN_CONFIGURED_PARTLY] = "cfg part",
                                             [DUN_CONFIGURED_UNDONE] = "cfg back",
                                             [DUN_CONFIGURED_REFUSED] = "cfg no"};
    return health != NULL && health->presence == DUN_PRESENCE_OFFLINE ? "offline"
           : row->heard_ms < stale_before_ms                          ? "stale"
           : health != NULL && health->missing > 0                    ? "missing"
           : health != NULL && health->lost + health->lost_points > 0 ? "lost some"
           : health != NULL ? configured[health->configured]
                            : "";
}

static void draw_row(struct dun_screen *screen, const struct row *row,
                     const struct dun_health *health, int64_t stale_before_ms, unsigned width)
{
    char date[DUN_OUT_NUMBER] = "no date yet";
    const char *mark = mark_of(row, dun_health_find(health, row->device), stale_before_ms);
    if (row->dated) {
        *dun_date_write(date, row->time) = '\0';
        char *time = strchr(date, 'T') + 1;
        time[strcspn(time, ".")] = '\0';
        memmove(date, time, strlen(time) + 1);
    }
    bool faint = screen->color && (mark[0] == 'o' || mark[0] == 's');
    dun_out_text(screen->out, faint ? "\033[2m" : "");
    draw_columns(screen->out, row, date, mark, width);
    if (has_trend(width)) {
        draw_trend(screen->out, row);
    }
    dun_out_text(screen->out, faint ? "\033[0m" : "");
    end_line(screen->out);
}

static void window_size(unsigned *width, unsigned *height)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *width = known ? size.ws_col : 80;
    *height = known && size.ws_row > 3 ? size.ws_row : 24;
}

static void sort_rows(struct dun_screen *screen)
{
    static int (*const orders[])(const void *, const void *) = {by_device, by_metric, by_time};
    if (!screen->sorted || screen->sort == DUN_SORT_TIME) {
        qsort(screen->rows, screen->count, sizeof screen->rows[0], orders[screen->sort]);
        screen->sorted = true;
    }
}

void dun_screen_tell(struct dun_screen *screen, int64_t now_ms)
{
    screen->now_ms = now_ms;
}

void dun_screen_redraw(struct dun_screen *screen, const char *footer,
                       const struct dun_health *health, int64_t stale_before_ms)
{
    unsigned width;
    unsigned height;
    window_size(&width, &height);
    sort_rows(screen);
    static const struct row title = {
        .device = "DEVICE", .name = "METRIC", .value = "VALUE", .unit = "UNIT"};
    dun_out_text(screen->out, screen->color ? "\033[H\033[1m" : "\033[H");
    draw_columns(screen->out, &title, "TIME (UTC)", "STATE", width);
    dun_out_text(screen->out, has_trend(width) ? " TREND" : "");
    dun_out_text(screen->out, screen->color ? "\033[0m" : "");
    end_line(screen->out);
    size_t room = height - 3;
    size_t shown = screen->count <= room ? screen->count : room;
    for (size_t i = 0; i < shown; i++) {
        draw_row(screen, &screen->rows[i], health, stale_before_ms, width);
    }
    dun_out_u64(screen->out, screen->count);
    dun_out_text(screen->out, " rows, ");
    dun_out_u64(screen->out, screen->count - shown);
    dun_out_text(screen->out, screen->untold > 0 ? " below, and more than fit memory" : " below");
    end_line(screen->out);
    dun_out_text(screen->out, "\033[J");
    draw_cell(screen->out, footer, width, false);
    (void)dun_out_flush(screen->out);
}

struct dun_screen *dun_screen_open(struct dun_out *out, enum dun_sort sort)
{
    struct dun_screen *screen = calloc(1, sizeof *screen);
    if (screen == NULL) {
        return NULL;
    }
    const char *no_color = getenv("NO_COLOR");
    screen->out = out;
    screen->sort = sort;
    screen->color = no_color == NULL || no_color[0] == '\0';
    dun_out_init(&screen->scratch, -1);
    the_screen = screen;
    dun_out_text(out, "\033[?1049h\033[?25l\033[?7l");
    return screen;
}

void dun_screen_close(struct dun_screen *screen)
{
    if (screen != NULL) {
        dun_out_text(screen->out, "\033[?7h\033[?25h\033[?1049l");
        (void)dun_out_flush(screen->out);
        the_screen = NULL;
        free(screen);
    }
}
