/* check.c: see check.h. Everything here fails by sim_fail; nothing here changes the device. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "thinned.h"

#define DATE_TOLERANCE_MS 130 /* a step below 100 ms is noise to the device; readings err by 20 */
#define WIDE_FACTOR       INT64_C(0x2545F4914F6CDD1D)

typedef unsigned long long ull; /* what printf can print */

/// Values ///

static uint64_t inverse(uint64_t odd)
{
    uint64_t result = odd; /* right in the low 3 bits; each turn doubles them */
    for (int i = 0; i < 6; i++)
        result *= 2 - odd * result;
    return result;
}

/* Wide values use all 64 bits, so that differences overflow; others are small and may be negative,
 * which is what the limit of metric 0 is about. */
int64_t check_value_of(uint32_t index, bool negative)
{
    if (sim_run->scenario.wide_values)
        return (int64_t)((uint64_t)WIDE_FACTOR * (index + UINT64_C(1)));
    return negative ? -(int64_t)index - 1 : (int64_t)index + 1;
}

uint32_t check_index_of(int64_t value)
{
    uint64_t index = (uint64_t)(value < 0 ? -value : value) - 1;
    if (sim_run->scenario.wide_values)
        index = (uint64_t)value * inverse((uint64_t)WIDE_FACTOR) - 1;
    if (index >= sim_run->facts.point_count)
        sim_fail("value %lld was never recorded", (long long)value);
    return (uint32_t)index;
}

/// Arrival ///

/* A block that is not even read any more may have held all there was. */
static bool a_block_is_gone(const struct sim_flash *flash)
{
    for (uint32_t i = 0; i < flash->flash.geometry.block_count; i++)
        if (flash->dead[i] & SIM_FLASH_NO_READ)
            return true;
    return false;
}

/* Of a durable record only the latest attempt, unless the block is gone that voided those before.
 */
static const struct attempt *attempt_with(const struct fact *fact, uint64_t hash)
{
    uint8_t first = fact->durable ? (uint8_t)(fact->attempt_count - 1) : fact->void_count;
    for (uint8_t i = a_block_is_gone(&sim_run->flash) ? 0 : first; i < fact->attempt_count; i++)
        if (fact->attempts[i].hash == hash)
            return &fact->attempts[i];
    return NULL;
}

static void check_point(struct facts *facts, const struct read_point *point,
                        const struct boot_fact *boot)
{
    struct point_fact *truth = &facts->points[check_index_of(point->value)];
    if (truth->value != point->value || truth->metric != point->metric ||
        truth->uptime_ms != point->uptime_ms || truth->boot != boot->boot)
        sim_fail("a point of metric %u at %lld came as metric %u at %lld", truth->metric,
                 (long long)truth->uptime_ms, point->metric, (long long)point->uptime_ms);
    dun_ms off = point->unix_ms - truth->true_unix_ms;
    if (point->dated && boot->clock_right && llabs(off) > DATE_TOLERANCE_MS)
        sim_fail("a point is dated %lld ms off though the clock was right", (long long)off);
    truth->arrived = true;
}

static const struct boot_fact *boot_of(const struct facts *facts, uint32_t boot)
{
    for (uint32_t i = facts->boot_count; i > 0; i--)
        if (facts->boots[i - 1].boot == boot)
            return &facts->boots[i - 1];
    sim_fail("boot %08x never was", boot);
}

static void check_points(struct facts *facts, const struct read_record *record,
                         const struct attempt *attempt)
{
    const struct boot_fact *boot = boot_of(facts, attempt->boot);
    if (record->point_count != attempt->point_count)
        sim_fail("a record of %u points came with %u", attempt->point_count, record->point_count);
    for (uint32_t i = 0; i < record->point_count; i++)
        check_point(facts, &record->points[i], boot);
    if (record->point_count == 0)
        return;
    if (record->boot != attempt->boot)
        sim_fail("a record of boot %08x came with boot %08x", attempt->boot, record->boot);
    if (record->dated != attempt->clock_known ||
        (record->dated && llabs(record->boot_unix_ms - attempt->boot_unix_ms) >= DUN_CLOCK_STEP_MS))
        sim_fail("a record's clock is not what the device was told");
}

