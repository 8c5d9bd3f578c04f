/*
 * config_main.c: `dunlin config`: gathers what is retained of the devices, and for `set` publishes
 * each its next document and waits for its answer. One thread and one loop; signals set flags.
 *
 * A fleet is gathered once the broker has been quiet for QUIET_MS: nothing tells that the last
 * retained message was sent.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "config.h"
#include "host.h"

#define QUIET_MS           400
#define CONNACK_TIMEOUT_MS 10000
#define RETRY_MS           500
#define REDRAW_MS          200
#define LOOP_MS            50

static const char command[] = "dunlin config";

struct config {
    struct dun_config_options options;
    struct mosquitto *client;
    struct dun_config_fleet fleet;
    struct dun_out out;
    int64_t begun_ms, quiet_ms, redraw_ms;
    int subscribed; /* SUBACKs that came on this connection */
    bool connected, was_connected, published, progress;
    uint64_t rejected;
    int exit_code;
    bool done;
    uint8_t document[DUN_DESIRED_MAX];
};

static volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
    (void)number;
    stop_requested = 1;
}

static void end(struct config *config, int exit_code, const char *text, const char *detail)
{
    fprintf(stderr, "%s: %s%s%s\n", command, text, detail[0] != '\0' ? ": " : "", detail);
    config->exit_code = exit_code;
    config->done = true;
}

static struct dun_config_device *device_at(const struct config *config, size_t index)
{
    return ((struct dun_config_device **)config->fleet.devices.items)[index];
}

/// The broker ///

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    static const char *const channels[] = {"config", "config/reported", "status"};
    struct config *config = context;
    if (reason != 0) {
        if (!config->was_connected) {
            end(config, DUN_EXIT_REFUSED, "the broker refused the connection",
                dun_client_refusal(&config->options.broker, reason));
        }
        return;
    }
    config->connected = config->was_connected = true;
    config->subscribed = 0;
    for (size_t i = 0; i < config->options.broker.filter_count; i++) {
        for (size_t c = 0; c < sizeof channels / sizeof channels[0]; c++) {
            char filter[DUN_CONFIG_BASE_MAX + 32];
            (void)snprintf(filter, sizeof filter, "%s/%s", config->options.bases[i], channels[c]);
            /* A failure here is a lost connection, which the loop finds. */
            (void)mosquitto_subscribe(client, NULL, filter, 1);
        }
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    struct config *config = context;
    (void)client;
    (void)id;
    config->subscribed++;
    config->quiet_ms = dun_host_ms();
    for (int i = 0; i < count; i++) {
        if (granted[i] >= 0x80) {
            end(config, DUN_EXIT_REFUSED, "the broker refused the subscription", "");
        }
    }
}

/* What cannot be read is told once, where it came from. */
static void check_payload(struct config *config, const struct dun_config_device *device,
                          const char *topic, struct dun_span payload)
{
    struct dun_config_report report;
    uint64_t version;
    bool reported = strstr(topic, "/config/reported") != NULL;
    bool status = payload.size == 0 || strstr(topic, "/status") != NULL;
    bool ok = status || (reported ? dun_report_parse(&report, payload)
                                  : dun_settings_check(payload, &version));
    if (!ok) {
        config->rejected++;
        fprintf(stderr, "%s: %s: %s cannot be read\n", command, device->base,
                reported ? "the report" : "the document");
    }
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    struct config *config = context;
    struct dun_span payload = {message->payload, (size_t)message->payloadlen};
    (void)client;
    struct dun_config_device *device =
        dun_config_fleet_take(&config->fleet, message->topic, payload);
    config->quiet_ms = dun_host_ms();
    if (device != NULL) {
        check_payload(config, device, message->topic, payload);
        dun_config_judge(device);
    }
}

static void lost(struct config *config, int result)
{
    char where[600];
    config->connected = false;
    if (config->was_connected || config->done) {
        return;
    }
    (void)snprintf(where, sizeof where, "%s port %u: %s", config->options.broker.host,
                   (unsigned)config->options.broker.port, dun_client_why(result));
    end(config, dun_client_exit_code(&config->options.broker, result), "cannot connect", where);
}

static bool set_up_client(struct config *config)
{
    const struct dun_broker_options *broker = &config->options.broker;
    const char *unreadable = dun_client_unreadable(broker);
    if (unreadable != NULL) {
        end(config, DUN_EXIT_TLS, unreadable, strerror(errno));
        return false;
    }
    (void)mosquitto_lib_init();
    int result = dun_client_make(&config->client, broker, broker->client_id, true, config);
    if (result != MOSQ_ERR_SUCCESS) {
        end(config, dun_client_make_exit_code(broker, result), "cannot start",
            dun_client_why(result));
        return false;
    }
    mosquitto_connect_callback_set(config->client, on_connect);
    mosquitto_subscribe_callback_set(config->client, on_subscribe);
    mosquitto_message_callback_set(config->client, on_message);
    return true;
}

/// Setting ///

