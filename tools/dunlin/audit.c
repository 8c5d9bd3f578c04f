/*
 * audit.c: `dunlin audit`: the verdict over a database, a capture, or a broker. What is not in a
 * database yet goes through the recorder's own path into a private one, so there is one verdict.
 */
#include "audit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "record.h"

#define GAPS_MAX 8

static const char command[] = "dunlin audit";

static const char head_text[] =
    "usage: dunlin audit --db FILE|postgresql://... [OPTIONS]\n"
    "       dunlin audit --framing hex|base64|delimited [OPTIONS] FILE...     (- is stdin)\n"
    "       dunlin audit -L mqtt://HOST[:PORT][/FILTER] -W S [OPTIONS]\n"
    "\n"
    "By device and stream: complete up to where, what is missing, what the device told lost and\n"
    "why, duplicates, boots, clock steps, points without a date. Of a database of `dunlin\n"
    "record`, of a capture (mosquitto_sub -F '%t %x'), or of what a broker sends in S seconds.\n"
    "\n"
    "      --db NAME, --db-password-file FILE   as in dunlin record\n"
    "      --framing FRAMING hex, base64: one a line, behind its topic; delimited: each behind\n"
    "                        its length, of one device\n"
    "      --device ID       only this device; with delimited: whose records they are\n"
    "      --from-first      do not ask for what came before the first record of a stream that is\n"
    "                        there; a capture and a broker are always judged so\n"
    "      --gaps N          gaps and losses listed of a stream, default 8\n"
    "  -f, --format FORMAT   table (default on a terminal) or json (elsewhere)\n"
    "  -W, --timeout S       with -L: listen so long; default: until Ctrl-C\n"
    "\n";

static const char own_help[] =
    "      --help, --version\n"
    "\n"
    "exit codes: 0 complete, 7 not complete or nothing there, 1 runtime error, 2 usage, 3 the\n"
    "            broker was not reached, 4 it refused, 5 TLS, 6 complete, but payloads were\n"
    "            refused, 8 the database cannot be used";

enum option_id {
    OPTION_DATABASE = 1,
    OPTION_DATABASE_PASSWORD,
    OPTION_FRAMING,
    OPTION_DEVICE,
    OPTION_FROM_FIRST,
    OPTION_GAPS,
    OPTION_FORMAT,
    OPTION_TIMEOUT,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    DUN_BROKER_ROWS,
    {OPTION_DATABASE, '\0', true, "db"},
    {OPTION_DATABASE_PASSWORD, '\0', true, "db-password-file"},
    {OPTION_FRAMING, '\0', true, "framing"},
    {OPTION_DEVICE, '\0', true, "device"},
    {OPTION_FROM_FIRST, '\0', false, "from-first"},
    {OPTION_GAPS, '\0', true, "gaps"},
    {OPTION_FORMAT, 'f', true, "format"},
    {OPTION_TIMEOUT, 'W', true, "timeout"},
    {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},
    {0, '\0', false, NULL},
};

struct audit_command {
    struct dun_record_options record; /* for the broker and the database */
    const char **files;
    int file_count;
    bool framed;
    const char *device;
    bool from_first;
    uint64_t gaps;
    bool json;
    struct dun_capture capture;
    struct dun_audit audit;
    struct dun_out out;
};

/// Options ///

static int set_framing(struct audit_command *audit, const char *value)
{
    audit->framed = true;
    if (!dun_capture_framing(value, &audit->capture.framing)) {
        return dun_usage_error(command, "--framing '%.100s' is not hex, base64 or delimited",
                               value);
    }
    return 0;
}

static int set_format(struct audit_command *audit, const char *value)
{
    audit->json = strcmp(value, "json") == 0;
    return audit->json || strcmp(value, "table") == 0
               ? 0
               : dun_usage_error(command, "--format '%.100s' is not table or json", value);
}

static int set_device(struct audit_command *audit, const char *value)
{
    audit->device = value;
    return dun_name_ok(dun_span_of(value))
               ? 0
               : dun_usage_error(command, "--device '%.100s' is not [A-Za-z0-9._-]{1,64}", value);
}

static int set_option(struct audit_command *audit, const struct dun_options *line, int id,
                      const char *value)
{
    if (id >= DUN_BROKER_URL && id < DUN_BROKER_OPTION_END) {
        return dun_broker_set(&audit->record.broker, line, id, value);
    }
    switch (id) {
    case OPTION_DATABASE:
        return dun_option_text(line, id, &audit->record.database, value);
    case OPTION_DATABASE_PASSWORD:
        return dun_option_text(line, id, &audit->record.database_password_file, value);
    case OPTION_FRAMING:
        return set_framing(audit, value);
    case OPTION_DEVICE:
        return set_device(audit, value);
    case OPTION_FROM_FIRST:
        audit->from_first = true;
        return 0;
    case OPTION_GAPS:
        return dun_options_number(line, "--gaps", value, 0, 1000, &audit->gaps) ? 0
                                                                                : DUN_EXIT_USAGE;
    case OPTION_FORMAT:
        return set_format(audit, value);
    case OPTION_TIMEOUT:
        return dun_options_number(line, "-W", value, 1, 1000000000, &audit->record.timeout_s)
                   ? 0
                   : DUN_EXIT_USAGE;
    case OPTION_HELP:
        printf("%s%s%s\n", head_text, dun_broker_help, own_help);
        audit->record.ended = true;
        return 0;
    case OPTION_VERSION:
        puts("dunlin " DUN_VERSION);
        audit->record.ended = true;
        return 0;
    default:
        audit->files[audit->file_count++] = value;
        return 0;
    }
}

