/* uplink_shell_mqtt.c: the compact client over a TCP socket, or TLS as dunlind has it. */
#include "uplink_shell.h"

#include "link_posix.h"
#include "mqtt/uplink_mqtt.h"
#include "tls_host.h"

static struct dun_uplink_mqtt mqtt;
static struct dun_link_posix posix;
static struct dun_link link_table;
static struct dun_mqtt_slot slots[SHELL_WINDOW];
static uint8_t rx[SHELL_INBOUND_MAX], tx[1024], read_buffer[2048], write_buffer[8192];

int shell_uplink_make(struct dun_uplink *table, const struct dun_tls_config *tls)
{
    const struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = {rx, sizeof rx},
                    .tx = {tx, sizeof tx},
                    .slots = slots,
                    .slot_count = SHELL_WINDOW},
        .read = {read_buffer, sizeof read_buffer},
        .write = {write_buffer, sizeof write_buffer},
    };
    const struct dun_link *link = &link_table;
    dun_link_posix_init(&posix, 0, 0, &link_table);
    if (tls->enabled) {
        if (dun_tls_host == NULL) {
            return DUN_E_UNSUPPORTED;
        }
        int error = dun_tls_host->load(tls);
        if (error != DUN_OK) {
            return error;
        }
        link = dun_tls_host_wrap(&link_table, 0);
    }
    return dun_uplink_mqtt_init(&mqtt, link, &memory, table);
}

int shell_uplink_fd(void)
{
    return dun_link_posix_fd(&posix);
}

short shell_uplink_events(void)
{
    return dun_link_posix_events(&posix);
}

void shell_uplink_end(void)
{
}
