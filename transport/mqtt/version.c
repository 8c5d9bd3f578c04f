/* version.c: MQTT 5 and 3.1.1. A board that wants 3.1.1 only links version_3_1_1.c in its place. */
#include "mqtt/packet.h"

bool dun_mqtt_is_5(uint8_t version)
{
    return version == DUN_MQTT_5;
}
