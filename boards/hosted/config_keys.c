/*
 * config_keys.c: the table of keys and what it drives: parsing one value, saying what is allowed,
 * printing a value. Adding a key is adding a row here and a field in struct dun_config.
 */
#include "config_keys.h"

#include <stddef.h>
#include <string.h>

#include "say.h"
#include "tls_config.h"
#include "value.h"

#define SECOND 1000
#define HOUR   3600000
#define DAY    (24 * HOUR)

#define FIELD(name)  offsetof(struct dun_config, name), 0
#define STRING(name) offsetof(struct dun_config, name), sizeof(((struct dun_config *)0)->name)

static const struct dun_choice resolutions[] = {{"profile", 0}, {"exact", 1}, {NULL, 0}};
static const struct dun_choice encodings[] = {
    {"columns", DUN_ENCODING_COLUMNS}, {"plain", DUN_ENCODING_PLAIN}, {NULL, 0}};
static const struct dun_choice levels[] = {{"error", DUN_SAY_ERROR},
                                           {"warning", DUN_SAY_WARNING},
                                           {"info", DUN_SAY_INFO},
                                           {"debug", DUN_SAY_DEBUG},
                                           {NULL, 0}};
static const struct dun_choice policies[] = {{"drop-oldest", DUN_LOG_DROP_OLDEST},
                                             {"drop-newest", DUN_LOG_DROP_NEWEST},
                                             {"thin", DUN_LOG_THIN},
                                             {NULL, 0}};

/* 4 and 5 are the protocol levels of the standards. Behind these stand Mosquitto's words. */
static const struct dun_choice versions[] = {
    {"auto", 0}, {"5", 5}, {"3.1.1", 4}, {"311", 4}, {"mqttv311", 4}, {"mqttv5", 5}, {NULL, 0}};
static const struct dun_choice redirects[] = {{"follow", 0}, {"ignore", 1}, {NULL, 0}};
static const struct dun_choice unheard[] = {
    {"deliver", DUN_UNHEARD_DELIVERED}, {"keep", DUN_UNHEARD_KEPT}, {NULL, 0}};

static const struct dun_choice orders[] = {
    {"lanes", DUN_ORDER_LANES}, {"strict", DUN_ORDER_STRICT}, {NULL, 0}};
static const struct dun_choice acks[] = {
    {"published", DUN_ACK_PUBLISHED}, {"stored", DUN_ACK_STORED}, {NULL, 0}};

static const struct dun_choice tls_uses[] = {
    {"auto", DUN_TLS_AUTO}, {"yes", DUN_TLS_ON}, {"no", DUN_TLS_OFF}, {NULL, 0}};
