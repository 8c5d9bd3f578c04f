/*
 * store_postgres.c: the store in a PostgreSQL database, which several recorders may share. It lies
 * in the first schema of the connection's search_path. A transaction is a handful of round trips,
 * whatever the number of its records: they go as arrays, their points by COPY in binary form.
 *
 * A lost connection fails the transaction and is made anew at the next `begin`.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "points.h"

#define BINDS_MAX    16
#define BLOCK_SIZE   1024 /* ids of records that one nextval stands for */
#define COPY_CHUNK   65536
#define RECORD_TERMS 11

/* Growing text. */
struct text {
    char *data;
    size_t used;
    size_t room;
    bool failed;
};

struct postgres {
    struct dun_store store;
    PGconn *connection;
    bool prepared[DUN_SQL_COUNT];
    bool create;
    int64_t next_id; /* of a record; ids_left of them are ours */
    int64_t ids_left;
    struct text columns[RECORD_TERMS];
    struct dun_list copy; /* char */
    struct text texts;
};

/// Results ///

static int fail(struct postgres *postgres, const PGresult *result)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *why = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    postgres->store.refused =
        state != NULL && state[0] == '2' && (state[1] == '2' || state[1] == '3');
    return dun_store_fail(&postgres->store, "",
                          why != NULL ? why : PQerrorMessage(postgres->connection));
}

/* Takes `result` and gives 0 if it has this status. */
static int expect(struct postgres *postgres, PGresult *result, ExecStatusType status)
{
    int error = PQresultStatus(result) == status ? 0 : fail(postgres, result);
    PQclear(result);
    return error;
}

static int execute(struct postgres *postgres, const char *sql)
{
    return expect(postgres, PQexec(postgres->connection, sql), PGRES_COMMAND_OK);
}

/// Text ///

static char *room_for(struct text *text, size_t size)
{
    if (text->used + size > text->room) {
        size_t room = (text->used + size) * 2 + 1024;
        char *data = realloc(text->data, room);
        if (data == NULL) {
            text->failed = true;
            return NULL;
        }
        text->data = data;
        text->room = room;
    }
    return text->data + text->used;
}

static void add_number(struct text *text, bool known, int64_t number)
{
    char *at = room_for(text, DUN_OUT_NUMBER + 8);
    if (at == NULL) {
        return;
    }
    char *from = at;
    *at++ = text->used == 0 ? '{' : ',';
    if (known) {
        at = dun_text_i64(at, number);
    } else {
        memcpy(at, "NULL", 4);
        at += 4;
    }
    text->used += (size_t)(at - from);
}

static const char *array_of(struct text *text)
{
    char *at = room_for(text, 3);
    if (at != NULL) {
        memcpy(at, text->used == 0 ? "{}" : "}", text->used == 0 ? 3 : 2);
    }
    return text->data;
}

/// Small statements ///

static int prepare(struct postgres *postgres, enum dun_statement which, char name[16])
{
    (void)snprintf(name, 16, "s%d", (int)which);
    if (postgres->prepared[which]) {
        return 0;
    }
    int error =
        expect(postgres, PQprepare(postgres->connection, name, dun_store_sql[which], 0, NULL),
               PGRES_COMMAND_OK);
    postgres->prepared[which] = error == 0;
    return error;
}

/* The value as text in `number`, or a copy in `texts`. NULL: null. */
static const char *text_of(const struct dun_bind *value, char number[DUN_OUT_NUMBER],
                           struct text *texts)
{
    switch (value->kind) {
    case DUN_BIND_NUMBER:
        *dun_text_i64(number, value->number) = '\0';
        return number;
    case DUN_BIND_REAL:
        (void)snprintf(number, DUN_OUT_NUMBER, "%.17g", value->real);
        return number;
    case DUN_BIND_TEXT: {
        char *at = texts->data + texts->used;
        if (value->text.size > 0) {
            memcpy(at, value->text.data, value->text.size);
        }
        at[value->text.size] = '\0';
        texts->used += value->text.size + 1;
        return at;
    }
    case DUN_BIND_NULL:
        break;
    }
    return NULL;
}

