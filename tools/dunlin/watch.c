/*
 * watch.c: `dunlin watch`: subscribes by libmosquitto and feeds what arrives to the decoder. One
 * thread and one loop; signals only set flags. A record that came before is counted and not
 * printed again; one that cannot be trusted is refused and counted, and the watch goes on.
 *
 * Before the first CONNACK any failure ends the run with its exit code. After it, a lost
 * connection is opened again for ever, with a growing delay.
 */
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "desired.h"
#include "exposition.h"
#include "host.h"
#include "options.h"

#define STREAMS_MAX        16384
#define CONNACK_TIMEOUT_MS 10000
#define DELAY_MIN_MS       100
#define DELAY_MAX_MS       5000
#define REDRAW_MS          250
#define SCRAPE_MS          50 /* how long a scrape may wait for the loop */

static const char command[] = "dunlin watch";

struct watch {
    struct dun_watch_options options;
    struct mosquitto *client;
    struct dun_decoder decoder;
    struct dun_renderer renderer;
    struct dun_out out;
    struct dun_screen *screen;    /* NULL: not a terminal */
    struct dun_coverage *streams; /* newest first */
    size_t stream_count;
    struct dun_health health;
    struct dun_exposition *exposition; /* NULL: nobody scrapes */
    uint64_t rejected;
    uint64_t ignored; /* topics that are not ours */
    uint64_t records;
    bool connected;
    bool was_connected;
    bool reported_loss; /* of this connection */
    int delay_ms;
    int64_t connect_ms; /* when the last attempt began */
    int64_t redraw_ms;
    int exit_code; /* not 0: end with it */
    bool done;
};

static volatile sig_atomic_t stop_requested;
static volatile sig_atomic_t time_is_up;

static void on_signal(int number)
{
    if (number == SIGALRM) {
        time_is_up = 1;
    } else {
        stop_requested = 1;
    }
}

/* A line on stderr, unless the table has the terminal. */
static void say(const struct watch *watch, bool important, const char *text, const char *detail)
{
    if (watch->screen == NULL && (important || !watch->options.quiet)) {
        fprintf(stderr, "%s: %s%s%s\n", command, text, detail[0] != '\0' ? ": " : "", detail);
    }
}

/// Records ///

static struct dun_coverage *find_stream(struct watch *watch, struct dun_span device,
                                        uint64_t stream)
{
    for (struct dun_coverage *at = watch->streams; at != NULL; at = at->next) {
        if (at->stream == stream && dun_span_equal(device, dun_span_of(at->device))) {
            return at;
        }
    }
    if (watch->stream_count == STREAMS_MAX) {
        return NULL;
    }
    struct dun_coverage *made = malloc(sizeof *made);
    if (made != NULL) {
        dun_coverage_init(made, device, stream);
        made->next = watch->streams;
        watch->streams = made;
        watch->stream_count++;
    }
    return made;
}

/* Enters the record in its stream's books. False: it is a duplicate. */
static bool is_new(struct watch *watch, struct dun_span device, struct dun_span payload)
{
    const struct dun_parsed *record = &watch->decoder.record;
    if (!record->batch.has_stream || !record->batch.has_sequence) {
        return true; /* plain samples of a device without a log */
    }
    struct dun_coverage *stream = find_stream(watch, device, record->batch.stream);
    if (stream == NULL) {
        return true;
    }
    return dun_coverage_take(stream, record, payload);
}

static void reject(struct watch *watch, const char *topic, const struct dun_complaint *complaint)
{
    char place[64] = "";
    watch->rejected++;
    if (complaint->offset > 0) {
        (void)snprintf(place, sizeof place, "byte %zu: ", complaint->offset);
    }
    if (watch->screen == NULL) {
        fprintf(stderr, "%s: %s: %s%s\n", command, topic, place, complaint->text);
    }
}

