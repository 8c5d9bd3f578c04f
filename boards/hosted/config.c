/*
 * config.c: defaults, the order of the sources, what only the whole tells, --print-config, --help.
 */
#include "config.h"

#include <string.h>

#include "config_keys.h"
#include "settings.h"

#define NUMBER_SIZE_MAX 24 /* of a value that is no text, as it is printed */

void dun_config_init(struct dun_config *config, const char *program, FILE *errors)
{
    memset(config, 0, sizeof *config);
    config->program = program;
    config->errors = errors;
    for (int i = 0; i < DUN_BUILTIN_COUNT; i++) {
        config->sensor_ms[i] = DUN_INTERVAL_INHERIT;
    }
    struct dun_place place = {.kind = DUN_ORIGIN_DEFAULT, .spelled = "default"};
    for (size_t i = 0; i < dun_key_count; i++) {
        const char *text = dun_keys[i].fallback;
        /* "0" stands for "the board's", which dun_config_read fills in. */
        if (*text != '\0' && strcmp(text, "0") != 0) {
            dun_key_set(config, &dun_keys[i], text, &place);
        }
    }
    DUN_ASSERT(config->error_count == 0);
}

static struct dun_place place_of(const struct dun_config *config, const struct dun_key *key)
{
    const struct dun_origin *origin = &config->origins[key - dun_keys];
    return (struct dun_place){
        .kind = (enum dun_origin_kind)origin->kind, .line = origin->line, .section = key->section};
}

/* Tells that the value in force for a key is not possible on this board. */
static void blame_value(struct dun_config *config, const struct dun_key *key, const char *what,
                        int64_t limit)
{
    struct dun_place place = place_of(config, key);
    dun_config_blame(config, &place);
    fprintf(config->errors, "%s = ", key->key);
    dun_key_print_value(config, key, config->errors);
    fprintf(config->errors, ": must be %s %lld on this board\n", what, (long long)limit);
}

static void check_limits(struct dun_config *config, const struct dun_config_limits *limits)
{
    if (config->log_size == 0) {
        config->log_size = limits->log_size_default;
    }
    if (config->log_size < limits->log_size_min) {
        blame_value(config, dun_key_find("log", "size"), "at least", limits->log_size_min);
    }
    if (config->batch_points == 0) {
        config->batch_points = limits->points_max;
    }
    if (config->batch_points > limits->points_max) {
        blame_value(config, dun_key_find("batch", "points"), "at most", limits->points_max);
    }
    const struct dun_key *bytes = dun_key_find("batch", "bytes");
    bool by_default = config->origins[bytes - dun_keys].kind == DUN_ORIGIN_DEFAULT;
    if (by_default && config->batch_bytes > limits->record_max) {
        config->batch_bytes = limits->record_max;
    }
    if (config->batch_bytes > limits->record_max) {
        blame_value(config, bytes, "at most", limits->record_max);
    }
}

static void check_reconnect(struct dun_config *config)
{
    if (config->reconnect_max_ms < config->reconnect_min_ms) {
        const struct dun_key *key = dun_key_find("broker", "reconnect_max");
        struct dun_place place = place_of(config, key);
        dun_config_blame(config, &place);
        fprintf(config->errors, "%s = ", key->key);
        dun_key_print_value(config, key, config->errors);
        fputs(": must not be less than reconnect_min\n", config->errors);
    }
}

static void blame_tls(struct dun_config *config, const char *key, const char *why)
{
    struct dun_place place = place_of(config, dun_key_find("tls", key));
    dun_config_blame(config, &place);
    fprintf(config->errors, "%s: %s\n", key, why);
}

/* What makes `use = auto` mean yes; NULL: nothing. */
static const char *tls_asked_by(const struct dun_config *config)
{
    if (config->ca_file[0] != '\0') {
        return "cafile";
    }
    if (config->ca_folder[0] != '\0') {
        return "capath";
    }
    if (config->cert_file[0] != '\0') {
        return "cert";
    }
    return config->psk_identity[0] != '\0' ? "psk_identity" : NULL;
}