static int run(struct dun_store *store, enum dun_statement which, const struct dun_bind *binds,
               size_t count, int64_t *number)
{
    struct postgres *postgres = (struct postgres *)store;
    const char *values[BINDS_MAX];
    char numbers[BINDS_MAX][DUN_OUT_NUMBER];
    char name[16];
    size_t bytes = 1;
    DUN_ASSERT(count <= BINDS_MAX);
    for (size_t i = 0; i < count; i++) {
        bytes += binds[i].kind == DUN_BIND_TEXT ? binds[i].text.size + 1 : 0;
    }
    postgres->texts.used = 0;
    if (room_for(&postgres->texts, bytes) == NULL) {
        return dun_store_fail(store, "", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = text_of(&binds[i], numbers[i], &postgres->texts);
    }
    int error = prepare(postgres, which, name);
    if (error != 0) {
        return error;
    }
    PGresult *result =
        PQexecPrepared(postgres->connection, name, (int)count, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK && PQntuples(result) > 0 && number != NULL) {
        *number = atoll(PQgetvalue(result, 0, 0));
    }
    error = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ? 0 : fail(postgres, result);
    PQclear(result);
    return error;
}

/* Rows as they come: the answer may be larger than memory. */
static int query(struct dun_store *store, const char *sql, dun_row_taker *take, void *context)
{
    struct postgres *postgres = (struct postgres *)store;
    const char *cells[32];
    bool more = true;
    int error = 0;
    if (PQsendQuery(postgres->connection, sql) == 0) {
        return fail(postgres, NULL);
    }
    (void)PQsetSingleRowMode(postgres->connection);
    PGresult *result;
    while ((result = PQgetResult(postgres->connection)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        int columns = PQnfields(result);
        if (status == PGRES_SINGLE_TUPLE && more && columns <= 32) {
            for (int i = 0; i < columns; i++) {
                cells[i] = PQgetisnull(result, 0, i) ? NULL : PQgetvalue(result, 0, i);
            }
            more = take(context, cells, (size_t)columns);
        } else if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
            error = fail(postgres, result);
        }
        PQclear(result);
    }
    return error;
}

/// Records ///

/* Recorders that write at the same time number their records apart. */
static int take_ids(struct postgres *postgres)
{
    PGresult *result = PQexec(postgres->connection, "SELECT nextval('record_block')");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return expect(postgres, result, PGRES_TUPLES_OK);
    }
    postgres->next_id = atoll(PQgetvalue(result, 0, 0)) * BLOCK_SIZE;
    postgres->ids_left = BLOCK_SIZE;
    PQclear(result);
    return 0;
}

static void add_record(struct postgres *postgres, struct dun_record_row *record)
{
    struct text *to = postgres->columns;
    bool points = record->point_count > 0;
    record->id = postgres->next_id++;
    record->state = DUN_RECORD_DUPLICATE;
    postgres->ids_left--;
    add_number(to++, true, record->id);
    add_number(to++, true, record->stream);
    add_number(to++, record->has_sequence, (int64_t)record->sequence);
    add_number(to++, true, record->crc);
    add_number(to++, true, record->bytes);
    add_number(to++, true, (int64_t)record->point_count);
    add_number(to++, record->has_boot, record->boot);
    add_number(to++, record->has_catalog, record->catalog);
    add_number(to++, record->has_boot_unix_ms, record->boot_unix_ms);
    add_number(to++, points, record->uptime_first_ms);
    add_number(to++, points, record->uptime_last_ms);
}

static PGresult *send_columns(struct postgres *postgres, const char *sql, size_t count)
{
    const char *values[RECORD_TERMS];
    for (size_t i = 0; i < count; i++) {
        values[i] = array_of(&postgres->columns[i]);
    }
    return PQexecParams(postgres->connection, sql, (int)count, NULL, values, NULL, NULL, 0);
}

static void clear_columns(struct postgres *postgres)
{
    for (size_t i = 0; i < RECORD_TERMS; i++) {
        postgres->columns[i].used = 0;
    }
}

/* The ids are ascending, in the rows as well as in the answer. */
static void mark_new(struct dun_store_rows *rows, const PGresult *result)
{
    struct dun_record_row *records = rows->records.items;
    size_t at = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t id = atoll(PQgetvalue(result, i, 0));
        while (at < rows->records.count && records[at].id < id) {
            at++;
        }
        if (at < rows->records.count && records[at].id == id) {
            records[at].state = DUN_RECORD_NEW;
        }
    }
}

