/*
 * fuzz_mqtt_packet.c: every decoder of MQTT packets on hostile bodies. The first byte
 * chooses the version, the second is the packet's, the rest its body, in a block of its size.
 *
 * Promise checked: a PUBLISH that decodes has its parts inside the body, and (without properties)
 * encodes to the same bytes again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/packet.h"

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static void check_publish(uint8_t version, uint8_t first, struct dun_span body)
{
    struct dun_mqtt_publish publish;
    if (dun_mqtt_decode_publish(version, first, body, &publish) != DUN_OK) {
        return;
    }
    DUN_ASSERT(publish.topic.data == body.data + 2);
    DUN_ASSERT(publish.payload.data + publish.payload.size == body.data + body.size);
    if (version == DUN_MQTT_5) {
        return;
    }
    size_t size = body.size + DUN_MQTT_HEADER_MAX;
    uint8_t *head = malloc(size);
    int head_size = dun_mqtt_encode_publish(version, (struct dun_buffer){head, size}, &publish);
    size_t body_head = body.size - publish.payload.size;
    DUN_ASSERT(head_size > 0 && (size_t)head_size > body_head);
    DUN_ASSERT(head[0] == first);
    DUN_ASSERT(memcmp(head + (size_t)head_size - body_head, body.data, body_head) == 0);
    free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dun_mqtt_connack connack;
    uint16_t id;
    uint8_t reason;
    if (size < 2) {
        return 0;
    }
    uint8_t version = (data[0] & 1) != 0 ? DUN_MQTT_5 : DUN_MQTT_3_1_1;
    uint8_t *copy = malloc(size);
    memcpy(copy + 2, data + 2, size - 2);
    struct dun_span body = {copy + 2, size - 2};
    struct dun_span text;
    switch (dun_mqtt_decode_first(version, data[1])) {
    case DUN_MQTT_PUBLISH:
        check_publish(version, data[1], body);
        break;
    case DUN_MQTT_CONNACK:
        (void)!dun_mqtt_decode_connack(version, body, &connack);
        break;
    case DUN_MQTT_PUBACK:
        DUN_ASSERT(dun_mqtt_decode_puback(version, body, &id, &reason) != DUN_OK || id != 0);
        break;
    case DUN_MQTT_SUBACK:
        DUN_ASSERT(dun_mqtt_decode_suback(version, body, &id, &reason) != DUN_OK || id != 0);
        break;
    case DUN_MQTT_DISCONNECT:
        (void)!dun_mqtt_decode_disconnect(body, &reason, &text);
        break;
    default:
        break;
    }
    free(copy);
    return 0;
}