static void check_anchor(const struct facts *facts, const struct read_anchor *anchor)
{
    for (uint32_t i = facts->reading_count; i > 0; i--) {
        const struct reading *reading = &facts->readings[i - 1];
        if (reading->boot == anchor->boot && reading->uptime_ms == anchor->uptime_ms &&
            reading->unix_ms == anchor->unix_ms)
            return;
    }
    sim_fail("an anchor that no reading of the clock made");
}

/* First arrivals of a stream are a merge of rising runs, one a lane: giving each to the run that
 * ends highest below it never needs another. A strict stream and a spare one have a single run.
 * While the log cannot be read the archive may give out copies of what is still in it. */
static void check_order(struct stream_facts *stream, uint64_t sequence)
{
    bool single = stream->spare || sim_run->scenario.agent.strict_order;
    bool copies = sim_run->scenario.overflow == DUN_LOG_THIN && !single;
    int runs = single ? 1 : 2 + stream->urgent + copies;
    int run = -1;
    for (int i = 0; i < runs; i++)
        if (stream->ends[i] < sequence && (run < 0 || stream->ends[i] > stream->ends[run]))
            run = i;
    if (run < 0)
        sim_fail("stream %016llx: sequence %llu came first after %llu, %llu, %llu and %llu",
                 (ull)stream->stream, (ull)sequence, (ull)stream->ends[0], (ull)stream->ends[1],
                 (ull)stream->ends[2], (ull)stream->ends[3]);
    stream->ends[run] = sequence;
}

/* The others count once each: what the broker puts off goes again, and holds its place meanwhile.
 */
static void check_urgent(struct facts *facts, const struct stream_facts *stream, uint64_t sequence,
                         struct fact *fact, uint64_t connection)
{
    if (facts->urgent_sequence == 0 || connection < facts->urgent_connection)
        return;
    if (connection > facts->urgent_connection) { /* the window of the last one goes first again */
        facts->urgent_connection = connection;
        facts->urgent_turn++;
        facts->urgent_passed = 0;
    }
    if (stream->stream != facts->urgent_stream)
        return; /* the spare goes on where the log cannot be read */
    if (sequence != facts->urgent_sequence) {
        facts->urgent_passed += !fact->urgent && fact->passed != facts->urgent_turn;
        fact->passed = facts->urgent_turn;
        return;
    }
    if (facts->urgent_passed > sim_run->scenario.window + 1u)
        sim_fail("urgent record %llu came behind %u others; the window is %u", (ull)sequence,
                 facts->urgent_passed, sim_run->scenario.window);
    facts->urgent_sequence = 0;
}

static struct read_record *read_payload(struct dun_span payload)
{
    static struct read_record record;
    const char *wrong = read_record(&record, payload, sim_run->scenario.plain);
    if (wrong)
        sim_fail("a record of %zu bytes came with %s", payload.size, wrong);
    return &record;
}

static void first_arrival(struct facts *facts, struct stream_facts *stream,
                          const struct read_record *record, struct dun_span payload,
                          bool from_archive)
{
    struct fact *fact = facts_fact(stream, record->sequence);
    if (!from_archive)
        check_order(stream, record->sequence);
    const struct attempt *attempt = attempt_with(fact, facts_hash(payload));
    if (!attempt)
        sim_fail("stream %016llx: sequence %llu came with bytes that were never recorded",
                 (ull)stream->stream, (ull)record->sequence);
    if (!fact->durable && !fact->survived)
        sim_fail("sequence %llu was published before it was durable", (ull)record->sequence);
    check_points(facts, record, attempt);
    for (uint32_t i = 0; i < record->anchor_count; i++)
        check_anchor(facts, &record->anchors[i]);
    fact->arrived = true;
    fact->payload = sim_grow(NULL, payload.size);
    fact->payload_size = (uint32_t)payload.size;
    memcpy(fact->payload, payload.data, payload.size);
}

