/*
 * plot_svg.c: lines as a picture. Of what falls into one column of pixels only the first, last,
 * lowest and highest point are drawn, so a picture stays small however many points there are.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plot.h"

#define LEFT       76
#define RIGHT      16
#define TITLE      30
#define TOP        24 /* of a panel, for its unit */
#define AXIS       22 /* below the last panel, for the time */
#define ROW        16 /* of the legend */
#define FIVE_TICKS 5
#define TEXT_MAX   160

/* Told apart by people who do not see all colours, too. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#8a6f00", "#5b5b5b"};
#define COLOUR_COUNT (sizeof colours / sizeof colours[0])

struct panel {
    const char *unit;
    size_t lines; /* with points */
    double low, high;
    uint32_t y; /* of its frame's top */
};

struct picture {
    const struct dun_plot *plot;
    const struct dun_plot_wish *wish;
    struct dun_out *out;
    struct panel panels[DUN_PLOT_PANELS_MAX];
    size_t panel_count;
    int64_t from_ms, to_ms;
    uint32_t height;
};

/// Axes ///

double dun_plot_step(double low, double high, unsigned count)
{
    double rough = (high - low) / count;
    double power = pow(10, floor(log10(rough > 0 ? rough : 1)));
    double part = rough / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

int64_t dun_plot_time_step(int64_t span_ms, unsigned count)
{
    static const int64_t steps[] = {
        1,        2,        5,        10,        20,        50,        100,       200,
        500,      1000,     2000,     5000,      10000,     15000,     30000,     60000,
        120000,   300000,   600000,   900000,    1800000,   3600000,   7200000,   10800000,
        21600000, 43200000, 86400000, 172800000, 345600000, 604800000, 1209600000};
    size_t last = sizeof steps / sizeof steps[0] - 1;
    for (size_t i = 0; i < last; i++) {
        if (span_ms / steps[i] <= count) {
            return steps[i];
        }
    }
    int64_t step = steps[last];
    while (span_ms / step > count) {
        step *= 2;
    }
    return step;
}

static double x_of(const struct picture *picture, int64_t at_ms)
{
    double span = (double)(picture->to_ms - picture->from_ms);
    double width = (double)(picture->wish->width - LEFT - RIGHT);
    return LEFT + width * (double)(at_ms - picture->from_ms) / span;
}

static double y_of(const struct picture *picture, const struct panel *panel, double value)
{
    double part = (value - panel->low) / (panel->high - panel->low);
    return panel->y + (double)picture->wish->height * (1 - part);
}

/// Text ///

static void put(struct dun_out *out, const char *text)
{
    dun_out_text(out, text);
}

static void put_number(struct dun_out *out, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.1f", value);
    put(out, text);
}

/* Text of a device or of a person, which must not become part of the picture's own language. */
static void put_text(struct dun_out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '<' || byte == '>' || byte == '&' || byte == '"') {
            put(out, byte == '<'   ? "&lt;"
                     : byte == '>' ? "&gt;"
                     : byte == '&' ? "&amp;"
                                   : "&quot;");
        } else if (byte < 0x20 || byte == 0x7F) {
            put(out, "?");
        } else {
            dun_out_bytes(out, &byte, 1);
        }
    }
}

static void put_label(struct picture *picture, double x, double y, const char *anchor,
                      const char *text)
{
    struct dun_out *out = picture->out;
    put(out, "<text x=\"");
    put_number(out, x);
    put(out, "\" y=\"");
    put_number(out, y);
    put(out, "\" text-anchor=\"");
    put(out, anchor);
    put(out, "\">");
    put_text(out, text);
    put(out, "</text>\n");
}

static void put_rule(struct picture *picture, const char *class, double x1, double y1, double x2,
                     double y2)
{
    const double ends[] = {x1, y1, x2, y2};
    static const char *const names[] = {" x1=\"", "\" y1=\"", "\" x2=\"", "\" y2=\""};
    put(picture->out, "<line class=\"");
    put(picture->out, class);
    put(picture->out, "\"");
    for (size_t i = 0; i < 4; i++) {
        put(picture->out, names[i]);
        put_number(picture->out, ends[i]);
    }
    put(picture->out, "\"/>\n");
}

