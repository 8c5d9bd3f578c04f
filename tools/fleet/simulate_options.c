/* simulate_options.c: the command line of `dunlin simulate`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

static const char command[] = "dunlin simulate";

static const char help_text[] =
    "usage: dunlin simulate [-L mqtt://HOST[:PORT][/PREFIX/FLEET]] [-n N] [OPTIONS]\n"
    "\n"
    "A fleet in one process: N whole devices (agent, log in RAM, MQTT client) that sample, store\n"
    "and publish to a broker, fail as told, and are audited at the far end. Ends with a summary.\n"
    "\n"
    "  -n, --devices N       default 100\n"
    "      --profile LIST    what they are: meter (default), gateway, motor, room, tracker, or a\n"
    "                        mix such as meter:7,motor:3; `list` tells about them\n"
    "  -d, --duration T      sample for so long, default 60s; T is 500ms, 10s, 5m, 2h\n"
    "      --connect-rate N  devices powered up a second, default 500\n"
    "      --interval T      between samples; default the profile's\n"
    "      --batch-age T     a batch is sealed when so old, default 10s\n"
    "      --encoding batch|plain   --ack published|stored   as in dunlind.ini\n"
    "      --log-size BYTES  of a device's log, default 2048\n"
    "      --reconnect-spread T     as in dunlind.ini, default none\n"
    "      --clock-after T   a boot knows the time only after so long, default at once\n"
    "      --in-step         all devices sample at the same moments\n"
    "      --day T           length of a day in the signals, default 24h\n"
    "      --seed N          of signals and faults; default random\n"
    "      --first N         number of the first device, default 1\n"
    "\n"
    "faults, RATE in the whole fleet as 2/s, 30/m or 5/h:\n"
    "      --cuts RATE       connections break, for about --cut-for T (default 5s)\n"
    "      --lost-acks RATE  what the broker answers is lost, then the connection\n"
    "      --silences RATE   nothing moves for about --cut-for, then the connection breaks\n"
    "      --reboots RATE    power is lost; the log stays\n"
    "      --clock-jumps RATE       by up to --jump T either way (default 1h)\n"
    "      --storm T1[+T2]   at T1 all connections break, for T2; may be repeated\n"
    "\n"
    "      --drain T         at the end wait so long for what is not delivered, default 120s\n"
    "      --no-audit        only load: nobody subscribes\n"
    "      --audit-user NAME, --audit-password-file FILE   who subscribes, if not -u\n"
    "      --keep            leave the retained status, about and catalog at the broker\n"
    "      --broker-pid PID  measure that process too\n"
    "  -f, --format table|json   of the summary\n"
    "      --quiet           no progress\n";

static const char help_rest[] =
    "  -i is the prefix of the devices' ids (default sim), -u may hold %d for the device's id.\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 complete, 1 runtime error, 2 usage, 3 broker unreachable, 4 refused, 5 TLS,\n"
    "            7 not complete: records are missing, or were not delivered in time";

enum option_id {
    OPTION_DEVICES = 1,
    OPTION_PROFILE,
    OPTION_DURATION,
    OPTION_CONNECT_RATE,
    OPTION_INTERVAL,
    OPTION_BATCH_AGE,
    OPTION_ENCODING,
    OPTION_ACK,
    OPTION_LOG_SIZE,
    OPTION_SPREAD,
    OPTION_CLOCK_AFTER,
    OPTION_IN_STEP,
    OPTION_DAY,
    OPTION_SEED,
    OPTION_FIRST,
    OPTION_CUTS,
    OPTION_LOST_ACKS,
    OPTION_SILENCES,
    OPTION_REBOOTS,
    OPTION_CLOCK_JUMPS,
    OPTION_CUT_FOR,
    OPTION_JUMP,
    OPTION_STORM,
    OPTION_DRAIN,
    OPTION_NO_AUDIT,
    OPTION_AUDIT_USER,
    OPTION_AUDIT_PASSWORD_FILE,
    OPTION_KEEP,
    OPTION_BROKER_PID,
    OPTION_FORMAT,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    DUN_BROKER_ROWS,
    {OPTION_DEVICES, 'n', true, "devices"},
    {OPTION_PROFILE, '\0', true, "profile"},
    {OPTION_DURATION, 'd', true, "duration"},
    {OPTION_CONNECT_RATE, '\0', true, "connect-rate"},
    {OPTION_INTERVAL, '\0', true, "interval"},
    {OPTION_BATCH_AGE, '\0', true, "batch-age"},
    {OPTION_ENCODING, '\0', true, "encoding"},
    {OPTION_ACK, '\0', true, "ack"},
    {OPTION_LOG_SIZE, '\0', true, "log-size"},
    {OPTION_SPREAD, '\0', true, "reconnect-spread"},
    {OPTION_CLOCK_AFTER, '\0', true, "clock-after"},
    {OPTION_IN_STEP, '\0', false, "in-step"},
    {OPTION_DAY, '\0', true, "day"},
    {OPTION_SEED, '\0', true, "seed"},
    {OPTION_FIRST, '\0', true, "first"},
    {OPTION_CUTS, '\0', true, "cuts"},
    {OPTION_LOST_ACKS, '\0', true, "lost-acks"},
    {OPTION_SILENCES, '\0', true, "silences"},
    {OPTION_REBOOTS, '\0', true, "reboots"},
    {OPTION_CLOCK_JUMPS, '\0', true, "clock-jumps"},
    {OPTION_CUT_FOR, '\0', true, "cut-for"},
    {OPTION_JUMP, '\0', true, "jump"},
    {OPTION_STORM, '\0', true, "storm"},
    {OPTION_DRAIN, '\0', true, "drain"},
    {OPTION_NO_AUDIT, '\0', false, "no-audit"},
    {OPTION_AUDIT_USER, '\0', true, "audit-user"},
    {OPTION_AUDIT_PASSWORD_FILE, '\0', true, "audit-password-file"},
    {OPTION_KEEP, '\0', false, "keep"},
    {OPTION_BROKER_PID, '\0', true, "broker-pid"},
    {OPTION_FORMAT, 'f', true, "format"},
    {OPTION_QUIET, '\0', false, "quiet"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

static const char *name_of(int id)
{
    const struct dun_option *option = option_table;
    while (option->id != id) {
        option++;
    }
    return option->name;
}

/// Values ///

/* A number with a unit out of `units`, which end with a NULL name; the first is that of a number
 * without one. */
