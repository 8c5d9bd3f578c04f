/*
 * subscriber.c: packets in and out of two growing buffers, over any link. What a broker may not
 * say ends the connection. Memory grows with what arrives, never with a length that is claimed.
 */
#include "subscriber.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

#define READ_SIZE       ((size_t)65536)
#define READS_A_STEP    16
#define STEP_TIMEOUT_MS 15000 /* for a connection, a CONNACK, a SUBACK */
#define TELLING_COUNT   DUN_TELLINGS_MAX
#define SUBSCRIBE_ID    1000 /* and up: apart from the ids of tellings, which are 1 and up */
#define PACKET_SIZE_MAX (DUN_RECORD_BYTES_MAX + 70000)

int dun_subscriber_init(struct dun_subscriber *subscriber,
                        const struct dun_subscriber_settings *settings)
{
    memset(subscriber, 0, sizeof *subscriber);
    subscriber->settings = *settings;
    subscriber->version = settings->broker->version == 5 ? DUN_MQTT_5 : DUN_MQTT_3_1_1;
    dun_link_posix_init(&subscriber->tcp, 0, STEP_TIMEOUT_MS, &subscriber->plain);
    subscriber->link = &subscriber->plain;
    return settings->broker->tls ? dun_subscriber_secure(subscriber) : 0;
}

void dun_subscriber_free(struct dun_subscriber *subscriber)
{
    if (subscriber->link != NULL) {
        subscriber->link->close(subscriber->link->context);
        dun_subscriber_unsecure(subscriber);
    }
    free(subscriber->bytes.items);
    free(subscriber->gathered.items);
    free(subscriber->in.items);
    free(subscriber->out.items);
}

/// Failures ///

static const char *meaning(uint8_t reason)
{
    static const struct {
        uint8_t reason;
        const char *meaning;
    } meanings[] = {{1, "unacceptable protocol version; try another -V"},
                    {2, "client id rejected"},
                    {3, "server unavailable"},
                    {4, "bad user name or password"},
                    {5, "not authorized"},
                    {0x80, "unspecified error"},
                    {0x84, "unsupported protocol version; try -V mqttv311"},
                    {0x85, "client id not valid"},
                    {0x86, "bad user name or password"},
                    {0x87, "not authorized"},
                    {0x88, "server unavailable"},
                    {0x89, "server busy"},
                    {0x8A, "banned"},
                    {0x8B, "server shutting down"},
                    {0x8D, "keep alive time-out"},
                    {0x8E, "session taken over: another client has this client id"},
                    {0x8F, "topic filter invalid"},
                    {0x93, "receive maximum exceeded"},
                    {0x97, "quota exceeded"},
                    {0x98, "administrative action"},
                    {0x9C, "use another server"},
                    {0x9D, "server moved"},
                    {0x9E, "shared subscriptions not supported"},
                    {0xA2, "wildcard subscriptions not supported"}};
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].reason == reason) {
            return meanings[i].meaning;
        }
    }
    return "an unknown reason";
}

static int fail(struct dun_subscriber *subscriber, int error, const char *why)
{
    (void)snprintf(subscriber->why, sizeof subscriber->why, "%s", why);
    return error;
}

static int refused(struct dun_subscriber *subscriber, const char *what, uint8_t reason)
{
    subscriber->reason = reason;
    (void)snprintf(subscriber->why, sizeof subscriber->why, "%s: %s (0x%02X)", what,
                   meaning(reason), (unsigned)reason);
    return DUN_E_REFUSED;
}

static int link_failed(struct dun_subscriber *subscriber, int error)
{
    static const struct {
        int error;
        const char *why;
    } reasons[] = {{DUN_E_NOT_FOUND, "no such host"},
                   {DUN_E_CLOSED, "the broker closed the connection"},
                   {DUN_E_REFUSED, "the peer refused TLS: it may want a client certificate"},
                   {DUN_E_TIMEOUT, "no answer in time"},
                   {DUN_E_UNREACHABLE, "nobody listens there, or no way there"},
                   {DUN_E_TLS, "no TLS there, or broken off"},
                   {DUN_E_TLS_NAME, "the certificate is another host's"},
                   {DUN_E_TLS_DATE, "the certificate is expired, or not valid yet"},
                   {DUN_E_TLS_CA, "no authority that we know vouches for the certificate"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].error == error) {
            bool tls = error == DUN_E_REFUSED;
            return fail(subscriber, tls ? DUN_E_TLS : error, reasons[i].why);
        }
    }
    return fail(subscriber, error, "the connection failed");
}

