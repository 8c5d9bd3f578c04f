/*
 * record.h: the settings of `dunlin record`, and which topics a recorder subscribes to.
 */
#ifndef DUN_RECORD_H
#define DUN_RECORD_H

#include "broker_options.h"

/* Five channels for each filter that was given. */
#define DUN_RECORD_FILTERS_MAX (5 * DUN_BROKER_FILTERS_MAX)

struct dun_record_options {
    struct dun_broker_options broker;
    const char *database;
    const char *database_password_file;
    char database_password[DUN_BROKER_TEXT_MAX];
    const char *share; /* a group of recorders; NULL: alone */
    char client_id[300];
    char *filters[DUN_RECORD_FILTERS_MAX]; /* malloc */
    size_t filter_count;
    bool clean;         /* a session that ends with the connection */
    uint16_t window;    /* messages that the broker may send ahead of their PUBACKs */
    uint64_t count;     /* end after so many records; 0: never */
    uint64_t timeout_s; /* end after so many seconds; 0: never */
    bool mute;          /* publish no cursors */
    bool verbose, quiet, ended;
};

struct dun_ingest_totals;
struct dun_store;

/* Fills `options` from environment and command line. 0, or an exit code after a line on stderr. */
int dun_record_parse(struct dun_record_options *options, int argc, char **argv);
void dun_record_options_free(struct dun_record_options *options);

/*
 * Turns the filters of `broker`, each PREFIX/FLEET/DEVICE with wildcards and maybe /CHANNEL, into
 * one for each channel that is recorded. 0, or an exit code after a line on stderr.
 */
int dun_record_filters(struct dun_record_options *options, const struct dun_options *line);

/* Stores what comes until it is told to end, by a signal or the options. Returns an exit code,
 * after lines on stderr that begin with `command`. */
int dun_record_into(const struct dun_record_options *options, struct dun_store *store,
                    const char *command, struct dun_ingest_totals *totals);

/* A database's name on the command line must not hold a password: every user could read it. */
bool dun_database_tells_password(const char *name);

#endif
