/*
 * record.c: `dunlin record`: from a broker to a database. What was gathered goes into one
 * transaction; after its commit, and not before, its messages are acknowledged and the cursors of
 * its streams are published. So whoever is killed, and whenever: what a device or broker was told
 * is taken is in the database, and what was not told comes again.
 *
 * While the database fails nothing is read and nothing acknowledged; the broker waits for us.
 */
#include "record.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "ingest.h"
#include "subscriber.h"

#define STEP_MS      250
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 5000
#define RETRY_MS     1000 /* a database that failed */
#define REPORT_MS    10000
#define STORED_BYTES 20

struct record {
    const struct dun_record_options *options;
    const char *command;
    struct dun_subscriber subscriber;
    struct dun_store *store;
    struct dun_ingest ingest;
    struct dun_list untold; /* struct dun_stream_known *, whose cursor is to be published */
    size_t told_count;      /* of them, from the front */
    dun_ms connect_at;      /* DUN_MS_NEVER: connected, or on the way */
    int delay_ms;
    bool was_up, is_up, lost_said, told_refused;
    dun_ms store_at; /* a failed transaction is tried again */
    bool failing;
    dun_ms report_at;
    uint64_t ignored;
    int exit_code;
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

static void say(const struct record *record, const char *text, const char *detail)
{
    if (!record->options->quiet) {
        fprintf(stderr, "%s: %s%s%s\n", record->command, text, detail[0] != '\0' ? ": " : "",
                detail);
    }
}

static void end(struct record *record, int exit_code, const char *text, const char *detail)
{
    fprintf(stderr, "%s: %s%s%s\n", record->command, text, detail[0] != '\0' ? ": " : "", detail);
    record->exit_code = exit_code;
    record->done = true;
}

/// Cursors ///

static void plan_telling(struct record *record, struct dun_stream_known *known)
{
    if (record->options->mute || known->stream == 0 || known->sequence == 0 || known->planned) {
        return;
    }
    struct dun_list *untold = &record->untold;
    if (!dun_list_reserve(untold, untold->count + 1, sizeof known)) {
        return; /* its device repeats, and then we try again */
    }
    ((struct dun_stream_known **)untold->items)[untold->count++] = known;
    known->planned = true;
}

/* dunlin.v1.Stored: a fixed64 and a varint. */
static size_t encode_stored(uint8_t bytes[STORED_BYTES], uint64_t stream, uint64_t sequence)
{
    uint8_t *at = bytes;
    *at++ = 1 << 3 | 1;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        *at++ = (uint8_t)(stream >> shift);
    }
    *at++ = 2 << 3;
    for (; sequence >= 0x80; sequence >>= 7) {
        *at++ = (uint8_t)(sequence | 0x80);
    }
    *at++ = (uint8_t)sequence;
    return (size_t)(at - bytes);
}

static bool tell(struct record *record, struct dun_stream_known *known)
{
    char topic[256];
    uint8_t bytes[STORED_BYTES];
    size_t size = encode_stored(bytes, known->stream, known->sequence);
    (void)snprintf(topic, sizeof topic, "%s/stored", known->root);
    return dun_subscriber_tell(&record->subscriber, topic, (struct dun_span){bytes, size}, known);
}

static void hear_answers(struct record *record)
{
    uint8_t reason;
    struct dun_stream_known *known;
    while ((known = dun_subscriber_told(&record->subscriber, &reason)) != NULL) {
        if (reason == DUN_TELL_AGAIN) {
            plan_telling(record, known);
        } else if (reason >= 0x80 && !record->told_refused) {
            char detail[200];
            (void)snprintf(detail, sizeof detail, "%.120s/stored, reason 0x%02X", known->root,
                           (unsigned)reason);
            fprintf(stderr,
                    "%s: the broker does not let us publish: %s; devices with ack = stored "
                    "keep everything\n",
                    record->command, detail);
            record->told_refused = true;
        }
    }
}

static void tell_all(struct record *record)
{
    struct dun_stream_known **untold = record->untold.items;
    hear_answers(record);
    while (record->told_count < record->untold.count && tell(record, untold[record->told_count])) {
        untold[record->told_count++]->planned = false;
    }
    if (record->told_count == record->untold.count) {
        record->told_count = record->untold.count = 0;
    }
}

