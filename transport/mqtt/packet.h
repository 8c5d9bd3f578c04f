/*
 * packet.h: single MQTT packets, encoded into and decoded from spans. No state, no I/O.
 *
 * Encoders return the bytes written, DUN_E_TOO_LARGE when `out` is too small, or DUN_E_INVALID for
 * something MQTT does not allow (a string over 65,535 bytes, a wildcard in a topic name, ...): a
 * length is never truncated. Decoders get the body of one packet, that is what follows the
 * remaining length, check every length in it, and return 0, DUN_E_CORRUPT for what cannot be
 * parsed, or DUN_E_PROTOCOL for what must not be said; the spans they give point into it. Section
 * numbers are those of the OASIS standard MQTT 3.1.1, and of MQTT 5.0 after "v5".
 */
#ifndef DUN_MQTT_PACKET_H
#define DUN_MQTT_PACKET_H

#include "base.h"

#define DUN_MQTT_REMAINING_MAX 268435455u /* section 2.2.3 */
#define DUN_MQTT_HEADER_MAX    5u         /* first byte and remaining length */

enum dun_mqtt_version {
    DUN_MQTT_3_1_1 = 4, /* the values of the protocol level, section 3.1.2.2 */
    DUN_MQTT_5 = 5,
};

/* True if `version` is 5 and this program has it: version.c, or version_3_1_1.c. */
bool dun_mqtt_is_5(uint8_t version);

enum dun_mqtt_type {
    DUN_MQTT_CONNECT = 1,
    DUN_MQTT_CONNACK = 2,
    DUN_MQTT_PUBLISH = 3,
    DUN_MQTT_PUBACK = 4,
    DUN_MQTT_SUBSCRIBE = 8,
    DUN_MQTT_SUBACK = 9,
    DUN_MQTT_PINGREQ = 12,
    DUN_MQTT_PINGRESP = 13,
    DUN_MQTT_DISCONNECT = 14,
};

/* Reasons a client of ours gives or acts on, v5 2.4. At or above 0x80: a failure. */
enum dun_mqtt_reason {
    DUN_MQTT_SUCCESS = 0x00,
    DUN_MQTT_OLD_VERSION = 0x01, /* 3.1.1 CONNACK: protocol version not accepted */
    DUN_MQTT_LEAVE_WITH_WILL = 0x04,
    DUN_MQTT_FAILURE = 0x80,
    DUN_MQTT_MALFORMED = 0x81,
    DUN_MQTT_PROTOCOL_ERROR = 0x82,
    DUN_MQTT_VERSION_REFUSED = 0x84,
    DUN_MQTT_ALIAS_INVALID = 0x94,
    DUN_MQTT_TOO_LARGE = 0x95,
    DUN_MQTT_QOS_NOT_SUPPORTED = 0x9B,
};

/* What a CONNECT says. Everything borrowed. */
struct dun_mqtt_connect {
    uint8_t version; /* enum dun_mqtt_version; 0: 3.1.1 */
    bool clean_start;
    bool will_retain;
    bool will_text;   /* v5: the payload of the will is UTF-8 */
    uint8_t will_qos; /* 0 or 1 */
    uint16_t keepalive_s;
    struct dun_span client_id;
    struct dun_span username;   /* NULL data: none */
    struct dun_span password;   /* NULL data: none; 3.1.1 allows it only beside a username */
    struct dun_span will_topic; /* NULL data: no will */
    struct dun_span will_payload;
    uint32_t session_expiry_s;    /* v5: how long the broker keeps the session */
    uint32_t maximum_packet_size; /* v5: of what the broker may send; 0: no limit */
    uint32_t will_delay_s;        /* v5 */
    uint16_t receive_maximum;     /* v5: messages the broker may have under way to us; 0: any */
};

