/*
 * log_view.h: a log looked into: mounted on a read-only image, its waiting records read once to
 * learn their dictionaries and anchors, so that a second reading can name and date all of them.
 *
 * Nothing here writes to the image. What reading finds damaged is kept apart from what the device
 * itself had entered in its ledger.
 */
#ifndef DUN_LOG_VIEW_H
#define DUN_LOG_VIEW_H

#include "decoder.h"
#include "log.h"
#include "log_format.h"
#include "log_image.h"

#define DUN_LOG_VIEW_LOSSES   UINT8_MAX /* a state record holds no more */
#define DUN_LOG_VIEW_BOOTS    16        /* the latest ones that dated records tell */
#define DUN_LOG_VIEW_REFUSALS 10        /* lines on stderr about records; the rest is counted */

/* What stands in a waiting record, where it can be told. */
struct dun_log_contents {
    enum dun_channel channel; /* BATCH, SAMPLES, or NONE: neither can be read in it */
    size_t points;
    size_t metrics;
    bool has_boot;
    uint32_t boot;
    bool has_uptime; /* of the earliest and the latest point */
    int64_t uptime_first, uptime_last;
    bool has_time;
    int64_t time_first, time_last; /* unix ms */
};

struct dun_log_view {
    struct dun_log_image image;
    bool blank; /* no log was ever begun there: nothing below is filled */
    struct dun_log log;
    struct dun_log_report report;
    struct dun_ledger ledger; /* damage that this reading found; dated with uptime -1 */
    struct dun_loss found[DUN_LOG_VIEW_LOSSES];
    struct dun_loss told[DUN_LOG_VIEW_LOSSES]; /* the device's ledger */
    uint16_t told_count;
    uint32_t state_size;   /* of the full state record, while it is read; 0: there is none */
    uint64_t state_cursor; /* as the last state record, full or short, has it */
    uint8_t state_done;    /* done ranges that the full one has, if none is behind it */
    uint64_t chain_first;  /* first sequence of the oldest block */
    uint64_t done;         /* sequences acknowledged or given up, as the device knows it */
    uint64_t waiting;      /* records */
    uint64_t first, last;  /* of them */
    uint64_t waiting_size; /* bytes of payload */
    uint64_t unreadable;   /* sequences that should be waiting and are damaged */
    uint64_t refused;      /* waiting records in which no message can be read */
    uint32_t blocks_used, blocks_blank, blocks_stale, blocks_spoilt;
    struct dun_log_contents oldest;
    uint32_t boots[DUN_LOG_VIEW_BOOTS]; /* a ring, `boot_count` were put in */
    int64_t boot_unix_ms[DUN_LOG_VIEW_BOOTS];
    uint32_t boot_count;
    enum dun_channel type; /* NONE: what fits */
    struct dun_span device;
    struct dun_decoder decoder;
    uint8_t unit[256];
    uint8_t payload[DUN_LOG_SIZE_MAX];
};

/* `image` was opened, `decoder` initialised without renderer. 0, or an enum dun_exit after a line
 * on stderr. */
DUN_MUST_USE int dun_log_view_read(struct dun_log_view *view);

/* Takes the next waiting record, from `cursor`; the first one if `cursor` is all 0. 1 and its
 * payload; 0: no more; or DUN_E_IO. */
DUN_MUST_USE int dun_log_view_next(struct dun_log_view *view, struct dun_log_cursor *cursor,
                                   struct dun_span *payload);

/* Parses a payload; decoder.record holds it until the next one. */
void dun_log_view_look(struct dun_log_view *view, struct dun_span payload,
                       struct dun_log_contents *contents, struct dun_complaint *complaint);

/* When a loss was noticed, in unix ms; false if no waiting record tells the time of its boot. */
bool dun_log_view_date(const struct dun_log_view *view, const struct dun_loss *loss,
                       int64_t *unix_ms);

/* Where a record begins in the file. */
uint64_t dun_log_view_byte(const struct dun_log_view *view, const struct dun_log_cursor *cursor);

/* The kind of block `block`, and if it is one of the log's own chain. */
enum dun_log_block_kind dun_log_view_block(const struct dun_log_view *view, uint32_t block,
                                           struct dun_log_opening *opening);

#endif
