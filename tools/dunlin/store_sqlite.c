/*
 * store_sqlite.c: the store in one SQLite file, in WAL mode: readers never wait for the recorder,
 * nor it for them. A commit is durable when it returns (synchronous = FULL).
 *
 * A file that is not ours is never written to: it must be empty, or hold our schema.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "points.h"

#define BUSY_MS        1000
#define APPLICATION_ID 0x44754C6E /* "DuLn", in the header of the file: file(1) can tell it */

enum bulk {
    BULK_RECORD,
    BULK_CRC,
    BULK_POINTS,
    BULK_STORED,
    BULK_SEQUENCES,
    BULK_TOLD,
    BULK_ADVANCE,
    BULK_COUNT,
};

static const char *const bulk_sql[BULK_COUNT] = {
    [BULK_RECORD] =
        ("INSERT INTO record (stream, sequence, crc, bytes, points, boot, catalog, "
         "boot_unix_ms, uptime_first_ms, uptime_last_ms, received_ms) "
         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING"),
    [BULK_CRC] = "SELECT crc FROM record WHERE stream = ?1 AND sequence = ?2",
    [BULK_POINTS] = "INSERT INTO sample (id, series, real, points) VALUES (?1, ?2, ?3, ?4)",
    /* What is before the first record that is there, and before what the device had then. */
    [BULK_STORED] = ("SELECT max(stored, coalesce(min(began, (SELECT min(sequence) FROM record "
                     "WHERE stream = ?1)), 1) - 1) FROM stream WHERE id = ?1"),
    [BULK_SEQUENCES] = ("SELECT sequence FROM record WHERE stream = ?1 AND sequence > ?2 "
                        "ORDER BY sequence"),
    [BULK_TOLD] = "SELECT max(last) FROM loss WHERE stream = ?1 AND last > ?2 AND first <= ?2 + 1",
    [BULK_ADVANCE] = "UPDATE stream SET stored = ?2 WHERE id = ?1",
};

struct sqlite {
    struct dun_store store;
    sqlite3 *database;
    sqlite3_stmt *shared[DUN_SQL_COUNT]; /* prepared at their first use */
    sqlite3_stmt *bulk[BULK_COUNT];
    struct dun_list json;
};

static int fail(struct sqlite *sqlite, const char *what)
{
    return dun_store_fail(&sqlite->store, what, sqlite3_errmsg(sqlite->database));
}

static int fail_to_open(struct sqlite *sqlite)
{
    char text[200];
    int number = sqlite3_system_errno(sqlite->database);
    (void)snprintf(text, sizeof text, "%s%s%s", sqlite3_errmsg(sqlite->database),
                   number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    return dun_store_fail(&sqlite->store, "", text);
}

static int execute(struct sqlite *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                              : fail(sqlite, "");
}

static sqlite3_stmt *prepared(struct sqlite *sqlite, sqlite3_stmt **slot, const char *sql)
{
    if (*slot == NULL) {
        (void)sqlite3_prepare_v3(sqlite->database, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    }
    return *slot;
}

/* SQLite counts $1 as a name, in the order in which names occur; ?1 is a number. */
static sqlite3_stmt *shared(struct sqlite *sqlite, enum dun_statement which)
{
    char sql[1024];
    if (sqlite->shared[which] != NULL) {
        return sqlite->shared[which];
    }
    size_t length = strlen(dun_store_sql[which]);
    DUN_ASSERT(length < sizeof sql);
    for (size_t i = 0; i <= length; i++) {
        char byte = dun_store_sql[which][i];
        sql[i] = (char)(byte == '$' ? '?' : byte);
    }
    return prepared(sqlite, &sqlite->shared[which], sql);
}

static sqlite3_stmt *bulk(struct sqlite *sqlite, enum bulk which)
{
    return prepared(sqlite, &sqlite->bulk[which], bulk_sql[which]);
}

/// Transactions ///

static int begin(struct dun_store *store)
{
    return execute((struct sqlite *)store, "BEGIN IMMEDIATE");
}

static int commit(struct dun_store *store)
{
    return execute((struct sqlite *)store, "COMMIT");
}

static void rollback(struct dun_store *store)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    if (sqlite3_get_autocommit(sqlite->database) == 0) {
        (void)sqlite3_exec(sqlite->database, "ROLLBACK", NULL, NULL, NULL);
    }
}

/// Small statements ///

static void bind(sqlite3_stmt *statement, int at, const struct dun_bind *value)
{
    switch (value->kind) {
    case DUN_BIND_NULL:
        (void)sqlite3_bind_null(statement, at);
        break;
    case DUN_BIND_NUMBER:
        (void)sqlite3_bind_int64(statement, at, value->number);
        break;
    case DUN_BIND_REAL:
        (void)sqlite3_bind_double(statement, at, value->real);
        break;
    case DUN_BIND_TEXT:
        (void)sqlite3_bind_text64(statement, at,
                                  value->text.size > 0 ? (const char *)value->text.data : "",
                                  value->text.size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    }
}

static int run(struct dun_store *store, enum dun_statement which, const struct dun_bind *binds,
               size_t count, int64_t *number)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    sqlite3_stmt *statement = shared(sqlite, which);
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    for (size_t i = 0; i < count; i++) {
        bind(statement, (int)i + 1, &binds[i]);
    }
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW && number != NULL) {
        *number = sqlite3_column_int64(statement, 0);
    }
    while (result == SQLITE_ROW) {
        result = sqlite3_step(statement);
    }
    int error = result == SQLITE_DONE ? 0 : fail(sqlite, "");
    (void)sqlite3_reset(statement);
    return error;
}

static int query(struct dun_store *store, const char *sql, dun_row_taker *take, void *context)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(sqlite->database, sql, -1, &statement, NULL) != SQLITE_OK) {
        return fail(sqlite, "");
    }
    int columns = sqlite3_column_count(statement);
    const char *cells[32];
    int result;
    bool more = columns <= 32;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW && more) {
        for (int i = 0; i < columns; i++) {
            cells[i] = (const char *)sqlite3_column_text(statement, i);
        }
        more = take(context, cells, (size_t)columns);
    }
    int error = result == SQLITE_DONE || result == SQLITE_ROW ? 0 : fail(sqlite, "");
    (void)sqlite3_finalize(statement);
    return error;
}