/// Out ///

/* Room for `size` bytes at the end of what is to be written; NULL: out of memory. */
static struct dun_buffer room_out(struct dun_subscriber *subscriber, size_t size)
{
    struct dun_list *out = &subscriber->out;
    if (!dun_list_reserve(out, out->count + size, 1)) {
        return (struct dun_buffer){NULL, 0};
    }
    return (struct dun_buffer){(uint8_t *)out->items + out->count, out->capacity - out->count};
}

/* What an encoder gave: bytes, or an error. */
static bool queued(struct dun_subscriber *subscriber, int size)
{
    if (size > 0) {
        subscriber->out.count += (size_t)size;
    }
    return size > 0;
}

static int flush(struct dun_subscriber *subscriber, dun_ms now)
{
    struct dun_list *out = &subscriber->out;
    while (subscriber->out_taken < out->count) {
        int moved = subscriber->link->write(subscriber->link->context,
                                            (uint8_t *)out->items + subscriber->out_taken,
                                            out->count - subscriber->out_taken);
        if (moved < 0) {
            return link_failed(subscriber, moved);
        }
        if (moved == 0) {
            return 0;
        }
        subscriber->out_taken += (size_t)moved;
        subscriber->written_at = now;
    }
    out->count = subscriber->out_taken = 0;
    return 0;
}

static struct dun_span span_or_none(const char *text)
{
    return text != NULL ? dun_span_of(text) : (struct dun_span){NULL, 0};
}

static int send_connect(struct dun_subscriber *subscriber, dun_ms now)
{
    const struct dun_broker_options *broker = subscriber->settings.broker;
    const struct dun_mqtt_connect connect = {
        .version = subscriber->version,
        .clean_start = subscriber->settings.clean,
        .keepalive_s = (uint16_t)broker->keepalive_s,
        .client_id = dun_span_of(broker->client_id),
        .username = span_or_none(broker->username),
        .password = span_or_none(broker->password_file != NULL ? broker->password : NULL),
        .session_expiry_s = subscriber->settings.clean ? 0 : subscriber->settings.session_expiry_s,
        .maximum_packet_size = (uint32_t)PACKET_SIZE_MAX,
        .receive_maximum = subscriber->settings.receive_maximum};
    struct dun_buffer out = room_out(subscriber, 4096);
    if (out.data == NULL || !queued(subscriber, dun_mqtt_encode_connect(out, &connect))) {
        return fail(subscriber, DUN_E_INVALID, "client id, user or password cannot be sent");
    }
    subscriber->keepalive_ms = (dun_ms)broker->keepalive_s * 1000;
    subscriber->state = DUN_SUBSCRIBER_GREETING;
    subscriber->deadline = now + STEP_TIMEOUT_MS;
    return 0;
}

/* Subscribes to the next filter, or is done with them. */
static int ask(struct dun_subscriber *subscriber, dun_ms now)
{
    const struct dun_subscriber_settings *settings = &subscriber->settings;
    if (subscriber->asked == settings->filter_count) {
        subscriber->state = DUN_SUBSCRIBER_UP;
        return 0;
    }
    struct dun_span filter = dun_span_of(settings->filters[subscriber->asked]);
    struct dun_buffer out = room_out(subscriber, filter.size + 32);
    uint16_t id = (uint16_t)(SUBSCRIBE_ID + subscriber->asked);
    subscriber->state = DUN_SUBSCRIBER_ASKING;
    subscriber->deadline = now + STEP_TIMEOUT_MS;
    return out.data != NULL && queued(subscriber, dun_mqtt_encode_subscribe(subscriber->version,
                                                                            out, id, filter, 1))
               ? 0
               : fail(subscriber, DUN_E_INVALID, "not a topic filter");
}

