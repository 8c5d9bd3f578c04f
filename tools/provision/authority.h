/*
 * authority.h: the fleet's own certificate authority: it signs the broker and the members, and
 * lists what is revoked. Keys are EC P-256; they never leave the folder that they are made in.
 */
#ifndef DUN_PROVISION_AUTHORITY_H
#define DUN_PROVISION_AUTHORITY_H

#include <openssl/x509.h>

#include "files.h"

struct dun_authority {
    EVP_PKEY *key;
    X509 *certificate;
};

/*
 * Opens ca.key and ca.pem in `folder`, or makes what is not there, valid for `days`. False after a
 * line on stderr.
 */
bool dun_authority_open(struct dun_authority *authority, const char *folder, const char *fleet,
                        int days);
void dun_authority_close(struct dun_authority *authority);

/*
 * A new key and certificate for `name`. `host` is the broker's name or address, which clients
 * check; NULL: a client. The certificate is the later of the two on the disk.
 */
bool dun_authority_issue(const struct dun_authority *authority, const char *name, const char *host,
                         int days, const char *key_path, const char *certificate_path);

/* Whether the file holds a certificate of this authority, for `host` unless that is NULL, that is
 * good for 30 days more. */
bool dun_authority_signed(const struct dun_authority *authority, const char *certificate_path,
                          const char *host);

/* Adds a line to the list `revoked` of the authority's folder: the certificate's serial number. */
bool dun_authority_revoke(const char *folder, const char *certificate_path);

/* Writes the revocation list. It has no end before the authority's own: a broker refuses everybody
 * when its list is past it. */
bool dun_authority_write_list(const struct dun_authority *authority, const char *folder,
                              const char *list_path);

#endif
