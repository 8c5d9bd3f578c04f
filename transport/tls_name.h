/*
 * tls_name.h: whether a certificate's name is the host's (RFC 9525). It knows no TLS library, no
 * resolver and no list of public suffixes.
 */
#ifndef DUN_TLS_NAME_H
#define DUN_TLS_NAME_H

#include "base.h"

/*
 * True if `name`, of a certificate, is `host`: ASCII, whatever the case; a final dot of the host
 * does not count. A "*" stands for one whole first label and needs two labels behind it: "*.a.org"
 * is b.a.org, but neither a.org nor c.b.a.org, and "*.org" is nothing.
 */
bool dun_tls_name_matches(struct dun_span name, const char *host);

/* The bytes of a host that is a numeric address: 4 (IPv4), 16 (IPv6; a zone does not count), or 0
 * if it is a name. */
size_t dun_tls_address(const char *host, uint8_t out[16]);

#endif
