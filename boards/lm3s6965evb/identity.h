/*
 * identity.h: who this device is, from the provisioning block on its card: sectors 0 to 3, written
 * by tools/make_card. Text of `key=value` lines behind a head with a magic, a size and a CRC-32C.
 */
#ifndef DUN_LM3S_IDENTITY_H
#define DUN_LM3S_IDENTITY_H

#include "base.h"

#define DUN_IDENTITY_SECTORS 4u /* at the beginning of the card; the counter of boots follows */

struct dun_identity {
    char device[65], fleet[65], host[65], user[65], password[65];
    char ntp[65]; /* time server; empty: the one that DHCP names */
    uint16_t port;
    uint16_t keepalive_s;
    uint32_t address, mask, gateway; /* network order; 0: ask DHCP */
    uint32_t dns;                    /* the same; 0: the one that DHCP names */
    uint32_t log_kib;                /* of the card that the log may use */
    uint32_t interval_ms;            /* between two readings of the sensors */
    uint32_t batch_age_ms;           /* how long a sample may wait in RAM */
    uint32_t reconnect_max_ms;       /* longest wait between two tries to connect */
    uint8_t hardware[6];
    bool remote; /* documents of the remote configuration are taken */
};

/* A device that nobody named yet: it samples, and has no broker. */
void dun_identity_default(struct dun_identity *identity);

/*
 * Reads the block. DUN_E_NOT_FOUND: the card has none; DUN_E_CORRUPT: it fails its check;
 * DUN_E_INVALID: a key or value in it, which `*what` names; or what the card said.
 */
DUN_MUST_USE int dun_identity_read(struct dun_identity *identity, const char **what);

/* Counts this boot on the card and returns the count; without a card: 0. */
uint32_t dun_identity_count_boot(void);

#endif
