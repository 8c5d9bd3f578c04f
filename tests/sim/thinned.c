/*
 * thinned.c: see thinned.h. A record went when the log goes on behind it; what of it arrives over a
 * later connection can only come from the archive. What the archive may lose without a word is what
 * its own overflow, its own faults and damage of the log took.
 */
#include "thinned.h"

#include "sim.h"

typedef unsigned long long ull; /* what printf can print */

static bool thins(const struct stream_facts *stream)
{
    return sim_run->scenario.overflow == DUN_LOG_THIN && !stream->spare;
}

static bool stays(const struct fact *fact, uint64_t sequence)
{
    return fact->urgent || sequence % sim_run->scenario.agent.keep_every == 0;
}

/* Where programs and erases fail the log skips blocks, and gives up more than one at a time. */
static bool storage_fails(void)
{
    const dun_ms *mean = sim_run->scenario.mean_ms;
    return mean[FAULT_STORAGE] + mean[FAULT_PROGRAM_ONCE] + mean[FAULT_ERASE_ONCE] +
               mean[FAULT_SYNC_ONCE] + mean[FAULT_BLOCK_DIES] >
           0;
}

/* Returns the bytes that a record took which nobody had got. */
static uint32_t note_gone(struct facts *facts, struct stream_facts *stream, uint64_t sequence)
{
    struct fact *fact = facts_fact(stream, sequence);
    fact->gone_in = sim_run->net.opens + 1;
    if (facts->urgent_sequence == sequence && facts->urgent_stream == stream->stream)
        facts->urgent_sequence = 0; /* it overtakes nothing any more */
    if (!fact->thinned)
        return 0;
    facts->thinned++;
    return fact->size + DUN_LOG_RECORD_OVERHEAD;
}

/* Power failed with a block half recycled: the mount decides whether its records went. */
void thinned_mounted(struct facts *facts, struct stream_facts *stream, const struct dun_log *log)
{
    uint64_t first = dun_log_first_sequence(log);
    if (!thins(stream))
        return;
    for (uint64_t s = first; s < stream->count; s++)
        facts_fact(stream, s)->gone_in = 0;
    for (; stream->gone < first; stream->gone++)
        note_gone(facts, stream, stream->gone);
    stream->gone = first;
}

void thinned_note(struct facts *facts, struct stream_facts *stream, const struct dun_log *log)
{
    uint64_t bytes = 0;
    if (!thins(stream))
        return;
    for (; stream->gone < dun_log_first_sequence(log); stream->gone++)
        bytes += note_gone(facts, stream, stream->gone);
    uint64_t erases = sim_run->flash.erases - facts->erases_seen;
    if (bytes > erases * log->flash->geometry.block_size && !storage_fails())
        sim_fail("thinning took %llu bytes, and %llu blocks were erased", (ull)bytes, (ull)erases);
}

void thinned_watch(struct facts *facts, const struct dun_agent *agent)
{
    facts->erases_seen = sim_run->flash.erases;
    if (sim_run->scenario.overflow != DUN_LOG_THIN ||
        (!agent->store->mounted && !agent->archive->mounted))
        return;
    const struct dun_log *log = &agent->archive->log;
    /* In its second lap it thins itself: copies of old records go behind younger ones. */
    facts->archive_full |=
        agent->archive->mounted && dun_log_serial(log) >= log->flash->geometry.block_count;
    facts->archive_lost |= !agent->archive->mounted || dun_log_damaged(log) > 0;
}

bool thinned_arrival(struct facts *facts, struct stream_facts *stream, uint64_t sequence,
                     uint64_t connection)
{
    struct fact *fact = facts_fact(stream, sequence);
    if (!thins(stream))
        return false;
    if (fact->gone_in == 0) /* a copy of what damage took before its block went */
        return fact->given_up && stays(fact, sequence);
    if (fact->gone_in > connection)
        return true; /* it may have been under way when it went */
    if (!stays(fact, sequence))
        sim_fail("sequence %llu was thinned out and came", (ull)sequence);
    facts->thinned_arrivals++;
    if (fact->arrived)
        return true;
    if (sequence < stream->archive_end && !facts->archive_full && !facts->archive_lost)
        sim_fail("sequence %llu came from the archive after %llu", (ull)sequence,
                 (ull)stream->archive_end);
    if (sequence > stream->archive_end)
        stream->archive_end = sequence;
    return true;
}

void thinned_told(const struct stream_facts *stream, const struct read_loss *loss)
{
    if (loss->reason == DUN_LOSS_THINNED && !thins(stream))
        sim_fail("sequence %llu is called thinned, and nothing thins", (ull)loss->first);
    if (loss->reason == DUN_LOSS_OVERFLOW && loss->first != 0 && thins(stream))
        sim_fail("sequence %llu is called overflow in a log that thins", (ull)loss->first);
}

void thinned_end(struct facts *facts, const struct dun_agent *agent)
{
    if (!agent->store->mounted || !dun_store_is_mounted(agent->archive) || facts->archive_full ||
        facts->archive_lost || sim_run->damaged || storage_fails() ||
        sim_run->scenario.packet_max != 0)
        return;
    struct stream_facts *stream = facts_stream(facts, agent->store->log.stream);
    for (uint64_t s = 1; stream && s < stream->count; s++) {
        const struct fact *fact = facts_fact(stream, s);
        if (fact->gone_in != 0 && fact->durable && stays(fact, s) && !fact->arrived &&
            fact->size <= dun_log_record_max(&agent->archive->log))
            sim_fail("sequence %llu should have stayed when the log was thinned, and never came",
                     (ull)s);
    }
}
