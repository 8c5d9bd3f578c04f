/*
 * watch_options.c: the command line of `dunlin watch`, with mosquitto's letters. Secrets come from
 * files, never from argv, where every user of the machine can read them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "options.h"
#include "watch.h"

static const char command[] = "dunlin watch";

static const char help_text[] =
    "usage: dunlin watch [-L mqtt://HOST[:PORT][/FILTER]] [OPTIONS]\n"
    "\n"
    "Subscribes to a fleet: a live table on a terminal, JSON lines when piped. Ends on Ctrl-C "
    "with\n"
    "a summary on stderr: what of each stream arrived, is missing, was told lost, came twice.\n"
    "\n"
    "  -L, --url URL         mqtt://[USER@]HOST[:PORT][/FILTER] (also tcp://), or mqtts:// "
    "(ssl://,\n"
    "                        tls://); ports 1883 and 8883\n"
    "  -h, --host HOST       default localhost, or $DUNLIN_HOST\n"
    "  -p, --port PORT       or $DUNLIN_PORT\n"
    "  -t, --topic FILTER    default dunlin/#; may be repeated\n"
    "  -u, --username NAME   or $DUNLIN_USERNAME\n"
    "      --password-file FILE   its first line; or $DUNLIN_PASSWORD_FILE\n"
    "  -i, --id ID           client id; default: random\n"
    "  -c, --disable-clean-session   the broker keeps what arrives while we are away (needs -i)\n"
    "  -q, --qos 0|1|2       default 1\n"
    "  -k, --keepalive S     5 to 65535, default 60\n"
    "  -V, --protocol-version VERSION   mqttv31, mqttv311 (default), mqttv5\n"
    "      --cafile FILE, --capath DIR, --cert FILE, --key FILE, --tls-alpn NAME\n"
    "      --psk-identity NAME, --psk-file FILE   the key in hexadecimal\n"
    "  -C, --count N         end after N records\n"
    "  -W, --timeout S       end after S seconds; exit code 1 if -C was not reached by then\n"
    "  -f, --format FORMAT   json, csv, influx, table or none\n"
    "      --verdict         print the summary as one JSON object on stdout, last\n"
    "  -v, --verbose         tell about connections\n"
    "      --quiet           no summary and no notes on stderr, only errors\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 ok, 1 runtime error, 2 usage, 3 broker unreachable, 4 refused, 5 TLS,\n"
    "            6 a payload was refused. Once connected it reconnects for ever.";

enum option_id {
    OPTION_URL = 1,
    OPTION_HOST,
    OPTION_PORT,
    OPTION_TOPIC,
    OPTION_USERNAME,
    OPTION_PASSWORD,
    OPTION_PASSWORD_FILE,
    OPTION_ID,
    OPTION_KEEP_SESSION,
    OPTION_QOS,
    OPTION_KEEPALIVE,
    OPTION_PROTOCOL,
    OPTION_CAFILE,
    OPTION_CAPATH,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_ALPN,
    OPTION_PSK,
    OPTION_PSK_IDENTITY,
    OPTION_PSK_FILE,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_FORMAT,
    OPTION_VERDICT,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    {OPTION_URL, 'L', true, "url"},
    {OPTION_HOST, 'h', true, "host"},
    {OPTION_PORT, 'p', true, "port"},
    {OPTION_TOPIC, 't', true, "topic"},
    {OPTION_USERNAME, 'u', true, "username"},
    {OPTION_PASSWORD, 'P', true, "pw"},
    {OPTION_PASSWORD_FILE, '\0', true, "password-file"},
    {OPTION_ID, 'i', true, "id"},
    {OPTION_KEEP_SESSION, 'c', false, "disable-clean-session"},
    {OPTION_QOS, 'q', true, "qos"},
    {OPTION_KEEPALIVE, 'k', true, "keepalive"},
    {OPTION_PROTOCOL, 'V', true, "protocol-version"},
    {OPTION_CAFILE, '\0', true, "cafile"},
    {OPTION_CAPATH, '\0', true, "capath"},
    {OPTION_CERT, '\0', true, "cert"},
    {OPTION_KEY, '\0', true, "key"},
    {OPTION_ALPN, '\0', true, "tls-alpn"},
    {OPTION_PSK, '\0', true, "psk"},
    {OPTION_PSK_IDENTITY, '\0', true, "psk-identity"},
    {OPTION_PSK_FILE, '\0', true, "psk-file"},
    {OPTION_COUNT, 'C', true, "count"},
    {OPTION_TIMEOUT, 'W', true, "timeout"},
    {OPTION_FORMAT, 'f', true, "format"},
    {OPTION_VERDICT, '\0', false, "verdict"},
    {OPTION_VERBOSE, 'v', false, "verbose"},
    {OPTION_QUIET, '\0', false, "quiet"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

/// Values ///

/* Copies `size` bytes as a string; false when it does not fit or is empty. */
static bool copy(char *to, size_t room, const char *from, size_t size)
{
    if (size == 0 || size >= room) {
        return false;
    }
    memcpy(to, from, size);
    to[size] = '\0';
    return true;
}

