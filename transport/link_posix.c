/*
 * link_posix.c: a non-blocking TCP socket as a link. It knows no MQTT, never blocks and never
 * raises SIGPIPE. A peer that is silently gone is for the keepalive above to find.
 *
 * Addresses are tried in the order the resolver gave (RFC 6724); one that does not answer within
 * its time-out gives way to the next, and the last one has the rest of the time.
 */
#define _POSIX_C_SOURCE 200809L

#include "link_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTEMPT_TIMEOUT_MS 5000
#define CONNECT_TIMEOUT_MS 60000
#define RESOLVE_POLL_MS    20
#define LINGER_READS_MAX   16 /* reads of what is left before a close */

/// Connecting ///

static socklen_t to_sockaddr(const struct dun_address *from, uint16_t port,
                             struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (from->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, from->bytes, sizeof in->sin_addr);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_scope_id = from->scope;
    memcpy(&in6->sin6_addr, from->bytes, sizeof in6->sin6_addr);
    return sizeof *in6;
}

static void drop_socket(struct dun_link_posix *posix)
{
    if (posix->fd >= 0) {
        close(posix->fd);
        posix->fd = -1;
    }
}

/* A socket that does not block, does not wait to fill segments and is not inherited by exec. */
static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, IPPROTO_TCP);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (ioctl(fd, FIONBIO, &on) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Starts on one address. 1: connected at once, 0: under way, negative: this one fails. */
static int try_address(struct dun_link_posix *posix, const struct dun_address *address)
{
    struct sockaddr_storage to;
    socklen_t size = to_sockaddr(address, posix->port, &to);
    posix->fd = make_socket(address->family);
    if (posix->fd < 0) {
        return errno == EAFNOSUPPORT ? DUN_E_UNREACHABLE : DUN_E_IO;
    }
    if (connect(posix->fd, (const struct sockaddr *)&to, size) == 0) {
        return 1;
    }
    if (errno == EINPROGRESS || errno == EINTR) {
        return 0;
    }
    drop_socket(posix);
    return DUN_E_UNREACHABLE;
}

/* Goes through the addresses from `next` on; `error` is that of the last one tried. */
static int try_next(struct dun_link_posix *posix, int error, dun_ms now)
{
    drop_socket(posix);
    while (posix->next < posix->resolve.count) {
        int result = try_address(posix, &posix->resolve.addresses[posix->next++]);
        if (result >= 0) {
            bool last = posix->next == posix->resolve.count;
            posix->attempt_deadline = last ? DUN_MS_NEVER : now + posix->attempt_timeout_ms;
            posix->state = result > 0 ? DUN_LINK_POSIX_OPEN : DUN_LINK_POSIX_CONNECTING;
            return result;
        }
        error = result;
    }
    return error;
}

static int connecting(struct dun_link_posix *posix, dun_ms now)
{
    struct pollfd wait = {.fd = posix->fd, .events = POLLOUT};
    if (poll(&wait, 1, 0) <= 0) {
        return now >= posix->attempt_deadline ? try_next(posix, DUN_E_TIMEOUT, now) : 0;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(posix->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return try_next(posix, error == ETIMEDOUT ? DUN_E_TIMEOUT : DUN_E_UNREACHABLE, now);
    }
    posix->state = DUN_LINK_POSIX_OPEN;
    return 1;
}

/* A resolver without a descriptor cannot be waited for. */
static dun_ms ask_again(const struct dun_link_posix *posix, dun_ms now)
{
    return posix->resolve.fd >= 0 ? DUN_MS_NEVER : now + RESOLVE_POLL_MS;
}

static int resolving(struct dun_link_posix *posix, dun_ms now)
{
    int result = dun_resolve_poll(&posix->resolve);
    if (result == 0) {
        posix->attempt_deadline = ask_again(posix, now);
    }
    return result > 0 ? try_next(posix, DUN_E_UNREACHABLE, now) : result;
}

/// The table ///

static void tcp_close(void *context)
{
    struct dun_link_posix *posix = context;
    uint8_t rest[256];
    dun_resolve_stop(&posix->resolve);
    if (posix->state == DUN_LINK_POSIX_OPEN) {
        /* With unread bytes in the socket a close becomes a reset, which may overtake what was
         * just written: a DISCONNECT lost this way publishes the will. */
        (void)shutdown(posix->fd, SHUT_WR);
        for (int i = 0; i < LINGER_READS_MAX && recv(posix->fd, rest, sizeof rest, 0) > 0; i++) {
        }
    }
    drop_socket(posix);
    posix->state = DUN_LINK_POSIX_CLOSED;
}

static int tcp_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct dun_link_posix *posix = context;
    tcp_close(posix);
    posix->port = port;
    posix->next = 0;
    posix->blocked = false;
    posix->drained = false;
    posix->connect_deadline = now + posix->connect_timeout_ms;
    int result = dun_resolve_start(&posix->resolve, host);
    if (result == 0) {
        posix->state = DUN_LINK_POSIX_RESOLVING;
        posix->attempt_deadline = ask_again(posix, now);
        return DUN_OK;
    }
    result = result > 0 ? try_next(posix, DUN_E_UNREACHABLE, now) : result;
    return result < 0 ? result : DUN_OK;
}

static int tcp_ready(void *context, dun_ms now)
{
    struct dun_link_posix *posix = context;
    int result;
    switch (posix->state) {
    case DUN_LINK_POSIX_OPEN:
        return 1;
    case DUN_LINK_POSIX_RESOLVING:
        result = resolving(posix, now);
        break;
    case DUN_LINK_POSIX_CONNECTING:
        result = connecting(posix, now);
        break;
    default:
        return DUN_E_CLOSED;
    }
    if (result == 0 && now >= posix->connect_deadline) {
        result = DUN_E_TIMEOUT;
    }
    if (result < 0) {
        tcp_close(posix);
    }
    return result;
}

static bool is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int dead(int error)
{
    return error == ECONNRESET || error == EPIPE ? DUN_E_CLOSED : DUN_E_IO;
}

/* A read that got less than it asked for has got all there was, so the next call can say so
 * without asking the system. */
static int tcp_read(void *context, void *data, size_t size)
{
    struct dun_link_posix *posix = context;
    if (posix->state != DUN_LINK_POSIX_OPEN) {
        return DUN_E_CLOSED;
    }
    if (posix->drained) {
        posix->drained = false;
        return 0;
    }
    size = size < INT16_MAX ? size : INT16_MAX;
    ssize_t got = recv(posix->fd, data, size, 0);
    if (got > 0) {
        posix->drained = (size_t)got < size;
        return (int)got;
    }
    if (got == 0) {
        return DUN_E_CLOSED;
    }
    return is_later(errno) ? 0 : dead(errno);
}

static int tcp_write(void *context, const void *data, size_t size)
{
    struct dun_link_posix *posix = context;
    if (posix->state != DUN_LINK_POSIX_OPEN) {
        return DUN_E_CLOSED;
    }
    size = size < INT16_MAX ? size : INT16_MAX;
    ssize_t sent = send(posix->fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && !is_later(errno)) {
        return dead(errno);
    }
    posix->blocked = sent < (ssize_t)size;
    return sent < 0 ? 0 : (int)sent;
}

static dun_ms tcp_deadline(void *context)
{
    const struct dun_link_posix *posix = context;
    bool opening =
        posix->state == DUN_LINK_POSIX_RESOLVING || posix->state == DUN_LINK_POSIX_CONNECTING;
    return opening ? dun_ms_earlier(posix->attempt_deadline, posix->connect_deadline)
                   : DUN_MS_NEVER;
}

void dun_link_posix_init(struct dun_link_posix *posix, dun_ms attempt_timeout_ms,
                         dun_ms connect_timeout_ms, struct dun_link *link)
{
    *posix = (struct dun_link_posix){.resolve = {.child = 0, .fd = -1}, .fd = -1};
    posix->attempt_timeout_ms = attempt_timeout_ms > 0 ? attempt_timeout_ms : ATTEMPT_TIMEOUT_MS;
    posix->connect_timeout_ms = connect_timeout_ms > 0 ? connect_timeout_ms : CONNECT_TIMEOUT_MS;
    *link = (struct dun_link){
        .context = posix,
        .open = tcp_open,
        .ready = tcp_ready,
        .read = tcp_read,
        .write = tcp_write,
        .close = tcp_close,
        .deadline = tcp_deadline,
    };
}

int dun_link_posix_fd(const struct dun_link_posix *posix)
{
    return posix->state == DUN_LINK_POSIX_RESOLVING ? posix->resolve.fd : posix->fd;
}

short dun_link_posix_events(const struct dun_link_posix *posix)
{
    switch (posix->state) {
    case DUN_LINK_POSIX_RESOLVING:
        return POLLIN;
    case DUN_LINK_POSIX_CONNECTING:
        return POLLOUT;
    case DUN_LINK_POSIX_OPEN:
        return posix->blocked ? POLLIN | POLLOUT : POLLIN;
    default:
        return 0;
    }
}