static const struct dun_choice switches[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct dun_choice unset_clocks[] = {
    {"strict", DUN_TLS_UNSET_STRICT}, {"grace", DUN_TLS_UNSET_GRACE}, {NULL, 0}};
static const struct dun_choice fragments[] = {{"off", 0},     {"512", 512},   {"1024", 1024},
                                              {"2048", 2048}, {"4096", 4096}, {NULL, 0}};

#define SENSOR(word, which, text)                                                                  \
    {                                                                                              \
        "sensors", word, NULL, NULL, 0, DUN_KEY_SENSOR, FIELD(sensor_ms[which]), 100, DAY, NULL,   \
            "", text                                                                               \
    }

/* clang-format off */
const struct dun_key dun_keys[] = {
    {"agent", "device", "DUNLIN_DEVICE", "device", 0, DUN_KEY_NAME, STRING(device), 0, 0, NULL,
     "", "device id (default: the host name)"},
    {"agent", "fleet", "DUNLIN_FLEET", "fleet", 0, DUN_KEY_NAME, STRING(fleet), 0, 0, NULL,
     "default", "fleet the device belongs to"},
    {"agent", "prefix", "DUNLIN_PREFIX", "prefix", 0, DUN_KEY_NAME, STRING(prefix), 0, 0, NULL,
     "dunlin", "first level of every topic"},
    {"agent", "state", "DUNLIN_STATE", "state", 0, DUN_KEY_PATH, STRING(state), 0, 0, NULL,
     "/var/lib/dunlin", "folder of the log"},
    {"agent", "encoding", "DUNLIN_ENCODING", "encoding", 0, DUN_KEY_CHOICE, FIELD(encoding),
     0, 0, encodings, "columns", "what is published: columns or plain rows"},
    {"agent", "log_level", "DUNLIN_LOG_LEVEL", "log-level", 0, DUN_KEY_CHOICE, FIELD(log_level),
     0, 0, levels, "info", "which lines go to stderr"},
    {"agent", "drain", "DUNLIN_DRAIN", "drain", 0, DUN_KEY_DURATION, FIELD(drain_ms),
     0, 10 * 60 * SECOND, NULL, "5s", "how long SIGTERM waits for delivery"},

    {"broker", "url", "DUNLIN_URL", "url", 'L', DUN_KEY_URL, 0, 0, 0, 0, NULL,
     "", "mqtt:// or mqtts://[USER@]HOST[:PORT], instead of host and port"},
    {"broker", "host", "DUNLIN_HOST", "host", 'h', DUN_KEY_TEXT, STRING(host), 0, 0, NULL,
     "localhost", "broker: name or address"},
    {"broker", "port", "DUNLIN_PORT", "port", 'p', DUN_KEY_INTEGER, FIELD(port), 1, 65535, NULL,
     "1883", "TCP port of the broker (with TLS: 8883)"},
    {"broker", "username", "DUNLIN_USERNAME", "username", 'u', DUN_KEY_TEXT, STRING(username),
     0, 0, NULL, "", "user name for the broker"},
    {"broker", "password_file", "DUNLIN_PASSWORD_FILE", "password-file", 0, DUN_KEY_PATH,
     STRING(password_file), 0, 0, NULL, "",
     "file that holds the password ($CREDENTIALS_DIRECTORY/mqtt-password if it exists)"},
    {"broker", "client_id", "DUNLIN_CLIENT_ID", "id", 'i', DUN_KEY_TEXT, STRING(client_id), 0, 0,
     NULL, "", "MQTT client id (default: the device id)"},
    {"broker", "version", "DUNLIN_PROTOCOL_VERSION", "protocol-version", 'V', DUN_KEY_CHOICE,
     FIELD(mqtt_version), 0, 0, versions, "auto",
     "version of MQTT; auto: 5, and 3.1.1 with a broker that does not know it"},
    {"broker", "redirects", "DUNLIN_REDIRECTS", "redirects", 0, DUN_KEY_CHOICE, FIELD(redirects),
     0, 0, redirects, "follow", "what to do when the broker names another one"},
    {"broker", "session_expiry", "DUNLIN_SESSION_EXPIRY", "session-expiry", 0, DUN_KEY_DURATION,
     FIELD(session_expiry_ms), SECOND, 30 * (int64_t)DAY, NULL, "1h",
     "how long the broker keeps the session of a device that is gone (MQTT 5)"},
    {"broker", "will_delay", "DUNLIN_WILL_DELAY", "will-delay", 0, DUN_KEY_DURATION,
     FIELD(will_delay_ms), 0, DAY, NULL, "0",
     "how long the broker waits for a lost device before it says offline (MQTT 5)"},
    {"broker", "keepalive", "DUNLIN_KEEPALIVE", "keepalive", 'k', DUN_KEY_INTEGER,
     FIELD(keepalive_s), 5, 65535, NULL, "60", "MQTT keep-alive in seconds"},
    {"broker", "connect_timeout", "DUNLIN_CONNECT_TIMEOUT", "connect-timeout", 0,
     DUN_KEY_DURATION, FIELD(connect_timeout_ms), SECOND, 600 * SECOND, NULL,
     "20s", "how long a connection may take to come up"},
    {"broker", "ack_timeout", "DUNLIN_ACK_TIMEOUT", "ack-timeout", 0, DUN_KEY_DURATION,
     FIELD(ack_timeout_ms), SECOND, HOUR, NULL, "1m",
     "a broker that leaves a publish unanswered for so long is given up"},
    {"broker", "reconnect_min", "DUNLIN_RECONNECT_MIN", "reconnect-min", 0, DUN_KEY_DURATION,
     FIELD(reconnect_min_ms), 1, HOUR, NULL, "1s",
     "window of the first try to reconnect, at a random moment of it; doubles with each failure"},
    {"broker", "reconnect_max", "DUNLIN_RECONNECT_MAX", "reconnect-max", 0, DUN_KEY_DURATION,
     FIELD(reconnect_max_ms), 1, DAY, NULL, "5m", "longest wait between two tries"},
    {"broker", "reconnect_spread", "DUNLIN_RECONNECT_SPREAD", "reconnect-spread", 0,
     DUN_KEY_DURATION, FIELD(reconnect_spread_ms), 0, DAY, NULL, "0",
     "no window is shorter, nor the first one: a fleet comes back spread over at least so long"},

    {"tls", "use", "DUNLIN_TLS", "tls", 0, DUN_KEY_CHOICE, FIELD(tls), 0, 0, tls_uses, "auto",
     "auto: with mqtts://, or where an authority, certificate or PSK is given"},
    {"tls", "cafile", "DUNLIN_CAFILE", "cafile", 0, DUN_KEY_PATH, STRING(ca_file), 0, 0, NULL, "",
     "authorities that are trusted, PEM (default: the system's)"},
    {"tls", "capath", "DUNLIN_CAPATH", "capath", 0, DUN_KEY_PATH, STRING(ca_folder), 0, 0, NULL,
     "", "folder of such files, as `openssl rehash` prepares it"},
    {"tls", "cert", "DUNLIN_CERT", "cert", 0, DUN_KEY_PATH, STRING(cert_file), 0, 0, NULL, "",
     "certificate of this device, PEM"},
    {"tls", "key", "DUNLIN_KEY", "key", 0, DUN_KEY_PATH, STRING(key_file), 0, 0, NULL, "",
     "its private key, PEM ($CREDENTIALS_DIRECTORY/mqtt-key if it exists)"},
    {"tls", "key_password_file", "DUNLIN_KEY_PASSWORD_FILE", "key-password-file", 0, DUN_KEY_PATH,
     STRING(key_password_file), 0, 0, NULL, "",
     "file with the password of that key ($CREDENTIALS_DIRECTORY/mqtt-key-password)"},
    {"tls", "psk_identity", "DUNLIN_PSK_IDENTITY", "psk-identity", 0, DUN_KEY_TEXT,
     STRING(psk_identity), 0, 0, NULL, "", "a pre-shared key instead of certificates: its name"},
    {"tls", "psk_file", "DUNLIN_PSK_FILE", "psk-file", 0, DUN_KEY_PATH, STRING(psk_file), 0, 0,
     NULL, "", "file with that key in hexadecimal ($CREDENTIALS_DIRECTORY/mqtt-psk)"},
    {"tls", "alpn", "DUNLIN_TLS_ALPN", "tls-alpn", 0, DUN_KEY_TEXT, STRING(alpn), 0, 0, NULL, "",
     "protocol to ask for, where port 443 is shared"},
    {"tls", "max_fragment", "DUNLIN_TLS_MAX_FRAGMENT", "tls-max-fragment", 0, DUN_KEY_CHOICE,
     FIELD(fragment_max), 0, 0, fragments, "off", "largest record to ask the broker for, bytes"},
    {"tls", "unset_clock", "DUNLIN_UNSET_CLOCK", "unset-clock", 0, DUN_KEY_CHOICE,
     FIELD(unset_clock), 0, 0, unset_clocks, "strict",
     "a clock behind the last time known: strict judges certificates by that time; grace also "
     "takes one that begins later"},

    {"log", "size", "DUNLIN_LOG_SIZE", "log-size", 0, DUN_KEY_SIZE, FIELD(log_size),
     16 << 10, (int64_t)1 << 30, NULL, "0", "size of the log (default: the board's)"},
    {"log", "policy", "DUNLIN_LOG_POLICY", "log-policy", 0, DUN_KEY_CHOICE, FIELD(log_policy),
     0, 0, policies, "drop-oldest", "what a full log does"},
    {"log", "keep_every", "DUNLIN_LOG_KEEP_EVERY", "log-keep-every", 0, DUN_KEY_INTEGER,
     FIELD(keep_every), 2, 1000, NULL, "8",
     "with policy = thin: of the records a full log gives up, every k-th goes to an archive"},

    {"batch", "points", "DUNLIN_BATCH_POINTS", "batch-points", 0, DUN_KEY_INTEGER,
     FIELD(batch_points), 1, 65535, NULL, "0", "seal at so many points (default: the board's)"},
    {"batch", "bytes", "DUNLIN_BATCH_BYTES", "batch-bytes", 0, DUN_KEY_SIZE, FIELD(batch_bytes),
     64, 256 << 10, NULL, "1K", "aim for records of at most this size"},
    {"batch", "age", "DUNLIN_BATCH_AGE", "batch-age", 0, DUN_KEY_DURATION, FIELD(batch_age_ms),
     10, DAY, NULL, "10s", "seal when the oldest point is this old"},

    {"send", "ack", "DUNLIN_ACK", "ack", 0, DUN_KEY_CHOICE, FIELD(ack), 0, 0, acks, "published",
     "what frees a record: the broker's PUBACK, or the recorder's cursor on .../stored"},
    {"send", "no_subscribers", "DUNLIN_NO_SUBSCRIBERS", "no-subscribers", 0, DUN_KEY_CHOICE,
     FIELD(unheard), 0, 0, unheard, "deliver",
     "a record that the broker took and nobody had subscribed: done, or kept to be sent again "
     "(MQTT 5)"},
    {"send", "expiry", "DUNLIN_EXPIRY", "expiry", 0, DUN_KEY_DURATION, FIELD(expiry_ms), 0,
     365 * (int64_t)DAY, NULL, "0",
     "the broker drops records that it could not deliver for so long (MQTT 5; 0: never)"},
    {"send", "stored_wait", "DUNLIN_STORED_WAIT", "stored-wait", 0, DUN_KEY_DURATION,
     FIELD(stored_wait_ms), SECOND, DAY, NULL, "1m",
     "with ack = stored: publish again what is not stored after"},
    {"send", "order", "DUNLIN_ORDER", "order", 0, DUN_KEY_CHOICE, FIELD(order), 0, 0, orders,
     "lanes", "lanes: fresh records do not wait behind a backlog; strict: all in order"},
    {"send", "backfill_percent", "DUNLIN_BACKFILL_PERCENT", "backfill-percent", 0, DUN_KEY_INTEGER,
     FIELD(backfill_percent), 1, 100, NULL, "75", "of the window that a backlog may use"},
    {"send", "backfill_rate", "DUNLIN_BACKFILL_RATE", "backfill-rate", 0, DUN_KEY_SIZE,
     FIELD(backfill_bytes_s), 0, (int64_t)1 << 30, NULL, "0",
     "bytes a second that a backlog may use (0: no limit)"},

    {"remote", "use", "DUNLIN_REMOTE", "remote", 0, DUN_KEY_CHOICE, FIELD(remote), 0, 0, switches,
     "yes", "take documents from .../config"},
    {"remote", "allow", "DUNLIN_REMOTE_ALLOW", "remote-allow", 0, DUN_KEY_TEXT,
     STRING(remote_allow), 0, 0, NULL, "all",
     "what documents may change: all, or some of the keys that SPEC.md lists: interval, low, high"},
    {"remote", "trial", "DUNLIN_REMOTE_TRIAL", "remote-trial", 0, DUN_KEY_DURATION,
     FIELD(remote_trial_ms), SECOND, DAY, NULL, "2m",
     "a new document goes if the broker is not reached with it in force within this time"},

    {"sensors", "interval", "DUNLIN_INTERVAL", "interval", 0, DUN_KEY_DURATION,
     FIELD(interval_ms), 100, DAY, NULL, "5s", "how often each sensor is read"},
    SENSOR("memory", DUN_BUILTIN_MEMORY, "memory"),
    SENSOR("load", DUN_BUILTIN_LOAD, "load average"),
    SENSOR("cpu", DUN_BUILTIN_CPU, "CPU utilisation"),
    SENSOR("filesystem", DUN_BUILTIN_FILESYSTEM, "filesystems"),
    SENSOR("disk", DUN_BUILTIN_DISK, "disk I/O"),
    SENSOR("network", DUN_BUILTIN_NETWORK, "network interfaces"),
    SENSOR("uptime", DUN_BUILTIN_UPTIME, "uptime"),
    SENSOR("temperature", DUN_BUILTIN_TEMPERATURE, "thermal zones and hwmon"),
    SENSOR("process", DUN_BUILTIN_PROCESS, "memory and CPU time of the agent"),
    SENSOR("self", DUN_BUILTIN_AGENT, "health of the agent's log and link"),
    {"sensors", "resolution", "DUNLIN_RESOLUTION", "resolution", 0, DUN_KEY_CHOICE,
     FIELD(exact), 0, 0, resolutions, "profile",
     "values are rounded as the board's profile says, or exact: sent as they are read"},
    {"sensors", "proc", "DUNLIN_PROC", "proc", 0, DUN_KEY_PATH, STRING(proc), 0, 0, NULL,
     "/proc", "where procfs is"},
    {"sensors", "sys", "DUNLIN_SYS", "sys", 0, DUN_KEY_PATH, STRING(sys), 0, 0, NULL,
     "/sys", "where sysfs is"},
};
/* clang-format on */
const size_t dun_key_count = sizeof dun_keys / sizeof dun_keys[0];

_Static_assert(sizeof dun_keys / sizeof dun_keys[0] <= DUN_KEYS_MAX,
               "more keys than origins: raise DUN_KEYS_MAX in config.h");

bool dun_key_same(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char left = *a == '-' ? '_' : *a;
        char right = *b == '-' ? '_' : *b;
        if (left != right) {
            return false;
        }
    }
    return *a == *b;
}

