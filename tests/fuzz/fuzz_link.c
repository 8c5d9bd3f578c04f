/*
 * fuzz_link.c: the uplink over a real socket, between a hostile broker and a kernel that moves what
 * it likes. The input is a program: a byte that says what happens, then what it needs. link_posix
 * gets one end of a socket pair, and its calls pass through here: they move less than asked, are
 * interrupted, fail; the other end sends anything, reads slowly, hangs up.
 *
 * Promises checked: what goes out is whole packets, CONNECT first, nothing behind DISCONNECT; only
 * what is in flight is acknowledged; payloads are read in order; a connection comes UP once and
 * goes DOWN once; no event storm, no deadline that lies in the past for ever; one socket at a time,
 * and none is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_posix.h"
#include "mqtt/uplink_mqtt.h"

#define OPS_MAX    400
#define WINDOW     3
#define TOKENS     8
#define EVENTS_MAX 4000 /* of one poll until it has no more */
#define ROUNDS_MAX 4000 /* of polls until the deadline lies ahead */

struct program {
    const uint8_t *data;
    size_t size;
};

struct life {
    struct dun_uplink_mqtt mqtt;
    struct dun_link_posix posix;
    struct dun_link link;
    struct dun_uplink uplink;
    struct dun_mqtt_slot slots[WINDOW];
    uint8_t rx[40], tx[100], read[16], write[32];
    dun_ms now;
    uint32_t payload_at[TOKENS];
    bool flying[TOKENS];
    bool opened, up;
    uint8_t version;
};

/* What the kernel does next, and what there is of it. */
static struct {
    uint8_t moves[16]; /* how the next sends and receives go, a ring */
    uint8_t move_count, connect_how, polls_refused, socket_error;
    int fd, peer; /* -1: none */
} kernel;

/* What the peer has read from this socket. */
static struct {
    uint32_t packet_left, length, length_count, packets;
    bool ended;
} wire;

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static uint8_t next_byte(struct program *program)
{
    if (program->size == 0) {
        return 0;
    }
    program->size--;
    return *program->data++;
}

/// The kernel ///

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_close(int fd);
ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __real_recv(int fd, void *data, size_t size, int flags);
int __real_close(int fd);

static void drop_peer(void)
{
    if (kernel.peer >= 0) {
        __real_close(kernel.peer);
        kernel.peer = -1;
    }
}

