/*
 * broker.c: see broker.h. What the client may not do fails the run: MQTT sections are named. What
 * a torn connection made unreadable does not.
 */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "broker_wire.h"
#include "check.h"
#include "recorder.h"
#include "sim.h"

#define CONTENT(text) ((struct dun_span){(const uint8_t *)(text), sizeof(text) - 1})

static struct sim_connection *connection_of(const struct broker_client *client)
{
    return &sim_run->net.connections[client - sim_run->broker.clients];
}

/// The end of a client ///

static void end_client(struct broker_client *client, bool will)
{
    struct sim_connection *connection = connection_of(client);
    uint8_t *input = client->input;
    if (client->connected && will)
        strcpy(sim_run->broker.status, "offline");
    connection->accepted = false;
    sim_net_broker_close(&sim_run->net, connection);
    *client = (struct broker_client){.input = input};
}

static void send(struct broker_client *client, const struct wire *wire)
{
    if (!sim_net_broker_write(&sim_run->net, connection_of(client), wire->bytes, wire->size))
        client->leaves = true; /* nobody reads there */
}

void sim_broker_forgets(struct sim_connection *connection)
{
    struct broker_client *client = &sim_run->broker.clients[connection - sim_run->net.connections];
    end_client(client, false);
    connection->state = SIM_FREE;
}

/// CONNECT ///

static void take_over(struct broker *broker, const struct broker_client *by)
{
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        struct broker_client *other = &broker->clients[i];
        if (other != by && other->accepted)
            end_client(other, false); /* 3.1.4-2: the will is not sent for a session that goes on */
    }
}

static uint8_t refusal(struct broker *broker, uint8_t version)
{
    static const uint8_t old[] = {2, 3, 4, 5};
    static const uint8_t new[] = {0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x97, 0x9C, 0x9F};
    if (sim_run->scenario.broker_old && version == 5)
        return 0x84;
    if (!broker->refuses)
        return 0;
    return version == 5 ? new[rng_below(&broker->rng, sizeof new)]
                        : old[rng_below(&broker->rng, sizeof old)];
}

static void on_connect(struct broker *broker, struct broker_client *client, struct wire_in *in)
{
    struct wire_connect connect;
    const char *wrong = wire_read_connect(in, &connect);
    if (wrong)
        sim_fail("CONNECT %s", wrong);
    client->accepted = true;
    client->version = connect.version;
    client->keepalive_ms = connect.keepalive_s * (dun_ms)1500; /* 3.1.2-22 */
    client->refusal = refusal(broker, connect.version);
    client->connack_ms = sim_now() + (dun_ms)rng_below(&broker->rng, 50);
    if (broker->refuses && rng_chance(&broker->rng, 300))
        client->connack_ms = sim_now() + rng_range(&broker->rng, 1000, 100000);
    if (client->refusal != 0)
        return;
    take_over(broker, client);
    if (connect.clean) {
        broker->session = false;
        broker->subscribed = broker->config_subscribed = false;
    }
    client->resumed = broker->session;
    if (broker->session_lie != 0 && !connect.clean)
        client->resumed = broker->session_lie > 0;
    broker->session_lie = 0;
    if (client->version == 5 && sim_run->scenario.server_keepalive > 0)
        client->keepalive_ms = sim_run->scenario.server_keepalive * (dun_ms)1500;
    broker->session = true;
}

static void send_connack(struct broker_client *client)
{
    const struct scenario *s = &sim_run->scenario;
    struct wire wire;
    if (client->refusal == 0x84 && rng_chance(&sim_run->broker.rng, 500)) {
        /* An old broker answers in the only words it has. */
        wire_connack(&wire, &(struct wire_connack){.version = 4, .reason = 1});
    } else {
        wire_connack(&wire, &(struct wire_connack){.version = client->version,
                                                   .reason = client->refusal,
                                                   .present = client->resumed,
                                                   .receive_max = s->receive_max,
                                                   .packet_max = s->packet_max,
                                                   .retain_off = s->retain_off,
                                                   .keepalive_s = s->server_keepalive});
    }
    send(client, &wire);
    client->connack_ms = DUN_MS_NEVER;
    if (client->refusal != 0)
        client->leaves = true;
    else
        client->connected = true;
    sim_trace("connection %llu: CONNACK %u, session %d", (unsigned long long)client->number,
              client->refusal, client->resumed);
}

