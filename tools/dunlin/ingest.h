/*
 * ingest.h: from what devices publish to rows of a store, a transaction at a time: `record`, and
 * `audit` for what is not in a database yet, are two ways to feed it.
 *
 * One transaction: begin, take ..., commit. After any failure: roll back, and begin again with the
 * same messages. Nothing is remembered of what was rolled back.
 */
#ifndef DUN_INGEST_H
#define DUN_INGEST_H

#include "decoder.h"
#include "map.h"
#include "out.h"
#include "store.h"

/* More would not survive as a number of every database. A device that counts a million records a
 * second gets there in 146,000 years. */
#define DUN_SEQUENCE_MAX ((uint64_t)1 << 62)

/* A stream that was met since the start. */
struct dun_stream_known {
    int64_t id;                   /* row of `stream`; 0: to be asked for */
    char *root;                   /* prefix/fleet/device */
    uint64_t stream;              /* 0: of a device without a log */
    uint64_t sequence;            /* the cursor, as of the last commit */
    uint64_t duplicates, altered; /* in this transaction */
    bool touched;                 /* in this transaction */
    bool moved;                   /* by the last commit, or somebody asked by repeating */
    bool planned;                 /* its cursor is to be told; whoever tells keeps this */
};

struct dun_ingest_totals {
    uint64_t records, points, duplicates, altered, refused;
};

struct dun_ingest {
    struct dun_store *store; /* borrowed */
    struct dun_decoder decoder;
    struct dun_store_rows rows;
    struct dun_list losses;  /* struct dun_told_loss */
    struct dun_list anchors; /* struct dun_told_anchor */
    struct dun_list touched; /* struct dun_stream_known *, by id once committed */
    struct dun_list cursors; /* struct dun_cursor */
    struct dun_map map;
    struct dun_ingest_totals totals; /* of what was committed */
    uint64_t refused;                /* in this transaction */
    struct dun_out scratch;
    bool failed; /* out of memory */
};

DUN_MUST_USE int dun_ingest_init(struct dun_ingest *ingest, struct dun_store *store);
void dun_ingest_free(struct dun_ingest *ingest);

DUN_MUST_USE int dun_ingest_begin(struct dun_ingest *ingest);

/*
 * Takes one message; `retained`: from before we listened. 0; DUN_E_IO: the store failed, roll back;
 * DUN_E_CORRUPT with `complaint`: it was refused whole, and counted for its device.
 * DUN_E_NOT_FOUND: not a topic of ours.
 */
DUN_MUST_USE int dun_ingest_take(struct dun_ingest *ingest, struct dun_span topic,
                                 struct dun_span payload, bool retained, int64_t now_ms,
                                 struct dun_complaint *complaint);

/* All that was taken is durable when this returns 0. The cursors of ingest->touched are new. */
DUN_MUST_USE int dun_ingest_commit(struct dun_ingest *ingest, int64_t now_ms);
void dun_ingest_rollback(struct dun_ingest *ingest);

/* A stream that the store knows, so that its cursor can be told; NULL: out of memory. */
struct dun_stream_known *dun_ingest_know(struct dun_ingest *ingest, struct dun_span root,
                                         uint64_t stream, int64_t id);

#endif
