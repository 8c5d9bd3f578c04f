/* facts.c: keeps the truth as the run goes on. check.c compares with it what arrives. */
#include "facts.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim.h"
#include "thinned.h"

#define ATTEMPTS_MAX 16 /* that one sequence may have while storage fails */

static void room_for(void **array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return;
    *capacity = *capacity * 2 + 64;
    *array = sim_grow(*array, *capacity * size);
}

#define ROOM(facts, name)                                                                          \
    room_for((void **)&(facts)->name##s, (facts)->name##_count, &(facts)->name##_capacity,         \
             sizeof *(facts)->name##s)

void facts_init(struct facts *facts)
{
    *facts = (struct facts){0};
}

void facts_free(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->stream_count; i++) {
        struct stream_facts *stream = &facts->streams[i];
        for (uint64_t s = 0; s < stream->capacity; s++) {
            free(stream->facts[s].attempts);
            free(stream->facts[s].payload);
        }
        free(stream->facts);
    }
    free(facts->points);
    free(facts->attempt_points);
    free(facts->streams);
    free(facts->boots);
    free(facts->readings);
    *facts = (struct facts){0};
}

/// Boots, clocks, points ///

void facts_boot(struct facts *facts, uint32_t boot)
{
    ROOM(facts, boot);
    facts->boots[facts->boot_count++] = (struct boot_fact){.boot = boot, .clock_right = true};
    facts->offered = 0;
    facts->stored_points = 0;
    facts->pending_count = 0;
    facts->mounted[0] = facts->mounted[1] = false;
    facts->urgent_sequence = 0;
}

struct boot_fact *facts_boot_now(struct facts *facts)
{
    return &facts->boots[facts->boot_count - 1];
}

void facts_clock(struct facts *facts, dun_ms uptime_ms, dun_ms unix_ms, dun_ms earliest_ms,
                 bool right)
{
    struct boot_fact *boot = facts_boot_now(facts);
    if (unix_ms < earliest_ms)
        return;
    boot->clock_known = true;
    boot->boot_unix_ms = unix_ms - uptime_ms;
    boot->clock_right &= right;
    ROOM(facts, reading);
    facts->readings[facts->reading_count++] = (struct reading){boot->boot, uptime_ms, unix_ms};
}

int64_t facts_point(struct facts *facts, uint16_t metric, dun_ms uptime_ms, bool urgent,
                    bool negative)
{
    ROOM(facts, point);
    uint32_t index = facts->point_count++;
    int64_t value = check_value_of(index, negative);
    facts->points[index] = (struct point_fact){.uptime_ms = uptime_ms,
                                               .true_unix_ms = SIM_UNIX_MS + sim_now(),
                                               .value = value,
                                               .boot = facts_boot_now(facts)->boot,
                                               .metric = metric,
                                               .urgent = urgent};
    return value;
}

/// Streams ///

struct stream_facts *facts_stream(struct facts *facts, uint64_t id)
{
    for (uint32_t i = facts->stream_count; i > 0; i--)
        if (facts->streams[i - 1].stream == id)
            return &facts->streams[i - 1];
    return NULL;
}

static struct stream_facts *stream_of(struct facts *facts, uint64_t id, bool spare)
{
    struct stream_facts *known = facts_stream(facts, id);
    if (known)
        return known;
    ROOM(facts, stream);
    struct stream_facts *stream = &facts->streams[facts->stream_count++];
    *stream = (struct stream_facts){.stream = id, .spare = spare, .count = 1, .freed = 1};
    stream->ack_seen = 1;
    return stream;
}

struct fact *facts_fact(struct stream_facts *stream, uint64_t sequence)
{
    if (sequence > UINT64_C(20000000))
        sim_fail("sequence %llu is out of all proportion", (unsigned long long)sequence);
    if (sequence >= stream->capacity) {
        uint64_t capacity = sequence * 2 + 64;
        stream->facts = sim_grow(stream->facts, (size_t)capacity * sizeof *stream->facts);
        memset(stream->facts + stream->capacity, 0,
               (size_t)(capacity - stream->capacity) * sizeof *stream->facts);
        stream->capacity = capacity;
    }
    if (sequence >= stream->count)
        stream->count = sequence + 1;
    return &stream->facts[sequence];
}