bool dun_subscriber_tell(struct dun_subscriber *subscriber, const char *topic,
                         struct dun_span payload, void *token)
{
    size_t slot = 0;
    while (slot < subscriber->tellings_max && subscriber->tellings[slot].token != NULL) {
        slot++;
    }
    if (subscriber->state != DUN_SUBSCRIBER_UP || slot == subscriber->tellings_max) {
        return false;
    }
    const struct dun_mqtt_publish publish = {.topic = dun_span_of(topic),
                                             .payload_size = (uint32_t)payload.size,
                                             .packet_id = (uint16_t)(slot + 1),
                                             .qos = 1,
                                             .retain = true};
    struct dun_buffer out = room_out(subscriber, publish.topic.size + payload.size + 32);
    if (out.data == NULL ||
        !queued(subscriber, dun_mqtt_encode_publish(subscriber->version, out, &publish))) {
        return false;
    }
    memcpy((uint8_t *)subscriber->out.items + subscriber->out.count, payload.data, payload.size);
    subscriber->out.count += payload.size;
    subscriber->tellings[slot] = (struct dun_telling){.token = token};
    return true;
}

void *dun_subscriber_told(struct dun_subscriber *subscriber, uint8_t *reason)
{
    for (size_t i = 0; i < TELLING_COUNT; i++) {
        struct dun_telling *telling = &subscriber->tellings[i];
        if (telling->token != NULL && telling->ended) {
            void *token = telling->token;
            *reason = telling->reason;
            telling->token = NULL;
            return token;
        }
    }
    return NULL;
}

bool dun_subscriber_telling(const struct dun_subscriber *subscriber)
{
    for (size_t i = 0; i < TELLING_COUNT; i++) {
        if (subscriber->tellings[i].token != NULL) {
            return true;
        }
    }
    return false;
}

/// Messages ///

size_t dun_subscriber_count(const struct dun_subscriber *subscriber)
{
    return subscriber->gathered.count;
}

bool dun_subscriber_message(const struct dun_subscriber *subscriber, size_t index,
                            struct dun_span *topic, struct dun_span *payload)
{
    const struct dun_gathered *message =
        (const struct dun_gathered *)subscriber->gathered.items + index;
    const uint8_t *bytes = subscriber->bytes.items;
    *topic = (struct dun_span){bytes + message->topic, message->topic_size};
    *payload = (struct dun_span){bytes + message->payload, message->payload_size};
    return message->retained;
}

void dun_subscriber_release(struct dun_subscriber *subscriber)
{
    const struct dun_gathered *messages = subscriber->gathered.items;
    struct dun_buffer out = room_out(subscriber, subscriber->gathered.count * 8);
    for (size_t i = 0; i < subscriber->gathered.count && out.data != NULL; i++) {
        if (messages[i].packet_id != 0 &&
            queued(subscriber, dun_mqtt_encode_puback(out, messages[i].packet_id))) {
            out = room_out(subscriber, 8);
        }
    }
    subscriber->gathered.count = subscriber->bytes.count = 0;
}

static bool is_full(const struct dun_subscriber *subscriber)
{
    return subscriber->gathered.count >= DUN_GATHER_MESSAGES_MAX ||
           subscriber->bytes.count >= DUN_GATHER_BYTES_MAX;
}

static int gather(struct dun_subscriber *subscriber, const struct dun_mqtt_publish *publish)
{
    struct dun_list *bytes = &subscriber->bytes;
    struct dun_gathered *message = dun_list_add(&subscriber->gathered, sizeof *message);
    size_t size = publish->topic.size + publish->payload.size;
    if (message == NULL || !dun_list_reserve(bytes, bytes->count + size, 1)) {
        return fail(subscriber, DUN_E_FULL, "out of memory");
    }
    *message = (struct dun_gathered){.topic = bytes->count,
                                     .topic_size = publish->topic.size,
                                     .payload = bytes->count + publish->topic.size,
                                     .payload_size = publish->payload.size,
                                     .packet_id = publish->packet_id,
                                     .retained = publish->retain};
    uint8_t *to = (uint8_t *)bytes->items + bytes->count;
    memcpy(to, publish->topic.data, publish->topic.size);
    if (publish->payload.size > 0) {
        memcpy(to + publish->topic.size, publish->payload.data, publish->payload.size);
    }
    bytes->count += size;
    return 0;
}