struct unit {
    const char *name;
    double factor;
};

static bool with_unit(const char *text, const struct unit *units, double *value)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || !(number >= 0) || number > 1e12 || (text[0] < '0' && text[0] != '.') ||
        text[0] > '9') {
        return false;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(end, units->name) == 0) {
            *value = number * units->factor;
            return true;
        }
    }
    return false;
}

static bool time_of(const char *text, double *ms)
{
    static const struct unit units[] = {{"", 1000},   {"s", 1000},    {"ms", 1},
                                        {"m", 60000}, {"h", 3600000}, {NULL, 0}};
    return with_unit(text, units, ms);
}

static int set_time(int id, const char *text, double minimum_ms, double maximum_ms, dun_ms *time)
{
    double ms = 0;
    if (!time_of(text, &ms) || ms < minimum_ms || ms > maximum_ms) {
        return dun_usage_error(command,
                               "--%s '%.50s' is not a time such as 500ms, 10s, 5m or 2h "
                               "of %g s to %g s",
                               name_of(id), text, minimum_ms / 1000, maximum_ms / 1000);
    }
    *time = (dun_ms)ms;
    return 0;
}

static int set_time_32(int id, const char *text, double minimum_ms, double maximum_ms,
                       uint32_t *time)
{
    dun_ms ms = 0;
    int result = set_time(id, text, minimum_ms, maximum_ms, &ms);
    *time = (uint32_t)ms;
    return result;
}

static int set_rate(struct dun_simulate_options *options, int id, const char *text)
{
    static const struct unit units[] = {
        {"/s", 1}, {"", 1}, {"/m", 1 / 60.0}, {"/h", 1 / 3600.0}, {NULL, 0}};
    double rate = 0;
    if (!with_unit(text, units, &rate) || rate > 10000) {
        return dun_usage_error(command, "--%s '%.50s' is not a rate such as 2/s, 30/m or 5/h",
                               name_of(id), text);
    }
    options->chaos.a_second[id - OPTION_CUTS] = rate;
    return 0;
}

