/*
 * broker_options.c: URL, letters, environment and secrets of a command that talks to a broker.
 */
#include "broker_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char dun_broker_help[] =
    "  -L, --url URL         mqtt://[USER@]HOST[:PORT][/FILTER] (also tcp://), or mqtts:// "
    "(ssl://,\n"
    "                        tls://); ports 1883 and 8883\n"
    "  -h, --host HOST       default localhost, or $DUNLIN_HOST\n"
    "  -p, --port PORT       or $DUNLIN_PORT\n"
    "  -t, --topic FILTER    default dunlin/#; may be repeated\n"
    "  -u, --username NAME   or $DUNLIN_USERNAME\n"
    "      --password-file FILE   its first line; or $DUNLIN_PASSWORD_FILE\n"
    "  -i, --id ID           client id; default: random\n"
    "  -k, --keepalive S     5 to 65535, default 60\n"
    "  -V, --protocol-version VERSION   mqttv31, mqttv311 (default), mqttv5\n"
    "      --cafile FILE, --capath DIR, --cert FILE, --key FILE, --tls-alpn NAME\n"
    "      --psk-identity NAME, --psk-file FILE   the key in hexadecimal\n";

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

static bool url_scheme(struct dun_broker_options *options, const char *url, const char **rest)
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
static int url_host(struct dun_broker_options *options, const struct dun_options *line,
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
        return dun_usage_error(line->command, "-L '%.200s' names no host", url);
    }
    if (colon != NULL) {
        char text[16];
        uint64_t port;
        if (!copy(text, sizeof text, colon + 1, (size_t)(end - colon - 1))) {
            return dun_usage_error(line->command, "-L '%.200s' names no port after ':'", url);
        }
        if (!dun_options_number(line, "-L port", text, 1, 65535, &port)) {
            return DUN_EXIT_USAGE;
        }
        options->port = (uint16_t)port;
    }
    return 0;
}

static int set_url(struct dun_broker_options *options, const struct dun_options *line,
                   const char *url)
{
    const char *from;
    if (!url_scheme(options, url, &from)) {
        return dun_usage_error(line->command, "-L '%.200s' does not begin with mqtt:// or mqtts://",
                               url);
    }
    const char *end = from + strcspn(from, "/");
    const char *at = memchr(from, '@', (size_t)(end - from));
    if (at != NULL) {
        if (memchr(from, ':', (size_t)(at - from)) != NULL) {
            return dun_usage_error(line->command,
                                   "-L with a password in it: every user of this machine "
                                   "could read it; use --password-file");
        }
        if (!copy(options->url_user, sizeof options->url_user, from, (size_t)(at - from))) {
            return dun_usage_error(line->command, "-L '%.200s' names no user before '@'", url);
        }
        options->username = options->url_user;
        from = at + 1;
    }
    if (*end == '/' && end[1] != '\0') {
        if (!copy(options->url_filter, sizeof options->url_filter, end + 1, strlen(end + 1))) {
            return dun_usage_error(line->command, "-L: the topic filter is too long");
        }
    }
    return url_host(options, line, url, from, end);
}

static int set_version(struct dun_broker_options *options, const struct dun_options *line,
                       const char *value)
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
    return dun_usage_error(line->command, "-V '%.100s' is not mqttv31, mqttv311 or mqttv5", value);
}

static int set_number(struct dun_broker_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    uint64_t number = 0;
    bool port = id == DUN_BROKER_PORT;
    if (!dun_options_number(line, port ? "-p" : "-k", value, port ? 1 : 5, 65535, &number)) {
        return DUN_EXIT_USAGE;
    }
    if (port) {
        options->port = (uint16_t)number;
    } else {
        options->keepalive_s = (int)number;
    }
    return 0;
}

static int set_host(struct dun_broker_options *options, const struct dun_options *line,
                    const char *value)
{
    return copy(options->host, sizeof options->host, value, strlen(value))
               ? 0
               : dun_usage_error(line->command, "-h '%.100s' is not a host name", value);
}

static int add_filter(struct dun_broker_options *options, const struct dun_options *line,
                      const char *value)
{
    if (options->filter_count == DUN_BROKER_FILTERS_MAX) {
        return dun_usage_error(line->command, "-t: more than %d filters", DUN_BROKER_FILTERS_MAX);
    }
    options->filters[options->filter_count++] = value;
    return 0;
}