/// Attempts ///

uint64_t facts_hash(struct dun_span bytes)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001B3);
    return hash ^ bytes.size;
}

static void keep_points(struct facts *facts, struct attempt *attempt,
                        const struct dun_record *record)
{
    attempt->points_from = facts->attempt_point_count;
    attempt->point_count = record->point_count;
    for (uint16_t i = 0; i < record->point_count; i++) {
        ROOM(facts, attempt_point);
        facts->attempt_points[facts->attempt_point_count++] =
            check_index_of(record->batch->points[i].value);
    }
}

void facts_attempt(struct facts *facts, const struct dun_record *record, struct dun_span bytes)
{
    const struct boot_fact *boot = facts_boot_now(facts);
    bool spare = record->stream == sim_run->device.spare_stream;
    struct stream_facts *stream = stream_of(facts, record->stream, spare);
    struct fact *fact = facts_fact(stream, record->sequence);
    if (fact->durable || fact->survived || fact->arrived)
        sim_fail("stream %016llx sequence %llu is used again", (unsigned long long)record->stream,
                 (unsigned long long)record->sequence);
    if (fact->attempt_count == ATTEMPTS_MAX) {
        memmove(fact->attempts, fact->attempts + 1, --fact->attempt_count * sizeof *fact->attempts);
        if (fact->void_count > 0)
            fact->void_count--;
    }
    fact->attempts = sim_grow(fact->attempts, (fact->attempt_count + 1u) * sizeof *fact->attempts);
    struct attempt *attempt = &fact->attempts[fact->attempt_count++];
    *attempt = (struct attempt){.hash = facts_hash(bytes),
                                .boot = boot->boot,
                                .size = (uint32_t)bytes.size,
                                .urgent = record->urgent,
                                .clock_known = boot->clock_known,
                                .boot_unix_ms = boot->boot_unix_ms};
    keep_points(facts, attempt, record);
    if (facts->pending_count == sizeof facts->pending / sizeof facts->pending[0])
        sim_fail("one call wrote too many records");
    facts->pending[facts->pending_count++] =
        (struct pending_attempt){record->stream, record->sequence};
}

/* The latest attempt is what is there; see attempt_with for those before it. */
static const struct attempt *settle_latest(struct fact *fact)
{
    const struct attempt *latest = &fact->attempts[fact->attempt_count - 1];
    fact->durable = true;
    fact->size = latest->size;
    fact->urgent = latest->urgent;
    return latest;
}

static bool is_urgent(const struct facts *facts, const struct attempt *attempt)
{
    for (uint32_t i = 0; i < attempt->point_count; i++)
        if (facts->points[facts->attempt_points[attempt->points_from + i]].urgent)
            return true;
    return false;
}

static void note_urgent(struct facts *facts, struct stream_facts *stream, uint64_t sequence,
                        const struct attempt *attempt)
{
    if (stream->spare || sim_run->scenario.agent.strict_order || !is_urgent(facts, attempt))
        return;
    stream->urgent = true;
    sim_trace("record %llu is urgent", (unsigned long long)sequence);
    if (facts->urgent_sequence != 0)
        return;
    facts->urgent_sequence = sequence;
    facts->urgent_stream = stream->stream;
    facts->urgent_connection = sim_run->net.opens;
    facts->urgent_turn++;
    facts->urgent_passed = 0;
}

static void settle_attempts(struct facts *facts, struct dun_agent *agent)
{
    for (uint32_t i = 0; i < facts->pending_count; i++) {
        struct pending_attempt *pending = &facts->pending[i];
        struct stream_facts *stream = facts_stream(facts, pending->stream);
        struct fact *fact = facts_fact(stream, pending->sequence);
        const struct dun_store *store = stream->spare ? agent->spare : agent->store;
        uint64_t end = store->log.next - store->log.unsynced;
        if (fact->durable || store->log.stream != pending->stream || pending->sequence >= end)
            continue;
        const struct attempt *latest = settle_latest(fact);
        if (pending->sequence > stream->durable_top)
            stream->durable_top = pending->sequence;
        facts->stored_points += latest->point_count;
        facts->records_durable += !stream->spare;
        note_urgent(facts, stream, pending->sequence, latest);
    }
    facts->pending_count = 0;
}

/// What the device's RAM says ///

