/*
 * publish_dunlin.c: the compact client of transport/mqtt over link_posix, as a board drives it:
 * poll until there is no event, publish while it takes messages, wait in poll(2).
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_posix.h"
#include "mqtt/uplink_mqtt.h"
#include "publish.h"
#include "window.h"

#define WINDOW_MAX 4096

_Static_assert(sizeof(struct dun_mqtt_slot) + sizeof(struct dun_window_slot) <= 8,
               "a publish in flight costs at most 8 bytes: of the session and of the outbox");

struct client {
    struct dun_uplink_mqtt mqtt;
    struct dun_link_posix posix;
    struct dun_link link;
    struct dun_uplink uplink;
    struct dun_mqtt_slot slots[WINDOW_MAX];
    uint8_t rx[1024], tx[1280], read[2048], write[8192]; /* as boards/linux/profile.h has them */
    struct publish_order order;
    uint32_t published, acked;
    uint64_t since_ns;
    bool up;
};

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    (void)context;
    memcpy(data, publish_payload + offset, size);
    return DUN_OK;
}

static void open_uplink(struct client *client, dun_ms now)
{
    static struct dun_uplink_config config = {.host = "127.0.0.1",
                                              .client_id = "bench-dunlin",
                                              .keepalive_s = PUBLISH_KEEPALIVE,
                                              .connect_timeout_ms = 20000,
                                              .clean_start = true};
    struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = {client->rx, sizeof client->rx},
                    .tx = {client->tx, sizeof client->tx},
                    .slots = client->slots,
                    .slot_count = (uint16_t)client->order.window},
        .read = {client->read, sizeof client->read},
        .write = {client->write, sizeof client->write},
    };
    config.port = client->order.port;
    config.mqtt_version = (uint8_t)client->order.version;
    dun_link_posix_init(&client->posix, 0, 0, &client->link);
    publish_check(dun_uplink_mqtt_init(&client->mqtt, &client->link, &memory, &client->uplink) == 0,
                  "the uplink takes its memory");
    publish_check(client->uplink.open(client->uplink.context, &config, now) == 0, "it opens");
}

static void take_event(struct client *client, const struct dun_uplink_event *event)
{
    switch (event->kind) {
    case DUN_UPLINK_UP:
        client->up = true;
        client->since_ns = publish_now_ns();
        break;
    case DUN_UPLINK_ACKED:
        publish_check(event->reason < 0x80, "the broker took the message");
        client->acked++;
        break;
    case DUN_UPLINK_DOWN:
        publish_check(false, "the connection holds");
        break;
    default:
        break;
    }
}

/* At most a window of messages, so that acks are seen in between. */
static bool publish_some(struct client *client, dun_ms now)
{
    uint32_t before = client->published;
    struct dun_message message = {
        .topic = PUBLISH_TOPIC, .payload = {.size = PUBLISH_SIZE, .read = read_payload}, .qos = 1};
    while (client->up && client->published < client->order.count &&
           client->published - client->acked < client->order.window) {
        message.token = (uint16_t)(client->published % client->order.window);
        int result = client->uplink.publish(client->uplink.context, &message, now);
        if (result == DUN_E_AGAIN) {
            break;
        }
        publish_check(result == 0, "the uplink takes the message");
        client->published++;
    }
    return client->published > before;
}

static void wait_for_link(struct client *client, dun_ms now)
{
    dun_ms wait_ms = client->uplink.deadline(client->uplink.context) - now;
    wait_ms = wait_ms < 0 ? 0 : wait_ms > 1000 ? 1000 : wait_ms;
    struct pollfd poll_fd = {.fd = dun_link_posix_fd(&client->posix),
                             .events = dun_link_posix_events(&client->posix)};
    if (client->uplink.wants_write(client->uplink.context)) {
        poll_fd.events |= POLLOUT;
    }
    poll(&poll_fd, 1, (int)wait_ms);
}

int main(int argc, char **argv)
{
    static struct client client;
    client.order = publish_arguments(argc, argv);
    publish_check(client.order.window <= WINDOW_MAX, "WINDOW is at most 4096");
    open_uplink(&client, (dun_ms)(publish_now_ns() / 1000000));
    while (client.acked < client.order.count) {
        dun_ms now = (dun_ms)(publish_now_ns() / 1000000);
        struct dun_uplink_event event;
        do {
            while (client.uplink.poll(client.uplink.context, now, &event)) {
                take_event(&client, &event);
            }
        } while (publish_some(&client, now));
        if (client.acked < client.order.count) {
            wait_for_link(&client, now);
        }
    }
    publish_report(client.acked, client.since_ns);
    client.uplink.close(client.uplink.context, false, (dun_ms)(publish_now_ns() / 1000000));
    return 0;
}
