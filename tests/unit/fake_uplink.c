/* fake_uplink.c: see fake_uplink.h. It reads each payload at once, in two pieces. */
#include "fake_uplink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int fake_open(void *context, const struct dun_uplink_config *config, dun_ms now)
{
    struct fake_uplink *fake = context;
    (void)now;
    assert_int_equal(fake->state, 0);
    strcpy(fake->will_topic, config->will_topic);
    fake->opens++;
    fake->state = 1;
    fake->down_due = !fake->reachable;
    return DUN_OK;
}

static int fake_publish(void *context, const struct dun_message *message, dun_ms now)
{
    struct fake_uplink *fake = context;
    (void)now;
    if (fake->state != 2)
        return DUN_E_CLOSED;
    if (fake->writable_due)
        return DUN_E_AGAIN;
    assert_true(fake->count < FAKE_MESSAGES);
    assert_in_range(message->payload.size, 0, FAKE_PAYLOAD);
    struct fake_message *taken = &fake->messages[fake->count++];
    memset(taken, 0, sizeof *taken);
    strcpy(taken->topic, message->topic);
    taken->size = message->payload.size;
    taken->token = message->token;
    taken->retain = message->retain;
    uint32_t half = taken->size / 2;
    const struct dun_reader *reader = &message->payload;
    assert_int_equal(reader->read(reader->context, 0, taken->payload, half), DUN_OK);
    assert_int_equal(reader->read(reader->context, half, taken->payload + half, taken->size - half),
                     DUN_OK);
    fake->writable_due = true;
    return DUN_OK;
}

static int fake_subscribe(void *context, const char *filter, uint8_t qos, dun_ms now)
{
    struct fake_uplink *fake = context;
    (void)now;
    assert_int_equal(qos, strcmp(strrchr(filter, '/'), "/stored") == 0 ? 1 : 0);
    fake->subscribed |= qos == 1;
    if (qos == 1)
        return DUN_OK;
    fake->config_asked++;
    fake->config_due = fake->config_size > 0;
    strcpy(fake->config_topic, filter);
    return DUN_OK;
}

static bool poll_ack(struct fake_uplink *fake, struct dun_uplink_event *event)
{
    while (fake->acked < fake->count && fake->messages[fake->acked].acked)
        fake->acked++;
    if (!fake->auto_ack || fake->acked == fake->count)
        return false;
    struct fake_message *message = &fake->messages[fake->acked++];
    message->acked = true;
    *event = (struct dun_uplink_event){
        .kind = DUN_UPLINK_ACKED, .token = message->token, .reason = fake->ack_reason};
    return true;
}

static bool fake_poll(void *context, dun_ms now, struct dun_uplink_event *event)
{
    struct fake_uplink *fake = context;
    (void)now;
    if (fake->down_due) {
        fake->down_due = false;
        fake->writable_due = false;
        fake->state = 0;
        fake->acked = fake->count;
        *event = (struct dun_uplink_event){.kind = DUN_UPLINK_DOWN, .error = DUN_E_UNREACHABLE};
        return true;
    }
    if (fake->state == 1) {
        fake->state = 2;
        *event = (struct dun_uplink_event){
            .kind = DUN_UPLINK_UP,
            .terms = {.packet_max = fake->packet_max > 0 ? fake->packet_max : UINT32_MAX,
                      .qos_max = 1,
                      .retain = true}};
        return true;
    }
    if (fake->writable_due) {
        fake->writable_due = false;
        *event = (struct dun_uplink_event){.kind = DUN_UPLINK_WRITABLE};
        return true;
    }
    if (fake->state == 2 && fake->message_due) {
        fake->message_due = false;
        *event = (struct dun_uplink_event){.kind = DUN_UPLINK_MESSAGE,
                                           .payload = {fake->stored, fake->stored_size}};
        return true;
    }
    if (fake->state == 2 && fake->config_due) {
        fake->config_due = false;
        *event = (struct dun_uplink_event){
            .kind = DUN_UPLINK_MESSAGE,
            .topic = {(const uint8_t *)fake->config_topic, strlen(fake->config_topic)},
            .payload = {fake->config, fake->config_size}};
        return true;
    }
    return fake->state == 2 && poll_ack(fake, event);
}

static dun_ms fake_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

static bool fake_wants_read(void *context)
{
    (void)context;
    return true;
}

static bool fake_wants_write(void *context)
{
    (void)context;
    return false;
}

static void fake_close(void *context, bool will, dun_ms now)
{
    struct fake_uplink *fake = context;
    (void)now;
    fake->told_will |= will;
    fake->closes++;
    fake->state = 0;
}

static void fake_stats(void *context, struct dun_uplink_stats *stats)
{
    (void)context;
    *stats = (struct dun_uplink_stats){0};
}

void fake_uplink_init(struct fake_uplink *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->reachable = true;
    fake->auto_ack = true;
    fake->uplink = (struct dun_uplink){.context = fake,
                                       .open = fake_open,
                                       .publish = fake_publish,
                                       .subscribe = fake_subscribe,
                                       .poll = fake_poll,
                                       .deadline = fake_deadline,
                                       .wants_write = fake_wants_write,
                                       .wants_read = fake_wants_read,
                                       .close = fake_close,
                                       .stats = fake_stats};
}

void fake_uplink_cut(struct fake_uplink *fake)
{
    fake->down_due = fake->state != 0;
}

void fake_uplink_stored(struct fake_uplink *fake, uint64_t stream, uint8_t sequence)
{
    uint8_t *at = fake->stored;
    assert_true(fake->subscribed && sequence < 0x80);
    *at++ = 0x09;
    for (int i = 0; i < 8; i++)
        *at++ = (uint8_t)(stream >> (8 * i));
    *at++ = 0x10;
    *at++ = sequence;
    fake->stored_size = (uint32_t)(at - fake->stored);
    fake->message_due = true;
}

void fake_uplink_config(struct fake_uplink *fake, const void *payload, size_t size)
{
    assert_true(size <= sizeof fake->config);
    memcpy(fake->config, payload, size);
    fake->config_size = (uint32_t)size;
    fake->config_due = fake->config_asked > 0;
}

static bool is_on(const struct fake_message *message, const char *channel)
{
    const char *last = strrchr(message->topic, '/');
    return last && strcmp(last + 1, channel) == 0;
}

unsigned fake_uplink_count(const struct fake_uplink *fake, const char *channel)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake->count; i++)
        count += is_on(&fake->messages[i], channel);
    return count;
}

const struct fake_message *fake_uplink_message(const struct fake_uplink *fake, const char *channel,
                                               unsigned nth)
{
    for (unsigned i = 0; i < fake->count; i++)
        if (is_on(&fake->messages[i], channel) && nth-- == 0)
            return &fake->messages[i];
    return NULL;
}

uint64_t fake_stream(const struct fake_message *message)
{
    uint64_t stream = 0;
    assert_int_equal(message->payload[0], 0x09);
    for (int i = 8; i >= 1; i--)
        stream = stream << 8 | message->payload[i];
    return stream;
}

uint64_t fake_sequence(const struct fake_message *message)
{
    uint64_t sequence = 0;
    assert_int_equal(message->payload[9], 0x10);
    for (unsigned i = 10, shift = 0;; i++, shift += 7) {
        sequence |= (uint64_t)(message->payload[i] & 0x7F) << shift;
        if (message->payload[i] < 0x80)
            return sequence;
    }
}
