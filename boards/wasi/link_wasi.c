/*
 * link_wasi.c: a TCP socket of wasi:sockets 0.2 as a link. It knows no MQTT and never blocks. A
 * peer that is silently gone is for the keepalive above to find.
 *
 * Addresses are tried in the order in which the runtime gives them; one that does not answer within
 * its time-out gives way to the next, and the last one has the rest of the time. A pollable is made
 * for each wait and dropped behind it, since a stream must outlive its own.
 */
#include "link_wasi.h"

#include <string.h>

#include "libc/lend.h"
#include "libc/wasi.h"
#include "tls_name.h"
#include "wait.h"

#define ATTEMPT_TIMEOUT_MS 5000
#define CONNECT_TIMEOUT_MS 60000
#define LINGER_READS_MAX   16 /* reads of what is left before a close */
#define READ_MAX           INT16_MAX

/// Errors ///

static int error_of(uint8_t error)
{
    switch (error) {
    case WASI_ACCESS_DENIED:
    case WASI_LOOK_UP_FAILED: /* wasmtime's word for a forbidden one */
        return DUN_E_REFUSED;
    case WASI_NO_SUCH_NAME:
        return DUN_E_NOT_FOUND;
    case WASI_TIMEOUT:
        return DUN_E_TIMEOUT;
    default:
        return DUN_E_UNREACHABLE;
    }
}

/* A stream that failed tells why in words that are of no use to us. */
static int dead(const struct wasi_trouble *trouble)
{
    if (!trouble->closed) {
        wasi_drop_error(trouble->why);
    }
    return DUN_E_CLOSED;
}

/// Names ///

static void take(struct dun_link_wasi *wasi, const struct wasi_address *from)
{
    struct dun_link_wasi_address *to = &wasi->addresses[wasi->count++];
    if (from->family == WASI_IPV4) {
        to->size = 4;
        memcpy(to->bytes, from->ipv4, 4);
        return;
    }
    to->size = 16;
    for (size_t i = 0; i < 8; i++) {
        to->bytes[2 * i] = (uint8_t)(from->ipv6[i] >> 8);
        to->bytes[2 * i + 1] = (uint8_t)(from->ipv6[i] & 0xFF);
    }
}

static int ask(const char *host, int32_t *names)
{
    struct wasi_made answer;
    int32_t network = wasi_network();
    wasi_look_up(network, host, strlen(host), &answer);
    wasi_drop_network(network);
    *names = answer.handle;
    return answer.failed ? error_of(answer.error) : DUN_OK;
}

static void stop_asking(struct dun_link_wasi *wasi)
{
    wasi_drop_names(wasi->names);
    wasi->state = DUN_LINK_WASI_CLOSED;
}

/* 1: the addresses are there, 0: not yet. */
static int resolving(struct dun_link_wasi *wasi)
{
    struct wasi_address next;
    do {
        wasi_next_address(wasi->names, &next);
        if (next.failed) {
            return next.error == WASI_WOULD_BLOCK ? 0 : error_of(next.error);
        }
        if (next.there && wasi->count < DUN_LINK_WASI_ADDRESSES_MAX) {
            take(wasi, &next);
        }
    } while (next.there);
    return wasi->count > 0 ? 1 : DUN_E_NOT_FOUND;
}

/// Connecting ///

