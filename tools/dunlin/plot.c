/*
 * plot.c: `dunlin plot`: chosen metrics of a database or a capture as a picture. What is not in a
 * database goes into a private one first, as in `dunlin audit`, so that anchors that came late date
 * what was early.
 */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "record.h"

static const char command[] = "dunlin plot";

static const char help_text[] =
    "usage: dunlin plot --db FILE|postgresql://... [OPTIONS] > picture.svg\n"
    "       dunlin plot --framing hex|base64|delimited [OPTIONS] FILE...     (- is stdin)\n"
    "\n"
    "Draws metrics over time as SVG: a panel for each unit, a line for each device and metric. A\n"
    "pause is dashed, and counted in the legend; points without a date are left out.\n"
    "\n"
    "  -m, --metric PATTERN  which, with * and ?; may be repeated; default all\n"
    "  -d, --device PATTERN  likewise\n"
    "      --from TIME, --to TIME   2026-11-22T10:00:00Z, 2026-11-22, or -90m before now\n"
    "      --rate            growth a second: for counters\n"
    "      --steps           a value stays until the next one, as that of a state does anyway\n"
    "      --gap T           longer pauses are gaps, 30s, 5m; default 5 usual steps of the line\n"
    "      --title TEXT\n"
    "      --width N, --height N    pixels, of the picture and of a panel; default 960 and 220\n"
    "  -o, --output FILE     instead of stdout\n"
    "      --db NAME, --db-password-file FILE   as in dunlin record\n"
    "      --framing FRAMING as in dunlin audit; --capture-device ID: whose the delimited ones "
    "are\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 ok, 1 runtime error, 2 usage, 6 drawn, but records were refused, 7 nothing to\n"
    "            draw, 8 the database cannot be used";