/// In ///

static int take_connack(struct dun_subscriber *subscriber, struct dun_span body, dun_ms now)
{
    struct dun_mqtt_connack connack;
    int error = dun_mqtt_decode_connack(subscriber->version, body, &connack);
    if (error != 0 || subscriber->state != DUN_SUBSCRIBER_GREETING) {
        return fail(subscriber, DUN_E_PROTOCOL, "an unexpected CONNACK");
    }
    if (connack.reason != 0) {
        return refused(subscriber, "the broker refused the connection", connack.reason);
    }
    if (connack.keepalive_given) {
        subscriber->keepalive_ms = (dun_ms)connack.server_keepalive_s * 1000;
    }
    subscriber->tellings_max =
        connack.receive_maximum < TELLING_COUNT ? connack.receive_maximum : TELLING_COUNT;
    subscriber->session_present = connack.session_present;
    return ask(subscriber, now);
}

static int take_suback(struct dun_subscriber *subscriber, struct dun_span body, dun_ms now)
{
    uint16_t id;
    uint8_t reason;
    int error = dun_mqtt_decode_suback(subscriber->version, body, &id, &reason);
    if (error != 0 || subscriber->state != DUN_SUBSCRIBER_ASKING ||
        id != SUBSCRIBE_ID + subscriber->asked) {
        return fail(subscriber, DUN_E_PROTOCOL, "an unexpected SUBACK");
    }
    if (reason >= 0x80) {
        char what[160];
        (void)snprintf(what, sizeof what, "the broker refused the subscription %.100s",
                       subscriber->settings.filters[subscriber->asked]);
        return refused(subscriber, what, reason);
    }
    subscriber->asked++;
    return ask(subscriber, now);
}

static int take_puback(struct dun_subscriber *subscriber, struct dun_span body)
{
    uint16_t id;
    uint8_t reason;
    if (dun_mqtt_decode_puback(subscriber->version, body, &id, &reason) != 0) {
        return fail(subscriber, DUN_E_PROTOCOL, "a broken PUBACK");
    }
    if (id >= 1 && id <= TELLING_COUNT && subscriber->tellings[id - 1].token != NULL) {
        subscriber->tellings[id - 1].ended = true;
        subscriber->tellings[id - 1].reason = reason;
    }
    return 0;
}

static int take_publish(struct dun_subscriber *subscriber, uint8_t first, struct dun_span body)
{
    struct dun_mqtt_publish publish;
    bool ready = subscriber->state >= DUN_SUBSCRIBER_ASKING;
    if (dun_mqtt_decode_publish(subscriber->version, first, body, &publish) != 0 ||
        publish.qos > 1 || !ready) {
        return fail(subscriber, DUN_E_PROTOCOL, "a PUBLISH that breaks the protocol");
    }
    return gather(subscriber, &publish);
}

static int take_packet(struct dun_subscriber *subscriber, uint8_t first, struct dun_span body,
                       dun_ms now)
{
    int type = dun_mqtt_decode_first(subscriber->version, first);
    uint8_t reason = 0;
    struct dun_span server;
    switch (type) {
    case DUN_MQTT_CONNACK:
        return take_connack(subscriber, body, now);
    case DUN_MQTT_PUBLISH:
        return take_publish(subscriber, first, body);
    case DUN_MQTT_PUBACK:
        return take_puback(subscriber, body);
    case DUN_MQTT_SUBACK:
        return take_suback(subscriber, body, now);
    case DUN_MQTT_PINGRESP:
        return 0;
    case DUN_MQTT_DISCONNECT:
        if (dun_mqtt_decode_disconnect(body, &reason, &server) != 0) {
            return fail(subscriber, DUN_E_PROTOCOL, "a broken DISCONNECT");
        }
        (void)refused(subscriber, "the broker ended the connection", reason);
        return DUN_E_CLOSED;
    default:
        return fail(subscriber, DUN_E_PROTOCOL, "a packet that a broker must not send");
    }
}

