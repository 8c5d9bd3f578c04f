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

#include "mqtt/properties.h"

#define STRING_MAX 65535u /* section 1.5.3 */

#define CONNECT_CLEAN    0x02u /* section 3.1.2.3 */
#define CONNECT_WILL     0x04u
#define CONNECT_RETAIN   0x20u
#define CONNECT_PASSWORD 0x40u
#define CONNECT_USERNAME 0x80u

#define PUBLISH_RETAIN 0x01u /* section 3.3.1 */
#define PUBLISH_DUP    0x08u

/* Failure reasons a server may give, v5 2.4: bit n stands for 0x80 + n. */
#define BIT(reason) ((uint64_t)1 << ((reason)-0x80))
#define REASONS_CONNACK                                                                            \
    (0x7FFull | BIT(0x8C) | BIT(0x90) | BIT(0x95) | BIT(0x97) | BIT(0x99) | BIT(0x9A) |            \
     BIT(0x9B) | BIT(0x9C) | BIT(0x9D) | BIT(0x9F))
/* The standard's seven (v5 3.4.2.1), and what brokers say beside them: packet too large
 * (Mosquitto), busy, rate too high, retain and QoS not supported. */
#define REASONS_PUBACK                                                                             \
    (BIT(0x80) | BIT(0x83) | BIT(0x87) | BIT(0x89) | BIT(0x90) | BIT(0x91) | BIT(0x93) |           \
     BIT(0x95) | BIT(0x96) | BIT(0x97) | BIT(0x99) | BIT(0x9A) | BIT(0x9B))
#define REASONS_SUBACK                                                                             \
    (BIT(0x80) | BIT(0x83) | BIT(0x87) | BIT(0x8F) | BIT(0x91) | BIT(0x97) | BIT(0x9E) |           \
     BIT(0xA1) | BIT(0xA2))
#define REASONS_DISCONNECT                                                                         \
    (BIT(0x80) | BIT(0x81) | BIT(0x82) | BIT(0x83) | BIT(0x87) | BIT(0x89) | BIT(0x8B) |           \
     BIT(0x8D) | BIT(0x8E) | BIT(0x8F) | BIT(0x90) | BIT(0x93) | BIT(0x94) | BIT(0x95) |           \
     BIT(0x96) | BIT(0x97) | BIT(0x98) | BIT(0x99) | BIT(0x9A) | BIT(0x9B) | BIT(0x9C) |           \
     BIT(0x9D) | BIT(0x9E) | BIT(0x9F) | BIT(0xA0) | BIT(0xA1) | BIT(0xA2))

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

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    return put_u16(put_u16(at, value >> 16), value & 0xFFFF);
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

/* v5 3.1.2.11 and 3.1.3.2: a property of four bytes where its value is not the default. */
static size_t u32_properties_size(uint32_t first, uint32_t second)
{
    return (first != 0 ? 5u : 0u) + (second != 0 ? 5u : 0u);
}

static uint8_t *put_u32_property(uint8_t *at, uint8_t id, uint32_t value)
{
    if (value == 0) {
        return at;
    }
    *at++ = id;
    return put_u32(at, value);
}

/* v5 3.3.2.3.2. */
static uint8_t *put_format(uint8_t *at, bool text)
{
    if (text) {
        *at++ = DUN_MQTT_PAYLOAD_FORMAT;
        *at++ = 1;
    }
    return at;
}

static size_t will_properties_size(const struct dun_mqtt_connect *connect)
{
    return u32_properties_size(connect->will_delay_s, 0) + (connect->will_text ? 2u : 0u);
}

static size_t connect_properties_size(const struct dun_mqtt_connect *connect)
{
    return u32_properties_size(connect->session_expiry_s, connect->maximum_packet_size) +
           (connect->receive_maximum != 0 ? 3u : 0u);
}

