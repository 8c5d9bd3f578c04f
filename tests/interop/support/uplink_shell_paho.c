/* uplink_shell_paho.c: the Eclipse Paho MQTT C library. */
#include "uplink_shell.h"

#include <poll.h>

#include "paho/uplink_paho.h"

static struct dun_uplink_paho paho;
static struct dun_uplink_paho_slot slots[SHELL_WINDOW];
static uint8_t payload[SHELL_PAYLOAD_MAX];

int shell_uplink_make(struct dun_uplink *table, const struct dun_tls_config *tls)
{
    const struct dun_uplink_paho_parts parts = {.slots = slots,
                                                .window = SHELL_WINDOW,
                                                .payload = {payload, sizeof payload},
                                                .inbound_max = SHELL_INBOUND_MAX,
                                                .tls = tls};
    return dun_uplink_paho_init(&paho, &parts, table);
}

int shell_uplink_fd(void)
{
    return dun_uplink_paho_fd(&paho);
}

short shell_uplink_events(void)
{
    return POLLIN;
}

void shell_uplink_end(void)
{
    if (dun_uplink_paho_end(&paho, 30000) != DUN_OK) {
        dun_assert_failed(__FILE__, __LINE__, "the uplink ends");
    }
}
