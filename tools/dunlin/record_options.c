/*
 * record_options.c: the command line of `dunlin record`, and its topics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decoder.h"
#include "out.h"
#include "record.h"
#include "store.h"
#include "tool.h"

static const char command[] = "dunlin record";

static const char head_text[] =
    "usage: dunlin record -L mqtt://HOST[:PORT][/FILTER] --db FILE|postgresql://... [OPTIONS]\n"
    "\n"
    "Stores what a fleet publishes in SQLite or PostgreSQL: points, devices, dictionaries, boots,\n"
    "anchors, losses. A message is acknowledged after its commit, and each stream's cursor is\n"
    "published on .../stored, for devices with ack = stored. Runs until it is told to end.\n"
    "\n"
    "      --db NAME         a file of SQLite, or postgresql://USER@HOST/DATABASE; made if empty\n"
    "      --db-password-file FILE   of PostgreSQL, where ~/.pgpass does not have it\n"
    "      --share GROUP     share the messages with the other recorders of GROUP (needs -i, and\n"
    "                        PostgreSQL unless all of them are on this machine)\n"
    "      --window N        messages that the broker may send ahead of their acks, 1 to 65535\n"
    "                        (MQTT 5), default 1024\n"
    "      --clean           leave no session at the broker: what is sent while we are away is\n"
    "                        not kept\n"
    "\n";

static const char own_help[] =
    "                        Here -V is mqttv5 and -i is dunlin-record-HOSTNAME by default, and a\n"
    "                        filter is PREFIX/FLEET/DEVICE or PREFIX/#\n"
    "  -C, --count N         end after N records\n"
    "  -W, --timeout S       end after S seconds; exit code 1 if -C was not reached by then\n"
    "  -v, --verbose         tell about connections and the count each 10 s\n"
    "      --quiet           only errors\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 ok, 1 runtime error, 2 usage, 3 the broker was not reached by -W, 4 it\n"
    "            refused, 5 TLS, 8 the database cannot be used. A broker or database that goes\n"
    "            away is tried again for ever.";

enum option_id {
    OPTION_DATABASE = 1,
    OPTION_DATABASE_PASSWORD,
    OPTION_SHARE,
    OPTION_WINDOW,
    OPTION_CLEAN,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    DUN_BROKER_ROWS,
    {OPTION_DATABASE, '\0', true, "db"},
    {OPTION_DATABASE_PASSWORD, '\0', true, "db-password-file"},
    {OPTION_SHARE, '\0', true, "share"},
    {OPTION_WINDOW, '\0', true, "window"},
    {OPTION_CLEAN, '\0', false, "clean"},
    {OPTION_COUNT, 'C', true, "count"},
    {OPTION_TIMEOUT, 'W', true, "timeout"},
    {OPTION_VERBOSE, 'v', false, "verbose"},
    {OPTION_QUIET, '\0', false, "quiet"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

/// Topics ///

static int add_filter(struct dun_record_options *options, const struct dun_options *line,
                      const char *share, const char *levels, const char *channel)
{
    size_t size = strlen(levels) + strlen(channel) + (share != NULL ? strlen(share) : 0) + 16;
    char *filter = malloc(size);
    if (filter == NULL) {
        return dun_usage_error(line->command, "out of memory");
    }
    (void)snprintf(filter, size, "%s%s%s%s%s", share != NULL ? "$share/" : "",
                   share != NULL ? share : "", share != NULL ? "/" : "", levels, channel);
    options->filters[options->filter_count++] = filter;
    return 0;
}

/* PREFIX/FLEET/DEVICE of `filter` in `levels`, with + for what # stands for, and the rest. */
static bool split_filter(const char *filter, char levels[DUN_BROKER_TEXT_MAX + 8],
                         const char **channel)
{
    size_t used = 0;
    for (int level = 0; level < 3; level++) {
        size_t length = strcspn(filter, "/");
        bool rest = length == 1 && *filter == '#';
        if (length == 0 || used + length + 2 > DUN_BROKER_TEXT_MAX) {
            return false;
        }
        memcpy(levels + used, rest ? "+" : filter, length);
        used += length;
        levels[used++] = '/';
        if (!rest) {
            filter += length;
            if (*filter == '\0' && level < 2) {
                return false;
            }
            filter += *filter == '/' ? 1 : 0;
        }
    }
    levels[used] = '\0';
    *channel =
        *filter == '\0' || strcmp(filter, "#") == 0 || strcmp(filter, "+") == 0 ? NULL : filter;
    return true;
}