static bool take_cursor(void *context, const char *const *cells, size_t count)
{
    struct record *record = context;
    (void)count;
    uint64_t stream = (uint64_t)strtoll(cells[1], NULL, 10);
    struct dun_stream_known *known =
        dun_ingest_know(&record->ingest, dun_span_of(cells[0]), stream, atoll(cells[3]));
    if (known != NULL) {
        known->sequence = strtoull(cells[2], NULL, 10);
        plan_telling(record, known);
    }
    return true;
}

/* A broker that has forgotten our session may have forgotten the retained cursors too. */
static void tell_anew(struct record *record)
{
    static const char sql[] =
        "SELECT d.prefix || '/' || d.fleet || '/' || d.device, t.stream, t.stored, t.id "
        "FROM stream t JOIN device d ON d.id = t.device WHERE t.stored > 0 AND t.heard_ms = "
        "(SELECT max(x.heard_ms) FROM stream x WHERE x.device = t.device)";
    if (record->store->ops->query(record->store, sql, take_cursor, record) != 0 &&
        record->options->verbose) {
        say(record, "cursors are not told anew", record->store->error);
    }
}

/// Transactions ///

static void complain(const struct record *record, struct dun_span topic,
                     const struct dun_complaint *complaint)
{
    char place[32] = "";
    if (complaint->offset > 0) {
        (void)snprintf(place, sizeof place, "byte %zu: ", complaint->offset);
    }
    if (!record->options->quiet) {
        fprintf(stderr, "%s: %.*s: refused: %s%s\n", record->command, (int)topic.size,
                (const char *)topic.data, place, complaint->text);
    }
}

static int try_messages(struct record *record, size_t first, size_t count)
{
    int64_t now_ms = dun_host_unix_ms();
    int error = dun_ingest_begin(&record->ingest);
    for (size_t i = first; i < first + count && error == 0; i++) {
        struct dun_complaint complaint = {.offset = 0};
        struct dun_span topic;
        struct dun_span payload;
        bool retained = dun_subscriber_message(&record->subscriber, i, &topic, &payload);
        error = dun_ingest_take(&record->ingest, topic, payload, retained, now_ms, &complaint);
        if (error == DUN_E_CORRUPT) {
            complain(record, topic, &complaint);
        }
        record->ignored += error == DUN_E_NOT_FOUND ? 1 : 0;
        error = error == DUN_E_IO ? error : 0;
    }
    error = error == 0 ? dun_ingest_commit(&record->ingest, now_ms) : error;
    if (error != 0) {
        dun_ingest_rollback(&record->ingest);
        return error;
    }
    struct dun_stream_known **touched = record->ingest.touched.items;
    for (size_t i = 0; i < record->ingest.touched.count; i++) {
        if (touched[i]->moved) {
            plan_telling(record, touched[i]);
        }
    }
    return 0;
}

/* All in one transaction; if the database takes offence at a value, each in its own, so that the
 * one message goes and the others stay. */
static int store_messages(struct record *record)
{
    size_t count = dun_subscriber_count(&record->subscriber);
    int error = try_messages(record, 0, count);
    if (error == 0 || !record->store->refused) {
        return error;
    }
    error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        error = try_messages(record, i, 1);
        if (error != 0 && record->store->refused) {
            struct dun_complaint complaint = {.offset = 0};
            struct dun_span topic;
            struct dun_span payload;
            (void)dun_subscriber_message(&record->subscriber, i, &topic, &payload);
            (void)snprintf(complaint.text, sizeof complaint.text, "%.150s", record->store->error);
            complain(record, topic, &complaint);
            record->ingest.totals.refused++;
            error = 0;
        }
    }
    return error;
}

