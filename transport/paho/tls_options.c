/*
 * tls_options.c: struct dun_tls_config in the words of Paho's OpenSSL. The chain and the host name
 * are verified always, and nothing older than TLS 1.2 is spoken. The clock is the host's: OpenSSL
 * behind Paho cannot be given another, so with one that is behind `earliest_unix_ms` there is no
 * connection, whatever `unset_clock` says.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "paho/library.h"

/* Suites that TLS 1.2 brought, so that nothing older can be agreed on; those of 1.3 are beside. */
#define SUITES     "TLSv1.2+HIGH:!aNULL:!eNULL:!PSK"
#define SUITES_PSK "TLSv1.2+PSK:!aNULL:!eNULL"

/// What went wrong ///

/* The library tells the application hardly more than that it failed. Why stands in the trace of
 * its TLS: the alerts that went either way (RFC 8446 6.2), and what became of the name. Words that
 * are not known make the message less exact, never a connection. */
static const struct {
    const char *words;
    int error;
} known[] = {
    {"X509_check_ip_asc is 0", DUN_E_TLS_NAME},
    {"X509_check_ip_asc is -", DUN_E_TLS_NAME},
    {"alert write:fatal:certificate expired", DUN_E_TLS_DATE},
    {"alert write:fatal:unknown CA", DUN_E_TLS_CA},
    {"alert write:fatal:bad certificate", DUN_E_TLS_CA},
    {"alert read:fatal", DUN_E_REFUSED},
    {"certificate verify failed", DUN_E_TLS_CA},
    {"No such file", DUN_E_NOT_FOUND},
};

/* The trace is one for the process and does not say whose it is. */
static struct dun_uplink_paho *_Atomic overhearing;

static int error_of(const char *line, int otherwise)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(line, known[i].words) != NULL) {
            return known[i].error;
        }
    }
    return otherwise;
}

/* The first that was heard holds. */
static void note(struct dun_uplink_paho *uplink, int error)
{
    int none = DUN_OK;
    atomic_compare_exchange_strong(&uplink->tls_error, &none, error);
}

static void on_trace(enum MQTTASYNC_TRACE_LEVELS level, char *line)
{
    struct dun_uplink_paho *uplink = atomic_load(&overhearing);
    int error = error_of(line, DUN_OK);
    (void)level;
    if (uplink != NULL && error != DUN_OK) {
        note(uplink, error);
    }
}

/* A line of OpenSSL's error queue; it comes after the alerts. */
static int on_trouble(const char *line, size_t size, void *context)
{
    (void)size;
    note(context, error_of(line, DUN_E_TLS));
    return 1;
}

void dun_paho_overhear(struct dun_uplink_paho *uplink)
{
    bool before = atomic_exchange(&overhearing, uplink) != NULL;
    if (uplink != NULL) {
        MQTTAsync_setTraceCallback(on_trace);
        MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_MINIMUM);
    } else if (before) {
        MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_FATAL);
    }
}

/// What it shall do ///

static unsigned give_psk(const char *hint, char *identity, unsigned identity_max,
                         unsigned char *psk, unsigned psk_max, void *context)
{
    const struct dun_uplink_paho *uplink = context;
    const struct dun_tls_config *tls = uplink->parts.tls;
    size_t size = strlen(tls->psk_identity);
    (void)hint;
    if (size >= identity_max || tls->psk.size > psk_max) {
        return 0;
    }
    memcpy(identity, tls->psk_identity, size + 1);
    memcpy(psk, tls->psk.data, tls->psk.size);
    return (unsigned)tls->psk.size;
}

bool dun_paho_clock_is_set(const struct dun_tls_config *tls)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (dun_ms)now.tv_sec * 1000 >= tls->earliest_unix_ms;
}

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static void set_alpn(struct dun_uplink_paho *uplink, MQTTAsync_SSLOptions *ssl)
{
    const char *alpn = or_null(uplink->parts.tls->alpn);
    size_t size = alpn != NULL ? strlen(alpn) : 0;
    if (size > 0 && size <= DUN_UPLINK_PAHO_ALPN_MAX) {
        uplink->alpn[0] = (uint8_t)size; /* RFC 7301 3.1 */
        memcpy(uplink->alpn + 1, alpn, size);
        ssl->protos = uplink->alpn;
        ssl->protos_len = (unsigned)size + 1;
    }
}

uint8_t dun_uplink_paho_tls_trouble(struct dun_uplink_paho *uplink)
{
    switch (atomic_load(&uplink->tls_error)) {
    case DUN_E_TLS_NAME:
        return DUN_TLS_WRONG_NAME;
    case DUN_E_TLS_DATE:
        return dun_paho_clock_is_set(uplink->parts.tls) ? DUN_TLS_EXPIRED : DUN_TLS_CLOCK_UNSET;
    case DUN_E_TLS_CA:
        return DUN_TLS_UNKNOWN_CA;
    case DUN_E_NOT_FOUND:
        return DUN_TLS_CREDENTIALS;
    case DUN_E_TLS:
        return DUN_TLS_BROKEN;
    default:
        return DUN_TLS_NO_TROUBLE;
    }
}

void dun_paho_set_tls(struct dun_uplink_paho *uplink, MQTTAsync_SSLOptions *ssl)
{
    const struct dun_tls_config *tls = uplink->parts.tls;
    dun_paho_overhear(uplink);
    ssl->ssl_error_cb = on_trouble;
    ssl->ssl_error_context = uplink;
    ssl->enableServerCertAuth = 1;
    set_alpn(uplink, ssl);
    if (or_null(tls->psk_identity) != NULL) {
        /* No certificate has a part in this: the key proves both ends. The library checks names
         * only of certificates, and TLS 1.3 could fall back to one. */
        ssl->ssl_psk_cb = give_psk;
        ssl->ssl_psk_context = uplink;
        ssl->sslVersion = MQTT_SSL_VERSION_TLS_1_2;
        ssl->enabledCipherSuites = SUITES_PSK;
        return;
    }
    ssl->verify = 1; /* the host name */
    ssl->enabledCipherSuites = SUITES;
    ssl->trustStore = or_null(tls->ca_file);
    ssl->CApath = or_null(tls->ca_folder);
    ssl->disableDefaultTrustStore = ssl->trustStore != NULL || ssl->CApath != NULL;
    ssl->keyStore = or_null(tls->cert_file);
    ssl->privateKey = or_null(tls->key_file);
    ssl->privateKeyPassword =
        tls->key_password.size > 0 ? (const char *)tls->key_password.data : NULL;
}
