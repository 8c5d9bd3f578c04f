/*
 * store.h: the database of `dunlin record`: one schema (SCHEMA.md), two back ends, SQLite and
 * PostgreSQL, chosen by what `--db` names. It knows rows and transactions, and no MQTT.
 *
 * Nothing is durable before `commit` returned 0. After any failure `error` says why in one
 * line, and the transaction must be rolled back; it may be tried again.
 */
#ifndef DUN_STORE_H
#define DUN_STORE_H

#include "parse.h"

#define DUN_STORE_VERSION 2 /* of the schema */

/* A value to bind. */
struct dun_bind {
    enum { DUN_BIND_NULL, DUN_BIND_NUMBER, DUN_BIND_REAL, DUN_BIND_TEXT } kind;
    int64_t number;
    double real;
    struct dun_span text;
};

/* The small statements that both back ends share: each takes its binds in order and gives at most
 * one number. Their text is in store_schema.c. */
enum dun_statement {
    DUN_SQL_DEVICE,      /* prefix, fleet, device -> id */
    DUN_SQL_STREAM,      /* device, stream -> id */
    DUN_SQL_SERIES,      /* stream, catalog, metric -> id, unnamed if new */
    DUN_SQL_PLAIN,       /* the same of a plain sample, + name, unit, attributes, state */
    DUN_SQL_NAME_SERIES, /* id: named by the dictionary that its catalog stands for */
    DUN_SQL_NAME_STREAM, /* stream: the same for all that have no name */
    DUN_SQL_METRICS,     /* stream, catalog -> how many of them are known */
    DUN_SQL_METRIC,  /* stream, catalog, id, base, name, unit, exponent, scale, kind, attributes,
                        states */
    DUN_SQL_BOOT,    /* stream, boot */
    DUN_SQL_ANCHOR,  /* stream, sequence, boot, uptime, unix, cause */
    DUN_SQL_DATE,    /* stream, boot, uptime, unix: the boot is dated by its latest anchor */
    DUN_SQL_LOSS,    /* stream, sequence, first, last, reason, points, boot, uptime, code */
    DUN_SQL_HEARD,   /* stream, duplicates, altered, now */
    DUN_SQL_STATUS,  /* device, text, now */
    DUN_SQL_BEGAN,   /* stream, the oldest sequence of its device: the first word on it holds */
    DUN_SQL_ABOUT,   /* device, board, firmware, encoding, stream, boot, volatile, now */
    DUN_SQL_REFUSED, /* device, how many, why */
    DUN_SQL_COUNT,
};

/* One row of `record` with what hangs on it. */
struct dun_record_row {
    int64_t id;     /* given by `write` */
    int64_t stream; /* row of `stream` */
    bool has_sequence;
    uint64_t sequence;
    uint32_t crc;
    uint32_t bytes;
    bool has_catalog, has_boot, has_boot_unix_ms;
    uint32_t catalog, boot;
    int64_t boot_unix_ms;
    int64_t uptime_first_ms, uptime_last_ms; /* of its points */
    size_t point_first, point_count;         /* in struct dun_store_rows */
    enum { DUN_RECORD_NEW, DUN_RECORD_DUPLICATE, DUN_RECORD_ALTERED } state;
    struct dun_stream_known *known; /* of ingest.c */
};

struct dun_point_row {
    int64_t series;
    int64_t uptime_ms;
    int64_t value; /* scaled integer, or */
    double real;   /* if is_real */
    uint32_t nth;  /* of points.c */
    bool has_uptime, is_real;
};

/* What one transaction writes. */
struct dun_store_rows {
    struct dun_list records; /* struct dun_record_row */
    struct dun_list points;  /* struct dun_point_row: of a record those of a series together */
};

/* How far a stream is complete. */
struct dun_cursor {
    int64_t stream;    /* row of `stream` */
    uint64_t sequence; /* all up to here is stored, or told lost */
};

struct dun_store {
    const struct dun_store_ops *ops;
    char error[300]; /* of the last failure, one line */
    bool foreign;    /* not a database of ours, or of another version: trying again is no use */
    bool refused;    /* the database took offence at a value: without its record the rest goes */
};

/* Gets the cells of a row as text, NULL where it is null. False ends the query. */
typedef bool dun_row_taker(void *context, const char *const *cells, size_t count);

/*
 * What a back end does. All return 0 or DUN_E_IO. `run`: `number` may be NULL. `write`: each record
 * gets its id and state, and only the points of new ones are written. `advance` moves cursors, in
 * ascending order of their streams, to what is contiguous in the store.
 */
struct dun_store_ops {
    int (*begin)(struct dun_store *store);
    int (*commit)(struct dun_store *store);
    void (*rollback)(struct dun_store *store);
    int (*run)(struct dun_store *store, enum dun_statement statement, const struct dun_bind *binds,
               size_t count, int64_t *number);
    int (*write)(struct dun_store *store, struct dun_store_rows *rows, int64_t now_ms);
    int (*advance)(struct dun_store *store, struct dun_cursor *cursors, size_t count);
    int (*query)(struct dun_store *store, const char *sql, dun_row_taker *take, void *context);
    void (*close)(struct dun_store *store);
};

/*
 * Opens FILE, or postgresql://... (also postgres://, and key=value words with a dbname). Makes the
 * schema in an empty database if `create`. NULL: `why` has one line. An empty name is a private
 * database that vanishes with the process. `password` may be NULL.
 */
struct dun_store *dun_store_open(const char *name, const char *password, bool create, char *why,
                                 size_t why_size);
bool dun_store_is_postgres(const char *name);

/// For the back ends ///

extern const char *const dun_store_sql[DUN_SQL_COUNT];

struct dun_store *dun_store_sqlite(const char *file, bool create, char *why, size_t why_size);
struct dun_store *dun_store_postgres(const char *url, const char *password, bool create, char *why,
                                     size_t why_size);

/* The statements that make the schema, one after the other; false at the end. */
#define DUN_SCHEMA_SQL_MAX 8192
bool dun_store_schema(bool postgres, size_t index, char sql[DUN_SCHEMA_SQL_MAX]);

/* Keeps one line in store->error; returns DUN_E_IO. */
int dun_store_fail(struct dun_store *store, const char *what, const char *why);

#endif
