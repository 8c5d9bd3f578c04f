/*
 * tls_config.h: what a secure connection needs to know, and what went wrong with one, in value
 * types that every TLS takes: the link over Mbed TLS and the uplinks that bring a TLS of their own.
 * It knows no library, no file and no clock. There is no field that turns verification off: the
 * host name is verified always, and the least version is TLS 1.2.
 */
#ifndef DUN_TLS_CONFIG_H
#define DUN_TLS_CONFIG_H

#include "base.h"

#define DUN_TLS_PSK_MAX 64 /* bytes of a pre-shared key, after hex */

/* How certificates are dated while the wall clock is behind `earliest_unix_ms`, which cannot be. */
enum dun_tls_unset_clock {
    DUN_TLS_UNSET_STRICT = 0, /* as if it were `earliest_unix_ms` */
    DUN_TLS_UNSET_GRACE = 1,  /* and one that begins later is taken: only expiry can be known */
};

/* Strings are NUL-terminated; NULL or "" where there is none. All of it is borrowed for as long as
 * the uplink is in use. With a PSK no certificate is looked at, and those fields are empty. */
struct dun_tls_config {
    bool enabled;
    const char *ca_file;          /* PEM. Neither file nor folder: the system's authorities */
    const char *ca_folder;        /* files with names by hash, as `openssl rehash` makes them */
    const char *cert_file;        /* client certificate with its chain, PEM */
    const char *key_file;         /* its key, PEM */
    struct dun_span key_password; /* size 0: not encrypted; a NUL follows it */
    const char *psk_identity;     /* NULL or "": certificates */
    struct dun_span psk;          /* raw bytes, at most DUN_TLS_PSK_MAX */
    const char *alpn;             /* one protocol */
    uint16_t fragment_max;        /* 512, 1024, 2048, 4096: RFC 6066 4; 0: not asked for */
    /* No earlier than this can it be: when the program was built, or the last time a broker's
     * certificate was found good, whichever is later. Milliseconds since 1970. */
    dun_ms earliest_unix_ms;
    uint8_t unset_clock; /* enum dun_tls_unset_clock */
};

/* Why a secure connection did not come up or broke, finer than enum dun_error, for the one who
 * reads the log. */
enum dun_tls_trouble {
    DUN_TLS_NO_TROUBLE = 0,
    DUN_TLS_WRONG_NAME,    /* DUN_E_TLS_NAME */
    DUN_TLS_EXPIRED,       /* DUN_E_TLS_DATE */
    DUN_TLS_NOT_YET_VALID, /* DUN_E_TLS_DATE: the clock is set, the certificate begins later */
    DUN_TLS_CLOCK_UNSET,   /* DUN_E_TLS_DATE: it begins later than the last time that is known */
    DUN_TLS_UNKNOWN_CA,    /* DUN_E_TLS_CA */
    DUN_TLS_BAD_CERT,      /* DUN_E_TLS_CA: weak key or signature, wrong usage, broken */
    DUN_TLS_REFUSED,       /* DUN_E_REFUSED: the peer's alert; `alert` has its number */
    DUN_TLS_NOT_TLS,       /* DUN_E_TLS: the peer's first bytes are no TLS */
    DUN_TLS_NO_ANSWER,     /* DUN_E_TLS: closed before its first byte, as a plain port does */
    DUN_TLS_CUT,           /* DUN_E_TLS: closed in the middle, without an alert */
    DUN_TLS_STALLED,       /* DUN_E_TIMEOUT */
    DUN_TLS_OLD_VERSION,   /* DUN_E_TLS: nothing newer than TLS 1.1 over there */
    DUN_TLS_NO_COMMON,     /* DUN_E_TLS: refused at once: no version or cipher suite in common */
    DUN_TLS_BROKEN,        /* DUN_E_TLS: the peer's messages break the protocol */
    DUN_TLS_CREDENTIALS,   /* our own files cannot be used, or they do not fit each other */
    DUN_TLS_MEMORY,        /* DUN_E_FULL */
    DUN_TLS_NO_ENTROPY,    /* DUN_E_IO */
};

/* Of the newest connection. The strings are the library's and stay. */
struct dun_tls_report {
    uint8_t trouble;      /* enum dun_tls_trouble */
    uint8_t alert;        /* of the peer, 0: none (RFC 5246 7.2) */
    bool up;              /* the handshake was completed; what follows is known only then */
    bool resumed;         /* an earlier session went on, no certificate was sent */
    bool clock_unset;     /* dates were judged by `earliest_unix_ms` */
    const char *version;  /* "TLSv1.2" */
    const char *cipher;   /* the suite's name */
    dun_ms good_from_ms;  /* the certificates are valid from ... */
    dun_ms good_until_ms; /* ... until, since 1970; DUN_MS_NEVER with a PSK */
};

#endif
