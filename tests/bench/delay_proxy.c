/*
 * delay_proxy.c: a long line, for tools/bench: a TCP proxy that gives each byte on so much later,
 * at no more than so many bytes a second, in order, and loses none. One process, one thread, no
 * timer but the one it waits with, so that a hundred thousand messages a second pass.
 *
 * delay_proxy PORT DELAY_US [BYTES_PER_SECOND]: connects to PORT of loopback for each connection
 * that comes in. It prints the port it listens on and ends when its standard input does. The delay
 * is that of one way; 0 bytes a second, or none given, is no limit.
 *
 * Bytes wait in a ring with a time for each read. A ring that is full is not read for, as a full
 * line would do: it holds what a second carries at 100 Mbit/s. What is read is acknowledged at
 * once: a peer whose TCP waits for that before it sends more (RFC 896) would otherwise wait for our
 * kernel's delayed acknowledgements, 40 ms, which are no part of the line.
 */
#define _DEFAULT_SOURCE /* TCP_QUICKACK */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define RING_SIZE       (12u * 1024 * 1024)
#define CHUNKS_MAX      65536u
#define SEGMENT_SIZE    1460u /* what a limited line takes at a time */
#define SECOND_NS       UINT64_C(1000000000)

/* Bytes that were read together. */
struct chunk {
    uint64_t due_ns;
    uint32_t size; /* 0: the end */
};

/* One way of a connection. Chunks and bytes are rings: `first` counts what left, `next` what came;
 * neither ever wraps. */
struct way {
    int from, to;
    uint8_t *bytes;
    struct chunk *chunks;
    uint64_t byte_first, byte_next;
    uint64_t chunk_first, chunk_next;
    uint64_t line_free_ns; /* when the line has taken what came so far */
    bool read_ended, blocked;
};

struct connection {
    bool used;
    struct way ways[2];
};

static struct connection connections[CONNECTIONS_MAX];
static uint64_t delay_ns, bytes_per_second;
static uint16_t target_port;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/// Connections ///

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static void make_quick(int fd)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        die("delay_proxy: socket");
    }
}

static void open_way(struct way *way, int from, int to)
{
    *way = (struct way){.from = from, .to = to};
    way->bytes = malloc(RING_SIZE);
    way->chunks = malloc(CHUNKS_MAX * sizeof *way->chunks);
    if (way->bytes == NULL || way->chunks == NULL) {
        die("delay_proxy: memory");
    }
}

static struct connection *free_connection(void)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!connections[i].used) {
            return &connections[i];
        }
    }
    return NULL;
}

static void accept_connection(int listener)
{
    int near = accept(listener, NULL, NULL);
    int far = near < 0 ? -1 : socket(AF_INET, SOCK_STREAM, 0);
    if (near < 0) {
        return;
    }
    struct sockaddr_in to = loopback(target_port);
    struct connection *connection = free_connection();
    if (far < 0 || far >= FD_SETSIZE || connection == NULL ||
        connect(far, (struct sockaddr *)&to, sizeof to) != 0) {
        close(near);
        if (far >= 0) {
            close(far);
        }
        return;
    }
    make_quick(near);
    make_quick(far);
    connection->used = true;
    open_way(&connection->ways[0], near, far);
    open_way(&connection->ways[1], far, near);
}

static void end_connection(struct connection *connection)
{
    close(connection->ways[0].from);
    close(connection->ways[1].from);
    for (int i = 0; i < 2; i++) {
        free(connection->ways[i].bytes);
        free(connection->ways[i].chunks);
    }
    connection->used = false;
}

/// Bytes ///

static void add_chunk(struct way *way, uint32_t size, uint64_t now)
{
    uint64_t start = way->line_free_ns > now ? way->line_free_ns : now;
    uint64_t wire_ns = bytes_per_second > 0 ? size * SECOND_NS / bytes_per_second : 0;
    way->line_free_ns = start + wire_ns;
    way->chunks[way->chunk_next++ % CHUNKS_MAX] =
        (struct chunk){.due_ns = way->line_free_ns + delay_ns, .size = size};
    way->byte_next += size;
}

/* Room for the next read, in one piece. */
static size_t read_room(const struct way *way)
{
    uint64_t at = way->byte_next % RING_SIZE;
    uint64_t room = RING_SIZE - (way->byte_next - way->byte_first);
    room = room < RING_SIZE - at ? room : RING_SIZE - at;
    return bytes_per_second > 0 && room > SEGMENT_SIZE ? SEGMENT_SIZE : room;
}

static bool wants_read(const struct way *way)
{
    return !way->read_ended && read_room(way) > 0 &&
           way->chunk_next - way->chunk_first < CHUNKS_MAX;
}

