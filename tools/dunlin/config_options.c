/*
 * config_options.c: the command line of `dunlin config`, and the files it may name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const char command[] = "dunlin config";

static const char help_text[] =
    "usage: dunlin config get|diff [OPTIONS] [DEVICE...]\n"
    "       dunlin config set [OPTIONS] [DEVICE...] KEY[@NAME]=VALUE...\n"
    "\n"
    "Reads and writes the desired configuration of devices, and what they made of it.\n"
    "\n"
    "  get   what is desired, and what each device reports\n"
    "  diff  what is not in force as desired\n"
    "  set   changes the named settings of each device's document, and waits until each device\n"
    "        has kept it, refused some of it, or rolled it back\n"
    "\n"
    "DEVICE is an id or a pattern such as 'pump-*'; none: every device of the topic filter.\n"
    "\n"
    "  interval[@SENSOR]     how often sensors are read: 10s; off\n"
    "  batch.age, batch.points, batch.bytes      when a batch is sealed: 30s, 200, 1K\n"
    "  backfill.percent, backfill.rate           what a backlog may use: 50, 8K (a second)\n"
    "  log.policy            a full log: drop-oldest, drop-newest, thin\n"
    "  resolution@METRIC, dead_band@METRIC, heartbeat@METRIC    which values are worth sending\n"
    "  low@METRIC, high@METRIC                   values beyond are sent at once\n"
    "  report.interval       the device says again what is in force: 1h; off\n"
    "  trial                 time in which the broker must be reached, or it goes back: 2m\n"
    "\n"
    "METRIC is a name, the beginning of one and *, or NAME{attribute=value,...}. The value none\n"
    "takes a limit or a tuning away, default takes a setting out of the document.\n"
    "\n";

static const char own_help[] =
    "      --devices FILE    also the devices that stand there, one a line\n"
    "      --file FILE       also the settings that stand there: KEY = VALUE, one a line; # ;\n"
    "      --replace         the document shall say nothing else; without settings: all as the\n"
    "                        devices' own configuration says\n"
    "      --no-wait         end when the broker has the documents\n"
    "  -W, --timeout S       wait at most so long, default 10 (set: 180)\n"
    "  -f, --format FORMAT   table (default on a terminal) or json\n"
    "      --quiet           no progress on stderr\n"
    "      --help, --version\n"
    "\n"
    "-t is a filter for PREFIX/FLEET/DEVICE, default dunlin/+/+.\n"
    "\n"
    "exit codes: 0 all is as desired, 1 runtime error or not all by the timeout, 2 usage,\n"
    "            3 broker unreachable, 4 refused, 5 TLS, 6 a payload was refused,\n"
    "            9 a device refused something or rolled back; diff: something differs";

enum option_id {
    OPTION_DEVICES = 1,
    OPTION_FILE,
    OPTION_REPLACE,
    OPTION_NO_WAIT,
    OPTION_TIMEOUT,
    OPTION_FORMAT,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    DUN_BROKER_ROWS,
    {OPTION_DEVICES, '\0', true, "devices"},
    {OPTION_FILE, '\0', true, "file"},
    {OPTION_REPLACE, '\0', false, "replace"},
    {OPTION_NO_WAIT, '\0', false, "no-wait"},
    {OPTION_TIMEOUT, 'W', true, "timeout"},
    {OPTION_FORMAT, 'f', true, "format"},
    {OPTION_QUIET, '\0', false, "quiet"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

/// What is named ///

static int out_of_memory(void)
{
    fprintf(stderr, "%s: out of memory\n", command);
    return DUN_EXIT_RUNTIME;
}

static int add_device(struct dun_config_options *options, const char *name)
{
    size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
                               "*?[]");
    if (size == 0 || name[size] != '\0') {
        return dun_usage_error(command, "'%.80s' is neither a device nor KEY=VALUE", name);
    }
    char **item = dun_list_add(&options->devices, sizeof *item);
    if (item == NULL || (*item = strdup(name)) == NULL) {
        return out_of_memory();
    }
    return 0;
}

static int add_assignment(struct dun_config_options *options, const char *text, const char *place)
{
    char why[160];
    struct dun_assignment **item = dun_list_add(&options->assignments, sizeof *item);
    if (item == NULL || (*item = malloc(sizeof **item)) == NULL) {
        return out_of_memory();
    }
    if (!dun_assignment_parse(*item, text, why)) {
        return dun_usage_error(command, "%s%s", place, why);
    }
    return 0;
}

/* One line of a file that an option names. */
typedef int (*take_line)(struct dun_config_options *options, const char *text, const char *place);

static int take_device(struct dun_config_options *options, const char *text, const char *place)
{
    (void)place;
    return add_device(options, text);
}

static int read_lines(struct dun_config_options *options, const char *path, take_line take)
{
    char line[DUN_ASSIGNMENT_MAX + 2], place[300];
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    int result = 0;
    if (file == NULL) {
        return dun_usage_error(command, "%.200s: %s", path, strerror(errno));
    }
    for (int number = 1; result == 0 && fgets(line, sizeof line, file) != NULL; number++) {
        char *text = line + strspn(line, " \t");
        text[strcspn(text, "\r\n")] = '\0';
        for (size_t size = strlen(text); size > 0 && strchr(" \t", text[size - 1]) != NULL;) {
            text[--size] = '\0';
        }
        (void)snprintf(place, sizeof place, "%.200s:%d: ", path, number);
        if (*text != '\0' && *text != '#' && *text != ';') {
            result = take(options, text, place);
        }
    }
    if (file != stdin) {
        (void)fclose(file);
    }
    return result;
}

