/*
 * tls_mbedtls.c: a TLS client over any link. It never blocks: the library asks for bytes and is
 * told "later" when the link below has none. It never hides bytes: read goes on until the library
 * has nothing left, and while something is left the deadline is now. It never spins: a call makes
 * a bounded number of reads below, and a peer that floods is read on in the next step.
 *
 * A record that the link below takes only in part was encrypted and cannot be taken back: it
 * counts as written, and its rest goes out before anything else, by whichever call comes next.
 */
#include "tls_mbedtls.h"

#include <mbedtls/platform_util.h>
#include <mbedtls/ssl_internal.h>
#include <string.h>

#include "tls_name.h"

#define TIMEOUT_MS     60000
#define READS_MAX      64 /* of the link below in one call */
#define STEPS_MAX      64 /* of the handshake in one call; a whole one has about 20 */
#define LAST_READS_MAX 4
#define RECORD_HEADER  5
#define ALERT_SIZE     7 /* a record that holds an alert in the clear */

/* With certificates: keys that a later theft of the broker's does not open; no CBC with SHA-1. */
static const int suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    0,
};

/* Plain PSK has no forward secrecy, but is all that many brokers and small devices have. */
static const int psk_suites[] = {
    MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_PSK_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_PSK_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_PSK_WITH_AES_128_CCM,
    MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8,
    MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256,
    0,
};

static int error_of(enum dun_tls_trouble trouble)
{
    switch (trouble) {
    case DUN_TLS_WRONG_NAME:
        return DUN_E_TLS_NAME;
    case DUN_TLS_EXPIRED:
    case DUN_TLS_NOT_YET_VALID:
    case DUN_TLS_CLOCK_UNSET:
        return DUN_E_TLS_DATE;
    case DUN_TLS_UNKNOWN_CA:
    case DUN_TLS_BAD_CERT:
        return DUN_E_TLS_CA;
    case DUN_TLS_REFUSED:
        return DUN_E_REFUSED;
    case DUN_TLS_STALLED:
        return DUN_E_TIMEOUT;
    case DUN_TLS_MEMORY:
        return DUN_E_FULL;
    default:
        return DUN_E_TLS;
    }
}

/// The link below, as the library sees it ///

/* TLS 1.2 answers begin with a handshake or an alert record of version 3.x, RFC 5246 6.2.1. */
static void look_at_first(struct dun_tls_mbedtls *tls, size_t got)
{
    for (size_t i = 0; i < got && tls->raw_total + i < 2; i++) {
        uint8_t c = tls->raw[i];
        bool fits = tls->raw_total + i == 0
                        ? c == MBEDTLS_SSL_MSG_HANDSHAKE || c == MBEDTLS_SSL_MSG_ALERT
                        : c == MBEDTLS_SSL_MAJOR_VERSION_3;
        tls->alien = tls->alien || !fits;
    }
    tls->raw_total += tls->raw_total < INT32_MAX ? (uint32_t)got : 0;
}

/* Fills `raw` if it is empty. Returns how much it holds, 0: nothing now, negative: dead. */
static int refill(struct dun_tls_mbedtls *tls)
{
    if (tls->raw_start < tls->raw_end) {
        return tls->raw_end - tls->raw_start;
    }
    if (tls->below_error != DUN_OK) {
        return tls->below_error;
    }
    if (tls->reads == 0) {
        tls->more = true;
        return 0;
    }
    tls->reads--;
    int got = tls->below->read(tls->below->context, tls->raw, sizeof tls->raw);
    if (got < 0) {
        tls->below_error = got;
        return got;
    }
    DUN_ASSERT((size_t)got <= sizeof tls->raw);
    look_at_first(tls, (size_t)got);
    tls->raw_start = 0;
    tls->raw_end = (uint16_t)got;
    return got;
}

