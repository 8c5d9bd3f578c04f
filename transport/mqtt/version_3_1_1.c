/* version_3_1_1.c: MQTT 3.1.1 and no other, whatever is asked for. See version.c. */
#include "mqtt/packet.h"

bool dun_mqtt_is_5(uint8_t version)
{
    (void)version;
    return false;
}