/// Layout ///

static struct panel *panel_of(struct picture *picture, const char *unit)
{
    for (size_t i = 0; i < picture->panel_count; i++) {
        if (strcmp(picture->panels[i].unit, unit) == 0) {
            return &picture->panels[i];
        }
    }
    if (picture->panel_count == DUN_PLOT_PANELS_MAX) {
        return NULL;
    }
    struct panel *panel = &picture->panels[picture->panel_count++];
    *panel = (struct panel){.unit = unit, .low = INFINITY, .high = -INFINITY};
    return panel;
}

static void widen(struct picture *picture, const struct dun_plot_line *line)
{
    const struct dun_plot_point *points = line->points.items;
    struct panel *panel = line->points.count > 0 ? panel_of(picture, line->unit) : NULL;
    if (panel == NULL) {
        return;
    }
    panel->lines++;
    for (size_t i = 0; i < line->points.count; i++) {
        panel->low = fmin(panel->low, points[i].value);
        panel->high = fmax(panel->high, points[i].value);
    }
    int64_t first = points[0].at_ms;
    int64_t last = points[line->points.count - 1].at_ms;
    picture->from_ms = first < picture->from_ms ? first : picture->from_ms;
    picture->to_ms = last > picture->to_ms ? last : picture->to_ms;
}

/* A little room above and below, and ends that are ticks. */
static void round_ends(struct panel *panel)
{
    if (!(panel->high > panel->low)) {
        double room = fabs(panel->low) * 0.05;
        panel->low -= room > 0 ? room : 1;
        panel->high += room > 0 ? room : 1;
    }
    double step = dun_plot_step(panel->low, panel->high, FIVE_TICKS);
    panel->low = floor(panel->low / step) * step;
    panel->high = ceil(panel->high / step) * step;
}

static void lay_out(struct picture *picture)
{
    const struct dun_plot *plot = picture->plot;
    const struct dun_plot_wish *wish = picture->wish;
    picture->from_ms = INT64_MAX;
    picture->to_ms = INT64_MIN;
    for (size_t i = 0; i < plot->line_count; i++) {
        widen(picture, &plot->lines[i]);
    }
    picture->from_ms = wish->has_from ? wish->from_ms : picture->from_ms;
    picture->to_ms = wish->has_to ? wish->to_ms : picture->to_ms;
    if (picture->to_ms <= picture->from_ms) {
        picture->to_ms = picture->from_ms + 1;
    }
    uint32_t y = wish->title != NULL ? TITLE : 4;
    for (size_t i = 0; i < picture->panel_count; i++) {
        struct panel *panel = &picture->panels[i];
        round_ends(panel);
        panel->y = y + TOP;
        y = panel->y + wish->height + AXIS + ROW * (uint32_t)panel->lines + 8;
    }
    picture->height = y;
}

/// Drawing ///

static void draw_values(struct picture *picture, const struct panel *panel)
{
    double step = dun_plot_step(panel->low, panel->high, FIVE_TICKS);
    long count = lround((panel->high - panel->low) / step);
    double right = picture->wish->width - RIGHT;
    for (long i = 0; i <= count && i <= 20; i++) {
        double value = panel->low + step * (double)i;
        char text[64];
        (void)snprintf(text, sizeof text, "%.10g", fabs(value) < step / 1000 ? 0.0 : value);
        put_rule(picture, "grid", LEFT, y_of(picture, panel, value), right,
                 y_of(picture, panel, value));
        put_label(picture, LEFT - 6, y_of(picture, panel, value) + 4, "end", text);
    }
}