int __wrap_socket(int domain, int type, int protocol)
{
    int ends[2];
    (void)domain;
    (void)protocol;
    DUN_ASSERT(kernel.fd < 0);
    if (kernel.connect_how == 1) {
        errno = EMFILE;
        return -1;
    }
    DUN_ASSERT(socketpair(AF_UNIX, type, 0, ends) == 0);
    int size = 1; /* as small as the system has them */
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    drop_peer();
    memset(&wire, 0, sizeof wire);
    kernel.fd = ends[0];
    kernel.peer = ends[1];
    (void)fcntl(kernel.peer, F_SETFL, O_NONBLOCK);
    return kernel.fd;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
    static const int errors[] = {0, 0, EINPROGRESS, EINTR, ECONNREFUSED, EINPROGRESS};
    (void)to;
    (void)size;
    DUN_ASSERT(fd == kernel.fd && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    errno = errors[kernel.connect_how % 6];
    return errno == 0 ? 0 : -1;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    (void)level;
    DUN_ASSERT(fd == kernel.fd && name == SO_ERROR && *size == sizeof(int));
    *(int *)value = kernel.socket_error == 1   ? ECONNREFUSED
                    : kernel.socket_error == 2 ? ETIMEDOUT
                                               : 0;
    return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    DUN_ASSERT(count == 1 && timeout == 0 && fds->fd == kernel.fd);
    fds->revents = fds->events;
    if (kernel.polls_refused > 0) {
        kernel.polls_refused--;
        return 0;
    }
    return 1;
}

int __wrap_close(int fd)
{
    DUN_ASSERT(fd == kernel.fd);
    kernel.fd = -1;
    return __real_close(fd);
}

/* How the next call goes: how much it may move, or 0 with errno set. */
static size_t allowed(size_t size)
{
    static const int errors[] = {EAGAIN, EINTR, ECONNRESET, EPIPE, ETIMEDOUT};
    if (kernel.move_count == 0) {
        return size;
    }
    uint8_t how = kernel.moves[--kernel.move_count];
    if (how < 5) {
        errno = errors[how];
        return 0;
    }
    return size < how - 4u ? size : how - 4u;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
    DUN_ASSERT(fd == kernel.fd && (flags & MSG_NOSIGNAL) != 0 && size > 0);
    size = allowed(size);
    return size > 0 ? __real_send(fd, data, size, flags) : -1;
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
    DUN_ASSERT(fd == kernel.fd && size > 0);
    size = allowed(size);
    return size > 0 ? __real_recv(fd, data, size, flags) : -1;
}

/// The broker ///

static void peer_send(const uint8_t *data, size_t size)
{
    if (kernel.peer >= 0 && size > 0) {
        (void)!__real_send(kernel.peer, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void check_byte(uint8_t byte)
{
    if (wire.packet_left > 0) {
        wire.packet_left--;
    } else if (wire.length_count == 0) {
        bool first = wire.packets++ == 0;
        DUN_ASSERT(!wire.ended && first == (byte == 0x10));
        DUN_ASSERT(byte == 0x10 || (byte & 0xF4) == 0x30 || byte == 0x40 || byte == 0x82 ||
                   byte == 0xC0 || byte == 0xE0);
        wire.ended = byte == 0xE0;
        wire.length_count = 1;
        wire.length = 0;
    } else {
        wire.length |= (uint32_t)(byte & 0x7F) << (7 * (wire.length_count - 1));
        DUN_ASSERT(wire.length_count < 4 || byte < 0x80);
        wire.length_count = byte < 0x80 ? 0 : wire.length_count + 1;
        wire.packet_left = byte < 0x80 ? wire.length : 0;
    }
}

static void peer_read(size_t size)
{
    uint8_t bytes[256];
    ssize_t got = kernel.peer < 0 ? 0 : __real_recv(kernel.peer, bytes, size, MSG_DONTWAIT);
    for (ssize_t i = 0; i < got; i++) {
        check_byte(bytes[i]);
    }
}

/* What a broker says that keeps to the rules, or nearly. */
static void peer_answer(struct life *life, uint8_t what, uint8_t id)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0}, connack5[] = {0x20, 3, 0, 0, 0};
    const uint8_t puback[] = {0x40, 2, 0, id}, suback[] = {0x90, 3, 0, id, 1};
    static const uint8_t pong[] = {0xD0, 0};
    const uint8_t message[] = {0x32, 6, 0, 1, 't', 0, 9, id};
    switch (what % 5) {
    case 0:
        life->version == 5 ? peer_send(connack5, sizeof connack5)
                           : peer_send(connack, sizeof connack);
        break;
    case 1:
        peer_send(puback, sizeof puback);
        break;
    case 2:
        peer_send(suback, sizeof suback);
        break;
    case 3:
        peer_send(pong, sizeof pong);
        break;
    default:
        peer_send(message, sizeof message);
        break;
    }
}

/// The agent ///

static int read_payload(void *context, uint32_t offset, void *data, uint32_t size)
{
    uint32_t *at = context;
    DUN_ASSERT(offset == *at && size > 0);
    memset(data, (int)offset, size);
    *at += size;
    return DUN_OK;
}

static void take_event(struct life *life, const struct dun_uplink_event *event)
{
    DUN_ASSERT(life->opened);
    switch (event->kind) {
    case DUN_UPLINK_UP:
        DUN_ASSERT(!life->up);
        life->up = true;
        break;
    case DUN_UPLINK_DOWN:
        DUN_ASSERT(event->error < 0 && kernel.fd < 0);
        life->opened = life->up = false;
        memset(life->flying, 0, sizeof life->flying);
        break;
    case DUN_UPLINK_ACKED:
        DUN_ASSERT(life->up && event->token < TOKENS && life->flying[event->token]);
        life->flying[event->token] = false;
        break;
    case DUN_UPLINK_MESSAGE:
        DUN_ASSERT(life->up && event->topic.size <= sizeof life->rx);
        DUN_ASSERT(memchr(event->topic.data, 0, event->topic.size) == NULL);
        break;
    default:
        DUN_ASSERT(event->kind == DUN_UPLINK_WRITABLE && life->up);
        break;
    }
}

static void poll_all(struct life *life)
{
    struct dun_uplink_event event;
    unsigned events = 0, rounds = 0;
    do {
        while (life->uplink.poll(life->uplink.context, life->now, &event)) {
            take_event(life, &event);
            DUN_ASSERT(++events < EVENTS_MAX);
        }
        DUN_ASSERT(++rounds < ROUNDS_MAX);
    } while (life->uplink.deadline(life->uplink.context) <= life->now);
    (void)life->uplink.wants_read(life->uplink.context);
    DUN_ASSERT(life->opened || kernel.fd < 0);
}

static void open_uplink(struct life *life, uint8_t flags, uint8_t keepalive)
{
    struct dun_uplink_config config = {.host = (flags & 0x40) != 0 ? "::1" : "127.0.0.1",
                                       .port = 1883,
                                       .client_id = "d",
                                       .username = (flags & 4) != 0 ? "user" : NULL,
                                       .will_topic = (flags & 8) != 0 ? "t" : NULL,
                                       .will_payload = {(const uint8_t *)"off", 3},
                                       .will_delay_s = flags >> 6,
                                       .session_expiry_s = keepalive,
                                       .keepalive_s = keepalive,
                                       .connect_timeout_ms = flags * 10,
                                       .clean_start = (flags & 1) != 0,
                                       .mqtt_version = (flags & 2) != 0 ? 5 : 4};
    int result = life->uplink.open(life->uplink.context, &config, life->now);
    DUN_ASSERT(result == (life->opened ? DUN_E_BUSY : DUN_OK));
    if (!life->opened) {
        life->opened = true;
        life->version = config.mqtt_version;
    }
}

static void publish(struct life *life, uint8_t what, uint8_t size)
{
    uint16_t token = what % TOKENS;
    if (life->flying[token]) {
        return; /* the agent promises not to */
    }
    uint32_t at_before = life->payload_at[token];
    life->payload_at[token] = 0;
    struct dun_message message = {.topic = &"topic"[what / 8 % 5],
                                  .payload = {&life->payload_at[token], size, read_payload},
                                  .token = token,
                                  .qos = (what & 0x80) == 0,
                                  .retain = (what & 0x40) != 0,
                                  .text = (size & 1) != 0,
                                  .expiry_s = size & 3};
    int result = life->uplink.publish(life->uplink.context, &message, life->now);
    DUN_ASSERT(result != DUN_OK || life->up);
    if (result == DUN_OK) {
        life->flying[token] = message.qos > 0;
    } else {
        life->payload_at[token] = at_before;
    }
}

static void close_uplink(struct life *life, bool will)
{
    life->uplink.close(life->uplink.context, will, life->now);
    life->opened = life->up = false;
    memset(life->flying, 0, sizeof life->flying);
    DUN_ASSERT(kernel.fd < 0);
}

/// The program ///

static void happen_outside(struct life *life, uint8_t what, struct program *program)
{
    uint8_t size = next_byte(program);
    switch (what % 6) {
    case 0:
        size = size < program->size ? size : (uint8_t)program->size;
        peer_send(program->data, size);
        program->data += size;
        program->size -= size;
        break;
    case 1:
        peer_answer(life, what / 6, size);
        break;
    case 2:
        peer_read(size);
        break;
    case 3:
        peer_read(256);
        if (kernel.peer >= 0) {
            (void)shutdown(kernel.peer, size & 1 ? SHUT_WR : SHUT_RDWR);
        }
        break;
    case 4:
        kernel.connect_how = size % 6;
        kernel.socket_error = size / 8 % 4;
        kernel.polls_refused = size / 32;
        break;
    default:
        for (uint8_t i = 0; i < size % 16; i++) {
            kernel.moves[i] = next_byte(program);
            kernel.move_count = (uint8_t)(i + 1);
        }
        break;
    }
}

static void happen(struct life *life, struct program *program)
{
    uint8_t what = next_byte(program);
    switch (what % 8) {
    case 0:
        open_uplink(life, next_byte(program), next_byte(program));
        break;
    case 1:
        publish(life, next_byte(program), next_byte(program));
        break;
    case 2:
        (void)life->uplink.subscribe(life->uplink.context, "t/+", 1, life->now);
        break;
    case 3:
        life->now += next_byte(program) * (dun_ms)(what / 8 * what / 8);
        break;
    case 4:
        if (what > 0xE0) {
            close_uplink(life, what & 8);
        }
        break;
    default:
        happen_outside(life, what / 8, program);
        break;
    }
    if (what & 0x80) {
        poll_all(life);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {data, size};
    struct life *life = calloc(1, sizeof *life);
    memset(&kernel, 0, sizeof kernel);
    kernel.fd = kernel.peer = -1;
    dun_link_posix_init(&life->posix, 0, 0, &life->link);
    struct dun_uplink_mqtt_memory memory = {.session = {.rx = {life->rx, sizeof life->rx},
                                                        .tx = {life->tx, sizeof life->tx},
                                                        .slots = life->slots,
                                                        .slot_count = WINDOW},
                                            .read = {life->read, sizeof life->read},
                                            .write = {life->write, sizeof life->write}};
    DUN_ASSERT(dun_uplink_mqtt_init(&life->mqtt, &life->link, &memory, &life->uplink) == DUN_OK);
    for (unsigned op = 0; op < OPS_MAX && program.size > 0; op++) {
        happen(life, &program);
    }
    poll_all(life);
    close_uplink(life, false);
    drop_peer();
    free(life);
    return 0;
}
