/*
 * audit.h: what a database knows about each stream, as a verdict: what arrived, what is missing,
 * what the ledger explains. Reading and printing are two files.
 */
#ifndef DUN_AUDIT_H
#define DUN_AUDIT_H

#include "coverage.h"
#include "out.h"
#include "store.h"

struct dun_audit_loss {
    uint64_t first, last; /* 0: points without a sequence */
    uint64_t points;
    uint32_t reason;
    bool has_told;
    int64_t told_ms; /* when the device learnt of it */
};

struct dun_audit_stream {
    int64_t id; /* row of `stream` */
    char *fleet;
    struct dun_coverage coverage;
    struct dun_list losses; /* struct dun_audit_loss */
    uint64_t refused;       /* payloads of its device */
    uint64_t boots;
    uint64_t before;  /* all up to here its device had no more when the recorder came */
    uint64_t undated; /* points */
    bool has_undated;
    uint64_t undated_sequence; /* the oldest record with such points */
    int64_t undated_ms;        /* and when it came */
    uint64_t steps;            /* of the clock */
    uint64_t step_ms;          /* the largest */
};

struct dun_audit {
    struct dun_list streams; /* struct dun_audit_stream, by id */
    size_t gaps_max;         /* listed of a stream */
    bool failed;             /* out of memory */
};

/* Reads all streams, or those of `device`. `from_first`: what came before the first record that is
 * there is not asked for. 0, or DUN_E_IO with store->error. */
DUN_MUST_USE int dun_audit_read(struct dun_audit *audit, struct dun_store *store,
                                const char *device, bool from_first);
void dun_audit_free(struct dun_audit *audit);

/* False without a stream. */
bool dun_audit_complete(const struct dun_audit *audit);

void dun_audit_json(struct dun_out *out, const struct dun_audit *audit);
void dun_audit_table(struct dun_out *out, const struct dun_audit *audit);

#endif