/* What the topic and its payload say of the device, beside what they hold. */
static void learn_health(struct watch *watch, struct dun_span device, enum dun_channel channel,
                         struct dun_span payload)
{
    struct dun_device_health *health = dun_health_of(&watch->health, device);
    if (health == NULL) {
        return;
    }
    if (channel == DUN_CHANNEL_STATUS) {
        health->presence = dun_span_equal(payload, dun_span_of("online")) ? DUN_PRESENCE_ONLINE
                                                                          : DUN_PRESENCE_OFFLINE;
    } else if (channel == DUN_CHANNEL_BATCH || channel == DUN_CHANNEL_SAMPLES) {
        health->heard_ms = dun_host_unix_ms();
    }
}

static enum dun_configured configured_by(const struct dun_config_report *report)
{
    return report->refusal != 0                      ? DUN_CONFIGURED_REFUSED
           : report->state == DUN_REMOTE_ROLLED_BACK ? DUN_CONFIGURED_UNDONE
           : report->bad > 0                         ? DUN_CONFIGURED_PARTLY
           : report->state == DUN_REMOTE_TRIAL       ? DUN_CONFIGURED_TRIAL
                                                     : DUN_CONFIGURED_FINE;
}

/* PREFIX/FLEET/DEVICE/config/reported: false, it is none. */
static bool learn_config(struct watch *watch, const char *topic, struct dun_span payload)
{
    static const char end[] = "/config/reported";
    size_t size = strlen(topic);
    if (size < sizeof end || strcmp(topic + size - (sizeof end - 1), end) != 0) {
        return false;
    }
    size -= sizeof end - 1;
    size_t from = size;
    while (from > 0 && topic[from - 1] != '/') {
        from--;
    }
    struct dun_span device = {(const uint8_t *)topic + from, size - from};
    struct dun_config_report report;
    if (!dun_name_ok(device) || !dun_patterns_match(&watch->options.choice.devices, device)) {
        return true;
    }
    struct dun_device_health *health = dun_health_of(&watch->health, device);
    if (health != NULL && dun_report_parse(&report, payload)) {
        health->configured = configured_by(&report);
    }
    return true;
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    struct watch *watch = context;
    struct dun_span device;
    enum dun_channel channel;
    struct dun_complaint complaint;
    struct dun_span payload = {message->payload, (size_t)message->payloadlen};
    if (!dun_topic_split(dun_span_of(message->topic), &device, &channel)) {
        watch->ignored += learn_config(watch, message->topic, payload) ? 0 : 1;
        return;
    }
    if ((payload.size == 0 && message->retain) /* a retained topic that was cleared */ ||
        !dun_patterns_match(&watch->options.choice.devices, device)) {
        return;
    }
    if (dun_decoder_parse(&watch->decoder, channel, payload, &complaint) < 0) {
        reject(watch, message->topic, &complaint);
        return;
    }
    learn_health(watch, device, channel, payload);
    if (watch->screen != NULL) {
        dun_screen_tell(watch->screen, dun_host_ms());
    }
    bool counts = channel == DUN_CHANNEL_BATCH || channel == DUN_CHANNEL_SAMPLES;
    if (counts && !is_new(watch, device, payload)) {
        return;
    }
    dun_decoder_render(&watch->decoder, channel, device, payload);
    watch->records += counts ? 1 : 0;
    if (watch->options.count > 0 && watch->records >= watch->options.count) {
        watch->done = true;
    }
}

/// Connection ///

