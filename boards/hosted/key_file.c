/* key_file.c: see key_file.h. The file is hostile until it has decrypted to a key. */
#include "key_file.h"

#include <mbedtls/asn1.h>
#include <mbedtls/cipher.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

#define PEM_BEGIN      "-----BEGIN ENCRYPTED PRIVATE KEY-----"
#define PEM_END        "-----END ENCRYPTED PRIVATE KEY-----"
#define AES_KEY_MAX    32
#define AES_BLOCK      16
#define PLAIN_MAX      8192     /* an RSA key of 8192 bits has 4.7 KB */
#define ITERATIONS_MAX 10000000 /* some seconds; openssl takes 2048, others 600,000 */

/* Of a file: how to decrypt which bytes. */
struct recipe {
    mbedtls_asn1_buf salt, vector, bytes;
    mbedtls_md_type_t digest;
    mbedtls_cipher_type_t cipher;
    unsigned key_size;
    int iterations;
};

static int enter(unsigned char **at, const unsigned char *end, const unsigned char **inner_end)
{
    size_t size;
    int tag = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    int result = mbedtls_asn1_get_tag(at, end, &size, tag);
    *inner_end = *at + (result == 0 ? size : 0);
    return result;
}

static int take(unsigned char **at, const unsigned char *end, int tag, mbedtls_asn1_buf *out)
{
    int result = mbedtls_asn1_get_tag(at, end, &out->len, tag);
    out->tag = tag;
    out->p = *at;
    *at += result == 0 ? out->len : 0;
    return result;
}

static bool is_oid(const mbedtls_asn1_buf *oid, const char *bytes, size_t size)
{
    return oid->len == size && memcmp(oid->p, bytes, size) == 0;
}

/* PBKDF2-params, RFC 8018 A.2. The default digest is SHA-1. */
static int take_derivation(unsigned char **at, const unsigned char *end, struct recipe *recipe)
{
    const unsigned char *inner, *params;
    mbedtls_asn1_buf oid, none;
    recipe->digest = MBEDTLS_MD_SHA1;
    int result = enter(at, end, &inner);
    result = result != 0 ? result : take(at, inner, MBEDTLS_ASN1_OID, &oid);
    if (result != 0 ||
        !is_oid(&oid, MBEDTLS_OID_PKCS5_PBKDF2, MBEDTLS_OID_SIZE(MBEDTLS_OID_PKCS5_PBKDF2))) {
        return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
    }
    result = enter(at, inner, &params);
    result = result != 0 ? result : take(at, params, MBEDTLS_ASN1_OCTET_STRING, &recipe->salt);
    result = result != 0 ? result : mbedtls_asn1_get_int(at, params, &recipe->iterations);
    if (result == 0 && *at < params && **at == MBEDTLS_ASN1_INTEGER) {
        result = take(at, params, MBEDTLS_ASN1_INTEGER, &none); /* the key's length, implied */
    }
    if (result == 0 && *at < params) {
        result = mbedtls_asn1_get_alg(at, params, &oid, &none);
        if (result == 0 && mbedtls_oid_get_md_hmac(&oid, &recipe->digest) != 0) {
            result = MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
        }
    }
    *at = (unsigned char *)(uintptr_t)inner;
    return result;
}

static int take_cipher(unsigned char **at, const unsigned char *end, struct recipe *recipe)
{
    static const struct {
        char oid[10]; /* 2.16.840.1.101.3.4.1.x: NIST's AES in CBC mode */
        mbedtls_cipher_type_t cipher;
        unsigned key_size;
    } ciphers[] = {
        {"\x60\x86\x48\x01\x65\x03\x04\x01\x02", MBEDTLS_CIPHER_AES_128_CBC, 16},
        {"\x60\x86\x48\x01\x65\x03\x04\x01\x16", MBEDTLS_CIPHER_AES_192_CBC, 24},
        {"\x60\x86\x48\x01\x65\x03\x04\x01\x2a", MBEDTLS_CIPHER_AES_256_CBC, 32},
    };
    const unsigned char *inner;
    mbedtls_asn1_buf oid;
    int result = enter(at, end, &inner);
    result = result != 0 ? result : take(at, inner, MBEDTLS_ASN1_OID, &oid);
    for (size_t i = 0; result == 0 && i < sizeof ciphers / sizeof ciphers[0]; i++) {
        if (is_oid(&oid, ciphers[i].oid, sizeof ciphers[i].oid - 1)) {
            recipe->cipher = ciphers[i].cipher;
            recipe->key_size = ciphers[i].key_size;
            result = take(at, inner, MBEDTLS_ASN1_OCTET_STRING, &recipe->vector);
            bool fits = result == 0 && recipe->vector.len == AES_BLOCK && *at == inner;
            return fits ? 0 : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
        }
    }
    return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
}

