/*
 * board.c: the lm3s6965evb: composition root and main loop. One loop moves frames, lwIP's timers
 * and the agent, and sleeps until the next tick; the watchdog resets a device whose loop stands
 * still.
 *
 * Without a card, or without a valid provisioning block, the device says so on the UART, blinks,
 * and keeps sampling to the log under the id `unprovisioned`.
 */
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/init.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "adc.h"
#include "clock_lm3s.h"
#include "console.h"
#include "crc32c.h"
#include "ethernet.h"
#include "fault.h"
#include "led.h"
#include "link_lwip.h"
#include "node.h"
#include "notices_uart.h"
#include "registers.h"
#include "remote.h"
#include "sensors.h"
#include "sntp_lwip.h"
#include "storage.h"
#include "uart.h"

#define RECONNECT_MIN_MS 1000u

static struct dun_node node;
static struct dun_lm3s_storage storage;
static struct dun_identity identity;
static struct dun_fault_note last_reset;
static struct dun_remote remote;
static uint8_t remote_record[DUN_PROFILE_CONFIG_MAX + DUN_REMOTE_EXTRA];
static struct dun_sensor sensors[DUN_LM3S_SENSOR_COUNT];
static struct dun_link_lwip link;
static struct dun_link link_table;
static struct netif netif;
static struct dun_sntp_lwip sntp;

/// Random numbers ///

static uint64_t pool; /* what is known of this device and this boot, mixed */

static void mix(const void *data, size_t size)
{
    pool = (pool ^ dun_crc32c((uint32_t)pool, data, size)) * UINT64_C(0x9E3779B97F4A7C15);
    pool ^= pool >> 29;
}

static uint64_t random64(void)
{
    uint32_t noise = dun_adc_read() ^ SYST_CVR;
    mix(&noise, sizeof noise);
    uint64_t upper = pool;
    mix(&noise, sizeof noise);
    return upper << 32 ^ pool;
}

uint32_t dun_lwip_random(void)
{
    return (uint32_t)random64();
}

u32_t sys_now(void)
{
    return (u32_t)dun_clock_now();
}

/// Parts ///

/* What DHCP's answer says of time servers. */
void dhcp_set_ntp_servers(u8_t count, const ip4_addr_t *servers)
{
    if (count > 0) {
        dun_sntp_lwip_set_server(&sntp, servers);
    }
}

static void start_network(void)
{
    ip4_addr_t address = {identity.address}, mask = {identity.mask}, gateway = {identity.gateway};
    if (memcmp(identity.hardware, (uint8_t[6]){0}, 6) == 0) {
        uint32_t hash = dun_crc32c(0, identity.device, strlen(identity.device));
        identity.hardware[0] = 0x02; /* locally administered */
        memcpy(identity.hardware + 2, &hash, sizeof hash);
    }
    lwip_init();
    netif_add(&netif, &address, &mask, &gateway, identity.hardware, dun_ethernet_init,
              ethernet_input);
    netif_set_hostname(&netif, identity.device);
    netif_set_default(&netif);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
    dun_sntp_lwip_init(&sntp, identity.ntp[0] != '\0' ? identity.ntp : NULL);
    if (identity.address == 0) {
        dhcp_start(&netif);
    }
    if (identity.dns != 0) {
        dns_setserver(0, &(ip_addr_t){identity.dns});
    }
    dun_link_lwip_init(&link, &link_table);
}

static struct dun_node_config configure(uint16_t sensor_count)
{
    return (struct dun_node_config){
        .agent = {.device = identity.device,
                  .fleet = identity.fleet,
                  .board = "lm3s6965evb",
                  .batch_age_max_ms = identity.batch_age_ms,
                  .ack_mode = identity.ack_stored ? DUN_ACK_STORED : DUN_ACK_PUBLISHED,
                  .stored_wait_ms = identity.stored_wait_ms,
                  .backoff = {.base_ms = RECONNECT_MIN_MS < identity.reconnect_max_ms
                                             ? RECONNECT_MIN_MS
                                             : identity.reconnect_max_ms,
                              .max_ms = identity.reconnect_max_ms},
                  .boot = (uint32_t)random64() | 1,
                  .random_seed = random64()},
        .broker = {.host = identity.host,
                   .port = identity.port,
                   .client_id = identity.device,
                   .username = identity.user[0] != '\0' ? identity.user : NULL,
                   .password = {identity.password[0] != '\0' ? (const uint8_t *)identity.password
                                                             : NULL,
                                strlen(identity.password)},
                   .keepalive_s = identity.keepalive_s,
                   .connect_timeout_ms = 20000},
        .link = &link_table,
        .flash = &storage.log,
        .flash_in_ram = storage.in_ram,
        .spare = storage.has_spare && dun_has_spare() ? &storage.spare : NULL,
        .stream = random64() | 1,
        .spare_stream = random64() | 1,
        .sensors = sensors,
        .sensor_count = sensor_count,
    };
}

static void start_remote(dun_ms now)
{
    remote = (struct dun_remote){
        .settings = {.agent = &node.agent},
        .shelf = storage.shelf,
        .record = {remote_record, sizeof remote_record},
    };
    dun_remote_start(&remote, now);
}

/// The program ///

static void start(void)
{
    dun_uart_start();
    last_reset = dun_fault_take();
    dun_clock_start();
    dun_adc_start();
    dun_led_start();
    dun_uart_event("boot", "reset", last_reset.cause);
    dun_lm3s_storage_start(&storage, &identity);
    mix(identity.device, strlen(identity.device));
    mix(&storage.boots, sizeof storage.boots);
    mix(&last_reset, sizeof last_reset);
    start_network();
    uint16_t sensor_count = dun_lm3s_sensors(sensors, &netif, &last_reset, identity.interval_ms);
    struct dun_node_config config = configure(sensor_count);
    const char *what = NULL;
    int result = dun_node_init(&node, &config, dun_clock_now(), &what);
    if (result != DUN_OK) {
        dun_uart_text(what != NULL ? what : "node");
        dun_uart_event(": refused", "error", result);
    }
    DUN_ASSERT(result == DUN_OK);
    if (dun_has_remote() && identity.remote) {
        start_remote(dun_clock_now());
    }
    dun_fault_watch(DUN_PROFILE_WATCHDOG_MS);
}

int main(void)
{
    start();
    dun_ms deadline = 0;
    for (;;) {
        dun_ms now = dun_clock_now(), unix_ms;
        dun_sntp_lwip_tick(&sntp, now, random64);
        bool moved = dun_ethernet_poll(&netif);
        sys_check_timeouts();
        if (dun_sntp_lwip_take(&sntp, &unix_ms)) {
            dun_agent_set_clock(&node.agent, now, unix_ms);
        }
        bool due = now >= deadline || dun_link_lwip_is_dead(&link);
        if (moved || due || node.uplink.wants_write(node.uplink.context)) {
            deadline = dun_agent_step(&node.agent, now);
            if (dun_has_remote() && identity.remote) {
                deadline = dun_ms_earlier(deadline, dun_remote_step(&remote, now));
            }
            dun_lm3s_notices(&node.agent);
        }
        dun_fault_alive();
        dun_led_tick(now);
        dun_console_tick();
        dun_clock_wait();
    }
}
