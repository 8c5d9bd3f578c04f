/*
 * packet.c: single MQTT packets, encoded into and decoded from spans. It keeps no state and never
 * reads or writes outside the span it was given.
 *
 * An encoder first adds up the size it needs, so a packet is written whole or not at all. A decoder
 * walks the body with a cursor whose takers refuse to pass its end; lengths are compared with what
 * is left and never added to an offset, so no arithmetic on a hostile length can wrap.
 */
#include "mqtt/packet.h"

#include <string.h>

#define STRING_MAX 65535u /* section 1.5.3 */

#define CONNECT_CLEAN    0x02u /* section 3.1.2.3 */
#define CONNECT_WILL     0x04u
#define CONNECT_RETAIN   0x20u
#define CONNECT_PASSWORD 0x40u
#define CONNECT_USERNAME 0x80u

#define PUBLISH_RETAIN 0x01u /* section 3.3.1 */
#define PUBLISH_DUP    0x08u

#define SUBACK_FAILURE 0x80u

/// Text ///

/* Bytes of the character at `at`, or 0 if it is malformed: overlong, surrogate, out of range. */
static size_t utf8_character_size(const uint8_t *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (at[0] == 0 || size > left) {
        return 0;
    }
    if (size == 1) {
        return 1;
    }
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool surrogate = at[0] == 0xED && at[1] > 0x9F;
    bool beyond = at[0] == 0xF4 && at[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : size;
}

bool dun_mqtt_utf8_ok(struct dun_span text)
{
    size_t at = 0;
    while (at < text.size) {
        size_t size = utf8_character_size(text.data + at, text.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

bool dun_mqtt_topic_ok(struct dun_span topic)
{
    if (topic.size == 0 || topic.size > STRING_MAX) {
        return false;
    }
    for (size_t at = 0; at < topic.size;) {
        uint8_t c = topic.data[at];
        if (c == '+' || c == '#') { /* 3.3.2-2 */
            return false;
        }
        if (c - 1u < 0x7Fu) {
            at++; /* nearly all there ever is */
            continue;
        }
        size_t size = utf8_character_size(topic.data + at, topic.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

bool dun_mqtt_filter_ok(struct dun_span filter)
{
    if (filter.size == 0 || filter.size > STRING_MAX || !dun_mqtt_utf8_ok(filter)) {
        return false;
    }
    for (size_t i = 0; i < filter.size; i++) {
        uint8_t c = filter.data[i];
        if (c != '+' && c != '#') {
            continue;
        }
        bool starts_level = i == 0 || filter.data[i - 1] == '/';
        bool last = i + 1 == filter.size;
        bool ends_level = last || (c == '+' && filter.data[i + 1] == '/');
        if (!starts_level || !ends_level) {
            return false;
        }
    }
    return true;
}

/// Encoding ///

static uint8_t *put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_string(uint8_t *at, struct dun_span text)
{
    at = put_u16(at, text.size);
    if (text.size > 0) {
        memcpy(at, text.data, text.size);
    }
    return at + text.size;
}

/* Section 2.2.3. */
static uint8_t *put_length(uint8_t *at, uint32_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static size_t length_size(uint32_t value)
{
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/* Checks a packet of `body` bytes, of which `here` go into `out`, and writes its first bytes. */
static int put_header(struct dun_buffer out, unsigned first, size_t here, size_t body, uint8_t **at)
{
    if (body > DUN_MQTT_REMAINING_MAX) {
        return DUN_E_TOO_LARGE;
    }
    size_t head = 1 + length_size((uint32_t)body);
    if (here > out.size || head > out.size - here) {
        return DUN_E_TOO_LARGE;
    }
    out.data[0] = (uint8_t)first;
    *at = put_length(out.data + 1, (uint32_t)body);
    return DUN_OK;
}

/* The rules of 3.1 that a caller could break. */
static bool connect_ok(const struct dun_mqtt_connect *connect)
{
    const struct dun_span *texts[] = {&connect->client_id, &connect->username};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->size > STRING_MAX || !dun_mqtt_utf8_ok(*texts[i])) {
            return false;
        }
    }
    bool has_will = connect->will_topic.data != NULL;
    if (has_will && (!dun_mqtt_topic_ok(connect->will_topic) || connect->will_qos > 1)) {
        return false;
    }
    if (connect->client_id.size == 0 && !connect->clean_start) { /* 3.1.3-8 */
        return false;
    }
    if (connect->password.data != NULL && connect->username.data == NULL) { /* 3.1.2-22 */
        return false;
    }
    return connect->password.size <= STRING_MAX && connect->will_payload.size <= STRING_MAX;
}

static unsigned connect_flags(const struct dun_mqtt_connect *connect)
{
    unsigned flags = connect->clean_start ? CONNECT_CLEAN : 0;
    if (connect->will_topic.data != NULL) {
        flags |= CONNECT_WILL | (unsigned)connect->will_qos << 3;
        flags |= connect->will_retain ? CONNECT_RETAIN : 0;
    }
    flags |= connect->password.data != NULL ? CONNECT_PASSWORD : 0;
    flags |= connect->username.data != NULL ? CONNECT_USERNAME : 0;
    return flags;
}

static size_t connect_body_size(const struct dun_mqtt_connect *connect)
{
    size_t size = 10 + 2 + connect->client_id.size;
    if (connect->will_topic.data != NULL) {
        size += 4 + connect->will_topic.size + connect->will_payload.size;
    }
    if (connect->username.data != NULL) {
        size += 2 + connect->username.size;
    }
    if (connect->password.data != NULL) {
        size += 2 + connect->password.size;
    }
    return size;
}

int dun_mqtt_encode_connect(struct dun_buffer out, const struct dun_mqtt_connect *connect)
{
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'};
    if (connect->version != 0 && connect->version != DUN_MQTT_3_1_1) {
        return DUN_E_UNSUPPORTED;
    }
    if (!connect_ok(connect)) {
        return DUN_E_INVALID;
    }
    size_t body = connect_body_size(connect);
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_CONNECT << 4, body, body, &at);
    if (error != DUN_OK) {
        return error;
    }
    memcpy(at, name, sizeof name);
    at += sizeof name;
    *at++ = DUN_MQTT_3_1_1;
    *at++ = (uint8_t)connect_flags(connect);
    at = put_u16(at, connect->keepalive_s);
    at = put_string(at, connect->client_id); /* the order is that of 3.1.3-1 */
    if (connect->will_topic.data != NULL) {
        at = put_string(at, connect->will_topic);
        at = put_string(at, connect->will_payload);
    }
    if (connect->username.data != NULL) {
        at = put_string(at, connect->username);
    }
    if (connect->password.data != NULL) {
        at = put_string(at, connect->password);
    }
    return (int)(at - out.data);
}

int dun_mqtt_encode_publish(struct dun_buffer out, const struct dun_mqtt_publish *publish)
{
    bool id_ok = (publish->qos == 0) == (publish->packet_id == 0);
    if (publish->qos > 1 || !id_ok || !dun_mqtt_topic_ok(publish->topic)) {
        return DUN_E_INVALID;
    }
    unsigned first = DUN_MQTT_PUBLISH << 4 | (unsigned)publish->qos << 1;
    first |= publish->retain ? PUBLISH_RETAIN : 0;
    first |= publish->dup && publish->qos > 0 ? PUBLISH_DUP : 0; /* 3.3.1-2 */
    size_t here = 2 + publish->topic.size + (publish->qos > 0 ? 2 : 0);
    if (publish->payload_size > DUN_MQTT_REMAINING_MAX) {
        return DUN_E_TOO_LARGE;
    }
    uint8_t *at;
    int error = put_header(out, first, here, here + publish->payload_size, &at);
    if (error != DUN_OK) {
        return error;
    }
    at = put_string(at, publish->topic);
    if (publish->qos > 0) {
        at = put_u16(at, publish->packet_id);
    }
    return (int)(at - out.data);
}

int dun_mqtt_encode_puback(struct dun_buffer out, uint16_t packet_id)
{
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_PUBACK << 4, 2, 2, &at);
    if (error != DUN_OK) {
        return error;
    }
    put_u16(at, packet_id);
    return 4;
}

int dun_mqtt_encode_subscribe(struct dun_buffer out, uint16_t packet_id, struct dun_span filter,
                              uint8_t qos)
{
    if (packet_id == 0 || qos > 1 || !dun_mqtt_filter_ok(filter)) {
        return DUN_E_INVALID;
    }
    size_t body = 2 + 2 + filter.size + 1;
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_SUBSCRIBE << 4 | 2, body, body, &at); /* 3.8.1-1 */
    if (error != DUN_OK) {
        return error;
    }
    at = put_u16(at, packet_id);
    at = put_string(at, filter);
    *at++ = qos;
    return (int)(at - out.data);
}

int dun_mqtt_encode_empty(struct dun_buffer out, enum dun_mqtt_type type)
{
    uint8_t *at;
    int error = put_header(out, (unsigned)type << 4, 0, 0, &at);
    return error != DUN_OK ? error : 2;
}

/// Decoding ///

int dun_mqtt_decode_first(uint8_t first)
{
    unsigned flags = first & 0x0Fu;
    switch (first >> 4) {
    case DUN_MQTT_PUBLISH: {
        unsigned qos = flags >> 1 & 3;
        bool dup_alone = qos == 0 && (flags & PUBLISH_DUP) != 0; /* 3.3.1-2 */
        /* QoS 3 is malformed (3.3.1-4); QoS 2 is more than any SUBSCRIBE of ours asked for. */
        return qos > 1 || dup_alone ? DUN_E_PROTOCOL : DUN_MQTT_PUBLISH;
    }
    case DUN_MQTT_CONNACK:
    case DUN_MQTT_PUBACK:
    case DUN_MQTT_SUBACK:
    case DUN_MQTT_PINGRESP:
        return flags == 0 ? first >> 4 : DUN_E_PROTOCOL; /* 2.2.2-2 */
    default:
        return DUN_E_PROTOCOL;
    }
}

int dun_mqtt_decode_length(uint8_t byte, uint8_t count, uint32_t *value)
{
    if (count == 0) {
        *value = 0;
    }
    if (count > 3 || (count == 3 && byte >= 0x80)) {
        return DUN_E_PROTOCOL;
    }
    *value |= (uint32_t)(byte & 0x7F) << (7 * count);
    return byte < 0x80;
}

/* Takes a u16 from the front of `body`. */
static bool take_u16(struct dun_span *body, uint16_t *value)
{
    if (body->size < 2) {
        return false;
    }
    *value = (uint16_t)(body->data[0] << 8 | body->data[1]);
    body->data += 2;
    body->size -= 2;
    return true;
}

/* Takes the two bytes of a length and as many bytes as it says. */
static bool take_string(struct dun_span *body, struct dun_span *text)
{
    uint16_t size;
    if (!take_u16(body, &size) || size > body->size) {
        return false;
    }
    *text = (struct dun_span){body->data, size};
    body->data += size;
    body->size -= size;
    return true;
}

int dun_mqtt_decode_connack(struct dun_span body, struct dun_mqtt_connack *connack)
{
    if (body.size != 2 || body.data[0] > 1 || body.data[1] > 5) { /* 3.2.2 */
        return DUN_E_PROTOCOL;
    }
    connack->session_present = body.data[0] == 1;
    connack->reason = body.data[1];
    if (connack->session_present && connack->reason != 0) { /* 3.2.2-4 */
        return DUN_E_PROTOCOL;
    }
    return DUN_OK;
}

int dun_mqtt_decode_publish(uint8_t first, struct dun_span body, struct dun_mqtt_publish *publish)
{
    *publish = (struct dun_mqtt_publish){.qos = first >> 1 & 3,
                                         .retain = (first & PUBLISH_RETAIN) != 0,
                                         .dup = (first & PUBLISH_DUP) != 0};
    if (!take_string(&body, &publish->topic) || !dun_mqtt_topic_ok(publish->topic)) {
        return DUN_E_PROTOCOL;
    }
    if (publish->qos > 0 && (!take_u16(&body, &publish->packet_id) || publish->packet_id == 0)) {
        return DUN_E_PROTOCOL; /* 2.3.1-1 */
    }
    publish->payload = body;
    publish->payload_size = (uint32_t)body.size;
    return DUN_OK;
}

int dun_mqtt_decode_puback(struct dun_span body, uint16_t *packet_id)
{
    bool ok = body.size == 2 && take_u16(&body, packet_id) && *packet_id != 0;
    return ok ? DUN_OK : DUN_E_PROTOCOL;
}

int dun_mqtt_decode_suback(struct dun_span body, uint16_t *packet_id, uint8_t *reason)
{
    if (body.size != 3 || !take_u16(&body, packet_id) || *packet_id == 0) { /* 3.9.3-1 */
        return DUN_E_PROTOCOL;
    }
    *reason = body.data[0];
    return *reason <= 1 || *reason == SUBACK_FAILURE ? DUN_OK : DUN_E_PROTOCOL; /* 3.9.3-2 */
}
