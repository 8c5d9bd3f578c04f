/*
 * store_schema.c: the schema and the small statements, as SQL that both back ends understand, but
 * for a few words in braces. What the tables mean is in SCHEMA.md.
 */
#include <stdio.h>
#include <string.h>

#include "store.h"

/* The first sequence of stream t that can be expected: what its device had no more when we came is
 * not, unless it arrived all the same. */
#define FIRST                                                                                      \
    "CASE WHEN t.began IS NULL THEN 1 ELSE coalesce((SELECT min(f.sequence) FROM record f "        \
    "WHERE f.stream = t.id AND f.sequence < t.began), t.began) END"

/* What a double is that is no number. */
#define SPECIAL "p.real = 1 AND e.value IN ('NaN', 'Infinity', '-Infinity')"

/* Words in braces differ between the two: {key} is a row's own number, {time:MS} what a person
 * reads, {each:POINTS} the points of a column as rows of key and value. */
static const char *const tables[] = {
    "CREATE TABLE dunlin_schema (version BIGINT NOT NULL)",
    "INSERT INTO dunlin_schema VALUES (2)",
    "CREATE TABLE device (id {key}, prefix TEXT NOT NULL, fleet TEXT NOT NULL, "
    "device TEXT NOT NULL, status TEXT, status_ms BIGINT, board TEXT, firmware TEXT, "
    "encoding TEXT, stream BIGINT, boot BIGINT, volatile BIGINT, about_ms BIGINT, "
    "refused BIGINT NOT NULL DEFAULT 0, refusal TEXT, UNIQUE (prefix, fleet, device))",
    "CREATE TABLE stream (id {key}, device BIGINT NOT NULL REFERENCES device, "
    "stream BIGINT NOT NULL, stored BIGINT NOT NULL DEFAULT 0, "
    "duplicates BIGINT NOT NULL DEFAULT 0, altered BIGINT NOT NULL DEFAULT 0, heard_ms BIGINT, "
    "began BIGINT, UNIQUE (device, stream))",
    "CREATE TABLE series (id {key}, stream BIGINT NOT NULL REFERENCES stream, "
    "catalog BIGINT NOT NULL, metric BIGINT NOT NULL, name TEXT, unit TEXT, exponent BIGINT, "
    "scale DOUBLE PRECISION, kind BIGINT, attributes TEXT, states TEXT, state TEXT, "
    "UNIQUE (stream, catalog, metric))",
    "CREATE TABLE metric (stream BIGINT NOT NULL REFERENCES stream, catalog BIGINT NOT NULL, "
    "id BIGINT NOT NULL, base BIGINT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, "
    "exponent BIGINT NOT NULL, scale DOUBLE PRECISION NOT NULL, kind BIGINT NOT NULL, "
    "attributes TEXT, states TEXT, PRIMARY KEY (stream, catalog, id))",
    "CREATE TABLE boot (stream BIGINT NOT NULL REFERENCES stream, boot BIGINT NOT NULL, "
    "anchor_uptime_ms BIGINT, anchor_unix_ms BIGINT, PRIMARY KEY (stream, boot))",
    "CREATE TABLE anchor (stream BIGINT NOT NULL REFERENCES stream, sequence BIGINT, "
    "boot BIGINT NOT NULL, uptime_ms BIGINT NOT NULL, unix_ms BIGINT NOT NULL, "
    "cause BIGINT NOT NULL)",
    "CREATE INDEX anchor_of ON anchor (stream, boot, uptime_ms)",
    "CREATE TABLE loss (stream BIGINT NOT NULL REFERENCES stream, sequence BIGINT, "
    "first BIGINT, last BIGINT, reason BIGINT NOT NULL, points BIGINT, boot BIGINT, "
    "uptime_ms BIGINT, code BIGINT)",
    "CREATE INDEX loss_of ON loss (stream, last)",
    /* Their numbers are given by us: those of samples follow from their record's. */
    "CREATE TABLE record (id {own}, stream BIGINT NOT NULL, sequence BIGINT, "
    "crc BIGINT NOT NULL, bytes BIGINT NOT NULL, points BIGINT NOT NULL, boot BIGINT, "
    "catalog BIGINT, boot_unix_ms BIGINT, uptime_first_ms BIGINT, uptime_last_ms BIGINT, "
    "received_ms BIGINT NOT NULL, UNIQUE (stream, sequence))",
    "CREATE TABLE sample (id {own}, series BIGINT NOT NULL, real BIGINT NOT NULL, "
    "points TEXT NOT NULL)",
    "CREATE VIEW points AS SELECT d.fleet, d.device, coalesce(s.name, '#' || s.metric) AS metric, "
    "s.unit, {time:r.uptime_first_ms + {key:e.key} + coalesce(r.boot_unix_ms, b.anchor_unix_ms - "
    "b.anchor_uptime_ms)} AS time, "
    "r.uptime_first_ms + {key:e.key} + coalesce(r.boot_unix_ms, b.anchor_unix_ms - "
    "b.anchor_uptime_ms) AS time_ms, "
    "CASE WHEN " SPECIAL " THEN NULL WHEN p.real = 1 THEN {double:e.value} WHEN s.exponent < 0 "
    "THEN {int:e.value} / s.scale "
    "ELSE {int:e.value} * coalesce(s.scale, 1.0) END AS value, "
    "coalesce(s.state, CASE WHEN p.real = 0 AND s.states IS NOT NULL AND "
    "{int:e.value} BETWEEN 0 AND 9999 THEN {state:e.value} END) AS state, "
    "CASE WHEN p.real = 0 THEN {int:e.value} END AS scaled, s.exponent, s.attributes, "
    "{hex8:r.boot} AS boot, r.uptime_first_ms + {key:e.key} AS uptime_ms, "
    "{hex16:t.stream} AS stream, r.sequence, CASE WHEN " SPECIAL " THEN e.value END AS special "
    "FROM device d CROSS JOIN stream t CROSS JOIN record r CROSS JOIN sample p "
    "CROSS JOIN series s CROSS JOIN {each:p.points} e LEFT JOIN boot b "
    "ON b.stream = r.stream AND b.boot = r.boot "
    "WHERE t.device = d.id AND r.stream = t.id AND p.id >= r.id * 65536 "
    "AND p.id < (r.id + 1) * 65536 AND s.id = p.series",
    "CREATE VIEW devices AS SELECT d.fleet, d.device, d.status, {time:d.status_ms} AS "
    "status_time, d.board, d.firmware, {hex16:t.stream} AS stream, " FIRST " AS "
    "complete_from, t.stored AS complete_up_to, (SELECT max(r.sequence) FROM record r WHERE "
    "r.stream = t.id) AS newest, "
    "(SELECT count(*) FROM boot b WHERE b.stream = t.id) AS boots, t.duplicates, t.altered, "
    "d.refused, {time:t.heard_ms} AS heard FROM device d LEFT JOIN stream t ON t.device = d.id",
    /* What is missing lies between intervals that were received or told lost; what was told lost
     * and did not arrive all the same is listed entry by entry. */
    "CREATE VIEW gaps AS WITH begun AS (SELECT t.id, " FIRST " AS first FROM stream t "
    "WHERE t.began > 1), known AS (SELECT stream, sequence AS first, sequence AS last "
    "FROM record WHERE sequence IS NOT NULL UNION ALL SELECT stream, first, last FROM loss "
    "WHERE first IS NOT NULL UNION ALL SELECT id, 1, first - 1 FROM begun), "
    "walk AS (SELECT stream, first, coalesce(max(last) OVER (PARTITION BY stream "
    "ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before "
    "FROM known), "
    "gap AS (SELECT stream, before + 1 AS first, first - 1 AS last, 'missing' AS reason, "
    "NULL AS told_ms FROM walk WHERE first > before + 1 "
    "UNION ALL SELECT l.stream, l.first, l.last, CASE l.reason WHEN 1 THEN 'overflow' "
    "WHEN 2 THEN 'damaged' WHEN 3 THEN 'storage' WHEN 4 THEN 'rejected' WHEN 5 THEN 'too_large' "
    "WHEN 6 THEN 'merged' WHEN 7 THEN 'thinned' ELSE 'unspecified' END, "
    "l.uptime_ms + coalesce(r.boot_unix_ms, b.anchor_unix_ms - b.anchor_uptime_ms) "
    "FROM loss l LEFT JOIN record r ON r.stream = l.stream AND r.sequence = l.sequence "
    "AND r.boot = l.boot LEFT JOIN boot b ON b.stream = l.stream AND b.boot = l.boot "
    "WHERE l.first IS NOT NULL AND l.last - l.first + 1 > (SELECT count(*) FROM record x "
    "WHERE x.stream = l.stream AND x.sequence BETWEEN l.first AND l.last) "
    "UNION ALL SELECT id, 1, first - 1, 'before_recorder', NULL FROM begun WHERE first > 1) "
    "SELECT d.fleet, d.device, {hex16:t.stream} AS stream, g.first, g.last, g.reason, "
    "{time:g.told_ms} AS told FROM gap g JOIN stream t ON t.id = g.stream "
    "JOIN device d ON d.id = t.device",
};
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

