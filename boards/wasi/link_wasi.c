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
#include <wasi/wasip2.h>

#include "libc/lend.h"
#include "tls_name.h"
#include "wait.h"

#define ATTEMPT_TIMEOUT_MS 5000
#define CONNECT_TIMEOUT_MS 60000
#define LINGER_READS_MAX   16 /* reads of what is left before a close */
#define READ_MAX           INT16_MAX

/// Handles ///

static tcp_borrow_tcp_socket_t socket_of(const struct dun_link_wasi *wasi)
{
    return tcp_borrow_tcp_socket((tcp_own_tcp_socket_t){wasi->socket});
}

static streams_borrow_input_stream_t input_of(const struct dun_link_wasi *wasi)
{
    return streams_borrow_input_stream((streams_own_input_stream_t){wasi->input});
}

static streams_borrow_output_stream_t output_of(const struct dun_link_wasi *wasi)
{
    return streams_borrow_output_stream((streams_own_output_stream_t){wasi->output});
}

static int error_of(network_error_code_t error)
{
    switch (error) {
    case NETWORK_ERROR_CODE_ACCESS_DENIED:
    case NETWORK_ERROR_CODE_PERMANENT_RESOLVER_FAILURE: /* wasmtime's word for a forbidden look-up
                                                         */
        return DUN_E_REFUSED;
    case NETWORK_ERROR_CODE_NAME_UNRESOLVABLE:
        return DUN_E_NOT_FOUND;
    case NETWORK_ERROR_CODE_TIMEOUT:
        return DUN_E_TIMEOUT;
    default:
        return DUN_E_UNREACHABLE;
    }
}

/* A stream that failed tells why in words that are of no use to us. */
static int dead(streams_stream_error_t error)
{
    if (error.tag == STREAMS_STREAM_ERROR_LAST_OPERATION_FAILED) {
        io_error_error_drop_own(error.val.last_operation_failed);
    }
    return DUN_E_CLOSED;
}

/// Names ///

static void take(struct dun_link_wasi *wasi, const network_ip_address_t *from)
{
    struct dun_link_wasi_address *to = &wasi->addresses[wasi->count++];
    if (from->tag == NETWORK_IP_ADDRESS_IPV4) {
        const network_ipv4_address_t *ip = &from->val.ipv4;
        *to = (struct dun_link_wasi_address){4, {ip->f0, ip->f1, ip->f2, ip->f3}};
        return;
    }
    const network_ipv6_address_t *ip = &from->val.ipv6;
    const uint16_t words[] = {ip->f0, ip->f1, ip->f2, ip->f3, ip->f4, ip->f5, ip->f6, ip->f7};
    to->size = 16;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        to->bytes[2 * i] = (uint8_t)(words[i] >> 8);
        to->bytes[2 * i + 1] = (uint8_t)(words[i] & 0xFF);
    }
}

static int ask(const char *host, ip_name_lookup_own_resolve_address_stream_t *names)
{
    wasip2_string_t name = {(uint8_t *)(uintptr_t)host, strlen(host)};
    network_error_code_t error;
    network_own_network_t network = instance_network_instance_network();
    bool started =
        ip_name_lookup_resolve_addresses(network_borrow_network(network), &name, names, &error);
    network_network_drop_own(network);
    return started ? DUN_OK : error_of(error);
}

static void stop_asking(struct dun_link_wasi *wasi)
{
    ip_name_lookup_resolve_address_stream_drop_own(
        (ip_name_lookup_own_resolve_address_stream_t){wasi->names});
    wasi->state = DUN_LINK_WASI_CLOSED;
}

/* 1: the addresses are there, 0: not yet. */
static int resolving(struct dun_link_wasi *wasi)
{
    ip_name_lookup_own_resolve_address_stream_t names = {wasi->names};
    ip_name_lookup_option_ip_address_t next = {.is_some = true};
    network_error_code_t error;
    while (next.is_some) {
        if (!ip_name_lookup_method_resolve_address_stream_resolve_next_address(
                ip_name_lookup_borrow_resolve_address_stream(names), &next, &error)) {
            return error == NETWORK_ERROR_CODE_WOULD_BLOCK ? 0 : error_of(error);
        }
        if (next.is_some && wasi->count < DUN_LINK_WASI_ADDRESSES_MAX) {
            take(wasi, &next.val);
        }
    }
    return wasi->count > 0 ? 1 : DUN_E_NOT_FOUND;
}

/// Connecting ///

