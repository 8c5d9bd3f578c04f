/*
 * tls_host.c: see tls_host.h. What was parsed lies on the heap for as long as it is in use; the
 * text of a key is wiped by the library that reads it. A line in the log names the file and why it
 * cannot be used, never what it holds.
 */
#define _GNU_SOURCE
#include "tls_host.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "key_file.h"
#include "say.h"
#include "system.h"
#include "tls_mbedtls.h"

/* Debian, Alpine and OpenWrt; Fedora; FreeBSD and many containers. */
static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

/* When a file was the one that was read. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

enum { CA_FILE, CA_FOLDER, CERT_FILE, KEY_FILE, FILE_COUNT };

struct material {
    mbedtls_x509_crt authorities, certificate;
    mbedtls_pk_context key;
};

static struct {
    const struct dun_tls_config *config;
    const char *paths[FILE_COUNT]; /* NULL: not asked for */
    struct stamp stamps[FILE_COUNT];
    struct material material;
    uint32_t generation; /* 0: nothing was read yet */
    struct dun_tls_mbedtls tls;
    struct dun_link link;
} host;

/// Files ///

static void say_unusable(const char *path, const char *why)
{
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_ERROR, "a file of [tls] cannot be used");
    dun_say_text(&say, "path", path);
    dun_say_text(&say, "error", why);
    dun_say_end(&say, dun_system_uptime(), dun_system_unix());
}

/* errno is of little use behind the library; asking for the file again tells. */
static const char *why_unreadable(const char *path, const char *otherwise)
{
    struct stat status;
    FILE *file = stat(path, &status) == 0 ? fopen(path, "r") : NULL;
    if (file == NULL) {
        return strerror(errno);
    }
    fclose(file);
    return otherwise;
}

static int read_certificates(mbedtls_x509_crt *into, const char *path, bool folder)
{
    int result =
        folder ? mbedtls_x509_crt_parse_path(into, path) : mbedtls_x509_crt_parse_file(into, path);
    /* Positive: so many of them have a form that this library does not know; the rest serve. */
    if (result >= 0 && into->version != 0) {
        return DUN_OK;
    }
    say_unusable(path, why_unreadable(path, result == MBEDTLS_ERR_X509_ALLOC_FAILED
                                                ? "no memory"
                                                : "holds no certificate in PEM form"));
    return DUN_E_INVALID;
}

static const char *why_no_key(int result)
{
    switch (result) {
    case MBEDTLS_ERR_PK_PASSWORD_REQUIRED:
        return "is encrypted, and there is no key_password_file";
    case MBEDTLS_ERR_PK_PASSWORD_MISMATCH:
        return "is encrypted with another password";
    case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
        return "is encrypted in a way that is not known; openssl pkey -aes256 writes one that is";
    default:
        return "holds no private key in PEM form";
    }
}

static int read_key(struct material *into)
{
    const struct dun_tls_config *config = host.config;
    const char *path = host.paths[KEY_FILE];
    struct stat status;
    int result = dun_key_file_read(&into->key, path, config->key_password);
    if (result != 0) {
        say_unusable(path, why_unreadable(path, why_no_key(result)));
        return DUN_E_INVALID;
    }
    if (mbedtls_pk_check_pair(&into->certificate.pk, &into->key) != 0) {
        say_unusable(path, "is not the key of the certificate");
        return DUN_E_INVALID;
    }
    if (stat(path, &status) == 0 && (status.st_mode & S_IRWXO) != 0) {
        struct dun_say say;
        dun_say_begin(&say, DUN_SAY_WARNING, "others may read the key file, chmod 600 it");
        dun_say_text(&say, "path", path);
        dun_say_end(&say, dun_system_uptime(), dun_system_unix());
    }
    return DUN_OK;
}

static void drop(struct material *material)
{
    mbedtls_x509_crt_free(&material->authorities);
    mbedtls_x509_crt_free(&material->certificate);
    mbedtls_pk_free(&material->key);
}

static int read_material(struct material *into)
{
    int error = DUN_OK;
    mbedtls_x509_crt_init(&into->authorities);
    mbedtls_x509_crt_init(&into->certificate);
    mbedtls_pk_init(&into->key);
    if (host.paths[CA_FILE] != NULL) {
        error = read_certificates(&into->authorities, host.paths[CA_FILE], false);
    }
    if (error == DUN_OK && host.paths[CA_FOLDER] != NULL) {
        error = read_certificates(&into->authorities, host.paths[CA_FOLDER], true);
    }
    if (error == DUN_OK && host.paths[CERT_FILE] != NULL) {
        error = read_certificates(&into->certificate, host.paths[CERT_FILE], false);
        error = error == DUN_OK ? read_key(into) : error;
    }
    if (error != DUN_OK) {
        drop(into);
    }
    return error;
}