/* The header at the front of `data`: bytes it has, 0 when it has not come whole, or an error. */
static int header_of(const struct dun_subscriber *subscriber, struct dun_span data, uint32_t *size)
{
    *size = 0;
    for (uint8_t i = 0; i < 4 && (size_t)i + 1 < data.size; i++) {
        int whole = dun_mqtt_decode_length(subscriber->version, data.data[i + 1], i, size);
        if (whole != 0) {
            return whole < 0 ? whole : i + 2;
        }
    }
    return 0;
}

/* Takes the packets that have come whole, as long as there is room for their messages. */
static int take_packets(struct dun_subscriber *subscriber, dun_ms now)
{
    struct dun_list *in = &subscriber->in;
    size_t taken = 0;
    int error = 0;
    while (error == 0 && !is_full(subscriber)) {
        struct dun_span rest = {(uint8_t *)in->items + taken, in->count - taken};
        uint32_t size;
        int header = rest.size < 2 ? 0 : header_of(subscriber, rest, &size);
        if (header < 0) {
            error = fail(subscriber, DUN_E_PROTOCOL, "a packet of impossible length");
        }
        if (header <= 0 || rest.size - (size_t)header < size) {
            break;
        }
        struct dun_span body = {rest.data + header, size};
        error = take_packet(subscriber, rest.data[0], body, now);
        taken += (size_t)header + size;
    }
    if (taken > 0) {
        memmove(in->items, (uint8_t *)in->items + taken, in->count - taken);
        in->count -= taken;
    }
    return error;
}

/* Reads what there is; `*moved`: something came. */
static int receive(struct dun_subscriber *subscriber, dun_ms now, bool *moved)
{
    struct dun_list *in = &subscriber->in;
    int error = take_packets(subscriber, now);
    for (int i = 0; i < READS_A_STEP && error == 0 && !is_full(subscriber); i++) {
        if (!dun_list_reserve(in, in->count + READ_SIZE, 1)) {
            return fail(subscriber, DUN_E_FULL, "out of memory");
        }
        int got = subscriber->link->read(subscriber->link->context,
                                         (uint8_t *)in->items + in->count, READ_SIZE);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            return link_failed(subscriber, got);
        }
        *moved = true;
        in->count += (size_t)got;
        subscriber->read_at = now;
        error = take_packets(subscriber, now);
    }
    return error;
}

/// The connection ///

int dun_subscriber_open(struct dun_subscriber *subscriber, dun_ms now)
{
    const struct dun_broker_options *broker = subscriber->settings.broker;
    subscriber->link->close(subscriber->link->context);
    subscriber->bytes.count = subscriber->gathered.count = 0;
    subscriber->in.count = subscriber->out.count = subscriber->out_taken = 0;
    subscriber->asked = 0;
    subscriber->reason = 0;
    for (size_t i = 0; i < TELLING_COUNT; i++) {
        if (!subscriber->tellings[i].ended) {
            subscriber->tellings[i].ended = true;
            subscriber->tellings[i].reason = DUN_TELL_AGAIN;
        }
    }
    subscriber->read_at = subscriber->written_at = now;
    subscriber->state = DUN_SUBSCRIBER_OPENING;
    subscriber->deadline = now + STEP_TIMEOUT_MS;
    int error = subscriber->link->open(subscriber->link->context, broker->host, broker->port, now);
    return error < 0 ? link_failed(subscriber, error) : 0;
}