/// Records and points ///

static void bind_known(sqlite3_stmt *statement, int at, bool known, int64_t value)
{
    (void)(known ? sqlite3_bind_int64(statement, at, value) : sqlite3_bind_null(statement, at));
}

static int write_points(struct sqlite *sqlite, const struct dun_store_rows *rows,
                        const struct dun_record_row *record)
{
    sqlite3_stmt *statement = bulk(sqlite, BULK_POINTS);
    const struct dun_point_row *points =
        (const struct dun_point_row *)rows->points.items + record->point_first;
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    int64_t id = record->id << 16;
    size_t run;
    for (size_t at = 0; at < record->point_count; at += run) {
        run = dun_points_run(points + at, record->point_count - at);
        sqlite->json.count = 0;
        if (!dun_points_write(&sqlite->json, points + at, run, record->uptime_first_ms)) {
            return dun_store_fail(&sqlite->store, "", "out of memory");
        }
        (void)sqlite3_bind_int64(statement, 1, id++);
        (void)sqlite3_bind_int64(statement, 2, points[at].series);
        (void)sqlite3_bind_int64(statement, 3, points[at].is_real ? 1 : 0);
        (void)sqlite3_bind_text64(statement, 4, sqlite->json.items, sqlite->json.count,
                                  SQLITE_STATIC, SQLITE_UTF8);
        int result = sqlite3_step(statement);
        (void)sqlite3_reset(statement);
        if (result != SQLITE_DONE) {
            return fail(sqlite, "");
        }
    }
    return 0;
}