/// PUBLISH ///

static void note_inflight(struct broker_client *client, uint16_t id, bool dup)
{
    const struct scenario *s = &sim_run->scenario;
    if (id == 0)
        sim_fail("PUBLISH with packet id 0, 2.2.1-3");
    if (dup && !client->resumed)
        sim_fail("PUBLISH with DUP, and the session is new, 3.3.1-1");
    for (uint16_t i = 0; i < client->inflight_count; i++)
        if (client->inflight[i] == id)
            sim_fail("PUBLISH with packet id %u, which is in use, 2.2.1-4", id);
    if (client->inflight_count == BROKER_INFLIGHT_MAX)
        sim_fail("more publishes in flight than any window has");
    client->inflight[client->inflight_count++] = id;
    if (client->version == 5 && s->receive_max > 0 && client->inflight_count > s->receive_max)
        sim_fail("%u publishes in flight, receive maximum is %u, v5 3.3.4-7",
                 client->inflight_count, s->receive_max);
}

static void forget_inflight(struct broker_client *client, uint16_t id)
{
    for (uint16_t i = 0; i < client->inflight_count; i++)
        if (client->inflight[i] == id) {
            client->inflight[i] = client->inflight[--client->inflight_count];
            return;
        }
}

static void add_ack(struct broker *broker, struct broker_ack ack)
{
    static const uint8_t reasons[] = {0x80, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99};
    ack.due_ms = sim_now() + (dun_ms)rng_below(&broker->rng, sim_run->scenario.ack_delay_ms + 1u);
    if (broker->disorder && rng_chance(&broker->rng, 300))
        ack.due_ms += rng_spread(&broker->rng, 10, 90000);
    ack.lost = broker->disorder && rng_chance(&broker->rng, 150);
    ack.twice = broker->disorder && rng_chance(&broker->rng, 200);
    ack.reason = rng_chance(&broker->rng, 100) ? 0x10 : 0;
    if (broker->rejects && ack.sequence != 0 && rng_chance(&broker->rng, 300))
        ack.reason = reasons[rng_below(&broker->rng, sizeof reasons)];
    if (broker->ack_count == BROKER_ACKS_MAX)
        sim_fail("the broker owes too many acks");
    broker->acks[broker->ack_count++] = ack;
}

static void on_record(struct broker *broker, struct broker_client *client,
                      const struct wire_publish *publish)
{
    uint64_t sequence;
    const struct stream_facts *stream =
        check_arrival(&sim_run->facts, publish->payload, client->number, &sequence);
    sim_trace("record %016llx %llu comes with id %u", (unsigned long long)stream->stream,
              (unsigned long long)sequence, publish->id);
    struct broker_ack ack = {.client = client->number, .id = publish->id};
    ack.stream = stream->stream;
    ack.sequence = sequence;
    add_ack(broker, ack);
}

/* v5 3.3.2.3.4: an alias stands for the topic that it was last sent with on this connection. */
static void resolve_alias(struct broker_client *client, struct wire_publish *publish)
{
    if (publish->alias == 0)
        return;
    char *topic = client->aliases[publish->alias - 1];
    if (publish->topic.size >= sizeof client->aliases[0])
        sim_fail("PUBLISH to a topic that is not the device's");
    if (publish->topic.size > 0) {
        memcpy(topic, publish->topic.data, publish->topic.size);
        topic[publish->topic.size] = 0;
    }
    if (topic[0] == 0)
        sim_fail("PUBLISH with alias %u, which nobody told, v5 3.3.4-6", publish->alias);
    publish->topic = (struct dun_span){(const uint8_t *)topic, strlen(topic)};
}

