/*
 * thinner.h: what a long outage leaves when the log is full: all recent records, every k-th old
 * one, and everything urgent.
 *
 * Before the log gives up its oldest block, the records of it that shall stay are copied, byte for
 * byte, into an archive: a second log, smaller, that does the same with its own oldest block. So
 * the older, the sparser, and the archive never runs out. The log's ledger tells the whole range as
 * THINNED: what of it arrives all the same arrived (SPEC.md, Losses). Copies are made early, so a
 * power cut at any moment costs a duplicate at most.
 */
#ifndef DUN_THINNER_H
#define DUN_THINNER_H

#include "store.h"

struct dun_thinner {
    struct dun_store *store;   /* its overflow policy is DUN_LOG_THIN */
    struct dun_store *archive; /* DUN_LOG_DROP_OLDEST */
    uint32_t keep_every;       /* k, 2 or more */
    dun_sequence saved;        /* the archive has what stays of all below it, since this boot */
    uint32_t store_serial;     /* the blocks whose successors were dealt with */
    uint32_t archive_serial;
};

/*
 * To be called before each append to the store and each sync of its acks: saves what they may take.
 * 0, or an error of the archive: then the records in question are simply lost, as the ledger tells.
 * Cost: nothing unless the store opened a block since; then the victims of up to
 * DUN_LOG_OPENINGS_MAX blocks are read, and what was not copied in this boot is copied.
 */
DUN_MUST_USE int dun_thinner_tick(struct dun_thinner *thinner);

#endif