static bool is_pending(const struct facts *facts, const struct stream_facts *stream,
                       uint64_t sequence)
{
    for (uint32_t i = 0; i < facts->pending_count; i++)
        if (facts->pending[i].stream == stream->stream && facts->pending[i].sequence == sequence)
            return true;
    return false;
}

/* Which attempt it is nobody knows. */
static void note_survivor(struct fact *fact)
{
    fact->survived = true;
    for (uint8_t i = fact->void_count; i < fact->attempt_count; i++)
        fact->urgent |= fact->attempts[i].urgent;
}

/* A log was mounted: what it found, up to below `end`, is what there is from now on. What an
 * earlier mount took for a record may be none to this one, if nobody ever had it. */
static void note_mount(struct facts *facts, struct stream_facts *stream, uint64_t end)
{
    check_mount(facts, stream, end);
    for (uint64_t s = stream->durable_top + 1; s < stream->count; s++) {
        struct fact *fact = facts_fact(stream, s);
        if (s < end && fact->attempt_count > fact->void_count) {
            note_survivor(fact);
        } else if (s >= end && !is_pending(facts, stream, s)) {
            fact->void_count = fact->attempt_count;
            fact->survived = fact->given_up = false;
        }
    }
    if (!stream->spare)
        facts->durable_stream = stream->stream;
}

/* The call may have written to the log after it mounted it. */
static uint64_t end_at_mount(const struct facts *facts, const struct dun_log *log)
{
    uint64_t end = log->next;
    for (uint32_t i = 0; i < facts->pending_count; i++)
        if (facts->pending[i].stream == log->stream && facts->pending[i].sequence < end)
            end = facts->pending[i].sequence;
    return end;
}

static void note_mounts(struct facts *facts, const struct dun_store *store, bool spare)
{
    if (!store->mounted || facts->mounted[spare])
        return;
    struct stream_facts *stream = stream_of(facts, store->log.stream, spare);
    facts->mounted[spare] = true;
    stream->ledger_seen = UINT32_MAX;
    thinned_mounted(facts, stream, &store->log);
    note_mount(facts, stream, end_at_mount(facts, &store->log));
}

static void note_ledger(struct stream_facts *stream, const struct dun_ledger *ledger, uint64_t next)
{
    if (ledger->changes == stream->ledger_seen)
        return;
    stream->ledger_seen = ledger->changes;
    for (uint16_t i = 0; i < ledger->count; i++) {
        const struct dun_loss *loss = &ledger->entries[i];
        if (loss->first == 0)
            continue;
        if (loss->last >= next || loss->first > loss->last)
            sim_fail("the ledger speaks of sequence %llu, and %llu is the next",
                     (unsigned long long)loss->last, (unsigned long long)next);
        for (uint64_t s = loss->first; s <= loss->last; s++) {
            facts_fact(stream, s)->given_up = true;
            facts_fact(stream, s)->thinned |= loss->reason == DUN_LOSS_THINNED;
        }
    }
}

static void note_acks(struct stream_facts *stream, const struct dun_store *store)
{
    const struct dun_log *log = &store->log;
    for (; stream->freed < log->cursor; stream->freed++)
        check_freed(stream, stream->freed);
    if (log->unsynced > 0 || log->acks_changed || log->ledger_saved != store->ledger.changes)
        return;
    for (; stream->ack_seen < log->cursor; stream->ack_seen++) {
        struct fact *fact = facts_fact(stream, stream->ack_seen);
        fact->ack_durable = !fact->given_up;
    }
}

static void note_store(struct facts *facts, const struct dun_store *store, bool spare)
{
    if (!store->mounted)
        return;
    struct stream_facts *stream = stream_of(facts, store->log.stream, spare);
    note_ledger(stream, &store->ledger, store->log.next);
    note_acks(stream, store);
    thinned_note(facts, stream, &store->log);
}

void facts_after_call(struct facts *facts, struct dun_agent *agent, bool cut)
{
    note_mounts(facts, agent->store, false);
    note_mounts(facts, agent->spare, true);
    settle_attempts(facts, agent);
    if (cut)
        return;
    note_store(facts, agent->store, false);
    note_store(facts, agent->spare, true);
    thinned_watch(facts, agent);
    check_counts(facts, agent);
}