static bool url_scheme(struct dun_watch_options *options, const char *url, const char **rest)
{
    static const struct {
        const char *name;
        bool tls;
    } schemes[] = {{"mqtt://", false},
                   {"tcp://", false},
                   {"mqtts://", true},
                   {"ssl://", true},
                   {"tls://", true}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i].name);
        if (strncmp(url, schemes[i].name, length) == 0) {
            options->tls = schemes[i].tls;
            *rest = url + length;
            return true;
        }
    }
    return false;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT, up to `end`. */
static int url_host(struct dun_watch_options *options, const struct dun_options *line,
                    const char *url, const char *from, const char *end)
{
    bool bracketed = *from == '[';
    const char *close = bracketed ? memchr(from, ']', (size_t)(end - from)) : NULL;
    const char *host = bracketed ? from + 1 : from;
    const char *search = bracketed && close != NULL ? close : from;
    const char *colon = memchr(search, ':', (size_t)(end - search));
    const char *host_end = bracketed ? close : colon != NULL ? colon : end;
    if (host_end == NULL ||
        !copy(options->host, sizeof options->host, host, (size_t)(host_end - host))) {
        return dun_usage_error(command, "-L '%.200s' names no host", url);
    }
    if (colon != NULL) {
        char text[16];
        uint64_t port;
        if (!copy(text, sizeof text, colon + 1, (size_t)(end - colon - 1))) {
            return dun_usage_error(command, "-L '%.200s' names no port after ':'", url);
        }
        if (!dun_options_number(line, "-L port", text, 1, 65535, &port)) {
            return DUN_EXIT_USAGE;
        }
        options->port = (uint16_t)port;
    }
    return 0;
}

static int set_url(struct dun_watch_options *options, const struct dun_options *line,
                   const char *url)
{
    const char *from;
    if (!url_scheme(options, url, &from)) {
        return dun_usage_error(command, "-L '%.200s' does not begin with mqtt:// or mqtts://", url);
    }
    const char *end = from + strcspn(from, "/");
    const char *at = memchr(from, '@', (size_t)(end - from));
    if (at != NULL) {
        if (memchr(from, ':', (size_t)(at - from)) != NULL) {
            return dun_usage_error(command, "-L with a password in it: every user of this machine "
                                            "could read it; use --password-file");
        }
        if (!copy(options->url_user, sizeof options->url_user, from, (size_t)(at - from))) {
            return dun_usage_error(command, "-L '%.200s' names no user before '@'", url);
        }
        options->username = options->url_user;
        from = at + 1;
    }
    if (*end == '/' && end[1] != '\0') {
        if (!copy(options->url_filter, sizeof options->url_filter, end + 1, strlen(end + 1))) {
            return dun_usage_error(command, "-L: the topic filter is too long");
        }
    }
    return url_host(options, line, url, from, end);
}