/* The record is there already: with the same bytes? */
static int compare(struct sqlite *sqlite, struct dun_record_row *record)
{
    sqlite3_stmt *statement = bulk(sqlite, BULK_CRC);
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    (void)sqlite3_bind_int64(statement, 1, record->stream);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)record->sequence);
    int result = sqlite3_step(statement);
    record->state = DUN_RECORD_DUPLICATE;
    if (result == SQLITE_ROW && sqlite3_column_int64(statement, 0) != record->crc) {
        record->state = DUN_RECORD_ALTERED;
    }
    (void)sqlite3_reset(statement);
    return result == SQLITE_ROW ? 0 : fail(sqlite, "");
}

static int write_record(struct sqlite *sqlite, const struct dun_store_rows *rows,
                        struct dun_record_row *record, int64_t now_ms)
{
    sqlite3_stmt *statement = bulk(sqlite, BULK_RECORD);
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    (void)sqlite3_bind_int64(statement, 1, record->stream);
    bind_known(statement, 2, record->has_sequence, (int64_t)record->sequence);
    (void)sqlite3_bind_int64(statement, 3, record->crc);
    (void)sqlite3_bind_int64(statement, 4, record->bytes);
    (void)sqlite3_bind_int64(statement, 5, (int64_t)record->point_count);
    bind_known(statement, 6, record->has_boot, record->boot);
    bind_known(statement, 7, record->has_catalog, record->catalog);
    bind_known(statement, 8, record->has_boot_unix_ms, record->boot_unix_ms);
    bind_known(statement, 9, record->point_count > 0, record->uptime_first_ms);
    bind_known(statement, 10, record->point_count > 0, record->uptime_last_ms);
    (void)sqlite3_bind_int64(statement, 11, now_ms);
    int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    if (result != SQLITE_DONE) {
        return fail(sqlite, "");
    }
    if (sqlite3_changes(sqlite->database) == 0) {
        return compare(sqlite, record);
    }
    record->id = sqlite3_last_insert_rowid(sqlite->database);
    record->state = DUN_RECORD_NEW;
    return write_points(sqlite, rows, record);
}

static int write_rows(struct dun_store *store, struct dun_store_rows *rows, int64_t now_ms)
{
    struct dun_record_row *records = rows->records.items;
    int error = 0;
    for (size_t i = 0; i < rows->records.count && error == 0; i++) {
        error = write_record((struct sqlite *)store, rows, &records[i], now_ms);
    }
    return error;
}

/// Cursors ///

/* The one number that a statement of two gives; `otherwise` where it gives none. */
static int look_up(struct sqlite *sqlite, enum bulk which, int64_t stream, uint64_t sequence,
                   uint64_t otherwise, uint64_t *number)
{
    sqlite3_stmt *statement = bulk(sqlite, which);
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    (void)sqlite3_bind_int64(statement, 1, stream);
    if (which != BULK_STORED) {
        (void)sqlite3_bind_int64(statement, 2, (int64_t)sequence);
    }
    int result = sqlite3_step(statement);
    *number = result == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER
                  ? (uint64_t)sqlite3_column_int64(statement, 0)
                  : otherwise;
    (void)sqlite3_reset(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? 0 : fail(sqlite, "");
}

/* Walks over the records that follow one another. */
static int walk(struct sqlite *sqlite, int64_t stream, uint64_t *sequence)
{
    sqlite3_stmt *statement = bulk(sqlite, BULK_SEQUENCES);
    if (statement == NULL) {
        return fail(sqlite, "");
    }
    (void)sqlite3_bind_int64(statement, 1, stream);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)*sequence);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW &&
           (uint64_t)sqlite3_column_int64(statement, 0) == *sequence + 1) {
        ++*sequence;
    }
    (void)sqlite3_reset(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? 0 : fail(sqlite, "");
}

