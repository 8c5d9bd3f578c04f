/* auditor.c: see auditor.h. */
#define _POSIX_C_SOURCE 200809L
#include "auditor.h"

#include <errno.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

#define KEEPALIVE_S        60
#define CONNACK_TIMEOUT_S  10
#define RECONNECT_MS       500
#define MISC_MS            1000
#define RECENTS            8 /* records of a device whose bytes a repetition is compared with */
#define SESSION_EXPIRY_S   600
#define READS_MAX          200 /* packets in a row, so that devices have their turn */
#define CLEARED_AT_A_TIME  200
#define CLEAR_TIMEOUT_S    30
#define REASON_VERSION_311 1
#define REASON_VERSION_5   0x84

/// Records ///

/* The device's index by its id; false: it is none of ours. */
static bool find(const struct dun_auditor *auditor, struct dun_span device, uint32_t *who)
{
    const struct dun_fleet_settings *settings = auditor->settings;
    size_t prefix = strlen(settings->id);
    uint64_t number = 0;
    if (device.size < prefix + 2 || device.size > prefix + 11 ||
        memcmp(device.data, settings->id, prefix) != 0 || device.data[prefix] != '-') {
        return false;
    }
    for (size_t i = prefix + 1; i < device.size; i++) {
        if (device.data[i] < '0' || device.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(device.data[i] - '0');
    }
    *who = (uint32_t)(number - settings->first);
    return number >= settings->first && number - settings->first < auditor->fleet->count;
}

static void add_latency(struct dun_auditor *auditor, uint32_t who, uint32_t boot, int64_t uptime)
{
    dun_ms booted;
    if (dun_fleet_boot_ms(auditor->fleet, who, boot, &booted)) {
        dun_histogram_add(&auditor->latency, auditor->now - (booted + uptime), 1);
    }
}

static void add_latencies(struct dun_auditor *auditor, uint32_t who)
{
    const struct dun_parsed *record = &auditor->decoder.record;
    const struct dun_expanded *columns = record->expanded.items;
    const int64_t *times = record->times.items;
    const struct dun_sample *samples = record->samples.items;
    for (size_t i = 0; i < record->expanded.count; i++) {
        for (size_t row = 0; row < columns[i].rows.count; row++) {
            add_latency(auditor, who, record->batch.boot, times[columns[i].rows.first + row]);
        }
    }
    for (size_t i = 0; i < record->samples.count; i++) {
        add_latency(auditor, who, samples[i].message.boot, (int64_t)samples[i].message.uptime_ms);
    }
}

static void enter(struct dun_auditor *auditor, uint32_t who, struct dun_span device,
                  struct dun_span payload)
{
    const struct dun_parsed *record = &auditor->decoder.record;
    struct dun_coverage *stream = &auditor->streams[who];
    if (!record->batch.has_stream || !record->batch.has_sequence ||
        record->batch.stream != dun_fleet_stream(auditor->fleet, who)) {
        auditor->strangers++;
        return;
    }
    if (stream->device[0] == '\0') {
        dun_coverage_init(stream, device, record->batch.stream);
        stream->recent_count = RECENTS;
    }
    auditor->news_ms = auditor->now;
    if (dun_coverage_take(stream, record, payload)) {
        auditor->records++;
        auditor->points += record->samples.count + record->points;
        add_latencies(auditor, who);
    }
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    struct dun_auditor *auditor = context;
    struct dun_span device;
    enum dun_channel channel;
    struct dun_complaint complaint;
    struct dun_span payload = {message->payload, (size_t)message->payloadlen};
    uint32_t who;
    (void)client;
    if (auditor->fleet == NULL ||
        !dun_topic_split(dun_span_of(message->topic), &device, &channel) ||
        !find(auditor, device, &who)) {
        auditor->strangers++;
        return;
    }
    if (dun_decoder_parse(&auditor->decoder, channel, payload, &complaint) < 0) {
        auditor->rejected++;
        return;
    }
    enter(auditor, who, device, payload);
}

/// Connection ///

static int fail(struct dun_auditor *auditor, int exit_code, const char *what, const char *detail)
{
    auditor->exit_code = exit_code;
    (void)snprintf(auditor->why, sizeof auditor->why, "%s%s%s", what, detail[0] != '\0' ? ": " : "",
                   detail);
    return exit_code;
}

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    struct dun_auditor *auditor = context;
    if (reason != 0) {
        auditor->refused = reason;
        return;
    }
    auditor->connected = true;
    auditor->ready = !auditor->listens;
    if (auditor->listens) {
        (void)mosquitto_subscribe(client, NULL, auditor->filter, 1);
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    struct dun_auditor *auditor = context;
    (void)client;
    (void)id;
    if (count < 1 || granted[0] >= 0x80) {
        (void)fail(auditor, DUN_EXIT_REFUSED, "the broker refused the subscription",
                   auditor->filter);
    }
    auditor->ready = true;
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
    struct dun_auditor *auditor = context;
    (void)client;
    auditor->cleared = auditor->last_clear != 0 && id == auditor->last_clear;
}

static int make_client(struct dun_auditor *auditor, int version, bool clean)
{
    auditor->as.version = version;
    auditor->refused = 0;
    int result = dun_client_make(&auditor->client, &auditor->as, auditor->id, clean, auditor);
    if (auditor->client != NULL) {
        mosquitto_connect_callback_set(auditor->client, on_connect);
        mosquitto_subscribe_callback_set(auditor->client, on_subscribe);
        mosquitto_message_callback_set(auditor->client, on_message);
        mosquitto_publish_callback_set(auditor->client, on_publish);
    }
    return result;
}

static int connect_client(struct dun_auditor *auditor)
{
    const struct dun_broker_options *as = &auditor->as;
    mosquitto_property *properties = NULL;
    if (as->version == MQTT_PROTOCOL_V5) {
        (void)mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                           SESSION_EXPIRY_S);
    }
    int result = mosquitto_connect_bind_v5(auditor->client, as->host, as->port, KEEPALIVE_S, NULL,
                                           properties);
    mosquitto_property_free_all(&properties);
    return result;
}