struct stream_facts *check_arrival(struct facts *facts, struct dun_span payload,
                                   uint64_t connection, uint64_t *sequence)
{
    const struct read_record *record = read_payload(payload);
    struct stream_facts *stream = facts_stream(facts, record->stream);
    if (!stream || record->sequence >= stream->count)
        sim_fail("stream %016llx: sequence %llu was never recorded", (ull)record->stream,
                 (ull)record->sequence);
    struct fact *fact = facts_fact(stream, record->sequence);
    facts->arrivals++;
    check_urgent(facts, stream, record->sequence, fact, connection);
    bool from_archive = thinned_arrival(facts, stream, record->sequence, connection);
    if (!fact->arrived) {
        first_arrival(facts, stream, record, payload, from_archive);
    } else {
        facts->duplicates++;
        bool same = fact->payload_size == payload.size &&
                    memcmp(fact->payload, payload.data, payload.size) == 0;
        bool other = a_block_is_gone(&sim_run->flash) && attempt_with(fact, facts_hash(payload));
        if (!same && !other)
            sim_fail("sequence %llu came again with other bytes", (ull)record->sequence);
    }
    *sequence = record->sequence;
    return stream;
}

/// Receiving ///

/* Told with the broker's own word, which must be one that means never. */
static bool is_refusal(const struct read_loss *loss)
{
    static const uint8_t permanent[] = {0x80, 0x83, 0x87, 0x90, 0x99};
    if (loss->code != 0 && !memchr(permanent, (int)loss->code, sizeof permanent))
        sim_fail("a record was given up for code %u", loss->code);
    return loss->reason == DUN_LOSS_REJECTED;
}

static void hear_loss(struct facts *facts, struct stream_facts *stream,
                      const struct read_loss *loss, uint64_t told_by)
{
    facts->losses_told++;
    thinned_told(stream, loss);
    facts->points_told += loss->points;
    if (loss->first == 0)
        return;
    if (loss->last >= told_by)
        sim_fail("record %llu tells the loss of %llu", (ull)told_by, (ull)loss->last);
    facts->merged_told += loss->reason == DUN_LOSS_MERGED;
    for (uint64_t s = loss->first; s <= loss->last; s++) {
        struct fact *fact = facts_fact(stream, s);
        if (fact->durable && loss->reason == DUN_LOSS_DAMAGED && !sim_run->damaged &&
            !sim_run->flash.erase_failed)
            sim_fail("sequence %llu is called damaged, and nothing was", (ull)s);
        if (fact->ack_durable && loss->reason != DUN_LOSS_MERGED && !sim_run->damaged)
            sim_fail("sequence %llu was freed by an ack and is called lost", (ull)s);
        if (is_refusal(loss) && fact->refused == 0 && !sim_run->damaged)
            sim_fail("sequence %llu is called rejected, and was not", (ull)s);
        fact->told = true;
    }
}

void check_refused(struct facts *facts, uint64_t stream, uint64_t sequence, uint8_t code)
{
    struct stream_facts *known = facts_stream(facts, stream);
    if (known)
        facts_fact(known, sequence)->refused = code;
}

