/*
 * properties.c: walks the properties of an inbound MQTT 5 packet. One table says which there are;
 * what is not in it, or not for the packet at hand, is malformed. Nothing is ever skipped unseen.
 */
#include "mqtt/properties.h"

#include "mqtt/packet.h"

enum value_kind {
    VALUE_NONE = 0, /* no such property */
    VALUE_FLAG,     /* a byte, 0 or 1 */
    VALUE_U16,
    VALUE_U16_POSITIVE,
    VALUE_U32,
    VALUE_U32_POSITIVE,
    VALUE_VARINT_POSITIVE,
    VALUE_TEXT,
    VALUE_BINARY,
    VALUE_PAIR,
};

#define IN_CONNACK    (1u << DUN_MQTT_CONNACK)
#define IN_PUBLISH    (1u << DUN_MQTT_PUBLISH)
#define IN_DISCONNECT (1u << DUN_MQTT_DISCONNECT)
#define IN_ALL                                                                                     \
    (IN_CONNACK | IN_PUBLISH | IN_DISCONNECT | 1u << DUN_MQTT_PUBACK | 1u << DUN_MQTT_SUBACK)

#define ID_MAX 0x2Au

/* 2.2.2.2, as far as a server may send it to a client that neither authenticates by AUTH nor asks
 * for response information. */
static const struct {
    uint8_t kind;     /* enum value_kind */
    uint16_t packets; /* a bit a packet type */
} rules[ID_MAX + 1] = {
    [DUN_MQTT_PAYLOAD_FORMAT] = {VALUE_FLAG, IN_PUBLISH},
    [DUN_MQTT_MESSAGE_EXPIRY] = {VALUE_U32, IN_PUBLISH},
    [DUN_MQTT_CONTENT_TYPE] = {VALUE_TEXT, IN_PUBLISH},
    [0x08] = {VALUE_TEXT, IN_PUBLISH},            /* response topic */
    [0x09] = {VALUE_BINARY, IN_PUBLISH},          /* correlation data */
    [0x0B] = {VALUE_VARINT_POSITIVE, IN_PUBLISH}, /* subscription identifier */
    [DUN_MQTT_SESSION_EXPIRY] = {VALUE_U32, IN_CONNACK},
    [DUN_MQTT_ASSIGNED_CLIENT_ID] = {VALUE_TEXT, IN_CONNACK},
    [DUN_MQTT_SERVER_KEEP_ALIVE] = {VALUE_U16, IN_CONNACK},
    [DUN_MQTT_SERVER_REFERENCE] = {VALUE_TEXT, IN_CONNACK | IN_DISCONNECT},
    [DUN_MQTT_REASON_STRING] = {VALUE_TEXT, IN_ALL & ~IN_PUBLISH},
    [DUN_MQTT_RECEIVE_MAXIMUM] = {VALUE_U16_POSITIVE, IN_CONNACK},
    [DUN_MQTT_TOPIC_ALIAS_MAXIMUM] = {VALUE_U16, IN_CONNACK},
    [DUN_MQTT_TOPIC_ALIAS] = {VALUE_U16_POSITIVE, IN_PUBLISH},
    [DUN_MQTT_MAXIMUM_QOS] = {VALUE_FLAG, IN_CONNACK},
    [DUN_MQTT_RETAIN_AVAILABLE] = {VALUE_FLAG, IN_CONNACK},
    [DUN_MQTT_USER_PROPERTY] = {VALUE_PAIR, IN_ALL},
    [DUN_MQTT_MAXIMUM_PACKET_SIZE] = {VALUE_U32_POSITIVE, IN_CONNACK},
    [0x28] = {VALUE_FLAG, IN_CONNACK}, /* wildcard subscription available */
    [0x29] = {VALUE_FLAG, IN_CONNACK}, /* subscription identifiers available */
    [0x2A] = {VALUE_FLAG, IN_CONNACK}, /* shared subscription available */
};

bool dun_mqtt_take_u16(struct dun_span *body, uint16_t *value)
{
    if (body->size < 2) {
        return false;
    }
    *value = (uint16_t)(body->data[0] << 8 | body->data[1]);
    body->data += 2;
    body->size -= 2;
    return true;
}