static int give(void *context, unsigned char *out, size_t size)
{
    struct dun_tls_mbedtls *tls = context;
    int there = refill(tls);
    if (there <= 0) {
        return there == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
    }
    size_t take = (size_t)there < size ? (size_t)there : size;
    memcpy(out, tls->raw + tls->raw_start, take);
    tls->raw_start = (uint16_t)(tls->raw_start + take);
    return (int)take;
}

static int take(void *context, const unsigned char *data, size_t size)
{
    struct dun_tls_mbedtls *tls = context;
    int sent = tls->below_error;
    if (sent == DUN_OK) {
        sent = tls->below->write(tls->below->context, data, size);
    }
    if (sent < 0) {
        tls->below_error = sent;
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    return sent == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : sent;
}

static int random_bytes(void *context, unsigned char *out, size_t size)
{
    struct dun_tls_mbedtls *tls = context;
    return tls->ports.entropy(tls->ports.context, out, size) == 0
               ? 0
               : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

/// What went wrong ///

static enum dun_tls_trouble trouble_of_alert(const struct dun_tls_mbedtls *tls)
{
    switch (tls->report.alert) {
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
        return DUN_TLS_OLD_VERSION;
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
        /* Before its hello it cannot miss a certificate of ours. */
        return tls->ssl.state <= MBEDTLS_SSL_SERVER_HELLO ? DUN_TLS_NO_COMMON : DUN_TLS_REFUSED;
    default:
        return DUN_TLS_REFUSED;
    }
}

/* A broker that refuses us says why and closes. Our next write fails then, before its alert was
 * read; until keys are in use the alert is in the clear. */
static bool last_word(struct dun_tls_mbedtls *tls)
{
    uint8_t words[ALERT_SIZE];
    size_t used = 0;
    tls->below_error = DUN_OK;
    for (int i = 0; i < LAST_READS_MAX && used < sizeof words; i++) {
        tls->reads = 1;
        int got = give(tls, words + used, sizeof words - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (used < sizeof words || words[0] != MBEDTLS_SSL_MSG_ALERT || words[3] != 0 ||
        words[4] != 2 || words[5] != MBEDTLS_SSL_ALERT_LEVEL_FATAL) {
        return false;
    }
    tls->report.alert = words[6];
    return true;
}

static enum dun_tls_trouble trouble_of_end(struct dun_tls_mbedtls *tls)
{
    if (tls->alien) {
        return DUN_TLS_NOT_TLS;
    }
    if (last_word(tls)) {
        return trouble_of_alert(tls);
    }
    return tls->raw_total == 0 ? DUN_TLS_NO_ANSWER : DUN_TLS_CUT;
}

static enum dun_tls_trouble trouble_of(struct dun_tls_mbedtls *tls, int result)
{
    switch (result) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return dun_tls_verdict_trouble(&tls->verdict, mbedtls_ssl_get_verify_result(&tls->ssl) |
                                                          tls->verdict.flags);
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        tls->report.alert = tls->ssl.in_msg[1];
        return trouble_of_alert(tls);
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return trouble_of_end(tls);
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
        return DUN_TLS_OLD_VERSION;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
    case MBEDTLS_ERR_MPI_ALLOC_FAILED:
        return DUN_TLS_MEMORY;
    default:
        return tls->alien ? DUN_TLS_NOT_TLS : DUN_TLS_BROKEN;
    }
}

/// A connection's memory ///

static void forget_session(struct dun_tls_mbedtls *tls)
{
    if (tls->kept.there) {
        mbedtls_ssl_session_free(&tls->kept.session);
        tls->kept.there = false;
    }
}

static void unmake(struct dun_tls_mbedtls *tls)
{
    if (tls->made) {
        mbedtls_ssl_free(&tls->ssl);
        mbedtls_ssl_config_free(&tls->settings);
        tls->made = false;
    }
    mbedtls_platform_zeroize(tls->raw, sizeof tls->raw);
    tls->state = DUN_TLS_MBEDTLS_CLOSED;
}

/* The end: `error` goes to the caller, the trouble into the report. A session whose resumption
 * failed is not offered again, since some brokers refuse every one. */
static int end(struct dun_tls_mbedtls *tls, enum dun_tls_trouble trouble, int error)
{
    tls->report.trouble = (uint8_t)trouble;
    if (tls->resuming) {
        forget_session(tls);
    }
    tls->below->close(tls->below->context);
    unmake(tls);
    return error;
}

static unsigned char fragment_code(uint16_t size)
{
    switch (size) {
    case 512:
        return MBEDTLS_SSL_MAX_FRAG_LEN_512;
    case 1024:
        return MBEDTLS_SSL_MAX_FRAG_LEN_1024;
    case 2048:
        return MBEDTLS_SSL_MAX_FRAG_LEN_2048;
    case 4096:
        return MBEDTLS_SSL_MAX_FRAG_LEN_4096;
    default:
        return MBEDTLS_SSL_MAX_FRAG_LEN_NONE;
    }
}

static int set_credentials(struct dun_tls_mbedtls *tls)
{
    const struct dun_tls_credentials *with = &tls->credentials;
    mbedtls_ssl_config *settings = &tls->settings;
    if (with->psk_identity != NULL) {
        mbedtls_ssl_conf_ciphersuites(settings, psk_suites);
        return mbedtls_ssl_conf_psk(settings, with->psk.data, with->psk.size,
                                    (const unsigned char *)with->psk_identity,
                                    strlen(with->psk_identity));
    }
    mbedtls_ssl_conf_ciphersuites(settings, suites);
    mbedtls_ssl_conf_ca_chain(settings, with->authorities, NULL);
    if (with->certificate == NULL) {
        return 0;
    }
    return mbedtls_ssl_conf_own_cert(settings, with->certificate, with->key);
}

static int set_up(struct dun_tls_mbedtls *tls)
{
    mbedtls_ssl_config *settings = &tls->settings;
    int result = mbedtls_ssl_config_defaults(
        settings, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (result != 0) {
        return result;
    }
    mbedtls_ssl_conf_min_version(settings, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3); /* TLS 1.2 */
    mbedtls_ssl_conf_authmode(settings, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(settings, dun_tls_verify, &tls->verdict);
    mbedtls_ssl_conf_rng(settings, mbedtls_ctr_drbg_random, &tls->random);
    result = mbedtls_ssl_conf_max_frag_len(settings, fragment_code(tls->credentials.fragment_max));
    if (result == 0) {
        result = set_credentials(tls);
    }
    tls->alpn[0] = tls->credentials.alpn;
    if (result == 0 && tls->alpn[0] != NULL) {
        result = mbedtls_ssl_conf_alpn_protocols(settings, tls->alpn);
    }
    return result != 0 ? result : mbedtls_ssl_setup(&tls->ssl, settings);
}

/* The session of the last connection, unless anything that it rested on has changed since. */
static int offer_session(struct dun_tls_mbedtls *tls)
{
    struct dun_tls_kept *kept = &tls->kept;
    if (!kept->there) {
        return 0;
    }
    if (strcmp(kept->host, tls->host) != 0 || kept->port != tls->port ||
        kept->generation != tls->credentials.generation ||
        tls->credentials.unix_ms > kept->good_until_ms ||
        tls->credentials.earliest_unix_ms > kept->good_until_ms) {
        forget_session(tls);
        return 0;
    }
    tls->resuming = true;
    return mbedtls_ssl_set_session(&tls->ssl, &kept->session);
}

/* The name goes to the broker too (SNI, RFC 6066 3), which an address must not. */
static int set_host(struct dun_tls_mbedtls *tls)
{
    uint8_t bytes[16];
    size_t size = strlen(tls->host);
    if (dun_tls_address(tls->host, bytes) > 0) {
        return mbedtls_ssl_set_hostname(&tls->ssl, NULL);
    }
    if (size > 1 && tls->host[size - 1] == '.') {
        tls->host[size - 1] = '\0';
    }
    return mbedtls_ssl_set_hostname(&tls->ssl, tls->host);
}

static int seed(struct dun_tls_mbedtls *tls)
{
    int result = 0;
    if (!tls->seeded) {
        result = mbedtls_ctr_drbg_seed(&tls->random, random_bytes, tls, NULL, 0);
        tls->seeded = result == 0;
    }
    return result;
}

/* The link below is open: what the handshake needs. */
static int begin(struct dun_tls_mbedtls *tls)
{
    struct dun_tls_credentials *with = &tls->credentials;
    *with = (struct dun_tls_credentials){0};
    int error = tls->ports.credentials(tls->ports.context, with);
    if (error < 0 || (with->psk_identity == NULL && with->authorities == NULL)) {
        return end(tls, DUN_TLS_CREDENTIALS, error < 0 ? error : DUN_E_INVALID);
    }
    dun_tls_verdict_begin(&tls->verdict, tls->host, with->unix_ms, with->earliest_unix_ms,
                          with->unset_clock);
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->settings);
    tls->made = true;
    int result = seed(tls);
    if (result != 0) {
        return end(tls, DUN_TLS_NO_ENTROPY, DUN_E_IO);
    }
    result = set_up(tls);
    if (result == 0) {
        mbedtls_ssl_set_bio(&tls->ssl, tls, take, give, NULL);
        result = set_host(tls);
    }
    if (result == 0) {
        result = offer_session(tls);
    }
    if (result != 0) {
        enum dun_tls_trouble trouble = trouble_of(tls, result);
        bool memory = trouble == DUN_TLS_MEMORY;
        return end(tls, memory ? trouble : DUN_TLS_CREDENTIALS,
                   memory ? DUN_E_FULL : DUN_E_INVALID);
    }
    tls->state = DUN_TLS_MBEDTLS_HANDSHAKE;
    return 0;
}

/// The handshake ///

static void keep_session(struct dun_tls_mbedtls *tls)
{
    struct dun_tls_kept *kept = &tls->kept;
    forget_session(tls);
    mbedtls_ssl_session_init(&kept->session);
    if (mbedtls_ssl_get_session(&tls->ssl, &kept->session) != 0) {
        mbedtls_ssl_session_free(&kept->session);
        return;
    }
    kept->there = true;
    kept->port = tls->port;
    kept->generation = tls->credentials.generation;
    kept->good_from_ms = tls->report.good_from_ms;
    kept->good_until_ms = tls->report.good_until_ms;
    memcpy(kept->host, tls->host, sizeof kept->host);
}

static int finish(struct dun_tls_mbedtls *tls)
{
    struct dun_tls_report *report = &tls->report;
    bool psk = tls->credentials.psk_identity != NULL;
    if (!psk && !report->resumed && !tls->verdict.seen) {
        return end(tls, DUN_TLS_BROKEN, DUN_E_TLS); /* nobody was verified: must not be */
    }
    report->up = true;
    report->version = mbedtls_ssl_get_version(&tls->ssl);
    report->cipher = mbedtls_ssl_get_ciphersuite(&tls->ssl);
    report->clock_unset = tls->credentials.unix_ms < tls->credentials.earliest_unix_ms;
    report->good_from_ms = report->resumed ? tls->kept.good_from_ms : tls->verdict.good_from_ms;
    report->good_until_ms = report->resumed ? tls->kept.good_until_ms : tls->verdict.good_until_ms;
    tls->resuming = false;
    keep_session(tls);
    tls->state = DUN_TLS_MBEDTLS_OPEN;
    return 1;
}

static int shake(struct dun_tls_mbedtls *tls)
{
    int result = 0;
    tls->reads = READS_MAX;
    tls->more = false;
    for (int step = 0; result == 0; step++) {
        if (tls->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER) {
            return finish(tls);
        }
        if (step == STEPS_MAX) {
            tls->more = true;
            return 0;
        }
        int before = tls->ssl.state;
        result = mbedtls_ssl_handshake_step(&tls->ssl);
        /* Only a broker that resumes has nothing to say between its hello and its keys. */
        tls->report.resumed |= before == MBEDTLS_SSL_SERVER_HELLO &&
                               tls->ssl.state == MBEDTLS_SSL_SERVER_CHANGE_CIPHER_SPEC;
    }
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return 0;
    }
    enum dun_tls_trouble trouble = trouble_of(tls, result);
    return end(tls, trouble, error_of(trouble));
}

/// The table ///

static void tls_close(void *context)
{
    struct dun_tls_mbedtls *tls = context;
    if (tls->state == DUN_TLS_MBEDTLS_CLOSED) {
        return;
    }
    if (tls->state == DUN_TLS_MBEDTLS_OPEN && tls->below_error == DUN_OK) {
        (void)mbedtls_ssl_close_notify(&tls->ssl);
    }
    tls->below->close(tls->below->context);
    unmake(tls);
}

static int tls_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct dun_tls_mbedtls *tls = context;
    size_t size = strlen(host);
    tls_close(tls);
    tls->report = (struct dun_tls_report){.good_until_ms = DUN_MS_NEVER};
    if (size == 0 || size > DUN_TLS_HOST_MAX) {
        return DUN_E_INVALID;
    }
    memcpy(tls->host, host, size + 1);
    tls->port = port;
    tls->below_error = DUN_OK;
    tls->raw_total = 0;
    tls->raw_start = tls->raw_end = 0;
    tls->more = tls->resuming = tls->alien = false;
    tls->deadline = now + tls->timeout_ms;
    int error = tls->below->open(tls->below->context, host, port, now);
    if (error == DUN_OK) {
        tls->state = DUN_TLS_MBEDTLS_CONNECTING;
    }
    return error;
}

static int tls_ready(void *context, dun_ms now)
{
    struct dun_tls_mbedtls *tls = context;
    int result = DUN_E_CLOSED;
    if (tls->state == DUN_TLS_MBEDTLS_OPEN) {
        return 1;
    }
    if (tls->state == DUN_TLS_MBEDTLS_CONNECTING) {
        result = tls->below->ready(tls->below->context, now);
        if (result < 0) {
            return end(tls, DUN_TLS_NO_TROUBLE, result);
        }
        result = result > 0 ? begin(tls) : 0;
    }
    if (tls->state == DUN_TLS_MBEDTLS_HANDSHAKE) {
        result = shake(tls);
    }
    if (result == 0 && now >= tls->deadline) {
        bool stalled = tls->state == DUN_TLS_MBEDTLS_HANDSHAKE;
        return end(tls, stalled ? DUN_TLS_STALLED : DUN_TLS_NO_TROUBLE, DUN_E_TIMEOUT);
    }
    return result;
}

static int dead(const struct dun_tls_mbedtls *tls)
{
    return tls->state == DUN_TLS_MBEDTLS_BROKEN && tls->below_error < 0 ? tls->below_error
                                                                        : DUN_E_CLOSED;
}

/* An open connection broke: says how, once and for all. */
static int broken(struct dun_tls_mbedtls *tls, int result)
{
    tls->state = DUN_TLS_MBEDTLS_BROKEN;
    switch (result) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        tls->report.trouble = DUN_TLS_REFUSED;
        tls->report.alert = tls->ssl.in_msg[1];
        tls->below_error = DUN_E_REFUSED;
        break;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        tls->below_error = DUN_E_CLOSED;
        break;
    case MBEDTLS_ERR_SSL_CONN_EOF:
        break; /* the link below has said why */
    default:
        tls->report.trouble = DUN_TLS_BROKEN;
        tls->below_error = DUN_E_TLS;
        break;
    }
    return dead(tls);
}

/* The rest of a record goes out. 1: all of it, 0: not yet, negative: dead. */
static int flush(struct dun_tls_mbedtls *tls)
{
    if (tls->ssl.out_left == 0) {
        return 1;
    }
    int result = mbedtls_ssl_flush_output(&tls->ssl);
    if (result == 0) {
        return 1;
    }
    return result == MBEDTLS_ERR_SSL_WANT_WRITE ? 0 : broken(tls, result);
}

static int tls_read(void *context, void *data, size_t size)
{
    struct dun_tls_mbedtls *tls = context;
    if (tls->state != DUN_TLS_MBEDTLS_OPEN) {
        return dead(tls);
    }
    tls->reads = READS_MAX;
    tls->more = false;
    int flushed = flush(tls);
    if (flushed < 0 || size == 0) {
        return flushed < 0 ? flushed : 0;
    }
    int got = mbedtls_ssl_read(&tls->ssl, data, size);
    if (got > 0) {
        return got;
    }
    if (got == MBEDTLS_ERR_SSL_WANT_READ || got == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return 0;
    }
    return broken(tls, got != 0 ? got : MBEDTLS_ERR_SSL_CONN_EOF);
}

static int tls_write(void *context, const void *data, size_t size)
{
    struct dun_tls_mbedtls *tls = context;
    if (tls->state != DUN_TLS_MBEDTLS_OPEN) {
        return dead(tls);
    }
    int flushed = flush(tls);
    if (flushed <= 0 || size == 0) {
        return flushed < 0 ? flushed : 0;
    }
    int most = mbedtls_ssl_get_max_out_record_payload(&tls->ssl);
    size = most > 0 && (size_t)most < size ? (size_t)most : size;
    int sent = mbedtls_ssl_write(&tls->ssl, data, size);
    if (sent == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return (int)size; /* see the head of this file */
    }
    return sent >= 0 ? sent : broken(tls, sent);
}

static dun_ms tls_deadline(void *context)
{
    struct dun_tls_mbedtls *tls = context;
    switch (tls->state) {
    case DUN_TLS_MBEDTLS_CONNECTING:
        return dun_ms_earlier(tls->deadline, tls->below->deadline(tls->below->context));
    case DUN_TLS_MBEDTLS_HANDSHAKE:
        return tls->more ? 0 : tls->deadline;
    case DUN_TLS_MBEDTLS_OPEN: {
        bool pending =
            tls->more || tls->raw_start < tls->raw_end || mbedtls_ssl_check_pending(&tls->ssl) != 0;
        return pending ? 0 : tls->below->deadline(tls->below->context);
    }
    default:
        return DUN_MS_NEVER;
    }
}

void dun_tls_mbedtls_init(struct dun_tls_mbedtls *tls, const struct dun_link *below,
                          const struct dun_tls_ports *ports, dun_ms timeout_ms,
                          struct dun_link *link)
{
    memset(tls, 0, sizeof *tls);
    tls->below = below;
    tls->ports = *ports;
    tls->timeout_ms = timeout_ms > 0 ? timeout_ms : TIMEOUT_MS;
    mbedtls_ctr_drbg_init(&tls->random);
    *link = (struct dun_link){
        .context = tls,
        .open = tls_open,
        .ready = tls_ready,
        .read = tls_read,
        .write = tls_write,
        .close = tls_close,
        .deadline = tls_deadline,
    };
}

const struct dun_tls_report *dun_tls_mbedtls_report(const struct dun_tls_mbedtls *tls)
{
    return &tls->report;
}

void dun_tls_mbedtls_free(struct dun_tls_mbedtls *tls)
{
    tls_close(tls);
    forget_session(tls);
    mbedtls_ctr_drbg_free(&tls->random);
    tls->seeded = false;
}
