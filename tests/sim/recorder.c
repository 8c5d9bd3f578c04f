/*
 * recorder.c: makes records durable some time after the broker took them, and tells its cursor:
 * all up to it was received or is told as lost. Without ack = stored the broker's word counts, and
 * the recorder is not there.
 */
#include "recorder.h"

#include "broker_wire.h"
#include "check.h"
#include "sim.h"

static void tell_later(struct broker *broker, uint64_t stream)
{
    dun_ms due = sim_now() + (dun_ms)rng_below(&broker->rng, sim_run->scenario.stored_delay_ms);
    for (int i = 0; i < BROKER_STREAMS_MAX; i++)
        if (broker->tells[i].stream == stream) {
            broker->tells[i].due_ms = dun_ms_earlier(broker->tells[i].due_ms, due);
            return;
        }
    broker->tells[broker->tell_next++ % BROKER_STREAMS_MAX] = (struct broker_stored){stream, due};
}

static void keep(struct broker *broker, uint64_t stream, uint64_t sequence)
{
    check_received(&sim_run->facts, facts_stream(&sim_run->facts, stream), sequence);
    if (sim_run->scenario.agent.ack_mode == DUN_ACK_STORED)
        tell_later(broker, stream);
}

void recorder_takes(struct broker *broker, uint64_t stream, uint64_t sequence)
{
    if (sim_run->scenario.agent.ack_mode != DUN_ACK_STORED) {
        keep(broker, stream, sequence);
        return;
    }
    if (broker->forward_count == broker->forward_capacity) {
        broker->forward_capacity = broker->forward_capacity * 2 + 64;
        broker->forwards =
            sim_grow(broker->forwards, broker->forward_capacity * sizeof *broker->forwards);
    }
    broker->forwards[broker->forward_count++] = (struct broker_forward){
        sim_now() + (dun_ms)rng_below(&broker->rng, sim_run->scenario.recorder_delay_ms), stream,
        sequence};
}

static void tell(struct broker *broker, uint64_t stream, uint64_t sequence)
{
    uint8_t bytes[20];
    struct dun_span payload = wire_stored(bytes, stream, sequence);
    sim_trace("stored %016llx %llu", (unsigned long long)stream, (unsigned long long)sequence);
    broker_publish_stored(broker, payload);
}

void recorder_run(struct broker *broker)
{
    if (broker->lags)
        return;
    for (uint32_t i = 0; i < broker->forward_count;) {
        struct broker_forward forward = broker->forwards[i];
        if (forward.due_ms > sim_now()) {
            i++;
            continue;
        }
        broker->forwards[i] = broker->forwards[--broker->forward_count];
        keep(broker, forward.stream, forward.sequence);
    }
    for (int i = 0; i < BROKER_STREAMS_MAX; i++) {
        struct broker_stored *stored = &broker->tells[i];
        if (stored->due_ms > sim_now())
            continue;
        stored->due_ms = DUN_MS_NEVER;
        uint64_t cursor = facts_stream(&sim_run->facts, stored->stream)->contiguous;
        if (cursor > 0)
            tell(broker, stored->stream, cursor);
    }
}

dun_ms recorder_wake(const struct broker *broker)
{
    dun_ms wake = DUN_MS_NEVER;
    if (broker->lags)
        return wake;
    for (uint32_t i = 0; i < broker->forward_count; i++)
        wake = dun_ms_earlier(wake, broker->forwards[i].due_ms);
    for (int i = 0; i < BROKER_STREAMS_MAX; i++)
        wake = dun_ms_earlier(wake, broker->tells[i].due_ms);
    return wake;
}

void broker_stored_lie(struct broker *broker)
{
    const struct stream_facts *stream =
        facts_stream(&sim_run->facts, sim_run->facts.durable_stream);
    uint64_t sequence;
    if (!stream)
        return;
    switch (rng_below(&broker->rng, 3)) {
    case 0:
        tell(broker, stream->stream,
             stream->contiguous / 2 + 1 > stream->contiguous ? 0 : stream->contiguous / 2);
        break;
    case 1:
        /* One after the other: compilers differ in the order of arguments, runs must not. */
        sequence = rng_below(&broker->rng, 1000) + 1;
        tell(broker, rng_next(&broker->rng), sequence);
        break;
    default:
        tell(broker, stream->stream, UINT64_C(1) << 40);
        break;
    }
    tell_later(broker, stream->stream); /* the truth comes after it */
}
