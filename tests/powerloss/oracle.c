/* oracle.c: see oracle.h. */
#include "oracle.h"

#include <string.h>

uint64_t oracle_culprit;

/* What the latest check met: the version delivered, the reason in the ledger, 0: neither. */
static uint16_t delivered[ORACLE_SEQUENCES];
static uint8_t covered[ORACLE_SEQUENCES];

static uint32_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xFF51AFD7ED558CCD);
    value ^= value >> 33;
    value *= UINT64_C(0xC4CEB9FE1A85EC53);
    return (uint32_t)(value >> 32);
}

/* Many sizes that are small, some zero, now and then the largest; bytes with runs of 0xFF and 0. */
uint32_t oracle_payload(const struct oracle *oracle, uint64_t sequence, uint16_t version,
                        uint8_t *payload)
{
    uint32_t seed = mix(sequence << 16 | version);
    uint32_t size = seed % 11 == 0 ? oracle->size_max : seed % (oracle->size_max + 1);

    for (uint32_t i = 0; i < size; i++)
        payload[i] = seed % 7 == 0 ? 0xFF : (uint8_t)(mix(seed + i) | (seed % 5 == 0 ? 0xF0 : 0));
    for (uint32_t i = 0; i < 4 && i < size; i++)
        payload[i] = (uint8_t)(seed >> (8 * i));
    return size;
}

void oracle_carries(struct oracle *oracle, uint64_t sequence, const struct dun_ledger *ledger)
{
    struct oracle_carrier *carrier = &oracle->carriers[oracle->carrier_next++ % ORACLE_CARRIERS];

    carrier->sequence = sequence;
    carrier->count = 0;
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in == sequence)
            carrier->losses[carrier->count++] = ledger->entries[i];
}

void oracle_acked(struct oracle *oracle, uint64_t sequence)
{
    oracle->facts[sequence].acked = true;
    for (uint32_t c = 0; c < ORACLE_CARRIERS; c++) {
        struct oracle_carrier *carrier = &oracle->carriers[c];

        for (uint16_t i = 0; i < carrier->count && carrier->sequence == sequence; i++) {
            const struct dun_loss *loss = &carrier->losses[i];

            oracle->points_told += loss->points;
            for (uint64_t s = loss->first; s != 0 && s <= loss->last; s++)
                if (loss->reason == DUN_LOSS_MERGED) /* may cover more than what was lost */
                    oracle->facts[s].vague = true;
                else
                    oracle->facts[s].told_away = true;
        }
        if (carrier->sequence == sequence)
            carrier->count = 0;
    }
}

void oracle_synced(struct oracle *oracle, uint64_t next, bool acks)
{
    for (uint64_t s = 1; s <= oracle->top; s++) {
        struct oracle_fact *fact = &oracle->facts[s];

        if (s < next && fact->stored == 0 && !fact->hole)
            fact->stored = fact->version;
        if (s >= next)
            fact->acked = false;
        if (acks)
            fact->acked_durable = fact->acked;
    }
    if (acks) {
        oracle->points_durable = oracle->points;
        oracle->points_told_durable = oracle->points_told;
    }
    for (uint32_t c = 0; c < ORACLE_CARRIERS; c++)
        if (oracle->carriers[c].sequence >= next)
            oracle->carriers[c].count = 0;
}

/// The check ///

static const char *wrong(uint64_t sequence, const char *what)
{
    oracle_culprit = sequence;
    return what;
}

/* Which version of its sequence are the bytes of this record? 0: none that was ever written. */
static uint16_t version_of(const struct oracle *oracle, struct dun_log *log,
                           const struct dun_log_cursor *cursor)
{
    static uint8_t bytes[ORACLE_SIZE_MAX];
    static uint8_t expected[ORACLE_SIZE_MAX];
    const struct oracle_fact *fact = &oracle->facts[cursor->sequence];
    uint16_t first = fact->stored != 0 ? fact->stored : fact->version;
    uint16_t last = fact->stored != 0 ? fact->stored : 1;

    if (cursor->size > ORACLE_SIZE_MAX ||
        dun_log_read(log, cursor, 0, bytes, cursor->size) != DUN_OK)
        return 0;
    for (uint16_t version = first; version >= last && version > 0; version--)
        if (oracle_payload(oracle, cursor->sequence, version, expected) == cursor->size &&
            memcmp(bytes, expected, cursor->size) == 0)
            return version;
    return 0;
}

static const char *collect(const struct oracle *oracle, struct dun_log *log)
{
    struct dun_log_cursor cursor;
    uint64_t before = 0;

    memset(delivered, 0, (oracle->top + 1) * sizeof delivered[0]);
    for (int result = dun_log_first(log, &cursor); result != 0;
         result = dun_log_next(log, &cursor)) {
        if (result < 0)
            return wrong(before, "reading failed");
        if (cursor.sequence <= before || cursor.sequence >= dun_log_next_sequence(log))
            return wrong(cursor.sequence, "out of order");
        if (cursor.sequence > oracle->top)
            return wrong(cursor.sequence, "a record that was never written");
        before = cursor.sequence;
        delivered[before] = version_of(oracle, log, &cursor);
        if (delivered[before] == 0)
            return wrong(before, "bytes that are not the record's");
    }
    return NULL;
}

