/*
 * node_uplink.h: the uplink of a node: here the compact MQTT client over a link. A board with
 * another uplink has a file of this name in its own folder, which stands first in its path.
 */
#ifndef DUN_NODE_UPLINK_H
#define DUN_NODE_UPLINK_H

#include "mqtt/uplink_mqtt.h"
#include "profile.h"
#include "sender.h"
#include "tls_config.h"

_Static_assert(DUN_PROFILE_MQTT_TX_SIZE >= DUN_TOPIC_MAX + 16,
               "profile.h: DUN_PROFILE_MQTT_TX_SIZE must hold the head of a PUBLISH: 232");

struct dun_node_uplink {
    struct dun_uplink_mqtt mqtt;
    struct dun_mqtt_slot slots[DUN_PROFILE_WINDOW + DUN_SENDER_EXTRA_SLOTS];
    uint8_t mqtt_rx[DUN_PROFILE_MQTT_RX_SIZE];
    uint8_t mqtt_tx[DUN_PROFILE_MQTT_TX_SIZE];
    uint8_t link_rx[DUN_PROFILE_LINK_RX_SIZE];
    uint8_t link_tx[DUN_PROFILE_LINK_TX_SIZE];
};

/* TLS, where there is any, is the link's. */
static inline int dun_node_uplink_init(struct dun_node_uplink *parts, const struct dun_link *link,
                                       const struct dun_tls_config *tls, struct dun_uplink *table)
{
    const struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = {parts->mqtt_rx, sizeof parts->mqtt_rx},
                    .tx = {parts->mqtt_tx, sizeof parts->mqtt_tx},
                    .slots = parts->slots,
                    .slot_count = DUN_PROFILE_WINDOW + DUN_SENDER_EXTRA_SLOTS},
        .read = {parts->link_rx, sizeof parts->link_rx},
        .write = {parts->link_tx, sizeof parts->link_tx},
    };
    (void)tls;
    return dun_uplink_mqtt_init(&parts->mqtt, link, &memory, table);
}

#endif
