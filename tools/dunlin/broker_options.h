/*
 * broker_options.h: how a command reaches its broker: the part of the command line that all of
 * them share, with mosquitto's letters. Secrets come from files, never from argv, where every
 * user of the machine can read them.
 */
#ifndef DUN_BROKER_OPTIONS_H
#define DUN_BROKER_OPTIONS_H

#include "options.h"

#define DUN_BROKER_FILTERS_MAX 16
#define DUN_BROKER_TEXT_MAX    1024

struct dun_broker_options {
    char host[256];
    uint16_t port; /* 0 until dun_broker_finish */
    bool named;    /* -L or -h was given */
    bool tls;
    char url_filter[DUN_BROKER_TEXT_MAX];
    char url_user[256];
    const char *filters[DUN_BROKER_FILTERS_MAX];
    size_t filter_count;
    const char *username;
    const char *password_file;
    char password[DUN_BROKER_TEXT_MAX];
    const char *client_id;
    int keepalive_s;
    int version; /* 3, 4 or 5, as the protocol counts: 3.1, 3.1.1, 5 */
    const char *cafile, *capath, *cert, *key, *alpn, *psk_identity, *psk_file;
    char psk[DUN_BROKER_TEXT_MAX];
};

enum dun_broker_option {
    DUN_BROKER_URL = 1000, /* a command numbers its own options below */
    DUN_BROKER_HOST,
    DUN_BROKER_PORT,
    DUN_BROKER_TOPIC,
    DUN_BROKER_USERNAME,
    DUN_BROKER_PASSWORD,
    DUN_BROKER_PASSWORD_FILE,
    DUN_BROKER_ID,
    DUN_BROKER_KEEPALIVE,
    DUN_BROKER_PROTOCOL,
    DUN_BROKER_CAFILE,
    DUN_BROKER_CAPATH,
    DUN_BROKER_CERT,
    DUN_BROKER_KEY,
    DUN_BROKER_ALPN,
    DUN_BROKER_PSK,
    DUN_BROKER_PSK_IDENTITY,
    DUN_BROKER_PSK_FILE,
    DUN_BROKER_OPTION_END,
};

/* Rows of a command's table of options. */
#define DUN_BROKER_ROWS                                                                            \
    {DUN_BROKER_URL, 'L', true, "url"}, {DUN_BROKER_HOST, 'h', true, "host"},                      \
        {DUN_BROKER_PORT, 'p', true, "port"}, {DUN_BROKER_TOPIC, 't', true, "topic"},              \
        {DUN_BROKER_USERNAME, 'u', true, "username"}, {DUN_BROKER_PASSWORD, 'P', true, "pw"},      \
        {DUN_BROKER_PASSWORD_FILE, '\0', true, "password-file"}, {DUN_BROKER_ID, 'i', true, "id"}, \
        {DUN_BROKER_KEEPALIVE, 'k', true, "keepalive"},                                            \
        {DUN_BROKER_PROTOCOL, 'V', true, "protocol-version"},                                      \
        {DUN_BROKER_CAFILE, '\0', true, "cafile"}, {DUN_BROKER_CAPATH, '\0', true, "capath"},      \
        {DUN_BROKER_CERT, '\0', true, "cert"}, {DUN_BROKER_KEY, '\0', true, "key"},                \
        {DUN_BROKER_ALPN, '\0', true, "tls-alpn"}, {DUN_BROKER_PSK, '\0', true, "psk"},            \
        {DUN_BROKER_PSK_IDENTITY, '\0', true, "psk-identity"},                                     \
    {                                                                                              \
        DUN_BROKER_PSK_FILE, '\0', true, "psk-file"                                                \
    }

/* Their lines of --help. */
extern const char dun_broker_help[];

/* The environment (DUNLIN_HOST ...) and defaults. 0, or an exit code after a line on stderr. */
int dun_broker_begin(struct dun_broker_options *options, const struct dun_options *line);

/* Takes one option of enum dun_broker_option. 0, or DUN_EXIT_USAGE after a line on stderr. */
int dun_broker_set(struct dun_broker_options *options, const struct dun_options *line, int id,
                   const char *value);

/* After the last one: what must fit together, ports, secrets from their files. `filter` is the
 * filter where none was given. 0, or an exit code after a line on stderr. */
int dun_broker_finish(struct dun_broker_options *options, const struct dun_options *line,
                      const char *filter);

/* The value of an option that must not be empty. 0, or DUN_EXIT_USAGE after a line. */
int dun_option_text(const struct dun_options *line, int id, const char **text, const char *value);

/* The first line of a secret's file, of `room` bytes at most. 0, or an exit code after a line. */
int dun_secret_read(const struct dun_options *line, const char *path, char *secret, size_t room);

#endif