static uint64_t next_version(const struct dun_config_device *device)
{
    struct dun_config_report report;
    uint64_t version = 0;
    (void)dun_settings_check(dun_config_document(device), &version);
    if (dun_report_parse(&report, dun_config_report_of(device))) {
        version = report.version > version ? report.version : version;
    }
    return version + 1;
}

/* Publishes the device its next document, unless the one it has says the same and is in force. */
static void set_device(struct config *config, struct dun_config_device *device)
{
    const struct dun_config_options *options = &config->options;
    struct dun_assignment *const *given = options->assignments.items;
    struct dun_config_report report = {0};
    struct dun_span old = dun_config_document(device);
    struct dun_buffer to = {config->document, sizeof config->document};
    uint64_t version;
    if (options->replace || !dun_settings_check(old, &version)) {
        old.size = 0;
    }
    device->wanted = next_version(device);
    size_t size = dun_desired_write(to, device->wanted, old, given, options->assignments.count);
    bool same =
        dun_config_document(device).size > 0 &&
        dun_desired_same((struct dun_span){config->document, size}, dun_config_document(device));
    device->changed = true;
    if (size > 0 && same && dun_config_is_applied(device)) {
        device->wanted--;
        device->progress = DUN_CONFIG_APPLIED;
        return;
    }
    bool known = dun_report_parse(&report, dun_config_report_of(device)) && report.size_max > 0;
    if (size == 0 || (known && size > report.size_max)) {
        device->progress = DUN_CONFIG_TOO_LARGE;
        return;
    }
    char topic[DUN_CONFIG_BASE_MAX + 16];
    (void)snprintf(topic, sizeof topic, "%s/config", device->base);
    device->progress = DUN_CONFIG_SENDING;
    int result =
        mosquitto_publish(config->client, NULL, topic, (int)size, config->document, 1, true);
    if (result != MOSQ_ERR_SUCCESS && result != MOSQ_ERR_NO_CONN) {
        end(config, DUN_EXIT_RUNTIME, "cannot publish", mosquitto_strerror(result));
    }
}

static bool is_final(const struct config *config, const struct dun_config_device *device)
{
    if (config->options.no_wait) {
        return device->progress != DUN_CONFIG_SENDING;
    }
    return device->progress >= DUN_CONFIG_APPLIED;
}

/// Showing ///

static void count(const struct config *config, size_t counts[DUN_CONFIG_PROGRESS_COUNT])
{
    memset(counts, 0, DUN_CONFIG_PROGRESS_COUNT * sizeof *counts);
    for (size_t i = 0; i < config->fleet.devices.count; i++) {
        counts[device_at(config, i)->progress] += device_at(config, i)->selected;
    }
}

/* "12 of 40 applied, 1 partly, 27 trial", redrawn in place. */
static void redraw(struct config *config, bool last)
{
    size_t counts[DUN_CONFIG_PROGRESS_COUNT], all = 0;
    if (!config->progress || (!last && dun_host_ms() < config->redraw_ms)) {
        return;
    }
    count(config, counts);
    for (int i = 0; i < DUN_CONFIG_PROGRESS_COUNT; i++) {
        all += counts[i];
    }
    fprintf(stderr, "\r%s: %zu of %zu applied", command, counts[DUN_CONFIG_APPLIED], all);
    for (int i = 0; i < DUN_CONFIG_PROGRESS_COUNT; i++) {
        if (i != DUN_CONFIG_APPLIED && counts[i] > 0) {
            fprintf(stderr, ", %zu %s", counts[i],
                    dun_config_progress_word((enum dun_config_progress)i));
        }
    }
    fprintf(stderr, "\x1b[K%s", last ? "\n" : "");
    config->redraw_ms = dun_host_ms() + REDRAW_MS;
}

/* Lines for what changed: all of it as JSON, what is final for people. True if all are final. */
static bool show_progress(struct config *config)
{
    bool all = true;
    for (size_t i = 0; i < config->fleet.devices.count; i++) {
        struct dun_config_device *device = device_at(config, i);
        if (!device->selected) {
            continue;
        }
        bool final = is_final(config, device);
        all &= final;
        if (device->changed && config->options.json) {
            dun_config_show_progress(&config->out, device, true);
        }
        device->changed = false;
    }
    (void)dun_out_flush(&config->out);
    return all;
}

/* The exit code for what was set. */
static int set_verdict(struct config *config)
{
    size_t counts[DUN_CONFIG_PROGRESS_COUNT];
    bool waits = false;
    for (size_t i = 0; i < config->fleet.devices.count; i++) {
        const struct dun_config_device *device = device_at(config, i);
        if (device->selected && !config->options.json) {
            dun_config_show_progress(&config->out, device, false);
        }
        waits |= device->selected && !is_final(config, device);
    }
    count(config, counts);
    if (counts[DUN_CONFIG_PARTLY] + counts[DUN_CONFIG_ROLLED] + counts[DUN_CONFIG_REFUSED] +
            counts[DUN_CONFIG_TOO_LARGE] >
        0) {
        return DUN_EXIT_DIFFERS;
    }
    if (waits && counts[DUN_CONFIG_SENDING] > 0) {
        fprintf(stderr,
                "%s: the broker did not take every document: may this user write .../config?\n",
                command);
    }
    return waits ? DUN_EXIT_RUNTIME : DUN_EXIT_OK;
}