/* EncryptedPrivateKeyInfo, RFC 5958 3, with PBES2, RFC 8018 A.4. */
static int take_recipe(unsigned char *at, size_t size, struct recipe *recipe)
{
    const unsigned char *end = at + size, *whole, *scheme, *params;
    mbedtls_asn1_buf oid;
    int result = enter(&at, end, &whole);
    result = result != 0 ? result : enter(&at, whole, &scheme);
    result = result != 0 ? result : take(&at, scheme, MBEDTLS_ASN1_OID, &oid);
    if (result != 0 ||
        !is_oid(&oid, MBEDTLS_OID_PKCS5_PBES2, MBEDTLS_OID_SIZE(MBEDTLS_OID_PKCS5_PBES2))) {
        return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
    }
    result = enter(&at, scheme, &params);
    result = result != 0 ? result : take_derivation(&at, params, recipe);
    result = result != 0 ? result : take_cipher(&at, params, recipe);
    result = result != 0 ? result : take(&at, whole, MBEDTLS_ASN1_OCTET_STRING, &recipe->bytes);
    bool sane = result == 0 && recipe->bytes.len > 0 && recipe->bytes.len % AES_BLOCK == 0 &&
                recipe->bytes.len <= PLAIN_MAX && recipe->iterations > 0 &&
                recipe->iterations <= ITERATIONS_MAX;
    return sane ? 0 : result != 0 ? result : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
}

static int derive(const struct recipe *recipe, struct dun_span password, unsigned char *key)
{
    mbedtls_md_context_t digest;
    mbedtls_md_init(&digest);
    int result = mbedtls_md_setup(&digest, mbedtls_md_info_from_type(recipe->digest), 1);
    if (result == 0) {
        result = mbedtls_pkcs5_pbkdf2_hmac(&digest, password.data, password.size, recipe->salt.p,
                                           recipe->salt.len, (unsigned)recipe->iterations,
                                           recipe->key_size, key);
    }
    mbedtls_md_free(&digest);
    return result;
}

static int decrypt(const struct recipe *recipe, struct dun_span password, unsigned char *plain,
                   size_t *size)
{
    unsigned char key[AES_KEY_MAX];
    mbedtls_cipher_context_t cipher;
    mbedtls_cipher_init(&cipher);
    int result = derive(recipe, password, key);
    if (result == 0) {
        result = mbedtls_cipher_setup(&cipher, mbedtls_cipher_info_from_type(recipe->cipher));
    }
    if (result == 0) {
        result = mbedtls_cipher_setkey(&cipher, key, (int)recipe->key_size * 8, MBEDTLS_DECRYPT);
    }
    if (result == 0) {
        result = mbedtls_cipher_crypt(&cipher, recipe->vector.p, recipe->vector.len,
                                      recipe->bytes.p, recipe->bytes.len, plain, size);
    }
    mbedtls_cipher_free(&cipher);
    mbedtls_platform_zeroize(key, sizeof key);
    return result;
}

static int read_encrypted(mbedtls_pk_context *key, unsigned char *der, size_t size,
                          struct dun_span password)
{
    struct recipe recipe;
    unsigned char plain[PLAIN_MAX + AES_BLOCK];
    size_t plain_size = 0;
    int result = take_recipe(der, size, &recipe);
    if (result != 0 || password.size == 0) {
        return result != 0 ? result : MBEDTLS_ERR_PK_PASSWORD_REQUIRED;
    }
    result = decrypt(&recipe, password, plain, &plain_size);
    if (result == 0) {
        result = mbedtls_pk_parse_key(key, plain, plain_size, NULL, 0);
    }
    mbedtls_platform_zeroize(plain, sizeof plain);
    return result == 0 ? 0 : MBEDTLS_ERR_PK_PASSWORD_MISMATCH;
}

int dun_key_file_read(mbedtls_pk_context *key, const char *path, struct dun_span password)
{
    unsigned char *text;
    size_t size, used;
    mbedtls_pem_context pem;
    int result = mbedtls_pk_load_file(path, &text, &size);
    if (result != 0) {
        return result;
    }
    result = mbedtls_pk_parse_key(key, text, size, password.size > 0 ? password.data : NULL,
                                  password.size);
    mbedtls_pem_init(&pem);
    if (result != 0 && result != MBEDTLS_ERR_PK_PASSWORD_MISMATCH &&
        strstr((const char *)text, PEM_BEGIN) != NULL &&
        mbedtls_pem_read_buffer(&pem, PEM_BEGIN, PEM_END, text, NULL, 0, &used) == 0) {
        result = read_encrypted(key, pem.buf, pem.buflen, password);
    }
    mbedtls_pem_free(&pem);
    mbedtls_platform_zeroize(text, size);
    free(text);
    return result;
}
