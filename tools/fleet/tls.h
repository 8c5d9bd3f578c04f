/*
 * tls.h: TLS of simulated devices: one set of credentials, a session a device. tls.c has Mbed
 * TLS, tls_none.c refuses.
 */
#ifndef DUN_FLEET_TLS_H
#define DUN_FLEET_TLS_H

#include "link.h"
#include "tls_config.h"

/* Bytes of a device's image. */
size_t dun_fleet_tls_size(void);

/* Reads the files of `config`. NULL, or a line that says what is wrong. */
const char *dun_fleet_tls_load(const struct dun_tls_config *config);
void dun_fleet_tls_unload(void);

/* The bytes of a key in hexadecimal, DUN_TLS_PSK_MAX at most; 0: it is none. */
size_t dun_fleet_tls_psk(const char *hex, uint8_t *psk);

/* Wraps `below` by what lies in `memory`; the link to use. */
const struct dun_link *dun_fleet_tls_wrap(void *memory, const struct dun_link *below);

/* Gives back what a device holds on the heap. */
void dun_fleet_tls_free(void *memory);

#endif
