/*
 * resolve_wasi.c: resolve_posix.h over wasi:sockets/ip-name-lookup, which is asked again and again
 * and never waited for. There is no process and no descriptor: `child` is the handle of the
 * answer's stream plus one, and `fd` stays -1.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <wasi/wasip2.h>

#include "resolve_posix.h"

static bool numeric(struct dun_resolve *resolve, const char *host)
{
    struct dun_address *address = &resolve->addresses[0];
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, address->bytes) == 1) {
        address->family = AF_INET;
    } else if (inet_pton(AF_INET6, host, address->bytes) == 1) {
        address->family = AF_INET6;
    } else {
        return false;
    }
    resolve->count = 1;
    return true;
}

static int error_of(ip_name_lookup_error_code_t error)
{
    switch (error) {
    case NETWORK_ERROR_CODE_ACCESS_DENIED:
    case NETWORK_ERROR_CODE_PERMANENT_RESOLVER_FAILURE: /* wasmtime's word for a forbidden look-up
                                                         */
        return DUN_E_REFUSED;
    case NETWORK_ERROR_CODE_NAME_UNRESOLVABLE:
        return DUN_E_NOT_FOUND;
    default:
        return DUN_E_UNREACHABLE;
    }
}

int dun_resolve_start(struct dun_resolve *resolve, const char *host)
{
    *resolve = (struct dun_resolve){.child = 0, .fd = -1};
    if (host == NULL || host[0] == '\0') {
        return DUN_E_INVALID;
    }
    if (numeric(resolve, host)) {
        return 1;
    }
    instance_network_own_network_t network = instance_network_instance_network();
    wasip2_string_t name = {(uint8_t *)host, strlen(host)};
    ip_name_lookup_own_resolve_address_stream_t stream;
    ip_name_lookup_error_code_t error;
    bool started =
        ip_name_lookup_resolve_addresses(network_borrow_network(network), &name, &stream, &error);
    network_network_drop_own(network);
    if (!started) {
        return error_of(error);
    }
    resolve->child = stream.__handle + 1;
    return 0;
}

static void take(struct dun_resolve *resolve, const network_ip_address_t *from)
{
    struct dun_address *to = &resolve->addresses[resolve->count++];
    memset(to, 0, sizeof *to);
    if (from->tag == NETWORK_IP_ADDRESS_IPV4) {
        const network_ipv4_address_t *ip = &from->val.ipv4;
        const uint8_t bytes[] = {ip->f0, ip->f1, ip->f2, ip->f3};
        to->family = AF_INET;
        memcpy(to->bytes, bytes, sizeof bytes);
        return;
    }
    const network_ipv6_address_t *ip = &from->val.ipv6;
    const uint16_t words[] = {ip->f0, ip->f1, ip->f2, ip->f3, ip->f4, ip->f5, ip->f6, ip->f7};
    to->family = AF_INET6;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        to->bytes[2 * i] = (uint8_t)(words[i] >> 8);
        to->bytes[2 * i + 1] = (uint8_t)(words[i] & 0xFF);
    }
}

int dun_resolve_poll(struct dun_resolve *resolve)
{
    ip_name_lookup_own_resolve_address_stream_t stream = {resolve->child - 1};
    ip_name_lookup_option_ip_address_t next;
    ip_name_lookup_error_code_t error;
    while (ip_name_lookup_method_resolve_address_stream_resolve_next_address(
        ip_name_lookup_borrow_resolve_address_stream(stream), &next, &error)) {
        if (next.is_some && resolve->count < DUN_RESOLVE_ADDRESSES_MAX) {
            take(resolve, &next.val);
        }
        if (!next.is_some) {
            dun_resolve_stop(resolve);
            return resolve->count > 0 ? 1 : DUN_E_NOT_FOUND;
        }
    }
    if (error == NETWORK_ERROR_CODE_WOULD_BLOCK) {
        return 0;
    }
    dun_resolve_stop(resolve);
    return error_of(error);
}

void dun_resolve_stop(struct dun_resolve *resolve)
{
    if (resolve->child > 0) {
        ip_name_lookup_own_resolve_address_stream_t stream = {resolve->child - 1};
        ip_name_lookup_resolve_address_stream_drop_own(stream);
        resolve->child = 0;
    }
}