static void look(struct stamp stamps[FILE_COUNT])
{
    memset(stamps, 0, FILE_COUNT * sizeof stamps[0]);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct stat status;
        if (host.paths[i] != NULL && stat(host.paths[i], &status) == 0) {
            stamps[i] = (struct stamp){.device = status.st_dev,
                                       .inode = status.st_ino,
                                       .size = status.st_size,
                                       .changed = status.st_mtim};
        }
    }
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Reads the files if they are not those that were read. */
static int refresh(void)
{
    struct stamp stamps[FILE_COUNT];
    bool changed = host.generation == 0;
    look(stamps);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        changed = changed || !same(&stamps[i], &host.stamps[i]);
    }
    if (!changed) {
        return DUN_OK;
    }
    struct material material;
    int error = read_material(&material);
    if (error != DUN_OK) {
        return host.generation != 0 ? DUN_OK : error;
    }
    if (host.generation != 0) {
        drop(&host.material);
    }
    host.material = material;
    memcpy(host.stamps, stamps, sizeof host.stamps);
    host.generation++;
    return DUN_OK;
}

/// What the link asks for ///

static const char *unless_empty(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int give_credentials(void *context, struct dun_tls_credentials *out)
{
    const struct dun_tls_config *config = host.config;
    (void)context;
    int error = refresh();
    if (error != DUN_OK) {
        return error;
    }
    *out = (struct dun_tls_credentials){
        .authorities = &host.material.authorities,
        .certificate = host.paths[CERT_FILE] != NULL ? &host.material.certificate : NULL,
        .key = &host.material.key,
        .psk_identity = unless_empty(config->psk_identity),
        .psk = config->psk,
        .alpn = unless_empty(config->alpn),
        .generation = host.generation,
        .fragment_max = config->fragment_max,
        .unix_ms = dun_system_unix(),
        .earliest_unix_ms = config->earliest_unix_ms,
        .unset_clock = config->unset_clock,
    };
    return DUN_OK;
}

static int give_entropy(void *context, uint8_t *out, size_t size)
{
    (void)context;
    return dun_system_entropy(out, size);
}

/// The table ///

static void choose_paths(const struct dun_tls_config *config)
{
    bool psk = unless_empty(config->psk_identity) != NULL;
    host.paths[CA_FILE] = unless_empty(config->ca_file);
    host.paths[CA_FOLDER] = unless_empty(config->ca_folder);
    host.paths[CERT_FILE] = unless_empty(config->cert_file);
    host.paths[KEY_FILE] = unless_empty(config->key_file);
    bool named = host.paths[CA_FILE] != NULL || host.paths[CA_FOLDER] != NULL;
    for (size_t i = 0; !named && !psk && i < sizeof system_bundles / sizeof system_bundles[0];
         i++) {
        struct stat status;
        named = stat(system_bundles[i], &status) == 0;
        host.paths[CA_FILE] = named ? system_bundles[i] : NULL;
    }
}

static int load(const struct dun_tls_config *config)
{
    host.config = config;
    choose_paths(config);
    if (host.paths[CA_FILE] == NULL && host.paths[CA_FOLDER] == NULL &&
        unless_empty(config->psk_identity) == NULL) {
        say_unusable(system_bundles[0], "this system has no authorities; give cafile or capath");
        return DUN_E_NOT_FOUND;
    }
    return refresh();
}

static const struct dun_tls_report *report(void)
{
    return dun_tls_mbedtls_report(&host.tls);
}

static const struct dun_daemon_tls table = {
    .secure = &dun_secure_calls, .load = load, .report = report};
const struct dun_daemon_tls *const dun_tls_host = &table;

const struct dun_link *dun_tls_host_wrap(const struct dun_link *below, dun_ms timeout_ms)
{
    const struct dun_tls_ports ports = {.credentials = give_credentials, .entropy = give_entropy};
    dun_tls_mbedtls_init(&host.tls, below, &ports, timeout_ms, &host.link);
    return &host.link;
}