static void start(const struct dun_link_wasi *wasi, const struct dun_link_wasi_address *to,
                  struct wasi_done *done)
{
    const uint8_t *bytes = to->bytes;
    int32_t network = wasi_network();
    if (to->size == 4) {
        wasi_connect(wasi->socket, network, WASI_IPV4, wasi->port, bytes[0], bytes[1], bytes[2],
                     bytes[3], 0, 0, 0, 0, 0, 0, done);
    } else {
        int32_t words[8];
        for (size_t i = 0; i < 8; i++) {
            words[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
        }
        wasi_connect(wasi->socket, network, WASI_IPV6, wasi->port, 0, words[0], words[1], words[2],
                     words[3], words[4], words[5], words[6], words[7], 0, done);
    }
    wasi_drop_network(network);
}

/* Starts on one address. 0: under way, negative: this one fails. */
static int try_address(struct dun_link_wasi *wasi, const struct dun_link_wasi_address *address)
{
    struct wasi_made made;
    struct wasi_done done;
    wasi_socket(address->size == 4 ? WASI_IPV4 : WASI_IPV6, &made);
    if (made.failed) {
        return error_of(made.error);
    }
    wasi->socket = made.handle;
    start(wasi, address, &done);
    if (done.failed) {
        wasi_drop_socket(wasi->socket);
    }
    return done.failed ? error_of(done.error) : 0;
}

/* Goes through the addresses from `next` on; `error` is that of the last one tried. */
static int try_next(struct dun_link_wasi *wasi, int error, dun_ms now)
{
    wasi->state = DUN_LINK_WASI_CLOSED;
    while (wasi->next < wasi->count) {
        error = try_address(wasi, &wasi->addresses[wasi->next++]);
        if (error == 0) {
            bool last = wasi->next == wasi->count;
            wasi->attempt_deadline = last ? DUN_MS_NEVER : now + wasi->attempt_timeout_ms;
            wasi->state = DUN_LINK_WASI_CONNECTING;
            return 0;
        }
    }
    return error;
}

static int connecting(struct dun_link_wasi *wasi, dun_ms now)
{
    struct wasi_connected answer;
    wasi_connected(wasi->socket, &answer);
    if (!answer.failed) {
        wasi->input = answer.input;
        wasi->output = answer.output;
        wasi->state = DUN_LINK_WASI_OPEN;
        return 1;
    }
    bool waits = answer.error == WASI_WOULD_BLOCK;
    if (waits && now < wasi->attempt_deadline) {
        return 0;
    }
    wasi_drop_socket(wasi->socket);
    return try_next(wasi, waits ? DUN_E_TIMEOUT : error_of(answer.error), now);
}

/// The table ///

/* Bytes read, 0: none now. */
static int read_some(struct dun_link_wasi *wasi, void *data, size_t size)
{
    struct wasi_streamed answer;
    dun_lend(data, size);
    wasi_stream_read(wasi->input, size, &answer);
    dun_lend(NULL, 0);
    return answer.failed ? dead(&answer.trouble) : (int)answer.got.size;
}

/* With unread bytes in the socket a close becomes a reset, which may overtake what was just
 * written: a DISCONNECT lost this way publishes the will. */
static void hang_up(struct dun_link_wasi *wasi)
{
    uint8_t rest[256];
    struct wasi_done ignored;
    wasi_shutdown(wasi->socket, WASI_SEND, &ignored);
    for (int i = 0; i < LINGER_READS_MAX && read_some(wasi, rest, sizeof rest) > 0; i++) {
    }
    wasi_drop_input(wasi->input);
    wasi_drop_output(wasi->output);
    wasi_drop_socket(wasi->socket);
}

static void tcp_close(void *context)
{
    struct dun_link_wasi *wasi = context;
    switch (wasi->state) {
    case DUN_LINK_WASI_RESOLVING:
        stop_asking(wasi);
        break;
    case DUN_LINK_WASI_CONNECTING:
        wasi_drop_socket(wasi->socket);
        break;
    case DUN_LINK_WASI_OPEN:
        hang_up(wasi);
        break;
    default:
        break;
    }
    wasi->state = DUN_LINK_WASI_CLOSED;
}

static int tcp_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct dun_link_wasi *wasi = context;
    tcp_close(wasi);
    wasi->port = port;
    wasi->next = 0;
    wasi->blocked = false;
    wasi->drained = false;
    wasi->connect_deadline = now + wasi->connect_timeout_ms;
    wasi->addresses[0].size = (uint8_t)dun_tls_address(host, wasi->addresses[0].bytes);
    wasi->count = wasi->addresses[0].size > 0;
    if (wasi->count > 0) {
        return try_next(wasi, DUN_E_UNREACHABLE, now);
    }
    int error = host[0] != '\0' ? ask(host, &wasi->names) : DUN_E_INVALID;
    if (error == DUN_OK) {
        wasi->state = DUN_LINK_WASI_RESOLVING;
    }
    return error;
}

static int tcp_ready(void *context, dun_ms now)
{
    struct dun_link_wasi *wasi = context;
    int result = DUN_E_CLOSED;
    if (wasi->state == DUN_LINK_WASI_RESOLVING) {
        result = resolving(wasi);
        if (result > 0) {
            stop_asking(wasi);
            result = try_next(wasi, DUN_E_UNREACHABLE, now);
        }
    } else if (wasi->state == DUN_LINK_WASI_CONNECTING) {
        result = connecting(wasi, now);
    } else if (wasi->state == DUN_LINK_WASI_OPEN) {
        result = 1;
    }
    if (result == 0 && now >= wasi->connect_deadline) {
        result = DUN_E_TIMEOUT;
    }
    if (result < 0) {
        tcp_close(wasi);
    }
    return result;
}