void check_received(struct facts *facts, struct stream_facts *stream, uint64_t sequence)
{
    struct fact *fact = facts_fact(stream, sequence);
    if (fact->received)
        return;
    fact->received = true;
    const struct read_record *record =
        read_payload((struct dun_span){fact->payload, fact->payload_size});
    for (uint32_t i = 0; i < record->loss_count; i++)
        hear_loss(facts, stream, &record->losses[i], sequence);
    for (uint32_t i = 0; i < record->anchor_count; i++)
        for (uint32_t b = 0; b < facts->boot_count; b++)
            facts->boots[b].anchored |= facts->boots[b].boot == record->anchors[i].boot;
    while (stream->contiguous + 1 < stream->count &&
           (stream->facts[stream->contiguous + 1].received ||
            stream->facts[stream->contiguous + 1].told))
        stream->contiguous++;
}

/// The device ///

void check_mount(struct facts *facts, const struct stream_facts *stream, uint64_t next)
{
    const struct stream_facts *before = facts_stream(facts, facts->durable_stream);
    if (!stream->spare && before && before != stream && before->durable_top > 0 &&
        !a_block_is_gone(&sim_run->flash))
        sim_fail("the mount began a new stream and forgot %llu records", (ull)before->durable_top);
    if (next <= stream->durable_top)
        sim_fail("the mount went back to sequence %llu; %llu was durable", (ull)next,
                 (ull)stream->durable_top);
    for (uint64_t s = next; s < stream->count; s++)
        if (stream->facts[s].arrived || stream->facts[s].told)
            sim_fail("the mount went back to sequence %llu; the far end knows of %llu", (ull)next,
                     (ull)s);
}

void check_freed(struct stream_facts *stream, uint64_t sequence)
{
    const struct fact *fact = facts_fact(stream, sequence);
    if (!fact->received && !fact->given_up && !fact->told)
        sim_fail("stream %016llx: sequence %llu was freed and nobody has it", (ull)stream->stream,
                 (ull)sequence);
}

void check_counts(const struct facts *facts, struct dun_agent *agent)
{
    const struct dun_stats *stats = dun_agent_stats(agent);
    uint64_t waiting = agent->parts.batch->count;
    if (stats->points_recorded != facts->stored_points)
        sim_fail("%llu points are said to be recorded, %llu are in records",
                 (ull)stats->points_recorded, (ull)facts->stored_points);
    if (facts->offered != waiting + stats->points_recorded + stats->points_lost)
        sim_fail("of %llu points %llu wait, %llu are recorded, %llu counted as lost",
                 (ull)facts->offered, (ull)waiting, (ull)stats->points_recorded,
                 (ull)stats->points_lost);
    if (agent->parts.catalog->count > agent->parts.batch->metrics_max)
        sim_fail("the catalog outgrew its memory");
}

/// The end ///

static void check_complete(struct facts *facts, const struct dun_store *store)
{
    if (!store->mounted)
        return;
    struct stream_facts *stream = facts_stream(facts, store->log.stream);
    for (uint64_t s = 1; stream && s < store->log.next; s++) {
        const struct fact *fact = facts_fact(stream, s);
        if (!fact->received && !fact->told)
            sim_fail("stream %016llx: sequence %llu never came, and the ledger does not tell",
                     (ull)stream->stream, (ull)s);
    }
}

static void check_all_points(const struct facts *facts)
{
    for (uint32_t i = 0; i < facts->point_count; i++)
        if (!facts->points[i].arrived)
            sim_fail("point %u never came, and nothing was lost", i);
}

void check_end(struct facts *facts, struct dun_agent *agent)
{
    const struct dun_stats *stats = dun_agent_stats(agent);
    check_complete(facts, agent->store);
    check_complete(facts, agent->spare);
    thinned_end(facts, agent);
    if (sim_run->boots > 1)
        return;
    if (facts->points_told < stats->points_lost)
        sim_fail("%llu points were lost, %llu were told", (ull)stats->points_lost,
                 (ull)facts->points_told);
    if (facts->losses_told == 0)
        check_all_points(facts);
    const struct boot_fact *boot = facts_boot_now(facts);
    if (boot->clock_known && facts->losses_told == 0 && !boot->anchored)
        sim_fail("the clock was known, and no anchor came");
}