static const char *check_ledger(const struct oracle *oracle, const struct dun_log *log,
                                const struct dun_ledger *ledger)
{
    uint64_t points = 0;

    memset(covered, 0, (oracle->top + 1) * sizeof covered[0]);
    for (uint16_t i = 0; i < ledger->count; i++) {
        const struct dun_loss *loss = &ledger->entries[i];
        uint64_t told = loss->told_in;

        points += loss->points;
        if (told >= dun_log_next_sequence(log))
            return wrong(told, "told in a record that is still to come");
        if (told != 0 && (oracle->facts[told].acked_durable ||
                          (delivered[told] == 0 && !oracle->facts[told].acked)))
            return wrong(told, "told in a record that is over");
        if (loss->first != 0 && loss->last >= dun_log_next_sequence(log))
            return wrong(loss->last, "the loss of a record that is still to come");
        for (uint64_t s = loss->first; s != 0 && s <= loss->last && s <= oracle->top; s++)
            covered[s] = loss->reason;
    }
    if (points + oracle->points_told < oracle->points_durable)
        return wrong(points, "points lost and not told");
    if (ledger->capacity == ORACLE_LOSSES && /* a smaller one may have to merge what it told */
        points + oracle->points_told_durable > oracle->points)
        return wrong(points, "points told twice");
    return NULL;
}

static const char *check_fact(const struct oracle *oracle, uint64_t s)
{
    const struct oracle_fact *fact = &oracle->facts[s];
    bool owed = fact->stored != 0 && !fact->acked;
    bool exact = covered[s] != 0 && covered[s] != DUN_LOSS_MERGED;

    if (fact->vague)
        return NULL;
    if (owed && delivered[s] == 0 && covered[s] == 0 && !fact->told_away)
        return wrong(s, "a durable record is gone without a word");
    if (owed && delivered[s] == 0 && s >= oracle->lost_bound)
        return wrong(s, "a durable record was given up without need");
    if (delivered[s] != 0 && fact->acked_durable)
        return wrong(s, "a record came back whose ack was durable");
    if (delivered[s] != 0 && fact->hole)
        return wrong(s, "a record came that was not there before");
    if (delivered[s] != 0 && fact->told_away)
        return wrong(s, "a record came back whose loss was told");
    if (exact && delivered[s] != 0)
        return wrong(s, "the ledger names a record that is there");
    if (exact && fact->acked_durable)
        return wrong(s, "the ledger names a record that was acknowledged");
    return NULL;
}

const char *oracle_check(const struct oracle *oracle, struct dun_log *log,
                         const struct dun_ledger *ledger)
{
    const char *what = collect(oracle, log);
    uint64_t next = dun_log_next_sequence(log);

    if (what == NULL)
        what = check_ledger(oracle, log, ledger);
    if (what == NULL &&
        next > oracle->top + 8) /* what is torn beyond recognition passes for a record */
        what = wrong(next, "sequences were skipped");
    for (uint64_t s = 1; s <= oracle->top && what == NULL; s++) {
        what = check_fact(oracle, s);
        if (what == NULL && s >= next && oracle->facts[s].stored != 0)
            what = wrong(s, "a sequence would be given twice");
    }
    return what;
}

static bool carries(const struct oracle *oracle, uint64_t sequence)
{
    for (uint32_t c = 0; c < ORACLE_CARRIERS; c++)
        if (oracle->carriers[c].sequence == sequence && oracle->carriers[c].count > 0)
            return true;
    return false;
}

void oracle_adopt(struct oracle *oracle, const struct dun_log *log, const struct dun_ledger *ledger)
{
    uint64_t next = dun_log_next_sequence(log);

    oracle->points = 0;
    for (uint16_t i = 0; i < ledger->count; i++)
        oracle->points += ledger->entries[i].points;
    oracle->points_durable = 0; /* from now on at most what the ledger holds, which is checked */
    oracle->points_told = oracle->points_told_durable = 0;
    for (uint64_t s = 1; s <= oracle->top; s++) {
        struct oracle_fact *fact = &oracle->facts[s];

        if (s >= next) {
            fact->stored = 0;
            fact->acked = fact->acked_durable = fact->told_away = fact->hole = false;
        } else if (delivered[s] != 0) {
            fact->stored = delivered[s];
            fact->acked = fact->acked_durable = fact->told_away = false;
        } else if (fact->acked) { /* one taken before its ack was durable may be named as lost */
            fact->acked_durable = covered[s] == 0;
            fact->vague = covered[s] != 0;
        } else if (fact->stored == 0) {
            fact->hole = true;
        }
    }
    for (; oracle->top + 1 < next; oracle->top++) /* given up; nothing was written there */
        oracle->facts[oracle->top + 1].hole = true;
    for (uint32_t c = 0; c < ORACLE_CARRIERS; c++)
        oracle->carriers[c].count = 0;
    for (uint16_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].told_in != 0 && !carries(oracle, ledger->entries[i].told_in))
            oracle_carries(oracle, ledger->entries[i].told_in, ledger);
}
