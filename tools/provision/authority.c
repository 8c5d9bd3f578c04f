/*
 * authority.c: see authority.h. Certificates by OpenSSL's libcrypto; serial numbers are random, of
 * 127 bits (RFC 5280, 4.1.2.2).
 */
#include "authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S       86400
#define HOUR_S      3600
#define SPARE_S     (30L * DAY_S)
#define SERIAL_SIZE 16

static bool complain(const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    fprintf(stderr, "dunlin provision: %s: %s\n", what, text);
    return false;
}

/// Files ///

static bool write_bio(BIO *memory, const char *path, unsigned mode)
{
    char *data;
    long size = BIO_get_mem_data(memory, &data);
    return size > 0 && dun_file_write(path, mode, data, (size_t)size);
}

static bool write_key(EVP_PKEY *key, const char *path)
{
    BIO *memory = BIO_new(BIO_s_secmem());
    bool done =
        memory != NULL && PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1
            ? write_bio(memory, path, DUN_MODE_SECRET)
            : complain(path);
    BIO_free(memory);
    return done;
}

static bool write_certificate(X509 *certificate, const char *path)
{
    BIO *memory = BIO_new(BIO_s_mem());
    bool done = memory != NULL && PEM_write_bio_X509(memory, certificate) == 1
                    ? write_bio(memory, path, DUN_MODE_OPEN)
                    : complain(path);
    BIO_free(memory);
    return done;
}

static X509 *read_certificate(const char *path)
{
    size_t size;
    char *text = dun_file_read(path, &size);
    BIO *memory = text == NULL ? NULL : BIO_new_mem_buf(text, (int)size);
    X509 *certificate = memory == NULL ? NULL : PEM_read_bio_X509(memory, NULL, NULL, NULL);
    if (text != NULL && certificate == NULL) {
        (void)complain(path);
    }
    BIO_free(memory);
    free(text);
    return certificate;
}

static EVP_PKEY *read_key(const char *path)
{
    size_t size;
    char *text = dun_file_read(path, &size);
    BIO *memory = text == NULL ? NULL : BIO_new_mem_buf(text, (int)size);
    EVP_PKEY *key = memory == NULL ? NULL : PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
    if (text != NULL && key == NULL) {
        (void)complain(path);
    }
    BIO_free(memory);
    free(text);
    return key;
}

/// Certificates ///

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done = number != NULL &&
                BN_rand(number, SERIAL_SIZE * 8 - 1, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

static bool add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/* An address has its own kind of name: a client that connects to one looks for that. */
static bool add_host(X509 *certificate, const char *host)
{
    char value[300];
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    int length = snprintf(value, sizeof value, "%s:%s", address != NULL ? "IP" : "DNS", host);
    ASN1_OCTET_STRING_free(address);
    return length > 0 && (size_t)length < sizeof value &&
           add_extension(certificate, certificate, NID_subject_alt_name, value);
}

static bool name_it(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

/* What every certificate has. It begins an hour ago, for devices whose clocks are a little late. */
static X509 *new_certificate(EVP_PKEY *key, const char *name, int days)
{
    X509 *certificate = X509_new();
    bool done = certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
                set_serial(certificate) &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR_S) != NULL &&
                X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) != NULL &&
                X509_set_pubkey(certificate, key) == 1 &&
                name_it(X509_get_subject_name(certificate), name);
    if (!done) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

static bool sign_as_member(const struct dun_authority *authority, X509 *certificate,
                           const char *host)
{
    X509 *issuer = authority->certificate;
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_ext_key_usage,
                         host != NULL ? "serverAuth" : "clientAuth") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           (host == NULL || add_host(certificate, host)) &&
           X509_sign(certificate, authority->key, EVP_sha256()) > 0;
}

