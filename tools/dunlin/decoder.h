/*
 * decoder.h: payload in, points and notes out: parses a message, remembers its dictionaries and
 * anchors, and hands what it holds to a renderer. `decode` and `watch` are two ways to feed it.
 *
 * A record is rendered whole or not at all. Memory is bounded by the limits of parse.h and
 * knowledge.h, time by the size of the payload and DUN_RECORD_ITEMS_MAX.
 */
#ifndef DUN_DECODER_H
#define DUN_DECODER_H

#include "knowledge.h"
#include "render.h"

enum dun_channel {
    DUN_CHANNEL_NONE = 0,
    DUN_CHANNEL_BATCH,
    DUN_CHANNEL_SAMPLES,
    DUN_CHANNEL_ABOUT,
    DUN_CHANNEL_CATALOG,
    DUN_CHANNEL_STORED,
    DUN_CHANNEL_STATUS,
};

struct dun_decoder {
    struct dun_parsed record; /* the last one fed, valid until the next */
    struct dun_knowledge knowledge;
    struct dun_renderer *renderer; /* borrowed; NULL: only learn */
    uint64_t records;
    uint64_t points;
    uint64_t points_unnamed; /* no dictionary */
    uint64_t points_undated; /* no anchor */
};

/* 0, or DUN_E_FULL when memory is out. */
DUN_MUST_USE int dun_decoder_init(struct dun_decoder *decoder, struct dun_renderer *renderer);
void dun_decoder_free(struct dun_decoder *decoder);

/*
 * Takes one payload of `device` from that channel. Returns 0, or DUN_E_CORRUPT with `complaint`:
 * then nothing of it was used. The payload is borrowed during the call, and for decoder->record.
 */
DUN_MUST_USE int dun_decoder_feed(struct dun_decoder *decoder, enum dun_channel channel,
                                  struct dun_span device, struct dun_span payload,
                                  struct dun_complaint *complaint);

/* The same in two steps, for a caller that looks at decoder->record in between. */
DUN_MUST_USE int dun_decoder_parse(struct dun_decoder *decoder, enum dun_channel channel,
                                   struct dun_span payload, struct dun_complaint *complaint);
void dun_decoder_render(struct dun_decoder *decoder, enum dun_channel channel,
                        struct dun_span device, struct dun_span payload);

/* The channel of that name, or NONE. */
enum dun_channel dun_channel_find(struct dun_span name);

/* True for what may name a prefix, fleet or device: [A-Za-z0-9._-]{1,64}. */
bool dun_name_ok(struct dun_span name);

/* Splits prefix/fleet/device/channel. False: not a topic of ours. */
bool dun_topic_split(struct dun_span topic, struct dun_span *device, enum dun_channel *channel);

#endif