static void on_publish(struct broker *broker, struct broker_client *client, struct wire_in *in)
{
    struct wire_publish publish;
    const char *wrong = wire_read_publish(in, client->version, &publish);
    if (wrong)
        sim_fail("PUBLISH %s", wrong);
    resolve_alias(client, &publish);
    note_inflight(client, publish.id, publish.dup);
    bool record = wire_equals(publish.topic, CONTENT("d/f/sim/batch")) ||
                  wire_equals(publish.topic, CONTENT("d/f/sim/samples"));
    bool retains = client->version != 5 || !sim_run->scenario.retain_off;
    if (publish.retain != (!record && retains))
        sim_fail("a record is retained, or a retained message is not");
    if (record) {
        on_record(broker, client, &publish);
        return;
    }
    if (wire_equals(publish.topic, CONTENT("d/f/sim/status")) &&
        publish.payload.size < sizeof broker->status) {
        memcpy(broker->status, publish.payload.data, publish.payload.size);
        broker->status[publish.payload.size] = 0;
    }
    if (wire_equals(publish.topic, CONTENT("d/f/sim/config/reported")))
        desk_hear(&sim_run->desk, publish.payload);
    add_ack(broker, (struct broker_ack){.client = client->number, .id = publish.id});
}

/// Other packets ///

static void send_stored(struct broker *broker, struct broker_client *client)
{
    struct wire wire;
    if (broker->stored_size == 0 || !client->connected)
        return;
    broker->next_id = (uint16_t)(broker->next_id % 0xFFFF + 1);
    wire_publish(&wire, client->version, CONTENT("d/f/sim/stored"), broker->next_id,
                 (struct dun_span){broker->stored, broker->stored_size});
    send(client, &wire);
}

void broker_publish_stored(struct broker *broker, struct dun_span payload)
{
    memcpy(broker->stored, payload.data, payload.size);
    broker->stored_size = (uint32_t)payload.size;
    for (int i = 0; i < SIM_CONNECTIONS && broker->subscribed; i++)
        send_stored(broker, &broker->clients[i]);
}

/* With QoS 0: what does not get there comes with the next connection. */
static void send_config(struct broker_client *client, struct dun_span document)
{
    struct wire wire;
    if (!client->connected)
        return;
    wire_publish(&wire, client->version, CONTENT("d/f/sim/config"), 0, document);
    send(client, &wire);
}

void broker_publish_config(struct broker *broker, struct dun_span document)
{
    bool retains = !sim_run->scenario.retain_off;
    broker->config_size = retains ? (uint32_t)document.size : 0;
    if (broker->config_size > 0)
        memcpy(broker->config, document.data, document.size);
    for (int i = 0; i < SIM_CONNECTIONS && broker->config_subscribed; i++)
        send_config(&broker->clients[i], document);
}

static void on_subscribe(struct broker *broker, struct broker_client *client, struct wire_in *in)
{
    struct wire wire;
    struct wire_subscribe subscribe;
    const char *wrong = wire_read_subscribe(in, client->version, &subscribe);
    if (wrong)
        sim_fail("SUBSCRIBE %s", wrong);
    bool stored = wire_equals(subscribe.topic, CONTENT("d/f/sim/stored"));
    if (!stored && !wire_equals(subscribe.topic, CONTENT("d/f/sim/config")))
        sim_fail("SUBSCRIBE to another topic than its own");
    if (subscribe.qos != stored)
        sim_fail("SUBSCRIBE with options that it should not have");
    broker->subscribed |= stored;
    broker->config_subscribed |= !stored;
    wire_suback(&wire, client->version, subscribe.id, subscribe.qos);
    send(client, &wire);
    if (stored)
        send_stored(broker, client);
    else if (broker->config_size > 0)
        send_config(client, (struct dun_span){broker->config, broker->config_size});
}