const struct dun_key *dun_key_find(const char *section, const char *key)
{
    for (size_t i = 0; i < dun_key_count; i++) {
        if (strcmp(dun_keys[i].section, section) == 0 && dun_key_same(dun_keys[i].key, key)) {
            return &dun_keys[i];
        }
    }
    return NULL;
}

void dun_config_blame(struct dun_config *config, const struct dun_place *place)
{
    config->error_count++;
    fprintf(config->errors, "%s: ", config->program);
    switch (place->kind) {
    case DUN_ORIGIN_FILE:
        fprintf(config->errors, "%s:%d: ", config->path, place->line);
        if (place->section != NULL) {
            fputc('[', config->errors);
            dun_config_print_raw(config->errors, place->section);
            fputs("] ", config->errors);
        }
        break;
    case DUN_ORIGIN_ENVIRONMENT:
        fputs("environment: ", config->errors);
        break;
    default:
        break;
    }
}

void dun_config_print_raw(FILE *out, const char *value)
{
    int count = 0;
    for (; *value != '\0' && count < 64; value++, count++) {
        unsigned char c = (unsigned char)*value;
        fputc(c < ' ' || c == 0x7f ? '?' : c, out);
    }
    fputs(*value != '\0' ? "..." : "", out);
}

static void print_choices(const struct dun_choice *choice, FILE *out)
{
    fputs("one of", out);
    for (; choice->word != NULL; choice++) {
        fprintf(out, " %s", choice->word);
    }
}