static bool sign_as_authority(X509 *certificate, EVP_PKEY *key)
{
    return X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           add_extension(certificate, certificate, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool dun_authority_issue(const struct dun_authority *authority, const char *name, const char *host,
                         int days, const char *key_path, const char *certificate_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key == NULL ? NULL : new_certificate(key, name, days);
    bool done = certificate != NULL && sign_as_member(authority, certificate, host)
                    ? write_key(key, key_path) && write_certificate(certificate, certificate_path)
                    : complain(name);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return done;
}

static bool is_for(X509 *certificate, const char *host)
{
    return X509_check_host(certificate, host, 0, 0, NULL) == 1 ||
           X509_check_ip_asc(certificate, host, 0) == 1;
}

bool dun_authority_signed(const struct dun_authority *authority, const char *certificate_path,
                          const char *host)
{
    time_t then = time(NULL) + SPARE_S;
    X509 *certificate = read_certificate(certificate_path);
    bool good = certificate != NULL && X509_verify(certificate, authority->key) == 1 &&
                X509_cmp_time(X509_get0_notAfter(certificate), &then) > 0 &&
                (host == NULL || is_for(certificate, host));
    X509_free(certificate);
    return good;
}

/// The authority ///

static bool make_certificate(struct dun_authority *authority, const char *path, const char *fleet,
                             int days)
{
    char name[80];
    (void)snprintf(name, sizeof name, "fleet %s", fleet);
    authority->certificate = new_certificate(authority->key, name, days);
    return authority->certificate != NULL &&
                   sign_as_authority(authority->certificate, authority->key)
               ? write_certificate(authority->certificate, path)
               : complain(path);
}

bool dun_authority_open(struct dun_authority *authority, const char *folder, const char *fleet,
                        int days)
{
    char key_path[DUN_PATH_MAX];
    char path[DUN_PATH_MAX];
    *authority = (struct dun_authority){NULL, NULL};
    if (!dun_folder_make(folder) || !dun_path(key_path, "%s/ca.key", folder) ||
        !dun_path(path, "%s/ca.pem", folder)) {
        return false;
    }
    if (dun_file_exists(key_path)) {
        authority->key = read_key(key_path);
    } else if (dun_file_exists(path)) {
        /* Members trust that certificate: a new key would cut all of them off. */
        fprintf(stderr, "dunlin provision: %s is not there, but %s is: put the key back\n",
                key_path, path);
        return false;
    } else {
        authority->key = EVP_EC_gen("P-256");
        if (authority->key == NULL || !write_key(authority->key, key_path)) {
            return complain(key_path);
        }
    }
    if (authority->key == NULL) {
        return false;
    }
    if (!dun_file_exists(path)) {
        return make_certificate(authority, path, fleet, days);
    }
    authority->certificate = read_certificate(path);
    if (authority->certificate != NULL &&
        X509_check_private_key(authority->certificate, authority->key) != 1) {
        fprintf(stderr, "dunlin provision: %s does not belong to %s\n", key_path, path);
        return false;
    }
    return authority->certificate != NULL;
}

void dun_authority_close(struct dun_authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    *authority = (struct dun_authority){NULL, NULL};
}

/// Revocation ///

bool dun_authority_revoke(const char *folder, const char *certificate_path)
{
    char path[DUN_PATH_MAX];
    struct dun_text text = {NULL, 0, false};
    size_t size = 0;
    X509 *certificate = read_certificate(certificate_path);
    if (certificate == NULL || !dun_path(path, "%s/revoked", folder)) {
        X509_free(certificate);
        return false;
    }
    char *before = dun_file_exists(path) ? dun_file_read(path, &size) : NULL;
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *serial = number == NULL ? NULL : BN_bn2hex(number);
    bool done = serial != NULL;
    if (done && (before == NULL || strstr(before, serial) == NULL)) {
        dun_text_add(&text, "%s%s %lld\n", before == NULL ? "" : before, serial,
                     (long long)time(NULL));
        done = dun_text_write(&text, path, DUN_MODE_OPEN);
    }
    OPENSSL_free(serial);
    BN_free(number);
    free(before);
    X509_free(certificate);
    return done;
}

/* One line: the serial number in hexadecimal, and when it was revoked, unix s. */
static bool add_revoked(X509_CRL *list, const char *line)
{
    char serial[2 * SERIAL_SIZE + 1];
    long long when;
    if (sscanf(line, "%32[0-9A-F] %lld", serial, &when) != 2) {
        fprintf(stderr, "dunlin provision: 'revoked': not a line of it: '%.40s'\n", line);
        return false;
    }
    BIGNUM *number = NULL;
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *date = ASN1_TIME_set(NULL, (time_t)when);
    ASN1_INTEGER *integer =
        BN_hex2bn(&number, serial) > 0 ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    bool done = entry != NULL && date != NULL && integer != NULL &&
                X509_REVOKED_set_serialNumber(entry, integer) == 1 &&
                X509_REVOKED_set_revocationDate(entry, date) == 1 &&
                X509_CRL_add0_revoked(list, entry) == 1;
    if (!done) {
        X509_REVOKED_free(entry);
    }
    ASN1_INTEGER_free(integer);
    ASN1_TIME_free(date);
    BN_free(number);
    return done;
}

static bool add_all(X509_CRL *list, const char *folder)
{
    char path[DUN_PATH_MAX];
    size_t size;
    if (!dun_path(path, "%s/revoked", folder)) {
        return false;
    }
    if (!dun_file_exists(path)) {
        return true;
    }
    char *text = dun_file_read(path, &size);
    char *rest = NULL;
    bool done = text != NULL;
    for (char *line = done ? strtok_r(text, "\n", &rest) : NULL; line != NULL && done;
         line = strtok_r(NULL, "\n", &rest)) {
        done = add_revoked(list, line);
    }
    free(text);
    return done;
}

static bool sign_list(const struct dun_authority *authority, X509_CRL *list)
{
    ASN1_TIME *now = X509_gmtime_adj(NULL, -HOUR_S);
    bool done =
        now != NULL &&
        X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->certificate)) == 1 &&
        X509_CRL_set1_lastUpdate(list, now) == 1 &&
        X509_CRL_set1_nextUpdate(list, X509_get0_notAfter(authority->certificate)) == 1 &&
        X509_CRL_sort(list) == 1 && X509_CRL_sign(list, authority->key, EVP_sha256()) > 0;
    ASN1_TIME_free(now);
    return done;
}

bool dun_authority_write_list(const struct dun_authority *authority, const char *folder,
                              const char *list_path)
{
    X509_CRL *list = X509_CRL_new();
    BIO *memory = BIO_new(BIO_s_mem());
    bool done = list != NULL && memory != NULL && add_all(list, folder);
    if (done) {
        done = sign_list(authority, list) && PEM_write_bio_X509_CRL(memory, list) == 1
                   ? write_bio(memory, list_path, DUN_MODE_OPEN)
                   : complain(list_path);
    }
    BIO_free(memory);
    X509_CRL_free(list);
    return done;
}