static void check_tls(struct dun_config *config, const struct dun_config_limits *limits)
{
    const char *asked_by = tls_asked_by(config);
    bool psk = config->psk_identity[0] != '\0';
    if (config->tls == DUN_TLS_AUTO) {
        config->tls = asked_by != NULL ? DUN_TLS_ON : DUN_TLS_OFF;
    } else if (config->tls == DUN_TLS_OFF && asked_by != NULL) {
        blame_tls(config, asked_by, "needs TLS, but mqtt:// or use = no asks for none");
    }
    if (config->tls == DUN_TLS_ON && !limits->has_tls) {
        blame_tls(config, asked_by != NULL ? asked_by : "use", "this build has no TLS");
    }
    if (config->key_file[0] != '\0' && config->cert_file[0] == '\0') {
        blame_tls(config, "key", "needs cert");
    }
    if (config->psk_file[0] != '\0' && !psk) {
        blame_tls(config, "psk_file", "needs psk_identity");
    }
    if (psk && strcmp(asked_by, "psk_identity") != 0) {
        blame_tls(config, asked_by, "does not go with psk_identity: it is one or the other");
    }
    const struct dun_key *port = dun_key_find("broker", "port");
    if (config->tls == DUN_TLS_ON && config->origins[port - dun_keys].kind == DUN_ORIGIN_DEFAULT) {
        config->port = 8883;
    }
}

/* The id of the setting of that name, DUN_SETTING_COUNT if there is none. */
static int find_setting(const char *name, size_t size)
{
    int id = 0;
    while (id < DUN_SETTING_COUNT && (strlen(dun_setting_names[id]) != size ||
                                      strncmp(dun_setting_names[id], name, size) != 0)) {
        id++;
    }
    return id;
}

/* From what is allowed to what is not. */
static void check_remote(struct dun_config *config)
{
    static const char gaps[] = ", \t";
    if (strcmp(config->remote_allow, "all") == 0) {
        return;
    }
    config->remote_withheld = (1u << DUN_SETTING_COUNT) - 1;
    for (const char *at = config->remote_allow; *(at += strspn(at, gaps)) != '\0';) {
        size_t size = strcspn(at, gaps);
        int id = find_setting(at, size);
        config->remote_withheld &= ~(1u << id);
        if (id == DUN_SETTING_COUNT) {
            struct dun_place place = place_of(config, dun_key_find("remote", "allow"));
            dun_config_blame(config, &place);
            fprintf(config->errors, "allow: no setting is called \"%.*s\"; there are",
                    (int)(size < 64 ? size : 64), at);
            for (id = 0; id < DUN_SETTING_COUNT; id++) {
                fprintf(config->errors, " %s", dun_setting_names[id]);
            }
            fputc('\n', config->errors);
        }
        at += size;
    }
}

static void check_device(struct dun_config *config, const char *hostname)
{
    if (config->device[0] != '\0') {
        return;
    }
    if (dun_agent_name_ok(hostname)) {
        strcpy(config->device, hostname);
        return;
    }
    struct dun_place place = {.kind = DUN_ORIGIN_OPTION};
    dun_config_blame(config, &place);
    fputs("the host name \"", config->errors);
    dun_config_print_raw(config->errors, hostname);
    fputs("\" cannot be a device id; give one with --device: ", config->errors);
    dun_key_print_allowed(dun_key_find("agent", "device"), config->errors);
    fputc('\n', config->errors);
}

int dun_config_read(struct dun_config *config, int argc, char *const argv[],
                    char *const environment[], const char *hostname,
                    const struct dun_config_limits *limits)
{
    dun_config_read_options(config, argc, argv, false);
    if (config->command == DUN_COMMAND_HELP || config->command == DUN_COMMAND_VERSION) {
        return DUN_OK;
    }
    if (config->path[0] != '\0') {
        dun_config_read_file(config);
    }
    dun_config_read_environment(config, environment);
    dun_config_read_options(config, argc, argv, true);
    check_limits(config, limits);
    check_reconnect(config);
    check_tls(config, limits);
    check_remote(config);
    check_device(config, hostname);
    if (config->client_id[0] == '\0') {
        strcpy(config->client_id, config->device);
    }
    for (uint16_t i = 0; i < config->file_count; i++) {
        dun_file_check(config, &config->files[i]);
    }
    for (uint16_t i = 0; i < config->limit_count; i++) {
        dun_limit_check(config, &config->limits[i]);
    }
    dun_limit_defaults(config, limits);
    return config->error_count == 0 ? DUN_OK : DUN_E_INVALID;
}

uint32_t dun_config_interval(const struct dun_config *config, enum dun_builtin which)
{
    int64_t ms = config->sensor_ms[which];
    return (uint32_t)(ms == DUN_INTERVAL_INHERIT ? config->interval_ms : ms);
}

/// Output ///

