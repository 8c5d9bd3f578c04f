/*
 * publish_mosquitto.c: the same work done by libmosquitto with a loop of its own, no thread: its
 * cheapest way. The next message is published from the callback that tells of an ack.
 */
#include <mosquitto.h>
#include <string.h>

#include "publish.h"

struct client {
    struct publish_order order;
    uint32_t published, acked;
    uint64_t since_ns;
};

static void fill_window(struct mosquitto *mosquitto, struct client *client)
{
    while (client->published < client->order.count &&
           client->published - client->acked < client->order.window) {
        int result = mosquitto_publish(mosquitto, NULL, PUBLISH_TOPIC, PUBLISH_SIZE,
                                       publish_payload, 1, false);
        publish_check(result == MOSQ_ERR_SUCCESS, "libmosquitto takes the message");
        client->published++;
    }
}

static void on_connect(struct mosquitto *mosquitto, void *context, int result)
{
    struct client *client = context;
    publish_check(result == 0, "the broker accepts us");
    client->since_ns = publish_now_ns();
    fill_window(mosquitto, client);
}

static void on_publish(struct mosquitto *mosquitto, void *context, int id)
{
    struct client *client = context;
    (void)id;
    client->acked++;
    fill_window(mosquitto, client);
}

int main(int argc, char **argv)
{
    struct client client = {.order = publish_arguments(argc, argv)};
    mosquitto_lib_init();
    struct mosquitto *mosquitto = mosquitto_new("bench-mosquitto", true, &client);
    publish_check(mosquitto != NULL, "libmosquitto starts");
    mosquitto_max_inflight_messages_set(mosquitto, client.order.window);
    mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION, client.order.version);
    mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(mosquitto, on_connect);
    mosquitto_publish_callback_set(mosquitto, on_publish);
    publish_check(mosquitto_connect(mosquitto, "127.0.0.1", client.order.port, PUBLISH_KEEPALIVE) ==
                      MOSQ_ERR_SUCCESS,
                  "it connects");
    while (client.acked < client.order.count) {
        publish_check(mosquitto_loop(mosquitto, 1000, 1) == MOSQ_ERR_SUCCESS, "its loop goes on");
    }
    publish_report(client.acked, client.since_ns);
    mosquitto_disconnect(mosquitto);
    mosquitto_destroy(mosquitto);
    mosquitto_lib_cleanup();
    return 0;
}