void dun_key_print_allowed(const struct dun_key *key, FILE *out)
{
    char low[24], high[24];
    dun_value_print_duration(key->min, low, sizeof low);
    dun_value_print_duration(key->max, high, sizeof high);
    switch (key->type) {
    case DUN_KEY_NAME:
        fprintf(out, "1 to %d of the characters A-Z a-z 0-9 . _ -", DUN_NAME_MAX);
        break;
    case DUN_KEY_PATH:
        fprintf(out, "an absolute path of at most %d bytes", DUN_TEXT_MAX - 1);
        break;
    case DUN_KEY_INTEGER:
        fprintf(out, "a whole number from %lld to %lld", (long long)key->min, (long long)key->max);
        break;
    case DUN_KEY_DURATION:
        fprintf(out, "a duration from %s to %s", low, high);
        break;
    case DUN_KEY_SENSOR:
        fprintf(out, "off, or a duration from %s to %s", low, high);
        break;
    case DUN_KEY_SIZE:
        dun_value_print_size(key->min, low, sizeof low);
        dun_value_print_size(key->max, high, sizeof high);
        fprintf(out, "a size from %s to %s", low, high);
        break;
    case DUN_KEY_CHOICE:
        print_choices(key->choices, out);
        break;
    case DUN_KEY_URL:
        fputs("mqtt://[USER@]HOST[:PORT] (or tcp://), mqtts:// (or ssl://, tls://)", out);
        break;
    default:
        fprintf(out, "1 to %d bytes of text, no blank at an end or before a ;", key->size - 1);
        break;
    }
}