static int insert_records(struct postgres *postgres, struct dun_store_rows *rows)
{
    static const char sql[] =
        "WITH made AS (INSERT INTO record (id, stream, sequence, crc, bytes, points, boot, "
        "catalog, boot_unix_ms, uptime_first_ms, uptime_last_ms, received_ms) "
        "SELECT u.*, (extract(epoch FROM now()) * 1000)::bigint FROM unnest($1::bigint[], "
        "$2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
        "$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]) u "
        "ON CONFLICT (stream, sequence) DO NOTHING RETURNING id) SELECT id FROM made ORDER BY id";
    struct dun_record_row *records = rows->records.items;
    clear_columns(postgres);
    for (size_t i = 0; i < rows->records.count; i++) {
        int error = postgres->ids_left == 0 ? take_ids(postgres) : 0;
        if (error != 0) {
            return error;
        }
        add_record(postgres, &records[i]);
    }
    PGresult *result = send_columns(postgres, sql, RECORD_TERMS);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return expect(postgres, result, PGRES_TUPLES_OK);
    }
    mark_new(rows, result);
    PQclear(result);
    return 0;
}

/* Of those that were there already: which have other bytes? */
static int find_altered(struct postgres *postgres, struct dun_store_rows *rows)
{
    static const char sql[] = "SELECT u.nth FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], "
                              "$4::bigint[]) u(nth, stream, sequence, crc) JOIN record r "
                              "ON r.stream = u.stream AND r.sequence = u.sequence "
                              "WHERE r.crc <> u.crc";
    struct dun_record_row *records = rows->records.items;
    size_t found = 0;
    clear_columns(postgres);
    for (size_t i = 0; i < rows->records.count; i++) {
        if (records[i].state != DUN_RECORD_NEW) {
            add_number(&postgres->columns[0], true, (int64_t)i);
            add_number(&postgres->columns[1], true, records[i].stream);
            add_number(&postgres->columns[2], true, (int64_t)records[i].sequence);
            add_number(&postgres->columns[3], true, records[i].crc);
            found++;
        }
    }
    if (found == 0) {
        return 0;
    }
    PGresult *result = send_columns(postgres, sql, 4);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return expect(postgres, result, PGRES_TUPLES_OK);
    }
    for (int i = 0; i < PQntuples(result); i++) {
        records[atoll(PQgetvalue(result, i, 0))].state = DUN_RECORD_ALTERED;
    }
    PQclear(result);
    return 0;
}

/// Points, by COPY in binary form (PostgreSQL manual, COPY, Binary Format) ///

static uint8_t *put_be(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) {
        *at++ = (uint8_t)(value >> (8 * (i - 1)));
    }
    return at;
}

#define ROW_HEAD 42 /* a count of two bytes, three fields of 4 + 8, the length of the fourth */

/* Room for the head of a row whose JSON follows. */
static void put_head(uint8_t *at, int64_t id, const struct dun_point_row *point, size_t json_size)
{
    const uint64_t fields[] = {(uint64_t)id, (uint64_t)point->series, point->is_real ? 1 : 0};
    at = put_be(at, 4, 2);
    for (size_t i = 0; i < 3; i++) {
        at = put_be(put_be(at, 8, 4), fields[i], 8);
    }
    (void)put_be(at, json_size, 4);
}

static bool send_copy(struct postgres *postgres, size_t keep)
{
    if (postgres->copy.count <= keep) {
        return true;
    }
    bool sent =
        PQputCopyData(postgres->connection, postgres->copy.items, (int)postgres->copy.count) == 1;
    postgres->copy.count = 0;
    return sent;
}

static bool copy_points(struct postgres *postgres, const struct dun_store_rows *rows,
                        const struct dun_record_row *record)
{
    const struct dun_point_row *points =
        (const struct dun_point_row *)rows->points.items + record->point_first;
    struct dun_list *copy = &postgres->copy;
    int64_t id = record->id << 16;
    size_t run;
    for (size_t at = 0; at < record->point_count; at += run) {
        run = dun_points_run(points + at, record->point_count - at);
        size_t head = copy->count;
        if (!dun_list_reserve(copy, head + ROW_HEAD, 1)) {
            return false;
        }
        copy->count += ROW_HEAD;
        if (!dun_points_write(copy, points + at, run, record->uptime_first_ms)) {
            return false;
        }
        put_head((uint8_t *)copy->items + head, id++, &points[at], copy->count - head - ROW_HEAD);
        if (!send_copy(postgres, COPY_CHUNK)) {
            return false;
        }
    }
    return true;
}

