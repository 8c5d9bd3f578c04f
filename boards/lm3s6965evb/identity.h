/*
 * identity.h: who this device is, from the provisioning block that tools/make_card writes, to its
 * card or its flash: text of `key=value` lines behind a head with a magic, a size and a CRC-32C.
 */
#ifndef DUN_LM3S_IDENTITY_H
#define DUN_LM3S_IDENTITY_H

#include "base.h"

#define DUN_IDENTITY_SIZE 2048u /* of the block, bytes */

struct dun_identity {
    char device[65], fleet[65], host[65], user[65], password[65];
    char ntp[65]; /* time server; empty: the one that DHCP names */
    uint16_t port;
    uint16_t keepalive_s;
    uint32_t address, mask, gateway; /* network order; 0: ask DHCP */
    uint32_t dns;                    /* the same; 0: the one that DHCP names */
    uint32_t log_kib;                /* of the card that the log may use */
    bool ack_stored;                 /* records are free when the far end has stored them */
    uint32_t stored_wait_ms;         /* then: publish again what is not stored after; 0: 60 s */
    uint32_t interval_ms;            /* between two readings of the sensors */
    uint32_t batch_age_ms;           /* how long a sample may wait in RAM */
    uint32_t reconnect_max_ms;       /* longest wait between two tries to connect */
    uint8_t hardware[6];
    bool remote; /* documents of the remote configuration are taken */
};

/* A device that nobody named yet: it samples, and has no broker. */
void dun_identity_default(struct dun_identity *identity);

/*
 * Reads the block, and writes in it. DUN_E_NOT_FOUND: it is none; DUN_E_CORRUPT: it fails its
 * check; DUN_E_INVALID: a key or value in it, which `*what` names as long as the block is there.
 */
DUN_MUST_USE int dun_identity_parse(struct dun_identity *identity,
                                    uint8_t block[DUN_IDENTITY_SIZE + 1], const char **what);

#endif