/* What an error adds, for the one who does not know the notation. */
static const char *example_of(const struct dun_key *key)
{
    switch (key->type) {
    case DUN_KEY_DURATION:
    case DUN_KEY_SENSOR:
        return ", such as 500ms, 5s, 1m or 1h";
    case DUN_KEY_SIZE:
        return ", such as 64K or 8M";
    default:
        return "";
    }
}

/// Parsing ///

static bool in_range(const struct dun_key *key, int64_t value)
{
    return value >= key->min && value <= key->max;
}

static bool parse_number(const struct dun_key *key, const char *text, int64_t *value)
{
    int64_t number;
    int error = DUN_E_INVALID;
    if (key->type == DUN_KEY_INTEGER) {
        error = dun_value_integer(text, &number);
    } else if (key->type == DUN_KEY_SIZE) {
        error = dun_value_size(text, &number);
    } else {
        error = dun_value_duration(text, &number);
    }
    if (error != DUN_OK || !in_range(key, number)) {
        return false;
    }
    *value = number;
    return true;
}

static bool parse_choice(const struct dun_key *key, const char *text, int64_t *value)
{
    for (const struct dun_choice *choice = key->choices; choice->word != NULL; choice++) {
        if (strcmp(choice->word, text) == 0) {
            *value = choice->value;
            return true;
        }
    }
    return false;
}