/* Ids of records are taken from the sequence in blocks of 1024, so that each recorder can number
 * its rows before it writes them. The function locks the stream's row and then looks again: of two
 * recorders whose transactions overlap the second sees what the first committed. */
static const char *const postgres_only[] = {
    /* What a hostile device says may be no date of PostgreSQL. */
    "CREATE FUNCTION dunlin_time(ms BIGINT) RETURNS TIMESTAMPTZ LANGUAGE sql IMMUTABLE STRICT AS "
    "$$ SELECT CASE WHEN ms BETWEEN -62135596800000 AND 253402300799999 "
    "THEN to_timestamp(ms / 1000.0) END $$",
    "CREATE SEQUENCE record_block",
    "CREATE FUNCTION dunlin_advance(which BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$\n"
    "DECLARE old BIGINT; here BIGINT; next BIGINT;\n"
    "BEGIN\n"
    "  SELECT t.stored, t.began INTO old, next FROM stream t WHERE t.id = which FOR UPDATE;\n"
    "  SELECT min(r.sequence) INTO here FROM record r WHERE r.stream = which;\n"
    "  here := CASE WHEN next IS NULL OR here IS NULL THEN old\n"
    "    ELSE greatest(old, least(next, here) - 1) END;\n"
    "  LOOP\n"
    "    FOR next IN SELECT r.sequence FROM record r WHERE r.stream = which\n"
    "        AND r.sequence > here ORDER BY r.sequence LOOP\n"
    "      EXIT WHEN next <> here + 1;\n"
    "      here := next;\n"
    "    END LOOP;\n"
    "    SELECT max(l.last) INTO next FROM loss l WHERE l.stream = which AND l.last > here\n"
    "        AND l.first <= here + 1;\n"
    "    EXIT WHEN next IS NULL;\n"
    "    here := next;\n"
    "  END LOOP;\n"
    "  IF here > old THEN UPDATE stream SET stored = here WHERE id = which; END IF;\n"
    "  RETURN here;\n"
    "END $$",
};
#define POSTGRES_ONLY_COUNT (sizeof postgres_only / sizeof postgres_only[0])