static void end(struct watch *watch, int exit_code, const char *text, const char *detail)
{
    say(watch, true, text, detail);
    watch->exit_code = exit_code;
    watch->done = true;
}

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    struct watch *watch = context;
    if (reason != 0) {
        const char *why = dun_client_refusal(&watch->options.broker, reason);
        if (!watch->was_connected) {
            end(watch, DUN_EXIT_REFUSED, "the broker refused the connection", why);
        } else {
            say(watch, false, "the broker refused the connection", why);
        }
        return;
    }
    if (watch->was_connected || watch->options.verbose) {
        say(watch, false, "connected to", watch->options.broker.host);
    }
    watch->connected = watch->was_connected = true;
    watch->reported_loss = false;
    watch->delay_ms = DELAY_MIN_MS;
    for (size_t i = 0; i < watch->options.broker.filter_count; i++) {
        /* A failure here is a lost connection, which the loop finds. */
        (void)mosquitto_subscribe(client, NULL, watch->options.broker.filters[i],
                                  watch->options.qos);
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    (void)client;
    (void)id;
    struct watch *watch = context;
    for (int i = 0; i < count; i++) {
        if (granted[i] >= 0x80) {
            end(watch, DUN_EXIT_REFUSED, "the broker refused the subscription", "");
        }
    }
    if (!watch->done && watch->options.verbose) {
        say(watch, false, "subscribed", "");
    }
}

/* An attempt failed or a connection broke. */
static void lost(struct watch *watch, int result)
{
    char where[600];
    const char *why = dun_client_why(result);
    bool before = watch->was_connected;
    watch->connected = false;
    if (watch->done || stop_requested || time_is_up) {
        return;
    }
    (void)snprintf(where, sizeof where, "%s port %u: %s", watch->options.broker.host,
                   (unsigned)watch->options.broker.port, why);
    if (!before) {
        end(watch, dun_client_exit_code(&watch->options.broker, result), "cannot connect", where);
    } else if (!watch->reported_loss) {
        say(watch, false, "connection lost, trying again", where);
        watch->reported_loss = true;
    }
}

static void wait_and_reconnect(struct watch *watch)
{
    const struct timespec slice = {0, SCRAPE_MS * 1000000L};
    int64_t end_ms = dun_host_ms() + watch->delay_ms;
    while (dun_host_ms() < end_ms && !stop_requested && !time_is_up) {
        (void)nanosleep(&slice, NULL);
        dun_exposition_serve(watch->exposition);
    }
    watch->delay_ms = watch->delay_ms * 2 < DELAY_MAX_MS ? watch->delay_ms * 2 : DELAY_MAX_MS;
    if (stop_requested || time_is_up) {
        return;
    }
    watch->connect_ms = dun_host_ms();
    int result = mosquitto_reconnect(watch->client);
    if (result != MOSQ_ERR_SUCCESS) {
        lost(watch, result);
    }
}

static int set_up_client(struct watch *watch)
{
    int result =
        dun_client_make(&watch->client, &watch->options.broker, watch->options.broker.client_id,
                        !watch->options.keep_session, watch);
    if (watch->client != NULL) {
        mosquitto_connect_callback_set(watch->client, on_connect);
        mosquitto_subscribe_callback_set(watch->client, on_subscribe);
        mosquitto_message_callback_set(watch->client, on_message);
    }
    return result;
}

/// The loop ///

static void show(struct watch *watch)
{
    if (watch->screen == NULL) {
        (void)dun_out_flush(&watch->out);
        return;
    }
    if (dun_host_ms() < watch->redraw_ms) {
        return;
    }
    char footer[400];
    struct dun_totals totals = dun_verdict_total(watch->streams);
    (void)snprintf(footer, sizeof footer,
                   "%s %s  records %llu  points %llu  missing %llu  lost %llu  duplicates %llu  "
                   "refused %llu   Ctrl-C ends",
                   watch->connected ? "connected to" : "NOT CONNECTED to",
                   watch->options.broker.host, (unsigned long long)totals.records,
                   (unsigned long long)totals.points, (unsigned long long)totals.missing,
                   (unsigned long long)totals.lost, (unsigned long long)totals.duplicates,
                   (unsigned long long)watch->rejected);
    dun_health_count(&watch->health, watch->streams);
    dun_screen_redraw(watch->screen, footer, &watch->health,
                      dun_host_ms() - (int64_t)watch->options.stale_s * 1000);
    watch->redraw_ms = dun_host_ms() + REDRAW_MS;
}