/* Loops until it is ready, was refused, or the time is over. */
static int wait_ready(struct dun_auditor *auditor)
{
    time_t end = time(NULL) + CONNACK_TIMEOUT_S;
    int result = MOSQ_ERR_SUCCESS;
    while (!auditor->ready && auditor->refused == 0 && auditor->exit_code == 0 &&
           result == MOSQ_ERR_SUCCESS) {
        result = mosquitto_loop(auditor->client, 100, 1);
        if (time(NULL) > end) {
            return MOSQ_ERR_TIMEOUT;
        }
    }
    return auditor->refused != 0 ? MOSQ_ERR_SUCCESS : result;
}

static int try_version(struct dun_auditor *auditor, int version)
{
    int result = make_client(auditor, version, false);
    if (result != MOSQ_ERR_SUCCESS) {
        return fail(auditor, dun_client_make_exit_code(&auditor->as, result),
                    "the client cannot be made", dun_client_why(result));
    }
    result = connect_client(auditor);
    if (result == MOSQ_ERR_SUCCESS) {
        result = wait_ready(auditor);
    }
    if (auditor->refused != 0) {
        return fail(auditor, DUN_EXIT_REFUSED, "the broker refused the connection",
                    dun_client_refusal(&auditor->as, auditor->refused));
    }
    if (result != MOSQ_ERR_SUCCESS) {
        char where[400];
        (void)snprintf(
            where, sizeof where, "%.100s port %u: %s", auditor->as.host, (unsigned)auditor->as.port,
            result == MOSQ_ERR_TIMEOUT ? "no answer to CONNECT" : dun_client_why(result));
        return fail(auditor, dun_client_exit_code(&auditor->as, result), "cannot connect", where);
    }
    return auditor->exit_code;
}

/* The address that answered, so that no device need ask for it. */
static bool take_address(struct dun_auditor *auditor, struct dun_fleet_settings *settings)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    return getpeername(mosquitto_socket(auditor->client), (struct sockaddr *)&peer, &size) == 0 &&
           getnameinfo((struct sockaddr *)&peer, size, settings->host, sizeof settings->host, NULL,
                       0, NI_NUMERICHOST) == 0;
}