static void on_packet(struct broker *broker, struct broker_client *client, struct wire_in *in)
{
    struct wire wire;
    client->heard_ms = sim_now();
    if (!client->accepted && in->type != WIRE_CONNECT)
        sim_fail("the first packet is of type %u, 3.1.0-1", in->type);
    if (client->accepted && in->type == WIRE_CONNECT)
        sim_fail("a second CONNECT, 3.1.0-2");
    if (client->version == 5 && sim_run->scenario.packet_max > 0 && client->connected &&
        in->whole > sim_run->scenario.packet_max)
        sim_fail("a packet of %u bytes, %u are allowed", in->whole, sim_run->scenario.packet_max);
    switch (in->type) {
    case WIRE_CONNECT:
        on_connect(broker, client, in);
        break;
    case WIRE_PUBLISH:
        on_publish(broker, client, in);
        break;
    case WIRE_PUBACK:
        break;
    case WIRE_SUBSCRIBE:
        on_subscribe(broker, client, in);
        break;
    case WIRE_PINGREQ:
        wire_pingresp(&wire);
        send(client, &wire);
        break;
    case WIRE_DISCONNECT: /* 3.14.2.1: 4 leaves with the will */
        end_client(client, in->body.size > 0 && in->body.data[0] == 4);
        break;
    default:
        sim_fail("a packet of type %u from a client", in->type);
    }
}

/// Bytes in, acks out ///

static void read_client(struct broker *broker, struct broker_client *client)
{
    client->input_size +=
        (uint32_t)sim_net_broker_read(connection_of(client), client->input + client->input_size,
                                      BROKER_INPUT_MAX - client->input_size);
    uint32_t done = 0;
    /* 3.1.4: a broker may process what follows CONNECT before it answered; this one does not. */
    while (connection_of(client)->accepted && !client->leaves &&
           !(client->accepted && !client->connected)) {
        struct wire_in in;
        if (!wire_take(&in, client->input + done, client->input_size - done))
            break;
        done += in.whole;
        on_packet(broker, client, &in);
    }
    if (!connection_of(client)->accepted)
        return; /* it ended meanwhile */
    memmove(client->input, client->input + done, client->input_size - done);
    client->input_size -= done;
}

static struct broker_client *client_number(struct broker *broker, uint64_t number)
{
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        if (broker->clients[i].number == number && broker->clients[i].connected)
            return &broker->clients[i];
    return NULL;
}

/* An ack for nothing in flight, near nothing that could be. */
static void send_unknown_ack(struct broker *broker, struct broker_client *client, uint16_t id)
{
    struct wire wire;
    if (!broker->disorder || !rng_chance(&broker->rng, 50))
        return;
    wire_puback(&wire, client->version, (uint16_t)((id + 30000u) % 0xFFFF + 1), 0);
    send(client, &wire);
}

static void dispatch(struct broker *broker, const struct broker_ack *ack)
{
    struct broker_client *client = client_number(broker, ack->client);
    struct wire wire;
    bool negative = ack->reason >= 0x80 && client && client->version == 5;
    if (ack->sequence != 0 && !negative && (client || ack->reason < 0x80))
        recorder_takes(broker, ack->stream, ack->sequence);
    if (!client || ack->lost)
        return;
    forget_inflight(client, ack->id);
    if (negative && ack->sequence != 0)
        check_refused(&sim_run->facts, ack->stream, ack->sequence, ack->reason);
    wire_puback(&wire, client->version, ack->id, ack->reason);
    send(client, &wire);
    if (ack->twice)
        send(client, &wire);
    send_unknown_ack(broker, client, ack->id);
}

static void run_acks(struct broker *broker)
{
    for (uint32_t i = 0; i < broker->ack_count;) {
        struct broker_ack ack = broker->acks[i];
        if (ack.due_ms > sim_now()) {
            i++;
            continue;
        }
        memmove(&broker->acks[i], &broker->acks[i + 1],
                (--broker->ack_count - i) * sizeof broker->acks[0]);
        dispatch(broker, &ack);
    }
}

