/*
 * outbox.h: which record goes out next, and what becomes of it: the lanes, the window, the acks.
 *
 * Lanes share the link: urgent records before all others, live (recorded since the connection came
 * up), the spare store's, backfill (what an outage left behind; it has a share of the window and of
 * the bytes a second), and last the archive of thinned records. Order is kept within a lane. After
 * a lost connection the window is published again first, in the order of old and with the same
 * tokens.
 */
#ifndef DUN_OUTBOX_H
#define DUN_OUTBOX_H

#include "lane.h"
#include "stats.h"
#include "window.h"

/* What frees a record. */
enum dun_ack_mode {
    DUN_ACK_PUBLISHED = 0, /* the broker's PUBACK */
    DUN_ACK_STORED = 1,    /* the recorder's durable cursor on .../stored; PUBACK only paces */
};

enum dun_lane_id {
    DUN_LANE_LIVE,
    DUN_LANE_BACKFILL,
    DUN_LANE_SPARE,
    DUN_LANE_ARCHIVE, /* what thinning kept; freed by the PUBACK in either mode, as the ledger has
                         told it lost */
    DUN_LANE_URGENT,
    DUN_LANE_COUNT,
};

#define DUN_OUTBOX_URGENT_MAX 4 /* ranges of urgent records that are known apart */

/* Urgent records of the durable store, first to below end; those below next were published. */
struct dun_urgent_range {
    dun_sequence first, next, end;
};

struct dun_outbox_config {
    enum dun_ack_mode ack_mode;
    uint32_t ack_persist_ms;   /* acks become durable at least so often */
    uint32_t stored_wait_ms;   /* DUN_ACK_STORED: publish again after so long without progress */
    uint8_t backfill_percent;  /* of the window, 1 to 100; 0: a single lane in strict order */
    uint32_t backfill_bytes_s; /* payload bytes a second; 0: no limit */
};

/* What the broker's answer to a publish means for the record. */
enum dun_verdict {
    DUN_VERDICT_TAKEN,
    DUN_VERDICT_LATER,    /* it is published again, once dun_outbox_in_flight is 0 */
    DUN_VERDICT_REJECTED, /* never: the ledger gets it, with the reason code */
    DUN_VERDICT_TOO_LARGE,
};

/* What a message on .../stored came to. */
enum dun_stored_verdict {
    DUN_STORED_FREED,   /* records were freed */
    DUN_STORED_OLD,     /* it says nothing new */
    DUN_STORED_AHEAD,   /* of what was ever published: not believed */
    DUN_STORED_FOREIGN, /* another stream, such as an earlier log of this device */
};

struct dun_outbox {
    struct dun_outbox_config config; /* set by the caller before start, as the next three */
    struct dun_store *durable;
    struct dun_store *spare;   /* NULL: there is none */
    struct dun_store *archive; /* as well */
    struct dun_stats *stats;
    struct dun_window window;
    struct dun_lane lanes[DUN_LANE_COUNT];
    struct dun_urgent_range urgent[DUN_OUTBOX_URGENT_MAX]; /* in the order of their sequences */
    uint8_t urgent_count;
    dun_ms backfill_ms;        /* when backfill may publish again */
    bool backfill_paused;      /* a record waits for that */
    dun_ms stored_ms;          /* DUN_ACK_STORED: when the far end last freed something */
    dun_sequence published[2]; /* highest sequence published, of the durable store and the spare */
    bool durable_seen;         /* the durable store was mounted in this run */
    bool resending;            /* the window of the last connection is being published again */
    bool swept;                /* the lanes went from their start since a record was last pushed */
    uint16_t later;            /* slots with the verdict LATER */
};

/* Before the first connection, after the stores were mounted. The window's slots are borrowed. */
void dun_outbox_start(struct dun_outbox *outbox);

/* A connection came up: publish the window again, and set the lanes. */
void dun_outbox_restart(struct dun_outbox *outbox, dun_ms now);

/* Finds the record to publish next. False: none now. Until it was published, gives the same. */
bool dun_outbox_next(struct dun_outbox *outbox, dun_ms now);

/* Of the record that dun_outbox_next found: where it lies, and its token. */
const struct dun_lane *dun_outbox_lane(const struct dun_outbox *outbox);
uint16_t dun_outbox_token(const struct dun_outbox *outbox);

/* It was published; or it never can be, as it is too large, and the ledger gets it. */
void dun_outbox_published(struct dun_outbox *outbox, dun_ms now);
void dun_outbox_unpublishable(struct dun_outbox *outbox, dun_ms now);

/*
 * The broker answered the publish `token`, with the reason `code`. Returns its sequence, 0 if
 * there is no such publish in flight: then nothing is freed. A record that is given up stays in
 * the log, where its bytes can be read until its block is recycled.
 */
dun_sequence dun_outbox_acked(struct dun_outbox *outbox, uint16_t token, enum dun_verdict verdict,
                              uint8_t code, dun_ms now);

/* True if a record is freed by the far end's word and not by the broker's. */
static inline bool dun_outbox_waits_for_stored(const struct dun_outbox *outbox)
{
    return dun_has_stored() && outbox->config.ack_mode == DUN_ACK_STORED;
}

/* Publishes on this connection that the broker has not answered. */
uint16_t dun_outbox_in_flight(const struct dun_outbox *outbox);

/* The record published with this token, 0: there is none. */
dun_sequence dun_outbox_sequence(const struct dun_outbox *outbox, uint16_t token);

/* True if there is one such publish and none that is to go again: its token. */
bool dun_outbox_only(const struct dun_outbox *outbox, uint16_t *token);

/* The far end stored all of `stream` up to `sequence`, any number that it may have sent. */
enum dun_stored_verdict dun_outbox_stored(struct dun_outbox *outbox, uint64_t stream,
                                          uint64_t sequence, dun_ms now);

/*
 * Records first..last of the durable store, the newest there are, overtake all that was not
 * published yet; also those recorded without a connection. Of more than DUN_OUTBOX_URGENT_MAX
 * ranges that wait the last two become one: then what lies between is read to be passed by. A
 * reboot forgets them.
 */
void dun_outbox_urgent(struct dun_outbox *outbox, dun_sequence first, dun_sequence last);

/* Records stored and not freed, in all stores. */
dun_sequence dun_outbox_backlog(const struct dun_outbox *outbox);

/* When dun_outbox_next may find something that it does not find now. */
dun_ms dun_outbox_deadline(const struct dun_outbox *outbox);

#endif
