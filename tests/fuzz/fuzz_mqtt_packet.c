/*
 * fuzz_mqtt_packet.c: every decoder of MQTT packets on hostile bodies. The first byte is the
 * packet's, the rest its body, in a block of exactly its size.
 *
 * Promise checked: a PUBLISH that decodes has its parts inside the body, and encodes to the same
 * bytes again.
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

static void check_publish(uint8_t first, struct dun_span body)
{
    struct dun_mqtt_publish publish;
    if (dun_mqtt_decode_publish(first, body, &publish) != DUN_OK) {
        return;
    }
    DUN_ASSERT(publish.topic.data == body.data + 2);
    DUN_ASSERT(publish.payload.data + publish.payload.size == body.data + body.size);
    size_t size = body.size + DUN_MQTT_HEADER_MAX;
    uint8_t *head = malloc(size);
    int head_size = dun_mqtt_encode_publish((struct dun_buffer){head, size}, &publish);
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
    if (size == 0) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    struct dun_span body = {copy, size - 1};
    switch (dun_mqtt_decode_first(data[0])) {
    case DUN_MQTT_PUBLISH:
        check_publish(data[0], body);
        break;
    case DUN_MQTT_CONNACK:
        (void)!dun_mqtt_decode_connack(body, &connack);
        break;
    case DUN_MQTT_PUBACK:
        DUN_ASSERT(dun_mqtt_decode_puback(body, &id) != DUN_OK || id != 0);
        break;
    case DUN_MQTT_SUBACK:
        DUN_ASSERT(dun_mqtt_decode_suback(body, &id, &reason) != DUN_OK || id != 0);
        break;
    default:
        break;
    }
    free(copy);
    return 0;
}
