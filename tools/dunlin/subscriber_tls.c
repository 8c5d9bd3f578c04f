/*
 * subscriber_tls.c: TLS by the project's own link: certificates or a pre-shared key, from files.
 * The host name is verified always.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "subscriber.h"
#include "tls_mbedtls.h"

#define HANDSHAKE_MS 15000

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

struct secure {
    const struct dun_broker_options *options;
    mbedtls_x509_crt authorities, certificate;
    mbedtls_pk_context key;
    uint8_t psk[DUN_TLS_PSK_MAX];
    size_t psk_size;
    struct dun_tls_mbedtls tls;
    struct dun_link link;
};

static int give_credentials(void *context, struct dun_tls_credentials *out)
{
    struct secure *secure = context;
    const struct dun_broker_options *options = secure->options;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct dun_tls_credentials){
        .authorities = &secure->authorities,
        .certificate = options->cert != NULL ? &secure->certificate : NULL,
        .key = &secure->key,
        .psk_identity = options->psk_identity,
        .psk = {secure->psk, secure->psk_size},
        .alpn = options->alpn,
        .generation = 1,
        .unix_ms = (dun_ms)now.tv_sec * 1000,
    };
    return DUN_OK;
}

static int give_entropy(void *context, uint8_t *out, size_t size)
{
    (void)context;
    FILE *file = fopen("/dev/urandom", "rb");
    bool good = file != NULL && fread(out, 1, size, file) == size;
    if (file != NULL) {
        (void)fclose(file);
    }
    return good ? DUN_OK : DUN_E_IO;
}

static int digit_of(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit != '\0' ? strchr(digits, digit) : NULL;
    return at != NULL ? (int)((at - digits) % 16) : -1;
}

static bool read_psk(struct secure *secure)
{
    const char *text = secure->options->psk;
    size_t length = strlen(text);
    if (length == 0 || length % 2 != 0 || length / 2 > sizeof secure->psk) {
        return false;
    }
    for (size_t i = 0; i < length; i += 2) {
        int high = digit_of(text[i]);
        int low = digit_of(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        secure->psk[i / 2] = (uint8_t)(high * 16 + low);
    }
    secure->psk_size = length / 2;
    return true;
}

static int complain(struct dun_subscriber *subscriber, const char *path, const char *what)
{
    const char *why = access(path, R_OK) != 0 ? strerror(errno) : what;
    (void)snprintf(subscriber->why, sizeof subscriber->why, "%.120s: %s", path, why);
    return DUN_E_TLS;
}

static int read_authorities(struct dun_subscriber *subscriber, struct secure *secure)
{
    const struct dun_broker_options *options = secure->options;
    const char *file = options->cafile;
    for (size_t i = 0; file == NULL && options->capath == NULL &&
                       i < sizeof system_bundles / sizeof system_bundles[0];
         i++) {
        file = access(system_bundles[i], R_OK) == 0 ? system_bundles[i] : NULL;
    }
    if (file == NULL && options->capath == NULL) {
        return complain(subscriber, system_bundles[0], "no authorities");
    }
    bool got = (file == NULL || mbedtls_x509_crt_parse_file(&secure->authorities, file) >= 0) &&
               (options->capath == NULL ||
                mbedtls_x509_crt_parse_path(&secure->authorities, options->capath) >= 0);
    return got && secure->authorities.version != 0
               ? 0
               : complain(subscriber, file != NULL ? file : options->capath,
                          "holds no certificate in PEM form");
}

static int read_files(struct dun_subscriber *subscriber, struct secure *secure)
{
    const struct dun_broker_options *options = secure->options;
    if (options->psk_identity != NULL) {
        return read_psk(secure)
                   ? 0
                   : complain(subscriber, options->psk_file, "no pre-shared key in hexadecimal");
    }
    int error = read_authorities(subscriber, secure);
    if (error != 0 || options->cert == NULL) {
        return error;
    }
    if (mbedtls_x509_crt_parse_file(&secure->certificate, options->cert) < 0) {
        return complain(subscriber, options->cert, "holds no certificate in PEM form");
    }
    if (mbedtls_pk_parse_keyfile(&secure->key, options->key, NULL) != 0) {
        return complain(subscriber, options->key, "holds no private key without a password");
    }
    return mbedtls_pk_check_pair(&secure->certificate.pk, &secure->key) == 0
               ? 0
               : complain(subscriber, options->key, "is not the key of the certificate");
}

int dun_subscriber_secure(struct dun_subscriber *subscriber)
{
    struct secure *secure = calloc(1, sizeof *secure);
    if (secure == NULL) {
        (void)snprintf(subscriber->why, sizeof subscriber->why, "out of memory");
        return DUN_E_FULL;
    }
    const struct dun_tls_ports ports = {
        .context = secure, .credentials = give_credentials, .entropy = give_entropy};
    secure->options = subscriber->settings.broker;
    mbedtls_x509_crt_init(&secure->authorities);
    mbedtls_x509_crt_init(&secure->certificate);
    mbedtls_pk_init(&secure->key);
    dun_tls_mbedtls_init(&secure->tls, &subscriber->plain, &ports, HANDSHAKE_MS, &secure->link);
    subscriber->tls = secure;
    subscriber->link = &secure->link;
    return read_files(subscriber, secure);
}

void dun_subscriber_unsecure(struct dun_subscriber *subscriber)
{
    struct secure *secure = subscriber->tls;
    if (secure == NULL) {
        return;
    }
    dun_tls_mbedtls_free(&secure->tls);
    mbedtls_x509_crt_free(&secure->authorities);
    mbedtls_x509_crt_free(&secure->certificate);
    mbedtls_pk_free(&secure->key);
    free(secure);
    subscriber->tls = NULL;
    subscriber->link = NULL;
}