enum option_id {
    OPTION_METRIC = 1,
    OPTION_DEVICE,
    OPTION_FROM,
    OPTION_TO,
    OPTION_RATE,
    OPTION_STEPS,
    OPTION_GAP,
    OPTION_TITLE,
    OPTION_WIDTH,
    OPTION_HEIGHT,
    OPTION_OUTPUT,
    OPTION_DATABASE,
    OPTION_DATABASE_PASSWORD,
    OPTION_FRAMING,
    OPTION_CAPTURE_DEVICE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    {OPTION_METRIC, 'm', true, "metric"},
    {OPTION_DEVICE, 'd', true, "device"},
    {OPTION_FROM, '\0', true, "from"},
    {OPTION_TO, '\0', true, "to"},
    {OPTION_RATE, '\0', false, "rate"},
    {OPTION_STEPS, '\0', false, "steps"},
    {OPTION_GAP, '\0', true, "gap"},
    {OPTION_TITLE, '\0', true, "title"},
    {OPTION_WIDTH, '\0', true, "width"},
    {OPTION_HEIGHT, '\0', true, "height"},
    {OPTION_OUTPUT, 'o', true, "output"},
    {OPTION_DATABASE, '\0', true, "db"},
    {OPTION_DATABASE_PASSWORD, '\0', true, "db-password-file"},
    {OPTION_FRAMING, '\0', true, "framing"},
    {OPTION_CAPTURE_DEVICE, '\0', true, "capture-device"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

struct plot_command {
    struct dun_plot_wish wish;
    struct dun_capture capture;
    struct dun_plot plot;
    struct dun_out out;
    const char **files;
    const char *output;
    const char *database, *password_file;
    char password[DUN_BROKER_TEXT_MAX];
    bool framed;
    bool ended; /* --help or --version was printed */
};

/// Times ///

/* 30s, 5m, 2h, 7d; a bare number is seconds. */
static bool duration_of(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    char *end;
    double number = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : -1;
    for (size_t i = 0; number >= 0 && number < 1e9 && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *ms = (int64_t)(number * units[i].ms);
            return true;
        }
    }
    return false;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_of(const char *text, int64_t *ms)
{
    unsigned year, month, day;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    int used = 0;
    if (sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &used) != 3 || year < 1970 ||
        month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    const char *rest = text + used;
    if (*rest == 'T' || *rest == ' ') {
        if (sscanf(rest + 1, "%2u:%2u%n", &hour, &minute, &used) != 2) {
            return false;
        }
        rest += 1 + used;
        if (*rest == ':' && sscanf(rest, ":%2u%n", &second, &used) == 1) {
            rest += used;
        }
        rest += *rest == 'Z' ? 1 : 0;
    }
    *ms = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60000 + second * INT64_C(1000);
    return *rest == '\0' && hour < 24 && minute < 60 && second < 61;
}

static int set_moment(const char *name, const char *text, bool *has, int64_t *ms)
{
    int64_t ago = 0;
    *has = true;
    if (text[0] == '-' && duration_of(text + 1, &ago)) {
        *ms = (int64_t)time(NULL) * 1000 - ago;
        return 0;
    }
    return date_of(text, ms)
               ? 0
               : dun_usage_error(command,
                                 "%s '%.50s' is not a time such as 2026-11-22T10:00:00Z or -90m",
                                 name, text);
}

/// Options ///

static int add_pattern(const char *name, const char **patterns, size_t *count, const char *value)
{
    if (*count == DUN_PLOT_PATTERNS_MAX) {
        return dun_usage_error(command, "%s: more than %d", name, DUN_PLOT_PATTERNS_MAX);
    }
    if (*value == '\0' || strlen(value) > 256) {
        return dun_usage_error(command, "%s: a pattern has 1 to 256 characters", name);
    }
    patterns[(*count)++] = value;
    return 0;
}

static int set_size(const struct dun_options *line, const char *name, const char *value,
                    uint32_t *size)
{
    uint64_t number = 0;
    if (!dun_options_number(line, name, value, 100, 10000, &number)) {
        return DUN_EXIT_USAGE;
    }
    *size = (uint32_t)number;
    return 0;
}

static int set_switch(struct plot_command *plot, int id)
{
    switch (id) {
    case OPTION_RATE:
        plot->wish.rate = true;
        return 0;
    case OPTION_STEPS:
        plot->wish.steps = true;
        return 0;
    default:
        puts(id == OPTION_HELP ? help_text : "dunlin " DUN_VERSION);
        plot->ended = true;
        return 0;
    }
}

static int set_source(struct plot_command *plot, const struct dun_options *line, int id,
                      const char *value)
{
    switch (id) {
    case OPTION_DATABASE:
        return dun_option_text(line, id, &plot->database, value);
    case OPTION_DATABASE_PASSWORD:
        return dun_option_text(line, id, &plot->password_file, value);
    case OPTION_CAPTURE_DEVICE:
        plot->capture.device = value;
        return dun_name_ok(dun_span_of(value)) ? 0
                                               : dun_usage_error(command,
                                                                 "--capture-device '%.100s' is not "
                                                                 "[A-Za-z0-9._-]{1,64}",
                                                                 value);
    default:
        plot->framed = true;
        return dun_capture_framing(value, &plot->capture.framing)
                   ? 0
                   : dun_usage_error(command, "--framing '%.100s' is not hex, base64 or delimited",
                                     value);
    }
}

static int set_option(struct plot_command *plot, const struct dun_options *line, int id,
                      const char *value)
{
    struct dun_plot_wish *wish = &plot->wish;
    switch (id) {
    case OPTION_METRIC:
        return add_pattern("-m", wish->metrics, &wish->metric_count, value);
    case OPTION_DEVICE:
        return add_pattern("-d", wish->devices, &wish->device_count, value);
    case OPTION_FROM:
        return set_moment("--from", value, &wish->has_from, &wish->from_ms);
    case OPTION_TO:
        return set_moment("--to", value, &wish->has_to, &wish->to_ms);
    case OPTION_GAP:
        return duration_of(value, &wish->gap_ms) && wish->gap_ms > 0
                   ? 0
                   : dun_usage_error(command, "--gap '%.50s' is not a time such as 30s or 5m",
                                     value);
    case OPTION_TITLE:
        return dun_option_text(line, id, &wish->title, value);
    case OPTION_OUTPUT:
        return dun_option_text(line, id, &plot->output, value);
    case OPTION_WIDTH:
        return set_size(line, "--width", value, &wish->width);
    case OPTION_HEIGHT:
        return set_size(line, "--height", value, &wish->height);
    case DUN_OPTION_ARGUMENT:
        plot->files[plot->capture.file_count++] = value;
        return 0;
    default:
        return value != NULL ? set_source(plot, line, id, value) : set_switch(plot, id);
    }
}

static int finish(struct plot_command *plot, const struct dun_options *line)
{
    const struct dun_plot_wish *wish = &plot->wish;
    if ((plot->database != NULL) == (plot->capture.file_count > 0)) {
        return dun_usage_error(command, "one of --db and FILE is needed");
    }
    if (plot->capture.file_count > 0 && !plot->framed) {
        return dun_usage_error(command, "a FILE needs --framing");
    }
    if (plot->database != NULL && dun_database_tells_password(plot->database)) {
        return dun_usage_error(command, "--db with a password in it: every user of this machine "
                                        "could read it; use --db-password-file or ~/.pgpass");
    }
    if (wish->has_from && wish->has_to && wish->from_ms >= wish->to_ms) {
        return dun_usage_error(command, "--from is not before --to");
    }
    return plot->password_file == NULL
               ? 0
               : dun_secret_read(line, plot->password_file, plot->password, sizeof plot->password);
}

static int parse(struct plot_command *plot, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    plot->wish.width = 960;
    plot->wish.height = 220;
    int result = 0;
    while (result == 0 && !plot->ended) {
        const char *value;
        int id = dun_options_next(&line, &value);
        if (id == DUN_OPTION_END) {
            return finish(plot, &line);
        }
        result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(plot, &line, id, value);
    }
    return result;
}

/// The command ///

static int fail(int exit_code, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", command, what, why);
    return exit_code;
}

static int draw(struct plot_command *plot)
{
    int fd = plot->output == NULL
                 ? STDOUT_FILENO
                 : open(plot->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const char *where = plot->output == NULL ? "stdout" : plot->output;
    if (fd < 0) {
        return fail(DUN_EXIT_RUNTIME, where, strerror(errno));
    }
    dun_out_init(&plot->out, fd);
    dun_plot_draw(&plot->plot, &plot->wish, &plot->out);
    bool good = dun_out_flush(&plot->out);
    if (fd != STDOUT_FILENO && close(fd) != 0) {
        good = false;
    }
    return good ? 0 : fail(DUN_EXIT_RUNTIME, where, strerror(plot->out.error));
}

static int plot_store(struct plot_command *plot, struct dun_store *store)
{
    const struct dun_plot *read = &plot->plot;
    size_t drawn = 0;
    if (dun_plot_read(&plot->plot, store, &plot->wish) != 0) {
        return fail(DUN_EXIT_RUNTIME, "points", store->error);
    }
    if (read->full) {
        return fail(DUN_EXIT_RUNTIME, "too many points", "narrow it by -m, -d, --from or --to");
    }
    for (size_t i = 0; i < read->line_count; i++) {
        drawn += read->lines[i].points.count > 0 ? 1 : 0;
    }
    if (drawn == 0) {
        fprintf(stderr, "%s: there are no such points with a date\n", command);
        return DUN_EXIT_INCOMPLETE;
    }
    if (read->left_out > 0) {
        fprintf(stderr, "%s: only %d lines are drawn: narrow it by -m or -d\n", command,
                DUN_PLOT_LINES_MAX);
    }
    return draw(plot);
}

static int plot_all(struct plot_command *plot)
{
    char why[300];
    const char *name = plot->database != NULL ? plot->database : "";
    struct dun_store *store =
        dun_store_open(name, plot->password_file != NULL ? plot->password : NULL,
                       plot->database == NULL, why, sizeof why);
    if (store == NULL) {
        return fail(DUN_EXIT_DATABASE, plot->database != NULL ? name : "a private database", why);
    }
    int result = 0;
    if (plot->database == NULL) {
        plot->capture.command = command;
        plot->capture.files = plot->files;
        result = dun_capture_into(&plot->capture, store);
    }
    result = result == 0 ? plot_store(plot, store) : result;
    store->ops->close(store);
    return result == 0 && plot->capture.refused > 0 ? DUN_EXIT_DATA : result;
}

int dun_plot_main(int argc, char **argv)
{
    struct plot_command *plot = calloc(1, sizeof *plot);
    const char **files = calloc((size_t)argc + 1, sizeof *files);
    int result = DUN_EXIT_RUNTIME;
    if (plot == NULL || files == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
    } else {
        plot->files = files;
        result = parse(plot, argc, argv);
        if (result == 0 && !plot->ended) {
            result = plot_all(plot);
        }
        dun_plot_free(&plot->plot);
    }
    free(files);
    free(plot);
    return result;
}
