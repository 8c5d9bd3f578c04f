/* consumer.c: the smallest program that needs every header and library of an installed dunlin. */
#include <stdlib.h>

#include "agent.h"
#include "link_posix.h"
#include "mqtt/uplink_mqtt.h"

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
    abort();
}

int main(void)
{
    static struct dun_link_posix posix;
    static struct dun_link link;
    static uint8_t bytes[4][512];
    static struct dun_mqtt_slot slots[4];
    static struct dun_uplink_mqtt mqtt;
    static struct dun_uplink uplink;
    const struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = {bytes[0], 512}, .tx = {bytes[1], 512}, .slots = slots, .slot_count = 4},
        .read = {bytes[2], 512},
        .write = {bytes[3], 512},
    };
    dun_link_posix_init(&posix, 0, 0, &link);
    return dun_uplink_mqtt_init(&mqtt, &link, &memory, &uplink) == DUN_OK &&
                   dun_agent_name_ok("pump-7")
               ? 0
               : 1;
}
