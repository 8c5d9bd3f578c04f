/*
 * oracle.h: what a device knows it did, kept outside of it, and the check of a log against that.
 *
 * After any cut: the mount succeeds and writes nothing; what was durable and not acknowledged is
 * there, byte for byte, or the ledger names it and room was needed; nothing comes that was never
 * written; what was acknowledged durably stays so; the ledger names nothing that was delivered; the
 * next sequence is above all that ever was durable.
 */
#ifndef DUN_ORACLE_H
#define DUN_ORACLE_H

#include "log.h"

#define ORACLE_SEQUENCES 4096
#define ORACLE_LOSSES    8
#define ORACLE_CARRIERS  64
#define ORACLE_SIZE_MAX  32000

struct oracle_fact {
    uint16_t version; /* how often this sequence was written; each time with other bytes */
    uint16_t stored;  /* the version that is durable, 0: none */
    bool acked;
    bool acked_durable;
    bool hole;      /* never durable, though later ones are: it will not come */
    bool vague;     /* acknowledged or lost: a cut came between the two */
    bool told_away; /* lost, and the record that told it was acknowledged */
};

struct oracle_carrier {
    uint64_t sequence;
    uint16_t count;
    struct dun_loss losses[ORACLE_LOSSES];
};

struct oracle {
    struct oracle_fact facts[ORACLE_SEQUENCES];
    struct oracle_carrier carriers[ORACLE_CARRIERS]; /* the latest records that told losses */
    uint32_t carrier_next;
    uint64_t top;                              /* highest sequence ever written */
    uint64_t lost_bound;                       /* from this sequence on nothing may be lost */
    uint32_t size_max;                         /* of payloads */
    uint64_t points, points_durable;           /* added to the ledger */
    uint64_t points_told, points_told_durable; /* of these, told in a record acknowledged */
};

/* The payload of one version of a record. Returns its size. */
uint32_t oracle_payload(const struct oracle *oracle, uint64_t sequence, uint16_t version,
                        uint8_t *payload);

void oracle_carries(struct oracle *oracle, uint64_t sequence, const struct dun_ledger *ledger);
void oracle_acked(struct oracle *oracle, uint64_t sequence);

/* All below `next` is durable now; with `acks`, so are all acks and points. */
void oracle_synced(struct oracle *oracle, uint64_t next, bool acks);

/* Compares a log just mounted with what must be. NULL, or what is wrong. */
const char *oracle_check(const struct oracle *oracle, struct dun_log *log,
                         const struct dun_ledger *ledger);

/* After a check that went well: takes what is there as what was done. */
void oracle_adopt(struct oracle *oracle, const struct dun_log *log,
                  const struct dun_ledger *ledger);

/* The sequence that the latest check complained of. */
extern uint64_t oracle_culprit;

#endif
