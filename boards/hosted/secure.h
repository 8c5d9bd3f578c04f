/*
 * secure.h: what the daemon makes of [tls], whichever library does it: the secrets from their
 * files, the time below which the clock cannot be right, and the words for what went wrong.
 */
#ifndef DUN_HOSTED_SECURE_H
#define DUN_HOSTED_SECURE_H

#include "config.h"
#include "say.h"
#include "tls_config.h"

#define DUN_SECURE_PATH_MAX (DUN_TEXT_MAX + 32)

struct dun_secure {
    struct dun_tls_config tls;
    uint8_t psk[DUN_TLS_PSK_MAX];
    uint8_t key_password[DUN_TEXT_MAX];
    char key_file[DUN_SECURE_PATH_MAX];
    char known_path[DUN_SECURE_PATH_MAX]; /* of the file that keeps the last time known */
    dun_ms saved_ms;                      /* what that file holds */
};

/*
 * Reads a secret from the file that the configuration names (`asked`) or, if it names none, from
 * the credential `name` that systemd placed. Returns its size, DUN_E_NOT_FOUND if there is neither,
 * or an error that was told: `unusable` with the path; `exposed` warns that others may read it.
 */
DUN_MUST_USE int dun_secure_secret(const char *asked, const char *name, struct dun_buffer out,
                                   const char *unusable, const char *exposed);

/* The rest, by address: nothing of it is linked into a build without TLS. */
struct dun_secure_calls {
    /* Fills `secure->tls` by the configuration, which it borrows and which asks for TLS. 0, or an
     * error that was told. */
    int (*begin)(struct dun_secure *secure, const struct dun_config *config);
    /*
     * A connection stands: if a certificate was found good, the time at which it was is kept in the
     * state folder, at most once an hour, and no clock that is behind it is believed any more.
     */
    void (*keep_time)(struct dun_secure *secure, const struct dun_tls_report *report,
                      dun_ms unix_ms);
    /* Adds what the report knows to a line about a connection that failed, or that stands. */
    void (*say_trouble)(struct dun_say *say, const struct dun_tls_report *report);
    void (*say_up)(struct dun_say *say, const struct dun_tls_report *report);
};
extern const struct dun_secure_calls dun_secure_calls;

#endif
