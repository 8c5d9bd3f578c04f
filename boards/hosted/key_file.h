/*
 * key_file.h: a private key from a PEM file, encrypted or not. Mbed TLS 2.28 reads them all but the
 * form that openssl writes by default today, PKCS #8 encrypted with AES (RFC 8018), which is read
 * here. Needs Mbed TLS; linked by tls_host.c only.
 */
#ifndef DUN_HOSTED_KEY_FILE_H
#define DUN_HOSTED_KEY_FILE_H

#include <mbedtls/pk.h>

#include "base.h"

/*
 * Reads `path` into `key`, which the caller has initialised. `password` of size 0: none. Returns 0
 * or the library's code: MBEDTLS_ERR_PK_PASSWORD_REQUIRED, MBEDTLS_ERR_PK_PASSWORD_MISMATCH,
 * MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE (a cipher that is not known), MBEDTLS_ERR_PK_FILE_IO_ERROR ...
 * What was decrypted on the way is wiped.
 */
DUN_MUST_USE int dun_key_file_read(mbedtls_pk_context *key, const char *path,
                                   struct dun_span password);

#endif
