/*
 * uplink_shell.c: an uplink by hand: commands on stdin, a line each, events on stdout. A test says
 * what the agent would do, and sees what the agent would see; between commands the uplink is polled
 * as a board does it. It goes on answering whatever its broker does: `ping` proves that.
 *
 *   open HOST PORT [KEY=VALUE]...      publish TOKEN QOS RETAIN SIZE TOPIC [CONTENT-TYPE]
 *   load COUNT SIZE TOPIC              subscribe FILTER        close [will]        ping
 *
 * `load` publishes COUNT messages as the agent would, each until it is acknowledged, over any
 * number of connections that `open` makes. The end of stdin closes and ends.
 */
#define _POSIX_C_SOURCE 200809L
#include "uplink_shell.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX     24
#define LINE_MAX_SIZE 4096

struct pending {
    uint32_t size;
    uint32_t seed;
};

/* What `load` has to do: messages below `acked` are acknowledged. */
struct load {
    uint32_t count, size, next, acked;
    bool done[SHELL_WINDOW];
    char topic[256];
};

struct shell {
    struct dun_uplink uplink;
    struct dun_uplink_config config;
    struct dun_tls_config tls;
    struct pending reading;
    struct load load;
    bool up, may_publish;
    char line[LINE_MAX_SIZE];
    size_t line_size;
    char opened[LINE_MAX_SIZE]; /* the words of the last open, which stay borrowed */
};

static struct shell shell;

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

/* Every message has bytes of its own, so that a wrong one shows. */
static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    const struct pending *pending = context;
    uint8_t *bytes = data;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t at = offset + i;
        bytes[i] = (uint8_t)(at < 4 ? pending->seed >> (8 * at) : at + pending->seed);
    }
    return 0;
}

static int publish(uint16_t token, uint8_t qos, bool retain, uint32_t size, uint32_t seed,
                   const char *topic, const char *content_type)
{
    shell.reading = (struct pending){size, seed};
    const struct dun_message message = {
        .topic = topic,
        .payload = {.context = &shell.reading, .size = size, .read = read_payload},
        .token = token,
        .qos = qos,
        .retain = retain,
        .content_type = content_type,
    };
    int result = shell.uplink.publish(shell.uplink.context, &message, now_ms());
    shell.may_publish = false;
    return result;
}

/// Events ///

static void load_acked(struct load *load, const struct dun_uplink_event *event)
{
    if (event->reason >= 0x80 || event->token >= SHELL_WINDOW || load->done[event->token]) {
        printf("bad ack token=%u reason=%u\n", event->token, event->reason);
        return;
    }
    load->done[event->token] = true;
    while (load->acked < load->next && load->done[load->acked % SHELL_WINDOW]) {
        load->done[load->acked++ % SHELL_WINDOW] = false;
        if (load->acked % 100 == 0 || load->acked == load->count) {
            printf("loaded %" PRIu32 "\n", load->acked);
        }
    }
}

static void load_step(struct load *load)
{
    while (shell.up && shell.may_publish && load->next < load->count &&
           load->next - load->acked < SHELL_WINDOW) {
        uint16_t token = (uint16_t)(load->next % SHELL_WINDOW);
        load->next += publish(token, 1, false, load->size, load->next, load->topic, NULL) == 0;
    }
}

static void print_hex(struct dun_span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        printf("%02x", bytes.data[i]);
    }
}

static void print_message(const struct dun_uplink_event *event)
{
    printf("message %.*s ", (int)event->topic.size, (const char *)event->topic.data);
    print_hex(event->payload);
    printf("\n");
}