static int set_storm(struct dun_simulate_options *options, const char *text)
{
    struct dun_chaos_plan *plan = &options->chaos;
    char begin[32] = "";
    const char *plus = strchr(text, '+');
    size_t size = plus != NULL ? (size_t)(plus - text) : strlen(text);
    double at = 0;
    double duration = 0;
    if (plan->storm_count == DUN_CHAOS_STORMS_MAX) {
        return dun_usage_error(command, "--storm: more than %d", DUN_CHAOS_STORMS_MAX);
    }
    if (size < sizeof begin) {
        memcpy(begin, text, size);
    }
    if (!time_of(begin, &at) || (plus != NULL && !time_of(plus + 1, &duration))) {
        return dun_usage_error(command, "--storm '%.50s' is not two times such as 30s+5s", text);
    }
    uint32_t place = plan->storm_count++;
    for (; place > 0 && plan->storms[place - 1].at > (dun_ms)at; place--) {
        plan->storms[place] = plan->storms[place - 1];
    }
    plan->storms[place] = (struct dun_chaos_storm){(dun_ms)at, (dun_ms)duration};
    return 0;
}

static void list_profiles(void)
{
    for (size_t i = 0; i < dun_model_count(); i++) {
        const struct dun_model *model = dun_model_at(i);
        printf("%-8s %s; every %g s\n", model->name, model->summary, model->interval_ms / 1000.0);
        for (uint16_t k = 0; k < model->signal_count; k++) {
            const struct dun_metric *metric = &model->signals[k].metric;
            printf("         %-26s %s%s%s\n", metric->name, metric->unit,
                   metric->attribute_count > 0 ? " " : "",
                   metric->attribute_count > 0 ? metric->attributes[0].value : "");
        }
    }
}

/* NAME or NAME:WEIGHT */
static int add_profile(struct dun_simulate_options *options, const char *text, size_t size)
{
    struct dun_fleet_mix *mix = &options->mix;
    const char *colon = memchr(text, ':', size);
    size_t name_size = colon != NULL ? (size_t)(colon - text) : size;
    const struct dun_model *model = dun_model_find(text, name_size);
    char *end = NULL;
    long weight = colon != NULL ? strtol(colon + 1, &end, 10) : 1;
    if (model == NULL) {
        return dun_usage_error(command, "--profile: there is no '%.*s'; `--profile list` tells",
                               name_size < 50 ? (int)name_size : 50, text);
    }
    if (weight < 1 || weight > 1000000 || (end != NULL && end != text + size)) {
        return dun_usage_error(command, "--profile: %s:WEIGHT wants 1 to 1000000", model->name);
    }
    if (mix->count == DUN_FLEET_MODELS_MAX) {
        return dun_usage_error(command, "--profile: more than %d", DUN_FLEET_MODELS_MAX);
    }
    mix->models[mix->count] = model;
    mix->weights[mix->count++] = (uint32_t)weight;
    return 0;
}

static int set_profile(struct dun_simulate_options *options, const char *text)
{
    int result = 0;
    if (strcmp(text, "list") == 0) {
        list_profiles();
        options->ended = true;
        return 0;
    }
    options->mix.count = 0;
    (void)snprintf(options->profile, sizeof options->profile, "%s", text);
    for (const char *from = text; result == 0;) {
        size_t size = strcspn(from, ",");
        result = add_profile(options, from, size);
        if (from[size] == '\0') {
            break;
        }
        from += size + 1;
    }
    return result;
}

static int set_log_size(struct dun_simulate_options *options, const struct dun_options *line,
                        const char *text)
{
    uint64_t size = 0;
    if (!dun_options_number(line, "--log-size", text, 1024, 1 << 20, &size)) {
        return DUN_EXIT_USAGE;
    }
    /* Four blocks, or as many as keep a block at 4 KiB. */
    uint32_t block = size / 4 < 4096 ? (uint32_t)(size / 4) : 4096;
    block -= block % 8;
    options->settings.log = (struct dun_flash_geometry){block, (uint32_t)(size / block), 1};
    return 0;
}

/* One of two words. */
static int set_choice(int id, const char *text, const char *no, const char *yes, bool *choice)
{
    *choice = strcmp(text, yes) == 0;
    return *choice || strcmp(text, no) == 0
               ? 0
               : dun_usage_error(command, "--%s '%.50s' is not %s or %s", name_of(id), text, no,
                                 yes);
}

/// Options ///

static int set_number(struct dun_simulate_options *options, const struct dun_options *line, int id,
                      const char *text)
{
    static const struct {
        int id;
        const char *name;
        uint64_t minimum, maximum;
    } numbers[] = {{OPTION_DEVICES, "-n", 1, 1000000},
                   {OPTION_CONNECT_RATE, "--connect-rate", 1, 100000},
                   {OPTION_SEED, "--seed", 0, UINT64_C(1) << 53},
                   {OPTION_FIRST, "--first", 0, 100000000},
                   {OPTION_BROKER_PID, "--broker-pid", 1, INT32_MAX}};
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].id == id &&
            !dun_options_number(line, numbers[i].name, text, numbers[i].minimum, numbers[i].maximum,
                                &number)) {
            return DUN_EXIT_USAGE;
        }
    }
    switch (id) {
    case OPTION_DEVICES:
        options->count = (uint32_t)number;
        break;
    case OPTION_CONNECT_RATE:
        options->connect_rate = (uint32_t)number;
        break;
    case OPTION_SEED:
        options->settings.seed = number;
        options->seeded = true;
        break;
    case OPTION_FIRST:
        options->settings.first = (uint32_t)number;
        break;
    default:
        options->broker_pid = (uint32_t)number;
        break;
    }
    return 0;
}