static size_t connect_body_size(const struct dun_mqtt_connect *connect)
{
    bool v5 = dun_mqtt_is_5(connect->version);
    size_t size = 10 + 2 + connect->client_id.size;
    if (v5) {
        size += 1 + connect_properties_size(connect);
    }
    if (connect->will_topic.data != NULL) {
        size += 4 + connect->will_topic.size + connect->will_payload.size;
        size += v5 ? 1 + will_properties_size(connect) : 0;
    }
    if (connect->username.data != NULL) {
        size += 2 + connect->username.size;
    }
    if (connect->password.data != NULL) {
        size += 2 + connect->password.size;
    }
    return size;
}

static uint8_t *put_connect_head(uint8_t *at, const struct dun_mqtt_connect *connect)
{
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'};
    bool v5 = dun_mqtt_is_5(connect->version);
    memcpy(at, name, sizeof name);
    at += sizeof name;
    *at++ = v5 ? DUN_MQTT_5 : DUN_MQTT_3_1_1;
    *at++ = (uint8_t)connect_flags(connect);
    at = put_u16(at, connect->keepalive_s);
    if (v5) {
        *at++ = (uint8_t)connect_properties_size(connect);
        at = put_u32_property(at, DUN_MQTT_SESSION_EXPIRY, connect->session_expiry_s);
        at = put_u32_property(at, DUN_MQTT_MAXIMUM_PACKET_SIZE, connect->maximum_packet_size);
        if (connect->receive_maximum != 0) {
            *at++ = DUN_MQTT_RECEIVE_MAXIMUM;
            at = put_u16(at, connect->receive_maximum);
        }
    }
    return at;
}

/* The order is that of 3.1.3-1. */
static uint8_t *put_connect_payload(uint8_t *at, const struct dun_mqtt_connect *connect)
{
    at = put_string(at, connect->client_id);
    if (connect->will_topic.data != NULL) {
        if (dun_mqtt_is_5(connect->version)) {
            *at++ = (uint8_t)will_properties_size(connect);
            at = put_u32_property(at, DUN_MQTT_WILL_DELAY, connect->will_delay_s);
            at = put_format(at, connect->will_text);
        }
        at = put_string(at, connect->will_topic);
        at = put_string(at, connect->will_payload);
    }
    if (connect->username.data != NULL) {
        at = put_string(at, connect->username);
    }
    if (connect->password.data != NULL) {
        at = put_string(at, connect->password);
    }
    return at;
}