static void on_event(const struct dun_uplink_event *event)
{
    struct load *load = &shell.load;
    switch (event->kind) {
    case DUN_UPLINK_UP:
        shell.up = true;
        shell.may_publish = true;
        load->next = load->acked;
        memset(load->done, 0, sizeof load->done);
        printf("up present=%d packet_max=%" PRIu32 " qos_max=%u retain=%d\n",
               event->session_present, event->terms.packet_max, event->terms.qos_max,
               event->terms.retain);
        break;
    case DUN_UPLINK_DOWN:
        shell.up = false;
        printf("down error=%d reason=%u server=%.*s\n", event->error, event->reason,
               (int)event->server.size,
               event->server.size > 0 ? (const char *)event->server.data : "");
        break;
    case DUN_UPLINK_ACKED:
        shell.may_publish = true;
        if (load->acked < load->count) {
            load_acked(load, event);
        } else {
            printf("acked token=%u reason=%u\n", event->token, event->reason);
        }
        break;
    case DUN_UPLINK_MESSAGE:
        print_message(event);
        break;
    case DUN_UPLINK_WRITABLE:
        shell.may_publish = true;
        break;
    default:
        break;
    }
}

/// Commands ///

static bool set_config(const char *key, char *value)
{
    struct dun_uplink_config *config = &shell.config;
    long number = strtol(value, NULL, 10);
    if (strcmp(key, "id") == 0) {
        config->client_id = value;
    } else if (strcmp(key, "user") == 0) {
        config->username = value;
    } else if (strcmp(key, "password") == 0) {
        config->password = (struct dun_span){(const uint8_t *)value, strlen(value)};
    } else if (strcmp(key, "will") == 0) {
        config->will_topic = value;
        config->will_payload = (struct dun_span){(const uint8_t *)"offline", 7};
        config->will_qos = 1;
        config->will_retain = true;
    } else if (strcmp(key, "version") == 0) {
        config->mqtt_version = (uint8_t)number;
    } else if (strcmp(key, "keepalive") == 0) {
        config->keepalive_s = (uint16_t)number;
    } else if (strcmp(key, "timeout") == 0) {
        config->connect_timeout_ms = number;
    } else if (strcmp(key, "ack_timeout") == 0) {
        config->ack_timeout_ms = number;
    } else if (strcmp(key, "clean") == 0) {
        config->clean_start = number != 0;
    } else if (strcmp(key, "expiry") == 0) {
        config->session_expiry_s = (uint32_t)number;
    } else {
        return false;
    }
    return true;
}

static void open_uplink(char *words[], int count)
{
    shell.config = (struct dun_uplink_config){.host = words[1],
                                              .port = (uint16_t)strtol(words[2], NULL, 10),
                                              .client_id = "contract",
                                              .session_expiry_s = 600,
                                              .keepalive_s = 30,
                                              .connect_timeout_ms = 20000};
    for (int i = 3; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (value == NULL || !set_config(words[i], value)) {
            printf("usage %s\n", words[i]);
            return;
        }
    }
    printf("open %d\n", shell.uplink.open(shell.uplink.context, &shell.config, now_ms()));
}

static void publish_one(char *words[], int count)
{
    uint16_t token = (uint16_t)strtol(words[1], NULL, 10);
    int result =
        publish(token, (uint8_t)strtol(words[2], NULL, 10), words[3][0] == '1',
                (uint32_t)strtol(words[4], NULL, 10), token, words[5], count > 6 ? words[6] : NULL);
    printf("publish %u %d\n", token, result);
}

static void begin_load(char *words[])
{
    shell.load = (struct load){.count = (uint32_t)strtol(words[1], NULL, 10),
                               .size = (uint32_t)strtol(words[2], NULL, 10)};
    snprintf(shell.load.topic, sizeof shell.load.topic, "%s", words[3]);
    shell.may_publish = true;
}