/// Options ///

static int set_format(struct dun_config_options *options, const char *value)
{
    options->json = strcmp(value, "json") == 0;
    return options->json || strcmp(value, "table") == 0
               ? 0
               : dun_usage_error(command, "--format '%.100s' is not json or table", value);
}

static int set_command(struct dun_config_options *options, const char *word)
{
    static const char *const words[] = {"get", "set", "diff"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            options->command = (enum dun_config_command)i;
            return 0;
        }
    }
    return dun_usage_error(command, "'%.100s' is not get, set or diff", word);
}

static int set_argument(struct dun_config_options *options, const char *value, bool *has_command)
{
    if (!*has_command) {
        *has_command = true;
        return set_command(options, value);
    }
    if (strchr(value, '=') != NULL) {
        return add_assignment(options, value, "");
    }
    return add_device(options, value);
}

static int set_option(struct dun_config_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    if (id >= DUN_BROKER_URL && id < DUN_BROKER_OPTION_END) {
        return dun_broker_set(&options->broker, line, id, value);
    }
    switch (id) {
    case OPTION_DEVICES:
        return read_lines(options, value, take_device);
    case OPTION_FILE:
        return read_lines(options, value, add_assignment);
    case OPTION_REPLACE:
        options->replace = true;
        return 0;
    case OPTION_NO_WAIT:
        options->no_wait = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_FORMAT:
        return set_format(options, value);
    case OPTION_TIMEOUT:
        return dun_options_number(line, "-W", value, 1, 1000000, &options->timeout_s)
                   ? 0
                   : DUN_EXIT_USAGE;
    default:
        if (id == OPTION_VERSION) {
            puts("dunlin " DUN_VERSION);
        } else {
            printf("%s%s%s\n", help_text, dun_broker_help, own_help);
        }
        options->ended = true;
        return 0;
    }
}

/* What the filter says of the three levels of a device's topics; `#` and what is left out is +. */
static int set_base(char base[DUN_CONFIG_BASE_MAX], const char *filter)
{
    size_t used = 0;
    const char *at = filter;
    for (int level = 0; level < 3; level++) {
        size_t size = strcspn(at, "/");
        bool wild = size == 0 || (size == 1 && *at == '#');
        const char *text = wild ? "+" : at;
        size_t text_size = wild ? 1 : size;
        if (used + text_size + 2 > DUN_CONFIG_BASE_MAX) {
            return dun_usage_error(command, "-t: the topic filter is too long");
        }
        if (level > 0) {
            base[used++] = '/';
        }
        memcpy(base + used, text, text_size);
        used += text_size;
        bool ended = (size == 1 && *at == '#') || at[size] == '\0';
        at = ended ? "" : at + size + 1;
    }
    base[used] = '\0';
    return *at == '\0' || strcmp(at, "#") == 0
               ? 0
               : dun_usage_error(command, "-t '%.200s' has more levels than PREFIX/FLEET/DEVICE",
                                 filter);
}

static int finish(struct dun_config_options *options, const struct dun_options *line,
                  bool has_command)
{
    bool setting = options->command == DUN_CONFIG_SET;
    if (!has_command) {
        return dun_usage_error(command, "get, set or diff is needed");
    }
    if (setting && options->assignments.count == 0 && !options->replace) {
        return dun_usage_error(command, "set needs KEY=VALUE, --file or --replace");
    }
    if (!setting && (options->assignments.count > 0 || options->replace || options->no_wait)) {
        return dun_usage_error(command, "settings, --replace and --no-wait go with set");
    }
    if (options->timeout_s == 0) {
        options->timeout_s = setting ? 180 : 10;
    }
    int result = dun_broker_finish(&options->broker, line, "dunlin/+/+");
    for (size_t i = 0; result == 0 && i < options->broker.filter_count; i++) {
        result = set_base(options->bases[i], options->broker.filters[i]);
    }
    return result;
}

int dun_config_parse(struct dun_config_options *options, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    bool has_command = false;
    int result = dun_broker_begin(&options->broker, &line);
    while (result == 0) {
        const char *value;
        int id = dun_options_next(&line, &value);
        if (id == DUN_OPTION_END) {
            break;
        }
        if (id == DUN_OPTION_ERROR) {
            return DUN_EXIT_USAGE;
        }
        result = id == DUN_OPTION_ARGUMENT ? set_argument(options, value, &has_command)
                                           : set_option(options, &line, id, value);
        if (options->ended) {
            return result;
        }
    }
    return result == 0 ? finish(options, &line, has_command) : result;
}

void dun_config_options_free(struct dun_config_options *options)
{
    char **devices = options->devices.items;
    struct dun_assignment **assignments = options->assignments.items;
    for (size_t i = 0; i < options->devices.count; i++) {
        free(devices[i]);
    }
    for (size_t i = 0; i < options->assignments.count; i++) {
        free(assignments[i]);
    }
    free(devices);
    free(assignments);
}