int dun_mqtt_encode_connect(struct dun_buffer out, const struct dun_mqtt_connect *connect)
{
    if (connect->version != 0 && connect->version != DUN_MQTT_3_1_1 &&
        !dun_mqtt_is_5(connect->version)) {
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
    at = put_connect_payload(put_connect_head(at, connect), connect);
    return (int)(at - out.data);
}

static bool publish_ok(const struct dun_mqtt_publish *publish)
{
    bool id_ok = (publish->qos == 0) == (publish->packet_id == 0);
    bool aliased = publish->topic.size == 0 && publish->alias != 0;
    return id_ok && publish->qos <= 1 && publish->content_type.size <= STRING_MAX &&
           (aliased || dun_mqtt_topic_ok(publish->topic));
}

static uint32_t publish_properties_size(const struct dun_mqtt_publish *publish)
{
    uint32_t type_size = (uint32_t)publish->content_type.size;
    return (type_size > 0 ? 3 + type_size : 0) + (publish->expiry_s != 0 ? 5 : 0) +
           (publish->text ? 2 : 0) + (publish->alias != 0 ? 3 : 0);
}

/* v5 3.3.2.3. */
static uint8_t *put_publish_properties(uint8_t *at, const struct dun_mqtt_publish *publish)
{
    at = put_length(at, publish_properties_size(publish));
    at = put_format(at, publish->text);
    at = put_u32_property(at, DUN_MQTT_MESSAGE_EXPIRY, publish->expiry_s);
    if (publish->alias != 0) {
        *at++ = DUN_MQTT_TOPIC_ALIAS;
        at = put_u16(at, publish->alias);
    }
    if (publish->content_type.size > 0) {
        *at++ = DUN_MQTT_CONTENT_TYPE;
        at = put_string(at, publish->content_type);
    }
    return at;
}

int dun_mqtt_encode_publish(uint8_t version, struct dun_buffer out,
                            const struct dun_mqtt_publish *publish)
{
    if (!publish_ok(publish) || (!dun_mqtt_is_5(version) && publish->topic.size == 0)) {
        return DUN_E_INVALID;
    }
    if (publish->payload_size > DUN_MQTT_REMAINING_MAX) {
        return DUN_E_TOO_LARGE;
    }
    unsigned first = DUN_MQTT_PUBLISH << 4 | (unsigned)publish->qos << 1;
    first |= publish->retain ? PUBLISH_RETAIN : 0;
    first |= publish->dup && publish->qos > 0 ? PUBLISH_DUP : 0; /* 3.3.1-2 */
    size_t here = 2 + publish->topic.size + (publish->qos > 0 ? 2 : 0);
    if (dun_mqtt_is_5(version)) {
        uint32_t properties = publish_properties_size(publish);
        here += length_size(properties) + properties;
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
    if (dun_mqtt_is_5(version)) {
        at = put_publish_properties(at, publish);
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

int dun_mqtt_encode_subscribe(uint8_t version, struct dun_buffer out, uint16_t packet_id,
                              struct dun_span filter, uint8_t qos)
{
    if (packet_id == 0 || qos > 1 || !dun_mqtt_filter_ok(filter)) {
        return DUN_E_INVALID;
    }
    size_t body = 2 + 2 + filter.size + 1 + dun_mqtt_is_5(version);
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_SUBSCRIBE << 4 | 2, body, body, &at); /* 3.8.1-1 */
    if (error != DUN_OK) {
        return error;
    }
    at = put_u16(at, packet_id);
    if (dun_mqtt_is_5(version)) {
        *at++ = 0; /* no properties */
    }
    at = put_string(at, filter);
    *at++ = qos;
    return (int)(at - out.data);
}

int dun_mqtt_encode_pingreq(struct dun_buffer out)
{
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_PINGREQ << 4, 0, 0, &at);
    return error != DUN_OK ? error : 2;
}

int dun_mqtt_encode_disconnect(struct dun_buffer out, uint8_t reason)
{
    size_t body = reason != 0;
    uint8_t *at;
    int error = put_header(out, DUN_MQTT_DISCONNECT << 4, body, body, &at);
    if (error != DUN_OK) {
        return error;
    }
    if (reason != 0) {
        *at = reason; /* v5 3.14.2.1: no properties follow */
    }
    return 2 + (int)body;
}

/// Decoding ///

int dun_mqtt_decode_first(uint8_t version, uint8_t first)
{
    unsigned flags = first & 0x0Fu;
    unsigned qos = flags >> 1 & 3;
    switch (first >> 4) {
    case DUN_MQTT_PUBLISH:
        if (qos == 3 || (qos == 0 && (flags & PUBLISH_DUP) != 0)) { /* 3.3.1-4, 3.3.1-2 */
            return DUN_E_CORRUPT;
        }
        /* QoS 2 is more than any SUBSCRIBE of ours asked for. */
        return qos == 2 ? (int)DUN_E_PROTOCOL : DUN_MQTT_PUBLISH;
    case DUN_MQTT_DISCONNECT:
        if (!dun_mqtt_is_5(version)) {
            return DUN_E_PROTOCOL;
        }
        return flags == 0 ? (int)DUN_MQTT_DISCONNECT : DUN_E_CORRUPT;
    case DUN_MQTT_CONNACK:
    case DUN_MQTT_PUBACK:
    case DUN_MQTT_SUBACK:
    case DUN_MQTT_PINGRESP:
        return flags == 0 ? first >> 4 : DUN_E_CORRUPT; /* 2.2.2-2 */
    default:
        return DUN_E_PROTOCOL;
    }
}

int dun_mqtt_decode_length(uint8_t version, uint8_t byte, uint8_t count, uint32_t *value)
{
    if (count == 0) {
        *value = 0;
    }
    if (count > 3 || (count == 3 && byte >= 0x80)) {
        return DUN_E_CORRUPT;
    }
    if (dun_mqtt_is_5(version) && count > 0 && byte == 0) {
        return DUN_E_CORRUPT;
    }
    *value |= (uint32_t)(byte & 0x7F) << (7 * count);
    return byte < 0x80;
}

static bool reason_in(uint8_t reason, uint64_t failures)
{
    return reason >= 0x80 && reason < 0xC0 && (failures >> (reason - 0x80) & 1) != 0;
}

/* For packets of whose properties we use at most a Server Reference: all are checked the same. */
static int check_properties(uint8_t type, struct dun_span *body, struct dun_span *server_reference)
{
    struct dun_mqtt_properties properties;
    struct dun_mqtt_property property;
    int result = dun_mqtt_properties_take(&properties, type, body);
    while (result == DUN_OK && (result = dun_mqtt_properties_next(&properties, &property)) > 0) {
        result = DUN_OK;
        if (property.id == DUN_MQTT_TOPIC_ALIAS) {
            return DUN_E_PROTOCOL; /* v5 3.3.2-9: we allow none */
        }
        if (property.id == DUN_MQTT_SERVER_REFERENCE && server_reference != NULL) {
            *server_reference = property.text;
        }
    }
    return result;
}

static void take_limit(struct dun_mqtt_connack *connack, const struct dun_mqtt_property *property)
{
    switch (property->id) {
    case DUN_MQTT_SERVER_KEEP_ALIVE:
        connack->keepalive_given = true;
        connack->server_keepalive_s = (uint16_t)property->value;
        break;
    case DUN_MQTT_RECEIVE_MAXIMUM:
        connack->receive_maximum = (uint16_t)property->value;
        break;
    case DUN_MQTT_TOPIC_ALIAS_MAXIMUM:
        connack->topic_alias_maximum = (uint16_t)property->value;
        break;
    case DUN_MQTT_MAXIMUM_QOS:
        connack->maximum_qos = (uint8_t)property->value;
        break;
    case DUN_MQTT_RETAIN_AVAILABLE:
        connack->retain_available = property->value != 0;
        break;
    case DUN_MQTT_MAXIMUM_PACKET_SIZE:
        connack->maximum_packet_size = property->value;
        break;
    case DUN_MQTT_SERVER_REFERENCE:
        connack->server_reference = property->text;
        break;
    default:
        break;
    }
}

/* v5 3.2.2. A broker that only knows 3.1.1 answers with its own two bytes and code 1. */
static int decode_connack_rest(struct dun_span body, struct dun_mqtt_connack *connack)
{
    struct dun_mqtt_properties properties;
    struct dun_mqtt_property property;
    bool old = body.size == 0 && connack->reason == DUN_MQTT_OLD_VERSION;
    if (!old && connack->reason != 0 && !reason_in(connack->reason, REASONS_CONNACK)) {
        return DUN_E_PROTOCOL;
    }
    if (body.size == 0 && !old) {
        return DUN_E_CORRUPT;
    }
    int result = dun_mqtt_properties_take(&properties, DUN_MQTT_CONNACK, &body);
    while (result == DUN_OK && (result = dun_mqtt_properties_next(&properties, &property)) > 0) {
        result = DUN_OK;
        take_limit(connack, &property);
    }
    return result == DUN_OK && body.size > 0 ? DUN_E_CORRUPT : result;
}

int dun_mqtt_decode_connack(uint8_t version, struct dun_span body, struct dun_mqtt_connack *connack)
{
    if (body.size < 2 || (!dun_mqtt_is_5(version) && body.size > 2) ||
        body.data[0] > 1) { /* 3.2.2 */
        return DUN_E_CORRUPT;
    }
    *connack = (struct dun_mqtt_connack){.session_present = body.data[0] == 1,
                                         .retain_available = true,
                                         .reason = body.data[1],
                                         .maximum_qos = 2,
                                         .receive_maximum = UINT16_MAX,
                                         .maximum_packet_size = UINT32_MAX};
    if (connack->session_present && connack->reason != 0) { /* 3.2.2-4, v5 3.2.2-6 */
        return DUN_E_PROTOCOL;
    }
    if (dun_mqtt_is_5(version)) {
        return decode_connack_rest((struct dun_span){body.data + 2, body.size - 2}, connack);
    }
    return connack->reason > 5 ? DUN_E_PROTOCOL : DUN_OK;
}

int dun_mqtt_decode_publish(uint8_t version, uint8_t first, struct dun_span body,
                            struct dun_mqtt_publish *publish)
{
    *publish = (struct dun_mqtt_publish){.qos = first >> 1 & 3,
                                         .retain = (first & PUBLISH_RETAIN) != 0,
                                         .dup = (first & PUBLISH_DUP) != 0};
    if (!dun_mqtt_take_string(&body, &publish->topic)) {
        return DUN_E_CORRUPT;
    }
    if (!dun_mqtt_topic_ok(publish->topic)) {
        return DUN_E_PROTOCOL;
    }
    if (publish->qos > 0 && !dun_mqtt_take_u16(&body, &publish->packet_id)) {
        return DUN_E_CORRUPT;
    }
    if (publish->qos > 0 && publish->packet_id == 0) { /* 2.3.1-1 */
        return DUN_E_PROTOCOL;
    }
    if (dun_mqtt_is_5(version)) {
        if (body.size == 0) {
            return DUN_E_CORRUPT; /* v5 3.3.2.3.1: the length of the properties is always there */
        }
        int error = check_properties(DUN_MQTT_PUBLISH, &body, NULL);
        if (error != DUN_OK) {
            return error;
        }
    }
    publish->payload = body;
    publish->payload_size = (uint32_t)body.size;
    return DUN_OK;
}

/* v5: the reason and properties behind a packet id, or nothing, which is success. */
static int decode_reason(uint8_t type, struct dun_span body, uint8_t *reason,
                         struct dun_span *server_reference)
{
    *reason = DUN_MQTT_SUCCESS;
    if (body.size == 0) {
        return DUN_OK;
    }
    *reason = body.data[0];
    body = (struct dun_span){body.data + 1, body.size - 1};
    int error = check_properties(type, &body, server_reference);
    return error == DUN_OK && body.size > 0 ? DUN_E_CORRUPT : error;
}

int dun_mqtt_decode_puback(uint8_t version, struct dun_span body, uint16_t *packet_id,
                           uint8_t *reason)
{
    *reason = DUN_MQTT_SUCCESS;
    if (!dun_mqtt_take_u16(&body, packet_id) || (!dun_mqtt_is_5(version) && body.size > 0)) {
        return DUN_E_CORRUPT;
    }
    int error =
        dun_mqtt_is_5(version) ? decode_reason(DUN_MQTT_PUBACK, body, reason, NULL) : DUN_OK;
    if (error != DUN_OK) {
        return error;
    }
    bool known = *reason == 0 || *reason == 0x10 || reason_in(*reason, REASONS_PUBACK);
    return *packet_id != 0 && known ? DUN_OK : DUN_E_PROTOCOL;
}

int dun_mqtt_decode_suback(uint8_t version, struct dun_span body, uint16_t *packet_id,
                           uint8_t *reason)
{
    if (!dun_mqtt_take_u16(&body, packet_id)) {
        return DUN_E_CORRUPT;
    }
    if (dun_mqtt_is_5(version)) {
        int error = check_properties(DUN_MQTT_SUBACK, &body, NULL);
        if (error != DUN_OK) {
            return error;
        }
    }
    if (body.size != 1 || *packet_id == 0) { /* 3.9.3-1 */
        return DUN_E_PROTOCOL;
    }
    *reason = body.data[0];
    uint64_t failures = dun_mqtt_is_5(version) ? REASONS_SUBACK : BIT(DUN_MQTT_FAILURE);
    return *reason <= 1 || reason_in(*reason, failures) ? DUN_OK : DUN_E_PROTOCOL; /* 3.9.3-2 */
}

int dun_mqtt_decode_disconnect(struct dun_span body, uint8_t *reason,
                               struct dun_span *server_reference)
{
    *server_reference = (struct dun_span){NULL, 0};
    int error = decode_reason(DUN_MQTT_DISCONNECT, body, reason, server_reference);
    if (error != DUN_OK) {
        return error;
    }
    return *reason == 0 || reason_in(*reason, REASONS_DISCONNECT) ? DUN_OK : DUN_E_PROTOCOL;
}
