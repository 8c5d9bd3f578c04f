/*
 * properties.h: the pieces packets are made of: integers, strings, and the properties of MQTT 5.
 * Section numbers are those of the OASIS standard MQTT 5.0.
 */
#ifndef DUN_MQTT_PROPERTIES_H
#define DUN_MQTT_PROPERTIES_H

#include "base.h"

enum dun_mqtt_property_id {
    DUN_MQTT_PAYLOAD_FORMAT = 0x01,
    DUN_MQTT_MESSAGE_EXPIRY = 0x02,
    DUN_MQTT_CONTENT_TYPE = 0x03,
    DUN_MQTT_SESSION_EXPIRY = 0x11,
    DUN_MQTT_ASSIGNED_CLIENT_ID = 0x12,
    DUN_MQTT_SERVER_KEEP_ALIVE = 0x13,
    DUN_MQTT_WILL_DELAY = 0x18,
    DUN_MQTT_SERVER_REFERENCE = 0x1C,
    DUN_MQTT_REASON_STRING = 0x1F,
    DUN_MQTT_RECEIVE_MAXIMUM = 0x21,
    DUN_MQTT_TOPIC_ALIAS_MAXIMUM = 0x22,
    DUN_MQTT_TOPIC_ALIAS = 0x23,
    DUN_MQTT_MAXIMUM_QOS = 0x24,
    DUN_MQTT_RETAIN_AVAILABLE = 0x25,
    DUN_MQTT_USER_PROPERTY = 0x26,
    DUN_MQTT_MAXIMUM_PACKET_SIZE = 0x27,
};

struct dun_mqtt_property {
    uint8_t id;
    uint32_t value;       /* of a number */
    struct dun_span text; /* of a string or binary data; the key of a user property */
};

/* A walk over the properties of one inbound packet. */
struct dun_mqtt_properties {
    struct dun_span left;
    uint64_t seen; /* a bit an id */
    uint8_t type;  /* of the packet */
};

/* Take from the front of `body`; false if that is too short. */
bool dun_mqtt_take_u16(struct dun_span *body, uint16_t *value);
bool dun_mqtt_take_string(struct dun_span *body, struct dun_span *text);

/*
 * Takes the properties of a packet of this type off the front of `body` (2.2.2). An empty body has
 * none. DUN_E_CORRUPT if they are longer than the body.
 */
DUN_MUST_USE int dun_mqtt_properties_take(struct dun_mqtt_properties *properties, uint8_t type,
                                          struct dun_span *body);

/*
 * The next one: 1, 0 at the end, DUN_E_CORRUPT for an id that is unknown or not for this packet, a
 * length beyond the end, bad UTF-8; DUN_E_PROTOCOL for one that is there twice, or a value that is
 * not allowed.
 */
DUN_MUST_USE int dun_mqtt_properties_next(struct dun_mqtt_properties *properties,
                                          struct dun_mqtt_property *property);

#endif
