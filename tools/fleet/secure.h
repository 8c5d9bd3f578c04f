/*
 * secure.h: TLS of simulated devices: one set of credentials, a session a device. secure.c has Mbed
 * TLS, secure_none.c refuses.
 */
#ifndef DUN_FLEET_SECURE_H
#define DUN_FLEET_SECURE_H

#include "link.h"
#include "tls_config.h"

/* Bytes of a device's image. */
size_t dun_secure_size(void);

/* Reads the files of `config`. NULL, or a line that says what is wrong. */
const char *dun_secure_load(const struct dun_tls_config *config);
void dun_secure_unload(void);

/* Wraps `below` by what lies in `memory`; the link to use. */
const struct dun_link *dun_secure_wrap(void *memory, const struct dun_link *below);

/* Gives back what a device holds on the heap. */
void dun_secure_free(void *memory);

#endif