static int set_version(struct dun_watch_options *options, const char *value)
{
    static const struct {
        const char *name;
        int version;
    } versions[] = {{"mqttv31", 3}, {"31", 3},     {"mqttv311", 4}, {"311", 4},
                    {"3.1.1", 4},   {"mqttv5", 5}, {"5", 5}};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (strcmp(value, versions[i].name) == 0) {
            options->version = versions[i].version;
            return 0;
        }
    }
    return dun_usage_error(command, "-V '%.100s' is not mqttv31, mqttv311 or mqttv5", value);
}

static int set_number(struct dun_watch_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    static const struct {
        int id;
        const char *name;
        uint64_t minimum, maximum;
    } numbers[] = {{OPTION_PORT, "-p", 1, 65535},
                   {OPTION_QOS, "-q", 0, 2},
                   {OPTION_KEEPALIVE, "-k", 5, 65535},
                   {OPTION_COUNT, "-C", 1, UINT64_C(1) << 53},
                   {OPTION_TIMEOUT, "-W", 1, 1000000000}};
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].id == id &&
            !dun_options_number(line, numbers[i].name, value, numbers[i].minimum,
                                numbers[i].maximum, &number)) {
            return DUN_EXIT_USAGE;
        }
    }
    switch (id) {
    case OPTION_PORT:
        options->port = (uint16_t)number;
        break;
    case OPTION_QOS:
        options->qos = (int)number;
        break;
    case OPTION_KEEPALIVE:
        options->keepalive_s = (int)number;
        break;
    case OPTION_COUNT:
        options->count = number;
        break;
    default:
        options->timeout_s = number;
        break;
    }
    return 0;
}

static int set_host(struct dun_watch_options *options, const char *value)
{
    return copy(options->host, sizeof options->host, value, strlen(value))
               ? 0
               : dun_usage_error(command, "-h '%.100s' is not a host name", value);
}

static int add_filter(struct dun_watch_options *options, const char *value)
{
    if (options->filter_count == DUN_WATCH_FILTERS_MAX) {
        return dun_usage_error(command, "-t: more than %d filters", DUN_WATCH_FILTERS_MAX);
    }
    options->filters[options->filter_count++] = value;
    return 0;
}

static int set_format(struct dun_watch_options *options, const char *value)
{
    options->format = dun_render_find(value);
    return options->format != NULL
               ? 0
               : dun_usage_error(
                     command, "--format '%.100s' is not json, csv, influx, table or none", value);
}