static int finish(struct audit_command *audit, const struct dun_options *line)
{
    struct dun_record_options *record = &audit->record;
    int sources = (record->database != NULL ? 1 : 0) + (audit->file_count > 0 ? 1 : 0) +
                  (record->broker.named && record->database == NULL && audit->file_count == 0);
    if (sources != 1) {
        return dun_usage_error(command, "one of --db, a FILE or -L is needed");
    }
    if (audit->file_count > 0 && !audit->framed) {
        return dun_usage_error(command, "a FILE needs --framing");
    }
    if (record->database != NULL && dun_database_tells_password(record->database)) {
        return dun_usage_error(command, "--db with a password in it: every user of this machine "
                                        "could read it; use --db-password-file or ~/.pgpass");
    }
    if (record->database_password_file != NULL) {
        int result = dun_secret_read(line, record->database_password_file,
                                     record->database_password, sizeof record->database_password);
        if (result != 0) {
            return result;
        }
    }
    if (record->database != NULL || audit->file_count > 0) {
        return 0;
    }
    (void)snprintf(record->client_id, sizeof record->client_id, "dunlin-audit-%ld-%ld",
                   (long)getpid(), (long)time(NULL));
    record->broker.client_id =
        record->broker.client_id != NULL ? record->broker.client_id : record->client_id;
    int result = dun_broker_finish(&record->broker, line, "dunlin/#");
    return result == 0 ? dun_record_filters(record, line) : result;
}

static int parse(struct audit_command *audit, int argc, char **argv)
{
    struct dun_options line = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    int result = dun_broker_begin(&audit->record.broker, &line);
    audit->record.broker.version = 5;
    audit->record.clean = audit->record.mute = audit->record.quiet = true;
    audit->record.window = 1024;
    audit->gaps = GAPS_MAX;
    audit->json = isatty(STDOUT_FILENO) != 1;
    while (result == 0) {
        const char *value;
        int id = dun_options_next(&line, &value);
        if (id == DUN_OPTION_END) {
            break;
        }
        result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(audit, &line, id, value);
        if (audit->record.ended) {
            return result;
        }
    }
    return result == 0 ? finish(audit, &line) : result;
}

/// The command ///

static int judge(struct audit_command *audit, struct dun_store *store)
{
    bool whole = audit->record.database != NULL && !audit->from_first;
    audit->audit.gaps_max = (size_t)audit->gaps;
    if (dun_audit_read(&audit->audit, store, audit->device, !whole) != 0) {
        fprintf(stderr, "%s: %s\n", command, store->error);
        return DUN_EXIT_RUNTIME;
    }
    dun_out_init(&audit->out, STDOUT_FILENO);
    if (audit->json) {
        dun_audit_json(&audit->out, &audit->audit);
    } else {
        dun_audit_table(&audit->out, &audit->audit);
    }
    if (!dun_out_flush(&audit->out)) {
        fprintf(stderr, "%s: stdout: %s\n", command, strerror(audit->out.error));
        return DUN_EXIT_RUNTIME;
    }
    if (audit->audit.streams.count == 0) {
        fprintf(stderr, "%s: there is no stream\n", command);
    }
    if (!dun_audit_complete(&audit->audit)) {
        return DUN_EXIT_INCOMPLETE;
    }
    return audit->capture.refused > 0 ? DUN_EXIT_DATA : DUN_EXIT_OK;
}

static int audit_all(struct audit_command *audit)
{
    const struct dun_record_options *record = &audit->record;
    char why[300];
    struct dun_store *store =
        dun_store_open(record->database != NULL ? record->database : "",
                       record->database_password_file != NULL ? record->database_password : NULL,
                       record->database == NULL, why, sizeof why);
    if (store == NULL) {
        fprintf(stderr, "%s: %s: %s\n", command,
                record->database != NULL ? record->database : "a private database", why);
        return DUN_EXIT_DATABASE;
    }
    int result = 0;
    if (audit->file_count > 0) {
        audit->capture.command = command;
        audit->capture.files = audit->files;
        audit->capture.file_count = audit->file_count;
        audit->capture.device = audit->device;
        result = dun_capture_into(&audit->capture, store);
    } else if (record->database == NULL) {
        struct dun_ingest_totals totals = {0};
        result = dun_record_into(record, store, command, &totals);
        audit->capture.refused = totals.refused;
    }
    result = result == 0 ? judge(audit, store) : result;
    store->ops->close(store);
    return result;
}

int dun_audit_main(int argc, char **argv)
{
    struct audit_command *audit = calloc(1, sizeof *audit);
    const char **files = calloc((size_t)argc + 1, sizeof *files);
    int result = DUN_EXIT_RUNTIME;
    if (audit == NULL || files == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
    } else {
        audit->files = files;
        result = parse(audit, argc, argv);
        if (result == 0 && !audit->record.ended) {
            result = audit_all(audit);
        }
        dun_audit_free(&audit->audit);
        dun_record_options_free(&audit->record);
    }
    free(files);
    free(audit);
    return result;
}
