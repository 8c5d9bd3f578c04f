/*
 * messages.h: the retained messages that are made when they are sent: `about` and `catalog`. They
 * are read in pieces through dun_wire_window, so they need no buffer of their own. And the one
 * message that comes back: `stored`.
 */
#ifndef DUN_MESSAGES_H
#define DUN_MESSAGES_H

#include <pb_encode.h>

#include "catalog.h"

/* A limit of the board's profile, told in `about`. */
struct dun_knob {
    const char *name;
    uint64_t value;
};

/* Everything is borrowed. */
struct dun_about {
    const char *device;
    const char *fleet;
    const char *board;
    const char *firmware;
    const char *encoding;
    const struct dun_knob *knobs;
    uint16_t knob_count;
    uint64_t stream;
    uint64_t oldest_sequence; /* of `stream`, that its log still holds or will give next */
    uint32_t boot;
    bool volatile_stream;
    const struct dun_catalog
        *catalog; /* its first `metric_count` entries, of hash `catalog_hash` */
    uint16_t metric_count;
    uint32_t catalog_hash;
};

/* Bodies for dun_wire_size and dun_wire_window; the context of both is a struct dun_about. */
bool dun_about_write(pb_ostream_t *out, const void *about);
bool dun_catalog_write(pb_ostream_t *out, const void *about);

struct dun_stored {
    uint64_t stream;
    uint64_t sequence;
};

/* Decodes a dunlin.v1.Stored. False for what is none, or lacks a field. */
DUN_MUST_USE bool dun_stored_read(struct dun_span payload, struct dun_stored *stored);

#endif