static void step(struct watch *watch)
{
    int result = mosquitto_loop(watch->client, watch->exposition ? SCRAPE_MS : REDRAW_MS, 1);
    dun_exposition_serve(watch->exposition);
    if (result != MOSQ_ERR_SUCCESS) {
        lost(watch, result);
        if (!watch->done) {
            show(watch);
            wait_and_reconnect(watch);
        }
    } else if (!watch->was_connected && dun_host_ms() - watch->connect_ms > CONNACK_TIMEOUT_MS) {
        end(watch, DUN_EXIT_UNREACHABLE, "no answer to CONNECT from", watch->options.broker.host);
    }
    show(watch);
}

static void run(struct watch *watch)
{
    watch->connect_ms = dun_host_ms();
    int result = mosquitto_connect(watch->client, watch->options.broker.host,
                                   watch->options.broker.port, watch->options.broker.keepalive_s);
    if (result != MOSQ_ERR_SUCCESS) {
        lost(watch, result);
    }
    while (!watch->done && !stop_requested && !time_is_up && !watch->out.failed) {
        step(watch);
    }
    (void)mosquitto_disconnect(watch->client);
    /* A few rounds, so that the acks of the last records leave too. */
    for (int i = 0; i < 10 && mosquitto_loop(watch->client, 50, 1) == MOSQ_ERR_SUCCESS; i++) {
    }
}

/// Scrapes ///

static void expose(void *context, struct dun_out *out)
{
    struct watch *watch = context;
    dun_health_count(&watch->health, watch->streams);
    dun_out_text(out, "# HELP dunlin_watch_connected 1: the watch has a broker.\n"
                      "# TYPE dunlin_watch_connected gauge\ndunlin_watch_connected ");
    dun_out_u64(out, watch->connected ? 1 : 0);
    dun_out_text(out, "\n# HELP dunlin_watch_refused_total Payloads that are no records.\n"
                      "# TYPE dunlin_watch_refused_total counter\ndunlin_watch_refused_total ");
    dun_out_u64(out, watch->rejected);
    dun_out_text(out, "\n");
    dun_health_expose(&watch->health, out);
}

static bool listen_for_scrapes(struct watch *watch)
{
    const char *problem;
    char where[300];
    if (watch->options.listen == NULL) {
        return true;
    }
    watch->exposition = dun_exposition_open(watch->options.listen, expose, watch, &problem);
    if (watch->exposition == NULL) {
        (void)snprintf(where, sizeof where, "--listen '%.200s'", watch->options.listen);
        end(watch, DUN_EXIT_RUNTIME, where, problem);
        return false;
    }
    (void)snprintf(where, sizeof where, "/metrics on port %u",
                   dun_exposition_port(watch->exposition));
    if (watch->options.verbose) {
        say(watch, false, where, "");
    }
    return true;
}

/// Beginning and end ///

static void catch_signals(uint64_t timeout_s)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (timeout_s > 0) {
        (void)alarm((unsigned)timeout_s);
    }
}

static void print_verdict(struct watch *watch)
{
    if (!watch->options.quiet) {
        struct dun_out *errors = &watch->renderer.prefix; /* idle by now */
        dun_out_init(errors, STDERR_FILENO);
        dun_verdict_text(errors, watch->streams, watch->rejected);
        (void)dun_out_flush(errors);
    }
    if (watch->options.verdict) {
        dun_verdict_json(&watch->out, watch->streams, watch->rejected);
    }
    if (watch->decoder.points_unnamed > 0 && !watch->options.quiet) {
        fprintf(stderr, "%s: %llu points have no dictionary: is .../catalog in the filter?\n",
                command, (unsigned long long)watch->decoder.points_unnamed);
    }
}