bool dun_mqtt_take_string(struct dun_span *body, struct dun_span *text)
{
    uint16_t size;
    if (!dun_mqtt_take_u16(body, &size) || size > body->size) {
        return false;
    }
    *text = (struct dun_span){body->data, size};
    body->data += size;
    body->size -= size;
    return true;
}

static bool take_byte(struct dun_span *body, uint8_t *byte)
{
    if (body->size == 0) {
        return false;
    }
    *byte = *body->data++;
    body->size--;
    return true;
}

static bool take_u32(struct dun_span *body, uint32_t *value)
{
    uint16_t high, low;
    if (!dun_mqtt_take_u16(body, &high) || !dun_mqtt_take_u16(body, &low)) {
        return false;
    }
    *value = (uint32_t)high << 16 | low;
    return true;
}

static bool take_varint(struct dun_span *body, uint32_t *value)
{
    int done = 0;
    for (uint8_t count = 0; done == 0; count++) {
        uint8_t byte;
        if (!take_byte(body, &byte)) {
            return false;
        }
        done = dun_mqtt_decode_length(DUN_MQTT_5, byte, count, value);
    }
    return done > 0;
}

static bool take_text(struct dun_span *body, struct dun_span *text)
{
    return dun_mqtt_take_string(body, text) && dun_mqtt_utf8_ok(*text);
}

int dun_mqtt_properties_take(struct dun_mqtt_properties *properties, uint8_t type,
                             struct dun_span *body)
{
    uint32_t size = 0;
    *properties = (struct dun_mqtt_properties){.type = type};
    if (body->size > 0 && (!take_varint(body, &size) || size > body->size)) {
        return DUN_E_CORRUPT;
    }
    properties->left = (struct dun_span){body->data, size};
    body->data += size;
    body->size -= size;
    return DUN_OK;
}

static int flag_result(bool taken, uint8_t byte, uint32_t *value)
{
    *value = byte;
    return !taken ? DUN_E_CORRUPT : byte > 1 ? DUN_E_PROTOCOL : 1;
}

static int number_result(bool taken, bool positive, uint32_t value)
{
    return !taken ? DUN_E_CORRUPT : positive && value == 0 ? DUN_E_PROTOCOL : 1;
}

/* Takes the value; 1 or an error. */
static int take_value(struct dun_span *left, uint8_t kind, struct dun_mqtt_property *property)
{
    uint16_t small = 0;
    uint8_t byte = 0;
    bool taken;
    struct dun_span other;
    switch (kind) {
    case VALUE_FLAG:
        taken = take_byte(left, &byte);
        return flag_result(taken, byte, &property->value);
    case VALUE_U16:
    case VALUE_U16_POSITIVE:
        taken = dun_mqtt_take_u16(left, &small);
        property->value = small;
        return number_result(taken, kind == VALUE_U16_POSITIVE, small);
    case VALUE_U32:
    case VALUE_U32_POSITIVE:
        taken = take_u32(left, &property->value);
        return number_result(taken, kind == VALUE_U32_POSITIVE, property->value);
    case VALUE_VARINT_POSITIVE:
        taken = take_varint(left, &property->value);
        return number_result(taken, true, property->value);
    case VALUE_TEXT:
        return take_text(left, &property->text) ? 1 : DUN_E_CORRUPT;
    case VALUE_BINARY:
        return dun_mqtt_take_string(left, &property->text) ? 1 : DUN_E_CORRUPT;
    case VALUE_PAIR:
        return take_text(left, &property->text) && take_text(left, &other) ? 1 : DUN_E_CORRUPT;
    default:
        return DUN_E_CORRUPT;
    }
}

int dun_mqtt_properties_next(struct dun_mqtt_properties *properties,
                             struct dun_mqtt_property *property)
{
    if (properties->left.size == 0) {
        return 0;
    }
    *property = (struct dun_mqtt_property){.value = 0};
    (void)take_byte(&properties->left, &property->id);
    if (property->id > ID_MAX || (rules[property->id].packets >> properties->type & 1) == 0) {
        return DUN_E_CORRUPT;
    }
    uint8_t kind = rules[property->id].kind;
    bool repeats = kind == VALUE_PAIR || kind == VALUE_VARINT_POSITIVE;
    if ((properties->seen >> property->id & 1) != 0 && !repeats) {
        return DUN_E_PROTOCOL;
    }
    properties->seen |= (uint64_t)1 << property->id;
    return take_value(&properties->left, kind, property);
}
