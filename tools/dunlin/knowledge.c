/*
 * knowledge.c: one hash table of facts. A fact is an announcement (a link: the metrics it adds and
 * the hash of the dictionary they extend) or an anchor, named by kind, device, stream and a 32-bit
 * id.
 *
 * A dictionary is found by walking from link to base. The walk ends: each step must lead to ids
 * below those of the step before, whatever hashes a hostile sender makes up.
 */
#include "knowledge.h"

#include <stdlib.h>
#include <string.h>

#include "out.h"

enum fact_kind {
    FACT_METRICS = 1,
    FACT_ANCHOR = 2,
};

struct fact_name {
    enum fact_kind kind;
    uint32_t id; /* a dictionary's hash, or a boot */
    uint64_t stream;
    struct dun_span device;
};

struct dun_fact {
    struct fact_name name;
    uint32_t base;
    size_t metric_count;
    struct dun_metric_text *metrics; /* in the same allocation, as are their strings */
    uint64_t uptime_ms;
    int64_t unix_ms;
};

void dun_knowledge_init(struct dun_knowledge *knowledge)
{
    memset(knowledge, 0, sizeof *knowledge);
}

void dun_knowledge_free(struct dun_knowledge *knowledge)
{
    for (size_t i = 0; i < knowledge->slot_count; i++) {
        free(knowledge->slots[i]);
    }
    free(knowledge->slots);
    dun_knowledge_init(knowledge);
}

/// The table ///

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static uint64_t hash_of(const struct fact_name *name)
{
    uint64_t hash = mix(mix((uint64_t)name->kind, name->stream), name->id);
    for (size_t i = 0; i < name->device.size; i++) {
        hash = mix(hash, name->device.data[i]);
    }
    return hash;
}

static bool same_name(const struct fact_name *a, const struct fact_name *b)
{
    return a->kind == b->kind && a->id == b->id && a->stream == b->stream &&
           dun_span_equal(a->device, b->device);
}

/* The slot that holds `name`, or the empty one where it belongs. The table is never full. */
static size_t slot_of(struct dun_fact *const *slots, size_t slot_count,
                      const struct fact_name *name)
{
    size_t at = (size_t)hash_of(name) & (slot_count - 1);
    while (slots[at] != NULL && !same_name(&slots[at]->name, name)) {
        at = (at + 1) & (slot_count - 1);
    }
    return at;
}

static struct dun_fact *find(const struct dun_knowledge *knowledge, enum fact_kind kind,
                             struct dun_span device, uint64_t stream, uint32_t id)
{
    struct fact_name name = {kind, id, stream, device};
    if (knowledge->slot_count == 0) {
        return NULL;
    }
    return knowledge->slots[slot_of(knowledge->slots, knowledge->slot_count, &name)];
}

/* Doubles the table when it is half full. */
static bool make_room(struct dun_knowledge *knowledge)
{
    if (knowledge->count * 2 < knowledge->slot_count) {
        return true;
    }
    size_t slot_count = knowledge->slot_count == 0 ? 64 : knowledge->slot_count * 2;
    struct dun_fact **slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < knowledge->slot_count; i++) {
        if (knowledge->slots[i] != NULL) {
            slots[slot_of(slots, slot_count, &knowledge->slots[i]->name)] = knowledge->slots[i];
        }
    }
    free(knowledge->slots);
    knowledge->slots = slots;
    knowledge->slot_count = slot_count;
    return true;
}

/* A new fact with `extra` bytes behind it, in the table, in place of one of that name; NULL when a
 * limit is reached. */
static struct dun_fact *add(struct dun_knowledge *knowledge, const struct fact_name *name,
                            size_t extra)
{
    size_t size = sizeof(struct dun_fact) + extra + name->device.size;
    if (knowledge->count >= DUN_KNOWLEDGE_ENTRIES_MAX ||
        size > DUN_KNOWLEDGE_BYTES_MAX - knowledge->bytes || !make_room(knowledge)) {
        knowledge->dropped++;
        return NULL;
    }
    struct dun_fact *fact = calloc(1, size);
    if (fact == NULL) {
        knowledge->dropped++;
        return NULL;
    }
    uint8_t *device = (uint8_t *)(fact + 1) + extra;
    if (name->device.size > 0) {
        memcpy(device, name->device.data, name->device.size);
    }
    fact->name = *name;
    fact->name.device.data = device;
    size_t slot = slot_of(knowledge->slots, knowledge->slot_count, name);
    if (knowledge->slots[slot] == NULL) {
        knowledge->count++;
    }
    free(knowledge->slots[slot]);
    knowledge->slots[slot] = fact;
    knowledge->bytes += size; /* what was replaced stays counted: a bound, not a balance */
    return fact;
}

/// Dictionaries ///