static int set_period(struct dun_simulate_options *options, int id, const char *text)
{
    const double day = 86400e3;
    struct dun_fleet_settings *settings = &options->settings;
    switch (id) {
    case OPTION_DURATION:
        return set_time(id, text, 1, 365 * day, &options->duration_ms);
    case OPTION_INTERVAL:
        return set_time_32(id, text, 10, day, &settings->interval_ms);
    case OPTION_BATCH_AGE:
        return set_time_32(id, text, 10, day, &settings->batch_age_ms);
    case OPTION_SPREAD:
        return set_time_32(id, text, 0, day, &settings->reconnect_spread_ms);
    case OPTION_CLOCK_AFTER:
        return set_time_32(id, text, 0, day, &settings->clock_after_ms);
    case OPTION_DAY:
        return set_time(id, text, 1000, 1000 * day, &settings->day_ms);
    case OPTION_CUT_FOR:
        return set_time(id, text, 0, day, &options->chaos.cut_ms);
    case OPTION_JUMP:
        return set_time(id, text, 0, 365 * day, &options->chaos.jump_ms);
    default:
        return set_time(id, text, 0, day, &options->drain_ms);
    }
}

static int set_word(struct dun_simulate_options *options, int id, const char *text)
{
    bool chosen = false;
    int result;
    switch (id) {
    case OPTION_ENCODING:
        result = set_choice(id, text, "batch", "plain", &chosen);
        options->settings.encoder = chosen ? &dun_plain : &dun_columns;
        return result;
    case OPTION_ACK:
        result = set_choice(id, text, "published", "stored", &chosen);
        options->settings.ack_mode = chosen ? DUN_ACK_STORED : DUN_ACK_PUBLISHED;
        return result;
    default:
        return set_choice(id, text, "table", "json", &options->json);
    }
}

static void print_help(void)
{
    fputs(help_text, stdout);
    fputs(dun_broker_help, stdout);
    puts(help_rest);
}

static int set_switch(struct dun_simulate_options *options, int id)
{
    switch (id) {
    case OPTION_IN_STEP:
        options->settings.in_step = true;
        return 0;
    case OPTION_NO_AUDIT:
        options->audit = false;
        return 0;
    case OPTION_KEEP:
        options->keep = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_HELP:
        print_help();
        break;
    default:
        puts("dunlin " DUN_VERSION);
        break;
    }
    options->ended = true;
    return 0;
}

static int set_option(struct dun_simulate_options *options, const struct dun_options *line, int id,
                      const char *value)
{
    if (id >= DUN_BROKER_URL && id < DUN_BROKER_OPTION_END) {
        return dun_broker_set(&options->broker, line, id, value);
    }
    switch (id) {
    case DUN_OPTION_ARGUMENT:
        return dun_usage_error(command, "unexpected argument '%.100s'", value);
    case OPTION_PROFILE:
        return set_profile(options, value);
    case OPTION_LOG_SIZE:
        return set_log_size(options, line, value);
    case OPTION_CUTS:
    case OPTION_LOST_ACKS:
    case OPTION_SILENCES:
    case OPTION_REBOOTS:
    case OPTION_CLOCK_JUMPS:
        return set_rate(options, id, value);
    case OPTION_STORM:
        return set_storm(options, value);
    case OPTION_ENCODING:
    case OPTION_ACK:
    case OPTION_FORMAT:
        return set_word(options, id, value);
    case OPTION_AUDIT_USER:
        return dun_option_text(line, id, &options->auditor.username, value);
    case OPTION_AUDIT_PASSWORD_FILE:
        return dun_option_text(line, id, &options->auditor.password_file, value);
    case OPTION_DEVICES:
    case OPTION_CONNECT_RATE:
    case OPTION_SEED:
    case OPTION_FIRST:
    case OPTION_BROKER_PID:
        return set_number(options, line, id, value);
    default:
        return value != NULL ? set_period(options, id, value) : set_switch(options, id);
    }
}