int dun_auditor_open(struct dun_auditor *auditor, const struct dun_broker_options *broker,
                     struct dun_fleet_settings *settings, bool listens)
{
    memset(auditor, 0, sizeof *auditor);
    auditor->broker = broker;
    auditor->as = *broker;
    auditor->settings = settings;
    auditor->listens = listens;
    auditor->reconnect_ms = DUN_MS_NEVER;
    (void)snprintf(auditor->id, sizeof auditor->id, "%.40s-audit-%d", settings->id, (int)getpid());
    (void)snprintf(auditor->filter, sizeof auditor->filter, "%s/%s/+/%s", settings->prefix,
                   settings->fleet, settings->encoder == &dun_plain ? "samples" : "batch");
    int result = try_version(auditor, broker->version != 0 ? broker->version : MQTT_PROTOCOL_V5);
    bool older = auditor->refused == REASON_VERSION_311 || auditor->refused == REASON_VERSION_5;
    if (result != 0 && older && broker->version == 0) {
        mosquitto_destroy(auditor->client);
        auditor->exit_code = 0;
        result = try_version(auditor, MQTT_PROTOCOL_V311);
    }
    if (result == 0 && !take_address(auditor, settings)) {
        result = fail(auditor, DUN_EXIT_UNREACHABLE, "the broker's address", strerror(errno));
    }
    return result;
}

bool dun_auditor_attach(struct dun_auditor *auditor, struct dun_fleet *fleet)
{
    auditor->streams = calloc(fleet->count, sizeof *auditor->streams);
    auditor->fleet = fleet;
    return auditor->streams != NULL && dun_decoder_init(&auditor->decoder, NULL) == 0;
}

/// Running ///

int dun_auditor_wait(const struct dun_auditor *auditor, bool *writes)
{
    *writes = auditor->client != NULL && mosquitto_want_write(auditor->client);
    return auditor->client != NULL ? mosquitto_socket(auditor->client) : -1;
}

static void lost(struct dun_auditor *auditor)
{
    auditor->losses += auditor->connected ? 1 : 0;
    auditor->connected = auditor->ready = false;
    auditor->reconnect_ms = auditor->now + RECONNECT_MS;
}

static int move(struct dun_auditor *auditor, bool readable)
{
    int result = MOSQ_ERR_SUCCESS;
    if (readable) {
        result = mosquitto_loop_read(auditor->client, READS_MAX);
    }
    if (result == MOSQ_ERR_SUCCESS && mosquitto_want_write(auditor->client)) {
        result = mosquitto_loop_write(auditor->client, 1);
    }
    if (result == MOSQ_ERR_SUCCESS && auditor->now >= auditor->misc_ms) {
        auditor->misc_ms = auditor->now + MISC_MS;
        result = mosquitto_loop_misc(auditor->client);
    }
    return result;
}

void dun_auditor_step(struct dun_auditor *auditor, bool readable, dun_ms now)
{
    auditor->now = now;
    if (now >= auditor->reconnect_ms) {
        auditor->reconnect_ms = DUN_MS_NEVER;
        auditor->refused = 0;
        if (mosquitto_reconnect_async(auditor->client) != MOSQ_ERR_SUCCESS) {
            lost(auditor);
        }
    } else if (auditor->reconnect_ms == DUN_MS_NEVER &&
               (move(auditor, readable) != MOSQ_ERR_SUCCESS || auditor->refused != 0)) {
        lost(auditor);
    }
}

dun_ms dun_auditor_deadline(const struct dun_auditor *auditor)
{
    return dun_ms_earlier(auditor->misc_ms > auditor->reconnect_ms ? auditor->reconnect_ms
                                                                   : auditor->misc_ms,
                          auditor->reconnect_ms);
}

/// The end ///

static void clear_topic(struct dun_auditor *auditor, uint32_t who, const char *channel, bool last)
{
    const struct dun_fleet_settings *settings = auditor->settings;
    char topic[300];
    (void)snprintf(topic, sizeof topic, "%s/%s/%s-%05u/%s", settings->prefix, settings->fleet,
                   settings->id, (unsigned)(settings->first + who), channel);
    auditor->cleared = false;
    (void)mosquitto_publish(auditor->client, last ? &auditor->last_clear : NULL, topic, 0, NULL,
                            last ? 1 : 0, true);
}