static void run_client(struct broker *broker, struct broker_client *client)
{
    struct sim_connection *connection = connection_of(client);
    if (connection->state != SIM_OPEN || !connection->broker_end)
        return;
    if (!connection->accepted) {
        connection->accepted = true;
        client->number = connection->number;
        client->connack_ms = DUN_MS_NEVER;
        client->heard_ms = sim_now();
        client->keepalive_ms = 60000;
    }
    read_client(broker, client);
    if (!connection->accepted)
        return;
    if (client->connack_ms <= sim_now()) {
        send_connack(client);
        read_client(broker, client);
    }
    if (!connection->accepted)
        return;
    if (client->leaves || sim_net_broker_ended(connection))
        end_client(client, true);
    else if (client->keepalive_ms > 0 && sim_now() >= client->heard_ms + client->keepalive_ms)
        end_client(client, true);
}

void broker_run(struct broker *broker)
{
    if (broker->silent)
        return;
    run_acks(broker);
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        run_client(broker, &broker->clients[i]);
    recorder_run(broker);
}

dun_ms broker_wake(struct broker *broker)
{
    dun_ms wake = dun_ms_earlier(recorder_wake(broker), sim_net_broker_wake(&sim_run->net));
    if (broker->silent)
        return DUN_MS_NEVER;
    for (uint32_t i = 0; i < broker->ack_count; i++)
        wake = dun_ms_earlier(wake, broker->acks[i].due_ms);
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        const struct broker_client *client = &broker->clients[i];
        const struct sim_connection *connection = &sim_run->net.connections[i];
        if (connection->state != SIM_OPEN || !connection->broker_end)
            continue;
        if (!connection->accepted || client->leaves)
            return sim_now();
        wake = dun_ms_earlier(wake, client->connack_ms);
        if (client->keepalive_ms > 0)
            wake = dun_ms_earlier(wake, client->heard_ms + client->keepalive_ms);
    }
    return wake;
}

/// Life and faults ///

void broker_init(struct broker *broker, struct rng rng)
{
    *broker = (struct broker){.rng = rng};
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        broker->clients[i].input = sim_grow(NULL, BROKER_INPUT_MAX);
    for (int i = 0; i < BROKER_STREAMS_MAX; i++)
        broker->tells[i].due_ms = DUN_MS_NEVER;
}

void broker_free(struct broker *broker)
{
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        free(broker->clients[i].input);
    free(broker->forwards);
}

void broker_kill(struct broker *broker, bool with_memory)
{
    sim_net_reset(&sim_run->net);
    for (int i = 0; i < SIM_CONNECTIONS; i++)
        if (sim_run->net.connections[i].accepted)
            end_client(&broker->clients[i], false);
    if (with_memory)
        return;
    broker->session = false;
    broker->subscribed = broker->config_subscribed = false;
    broker->stored_size = broker->config_size = 0;
    broker->ack_count = 0;
    broker->forward_count = 0;
}

void broker_leave(struct broker *broker)
{
    static const uint8_t reasons[] = {0x80, 0x81, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
                                      0x93, 0x97, 0x98, 0x9C, 0x9D, 0xA0};
    struct wire wire;
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        struct broker_client *client = &broker->clients[i];
        if (!client->connected)
            continue;
        if (client->version == 5 && rng_chance(&broker->rng, 700)) {
            wire_disconnect(&wire, reasons[rng_below(&broker->rng, sizeof reasons)]);
            send(client, &wire);
        }
        client->leaves = true;
    }
}

void broker_garbage(struct broker *broker)
{
    struct wire wire;
    for (int i = 0; i < SIM_CONNECTIONS; i++) {
        struct broker_client *client = &broker->clients[i];
        if (!connection_of(client)->accepted || !client->accepted)
            continue;
        wire_garbage(&wire, &broker->rng);
        send(client, &wire);
    }
}

void broker_heal(struct broker *broker)
{
    broker->silent = broker->refuses = broker->rejects = false;
    broker->disorder = broker->lags = false;
    broker->session_lie = 0;
}