/* Where the value came from, as a comment; "" if the line, `used` bytes so far, has no room. */
static void print_origin(const struct dun_config *config, const struct dun_key *key, size_t used,
                         FILE *out)
{
    const struct dun_origin *origin = &config->origins[key - dun_keys];
    char text[DUN_TEXT_MAX + 24] = "";
    if (origin->kind == DUN_ORIGIN_FILE) {
        snprintf(text, sizeof text, " ; %s:%d", config->path, origin->line);
    } else if (origin->kind == DUN_ORIGIN_ENVIRONMENT) {
        strcpy(text, " ; environment");
    } else if (origin->kind == DUN_ORIGIN_OPTION) {
        strcpy(text, " ; command line");
    }
    fprintf(out, "%s\n", used + strlen(text) <= DUN_LINE_MAX ? text : "");
}

static bool is_unset(const struct dun_config *config, const struct dun_key *key)
{
    const char *field = (const char *)config + key->offset;
    return key->type == DUN_KEY_URL || (key->size != 0 && *field == '\0') ||
           (key->type == DUN_KEY_SENSOR &&
            *(const int64_t *)(const void *)field == DUN_INTERVAL_INHERIT);
}

/* What the file cannot hold, it is told in a comment. */
static void print_key(const struct dun_config *config, const struct dun_key *key, FILE *out)
{
    const char *field = (const char *)config + key->offset;
    size_t used = strlen(key->key) + 3 + (key->size != 0 ? strlen(field) : NUMBER_SIZE_MAX);
    if (used > DUN_LINE_MAX) {
        fprintf(out, "; too long for a line of the file, give it as --%s or %s:\n; ", key->option,
                key->environment);
    }
    fprintf(out, "%s = ", key->key);
    dun_key_print_value(config, key, out);
    print_origin(config, key, used, out);
}

void dun_config_print(const struct dun_config *config, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < dun_key_count; i++) {
        const struct dun_key *key = &dun_keys[i];
        if (strcmp(section, key->section) != 0) {
            fprintf(out, "%s[%s]\n", *section != '\0' ? "\n" : "", key->section);
            section = key->section;
        }
        if (is_unset(config, key)) {
            continue;
        }
        print_key(config, key, out);
    }
    for (uint16_t i = 0; i < config->file_count; i++) {
        dun_file_print(&config->files[i], out);
    }
    for (uint16_t i = 0; i < config->limit_count; i++) {
        dun_limit_print(&config->limits[i], out);
    }
}

static void print_option(const struct dun_key *key, FILE *out)
{
    char letter[8] = "    ";
    if (key->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", key->letter);
    }
    fprintf(out, "  %s--%-20s %s", letter, key->option, key->help);
    if (*key->fallback != '\0' && strcmp(key->fallback, "0") != 0) {
        fprintf(out, " [%s]", key->fallback);
    }
    fprintf(out, "\n      %-22s [%s] %s = ", key->environment, key->section, key->key);
    dun_key_print_allowed(key, out);
    fputc('\n', out);
}

void dun_config_help(const char *program, FILE *out)
{
    fprintf(out,
            "Usage: %s [-c FILE] [OPTION VALUE]...\n"
            "Samples this machine, keeps the samples in a log and publishes them over MQTT.\n\n"
            "  -c, --config FILE          read this INI file\n"
            "      --check-config         check the configuration and exit\n"
            "      --print-config         print the configuration in force and exit\n"
            "      --help, --version\n\n"
            "The file is overridden by the environment, and that by the command line. Below each\n"
            "option stand its variable, its section and key in the file, and what it takes.\n\n",
            program);
    for (size_t i = 0; i < dun_key_count; i++) {
        if (dun_keys[i].option != NULL) {
            print_option(&dun_keys[i], out);
        }
    }
    fputs("\nOnly in the file: an interval (or off) for each sensor in [sensors]:", out);
    for (size_t i = 0; i < dun_key_count; i++) {
        if (dun_keys[i].type == DUN_KEY_SENSOR) {
            fprintf(out, " %s", dun_keys[i].key);
        }
    }
    fputs(
        "\nand sections [file NAME] with path, name, unit, kind (gauge, counter, state, boolean),\n"
        "type (decimal, or real: as the double that it is), scale, decimals, states (the words\n"
        "of a state: down, up), interval, attributes; [limit NAME] with metric, attributes, low,\n"
        "high: a value that crosses a bound, in the metric's unit, is sent at once and before all "
        "others; [metric NAME] with\n"
        "metric, attributes, resolution, to which values are rounded, dead_band, within which\n"
        "of the last one sent a value is left out, and heartbeat: but one is sent so often.\n\n"
        "Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration,\n"
        "5 a key, certificate or authority cannot be used.\n",
        out);
}
