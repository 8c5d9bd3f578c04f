/*
 * test_uplink_mosquitto.c: the compact client over a real socket against a real Mosquitto: 10,000
 * QoS 1 messages with a window of 32, each acknowledged once, none lost; a message comes back on a
 * subscription; a broker that dies in the middle is survived with no message lost.
 *
 * Without mosquitto it ends with 77, which ctest shows as skipped. It starts its broker on a free
 * loopback port, in a folder of its own, and ends it by its pid.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link_posix.h"
#include "mqtt/uplink_mqtt.h"

#define SKIPPED      77
#define WINDOW       32
#define PAYLOAD_SIZE 100
#define PATIENCE_MS  60000

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            stop_broker();                                                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static pid_t broker;
static char folder[] = "/tmp/dunlin-mosquitto-XXXXXX";
static char config_path[64];

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static dun_ms now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (dun_ms)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/// The broker ///

static const char *find_broker(void)
{
    static const char *const paths[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                        "/usr/bin/mosquitto"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (access(paths[i], X_OK) == 0) {
            return paths[i];
        }
    }
    return NULL;
}

static uint16_t free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 &&
              getsockname(fd, (struct sockaddr *)&in, &size) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok ? ntohs(in.sin_port) : 0;
}

static void kill_broker(void)
{
    if (broker > 0) {
        kill(broker, SIGKILL);
        waitpid(broker, NULL, 0);
        broker = 0;
    }
}

static void stop_broker(void)
{
    kill_broker();
    unlink(config_path);
    rmdir(folder);
}

static void start_broker(const char *path)
{
    broker = fork();
    if (broker == 0) {
        execl(path, path, "-c", config_path, (char *)NULL);
        _exit(127);
    }
}

static void write_config(uint16_t port)
{
    snprintf(config_path, sizeof config_path, "%s/conf", folder);
    FILE *file = fopen(config_path, "w");
    CHECK(file != NULL);
    fprintf(file,
            "listener %u 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n"
            "log_type none\nmax_inflight_messages 0\nmax_queued_messages 0\n",
            (unsigned)port);
    CHECK(fclose(file) == 0);
}

/// The client ///

struct client {
    struct dun_uplink_mqtt mqtt;
    struct dun_link_posix posix;
    struct dun_link link;
    struct dun_uplink uplink;
    struct dun_uplink_config config;
    struct dun_mqtt_slot slots[WINDOW];
    uint8_t rx[512], tx[512], read[1024], write[4096];
    uint8_t payload[PAYLOAD_SIZE];

    uint32_t wanted; /* messages to publish in all */
    uint32_t next;   /* message to publish next */
    uint32_t acked;  /* every message below was acknowledged */
    bool done[WINDOW];
    bool up, may_publish, got_message;
    uint32_t ups, duplicate_acks;
};

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    const struct client *client = context;
    memcpy(data, client->payload + offset, size);
    return 0;
}

static void client_init(struct client *client, uint16_t port)
{
    *client = (struct client){.wanted = 0};
    dun_link_posix_init(&client->posix, 0, 0, &client->link);
    struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = {client->rx, sizeof client->rx},
                    .tx = {client->tx, sizeof client->tx},
                    .slots = client->slots,
                    .slot_count = WINDOW},
        .read = {client->read, sizeof client->read},
        .write = {client->write, sizeof client->write},
    };
    CHECK(dun_uplink_mqtt_init(&client->mqtt, &client->link, &memory, &client->uplink) == 0);
    client->config = (struct dun_uplink_config){
        .host = "localhost",
        .port = port,
        .client_id = "dunlin-test",
        .will_topic = "dunlin/test/d/status",
        .will_payload = {(const uint8_t *)"offline", 7},
        .keepalive_s = 10,
        .session_expiry_s = 3600,
        .mqtt_version = 4,
        .connect_timeout_ms = 5000,
    };
}

static void on_acked(struct client *client, uint16_t token)
{
    CHECK(token < WINDOW);
    client->duplicate_acks += client->done[token];
    client->done[token] = true;
    while (client->acked < client->next && client->done[client->acked % WINDOW]) {
        client->done[client->acked++ % WINDOW] = false;
    }
}

static void on_event(struct client *client, const struct dun_uplink_event *event)
{
    switch (event->kind) {
    case DUN_UPLINK_UP:
        client->up = true;
        client->may_publish = true;
        client->ups++;
        client->next = client->acked;
        memset(client->done, 0, sizeof client->done);
        break;
    case DUN_UPLINK_DOWN:
        client->up = false;
        break;
    case DUN_UPLINK_ACKED:
        on_acked(client, event->token);
        break;
    case DUN_UPLINK_WRITABLE:
        client->may_publish = true;
        break;
    case DUN_UPLINK_MESSAGE:
        client->got_message = true;
        CHECK(event->payload.size == PAYLOAD_SIZE);
        break;
    default:
        break;
    }
}