static int write_points(struct postgres *postgres, const struct dun_store_rows *rows)
{
    static const uint8_t head[19] = "PGCOPY\n\377\r\n"; /* and its NUL, flags, no extension */
    const struct dun_record_row *records = rows->records.items;
    int error = expect(postgres,
                       PQexec(postgres->connection, "COPY sample (id, series, real, points) "
                                                    "FROM STDIN (FORMAT binary)"),
                       PGRES_COPY_IN);
    if (error != 0) {
        return error;
    }
    struct dun_list *copy = &postgres->copy;
    copy->count = 0;
    bool good = dun_list_reserve(copy, sizeof head, 1);
    if (good) {
        memcpy(copy->items, head, sizeof head);
        copy->count = sizeof head;
    }
    for (size_t i = 0; i < rows->records.count && good; i++) {
        good = records[i].state != DUN_RECORD_NEW || copy_points(postgres, rows, &records[i]);
    }
    good = good && dun_list_reserve(copy, copy->count + 2, 1);
    if (good) {
        memset((uint8_t *)copy->items + copy->count, 0xFF, 2); /* the end */
        copy->count += 2;
        good = send_copy(postgres, 0);
    }
    (void)PQputCopyEnd(postgres->connection, good ? NULL : "given up");
    error = expect(postgres, PQgetResult(postgres->connection), PGRES_COMMAND_OK);
    PQclear(PQgetResult(postgres->connection));
    return error;
}

static int write_rows(struct dun_store *store, struct dun_store_rows *rows, int64_t now_ms)
{
    struct postgres *postgres = (struct postgres *)store;
    if (rows->records.count == 0) {
        return 0;
    }
    (void)now_ms; /* the server's clock is the same for all recorders */
    int error = insert_records(postgres, rows);
    error = error == 0 ? find_altered(postgres, rows) : error;
    if (error == 0 && rows->points.count > 0) {
        error = write_points(postgres, rows);
    }
    return error;
}

/// Cursors ///

static int advance(struct dun_store *store, struct dun_cursor *cursors, size_t count)
{
    struct postgres *postgres = (struct postgres *)store;
    clear_columns(postgres);
    for (size_t i = 0; i < count; i++) {
        add_number(&postgres->columns[0], true, cursors[i].stream);
    }
    PGresult *result = send_columns(
        postgres, "SELECT dunlin_advance(id) FROM unnest($1::bigint[]) WITH ORDINALITY u(id, nth)",
        1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != (int)count) {
        return expect(postgres, result, PGRES_COMMAND_OK);
    }
    for (size_t i = 0; i < count; i++) {
        cursors[i].sequence = (uint64_t)atoll(PQgetvalue(result, (int)i, 0));
    }
    PQclear(result);
    return 0;
}

/// Connection ///

static bool take_number(void *context, const char *const *cells, size_t count)
{
    (void)count;
    *(long long *)context = cells[0] != NULL ? atoll(cells[0]) : -1;
    return true;
}

/* Whose tables these are. Recorders that start together make the schema one after the other. */
static int check_schema(struct postgres *postgres)
{
    struct dun_store *store = &postgres->store;
    long long ours = 0;
    long long others = 0;
    int error = execute(postgres, "BEGIN");
    error = error == 0
                ? query(store, "SELECT pg_advisory_xact_lock(8299978001)", take_number, &ours)
                : error;
    ours = 0;
    error = error == 0 ? query(store,
                               "SELECT count(*) FROM pg_class WHERE relname = "
                               "'dunlin_schema' AND relnamespace = "
                               "current_schema()::regnamespace",
                               take_number, &ours)
                       : error;
    error = error == 0 ? query(store,
                               "SELECT count(*) FROM pg_class WHERE relname IN ('device', "
                               "'stream', 'record', 'sample', 'series', 'metric', 'boot', "
                               "'anchor', 'loss', 'points', 'devices', 'gaps') AND "
                               "relnamespace = current_schema()::regnamespace",
                               take_number, &others)
                       : error;
    if (error == 0 && ours == 0 && (others > 0 || !postgres->create)) {
        store->foreign = true;
        return dun_store_fail(store, "",
                              others > 0 ? "tables of something else: no dunlin_schema"
                                         : "the database is empty");
    }
    char sql[DUN_SCHEMA_SQL_MAX];
    for (size_t i = 0; error == 0 && ours == 0 && dun_store_schema(true, i, sql); i++) {
        error = execute(postgres, sql);
    }
    long long version = -1;
    error = error == 0 ? query(store, "SELECT version FROM dunlin_schema", take_number, &version)
                       : error;
    error = error == 0 ? execute(postgres, "COMMIT") : error;
    if (error == 0 && version != DUN_STORE_VERSION) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "schema version %lld; this program knows %d: record into another "
                       "database, or use the dunlin that made this one",
                       version, DUN_STORE_VERSION);
        store->foreign = true;
        return dun_store_fail(store, "", text);
    }
    return error;
}

