/* tls.c: see tls.h. What was parsed is shared by all devices; a session and its keys are not. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"
#include "tls_mbedtls.h"

#define HANDSHAKE_MS 30000

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

/* What lies in a device's image. */
struct session {
    struct dun_tls_mbedtls tls;
    struct dun_link link;
};

static struct {
    struct dun_tls_config config;
    mbedtls_x509_crt authorities, certificate;
    mbedtls_pk_context key;
    int random; /* descriptor */
} shared = {.random = -1};

size_t dun_fleet_tls_size(void)
{
    return sizeof(struct session);
}

/// Files ///

static const char *system_bundle(void)
{
    struct stat status;
    for (size_t i = 0; i < sizeof system_bundles / sizeof system_bundles[0]; i++) {
        if (stat(system_bundles[i], &status) == 0) {
            return system_bundles[i];
        }
    }
    return NULL;
}

static const char *load_authorities(const struct dun_tls_config *config)
{
    const char *file = config->ca_file;
    if (file == NULL && config->ca_folder == NULL) {
        file = system_bundle();
        if (file == NULL) {
            return "this system has no authorities; give --cafile or --capath";
        }
    }
    if (file != NULL && (mbedtls_x509_crt_parse_file(&shared.authorities, file) < 0 ||
                         shared.authorities.version == 0)) {
        return "--cafile holds no certificate in PEM form";
    }
    if (config->ca_folder != NULL &&
        (mbedtls_x509_crt_parse_path(&shared.authorities, config->ca_folder) < 0 ||
         shared.authorities.version == 0)) {
        return "--capath holds no certificate in PEM form";
    }
    return NULL;
}

static const char *load_certificate(const struct dun_tls_config *config)
{
    if (config->cert_file == NULL) {
        return NULL;
    }
    if (mbedtls_x509_crt_parse_file(&shared.certificate, config->cert_file) < 0 ||
        shared.certificate.version == 0) {
        return "--cert holds no certificate in PEM form";
    }
    if (mbedtls_pk_parse_keyfile(&shared.key, config->key_file, NULL) != 0) {
        return "--key holds no private key in PEM form, or an encrypted one";
    }
    return mbedtls_pk_check_pair(&shared.certificate.pk, &shared.key) == 0
               ? NULL
               : "--key is not the key of --cert";
}

const char *dun_fleet_tls_load(const struct dun_tls_config *config)
{
    shared.config = *config;
    mbedtls_x509_crt_init(&shared.authorities);
    mbedtls_x509_crt_init(&shared.certificate);
    mbedtls_pk_init(&shared.key);
    shared.random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (shared.random < 0) {
        return "there is no /dev/urandom";
    }
    if (config->psk_identity != NULL) {
        return config->psk.size > 0 ? NULL : "--psk-file holds no key in hexadecimal";
    }
    const char *why = load_authorities(config);
    return why == NULL ? load_certificate(config) : why;
}

void dun_fleet_tls_unload(void)
{
    if (shared.random >= 0) {
        mbedtls_x509_crt_free(&shared.authorities);
        mbedtls_x509_crt_free(&shared.certificate);
        mbedtls_pk_free(&shared.key);
        close(shared.random);
        shared.random = -1;
    }
}

size_t dun_fleet_tls_psk(const char *hex, uint8_t *psk)
{
    size_t size = strlen(hex) / 2;
    if (size > DUN_TLS_PSK_MAX || strlen(hex) % 2 != 0 ||
        strspn(hex, "0123456789abcdefABCDEF") != strlen(hex)) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        (void)sscanf(hex + 2 * i, "%2x", &byte);
        psk[i] = (uint8_t)byte;
    }
    return size;
}

/// What the link asks for ///

static int give_credentials(void *context, struct dun_tls_credentials *out)
{
    const struct dun_tls_config *config = &shared.config;
    struct timespec now;
    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    bool psk = config->psk_identity != NULL;
    *out = (struct dun_tls_credentials){
        .authorities = psk ? NULL : &shared.authorities,
        .certificate = config->cert_file != NULL ? &shared.certificate : NULL,
        .key = &shared.key,
        .psk_identity = config->psk_identity,
        .psk = config->psk,
        .alpn = config->alpn,
        .generation = 1,
        .unix_ms = (dun_ms)now.tv_sec * 1000,
    };
    return DUN_OK;
}

static int give_entropy(void *context, uint8_t *out, size_t size)
{
    (void)context;
    return read(shared.random, out, size) == (ssize_t)size ? DUN_OK : DUN_E_IO;
}

const struct dun_link *dun_fleet_tls_wrap(void *memory, const struct dun_link *below)
{
    const struct dun_tls_ports ports = {.credentials = give_credentials, .entropy = give_entropy};
    struct session *session = memory;
    dun_tls_mbedtls_init(&session->tls, below, &ports, HANDSHAKE_MS, &session->link);
    return &session->link;
}

void dun_fleet_tls_free(void *memory)
{
    struct session *session = memory;
    dun_tls_mbedtls_free(&session->tls);
    memset(session, 0, sizeof *session);
}