/* Options whose value is kept as it is; NULL: not one of them. */
static const char **text_of(struct dun_broker_options *options, int id)
{
    switch (id) {
    case DUN_BROKER_USERNAME:
        return &options->username;
    case DUN_BROKER_PASSWORD_FILE:
        return &options->password_file;
    case DUN_BROKER_ID:
        return &options->client_id;
    case DUN_BROKER_CAFILE:
        return &options->cafile;
    case DUN_BROKER_CAPATH:
        return &options->capath;
    case DUN_BROKER_CERT:
        return &options->cert;
    case DUN_BROKER_KEY:
        return &options->key;
    case DUN_BROKER_ALPN:
        return &options->alpn;
    case DUN_BROKER_PSK_IDENTITY:
        return &options->psk_identity;
    case DUN_BROKER_PSK_FILE:
        return &options->psk_file;
    default:
        return NULL;
    }
}

int dun_option_text(const struct dun_options *line, int id, const char **text, const char *value)
{
    const struct dun_option *option = line->table;
    while (option->id != id) {
        option++;
    }
    if (*value == '\0') {
        return dun_usage_error(line->command, "--%s must not be empty", option->name);
    }
    *text = value;
    return 0;
}

int dun_broker_set(struct dun_broker_options *options, const struct dun_options *line, int id,
                   const char *value)
{
    if (text_of(options, id) != NULL) {
        return dun_option_text(line, id, text_of(options, id), value);
    }
    switch (id) {
    case DUN_BROKER_URL:
        options->named = true;
        return set_url(options, line, value);
    case DUN_BROKER_HOST:
        options->named = true;
        return set_host(options, line, value);
    case DUN_BROKER_TOPIC:
        return add_filter(options, line, value);
    case DUN_BROKER_PASSWORD:
    case DUN_BROKER_PSK:
        return dun_usage_error(line->command,
                               "%s: every user of this machine could read it; use %s",
                               id == DUN_BROKER_PSK ? "--psk" : "-P",
                               id == DUN_BROKER_PSK ? "--psk-file" : "--password-file");
    case DUN_BROKER_PROTOCOL:
        return set_version(options, line, value);
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

int dun_broker_begin(struct dun_broker_options *options, const struct dun_options *line)
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
    options->keepalive_s = 60;
    options->version = 4;
    options->named = host != NULL;
    return set_host(options, line, host != NULL ? host : "localhost");
}

int dun_secret_read(const struct dun_options *line, const char *path, char *secret, size_t room)
{
    FILE *file = fopen(path, "r");
    struct stat status;
    if (file == NULL) {
        return dun_usage_error(line->command, "%.200s: %s", path, strerror(errno));
    }
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & 077) != 0) {
        fprintf(stderr, "%s: warning: %s can be read by others; chmod 600 mends it\n",
                line->command, path);
    }
    bool got = fgets(secret, (int)room, file) != NULL;
    (void)fclose(file);
    if (!got) {
        return dun_usage_error(line->command, "%.200s is empty", path);
    }
    secret[strcspn(secret, "\r\n")] = '\0';
    return 0;
}

int dun_broker_finish(struct dun_broker_options *options, const struct dun_options *line,
                      const char *filter)
{
    if (options->url_filter[0] != '\0' && options->filter_count == 0) {
        options->filters[options->filter_count++] = options->url_filter;
    }
    if (options->filter_count == 0) {
        options->filters[options->filter_count++] = filter;
    }
    options->tls = options->tls || options->cafile != NULL || options->capath != NULL ||
                   options->psk_identity != NULL;
    if (options->port == 0) {
        options->port = options->tls ? 8883 : 1883;
    }
    if ((options->cert == NULL) != (options->key == NULL)) {
        return dun_usage_error(line->command, "--cert and --key belong together");
    }
    if (options->cert != NULL && options->cafile == NULL && options->capath == NULL) {
        return dun_usage_error(line->command, "--cert needs --cafile or --capath");
    }
    if ((options->psk_identity == NULL) != (options->psk_file == NULL)) {
        return dun_usage_error(line->command, "--psk-identity and --psk-file belong together");
    }
    if (options->alpn != NULL && !options->tls) {
        return dun_usage_error(line->command,
                               "--tls-alpn needs TLS: mqtts://, --cafile or --capath");
    }
    if (options->password_file != NULL && options->username == NULL) {
        return dun_usage_error(line->command, "--password-file needs -u");
    }
    int result = 0;
    if (options->password_file != NULL) {
        result = dun_secret_read(line, options->password_file, options->password,
                                 sizeof options->password);
    }
    if (result == 0 && options->psk_file != NULL) {
        result = dun_secret_read(line, options->psk_file, options->psk, sizeof options->psk);
    }
    return result;
}