/* Options whose value is kept as it is; NULL: not one of them. */
static const char **text_of(struct dun_watch_options *options, int id)
{
    switch (id) {
    case OPTION_USERNAME:
        return &options->username;
    case OPTION_PASSWORD_FILE:
        return &options->password_file;
    case OPTION_ID:
        return &options->client_id;
    case OPTION_CAFILE:
        return &options->cafile;
    case OPTION_CAPATH:
        return &options->capath;
    case OPTION_CERT:
        return &options->cert;
    case OPTION_KEY:
        return &options->key;
    case OPTION_ALPN:
        return &options->alpn;
    case OPTION_PSK_IDENTITY:
        return &options->psk_identity;
    case OPTION_PSK_FILE:
        return &options->psk_file;
    default:
        return NULL;
    }
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

static int set_text(const char **text, int id, const char *value)
{
    const struct dun_option *option = option_table;
    while (option->id != id) {
        option++;
    }
    if (*value == '\0') {
        return dun_usage_error(command, "--%s must not be empty", option->name);
    }
    *text = value;
    return 0;
}

static int set_option(struct dun_watch_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    if (text_of(options, id) != NULL) {
        return set_text(text_of(options, id), id, value);
    }
    if (switch_of(options, id) != NULL) {
        *switch_of(options, id) = true;
        return 0;
    }
    switch (id) {
    case OPTION_URL:
        return set_url(options, line, value);
    case OPTION_HOST:
        return set_host(options, value);
    case OPTION_TOPIC:
        return add_filter(options, value);
    case OPTION_PASSWORD:
    case OPTION_PSK:
        return dun_usage_error(command, "%s: every user of this machine could read it; use %s",
                               id == OPTION_PSK ? "--psk" : "-P",
                               id == OPTION_PSK ? "--psk-file" : "--password-file");
    case OPTION_PROTOCOL:
        return set_version(options, value);
    case OPTION_FORMAT:
        return set_format(options, value);
    case OPTION_HELP:
    case OPTION_VERSION:
        puts(id == OPTION_HELP ? help_text : "dunlin " DUN_VERSION);
        options->ended = true;
        return 0;
    case DUN_OPTION_ARGUMENT:
        return dun_usage_error(command, "unexpected argument '%.100s'; a filter goes after -t",
                               value);
    default:
        return set_number(options, line, id, value);
    }
}

/// Environment, files, and what must fit together ///

/* A variable that is set but empty is how shells and compose files say "not set". */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static int read_environment(struct dun_watch_options *options, const struct dun_options *line)
{
    const char *host = variable("DUNLIN_HOST");
    const char *port = variable("DUNLIN_PORT");
    options->username = variable("DUNLIN_USERNAME");
    options->password_file = variable("DUNLIN_PASSWORD_FILE");
    uint64_t number = 0;
    if (port != NULL && !dun_options_number(line, "$DUNLIN_PORT", port, 1, 65535, &number)) {
        return DUN_EXIT_USAGE;
    }
    options->port = (uint16_t)number;
    return set_host(options, host != NULL ? host : "localhost");
}

/* The first line of a secret's file. */
static int read_secret(const char *path, char *secret, size_t room)
{
    FILE *file = fopen(path, "r");
    struct stat status;
    if (file == NULL) {
        return dun_usage_error(command, "%.200s: %s", path, strerror(errno));
    }
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & 077) != 0) {
        fprintf(stderr, "%s: warning: %s can be read by others; chmod 600 mends it\n", command,
                path);
    }
    bool got = fgets(secret, (int)room, file) != NULL;
    (void)fclose(file);
    if (!got) {
        return dun_usage_error(command, "%.200s is empty", path);
    }
    secret[strcspn(secret, "\r\n")] = '\0';
    return 0;
}

static int finish(struct dun_watch_options *options)
{
    if (options->url_filter[0] != '\0' && options->filter_count == 0) {
        options->filters[options->filter_count++] = options->url_filter;
    }
    if (options->filter_count == 0) {
        options->filters[options->filter_count++] = "dunlin/#";
    }
    options->tls = options->tls || options->cafile != NULL || options->capath != NULL ||
                   options->psk_identity != NULL;
    if (options->port == 0) {
        options->port = options->tls ? 8883 : 1883;
    }
    if ((options->cert == NULL) != (options->key == NULL)) {
        return dun_usage_error(command, "--cert and --key belong together");
    }
    if (options->cert != NULL && options->cafile == NULL && options->capath == NULL) {
        return dun_usage_error(command, "--cert needs --cafile or --capath");
    }
    if ((options->psk_identity == NULL) != (options->psk_file == NULL)) {
        return dun_usage_error(command, "--psk-identity and --psk-file belong together");
    }
    if (options->alpn != NULL && !options->tls) {
        return dun_usage_error(command, "--tls-alpn needs TLS: mqtts://, --cafile or --capath");
    }
    if (options->keep_session && options->client_id == NULL) {
        return dun_usage_error(command, "-c needs -i: the session is kept under the client id");
    }
    if (options->password_file != NULL && options->username == NULL) {
        return dun_usage_error(command, "--password-file needs -u");
    }
    int result = 0;
    if (options->password_file != NULL) {
        result = read_secret(options->password_file, options->password, sizeof options->password);
    }
    if (result == 0 && options->psk_file != NULL) {
        result = read_secret(options->psk_file, options->psk, sizeof options->psk);
    }
    return result;
}

int dun_watch_parse(struct dun_watch_options *options, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    options->qos = 1;
    options->keepalive_s = 60;
    options->version = 4;
    int result = read_environment(options, &line);
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
    return result == 0 ? finish(options) : result;
}
