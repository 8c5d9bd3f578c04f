/*
 * window.h: the publishes in flight: a ring of 4-byte slots in the order of publishing. A slot's
 * place in the ring is the token that the uplink gives back with the ack.
 */
#ifndef DUN_WINDOW_H
#define DUN_WINDOW_H

#include "base.h"

#define DUN_WINDOW_SEQUENCE_BITS 28

struct dun_window_slot {
    uint32_t sequence : DUN_WINDOW_SEQUENCE_BITS; /* low bits */
    uint32_t lane : 3;
    uint32_t acked : 1;
};

struct dun_window {
    struct dun_window_slot *slots; /* caller-owned */
    uint16_t capacity;             /* 1 to 32,511 */
    uint16_t head;                 /* oldest slot */
    uint16_t count;                /* slots in use */
    uint16_t sent;                 /* of these, published on this connection: the first so many */
};

/* The nth slot from the oldest, and its token. */
struct dun_window_slot *dun_window_at(const struct dun_window *window, uint16_t nth);
uint16_t dun_window_token(const struct dun_window *window, uint16_t nth);

/* The slot published with `token` on this connection and not acknowledged yet, or NULL. */
struct dun_window_slot *dun_window_find(const struct dun_window *window, uint16_t token);

/* Appends a slot; there must be room. */
void dun_window_push(struct dun_window *window, dun_sequence sequence, uint8_t lane);

/* Takes the oldest slot out. */
void dun_window_pop(struct dun_window *window);

/* True if `sequence` is in the window for one of the lanes in the bit set `lanes`. */
bool dun_window_has(const struct dun_window *window, dun_sequence sequence, uint8_t lanes);

/* How many slots `lane` has. */
uint16_t dun_window_lane_count(const struct dun_window *window, uint8_t lane);

/* The whole sequence of a slot: the one nearest to `near` that ends so. */
dun_sequence dun_window_sequence(const struct dun_window_slot *slot, dun_sequence near);

#endif
