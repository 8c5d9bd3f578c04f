/*
 * encoder.h: how a record is written: what stands in it beside its points, and the seam between
 * the two forms it may take. A board links the form it names.
 */
#ifndef DUN_ENCODER_H
#define DUN_ENCODER_H

#include <pb_encode.h>

#include "batch.h"
#include "catalog.h"
#include "clock.h"
#include "ledger.h"

/* What a record says. Everything is borrowed while encoding. */
struct dun_record {
    const char *device;
    uint64_t stream;
    dun_sequence sequence;
    const struct dun_clock *clock; /* boot, boot_unix_ms, and anchors that wait */
    const struct dun_catalog *catalog;
    const struct dun_ledger *ledger; /* its first `loss_count` untold entries are written */
    struct dun_batch *batch;
    uint16_t loss_count;
    uint16_t point_count;              /* the first so many points of the batch */
    uint16_t metric_first, metric_end; /* catalog entries to announce; equal: none */
    bool urgent;                       /* thinning keeps it */
    bool telling;                      /* of nothing but losses; a full log keeps room for it */
    uint32_t size_max;                 /* refuse a longer record; 0: what the store takes */
};

struct dun_encoder {
    const char *name;   /* as configuration names it */
    bool announces;     /* the form names metrics by id, so the dictionary must travel too */
    bool integers_only; /* the form has no doubles: see struct dun_metric */
    /* Writes one record. Encoding twice gives the same bytes: once to learn the size, once for
     * real. False if `out` failed. */
    bool (*encode)(pb_ostream_t *out, const struct dun_record *record);
};

/* The channel of a record whose first byte this is: a Batch begins with its stream, a
 * Samples never does. A log may hold both, if the configuration changed. */
const char *dun_record_channel(uint8_t first_byte);

extern const struct dun_encoder dun_columns; /* columns.c: dunlin.v1.Batch, columnar */
extern const struct dun_encoder dun_deltas;  /* deltas.c: the same in the form before, small */
extern const struct dun_encoder dun_plain;   /* plain.c: dunlin.v1.Samples, a row a point */

/* The one that a configuration gets which names none: parts.c. */
const struct dun_encoder *dun_encoder_default(void);

/* Encoding of what the forms share (encoder.c): a Batch, whose points `write_points` adds. */
bool dun_encode_batch(pb_ostream_t *out, const struct dun_record *record,
                      bool (*write_points)(pb_ostream_t *out, const struct dun_record *record));
bool dun_encode_losses(pb_ostream_t *out, uint32_t tag, const struct dun_record *record);
bool dun_encode_anchors(pb_ostream_t *out, uint32_t tag, const struct dun_record *record);

#endif
