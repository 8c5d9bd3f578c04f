/*
 * tls_verify.h: what this client asks of a broker's certificates beyond what Mbed TLS asks: the
 * host's name or address, and dates judged by a clock that may not be set. It is the library's
 * verify callback and leaves no way to turn it off.
 *
 * Mbed TLS 2.28 compares names but knows no addresses, accepts "*.org", and reads the system's
 * clock by itself; its verdicts on name and dates are therefore replaced, all others stay.
 */
#ifndef DUN_TLS_VERIFY_H
#define DUN_TLS_VERIFY_H

#include <mbedtls/x509_crt.h>

#include "tls_config.h"

struct dun_tls_verdict {
    const char *host; /* borrowed */
    dun_ms unix_ms;   /* what the clock says */
    dun_ms earliest_unix_ms;
    uint8_t unset_clock; /* enum dun_tls_unset_clock */
    bool seen;           /* the host's own certificate was judged */
    uint32_t flags;      /* MBEDTLS_X509_BADCERT_... of the whole chain */
    dun_ms good_from_ms; /* the chain is valid from ... */
    dun_ms good_until_ms;
};

/* Before a handshake. */
void dun_tls_verdict_begin(struct dun_tls_verdict *verdict, const char *host, dun_ms unix_ms,
                           dun_ms earliest_unix_ms, uint8_t unset_clock);

/* For mbedtls_ssl_conf_verify, `context` is a struct dun_tls_verdict. Always 0: the flags tell. */
int dun_tls_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

/* True if the certificate is meant for this host: by subject alternative name where it has any, by
 * common name only where it has none and the host is no address. */
bool dun_tls_is_for(const mbedtls_x509_crt *certificate, const char *host);

/* The enum dun_tls_trouble that flags stand for; the most telling one if there are several. */
enum dun_tls_trouble dun_tls_verdict_trouble(const struct dun_tls_verdict *verdict, uint32_t flags);

#endif