struct dialect {
    const char *name, *before, *after;
};

static const struct dialect dialects[2][10] = {
    {{"key}", "INTEGER PRIMARY KEY", ""},
     {"own}", "INTEGER PRIMARY KEY", ""},
     {"time:", "strftime('%Y-%m-%dT%H:%M:%fZ', (", ") / 1000.0, 'unixepoch')"},
     {"each:", "json_each(", ")"},
     {"key:", "CAST(nullif(", ", '') AS INTEGER)"},
     {"int:", "", ""},
     {"double:", "", ""},
     {"state:", "json_extract(s.states, '$[' || ", " || ']')"},
     {"hex8:", "printf('%08x', ", ")"},
     {"hex16:", "printf('%016x', ", ")"}},
    {{"key}", "BIGINT PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY", ""},
     {"own}", "BIGINT PRIMARY KEY", ""},
     {"time:", "dunlin_time(", ")"},
     {"each:", "LATERAL json_each_text((", ")::json)"},
     {"key:", "nullif(", ", '')::bigint"},
     {"int:", "(", ")::bigint"},
     {"double:", "(", ")::double precision"},
     {"state:", "s.states::json ->> (", ")::int"},
     {"hex8:", "lpad(to_hex(", "), 8, '0')"},
     {"hex16:", "lpad(to_hex(", "), 16, '0')"}},
};