void dun_auditor_clear(struct dun_auditor *auditor)
{
    time_t end = time(NULL) + CLEAR_TIMEOUT_S;
    uint32_t count = auditor->fleet->count;
    bool good = auditor->connected;
    for (uint32_t i = 0; good && i < count; i++) {
        clear_topic(auditor, i, "about", false);
        clear_topic(auditor, i, "catalog", false);
        /* The answer to the last one says that the broker has taken them all. */
        clear_topic(auditor, i, "status", i + 1 == count);
        good =
            i % CLEARED_AT_A_TIME != 0 || mosquitto_loop(auditor->client, 0, 1) == MOSQ_ERR_SUCCESS;
    }
    while (good && !auditor->cleared && time(NULL) <= end) {
        good = mosquitto_loop(auditor->client, 100, 1) == MOSQ_ERR_SUCCESS;
    }
}

/* What is queued goes out, then the DISCONNECT. */
static void say_goodbye(struct dun_auditor *auditor)
{
    time_t end = time(NULL) + CONNACK_TIMEOUT_S;
    while (mosquitto_want_write(auditor->client) && time(NULL) <= end &&
           mosquitto_loop(auditor->client, 50, 1) == MOSQ_ERR_SUCCESS) {
    }
    (void)mosquitto_disconnect(auditor->client);
    while (time(NULL) <= end && mosquitto_loop(auditor->client, 50, 1) == MOSQ_ERR_SUCCESS) {
    }
    mosquitto_destroy(auditor->client);
    auditor->client = NULL;
}

void dun_auditor_close(struct dun_auditor *auditor)
{
    bool reachable = auditor->connected;
    auditor->listens = false;
    if (auditor->client != NULL) {
        say_goodbye(auditor);
    }
    /* A clean session in the place of ours ends it. */
    if (reachable && make_client(auditor, auditor->as.version, true) == MOSQ_ERR_SUCCESS &&
        mosquitto_connect(auditor->client, auditor->as.host, auditor->as.port, KEEPALIVE_S) ==
            MOSQ_ERR_SUCCESS) {
        auditor->ready = false;
        (void)wait_ready(auditor);
        say_goodbye(auditor);
    }
    if (auditor->client != NULL) {
        mosquitto_destroy(auditor->client);
    }
    for (uint32_t i = 0; auditor->streams != NULL && i < auditor->fleet->count; i++) {
        dun_coverage_free(&auditor->streams[i]);
    }
    free(auditor->streams);
    dun_decoder_free(&auditor->decoder);
}

/* Enters what device `who` knows of itself. */
static void compare(struct dun_auditor *auditor, uint32_t who, struct dun_audit *audit)
{
    const struct dun_coverage *stream = &auditor->streams[who];
    uint64_t recorded = dun_fleet_recorded(auditor->fleet, who);
    uint64_t known = stream->records + dun_coverage_lost(stream);
    uint64_t missing = recorded > known ? recorded - known : 0;
    bool ahead = known > recorded;
    audit->recorded += recorded;
    audit->missing += missing;
    audit->ahead += ahead ? 1 : 0;
    if (missing > 0 || ahead || !dun_coverage_complete(stream)) {
        audit->incomplete++;
        (void)snprintf(audit->example, sizeof audit->example, "%s-%05u", auditor->settings->id,
                       (unsigned)(auditor->settings->first + who));
    }
}

struct dun_audit dun_auditor_verdict(struct dun_auditor *auditor)
{
    struct dun_audit audit = {0};
    struct dun_coverage *list = NULL;
    for (uint32_t i = auditor->fleet->count; i-- > 0;) {
        compare(auditor, i, &audit);
        if (auditor->streams[i].device[0] != '\0') {
            auditor->streams[i].next = list;
            list = &auditor->streams[i];
        }
    }
    struct dun_totals totals = dun_verdict_total(list);
    const struct dun_fleet_totals *fleet = &auditor->fleet->totals;
    uint64_t kept = fleet->points;
    audit.streams = totals.streams;
    audit.received = totals.records;
    audit.duplicates = totals.duplicates;
    audit.altered = totals.altered;
    audit.lost = totals.lost;
    audit.lost_points = totals.lost_points;
    audit.points = totals.points;
    audit.points_missing = kept > totals.points ? kept - totals.points : 0;
    /* The points of a record that was told lost nobody counts. */
    bool points_fit =
        totals.lost > 0 ? kept >= totals.points : kept == totals.points + totals.lost_points;
    audit.complete =
        totals.complete && audit.incomplete == 0 && auditor->rejected == 0 && points_fit;
    return audit;
}
