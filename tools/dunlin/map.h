/*
 * map.h: numbers by three numbers: the ids that a database gave.
 */
#ifndef DUN_MAP_H
#define DUN_MAP_H

#include "base.h"

struct dun_stream_known;

struct dun_map_entry {
    uint64_t key[3];
    int64_t value;
    struct dun_stream_known *known; /* where the entry is a stream; the map does not own it */
    bool used;
};

struct dun_map {
    struct dun_map_entry *entries;
    size_t count, capacity;
};

/* NULL: there is none. Valid until the next is added. */
struct dun_map_entry *dun_map_find(const struct dun_map *map, const uint64_t key[3]);

/* A new entry for a key that has none, or NULL when memory is out. */
struct dun_map_entry *dun_map_add(struct dun_map *map, const uint64_t key[3]);

#endif