int dun_record_filters(struct dun_record_options *options, const struct dun_options *line)
{
    static const char *const channels[] = {"catalog", "about", "status", "batch", "samples"};
    for (size_t i = 0; i < options->broker.filter_count; i++) {
        char levels[DUN_BROKER_TEXT_MAX + 8];
        const char *channel;
        if (!split_filter(options->broker.filters[i], levels, &channel)) {
            return dun_usage_error(line->command, "'%.200s' is not PREFIX/FLEET/DEVICE or PREFIX/#",
                                   options->broker.filters[i]);
        }
        for (size_t k = 0; k < sizeof channels / sizeof channels[0]; k++) {
            /* Retained messages do not come by a shared subscription, and everybody needs them. */
            const char *share = k < 3 ? NULL : options->share;
            if (channel != NULL && strcmp(channel, channels[k]) != 0) {
                continue;
            }
            int result = add_filter(options, line, share, levels, channels[k]);
            if (result != 0) {
                return result;
            }
        }
    }
    return options->filter_count > 0
               ? 0
               : dun_usage_error(line->command, "no such channel: batch, samples, catalog, about "
                                                "or status");
}

/// Options ///

bool dun_database_tells_password(const char *name)
{
    if (!dun_store_is_postgres(name)) {
        return false;
    }
    const char *user = strstr(name, "://") + 3;
    const char *at = strchr(user, '@');
    const char *colon = strchr(user, ':');
    const char *slash = strchr(user, '/');
    bool in_user = at != NULL && colon != NULL && colon < at && (slash == NULL || at < slash);
    return in_user || strstr(name, "password=") != NULL;
}

static int set_number(struct dun_record_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    const char *name = id == OPTION_WINDOW ? "--window" : id == OPTION_COUNT ? "-C" : "-W";
    uint64_t maximum = id == OPTION_WINDOW  ? 65535
                       : id == OPTION_COUNT ? UINT64_C(1) << 53
                                            : 1000000000;
    uint64_t number;
    if (!dun_options_number(line, name, value, 1, maximum, &number)) {
        return DUN_EXIT_USAGE;
    }
    if (id == OPTION_WINDOW) {
        options->window = (uint16_t)number;
    } else if (id == OPTION_COUNT) {
        options->count = number;
    } else {
        options->timeout_s = number;
    }
    return 0;
}

static int set_option(struct dun_record_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    if (id >= DUN_BROKER_URL && id < DUN_BROKER_OPTION_END) {
        return dun_broker_set(&options->broker, line, id, value);
    }
    switch (id) {
    case OPTION_DATABASE:
        return dun_option_text(line, id, &options->database, value);
    case OPTION_DATABASE_PASSWORD:
        return dun_option_text(line, id, &options->database_password_file, value);
    case OPTION_SHARE:
        options->share = value;
        return dun_name_ok(dun_span_of(value))
                   ? 0
                   : dun_usage_error(command, "--share '%.100s' is not [A-Za-z0-9._-]{1,64}",
                                     value);
    case OPTION_CLEAN:
        options->clean = true;
        return 0;
    case OPTION_VERBOSE:
        options->verbose = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_HELP:
        printf("%s%s%s\n", head_text, dun_broker_help, own_help);
        options->ended = true;
        return 0;
    case OPTION_VERSION:
        puts("dunlin " DUN_VERSION);
        options->ended = true;
        return 0;
    case DUN_OPTION_ARGUMENT:
        return dun_usage_error(command, "unexpected argument '%.100s'", value);
    default:
        return set_number(options, line, id, value);
    }
}

/* The session is kept under the client id, so it must be the same after a restart. */
static int name_client(struct dun_record_options *options)
{
    char host[256] = "";
    if (options->broker.client_id != NULL) {
        return 0;
    }
    if (options->share != NULL) {
        return dun_usage_error(command, "--share needs -i: each recorder its own client id");
    }
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(options->client_id, sizeof options->client_id, "dunlin-record-%s", host);
    options->broker.client_id = options->client_id;
    return 0;
}

static int finish(struct dun_record_options *options, const struct dun_options *line)
{
    if (options->database == NULL) {
        return dun_usage_error(command, "--db is needed: a file, or postgresql://...");
    }
    if (dun_database_tells_password(options->database)) {
        return dun_usage_error(command, "--db with a password in it: every user of this machine "
                                        "could read it; use --db-password-file or ~/.pgpass");
    }
    if (options->broker.version == 3) {
        return dun_usage_error(command, "-V mqttv31: mqttv311 or mqttv5 is needed");
    }
    int result = dun_broker_finish(&options->broker, line, "dunlin/#");
    result = result == 0 ? name_client(options) : result;
    result = result == 0 ? dun_record_filters(options, line) : result;
    if (result == 0 && options->database_password_file != NULL) {
        result = dun_secret_read(line, options->database_password_file, options->database_password,
                                 sizeof options->database_password);
    }
    return result;
}

int dun_record_parse(struct dun_record_options *options, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    int result = dun_broker_begin(&options->broker, &line);
    options->broker.version = 5;
    options->window = 1024;
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

void dun_record_options_free(struct dun_record_options *options)
{
    for (size_t i = 0; i < options->filter_count; i++) {
        free(options->filters[i]);
    }
}