static void store_gathered(struct record *record, dun_ms now)
{
    if (dun_subscriber_count(&record->subscriber) == 0 || now < record->store_at) {
        return;
    }
    if (store_messages(record) != 0) {
        if (!record->failing) {
            fprintf(stderr, "%s: not stored, nothing is acknowledged, trying again: %s\n",
                    record->command, record->store->error);
        }
        record->failing = true;
        record->store_at = dun_host_ms() + RETRY_MS;
        return;
    }
    if (record->failing) {
        fprintf(stderr, "%s: stored again\n", record->command);
        record->failing = false;
    }
    dun_subscriber_release(&record->subscriber);
    uint64_t wanted = record->options->count;
    record->done = record->done || (wanted > 0 && record->ingest.totals.records >= wanted);
}

/// Connection ///

static void lost(struct record *record, int error)
{
    const struct dun_subscriber *subscriber = &record->subscriber;
    char where[600];
    record->is_up = false;
    record->connect_at = dun_host_ms() + record->delay_ms;
    record->delay_ms = record->delay_ms * 2 < DELAY_MAX_MS ? record->delay_ms * 2 : DELAY_MAX_MS;
    (void)snprintf(where, sizeof where, "%s port %u: %s", record->options->broker.host,
                   (unsigned)record->options->broker.port, subscriber->why);
    bool tls = error == DUN_E_TLS || error == DUN_E_TLS_NAME || error == DUN_E_TLS_DATE ||
               error == DUN_E_TLS_CA;
    if (!record->was_up && (tls || error == DUN_E_REFUSED || error == DUN_E_INVALID)) {
        end(record,
            tls                      ? DUN_EXIT_TLS
            : error == DUN_E_INVALID ? DUN_EXIT_USAGE
                                     : DUN_EXIT_REFUSED,
            "cannot connect", where);
    } else if (!record->lost_said) {
        say(record,
            record->was_up ? "connection lost, trying again" : "cannot connect, trying again",
            where);
        record->lost_said = true;
    }
}

static void came_up(struct record *record)
{
    record->is_up = true;
    record->delay_ms = DELAY_MIN_MS;
    if (record->options->verbose || record->lost_said) {
        say(record, "subscribed at", record->options->broker.host);
    }
    record->was_up = true;
    record->lost_said = false;
    if (!record->subscriber.session_present) {
        tell_anew(record);
    }
}

static void connect_if_due(struct record *record, dun_ms now)
{
    if (now < record->connect_at) {
        return;
    }
    record->connect_at = DUN_MS_NEVER;
    int error = dun_subscriber_open(&record->subscriber, now);
    if (error != 0) {
        lost(record, error);
    }
}

/* What waits for the database is not to grow. A new connection begins with nothing, and whatever
 * comes on it is what the database is tried with next. */
static bool is_deaf(const struct record *record)
{
    return record->failing && dun_subscriber_count(&record->subscriber) > 0;
}

static int wait_of(const struct record *record, dun_ms now)
{
    dun_ms until = now + STEP_MS;
    if (is_deaf(record)) {
        until = dun_ms_earlier(until, record->store_at);
    }
    return (int)(until > now ? until - now : 0);
}

static void nap(dun_ms until)
{
    dun_ms now = dun_host_ms();
    if (until > now) {
        dun_ms left = until - now < STEP_MS ? until - now : STEP_MS;
        struct timespec delay = {0, (long)left * 1000000};
        (void)nanosleep(&delay, NULL);
    }
}

static void report(struct record *record, dun_ms now)
{
    const struct dun_ingest_totals *totals = &record->ingest.totals;
    if (!record->options->verbose || now < record->report_at) {
        return;
    }
    record->report_at = now + REPORT_MS;
    fprintf(stderr, "%s: %llu records, %llu points, %llu duplicates, %llu refused\n",
            record->command, (unsigned long long)totals->records,
            (unsigned long long)totals->points, (unsigned long long)totals->duplicates,
            (unsigned long long)totals->refused);
}