static network_ip_socket_address_t to_address(const struct dun_link_wasi_address *from,
                                              uint16_t port)
{
    network_ip_socket_address_t to = {.tag = NETWORK_IP_SOCKET_ADDRESS_IPV4};
    const uint8_t *bytes = from->bytes;
    if (from->size == 4) {
        to.val.ipv4.port = port;
        to.val.ipv4.address = (network_ipv4_address_t){bytes[0], bytes[1], bytes[2], bytes[3]};
        return to;
    }
    uint16_t words[8];
    for (size_t i = 0; i < 8; i++) {
        words[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    }
    to = (network_ip_socket_address_t){.tag = NETWORK_IP_SOCKET_ADDRESS_IPV6};
    to.val.ipv6.port = port;
    to.val.ipv6.address = (network_ipv6_address_t){words[0], words[1], words[2], words[3],
                                                   words[4], words[5], words[6], words[7]};
    return to;
}

static void drop_socket(const struct dun_link_wasi *wasi)
{
    tcp_tcp_socket_drop_own((tcp_own_tcp_socket_t){wasi->socket});
}

/* Starts on one address. 0: under way, negative: this one fails. */
static int try_address(struct dun_link_wasi *wasi, const struct dun_link_wasi_address *address)
{
    tcp_own_tcp_socket_t made;
    network_error_code_t error;
    network_ip_socket_address_t to = to_address(address, wasi->port);
    if (!tcp_create_socket_create_tcp_socket(address->size == 4 ? NETWORK_IP_ADDRESS_FAMILY_IPV4
                                                                : NETWORK_IP_ADDRESS_FAMILY_IPV6,
                                             &made, &error)) {
        return error_of(error);
    }
    wasi->socket = made.__handle;
    network_own_network_t network = instance_network_instance_network();
    bool started = tcp_method_tcp_socket_start_connect(
        socket_of(wasi), network_borrow_network(network), &to, &error);
    network_network_drop_own(network);
    if (!started) {
        drop_socket(wasi);
        return error_of(error);
    }
    return 0;
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
    tcp_tuple2_own_input_stream_own_output_stream_t streams;
    network_error_code_t error;
    if (tcp_method_tcp_socket_finish_connect(socket_of(wasi), &streams, &error)) {
        wasi->input = streams.f0.__handle;
        wasi->output = streams.f1.__handle;
        wasi->state = DUN_LINK_WASI_OPEN;
        return 1;
    }
    bool waits = error == NETWORK_ERROR_CODE_WOULD_BLOCK;
    if (waits && now < wasi->attempt_deadline) {
        return 0;
    }
    drop_socket(wasi);
    return try_next(wasi, waits ? DUN_E_TIMEOUT : error_of(error), now);
}

/// The table ///

/* Bytes read, 0: none now. */
static int read_some(struct dun_link_wasi *wasi, void *data, size_t size)
{
    wasip2_list_u8_t got;
    streams_stream_error_t error;
    dun_lend(data, size);
    bool well = streams_method_input_stream_read(input_of(wasi), size, &got, &error);
    dun_lend(NULL, 0);
    return well ? (int)got.len : dead(error);
}

/* With unread bytes in the socket a close becomes a reset, which may overtake what was just
 * written: a DISCONNECT lost this way publishes the will. */
static void hang_up(struct dun_link_wasi *wasi)
{
    uint8_t rest[256];
    network_error_code_t ignored;
    (void)tcp_method_tcp_socket_shutdown(socket_of(wasi), TCP_SHUTDOWN_TYPE_SEND, &ignored);
    for (int i = 0; i < LINGER_READS_MAX && read_some(wasi, rest, sizeof rest) > 0; i++) {
    }
    streams_input_stream_drop_own((streams_own_input_stream_t){wasi->input});
    streams_output_stream_drop_own((streams_own_output_stream_t){wasi->output});
    drop_socket(wasi);
}

static void tcp_close(void *context)
{
    struct dun_link_wasi *wasi = context;
    switch (wasi->state) {
    case DUN_LINK_WASI_RESOLVING:
        stop_asking(wasi);
        break;
    case DUN_LINK_WASI_CONNECTING:
        drop_socket(wasi);
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
    ip_name_lookup_own_resolve_address_stream_t names;
    int error = host[0] != '\0' ? ask(host, &names) : DUN_E_INVALID;
    if (error == DUN_OK) {
        wasi->names = names.__handle;
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
    streams_stream_error_t error;
    uint64_t room;
    if (wasi->state != DUN_LINK_WASI_OPEN) {
        return DUN_E_CLOSED;
    }
    if (!streams_method_output_stream_check_write(output_of(wasi), &room, &error)) {
        return dead(error);
    }
    wasip2_list_u8_t bytes = {(uint8_t *)(uintptr_t)data, size < READ_MAX ? size : READ_MAX};
    bytes.len = room < bytes.len ? (size_t)room : bytes.len;
    wasi->blocked = bytes.len < size;
    if (bytes.len > 0 && !streams_method_output_stream_write(output_of(wasi), &bytes, &error)) {
        return dead(error);
    }
    return (int)bytes.len;
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
        ip_name_lookup_own_resolve_address_stream_t names = {wasi->names};
        out[count++] = ip_name_lookup_method_resolve_address_stream_subscribe(
                           ip_name_lookup_borrow_resolve_address_stream(names))
                           .__handle;
    } else if (wasi->state == DUN_LINK_WASI_CONNECTING) {
        out[count++] = tcp_method_tcp_socket_subscribe(socket_of(wasi)).__handle;
    } else if (wasi->state == DUN_LINK_WASI_OPEN) {
        if (reads) {
            out[count++] = streams_method_input_stream_subscribe(input_of(wasi)).__handle;
        }
        if (writes || wasi->blocked) {
            out[count++] = streams_method_output_stream_subscribe(output_of(wasi)).__handle;
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
        poll_pollable_drop_own((poll_own_pollable_t){pollables[i]});
    }
}

/// Rights ///

int dun_link_wasi_may_connect(void)
{
    tcp_own_tcp_socket_t made;
    network_error_code_t error;
    if (!tcp_create_socket_create_tcp_socket(NETWORK_IP_ADDRESS_FAMILY_IPV4, &made, &error)) {
        return error_of(error) == DUN_E_REFUSED ? DUN_E_REFUSED : DUN_OK;
    }
    tcp_tcp_socket_drop_own(made);
    return DUN_OK;
}

int dun_link_wasi_may_resolve(const char *host)
{
    uint8_t bytes[16];
    ip_name_lookup_own_resolve_address_stream_t names;
    int error =
        host[0] == '\0' || dun_tls_address(host, bytes) > 0 ? DUN_E_INVALID : ask(host, &names);
    if (error == DUN_OK) {
        ip_name_lookup_resolve_address_stream_drop_own(names);
    }
    return error == DUN_E_REFUSED ? DUN_E_REFUSED : DUN_OK;
}
