/*
 * tls_options.c: struct dun_tls_config in the words of Paho's OpenSSL. The chain and the host name
 * are verified always, and nothing older than TLS 1.2 is spoken. The clock is the host's: OpenSSL
 * behind Paho cannot be given another, so `earliest_unix_ms` and `unset_clock` are not looked at.
 */
#include <string.h>

#include "paho/library.h"

/* Suites that TLS 1.2 brought, so that nothing older can be agreed on; those of 1.3 are beside. */
#define SUITES     "TLSv1.2+HIGH:!aNULL:!eNULL:!PSK"
#define SUITES_PSK "TLSv1.2+PSK:!aNULL:!eNULL"

/* One line of OpenSSL's error queue. Only the words tell what went wrong. */
static int on_trouble(const char *line, size_t size, void *context)
{
    static const struct {
        const char *words;
        int error;
    } known[] = {
        {"certificate verify failed", DUN_E_TLS_CA},
        {"alert", DUN_E_REFUSED},
        {"No such file", DUN_E_NOT_FOUND},
    };
    struct dun_uplink_paho *uplink = context;
    int error = DUN_E_TLS;
    (void)size;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(line, known[i].words) != NULL) {
            error = known[i].error;
            break;
        }
    }
    pthread_mutex_lock(&uplink->mutex);
    if (uplink->tls_error == DUN_OK) {
        uplink->tls_error = error;
    }
    pthread_mutex_unlock(&uplink->mutex);
    return 1;
}

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

void dun_paho_set_tls(struct dun_uplink_paho *uplink, MQTTAsync_SSLOptions *ssl)
{
    const struct dun_tls_config *tls = uplink->parts.tls;
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
