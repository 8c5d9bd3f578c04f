/*
 * ledger.c: the loss ledger, a small sorted table.
 *
 * Invariants: entries of points (first == 0) stand before ranges; ranges are sorted and disjoint;
 * count <= capacity. Whatever is merged, the union of what the entries cover only grows until a
 * record that carried it was acknowledged.
 */
#include "ledger.h"

#include <string.h>

void dun_ledger_init(struct dun_ledger *ledger, struct dun_loss *entries, uint16_t capacity)
{
    DUN_ASSERT(capacity >= DUN_LEDGER_CAPACITY_MIN);
    memset(ledger, 0, sizeof *ledger);
    ledger->entries = entries;
    ledger->capacity = capacity;
}

void dun_ledger_stamp(struct dun_ledger *ledger, uint32_t boot, dun_ms uptime_ms)
{
    ledger->boot = boot;
    ledger->uptime_ms = uptime_ms;
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].boot == 0) {
            ledger->entries[i].boot = boot;
            ledger->entries[i].uptime_ms = uptime_ms;
            ledger->changes++;
        }
}

static void remove_at(struct dun_ledger *ledger, uint16_t index)
{
    struct dun_loss *entry = &ledger->entries[index];

    ledger->count--;
    memmove(entry, entry + 1, (size_t)(ledger->count - index) * sizeof *entry);
}

/* True if one range would cover sequences that neither of the two does. */
static bool apart(const struct dun_loss *a, const struct dun_loss *b)
{
    if (a->first == 0)
        return false;
    if (a->first > b->first)
        return a->first - b->last > 1;
    return b->first > a->last && b->first - a->last > 1;
}

/* `into` comes to stand for `other` too. Told only if one record carries both. */
static void absorb(struct dun_loss *into, const struct dun_loss *other)
{
    if (into->reason != other->reason || apart(into, other))
        into->reason = DUN_LOSS_MERGED;
    if (into->told_in != other->told_in)
        into->told_in = 0;
    if (other->first < into->first)
        into->first = other->first;
    if (other->last > into->last)
        into->last = other->last;
    into->points = into->points > DUN_SEQUENCE_LAST - other->points ? DUN_SEQUENCE_LAST
                                                                    : into->points + other->points;
    into->boot = other->boot;
    into->uptime_ms = other->uptime_ms;
}

/* Where an entry with this `first` belongs; for points, behind the other points. */
static uint16_t place_of(const struct dun_ledger *ledger, dun_sequence first)
{
    uint16_t index = 0;

    while (index < ledger->count && ledger->entries[index].first <= first)
        index++;
    return index;
}

static bool same_kind(const struct dun_loss *a, const struct dun_loss *b)
{
    return (a->first == 0) == (b->first == 0);
}

/* Sequences between two neighbours; two entries of points are further apart than any ranges. */
static dun_sequence gap_between(const struct dun_loss *a, const struct dun_loss *b)
{
    return a->first == 0 ? DUN_SEQUENCE_LAST : b->first - a->last - 1;
}

static void put_at(struct dun_ledger *ledger, uint16_t place, const struct dun_loss *entry)
{
    struct dun_loss *at = &ledger->entries[place];

    memmove(at + 1, at, (size_t)(ledger->count - place) * sizeof *at);
    *at = *entry;
    ledger->count++;
}

/*
 * The table is full: of the entries, with the new one at `place` among them, the two neighbours
 * become one that are nearest; if there are several such, ones that stand there rather than apart.
 */
static void insert_by_merging(struct dun_ledger *ledger, uint16_t place,
                              const struct dun_loss *entry)
{
    struct dun_loss *entries = ledger->entries;
    dun_sequence nearest = DUN_SEQUENCE_LAST;
    uint16_t pair = 0; /* the right one of the two */

    for (uint16_t i = 1; i <= ledger->count; i++) {
        const struct dun_loss *left = i - 1 == place ? entry : &entries[i - 1 - (i - 1 > place)];
        const struct dun_loss *right = i == place ? entry : &entries[i - (i > place)];
        dun_sequence gap = gap_between(left, right);

        if (same_kind(left, right) &&
            (pair == 0 || gap < nearest || (gap == nearest && i == place))) {
            nearest = gap;
            pair = i;
        }
    }
    DUN_ASSERT(pair != 0); /* three entries of two kinds: two are of one kind */
    if (pair == place || pair == place + 1) {
        absorb(&entries[pair - 1], entry);
        return;
    }
    pair = (uint16_t)(pair - (pair > place));
    absorb(&entries[pair - 1], &entries[pair]);
    remove_at(ledger, pair);
    put_at(ledger, (uint16_t)(place - (pair < place)), entry);
}