/* As much of the date as the step needs. */
static void time_text(int64_t at_ms, int64_t step_ms, bool with_date, char text[TEXT_MAX])
{
    time_t seconds = (time_t)(at_ms >= 0 ? at_ms / 1000 : (at_ms - 999) / 1000);
    struct tm date = {.tm_sec = 0};
    if (gmtime_r(&seconds, &date) == NULL) {
        text[0] = '\0';
        return;
    }
    size_t used = 0;
    if (with_date || step_ms >= 86400000) {
        used = strftime(text, TEXT_MAX, step_ms >= 86400000 ? "%Y-%m-%d" : "%Y-%m-%d ", &date);
    }
    if (step_ms < 86400000) {
        used +=
            strftime(text + used, TEXT_MAX - used, step_ms < 60000 ? "%H:%M:%S" : "%H:%M", &date);
    }
    if (step_ms < 1000) {
        (void)snprintf(text + used, TEXT_MAX - used, ".%03d", (int)(at_ms - seconds * 1000));
    }
}

static void draw_times(struct picture *picture, const struct panel *panel)
{
    int64_t step =
        dun_plot_time_step(picture->to_ms - picture->from_ms, picture->wish->width / 110);
    int64_t at = picture->from_ms / step * step;
    double bottom = panel->y + picture->wish->height;
    bool dated = false;
    for (at += at < picture->from_ms ? step : 0; at <= picture->to_ms; at += step) {
        char text[TEXT_MAX];
        double x = x_of(picture, at);
        time_text(at, step, !dated, text);
        put_rule(picture, "grid", x, panel->y, x, bottom);
        put_label(picture, x, bottom + 15, "middle", text);
        dated = true;
    }
}

struct pen {
    struct picture *picture;
    const struct panel *panel;
    bool steps; /* each value stays until the next one */
    bool down;
    double last_y;
};

static void to_point(struct pen *pen, const struct dun_plot_point *point)
{
    struct dun_out *out = pen->picture->out;
    double x = x_of(pen->picture, point->at_ms);
    double y = y_of(pen->picture, pen->panel, point->value);
    if (pen->steps && pen->down) {
        put(out, "L");
        put_number(out, x);
        put(out, " ");
        put_number(out, pen->last_y);
    }
    put(out, pen->down ? "L" : "M");
    put_number(out, x);
    put(out, " ");
    put_number(out, y);
    /* A point alone is drawn by the round end of a line without length. */
    put(out, pen->down ? "" : "h0");
    pen->down = true;
    pen->last_y = y;
}

/* Points first to below end lie in one column of pixels. */
static void draw_column(struct pen *pen, const struct dun_plot_point *points, size_t first,
                        size_t end)
{
    size_t lowest = first;
    size_t highest = first;
    for (size_t i = first; i < end; i++) {
        lowest = points[i].value < points[lowest].value ? i : lowest;
        highest = points[i].value > points[highest].value ? i : highest;
    }
    size_t earlier = lowest < highest ? lowest : highest;
    size_t later = lowest < highest ? highest : lowest;
    to_point(pen, &points[first]);
    if (earlier > first) {
        to_point(pen, &points[earlier]);
    }
    if (later > earlier) {
        to_point(pen, &points[later]);
    }
    if (end - 1 > later) {
        to_point(pen, &points[end - 1]);
    }
}

static void draw_path(struct picture *picture, const struct panel *panel,
                      const struct dun_plot_line *line)
{
    const struct dun_plot_point *points = line->points.items;
    struct pen pen = {
        .picture = picture, .panel = panel, .steps = picture->wish->steps || line->state_count > 0};
    for (size_t first = 0, end; first < line->points.count; first = end) {
        long column = lround(x_of(picture, points[first].at_ms));
        end = first + 1;
        while (end < line->points.count && lround(x_of(picture, points[end].at_ms)) == column &&
               points[end].at_ms - points[end - 1].at_ms <= line->gap_ms) {
            end++;
        }
        pen.down = pen.down && points[first].at_ms - points[first - 1].at_ms <= line->gap_ms;
        draw_column(&pen, points, first, end);
    }
}