/* Where the copies go: pairs and states first (they need alignment), then text. */
struct copying {
    struct dun_pair *pairs;
    struct dun_span *states;
    uint8_t *text;
};

static struct dun_span copy_text(struct copying *to, struct dun_span text)
{
    struct dun_span copy = {to->text, text.size};
    if (text.size > 0) {
        memcpy(to->text, text.data, text.size);
        to->text += text.size;
    }
    return copy;
}

static void copy_metric(struct copying *to, struct dun_metric_text *metric)
{
    const struct dun_pair *pairs = metric->pairs;
    metric->name = copy_text(to, metric->name);
    metric->unit = copy_text(to, metric->unit);
    metric->raw = (struct dun_span){NULL, 0};
    metric->pairs = to->pairs;
    for (size_t i = 0; i < metric->pair_count; i++) {
        to->pairs->key = copy_text(to, pairs[i].key);
        to->pairs->value = copy_text(to, pairs[i].value);
        to->pairs++;
    }
    const struct dun_span *states = metric->states;
    metric->states = to->states;
    for (size_t i = 0; i < metric->state_count; i++) {
        *to->states++ = copy_text(to, states[i]);
    }
}

/* A link that starts at a lower id depends on less: the retained catalog replaces a late part. */
static bool knows_as_much(const struct dun_fact *link, uint32_t first_id)
{
    return link != NULL && link->metrics[0].id <= first_id;
}

void dun_knowledge_add_metrics(struct dun_knowledge *knowledge, struct dun_span device,
                               uint64_t stream, uint32_t base, uint32_t hash,
                               const struct dun_list *list)
{
    const struct dun_metric_text *metrics = list->items;
    if (list->count == 0 ||
        knows_as_much(find(knowledge, FACT_METRICS, device, stream, hash), metrics[0].id)) {
        return;
    }
    size_t pairs = 0;
    size_t states = 0;
    size_t text = 0;
    for (size_t i = 0; i < list->count; i++) {
        pairs += metrics[i].pair_count;
        states += metrics[i].state_count;
        text += metrics[i].raw.size; /* an upper bound of its strings */
    }
    struct fact_name name = {FACT_METRICS, hash, stream, device};
    size_t parts = pairs * sizeof(struct dun_pair) + states * sizeof(struct dun_span);
    struct dun_fact *fact = add(knowledge, &name, list->count * sizeof *metrics + parts + text);
    if (fact == NULL) {
        return;
    }
    fact->base = base;
    fact->metric_count = list->count;
    fact->metrics = (struct dun_metric_text *)(fact + 1);
    memcpy(fact->metrics, metrics, list->count * sizeof *metrics);
    struct copying to = {.pairs = (struct dun_pair *)(fact->metrics + list->count)};
    to.states = (struct dun_span *)(to.pairs + pairs);
    to.text = (uint8_t *)(to.states + states);
    for (size_t i = 0; i < list->count; i++) {
        copy_metric(&to, &fact->metrics[i]);
    }
}

const struct dun_metric_text *dun_knowledge_metric(const struct dun_knowledge *knowledge,
                                                   struct dun_span device, uint64_t stream,
                                                   uint32_t hash, uint32_t id)
{
    bool topmost = true;
    uint32_t above = 0; /* first id of the link above */
    while (hash != 0) {
        const struct dun_fact *link = find(knowledge, FACT_METRICS, device, stream, hash);
        if (link == NULL) {
            return NULL;
        }
        uint32_t first = link->metrics[0].id;
        uint32_t last = link->metrics[link->metric_count - 1].id;
        if ((!topmost && (uint64_t)last + 1 != above) || id > last) {
            return NULL;
        }
        if (id >= first) {
            return &link->metrics[id - first];
        }
        hash = link->base;
        above = first;
        topmost = false;
    }
    return NULL;
}

/// Anchors ///

void dun_knowledge_add_anchor(struct dun_knowledge *knowledge, struct dun_span device,
                              uint64_t stream, const dunlin_v1_Anchor *anchor)
{
    struct dun_fact *fact = find(knowledge, FACT_ANCHOR, device, stream, anchor->boot);
    if (fact == NULL) {
        struct fact_name name = {FACT_ANCHOR, anchor->boot, stream, device};
        fact = add(knowledge, &name, 0);
    }
    if (fact != NULL && anchor->uptime_ms >= fact->uptime_ms) {
        fact->uptime_ms = anchor->uptime_ms;
        fact->unix_ms = anchor->unix_ms;
    }
}

bool dun_knowledge_offset(const struct dun_knowledge *knowledge, struct dun_span device,
                          uint64_t stream, uint32_t boot, int64_t *offset_ms)
{
    const struct dun_fact *fact = find(knowledge, FACT_ANCHOR, device, stream, boot);
    if (fact == NULL) {
        return false;
    }
    *offset_ms = fact->unix_ms - (int64_t)fact->uptime_ms;
    return true;
}