/* A read that got less than it asked for has got all there was, so the next call can say so
 * without asking the runtime. */
static int tcp_read(void *context, void *data, size_t size)
{
    struct dun_link_wasi *wasi = context;
    if (wasi->state != DUN_LINK_WASI_OPEN) {
        return DUN_E_CLOSED;
    }
    if (wasi->drained || size == 0) {
        wasi->drained = false;
        return 0;
    }
    size = size < READ_MAX ? size : READ_MAX;
    int got = read_some(wasi, data, size);
    wasi->drained = got > 0 && (size_t)got < size;
    return got;
}

static int tcp_write(void *context, const void *data, size_t size)
{
    struct dun_link_wasi *wasi = context;
    struct wasi_room room;
    struct wasi_streamed answer;
    if (wasi->state != DUN_LINK_WASI_OPEN) {
        return DUN_E_CLOSED;
    }
    wasi_stream_room(wasi->output, &room);
    if (room.failed) {
        return dead(&room.trouble);
    }
    size_t most = size < READ_MAX ? size : READ_MAX;
    most = room.room < most ? (size_t)room.room : most;
    wasi->blocked = most < size;
    if (most > 0) {
        wasi_stream_write(wasi->output, data, most, &answer);
        if (answer.failed) {
            return dead(&answer.trouble);
        }
    }
    return (int)most;
}

static dun_ms tcp_deadline(void *context)
{
    const struct dun_link_wasi *wasi = context;
    switch (wasi->state) {
    case DUN_LINK_WASI_RESOLVING:
        return wasi->connect_deadline;
    case DUN_LINK_WASI_CONNECTING:
        return dun_ms_earlier(wasi->attempt_deadline, wasi->connect_deadline);
    default:
        return DUN_MS_NEVER;
    }
}

void dun_link_wasi_init(struct dun_link_wasi *wasi, dun_ms attempt_timeout_ms,
                        dun_ms connect_timeout_ms, struct dun_link *link)
{
    *wasi = (struct dun_link_wasi){
        .attempt_timeout_ms = attempt_timeout_ms > 0 ? attempt_timeout_ms : ATTEMPT_TIMEOUT_MS,
        .connect_timeout_ms = connect_timeout_ms > 0 ? connect_timeout_ms : CONNECT_TIMEOUT_MS,
    };
    *link = (struct dun_link){
        .context = wasi,
        .open = tcp_open,
        .ready = tcp_ready,
        .read = tcp_read,
        .write = tcp_write,
        .close = tcp_close,
        .deadline = tcp_deadline,
    };
}

/// Waiting ///

/* Fills the pollables of what is waited for; the caller drops them. Returns how many. */
static size_t subscribe(const struct dun_link_wasi *wasi, bool reads, bool writes, int32_t *out)
{
    size_t count = 0;
    if (wasi->state == DUN_LINK_WASI_RESOLVING) {
        out[count++] = wasi_names_ready(wasi->names);
    } else if (wasi->state == DUN_LINK_WASI_CONNECTING) {
        out[count++] = wasi_socket_ready(wasi->socket);
    } else if (wasi->state == DUN_LINK_WASI_OPEN) {
        if (reads) {
            out[count++] = wasi_input_ready(wasi->input);
        }
        if (writes || wasi->blocked) {
            out[count++] = wasi_output_ready(wasi->output);
        }
    }
    return count;
}

void dun_link_wasi_wait(const struct dun_link_wasi *wasi, bool reads, bool writes, dun_ms ms)
{
    int32_t pollables[DUN_WAIT_MAX];
    size_t count = subscribe(wasi, reads, writes, pollables);
    dun_wait(pollables, count, ms);
    for (size_t i = 0; i < count; i++) {
        wasi_drop_pollable(pollables[i]);
    }
}

/// Rights ///

int dun_link_wasi_may_connect(void)
{
    struct wasi_made made;
    wasi_socket(WASI_IPV4, &made);
    if (made.failed) {
        return error_of(made.error) == DUN_E_REFUSED ? DUN_E_REFUSED : DUN_OK;
    }
    wasi_drop_socket(made.handle);
    return DUN_OK;
}

int dun_link_wasi_may_resolve(const char *host)
{
    uint8_t bytes[16];
    int32_t names;
    int error =
        host[0] == '\0' || dun_tls_address(host, bytes) > 0 ? DUN_E_INVALID : ask(host, &names);
    if (error == DUN_OK) {
        wasi_drop_names(names);
    }
    return error == DUN_E_REFUSED ? DUN_E_REFUSED : DUN_OK;
}