/* The limits are those of 3.1.1, where there are none, unless a v5 broker says otherwise. */
struct dun_mqtt_connack {
    bool session_present;
    bool retain_available;
    bool keepalive_given;
    uint8_t reason; /* 0: accepted; else a return code 1 to 5, or a v5 reason */
    uint8_t maximum_qos;
    uint16_t server_keepalive_s; /* if keepalive_given */
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint32_t maximum_packet_size;
    struct dun_span server_reference; /* NULL data: none */
};

struct dun_mqtt_publish {
    struct dun_span topic;
    struct dun_span payload; /* decoded only; an encoder looks at `payload_size` */
    uint32_t payload_size;
    struct dun_span content_type; /* v5, encoded only; size 0: none */
    uint32_t expiry_s;            /* v5, encoded only; 0: never */
    uint16_t packet_id;           /* 0 with QoS 0 */
    uint16_t alias;               /* v5, encoded only: 0: none; with it the topic may be empty */
    uint8_t qos;
    bool text; /* v5, encoded only: the payload is UTF-8 */
    bool retain;
    bool dup;
};

/* True if these bytes are well-formed UTF-8 without U+0000 (1.5.3). */
bool dun_mqtt_utf8_ok(struct dun_span text);

/* True if a message may be published to this topic: 1 to 65,535 bytes, no wildcard (4.7). */
bool dun_mqtt_topic_ok(struct dun_span topic);

/* True if this may be subscribed: wildcards only where 4.7.1 allows them. */
bool dun_mqtt_filter_ok(struct dun_span filter);

DUN_MUST_USE int dun_mqtt_encode_connect(struct dun_buffer out,
                                         const struct dun_mqtt_connect *connect);

/* Everything of a PUBLISH before its payload. */
DUN_MUST_USE int dun_mqtt_encode_publish(uint8_t version, struct dun_buffer out,
                                         const struct dun_mqtt_publish *publish);
DUN_MUST_USE int dun_mqtt_encode_puback(struct dun_buffer out, uint16_t packet_id);
DUN_MUST_USE int dun_mqtt_encode_subscribe(uint8_t version, struct dun_buffer out,
                                           uint16_t packet_id, struct dun_span filter, uint8_t qos);
DUN_MUST_USE int dun_mqtt_encode_pingreq(struct dun_buffer out);

/* `reason` other than 0 needs v5. */
DUN_MUST_USE int dun_mqtt_encode_disconnect(struct dun_buffer out, uint8_t reason);

/* Type of an inbound packet, or the error if a server must not send such a first byte. */
DUN_MUST_USE int dun_mqtt_decode_first(uint8_t version, uint8_t first);

/*
 * Takes one byte of a remaining length (2.2.3). `count` bytes went before, 0 to 3. Returns 1 when
 * `*value` is complete, 0 when another byte follows, DUN_E_CORRUPT if a fifth one would, or for a
 * form longer than needed (v5 1.5.5-1).
 */
DUN_MUST_USE int dun_mqtt_decode_length(uint8_t version, uint8_t byte, uint8_t count,
                                        uint32_t *value);

DUN_MUST_USE int dun_mqtt_decode_connack(uint8_t version, struct dun_span body,
                                         struct dun_mqtt_connack *connack);
DUN_MUST_USE int dun_mqtt_decode_publish(uint8_t version, uint8_t first, struct dun_span body,
                                         struct dun_mqtt_publish *publish);
DUN_MUST_USE int dun_mqtt_decode_puback(uint8_t version, struct dun_span body, uint16_t *packet_id,
                                        uint8_t *reason);

/* The answer to a SUBSCRIBE of one filter: `reason` is the QoS granted, or 0x80 and above. */
DUN_MUST_USE int dun_mqtt_decode_suback(uint8_t version, struct dun_span body, uint16_t *packet_id,
                                        uint8_t *reason);

/* v5: why the server ends the connection, and where it sends us (NULL data: nowhere). */
DUN_MUST_USE int dun_mqtt_decode_disconnect(struct dun_span body, uint8_t *reason,
                                            struct dun_span *server_reference);

#endif
