/*
 * watch_options.c: the command line of `dunlin watch`.
 */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "watch.h"

static const char command[] = "dunlin watch";

static const char help_text[] =
    "usage: dunlin watch [-L mqtt://HOST[:PORT][/FILTER]] [OPTIONS]\n"
    "\n"
    "Subscribes to a fleet: a live table on a terminal, JSON lines when piped. Ends on Ctrl-C "
    "with\n"
    "a summary on stderr: what of each stream arrived, is missing, was told lost, came twice.\n"
    "\n";

static const char own_help[] =
    "  -c, --disable-clean-session   the broker keeps what arrives while we are away (needs -i)\n"
    "  -q, --qos 0|1|2       default 1\n"
    "  -C, --count N         end after N records\n"
    "  -W, --timeout S       end after S seconds; exit code 1 if -C was not reached by then\n"
    "  -f, --format FORMAT   json, csv, influx, delimited, table or none\n"
    "      --device PATTERN, --metric PATTERN   only these, as a shell matches file names;\n"
    "                        may be given several times\n"
    "      --sort ORDER      of the table: device (default), metric, or time: the newest first\n"
    "      --stale S         mark rows without news for S seconds, default 60\n"
    "      --listen [ADDRESS:]PORT   serve the fleet's health to Prometheus at /metrics; address:\n"
    "                        127.0.0.1\n"
    "      --verdict         print the summary as one JSON object on stdout, last\n"
    "  -v, --verbose         tell about connections\n"
    "      --quiet           no summary and no notes on stderr, only errors\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 ok, 1 runtime error, 2 usage, 3 broker unreachable, 4 refused, 5 TLS,\n"
    "            6 a payload was refused. Once connected it reconnects for ever.";

enum option_id {
    OPTION_KEEP_SESSION = 1,
    OPTION_QOS,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_FORMAT,
    OPTION_DEVICE,
    OPTION_METRIC,
    OPTION_SORT,
    OPTION_STALE,
    OPTION_LISTEN,
    OPTION_VERDICT,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    DUN_BROKER_ROWS,
    {OPTION_KEEP_SESSION, 'c', false, "disable-clean-session"},
    {OPTION_QOS, 'q', true, "qos"},
    {OPTION_COUNT, 'C', true, "count"},
    {OPTION_TIMEOUT, 'W', true, "timeout"},
    {OPTION_FORMAT, 'f', true, "format"},
    {OPTION_DEVICE, '\0', true, "device"},
    {OPTION_METRIC, '\0', true, "metric"},
    {OPTION_SORT, '\0', true, "sort"},
    {OPTION_STALE, '\0', true, "stale"},
    {OPTION_LISTEN, '\0', true, "listen"},
    {OPTION_VERDICT, '\0', false, "verdict"},
    {OPTION_VERBOSE, 'v', false, "verbose"},
    {OPTION_QUIET, '\0', false, "quiet"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

/// Values ///

static int set_number(struct dun_watch_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    static const struct {
        int id;
        const char *name;
        uint64_t minimum, maximum;
    } numbers[] = {{OPTION_QOS, "-q", 0, 2},
                   {OPTION_COUNT, "-C", 1, UINT64_C(1) << 53},
                   {OPTION_TIMEOUT, "-W", 1, 1000000000},
                   {OPTION_STALE, "--stale", 1, 1000000000}};
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].id == id &&
            !dun_options_number(line, numbers[i].name, value, numbers[i].minimum,
                                numbers[i].maximum, &number)) {
            return DUN_EXIT_USAGE;
        }
    }
    switch (id) {
    case OPTION_QOS:
        options->qos = (int)number;
        break;
    case OPTION_COUNT:
        options->count = number;
        break;
    case OPTION_STALE:
        options->stale_s = number;
        break;
    default:
        options->timeout_s = number;
        break;
    }
    return 0;
}

static int set_format(struct dun_watch_options *options, const char *value)
{
    options->format = dun_render_find(value);
    return options->format != NULL
               ? 0
               : dun_usage_error(
                     command,
                     "--format '%.100s' is not json, csv, influx, delimited, table or none", value);
}

static int set_sort(struct dun_watch_options *options, const char *value)
{
    static const char *const orders[] = {"device", "metric", "time"};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(value, orders[i]) == 0) {
            options->sort = (enum dun_sort)i;
            return 0;
        }
    }
    return dun_usage_error(command, "--sort '%.100s' is not device, metric or time", value);
}

static int add_pattern(struct dun_patterns *patterns, const char *name, const char *value)
{
    return dun_patterns_add(patterns, value)
               ? 0
               : dun_usage_error(command, "%s '%.100s': %d patterns at most", name, value,
                                 DUN_CHOICE_PATTERNS_MAX);
}

/* Options without a value; NULL: not one of them. */
static bool *switch_of(struct dun_watch_options *options, int id)
{
    switch (id) {
    case OPTION_KEEP_SESSION:
        return &options->keep_session;
    case OPTION_VERDICT:
        return &options->verdict;
    case OPTION_VERBOSE:
        return &options->verbose;
    case OPTION_QUIET:
        return &options->quiet;
    default:
        return NULL;
    }
}

static int set_option(struct dun_watch_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    if (id >= DUN_BROKER_URL && id < DUN_BROKER_OPTION_END) {
        return dun_broker_set(&options->broker, line, id, value);
    }
    if (switch_of(options, id) != NULL) {
        *switch_of(options, id) = true;
        return 0;
    }
    switch (id) {
    case OPTION_FORMAT:
        return set_format(options, value);
    case OPTION_DEVICE:
        return add_pattern(&options->choice.devices, "--device", value);
    case OPTION_METRIC:
        return add_pattern(&options->choice.metrics, "--metric", value);
    case OPTION_SORT:
        return set_sort(options, value);
    case OPTION_LISTEN:
        options->listen = value;
        return 0;
    case OPTION_HELP:
    case OPTION_VERSION:
        if (id == OPTION_VERSION) {
            puts("dunlin " DUN_VERSION);
        } else {
            printf("%s%s%s\n", help_text, dun_broker_help, own_help);
        }
        options->ended = true;
        return 0;
    case DUN_OPTION_ARGUMENT:
        return dun_usage_error(command, "unexpected argument '%.100s'; a filter goes after -t",
                               value);
    default:
        return set_number(options, line, id, value);
    }
}

static int finish(struct dun_watch_options *options, const struct dun_options *line)
{
    if (options->keep_session && options->broker.client_id == NULL) {
        return dun_usage_error(command, "-c needs -i: the session is kept under the client id");
    }
    return dun_broker_finish(&options->broker, line, "dunlin/#");
}

int dun_watch_parse(struct dun_watch_options *options, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    options->qos = 1;
    options->stale_s = 60;
    int result = dun_broker_begin(&options->broker, &line);
    while (result == 0) {
        const char *value;
        int id = dun_options_next(&line, &value);
        if (id == DUN_OPTION_END) {
            break;
        }
        result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(options, &line, id, value);
        if (options->ended) {
            return result;
        }
    }
    return result == 0 ? finish(options, &line) : result;
}