/// What must fit together ///

/* PREFIX/FLEET, with what a filter may have behind it. */
static int take_topic(struct dun_simulate_options *options)
{
    const char *topic = options->broker.filters[0];
    const char *slash = strchr(topic, '/');
    size_t prefix = slash != NULL ? (size_t)(slash - topic) : 0;
    const char *fleet = slash != NULL ? slash + 1 : "";
    size_t size = strcspn(fleet, "/");
    if (options->broker.filter_count > 1 || prefix >= sizeof options->prefix ||
        size >= sizeof options->fleet) {
        return dun_usage_error(command, "-t wants one PREFIX/FLEET, such as dunlin/simulated");
    }
    memcpy(options->prefix, topic, prefix);
    memcpy(options->fleet, fleet, size);
    if (!dun_agent_name_ok(options->prefix) || !dun_agent_name_ok(options->fleet) ||
        (fleet[size] != '\0' && strcmp(fleet + size, "/#") != 0)) {
        return dun_usage_error(command, "-t '%.100s' is not PREFIX/FLEET, such as dunlin/simulated",
                               topic);
    }
    options->settings.prefix = options->prefix;
    options->settings.fleet = options->fleet;
    return 0;
}

static int take_broker(struct dun_simulate_options *options)
{
    struct dun_broker_options *broker = &options->broker;
    struct dun_fleet_settings *settings = &options->settings;
    if (broker->version == 3) {
        return dun_usage_error(command, "-V: devices speak mqttv311 and mqttv5");
    }
    settings->id = broker->client_id != NULL ? broker->client_id : "sim";
    if (!dun_agent_name_ok(settings->id) || strlen(settings->id) > 50) {
        return dun_usage_error(command, "-i '%.60s' is not 1 to 50 of A-Z, a-z, 0-9, '.', '_', '-'",
                               settings->id);
    }
    settings->host_name = broker->host;
    settings->port = broker->port;
    settings->username = broker->username;
    settings->keepalive_s = (uint16_t)broker->keepalive_s;
    settings->mqtt_version = (uint8_t)broker->version;
    settings->tls = broker->tls;
    if (broker->password_file != NULL) {
        settings->password =
            (struct dun_span){(const uint8_t *)broker->password, strlen(broker->password)};
    }
    return 0;
}

/* Who subscribes: the same user as the devices, unless it was told. */
static int take_auditor(struct dun_simulate_options *options, const struct dun_options *line)
{
    struct dun_broker_options given = options->auditor;
    options->auditor = options->broker;
    if (given.username != NULL) {
        options->auditor.username = given.username;
        options->auditor.password_file = given.password_file;
    } else if (given.password_file != NULL) {
        return dun_usage_error(command, "--audit-password-file needs --audit-user");
    } else if (options->audit && options->broker.username != NULL &&
               strstr(options->broker.username, "%d") != NULL) {
        return dun_usage_error(command, "-u with %%d needs --audit-user: the one who subscribes");
    }
    return given.password_file != NULL
               ? dun_secret_read(line, given.password_file, options->auditor.password,
                                 sizeof options->auditor.password)
               : 0;
}

static void set_defaults(struct dun_simulate_options *options)
{
    options->count = 100;
    options->connect_rate = 500;
    options->duration_ms = 60000;
    options->drain_ms = 120000;
    options->audit = true;
    options->chaos.cut_ms = 5000;
    options->chaos.jump_ms = 3600000;
    options->settings.first = 1;
    options->settings.encoder = &dun_columns;
    options->settings.batch_age_ms = 10000;
    options->settings.day_ms = 86400000;
    options->settings.log = (struct dun_flash_geometry){512, 4, 1};
    (void)set_profile(options, "meter");
}

int dun_simulate_parse(struct dun_simulate_options *options, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    set_defaults(options);
    int result = dun_broker_begin(&options->broker, &line);
    options->broker.version = 0; /* 5 where the broker knows it */
    while (result == 0) {
        const char *value = NULL;
        int id = dun_options_next(&line, &value);
        if (id == DUN_OPTION_END) {
            break;
        }
        result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(options, &line, id, value);
        if (options->ended) {
            return result;
        }
    }
    if (result == 0) {
        result = dun_broker_finish(&options->broker, &line, "dunlin/simulated");
    }
    if (result == 0) {
        result = take_topic(options);
    }
    if (result == 0) {
        result = take_auditor(options, &line);
    }
    return result == 0 ? take_broker(options) : result;
}