static void read_way(struct way *way)
{
    if (!wants_read(way)) {
        return;
    }
    ssize_t got = recv(way->from, way->bytes + way->byte_next % RING_SIZE, read_room(way), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    int on = 1;
    (void)setsockopt(way->from, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    way->read_ended = got <= 0;
    add_chunk(way, got > 0 ? (uint32_t)got : 0, now_ns());
}

/* Bytes that are due, in one piece; `*end` if the end is due behind them. */
static size_t due_bytes(const struct way *way, uint64_t now, bool *end)
{
    size_t size = 0;
    *end = false;
    for (uint64_t i = way->chunk_first; i < way->chunk_next; i++) {
        const struct chunk *chunk = &way->chunks[i % CHUNKS_MAX];
        if (chunk->due_ns > now) {
            break;
        }
        *end = chunk->size == 0;
        size += chunk->size;
    }
    size_t piece = RING_SIZE - way->byte_first % RING_SIZE;
    return size < piece ? size : piece;
}

static void forget_bytes(struct way *way, size_t size)
{
    way->byte_first += size;
    while (size > 0) {
        struct chunk *chunk = &way->chunks[way->chunk_first % CHUNKS_MAX];
        size_t part = chunk->size < size ? chunk->size : size;
        chunk->size -= (uint32_t)part;
        size -= part;
        way->chunk_first += chunk->size == 0;
    }
}

/* Writes what is due. False: the connection is over in both directions. */
static bool write_way(struct way *way)
{
    bool end;
    size_t size = due_bytes(way, now_ns(), &end);
    if (size > 0) {
        ssize_t sent = send(way->to, way->bytes + way->byte_first % RING_SIZE, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        way->blocked = sent < (ssize_t)size;
        forget_bytes(way, sent > 0 ? (size_t)sent : 0);
    } else if (end) {
        way->chunk_first = way->chunk_next;
        shutdown(way->to, SHUT_WR);
    }
    return true;
}

static bool is_over(const struct connection *connection)
{
    bool over = true;
    for (int i = 0; i < 2; i++) {
        const struct way *way = &connection->ways[i];
        over &= way->read_ended && way->chunk_first == way->chunk_next;
    }
    return over;
}

/// The loop ///

struct waiting {
    fd_set in, out;
    int fd_max;
    uint64_t due_ns;
};

static void wait_for_way(struct waiting *waiting, const struct way *way)
{
    if (wants_read(way)) {
        FD_SET(way->from, &waiting->in);
    }
    if (way->blocked) {
        FD_SET(way->to, &waiting->out);
    } else if (way->chunk_first < way->chunk_next) {
        uint64_t due = way->chunks[way->chunk_first % CHUNKS_MAX].due_ns;
        waiting->due_ns = due < waiting->due_ns ? due : waiting->due_ns;
    }
    int higher = way->from > way->to ? way->from : way->to;
    waiting->fd_max = higher > waiting->fd_max ? higher : waiting->fd_max;
}

/* Waits until something can move. False: standard input has ended. */
static bool wait_for_bytes(struct waiting *waiting, int listener)
{
    *waiting = (struct waiting){.fd_max = listener, .due_ns = UINT64_MAX};
    FD_SET(STDIN_FILENO, &waiting->in);
    FD_SET(listener, &waiting->in);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        for (int way = 0; connections[i].used && way < 2; way++) {
            wait_for_way(waiting, &connections[i].ways[way]);
        }
    }
    uint64_t now = now_ns();
    uint64_t wait_ns = waiting->due_ns > now ? waiting->due_ns - now : 0;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / SECOND_NS),
                            .tv_nsec = (long)(wait_ns % SECOND_NS)};
    bool forever = waiting->due_ns == UINT64_MAX;
    if (pselect(waiting->fd_max + 1, &waiting->in, &waiting->out, NULL, forever ? NULL : &wait,
                NULL) < 0) {
        FD_ZERO(&waiting->in);
        FD_ZERO(&waiting->out);
    }
    char byte;
    return !FD_ISSET(STDIN_FILENO, &waiting->in) || read(STDIN_FILENO, &byte, 1) > 0;
}

static void serve(struct connection *connection, const struct waiting *waiting)
{
    bool alive = true;
    for (int i = 0; i < 2; i++) {
        struct way *way = &connection->ways[i];
        if (FD_ISSET(way->from, &waiting->in)) {
            read_way(way);
        }
        way->blocked = way->blocked && !FD_ISSET(way->to, &waiting->out);
        alive = alive && (way->blocked || write_way(way));
    }
    if (!alive || is_over(connection)) {
        end_connection(connection);
    }
}

static int listen_on_loopback(void)
{
    struct sockaddr_in in = loopback(0);
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&in, &size) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        die("delay_proxy: listen");
    }
    printf("%u\n", (unsigned)ntohs(in.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s PORT DELAY_US [BYTES_PER_SECOND]\n", argv[0]);
        return 2;
    }
    target_port = (uint16_t)strtoul(argv[1], NULL, 10);
    delay_ns = strtoull(argv[2], NULL, 10) * 1000;
    bytes_per_second = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    int listener = listen_on_loopback();
    struct waiting waiting;
    while (wait_for_bytes(&waiting, listener)) {
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            if (connections[i].used) {
                serve(&connections[i], &waiting);
            }
        }
        if (FD_ISSET(listener, &waiting.in)) {
            accept_connection(listener);
        }
    }
    return 0;
}