static bool publish_next(struct client *client, dun_ms now)
{
    if (!client->up || !client->may_publish || client->next == client->wanted ||
        client->next - client->acked == WINDOW) {
        return false;
    }
    struct dun_message message = {
        .topic = "dunlin/test/d/batch",
        .payload = {.context = client, .size = PAYLOAD_SIZE, .read = read_payload},
        .token = (uint16_t)(client->next % WINDOW),
        .qos = 1,
    };
    int result = client->uplink.publish(client->uplink.context, &message, now);
    CHECK(result == 0 || result == DUN_E_AGAIN || result == DUN_E_CLOSED);
    client->may_publish = false;
    client->next += result == 0;
    return result == 0;
}

static void wait_for_link(struct client *client, dun_ms now)
{
    dun_ms deadline = client->uplink.deadline(client->uplink.context);
    dun_ms wait_ms = client->mqtt.state == DUN_UPLINK_MQTT_CLOSED ? 20 : deadline - now;
    wait_ms = wait_ms < 0 ? 0 : wait_ms > 1000 ? 1000 : wait_ms;
    short events = dun_link_posix_events(&client->posix);
    if (client->uplink.wants_write(client->uplink.context)) {
        events |= POLLOUT;
    }
    if (!client->uplink.wants_read(client->uplink.context)) {
        events &= (short)~POLLIN;
    }
    struct pollfd poll_fd = {.fd = dun_link_posix_fd(&client->posix), .events = events};
    poll(&poll_fd, 1, (int)wait_ms);
}

static void step(struct client *client)
{
    dun_ms now = now_ms();
    struct dun_uplink_event event;
    if (client->mqtt.state == DUN_UPLINK_MQTT_CLOSED) {
        CHECK(client->uplink.open(client->uplink.context, &client->config, now) == 0);
    }
    do {
        while (client->uplink.poll(client->uplink.context, now, &event)) {
            on_event(client, &event);
        }
    } while (publish_next(client, now));
    wait_for_link(client, now_ms());
}

#define STEP_UNTIL(client, condition)                                                              \
    do {                                                                                           \
        dun_ms patience = now_ms() + PATIENCE_MS;                                                  \
        while (!(condition)) {                                                                     \
            CHECK(now_ms() < patience);                                                            \
            step(client);                                                                          \
        }                                                                                          \
    } while (0)

/// The tests ///

static void window_is_acknowledged(struct client *client, uint32_t count)
{
    client->wanted += count;
    STEP_UNTIL(client, client->acked == client->wanted);
    CHECK(client->duplicate_acks == 0);
    CHECK(dun_uplink_mqtt_stats(&client->mqtt)->unmatched_acks == 0);
}

static void subscription_delivers(struct client *client)
{
    CHECK(client->uplink.subscribe(client->uplink.context, "dunlin/test/+/batch", now_ms()) == 0);
    client->wanted++;
    STEP_UNTIL(client, client->got_message && client->acked == client->wanted);
}

/* The broker forgets everything; the client publishes again what was not acknowledged. */
static void broker_death_is_survived(struct client *client, const char *path)
{
    uint32_t ups = client->ups;
    uint32_t before = client->acked;
    client->wanted += 2000;
    STEP_UNTIL(client, client->acked > before + 500);
    kill_broker();
    STEP_UNTIL(client, !client->up);
    start_broker(path);
    STEP_UNTIL(client, client->acked == client->wanted);
    CHECK(client->ups == ups + 1);
}

/* From here on version 5. Its first connection of a boot is a new session. */
static void version_5_speaks_too(struct client *client)
{
    client->uplink.close(client->uplink.context, false, now_ms());
    client->up = false;
    client->config.mqtt_version = 5;
    client->wanted += 1000;
    STEP_UNTIL(client, client->acked == client->wanted);
    CHECK(client->mqtt.session.version == DUN_MQTT_5);
}

int main(int argc, char **argv)
{
    static struct client client;
    const char *path = find_broker();
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    if (path == NULL) {
        fprintf(stderr, "SKIPPED: mosquitto is not installed\n");
        return SKIPPED;
    }
    uint16_t port = free_port();
    CHECK(port != 0 && mkdtemp(folder) != NULL);
    write_config(port);
    start_broker(path);
    client_init(&client, port);
    STEP_UNTIL(&client, client.up);
    window_is_acknowledged(&client, count);
    if (argc < 2) {
        version_5_speaks_too(&client);
        broker_death_is_survived(&client, path);
        subscription_delivers(&client);
    }
    client.uplink.close(client.uplink.context, false, now_ms());
    stop_broker();
    printf("%u messages acknowledged\n", client.acked);
    return 0;
}
