/*
 * tls_mbedtls.h: TLS 1.2 by Mbed TLS 2.28 as a struct dun_link around any other one. Certificates
 * or a pre-shared key; the host is verified always. No file, no clock, no socket of its own.
 *
 * The library takes memory from the heap: about 40 KB from the moment that the link below is open
 * until close, and what a session to be resumed needs (about 2 KB) until the next one.
 */
#ifndef DUN_TLS_MBEDTLS_H
#define DUN_TLS_MBEDTLS_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>

#include "link.h"
#include "tls_verify.h"

#define DUN_TLS_HOST_MAX 253 /* bytes of a name, RFC 1035 2.3.4 */

/* Raw bytes that are read from the link below at a time, so that a record costs no two calls. */
#ifndef DUN_TLS_RAW_SIZE
#define DUN_TLS_RAW_SIZE 1024
#endif

/* What to connect with. All of it stays untouched until it is asked for again, or `close`. */
struct dun_tls_credentials {
    mbedtls_x509_crt *authorities; /* NULL only with a PSK */
    mbedtls_x509_crt *certificate; /* of the client with its chain; NULL: none */
    mbedtls_pk_context *key;
    const char *psk_identity; /* NULL: certificates */
    struct dun_span psk;
    const char *alpn;        /* NULL: none */
    uint32_t generation;     /* another number ends the sessions of the one before */
    uint16_t fragment_max;   /* 512, 1024, 2048, 4096: asked of the peer (RFC 6066 4); 0: 16384 */
    dun_ms unix_ms;          /* what the clock says */
    dun_ms earliest_unix_ms; /* as in struct dun_tls_config, and so is this: */
    uint8_t unset_clock;
};

/* What the link needs of its board. */
struct dun_tls_ports {
    void *context;
    /* Fills `out` for the connection that begins: 0, or an error that ends it. Must not block. */
    int (*credentials)(void *context, struct dun_tls_credentials *out);
    /* Fills `out` with random bytes fit for keys: 0 or a negative error. */
    int (*entropy)(void *context, uint8_t *out, size_t size);
};

enum dun_tls_mbedtls_state {
    DUN_TLS_MBEDTLS_CLOSED = 0,
    DUN_TLS_MBEDTLS_CONNECTING, /* the link below */
    DUN_TLS_MBEDTLS_HANDSHAKE,
    DUN_TLS_MBEDTLS_OPEN,
    DUN_TLS_MBEDTLS_BROKEN, /* waits for close */
};

/* A session that may be resumed with the host and the credentials that it was made with. */
struct dun_tls_kept {
    mbedtls_ssl_session session;
    bool there;
    uint16_t port;
    uint32_t generation;
    dun_ms good_until_ms;
    dun_ms good_from_ms;
    char host[DUN_TLS_HOST_MAX + 1];
};

struct dun_tls_mbedtls {
    const struct dun_link *below;
    struct dun_tls_ports ports;
    struct dun_tls_credentials credentials;
    struct dun_tls_verdict verdict;
    struct dun_tls_report report;
    struct dun_tls_kept kept;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config settings;
    mbedtls_ssl_context ssl;
    const char *alpn[2];
    char host[DUN_TLS_HOST_MAX + 1];
    dun_ms timeout_ms, deadline;
    int below_error;    /* of the link below, once it is dead */
    uint32_t raw_total; /* bytes that came, saturating */
    uint16_t port;
    uint16_t raw_start, raw_end; /* what of `raw` the library has not taken yet */
    uint8_t raw[DUN_TLS_RAW_SIZE];
    uint8_t state;     /* enum dun_tls_mbedtls_state */
    uint8_t reads;     /* of the link below that this call may still make */
    bool seeded, made; /* `random`; `ssl` and `settings` */
    bool more;         /* a call stopped before there was nothing more to do */
    bool resuming;     /* the kept session was offered */
    bool alien;        /* the first bytes that came are no TLS */
};

/*
 * Fills `link`. `timeout_ms` bounds open until ready, 0: 60 s. Errors of ready, beside those of
 * `below`: DUN_E_TLS..., DUN_E_REFUSED (the peer's alert), DUN_E_TIMEOUT, DUN_E_FULL (no memory),
 * what `credentials` gave. dun_tls_mbedtls_report tells more. A handshake takes some milliseconds
 * of a PC's time, some seconds of a Cortex-M's, in a few calls of ready.
 */
void dun_tls_mbedtls_init(struct dun_tls_mbedtls *tls, const struct dun_link *below,
                          const struct dun_tls_ports *ports, dun_ms timeout_ms,
                          struct dun_link *link);

/* Valid until the next open. */
const struct dun_tls_report *dun_tls_mbedtls_report(const struct dun_tls_mbedtls *tls);

/* Gives back what is held from the heap, the session to be resumed too. Closes. */
void dun_tls_mbedtls_free(struct dun_tls_mbedtls *tls);

#endif
