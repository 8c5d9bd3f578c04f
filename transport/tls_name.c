/* tls_name.c: see tls_name.h. Bytes of a certificate are hostile: a NUL or a control byte in a name
 * is a byte like any other, and equals nothing that a host can hold. */
#include "tls_name.h"

#include <string.h>

#define GROUPS 8 /* of an IPv6 address, RFC 4291 2.2 */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool same(const uint8_t *name, const char *host, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (lower(name[i]) != lower((uint8_t)host[i])) {
            return false;
        }
    }
    return true;
}

/* True if what follows the "*" has at least two labels, none of them empty. */
static bool wide_enough(const uint8_t *rest, size_t size)
{
    size_t dots = 0;
    for (size_t i = 0; i < size; i++) {
        bool dot = rest[i] == '.';
        if (dot && (i + 1 == size || rest[i + 1] == '.')) {
            return false;
        }
        dots += dot ? 1 : 0;
    }
    return dots >= 2; /* the one behind the "*" is the first */
}

bool dun_tls_name_matches(struct dun_span name, const char *host)
{
    size_t size = strlen(host);
    if (size > 0 && host[size - 1] == '.') {
        size--;
    }
    if (size == 0 || name.size == 0) {
        return false;
    }
    if (name.size < 2 || name.data[0] != '*' || name.data[1] != '.') {
        return name.size == size && same(name.data, host, size);
    }
    const uint8_t *rest = name.data + 1;
    size_t rest_size = name.size - 1;
    size_t label = strcspn(host, ".");
    return label > 0 && label < size && size - label == rest_size && wide_enough(rest, rest_size) &&
           same(rest, host + label, rest_size);
}

/// Addresses ///

/* Four decimal numbers without leading zeros. Returns what follows them, NULL: none. */
static const char *take_ipv4(const char *at, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        unsigned number = 0;
        size_t digits = 0;
        for (; *at >= '0' && *at <= '9' && digits < 4; at++, digits++) {
            number = number * 10 + (unsigned)(*at - '0');
        }
        bool zero_led = digits > 1 && at[-(ptrdiff_t)digits] == '0';
        if (digits == 0 || number > UINT8_MAX || zero_led || (i < 3 && *at++ != '.')) {
            return NULL;
        }
        out[i] = (uint8_t)number;
    }
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int letter = lower((uint8_t)c);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Groups up to a "::", or to the end. Returns how many bytes, and moves `*at` behind them;
 * negative: no address. */
static int take_groups(const char **at, uint8_t *out, int room)
{
    int used = 0;
    while (hex_digit(**at) >= 0 && used < room) {
        const char *end = used + 4 <= room ? take_ipv4(*at, out + used) : NULL;
        if (end != NULL && (*end == '\0' || *end == '%')) {
            *at = end;
            return used + 4;
        }
        unsigned group = 0;
        size_t digits = 0;
        for (; hex_digit(**at) >= 0 && digits < 5; ++*at, digits++) {
            group = group * 16 + (unsigned)hex_digit(**at);
        }
        if (digits > 4) {
            return -1;
        }
        out[used++] = (uint8_t)(group >> 8);
        out[used++] = (uint8_t)group;
        if (**at != ':' || (*at)[1] == ':') {
            return used;
        }
        ++*at;
        if (hex_digit(**at) < 0) {
            return -1;
        }
    }
    return used;
}

static bool take_ipv6(const char *at, uint8_t out[2 * GROUPS])
{
    uint8_t tail[2 * GROUPS];
    memset(out, 0, 2 * GROUPS);
    int head_size = take_groups(&at, out, 2 * GROUPS);
    int tail_size = 0;
    bool gap = head_size >= 0 && at[0] == ':' && at[1] == ':';
    if (gap) {
        at += 2;
        /* "::" stands for one group at least. */
        tail_size = take_groups(&at, tail, 2 * GROUPS - 2 - head_size);
    }
    bool whole = gap ? head_size + tail_size <= 2 * GROUPS - 2 : head_size == 2 * GROUPS;
    if (head_size < 0 || tail_size < 0 || !whole || (*at != '\0' && *at != '%')) {
        return false;
    }
    memcpy(out + 2 * GROUPS - tail_size, tail, (size_t)tail_size);
    return true;
}

size_t dun_tls_address(const char *host, uint8_t out[16])
{
    const char *end = take_ipv4(host, out);
    if (end != NULL && *end == '\0') {
        return 4;
    }
    return strchr(host, ':') != NULL && take_ipv6(host, out) ? 16 : 0;
}
