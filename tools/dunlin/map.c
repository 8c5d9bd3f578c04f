/*
 * map.c: open addressing; the capacity is a power of two, and half of it stays empty.
 */
#include "map.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const uint64_t key[3])
{
    uint64_t hash = 0;
    for (size_t i = 0; i < 3; i++) {
        hash = (hash ^ key[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static struct dun_map_entry *slot_of(struct dun_map_entry *entries, size_t capacity,
                                     const uint64_t key[3])
{
    size_t at = (size_t)hash_of(key) & (capacity - 1);
    while (entries[at].used && memcmp(entries[at].key, key, sizeof entries[at].key) != 0) {
        at = (at + 1) & (capacity - 1);
    }
    return &entries[at];
}

struct dun_map_entry *dun_map_find(const struct dun_map *map, const uint64_t key[3])
{
    struct dun_map_entry *entry =
        map->capacity > 0 ? slot_of(map->entries, map->capacity, key) : NULL;
    return entry != NULL && entry->used ? entry : NULL;
}

struct dun_map_entry *dun_map_add(struct dun_map *map, const uint64_t key[3])
{
    if (map->count * 2 >= map->capacity) {
        size_t capacity = map->capacity == 0 ? 1024 : map->capacity * 2;
        struct dun_map_entry *entries = calloc(capacity, sizeof *entries);
        if (entries == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < map->capacity; i++) {
            if (map->entries[i].used) {
                *slot_of(entries, capacity, map->entries[i].key) = map->entries[i];
            }
        }
        free(map->entries);
        map->entries = entries;
        map->capacity = capacity;
    }
    struct dun_map_entry *entry = slot_of(map->entries, map->capacity, key);
    memcpy(entry->key, key, sizeof entry->key);
    entry->used = true;
    map->count++;
    return entry;
}