static bool fits_file(const char *text)
{
    const char *blank = text;
    if (*text == ';' || strchr(" \t", *text) != NULL || strchr(" \t", text[strlen(text) - 1])) {
        return false;
    }
    while ((blank = strpbrk(blank, " \t")) != NULL && blank[1] != ';') {
        blank++;
    }
    return blank == NULL;
}

bool dun_config_text(char *out, size_t size, const char *text)
{
    size_t used = strlen(text);
    if (used == 0 || used >= size || !dun_value_is_text(text) || !fits_file(text)) {
        return false;
    }
    memcpy(out, text, used + 1);
    return true;
}

static bool parse_text(const struct dun_key *key, const char *text, char *out)
{
    return (key->type != DUN_KEY_NAME || dun_agent_name_ok(text)) &&
           (key->type != DUN_KEY_PATH || text[0] == '/') && dun_config_text(out, key->size, text);
}

static bool parse_value(struct dun_config *config, const struct dun_key *key, const char *text)
{
    char *field = (char *)config + key->offset;
    switch (key->type) {
    case DUN_KEY_SENSOR:
        if (strcmp(text, "off") == 0) {
            *(int64_t *)(void *)field = DUN_INTERVAL_OFF;
            return true;
        }
        return parse_number(key, text, (int64_t *)(void *)field);
    case DUN_KEY_INTEGER:
    case DUN_KEY_DURATION:
    case DUN_KEY_SIZE:
        return parse_number(key, text, (int64_t *)(void *)field);
    case DUN_KEY_CHOICE:
        return parse_choice(key, text, (int64_t *)(void *)field);
    default:
        return parse_text(key, text, field);
    }
}

static void note_origin(struct dun_config *config, const struct dun_key *key,
                        const struct dun_place *place)
{
    struct dun_origin *origin = &config->origins[key - dun_keys];
    origin->kind = (uint8_t)place->kind;
    origin->line = place->line;
}

/* "[section] key = value" as the source spells it; the value is left out where it may be secret. */
static void print_assignment(struct dun_config *config, const struct dun_key *key,
                             const char *value, const struct dun_place *place)
{
    const char *name = place->kind == DUN_ORIGIN_FILE          ? key->key
                       : place->kind == DUN_ORIGIN_ENVIRONMENT ? key->environment
                                                               : place->spelled;
    fprintf(config->errors, "%s %s", name, place->kind == DUN_ORIGIN_OPTION ? "" : "= ");
    if (value != NULL) {
        dun_config_print_raw(config->errors, value);
    }
}

/// URL ///

struct url {
    const char *user, *host, *port; /* NULL: absent */
    const char *problem;
    bool tls;
};

/* Splits "[USER@]HOST[:PORT][/]" in place. */
static void split_authority(char *text, struct url *url)
{
    size_t size = strcspn(text, "/?#");
    if (text[size] != '\0' && strcmp(text + size, "/") != 0) {
        url->problem = "must not name a path";
    }
    text[size] = '\0';
    char *at = strrchr(text, '@');
    if (at != NULL) {
        *at = '\0';
        url->user = text;
        if (strchr(text, ':') != NULL) {
            url->problem = "must not hold a password; use password_file";
        }
        text = at + 1;
    }
    if (*text == '[') {
        char *end = strchr(text, ']');
        url->host = text + 1;
        text = end != NULL ? end : text;
        url->problem = end == NULL ? "must close the [ of its address" : url->problem;
    } else {
        url->host = text;
    }
    char *colon = *text == ']' ? text + 1 : strchr(text, ':');
    if (*text == ']') {
        *text = '\0';
    }
    if (colon != NULL && *colon == ':') {
        *colon = '\0';
        url->port = colon + 1;
    } else if (colon != NULL && *colon != '\0') {
        url->problem = "must be mqtt://[USER@]HOST[:PORT]";
    }
}

