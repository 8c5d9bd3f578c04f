/*
 * member.h: a device or a user of the fleet: a folder with what it needs to reach the broker.
 * Secrets are made here and nowhere else, in files of mode 0600.
 */
#ifndef DUN_PROVISION_MEMBER_H
#define DUN_PROVISION_MEMBER_H

#include "fleet.h"

/* What a member may do on the broker. */
enum dun_role {
    DUN_ROLE_DEVICE,   /* its own topics */
    DUN_ROLE_READER,   /* reads the fleet */
    DUN_ROLE_RECORDER, /* reads the fleet, writes the cursors of what it stored */
    DUN_ROLE_OPERATOR, /* reads the fleet, writes remote configuration */
    DUN_ROLE_COUNT,
};

/* The role's name, as in users/NAME/role. */
extern const char *const dun_role_names[DUN_ROLE_COUNT];

/*
 * Makes the member, or what of it is not there; what is there stays as it is. `made` tells whether
 * credentials are new. False after a line on stderr.
 */
bool dun_member_make(const struct dun_fleet *fleet, const char *name, enum dun_role role,
                     bool *made);

/* New credentials; the old ones end when the broker has read its files again. */
bool dun_member_rotate(const struct dun_fleet *fleet, const char *name);

/* Ends the credentials and removes the member's folder. */
bool dun_member_revoke(const struct dun_fleet *fleet, const char *name);

/* The members of a role's folder, sorted; the caller frees the list and its names. -1 after a line
 * on stderr. */
int dun_member_list(const struct dun_fleet *fleet, bool users, char ***names);

/* The role of a user; false after a line on stderr. */
bool dun_member_role(const struct dun_fleet *fleet, const char *name, enum dun_role *role);

/* The path of a file of a member. */
bool dun_member_path(char path[DUN_PATH_MAX], const struct dun_fleet *fleet, bool user,
                     const char *name, const char *file);

#endif