static void insert(struct dun_ledger *ledger, const struct dun_loss *entry)
{
    uint16_t place = place_of(ledger, entry->first);

    if (ledger->count == ledger->capacity)
        insert_by_merging(ledger, place, entry);
    else
        put_at(ledger, place, entry);
}

/* True if two ranges touch and nothing that a reader is told would change by joining them. */
static bool joinable(const struct dun_loss *a, const struct dun_loss *b)
{
    return a->first != 0 && a->last + 1 == b->first && a->reason == b->reason &&
           a->told_in == b->told_in;
}

static void join_touching(struct dun_ledger *ledger)
{
    for (uint16_t i = 1; i < ledger->count;) {
        struct dun_loss *left = &ledger->entries[i - 1];

        if (!joinable(left, left + 1)) {
            i++;
            continue;
        }
        absorb(left, left + 1);
        remove_at(ledger, i);
    }
}

static struct dun_loss stamped(const struct dun_ledger *ledger, uint8_t reason)
{
    struct dun_loss entry = {.reason = reason};

    entry.boot = ledger->boot;
    entry.uptime_ms = ledger->uptime_ms;
    return entry;
}

void dun_ledger_add(struct dun_ledger *ledger, dun_sequence first, dun_sequence last,
                    uint8_t reason)
{
    struct dun_loss entry = stamped(ledger, reason);

    DUN_ASSERT(first != 0 && first <= last);
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in >= first && ledger->entries[i].told_in <= last)
            ledger->entries[i].told_in = 0;
    while (first <= last && first != 0) {
        uint16_t place = place_of(ledger, first);
        struct dun_loss *left = place > 0 ? &ledger->entries[place - 1] : NULL;

        if (left != NULL && left->first != 0 && left->last >= first) {
            if (left->reason == DUN_LOSS_MERGED)
                left->told_in = 0; /* what was told may be the two ends alone */
            first = left->last + 1;
            continue;
        }
        entry.first = first;
        entry.last = last;
        if (place < ledger->count && ledger->entries[place].first <= last)
            entry.last = ledger->entries[place].first - 1;
        first = entry.last + 1;
        insert(ledger, &entry);
        join_touching(ledger);
    }
    ledger->changes++;
}

void dun_ledger_add_points(struct dun_ledger *ledger, dun_sequence points,
                           enum dun_loss_reason reason)
{
    struct dun_loss entry = stamped(ledger, (uint8_t)reason);

    if (points == 0)
        return;
    entry.points = points;
    ledger->changes++;
    for (uint16_t i = 0; i < ledger->count && ledger->entries[i].first == 0; i++)
        if (ledger->entries[i].reason == reason && ledger->entries[i].told_in == 0) {
            absorb(&ledger->entries[i], &entry);
            return;
        }
    insert(ledger, &entry);
}

uint16_t dun_ledger_untold(const struct dun_ledger *ledger)
{
    uint16_t count = 0;

    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in == 0)
            count++;
    return count;
}

bool dun_ledger_untold_sequences(const struct dun_ledger *ledger)
{
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in == 0 && ledger->entries[i].first != 0)
            return true;
    return false;
}

void dun_ledger_told(struct dun_ledger *ledger, dun_sequence sequence, uint16_t count)
{
    for (uint16_t i = 0; i < ledger->count && count > 0; i++)
        if (ledger->entries[i].told_in == 0) {
            ledger->entries[i].told_in = sequence;
            ledger->changes++;
            count--;
        }
}

void dun_ledger_acked(struct dun_ledger *ledger, dun_sequence first, dun_sequence last)
{
    DUN_ASSERT(first > 0);
    for (uint16_t i = 0; i < ledger->count;) {
        if (ledger->entries[i].told_in < first || ledger->entries[i].told_in > last) {
            i++;
            continue;
        }
        remove_at(ledger, i);
        ledger->changes++;
    }
}

void dun_ledger_untell(struct dun_ledger *ledger, dun_sequence sequence)
{
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in >= sequence && ledger->entries[i].told_in != 0) {
            ledger->entries[i].told_in = 0;
            ledger->changes++;
        }
}

void dun_ledger_untell_before(struct dun_ledger *ledger, dun_sequence sequence)
{
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in < sequence && ledger->entries[i].told_in != 0) {
            ledger->entries[i].told_in = 0;
            ledger->changes++;
        }
}

void dun_ledger_restore(struct dun_ledger *ledger, const struct dun_loss *entry)
{
    insert(ledger, entry);
    ledger->changes++;
}