/* `get` and `diff`, once all is gathered. */
static void show_all(struct config *config)
{
    bool json = config->options.json, same = true;
    for (size_t i = 0; i < config->fleet.devices.count; i++) {
        const struct dun_config_device *device = device_at(config, i);
        if (!device->selected) {
            continue;
        }
        if (config->options.command == DUN_CONFIG_DIFF) {
            same = dun_config_show_diff(&config->out, device, json) && same;
        } else {
            dun_config_show(&config->out, device, json);
        }
    }
    config->exit_code = same ? DUN_EXIT_OK : DUN_EXIT_DIFFERS;
    config->done = true;
}

/// The loop ///

/* All that is retained is here: from now on it is known who the devices are. */
static void gathered(struct config *config)
{
    bool set = config->options.command == DUN_CONFIG_SET;
    const char *missing = dun_config_fleet_select(&config->fleet, &config->options, set);
    size_t counts[DUN_CONFIG_PROGRESS_COUNT];
    dun_config_fleet_sort(&config->fleet);
    count(config, counts);
    if (missing != NULL) {
        end(config, DUN_EXIT_RUNTIME,
            set ? "nobody knows this device; -t PREFIX/FLEET/+ would tell its topic"
                : "nobody knows this device",
            missing);
    } else if (counts[DUN_CONFIG_IDLE] == 0) {
        end(config, DUN_EXIT_RUNTIME, "no device is in this selection", config->options.bases[0]);
    } else if (!set) {
        show_all(config);
    }
    for (size_t i = 0; set && !config->done && i < config->fleet.devices.count; i++) {
        if (device_at(config, i)->selected) {
            set_device(config, device_at(config, i));
        }
    }
    config->published = true;
}

static void advance(struct config *config)
{
    size_t asked = config->options.broker.filter_count * 3;
    bool quiet = config->connected && (size_t)config->subscribed >= asked &&
                 dun_host_ms() - config->quiet_ms >= QUIET_MS;
    if (!config->published && quiet) {
        gathered(config);
    }
    if (config->published && !config->done) {
        redraw(config, false);
        config->done = show_progress(config);
        config->exit_code = config->done ? set_verdict(config) : 0;
    }
    int64_t waited_ms = dun_host_ms() - config->begun_ms;
    if (config->done) {
        return;
    }
    if (!config->was_connected && waited_ms > CONNACK_TIMEOUT_MS) {
        end(config, DUN_EXIT_UNREACHABLE, "no answer to CONNECT from", config->options.broker.host);
    } else if (waited_ms > (int64_t)config->options.timeout_s * 1000 || stop_requested) {
        config->done = true;
        config->exit_code = config->published ? set_verdict(config) : DUN_EXIT_RUNTIME;
        fprintf(stderr, "%s%s: not all was heard in time\n", config->progress ? "\n" : "", command);
    }
}

static void run(struct config *config)
{
    const struct dun_broker_options *broker = &config->options.broker;
    config->begun_ms = dun_host_ms();
    int result = mosquitto_connect(config->client, broker->host, broker->port, broker->keepalive_s);
    if (result != MOSQ_ERR_SUCCESS) {
        lost(config, result);
    }
    while (!config->done && !config->out.failed) {
        result = mosquitto_loop(config->client, LOOP_MS, 1);
        if (result != MOSQ_ERR_SUCCESS) {
            lost(config, result);
            struct timespec delay = {0, RETRY_MS * 1000000L};
            (void)nanosleep(&delay, NULL);
            (void)mosquitto_reconnect(config->client);
        }
        advance(config);
    }
    redraw(config, true);
    (void)mosquitto_disconnect(config->client);
    (void)mosquitto_loop(config->client, LOOP_MS, 1);
}

static int run_all(struct config *config)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    dun_out_init(&config->out, STDOUT_FILENO);
    bool set = config->options.command == DUN_CONFIG_SET;
    config->progress = set && !config->options.quiet && isatty(STDERR_FILENO) == 1;
    if (set_up_client(config)) {
        run(config);
    }
    if (!dun_out_flush(&config->out)) {
        fprintf(stderr, "%s: stdout: %s\n", command, strerror(config->out.error));
        return DUN_EXIT_RUNTIME;
    }
    bool refused = config->exit_code == DUN_EXIT_OK && config->rejected > 0;
    return refused ? DUN_EXIT_DATA : config->exit_code;
}

int dun_config_main(int argc, char **argv)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
        return DUN_EXIT_RUNTIME;
    }
    config->options.json = isatty(STDOUT_FILENO) != 1;
    int result = dun_config_parse(&config->options, argc, argv);
    if (result == 0 && !config->options.ended) {
        result = run_all(config);
    }
    mosquitto_destroy(config->client);
    (void)mosquitto_lib_cleanup();
    dun_config_fleet_free(&config->fleet);
    dun_config_options_free(&config->options);
    free(config);
    return result;
}
