/*
 * fleet.h: the folder of a fleet: what all its members share (fleet.ini) and who they are, a folder
 * each. The folders are the truth; the broker's files are made from them.
 *
 *     fleet.ini            what was asked for when the fleet was made
 *     ca/                  the authority: ca.key, ca.pem, revoked
 *     broker/              mosquitto.conf, acl, passwords, server.pem, server.key, revoked.pem
 *     devices/ID/          dunlind.ini, ca.pem and mqtt-password, or device.pem and device.key;
 *                          card.block for boards that read one
 *     users/NAME/          role, and credentials as those of a device
 */
#ifndef DUN_PROVISION_FLEET_H
#define DUN_PROVISION_FLEET_H

#include "authority.h"

#define DUN_NAME_SIZE 65

enum dun_credentials { DUN_CREDENTIALS_PASSWORD, DUN_CREDENTIALS_CERTIFICATE };

struct dun_fleet {
    const char *folder;
    char fleet[DUN_NAME_SIZE];
    char prefix[DUN_NAME_SIZE];
    char host[254];          /* of the broker: a name or an address */
    char listen[254];        /* the address it listens on; empty: all */
    char device_folder[200]; /* where a device keeps its credentials */
    char broker_folder[200]; /* where the broker keeps its files */
    unsigned port;           /* TLS */
    unsigned plain_port;     /* for boards without TLS; 0: none */
    enum dun_credentials credentials;
    int days; /* that certificates are good for */
    struct dun_authority authority;
};

/* What a value of fleet.ini or an option sets; false: no such key, or not a value of it. */
bool dun_fleet_set(struct dun_fleet *fleet, const char *key, const char *value);

/* The keys, in the order of the file; ends with NULL. */
extern const char *const dun_fleet_keys[];

/*
 * Reads FOLDER/fleet.ini over what is set. False after a line on stderr. `exists` tells whether the
 * file is there; without it nothing is changed.
 */
bool dun_fleet_read(struct dun_fleet *fleet, bool *exists);

/* Writes fleet.ini, if it does not say so already. */
bool dun_fleet_write(const struct dun_fleet *fleet);

/* A device id, and one that a folder can have: neither . nor .. */
bool dun_fleet_name_ok(const char *name);

#endif