static void obey(char *line)
{
    char *words[WORDS_MAX];
    int count = 0;
    bool opens = strncmp(line, "open ", 5) == 0;
    if (opens) {
        line = strcpy(shell.opened, line);
    }
    for (char *word = strtok(line, " "); word != NULL && count < WORDS_MAX;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    if (opens && count >= 3) {
        open_uplink(words, count);
    } else if (count >= 6 && strcmp(words[0], "publish") == 0) {
        publish_one(words, count);
    } else if (count == 4 && strcmp(words[0], "load") == 0) {
        begin_load(words);
    } else if (count == 2 && strcmp(words[0], "subscribe") == 0) {
        printf("subscribe %d\n",
               shell.uplink.subscribe(shell.uplink.context, words[1], 1, now_ms()));
    } else if (count >= 1 && strcmp(words[0], "close") == 0) {
        shell.uplink.close(shell.uplink.context, count > 1, now_ms());
        shell.up = false;
        printf("closed\n");
    } else {
        printf("%s\n", count == 1 && strcmp(words[0], "ping") == 0 ? "pong" : "usage");
    }
}

/* False at the end of stdin. */
static bool read_commands(void)
{
    ssize_t size =
        read(STDIN_FILENO, shell.line + shell.line_size, sizeof shell.line - shell.line_size - 1);
    if (size <= 0) {
        return false;
    }
    shell.line_size += (size_t)size;
    shell.line[shell.line_size] = '\0';
    char *begin = shell.line;
    for (char *end; (end = strchr(begin, '\n')) != NULL; begin = end + 1) {
        *end = '\0';
        obey(begin);
    }
    shell.line_size -= (size_t)(begin - shell.line);
    memmove(shell.line, begin, shell.line_size);
    return true;
}

/// The loop ///

static void run_uplink(void)
{
    dun_ms now = now_ms();
    struct dun_uplink_event event;
    uint32_t next;
    do {
        next = shell.load.next;
        while (shell.uplink.poll(shell.uplink.context, now, &event)) {
            on_event(&event);
        }
        load_step(&shell.load);
    } while (shell.load.next != next);
    fflush(stdout);
}

static bool wait_for_something(void)
{
    dun_ms wait_ms = shell.uplink.deadline(shell.uplink.context) - now_ms();
    wait_ms = wait_ms < 0 ? 0 : wait_ms > 1000 ? 1000 : wait_ms;
    short events = shell_uplink_events();
    if (shell.uplink.wants_write(shell.uplink.context)) {
        events |= POLLOUT;
    }
    if (!shell.uplink.wants_read(shell.uplink.context)) {
        events = (short)(events & ~POLLIN);
    }
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = shell_uplink_fd(), .events = events}};
    poll(fds, 2, (int)wait_ms);
    return fds[0].revents == 0 || read_commands();
}

static bool set_tls(const char *key, char *value)
{
    shell.tls.enabled = true;
    if (strcmp(key, "--cafile") == 0) {
        shell.tls.ca_file = value;
    } else if (strcmp(key, "--cert") == 0) {
        shell.tls.cert_file = value;
    } else if (strcmp(key, "--key") == 0) {
        shell.tls.key_file = value;
    } else if (strcmp(key, "--earliest") == 0) { /* s since 1970 */
        shell.tls.earliest_unix_ms = (dun_ms)strtoll(value, NULL, 10) * 1000;
    } else if (strcmp(key, "--psk-identity") == 0) {
        shell.tls.psk_identity = value;
    } else if (strcmp(key, "--psk") == 0) { /* as bytes, not hex */
        shell.tls.psk = (struct dun_span){(const uint8_t *)value, strlen(value)};
    } else if (strcmp(key, "--tls-alpn") == 0) {
        shell.tls.alpn = value;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !set_tls(argv[i], argv[i + 1])) {
            fprintf(stderr, "usage: uplink_shell [--cafile FILE] [--cert FILE] [--key FILE] ...\n");
            return 2;
        }
    }
    int error = shell_uplink_make(&shell.uplink, &shell.tls);
    if (error != DUN_OK) {
        fprintf(stderr, "the uplink cannot be made: %d\n", error);
        return error == DUN_E_UNSUPPORTED ? 77 : 1;
    }
    while (wait_for_something()) {
        run_uplink();
    }
    shell.uplink.close(shell.uplink.context, false, now_ms());
    shell_uplink_end();
    return 0;
}