static void step(struct record *record)
{
    dun_ms now = dun_host_ms();
    connect_if_due(record, now);
    if (record->subscriber.state == DUN_SUBSCRIBER_DOWN) {
        nap(record->connect_at);
        return;
    }
    int error =
        dun_subscriber_step(&record->subscriber, now, wait_of(record, now), is_deaf(record));
    if (error != 0) {
        /* What was gathered comes again after the connection does. */
        lost(record, error);
        return;
    }
    if (!record->is_up && record->subscriber.state == DUN_SUBSCRIBER_UP) {
        came_up(record);
    }
    store_gathered(record, dun_host_ms());
    tell_all(record);
    report(record, now);
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

/* The cursors of the last commit leave, and their answers come, within a second. */
static void say_goodbye(struct record *record)
{
    dun_ms until = dun_host_ms() + 1000;
    dun_ms now;
    while (record->is_up && (now = dun_host_ms()) < until &&
           (record->untold.count > 0 || dun_subscriber_telling(&record->subscriber) ||
            record->subscriber.out.count > 0)) {
        if (dun_subscriber_step(&record->subscriber, now, 20, false) != 0) {
            break;
        }
        tell_all(record);
    }
    dun_subscriber_close(&record->subscriber, dun_host_ms());
}

static int run(struct record *record)
{
    const struct dun_record_options *options = record->options;
    const struct dun_subscriber_settings settings = {.broker = &options->broker,
                                                     .filters =
                                                         (const char *const *)options->filters,
                                                     .filter_count = options->filter_count,
                                                     .clean = options->clean,
                                                     .receive_maximum = options->window,
                                                     .session_expiry_s = UINT32_MAX};
    if (dun_ingest_init(&record->ingest, record->store) < 0 ||
        dun_subscriber_init(&record->subscriber, &settings) < 0) {
        end(record, DUN_EXIT_TLS, "cannot start", record->subscriber.why);
        return record->exit_code;
    }
    catch_signals(options->timeout_s);
    record->delay_ms = DELAY_MIN_MS;
    while (!record->done && !stop_requested && !time_is_up) {
        step(record);
    }
    say_goodbye(record);
    if (record->exit_code == 0 && time_is_up && !record->was_up) {
        end(record, DUN_EXIT_UNREACHABLE, "the broker was not reached", record->subscriber.why);
    } else if (record->exit_code == 0 && time_is_up &&
               record->ingest.totals.records < options->count) {
        record->exit_code = DUN_EXIT_RUNTIME;
    }
    return record->exit_code;
}

int dun_record_into(const struct dun_record_options *options, struct dun_store *store,
                    const char *command, struct dun_ingest_totals *totals)
{
    struct record *record = calloc(1, sizeof *record);
    if (record == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
        return DUN_EXIT_RUNTIME;
    }
    record->options = options;
    record->store = store;
    record->command = command;
    int result = run(record);
    *totals = record->ingest.totals;
    dun_subscriber_free(&record->subscriber);
    dun_ingest_free(&record->ingest);
    free(record->untold.items);
    free(record);
    return result;
}

/// The command ///

static void summary(const struct dun_ingest_totals *totals)
{
    fprintf(stderr,
            "dunlin record: stored %llu records, %llu points; duplicates %llu, of them with other "
            "bytes %llu; refused %llu\n",
            (unsigned long long)totals->records, (unsigned long long)totals->points,
            (unsigned long long)totals->duplicates, (unsigned long long)totals->altered,
            (unsigned long long)totals->refused);
}

static int record_all(const struct dun_record_options *options)
{
    struct dun_ingest_totals totals = {0};
    char why[300];
    struct dun_store *store =
        dun_store_open(options->database,
                       options->database_password_file != NULL ? options->database_password : NULL,
                       true, why, sizeof why);
    if (store == NULL) {
        fprintf(stderr, "dunlin record: %s: %s\n", options->database, why);
        return DUN_EXIT_DATABASE;
    }
    int result = dun_record_into(options, store, "dunlin record", &totals);
    if (!options->quiet) {
        summary(&totals);
    }
    store->ops->close(store);
    return result;
}

int dun_record_main(int argc, char **argv)
{
    struct dun_record_options *options = calloc(1, sizeof *options);
    if (options == NULL) {
        fprintf(stderr, "dunlin record: out of memory\n");
        return DUN_EXIT_RUNTIME;
    }
    int result = dun_record_parse(options, argc, argv);
    if (result == 0 && !options->ended) {
        result = record_all(options);
    }
    dun_record_options_free(options);
    free(options);
    return result;
}