static char *put(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

/* Writes `from` as this back end has it; `sql` has room for it. Braces may hold braces. */
static void translate(const struct dialect dialect[10], const char *from, char *sql)
{
    const char *after[4];
    size_t open = 0;
    while (*from != '\0') {
        size_t plain = strcspn(from, open > 0 ? "{}" : "{");
        sql = put(sql, from, plain);
        from += plain;
        if (*from == '}') {
            open--;
            sql = put(sql, after[open], strlen(after[open]));
            from++;
        } else if (*from == '{') {
            const struct dialect *found = dialect;
            while (strncmp(from + 1, found->name, strlen(found->name)) != 0) {
                found++;
            }
            from += 1 + strlen(found->name);
            sql = put(sql, found->before, strlen(found->before));
            if (from[-1] != '}') {
                after[open++] = found->after;
            }
        }
    }
    *sql = '\0';
}

bool dun_store_schema(bool postgres, size_t index, char sql[DUN_SCHEMA_SQL_MAX])
{
    size_t first = postgres ? POSTGRES_ONLY_COUNT : 0;
    if (index >= first + TABLE_COUNT) {
        return false;
    }
    const char *from = index < first ? postgres_only[index] : tables[index - first];
    DUN_ASSERT(strlen(from) < DUN_SCHEMA_SQL_MAX / 2);
    translate(dialects[postgres ? 1 : 0], from, sql);
    return true;
}

/* A dictionary is a chain of announcements, from the newest to the one that begins at id 0. The
 * walk ends, whatever a hostile sender made up: a UNION takes each catalog once. */
#define NAMED                                                                                      \
    "UPDATE series SET (name, unit, exponent, scale, kind, attributes, states) = ("                \
    "SELECT m.name, m.unit, m.exponent, m.scale, m.kind, m.attributes, m.states FROM metric m "    \
    "WHERE m.stream = series.stream AND m.id = series.metric AND m.catalog IN ("                   \
    "WITH RECURSIVE chain(catalog) AS (SELECT series.catalog UNION SELECT b.base "                 \
    "FROM chain JOIN metric b ON b.stream = series.stream AND b.catalog = chain.catalog "          \
    "WHERE b.base <> 0) SELECT catalog FROM chain) LIMIT 1) WHERE name IS NULL AND catalog >= 0 "

const char *const dun_store_sql[DUN_SQL_COUNT] = {
    [DUN_SQL_DEVICE] = "INSERT INTO device (prefix, fleet, device) VALUES ($1, $2, $3) "
                       "ON CONFLICT (prefix, fleet, device) DO UPDATE SET device = "
                       "excluded.device RETURNING id",
    [DUN_SQL_STREAM] = "INSERT INTO stream (device, stream) VALUES ($1, $2) "
                       "ON CONFLICT (device, stream) DO UPDATE SET stream = excluded.stream "
                       "RETURNING id",
    [DUN_SQL_SERIES] = "INSERT INTO series (stream, catalog, metric) VALUES ($1, $2, $3) "
                       "ON CONFLICT (stream, catalog, metric) DO UPDATE SET metric = "
                       "excluded.metric RETURNING id",
    [DUN_SQL_PLAIN] = "INSERT INTO series (stream, catalog, metric, name, unit, attributes, "
                      "state, exponent, scale) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1) "
                      "ON CONFLICT (stream, catalog, metric) DO UPDATE SET name = excluded.name "
                      "RETURNING id",
    [DUN_SQL_NAME_SERIES] = NAMED "AND id = $1",
    [DUN_SQL_NAME_STREAM] = NAMED "AND stream = $1",
    [DUN_SQL_METRICS] = "SELECT count(*) FROM metric WHERE stream = $1 AND catalog = $2",
    [DUN_SQL_METRIC] = "INSERT INTO metric (stream, catalog, id, base, name, unit, exponent, "
                       "scale, kind, attributes, states) VALUES ($1, $2, $3, $4, $5, $6, $7, "
                       "$8, $9, $10, $11) ON CONFLICT DO NOTHING",
    [DUN_SQL_BOOT] = "INSERT INTO boot (stream, boot) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [DUN_SQL_ANCHOR] = "INSERT INTO anchor (stream, sequence, boot, uptime_ms, unix_ms, cause) "
                       "VALUES ($1, $2, $3, $4, $5, $6)",
    [DUN_SQL_DATE] = "INSERT INTO boot (stream, boot, anchor_uptime_ms, anchor_unix_ms) "
                     "VALUES ($1, $2, $3, $4) ON CONFLICT (stream, boot) DO UPDATE SET "
                     "anchor_uptime_ms = excluded.anchor_uptime_ms, "
                     "anchor_unix_ms = excluded.anchor_unix_ms "
                     "WHERE boot.anchor_uptime_ms IS NULL OR "
                     "excluded.anchor_uptime_ms >= boot.anchor_uptime_ms",
    [DUN_SQL_LOSS] = "INSERT INTO loss (stream, sequence, first, last, reason, points, boot, "
                     "uptime_ms, code) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [DUN_SQL_HEARD] = "UPDATE stream SET duplicates = duplicates + $2, altered = altered + $3, "
                      "heard_ms = $4 WHERE id = $1",
    [DUN_SQL_STATUS] = "UPDATE device SET status = $2, status_ms = $3 WHERE id = $1",
    [DUN_SQL_BEGAN] = "UPDATE stream SET began = $2 WHERE id = $1 AND began IS NULL",
    [DUN_SQL_ABOUT] = "UPDATE device SET board = $2, firmware = $3, encoding = $4, stream = $5, "
                      "boot = $6, volatile = $7, about_ms = $8 WHERE id = $1",
    [DUN_SQL_REFUSED] = "UPDATE device SET refused = refused + $2, refusal = $3 WHERE id = $1",
};

/// What the back ends share ///

int dun_store_fail(struct dun_store *store, const char *what, const char *why)
{
    (void)snprintf(store->error, sizeof store->error, "%s%s%s", what, what[0] != '\0' ? ": " : "",
                   why);
    store->error[strcspn(store->error, "\n")] = '\0';
    return DUN_E_IO;
}

bool dun_store_is_postgres(const char *name)
{
    return strncmp(name, "postgresql://", 13) == 0 || strncmp(name, "postgres://", 11) == 0;
}

struct dun_store *dun_store_open(const char *name, const char *password, bool create, char *why,
                                 size_t why_size)
{
    return dun_store_is_postgres(name) ? dun_store_postgres(name, password, create, why, why_size)
                                       : dun_store_sqlite(name, create, why, why_size);
}