static int finish(struct watch *watch)
{
    dun_screen_close(watch->screen);
    watch->screen = NULL;
    if (watch->exit_code == 0 || watch->was_connected) {
        print_verdict(watch);
    }
    if (!dun_out_flush(&watch->out)) {
        if (watch->out.error == EPIPE) {
            (void)signal(SIGPIPE, SIG_DFL);
            (void)raise(SIGPIPE);
        }
        fprintf(stderr, "%s: stdout: %s\n", command, strerror(watch->out.error));
        return DUN_EXIT_RUNTIME;
    }
    if (watch->exit_code != 0) {
        return watch->exit_code;
    }
    if (time_is_up && watch->records < watch->options.count) {
        fprintf(stderr, "%s: %llu of %llu records in %llu s\n", command,
                (unsigned long long)watch->records, (unsigned long long)watch->options.count,
                (unsigned long long)watch->options.timeout_s);
        return DUN_EXIT_RUNTIME;
    }
    return watch->rejected > 0 ? DUN_EXIT_DATA : DUN_EXIT_OK;
}

static bool set_up_output(struct watch *watch)
{
    const struct dun_render_format *format = watch->options.format;
    dun_out_init(&watch->out, STDOUT_FILENO);
    if (format == NULL && isatty(STDOUT_FILENO) == 1) {
        watch->screen = dun_screen_open(&watch->out, watch->options.sort);
        format = &dun_render_screen;
        if (watch->screen == NULL) {
            return false;
        }
    }
    dun_render_begin(&watch->renderer, format != NULL ? format : &dun_render_json, &watch->out);
    watch->renderer.metrics = &watch->options.choice.metrics;
    watch->delay_ms = DELAY_MIN_MS;
    return dun_decoder_init(&watch->decoder, &watch->renderer) == 0;
}

/* What libmosquitto would refuse without saying which one it means. */
static bool arguments_ok(struct watch *watch)
{
    const struct dun_broker_options *options = &watch->options.broker;
    for (size_t i = 0; i < options->filter_count && !watch->done; i++) {
        if (mosquitto_sub_topic_check(options->filters[i]) != MOSQ_ERR_SUCCESS) {
            end(watch, DUN_EXIT_USAGE, "not a topic filter", options->filters[i]);
        }
    }
    const char *unreadable = dun_client_unreadable(options);
    if (!watch->done && unreadable != NULL) {
        end(watch, DUN_EXIT_TLS, unreadable, strerror(errno));
    }
    return !watch->done;
}

static int watch_all(struct watch *watch)
{
    if (!arguments_ok(watch) || !listen_for_scrapes(watch)) {
        return watch->exit_code;
    }
    catch_signals(watch->options.timeout_s);
    (void)mosquitto_lib_init();
    int result = set_up_client(watch);
    if (result != MOSQ_ERR_SUCCESS) {
        int exit_code = dun_client_make_exit_code(&watch->options.broker, result);
        end(watch, exit_code,
            exit_code == DUN_EXIT_TLS ? "the TLS settings cannot be used" : "cannot start",
            dun_client_why(result));
        return watch->exit_code;
    }
    if (!set_up_output(watch)) {
        end(watch, DUN_EXIT_RUNTIME, "out of memory", "");
        return watch->exit_code;
    }
    run(watch);
    return finish(watch);
}

static void free_all(struct watch *watch)
{
    while (watch->streams != NULL) {
        struct dun_coverage *next = watch->streams->next;
        dun_coverage_free(watch->streams);
        free(watch->streams);
        watch->streams = next;
    }
    dun_exposition_close(watch->exposition);
    dun_health_free(&watch->health);
    dun_decoder_free(&watch->decoder);
    mosquitto_destroy(watch->client);
    (void)mosquitto_lib_cleanup();
    free(watch);
}

int dun_watch_main(int argc, char **argv)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
        return DUN_EXIT_RUNTIME;
    }
    int result = dun_watch_parse(&watch->options, argc, argv);
    if (result == 0 && !watch->options.ended) {
        result = watch_all(watch);
    }
    free_all(watch);
    return result;
}