static int advance_one(struct sqlite *sqlite, struct dun_cursor *cursor)
{
    uint64_t before;
    uint64_t here;
    uint64_t told;
    int error = look_up(sqlite, BULK_STORED, cursor->stream, 0, 0, &before);
    for (here = told = before; error == 0; here = told) {
        error = walk(sqlite, cursor->stream, &here);
        if (error == 0) {
            error = look_up(sqlite, BULK_TOLD, cursor->stream, here, here, &told);
        }
        if (told == here) {
            break;
        }
    }
    cursor->sequence = here;
    if (error == 0) {
        error = look_up(sqlite, BULK_ADVANCE, cursor->stream, here, 0, &told);
    }
    return error;
}

static int advance(struct dun_store *store, struct dun_cursor *cursors, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        error = advance_one((struct sqlite *)store, &cursors[i]);
    }
    return error;
}

/// Opening ///

static void close_store(struct dun_store *store)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    for (size_t i = 0; i < DUN_SQL_COUNT; i++) {
        (void)sqlite3_finalize(sqlite->shared[i]);
    }
    for (size_t i = 0; i < BULK_COUNT; i++) {
        (void)sqlite3_finalize(sqlite->bulk[i]);
    }
    (void)sqlite3_close(sqlite->database);
    free(sqlite->json.items);
    free(sqlite);
}

static const struct dun_store_ops operations = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .run = run,
                                                .write = write_rows,
                                                .advance = advance,
                                                .query = query,
                                                .close = close_store};

static bool take_number(void *context, const char *const *cells, size_t count)
{
    (void)count;
    *(long long *)context = cells[0] != NULL ? atoll(cells[0]) : -1;
    return false;
}

static int make_schema(struct sqlite *sqlite)
{
    int error = begin(&sqlite->store);
    char sql[DUN_SCHEMA_SQL_MAX];
    for (size_t i = 0; error == 0 && dun_store_schema(false, i, sql); i++) {
        error = execute(sqlite, sql);
    }
    char mark[64];
    (void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d", APPLICATION_ID);
    error = error == 0 ? execute(sqlite, mark) : error;
    error = error == 0 ? commit(&sqlite->store) : error;
    if (error != 0) {
        rollback(&sqlite->store);
    }
    return error;
}

/* Whose database this is, before anything is written to it. */
static int check_schema(struct sqlite *sqlite, bool create)
{
    long long tables = 0;
    long long version = -1;
    int error = query(&sqlite->store, "SELECT count(*) FROM sqlite_master", take_number, &tables);
    if (error == 0 && tables == 0) {
        if (create) {
            return make_schema(sqlite);
        }
        return dun_store_fail(&sqlite->store, "", "the database is empty");
    }
    if (error != 0) {
        sqlite->store.foreign = sqlite3_errcode(sqlite->database) == SQLITE_NOTADB;
        return error;
    }
    sqlite->store.foreign = true;
    if (query(&sqlite->store, "SELECT version FROM dunlin_schema", take_number, &version) != 0) {
        return dun_store_fail(&sqlite->store, "", "a database of something else: no dunlin_schema");
    }
    if (version != DUN_STORE_VERSION) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "schema version %lld; this program knows %d: record into another "
                       "database, or use the dunlin that made this one",
                       version, DUN_STORE_VERSION);
        return dun_store_fail(&sqlite->store, "", text);
    }
    sqlite->store.foreign = false;
    return 0;
}

struct dun_store *dun_store_sqlite(const char *file, bool create, char *why, size_t why_size)
{
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL) {
        (void)snprintf(why, why_size, "out of memory");
        return NULL;
    }
    sqlite->store.ops = &operations;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    int error = sqlite3_open_v2(file, &sqlite->database, flags, NULL) == SQLITE_OK
                    ? 0
                    : fail_to_open(sqlite);
    (void)sqlite3_busy_timeout(sqlite->database, BUSY_MS);
    error = error == 0 ? check_schema(sqlite, create) : error;
    if (error == 0 && create) {
        /* 16 MiB of cache; a checkpoint each 4,000 pages moves the WAL into the file. */
        error = execute(sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                                "PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000");
    }
    if (error != 0) {
        (void)snprintf(why, why_size, "%s", sqlite->store.error);
        close_store(&sqlite->store);
        return NULL;
    }
    return &sqlite->store;
}
