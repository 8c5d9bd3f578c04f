/* broker_wire.c: see broker_wire.h. Section numbers are those of MQTT 3.1.1, or of 5 where said. */
#include "broker_wire.h"

#include <string.h>

/// Reading ///

bool wire_equals(struct dun_span a, struct dun_span b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool wire_take(struct wire_in *in, const uint8_t *bytes, uint32_t size)
{
    uint32_t length = 0, head = 1;
    for (uint32_t shift = 0; shift < 28; shift += 7) {
        if (head >= size)
            return false;
        length |= (uint32_t)(bytes[head] & 0x7F) << shift;
        if (!(bytes[head++] & 0x80))
            break;
    }
    if (length > size - head)
        return false;
    *in = (struct wire_in){.type = bytes[0] >> 4,
                           .flags = bytes[0] & 15,
                           .whole = head + length,
                           .body = {bytes + head, length}};
    return true;
}

static bool take_number(struct dun_span *in, uint32_t size, uint32_t *value)
{
    *value = 0;
    if (in->size < size)
        return false;
    for (uint32_t i = 0; i < size; i++)
        *value = *value << 8 | in->data[i];
    in->data += size;
    in->size -= size;
    return true;
}

static bool take_bytes(struct dun_span *in, struct dun_span *bytes)
{
    uint32_t size;
    if (!take_number(in, 2, &size) || in->size < size)
        return false;
    *bytes = (struct dun_span){in->data, size};
    in->data += size;
    in->size -= size;
    return true;
}

/* Takes the properties of a packet of version 5 off its front. */
static bool take_properties(struct dun_span *in, uint8_t version, struct dun_span *properties)
{
    *properties = (struct dun_span){NULL, 0};
    uint32_t size = 0;
    if (version != 5)
        return true;
    for (uint32_t shift = 0; shift < 28; shift += 7) {
        uint32_t byte;
        if (!take_number(in, 1, &byte))
            return false;
        size |= (byte & 0x7F) << shift;
        if (!(byte & 0x80))
            break;
    }
    if (in->size < size)
        return false;
    *properties = (struct dun_span){in->data, size};
    in->data += size;
    in->size -= size;
    return true;
}

static bool skip_properties(struct dun_span *in, uint8_t version)
{
    struct dun_span properties;
    return take_properties(in, version, &properties);
}

/* Those that a PUBLISH of ours may have: format, expiry, content type, alias. */
static const char *read_publish_properties(struct dun_span in, struct wire_publish *publish)
{
    struct dun_span type;
    uint32_t id, value = 0;
    publish->alias = 0;
    while (in.size > 0) {
        take_number(&in, 1, &id);
        bool ok = id == 0x01   ? take_number(&in, 1, &value) && value == 1
                  : id == 0x02 ? take_number(&in, 4, &value) && value > 0
                  : id == 0x03 ? take_bytes(&in, &type)
                  : id == 0x23 ? take_number(&in, 2, &value)
                               : false;
        if (!ok)
            return "with a property that it should not have";
        if (id == 0x23 && (value == 0 || value > WIRE_ALIASES))
            return "with an alias out of bounds, v5 3.3.2-8";
        publish->alias = id == 0x23 ? (uint16_t)value : publish->alias;
    }
    return NULL;
}

const char *wire_read_connect(struct wire_in *in, struct wire_connect *connect)
{
    struct dun_span body = in->body, name, id, will, text;
    uint32_t version, flags, keepalive;
    if (!take_bytes(&body, &name) || !wire_equals(name, (struct dun_span){(uint8_t *)"MQTT", 4}))
        return "without its name, 3.1.2.1";
    if (!take_number(&body, 1, &version) || (version != 4 && version != 5))
        return "of no known version, 3.1.2-2";
    if (!take_number(&body, 1, &flags) || (flags & 1) || !take_number(&body, 2, &keepalive))
        return "with wrong flags, 3.1.2-3";
    *connect = (struct wire_connect){
        .version = (uint8_t)version, .clean = flags >> 1 & 1, .keepalive_s = (uint16_t)keepalive};
    if (!skip_properties(&body, connect->version) || !take_bytes(&body, &id) || id.size == 0)
        return "without a client id";
    if (flags & 4 && (!skip_properties(&body, connect->version) || !take_bytes(&body, &will) ||
                      !take_bytes(&body, &text)))
        return "with half a will, 3.1.2-9";
    return body.size > 0 ? "with more than it says" : NULL;
}

const char *wire_read_publish(struct wire_in *in, uint8_t version, struct wire_publish *publish)
{
    struct dun_span body = in->body, properties;
    uint32_t id;
    if ((in->flags >> 1 & 3) != 1)
        return "with another QoS than 1";
    if (!take_bytes(&body, &publish->topic) || !take_number(&body, 2, &id) ||
        !take_properties(&body, version, &properties))
        return "that ends in its head";
    const char *wrong = read_publish_properties(properties, publish);
    if (wrong)
        return wrong;
    if (publish->topic.size == 0 && publish->alias == 0)
        return "without a topic, 3.3.2-1";
    publish->id = (uint16_t)id;
    publish->dup = in->flags >> 3 & 1;
    publish->retain = in->flags & 1;
    publish->payload = body;
    return NULL;
}

const char *wire_read_subscribe(struct wire_in *in, uint8_t version,
                                struct wire_subscribe *subscribe)
{
    struct dun_span body = in->body;
    uint32_t number, options;
    if (in->flags != 2)
        return "with wrong flags, 3.8.1-1";
    if (!take_number(&body, 2, &number) || number == 0 || !skip_properties(&body, version))
        return "without an id";
    if (!take_bytes(&body, &subscribe->topic))
        return "without a topic";
    if (!take_number(&body, 1, &options) || options > 1 || body.size > 0)
        return "with options that it should not have";
    subscribe->id = (uint16_t)number;
    subscribe->qos = (uint8_t)options;
    return NULL;
}

/// Writing ///

static void start(struct wire *wire, uint8_t first)
{
    wire->bytes[0] = first;
    wire->size = 3; /* the length takes two bytes, always: 2.2.3 allows it */
}

static void put(struct wire *wire, uint32_t size, uint32_t value)
{
    while (size-- > 0)
        wire->bytes[wire->size++] = (uint8_t)(value >> 8 * size);
}

static void put_bytes(struct wire *wire, struct dun_span bytes)
{
    if (bytes.size > 0)
        memcpy(wire->bytes + wire->size, bytes.data, bytes.size);
    wire->size += (uint32_t)bytes.size;
}

static void finish(struct wire *wire)
{
    uint32_t length = wire->size - 3;
    if (length < 128) {
        memmove(wire->bytes + 2, wire->bytes + 3, length);
        wire->bytes[1] = (uint8_t)length;
        wire->size--;
        return;
    }
    wire->bytes[1] = (uint8_t)(length | 0x80);
    wire->bytes[2] = (uint8_t)(length >> 7);
}

static void put_connack_properties(struct wire *wire, const struct wire_connack *connack)
{
    uint32_t length_at = wire->size++;
    if (connack->receive_max > 0) {
        put(wire, 1, 0x21);
        put(wire, 2, connack->receive_max);
    }
    if (connack->packet_max > 0) {
        put(wire, 1, 0x27);
        put(wire, 4, connack->packet_max);
    }
    if (connack->retain_off)
        put(wire, 2, 0x2500);
    if (connack->keepalive_s > 0) {
        put(wire, 1, 0x13);
        put(wire, 2, connack->keepalive_s);
    }
    put(wire, 1, 0x22); /* topic alias maximum */
    put(wire, 2, WIRE_ALIASES);
    wire->bytes[length_at] = (uint8_t)(wire->size - length_at - 1);
}

void wire_connack(struct wire *wire, const struct wire_connack *connack)
{
    start(wire, 0x20);
    put(wire, 1, connack->present && connack->reason == 0);
    put(wire, 1, connack->reason);
    if (connack->version == 5 && connack->reason == 0)
        put_connack_properties(wire, connack);
    else if (connack->version == 5)
        put(wire, 1, 0);
    finish(wire);
}

void wire_puback(struct wire *wire, uint8_t version, uint16_t id, uint8_t reason)
{
    start(wire, 0x40);
    put(wire, 2, id);
    if (version == 5 && reason != 0)
        put(wire, 1, reason);
    finish(wire);
}

void wire_suback(struct wire *wire, uint8_t version, uint16_t id, uint8_t qos)
{
    start(wire, 0x90);
    put(wire, 2, id);
    if (version == 5)
        put(wire, 1, 0);
    put(wire, 1, qos);
    finish(wire);
}

void wire_publish(struct wire *wire, uint8_t version, struct dun_span topic, uint16_t id,
                  struct dun_span payload)
{
    start(wire, id > 0 ? 0x32 : 0x30);
    put(wire, 2, (uint32_t)topic.size);
    put_bytes(wire, topic);
    if (id > 0)
        put(wire, 2, id);
    if (version == 5)
        put(wire, 1, 0);
    put_bytes(wire, payload);
    finish(wire);
}

void wire_pingresp(struct wire *wire)
{
    start(wire, 0xD0);
    finish(wire);
}

void wire_disconnect(struct wire *wire, uint8_t reason)
{
    start(wire, 0xE0);
    put(wire, 1, reason);
    finish(wire);
}

/* Malformed packets, packets that only a client sends, and noise. What is cut short to look like
 * the beginning of a packet would only look like silence, so all of these are whole. */
void wire_garbage(struct wire *wire, struct rng *rng)
{
    static const uint8_t bad[][6] = {
        {0x00, 0x00},                         /* type 0 */
        {0x10, 0x00},                         /* CONNECT */
        {0x20, 0x02, 0x00, 0x00},             /* a second CONNACK */
        {0x40, 0x02, 0x00, 0x00},             /* PUBACK of id 0 */
        {0x42, 0x02, 0x00, 0x01},             /* PUBACK with flags */
        {0x36, 0x03, 0x00, 0x01, 0x61},       /* PUBLISH of QoS 3 */
        {0x30, 0x02, 0xFF, 0xFF},             /* its topic is longer than it */
        {0x90, 0x00},                         /* SUBACK of nothing */
        {0xC0, 0x00},                         /* PINGREQ */
        {0xD0, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, /* a length of five bytes */
    };
    static const uint8_t sizes[] = {2, 2, 4, 4, 4, 5, 4, 2, 2, 6};
    uint64_t which = rng_below(rng, sizeof sizes);
    memcpy(wire->bytes, bad[which], sizes[which]);
    wire->size = sizes[which];
}

struct dun_span wire_stored(uint8_t bytes[20], uint64_t stream, uint64_t sequence)
{
    size_t size = 0;
    bytes[size++] = 1 << 3 | 1;
    for (int i = 0; i < 8; i++)
        bytes[size++] = (uint8_t)(stream >> 8 * i);
    bytes[size++] = 2 << 3 | 0;
    do {
        bytes[size++] = (uint8_t)((sequence & 0x7F) | (sequence > 0x7F ? 0x80 : 0));
        sequence >>= 7;
    } while (sequence > 0);
    return (struct dun_span){bytes, size};
}