/* From the last point before each gap to the first behind it. */
static void draw_gaps(struct picture *picture, const struct panel *panel,
                      const struct dun_plot_line *line)
{
    const struct dun_plot_point *points = line->points.items;
    for (size_t i = 1; i < line->points.count; i++) {
        if (points[i].at_ms - points[i - 1].at_ms > line->gap_ms) {
            struct pen pen = {.picture = picture, .panel = panel, .steps = picture->wish->steps};
            to_point(&pen, &points[i - 1]);
            to_point(&pen, &points[i]);
        }
    }
}

/* device metric, gaps: 2; 0 off, 1 on */
static void name_line(const struct dun_plot_line *line, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", line->name);
    if (line->gaps > 0 && used < size) {
        used += (size_t)snprintf(text + used, size - used, ", gaps: %zu", line->gaps);
    }
    for (size_t i = 0; i < line->state_count && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s %g %s", i > 0 ? "," : ";",
                                 line->states[i].value, line->states[i].name);
    }
}

static void draw_line(struct picture *picture, const struct panel *panel,
                      const struct dun_plot_line *line, const char *colour, uint32_t y)
{
    struct dun_out *out = picture->out;
    char text[1024];
    put(out, "<path class=\"line\" stroke=\"");
    put(out, colour);
    put(out, "\" d=\"");
    draw_path(picture, panel, line);
    put(out, "\"/>\n");
    if (line->gaps > 0) {
        put(out, "<path class=\"gap\" stroke=\"");
        put(out, colour);
        put(out, "\" d=\"");
        draw_gaps(picture, panel, line);
        put(out, "\"/>\n");
    }
    put(out, "<path class=\"key\" stroke=\"");
    put(out, colour);
    put(out, "\" d=\"M");
    put_number(out, LEFT);
    put(out, " ");
    put_number(out, y - 4.0);
    put(out, "h18\"/>\n");
    name_line(line, text, sizeof text);
    put_label(picture, LEFT + 24, y, "start", text);
}

static void draw_panel(struct picture *picture, const struct panel *panel)
{
    const struct dun_plot *plot = picture->plot;
    uint32_t y = panel->y + picture->wish->height + AXIS + 12;
    size_t drawn = 0;
    char unit[TEXT_MAX];
    (void)snprintf(unit, sizeof unit, "%.100s%s", panel->unit,
                   picture->wish->rate ? (panel->unit[0] != '\0' ? "/s" : "1/s") : "");
    put_label(picture, LEFT, panel->y - 7.0, "start", unit);
    draw_values(picture, panel);
    draw_times(picture, panel);
    for (size_t i = 0; i < plot->line_count; i++) {
        if (plot->lines[i].points.count > 0 && strcmp(plot->lines[i].unit, panel->unit) == 0) {
            draw_line(picture, panel, &plot->lines[i], colours[drawn++ % COLOUR_COUNT], y);
            y += ROW;
        }
    }
}

void dun_plot_draw(const struct dun_plot *plot, const struct dun_plot_wish *wish,
                   struct dun_out *out)
{
    struct picture picture = {.plot = plot, .wish = wish, .out = out};
    char head[512];
    lay_out(&picture);
    (void)snprintf(head, sizeof head,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
                   "viewBox=\"0 0 %u %u\" font-family=\"sans-serif\" font-size=\"12\">\n",
                   (unsigned)wish->width, (unsigned)picture.height, (unsigned)wish->width,
                   (unsigned)picture.height);
    put(out, head);
    put(out, "<style>.line,.gap,.key{fill:none;stroke-width:1.5;stroke-linecap:round;"
             "stroke-linejoin:round}.gap{stroke-dasharray:2 5;opacity:.7}.key{stroke-width:3}"
             ".grid{stroke:#ddd}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    if (wish->title != NULL) {
        put(out, "<g font-size=\"16\">\n");
        put_label(&picture, LEFT, 22, "start", wish->title);
        put(out, "</g>\n");
    }
    for (size_t i = 0; i < picture.panel_count; i++) {
        draw_panel(&picture, &picture.panels[i]);
    }
    put(out, "</svg>\n");
}