/* Pings, and whether the broker is still there. While deaf its answers go unread. */
static int keep_alive(struct dun_subscriber *subscriber, dun_ms now, bool deaf)
{
    if (subscriber->state != DUN_SUBSCRIBER_UP) {
        return now < subscriber->deadline ? 0
                                          : fail(subscriber, DUN_E_TIMEOUT, "no answer in time");
    }
    if (deaf) {
        subscriber->read_at = now;
    }
    if (subscriber->keepalive_ms == 0) {
        return 0;
    }
    if (now - subscriber->read_at > 2 * subscriber->keepalive_ms) {
        return fail(subscriber, DUN_E_TIMEOUT, "the broker has fallen silent");
    }
    bool silent = now - subscriber->read_at >= subscriber->keepalive_ms;
    if (subscriber->out.count == 0 &&
        (now - subscriber->written_at >= subscriber->keepalive_ms * 3 / 4 ||
         (silent && now - subscriber->written_at >= 1000))) {
        struct dun_buffer out = room_out(subscriber, 8);
        (void)(out.data != NULL && queued(subscriber, dun_mqtt_encode_pingreq(out)));
    }
    return 0;
}

/* False: the connection is broken, which whoever is deaf would not read. */
static bool wait(struct dun_subscriber *subscriber, int wait_ms, bool deaf)
{
    struct pollfd entry = {.fd = dun_link_posix_fd(&subscriber->tcp),
                           .events = dun_link_posix_events(&subscriber->tcp)};
    if (subscriber->out.count > 0) {
        entry.events = (short)(entry.events | POLLOUT);
    }
    if (deaf) {
        entry.events = (short)(entry.events & ~POLLIN);
    }
    if (subscriber->state == DUN_SUBSCRIBER_OPENING && wait_ms > 50) {
        wait_ms = 50; /* a link that resolves a name has deadlines of its own */
    }
    int count = poll(&entry, entry.fd >= 0 ? 1 : 0, wait_ms);
    return !deaf || count <= 0 || (entry.revents & (POLLERR | POLLHUP)) == 0;
}

int dun_subscriber_step(struct dun_subscriber *subscriber, dun_ms now, int wait_ms, bool deaf)
{
    bool moved = false;
    int error = 0;
    if (subscriber->state == DUN_SUBSCRIBER_DOWN) {
        return DUN_E_CLOSED; /* `why` stays */
    }
    if (subscriber->state == DUN_SUBSCRIBER_OPENING) {
        int ready = subscriber->link->ready(subscriber->link->context, now);
        error = ready < 0 ? link_failed(subscriber, ready) : 0;
        error = ready > 0 ? send_connect(subscriber, now) : error;
        moved = ready > 0;
    }
    if (error == 0 && subscriber->state != DUN_SUBSCRIBER_OPENING) {
        error = flush(subscriber, now);
        error = error == 0 && !deaf ? receive(subscriber, now, &moved) : error;
        error = error == 0 ? flush(subscriber, now) : error;
    }
    error = error == 0 ? keep_alive(subscriber, now, deaf) : error;
    bool idle = deaf || (!moved && subscriber->gathered.count == 0);
    if (error == 0 && idle && wait_ms > 0 && !wait(subscriber, wait_ms, deaf)) {
        error = fail(subscriber, DUN_E_CLOSED, "the broker closed the connection");
    }
    if (error != 0) {
        subscriber->link->close(subscriber->link->context);
        subscriber->state = DUN_SUBSCRIBER_DOWN;
    }
    return error;
}

void dun_subscriber_close(struct dun_subscriber *subscriber, dun_ms now)
{
    if (subscriber->state == DUN_SUBSCRIBER_UP) {
        struct dun_buffer out = room_out(subscriber, 8);
        (void)(out.data != NULL && queued(subscriber, dun_mqtt_encode_disconnect(out, 0)));
        for (int i = 0; i < 20 && subscriber->out.count > 0 && flush(subscriber, now) == 0; i++) {
            if (subscriber->out.count > 0) {
                (void)wait(subscriber, 50, true);
            }
        }
    }
    subscriber->link->close(subscriber->link->context);
    subscriber->state = DUN_SUBSCRIBER_DOWN;
}