static bool take_nothing(void *context, const char *const *cells, size_t count)
{
    (void)context;
    (void)cells;
    (void)count;
    return true;
}

static void keep_quiet(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* A new session knows no prepared statement. */
static int greet(struct postgres *postgres)
{
    memset(postgres->prepared, 0, sizeof postgres->prepared);
    (void)PQsetNoticeProcessor(postgres->connection, keep_quiet, NULL);
    if (PQstatus(postgres->connection) != CONNECTION_OK) {
        return fail(postgres, NULL);
    }
    int error = execute(postgres, "SET client_encoding = 'UTF8'");
    /* A server may be set to say that a commit is durable before it is. */
    error = error == 0 ? query(&postgres->store,
                               "SELECT set_config('synchronous_commit', 'on', false) WHERE "
                               "current_setting('synchronous_commit') = 'off'",
                               take_nothing, NULL)
                       : error;
    return error == 0 ? check_schema(postgres) : error;
}

static int begin(struct dun_store *store)
{
    struct postgres *postgres = (struct postgres *)store;
    store->refused = false;
    if (PQstatus(postgres->connection) != CONNECTION_OK) {
        PQreset(postgres->connection);
        int error = greet(postgres);
        if (error != 0) {
            return error;
        }
    }
    return execute(postgres, "BEGIN");
}

static int commit(struct dun_store *store)
{
    struct postgres *postgres = (struct postgres *)store;
    PGresult *result = PQexec(postgres->connection, "COMMIT");
    /* What was aborted is rolled back by COMMIT, which then says so and succeeds. */
    bool done =
        PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), "COMMIT") == 0;
    int error = done ? 0 : fail(postgres, result);
    PQclear(result);
    return error;
}

static void rollback(struct dun_store *store)
{
    struct postgres *postgres = (struct postgres *)store;
    if (PQstatus(postgres->connection) == CONNECTION_OK &&
        PQtransactionStatus(postgres->connection) != PQTRANS_IDLE) {
        PQclear(PQexec(postgres->connection, "ROLLBACK"));
    }
}

static void close_store(struct dun_store *store)
{
    struct postgres *postgres = (struct postgres *)store;
    PQfinish(postgres->connection);
    for (size_t i = 0; i < RECORD_TERMS; i++) {
        free(postgres->columns[i].data);
    }
    free(postgres->copy.items);
    free(postgres->texts.data);
    free(postgres);
}

static const struct dun_store_ops operations = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .run = run,
                                                .write = write_rows,
                                                .advance = advance,
                                                .query = query,
                                                .close = close_store};

struct dun_store *dun_store_postgres(const char *url, const char *password, bool create, char *why,
                                     size_t why_size)
{
    const char *const names[] = {"dbname", "password", "fallback_application_name", NULL};
    const char *const values[] = {url, password, "dunlin", NULL};
    struct postgres *postgres = calloc(1, sizeof *postgres);
    if (postgres == NULL) {
        (void)snprintf(why, why_size, "out of memory");
        return NULL;
    }
    postgres->store.ops = &operations;
    postgres->create = create;
    postgres->connection = PQconnectdbParams(names, values, 1);
    if (greet(postgres) != 0) {
        (void)snprintf(why, why_size, "%s", postgres->store.error);
        close_store(&postgres->store);
        return NULL;
    }
    return &postgres->store;
}