static const char *strip_scheme(const char *text, struct url *url)
{
    static const struct {
        const char *scheme;
        bool tls;
    } schemes[] = {{"mqtt://", false},
                   {"tcp://", false},
                   {"mqtts://", true},
                   {"ssl://", true},
                   {"tls://", true}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, size) == 0) {
            url->tls = schemes[i].tls;
            return text + size;
        }
    }
    url->problem = "must begin with mqtt:// or mqtts://";
    return NULL;
}

/* The parts go through the rows of the keys they stand for, so the same ranges hold. */
static bool take_url_part(struct dun_config *config, const char *section, const char *name,
                          const char *text, const struct dun_place *place)
{
    const struct dun_key *key = dun_key_find(section, name);
    if (text == NULL) {
        return true;
    }
    if (!parse_value(config, key, text)) {
        return false;
    }
    note_origin(config, key, place);
    return true;
}

/* The value is not shown in errors: it may hold a password. */
static void set_url(struct dun_config *config, const struct dun_key *key, const char *value,
                    const struct dun_place *place)
{
    char text[DUN_TEXT_MAX];
    struct url url = {0};
    const char *rest = strip_scheme(value, &url);
    if (rest != NULL && strlen(rest) >= sizeof text) {
        url.problem = "is too long";
    } else if (rest != NULL) {
        strcpy(text, rest);
        split_authority(text, &url);
    }
    if (url.problem == NULL) {
        const char *port = url.port != NULL ? url.port : url.tls ? "8883" : "1883";
        take_url_part(config, "tls", "use", url.tls ? "yes" : "no", place);
        if (!take_url_part(config, "broker", "host", url.host, place)) {
            url.problem = "must name a host";
        } else if (!take_url_part(config, "broker", "port", port, place)) {
            url.problem = "must have a port from 1 to 65535";
        } else if (!take_url_part(config, "broker", "username", url.user, place)) {
            url.problem = "must not have an empty user name";
        }
    }
    if (url.problem != NULL) {
        dun_config_blame(config, place);
        print_assignment(config, key, NULL, place);
        fprintf(config->errors, "(the URL) %s\n", url.problem);
        return;
    }
    note_origin(config, key, place);
}

void dun_key_set(struct dun_config *config, const struct dun_key *key, const char *value,
                 const struct dun_place *place)
{
    if (key->type == DUN_KEY_URL) {
        set_url(config, key, value, place);
        return;
    }
    if (!parse_value(config, key, value)) {
        dun_config_blame(config, place);
        print_assignment(config, key, value, place);
        fputs(": must be ", config->errors);
        dun_key_print_allowed(key, config->errors);
        fputs(example_of(key), config->errors);
        fputc('\n', config->errors);
        return;
    }
    note_origin(config, key, place);
}

/// Printing ///

/* Of several words for one value the first is the usual one. */
static void print_choice(const struct dun_choice *choice, int64_t value, FILE *out)
{
    while (choice->word != NULL && choice->value != value) {
        choice++;
    }
    fputs(choice->word != NULL ? choice->word : "", out);
}

void dun_key_print_value(const struct dun_config *config, const struct dun_key *key, FILE *out)
{
    const char *field = (const char *)config + key->offset;
    if (key->size != 0) {
        fputs(field, out);
        return;
    }
    int64_t value = *(const int64_t *)(const void *)field;
    char text[24];
    switch (key->type) {
    case DUN_KEY_CHOICE:
        print_choice(key->choices, value, out);
        return;
    case DUN_KEY_SENSOR:
        dun_value_print_duration(value, text, sizeof text);
        fputs(value == DUN_INTERVAL_OFF ? "off" : text, out);
        return;
    case DUN_KEY_DURATION:
        dun_value_print_duration(value, text, sizeof text);
        fputs(text, out);
        return;
    case DUN_KEY_SIZE:
        dun_value_print_size(value, text, sizeof text);
        fputs(text, out);
        return;
    default:
        fprintf(out, "%lld", (long long)value);
        return;
    }
}
