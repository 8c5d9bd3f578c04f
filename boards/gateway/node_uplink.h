/* node_uplink.h: the uplink of a gateway's node: the Eclipse Paho MQTT C library. */
#ifndef DUN_NODE_UPLINK_H
#define DUN_NODE_UPLINK_H

#include "link.h"
#include "paho/uplink_paho.h"
#include "profile.h"
#include "sender.h"

#define DUN_NODE_UPLINK_WINDOW (DUN_PROFILE_WINDOW + DUN_SENDER_EXTRA_SLOTS)

struct dun_node_uplink {
    struct dun_uplink_paho paho;
    struct dun_uplink_paho_slot slots[DUN_NODE_UPLINK_WINDOW];
    uint8_t payload[DUN_PROFILE_PAYLOAD_MAX];
};

static inline int dun_node_uplink_init(struct dun_node_uplink *parts, const struct dun_link *link,
                                       const struct dun_tls_config *tls, struct dun_uplink *table)
{
    const struct dun_uplink_paho_parts paho = {
        .slots = parts->slots,
        .window = DUN_NODE_UPLINK_WINDOW,
        .payload = {parts->payload, sizeof parts->payload},
        .inbound_max = DUN_PROFILE_INBOUND_MAX,
        .tls = tls,
    };
    (void)link;
    return dun_uplink_paho_init(&parts->paho, &paho, table);
}

#endif
