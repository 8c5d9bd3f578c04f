/*
 * publish_paho.c: the same work done by Eclipse Paho's asynchronous C API, which has threads of its
 * own. The next message is sent from the callback that tells of an ack.
 */
#define _POSIX_C_SOURCE 200809L

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "publish.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct client {
    struct publish_order order;
    MQTTAsync paho;
    uint32_t published, acked;
    uint64_t since_ns;
    bool done;
};

/// Publishing: all of it in the thread that gives the callbacks ///

static void on_acked(void *context, MQTTAsync_successData *data);
static void on_acked5(void *context, MQTTAsync_successData5 *data);

static void on_failed(void *context, MQTTAsync_failureData *data)
{
    (void)context;
    (void)data;
    publish_check(false, "the broker took the message");
}

static void on_failed5(void *context, MQTTAsync_failureData5 *data)
{
    (void)context;
    (void)data;
    publish_check(false, "the broker took the message");
}

static void fill_window(struct client *client)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = (void *)publish_payload;
    message.payloadlen = PUBLISH_SIZE;
    message.qos = 1;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = client;
    if (client->order.version == 5) {
        options.onSuccess5 = on_acked5;
        options.onFailure5 = on_failed5;
    } else {
        options.onSuccess = on_acked;
        options.onFailure = on_failed;
    }
    while (client->published < client->order.count &&
           client->published - client->acked < client->order.window) {
        int result = MQTTAsync_sendMessage(client->paho, PUBLISH_TOPIC, &message, &options);
        publish_check(result == MQTTASYNC_SUCCESS, "Paho takes the message");
        client->published++;
    }
}

static void count_ack(struct client *client)
{
    if (++client->acked < client->order.count) {
        fill_window(client);
        return;
    }
    publish_report(client->acked, client->since_ns);
    pthread_mutex_lock(&mutex);
    client->done = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_acked(void *context, MQTTAsync_successData *data)
{
    (void)data;
    count_ack(context);
}

static void on_acked5(void *context, MQTTAsync_successData5 *data)
{
    publish_check(data->reasonCode < MQTTREASONCODE_UNSPECIFIED_ERROR, "the message is accepted");
    count_ack(context);
}

/// Connecting ///

static void start(struct client *client)
{
    client->since_ns = publish_now_ns();
    fill_window(client);
}

static void on_connected(void *context, MQTTAsync_successData *data)
{
    (void)data;
    start(context);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    start(context);
}

static void connect_client(struct client *client)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions options5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions *chosen = client->order.version == 5 ? &options5 : &options;
    chosen->keepAliveInterval = PUBLISH_KEEPALIVE;
    chosen->maxInflight = (int)client->order.window;
    chosen->context = client;
    if (client->order.version == 5) {
        chosen->cleanstart = 1;
        chosen->onSuccess5 = on_connected5;
        chosen->onFailure5 = on_failed5;
    } else {
        chosen->cleansession = 1;
        chosen->MQTTVersion = MQTTVERSION_3_1_1;
        chosen->onSuccess = on_connected;
        chosen->onFailure = on_failed;
    }
    publish_check(MQTTAsync_connect(client->paho, chosen) == MQTTASYNC_SUCCESS, "Paho connects");
}

static void create_client(struct client *client)
{
    char address[40];
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = client->order.version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    options.maxBufferedMessages = (int)client->order.window + 1;
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", (unsigned)client->order.port);
    publish_check(MQTTAsync_createWithOptions(&client->paho, address, "bench-paho",
                                              MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                              &options) == MQTTASYNC_SUCCESS,
                  "Paho starts");
}

int main(int argc, char **argv)
{
    static struct client client;
    client.order = publish_arguments(argc, argv);
    create_client(&client);
    connect_client(&client);
    pthread_mutex_lock(&mutex);
    while (!client.done) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    MQTTAsync_destroy(&client.paho);
    return 0;
}
