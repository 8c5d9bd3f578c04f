/*
 * watch.h: the settings of `dunlin watch` and the parts it is made of: options, screen, verdict.
 */
#ifndef DUN_WATCH_H
#define DUN_WATCH_H

#include "coverage.h"
#include "decoder.h"

#define DUN_WATCH_FILTERS_MAX 16
#define DUN_WATCH_TEXT_MAX    1024

struct dun_watch_options {
    char host[256];
    uint16_t port; /* 0: 1883, or 8883 with TLS */
    bool tls;
    char url_filter[DUN_WATCH_TEXT_MAX];
    char url_user[256];
    const char *filters[DUN_WATCH_FILTERS_MAX];
    size_t filter_count;
    const char *username;
    const char *password_file;
    char password[DUN_WATCH_TEXT_MAX];
    const char *client_id;
    bool keep_session;
    int qos;
    int keepalive_s;
    int version; /* 3, 4 or 5, as the protocol counts: 3.1, 3.1.1, 5 */
    const char *cafile, *capath, *cert, *key, *alpn, *psk_identity, *psk_file;
    char psk[DUN_WATCH_TEXT_MAX];
    uint64_t count;                         /* end after so many records; 0: never */
    uint64_t timeout_s;                     /* end after so many seconds; 0: never */
    const struct dun_render_format *format; /* NULL: by what stdout is */
    bool verbose;
    bool quiet;   /* nothing on stderr but errors */
    bool verdict; /* the closing summary as JSON on stdout */
    bool ended;   /* --help or --version was printed */
};

/* Fills `options` from environment and command line. 0, or an exit code after a line on stderr. */
int dun_watch_parse(struct dun_watch_options *options, int argc, char **argv);

/* A table on a terminal, redrawn in place. It is a render format: points update its rows. */
extern const struct dun_render_format dun_render_screen;
struct dun_screen;
struct dun_screen *dun_screen_open(struct dun_out *out); /* NULL: out of memory */
void dun_screen_redraw(struct dun_screen *screen, const char *footer);
void dun_screen_close(struct dun_screen *screen); /* gives the terminal back */

/* Totals of all streams. */
struct dun_totals {
    uint64_t streams, records, points, duplicates, altered, lost, lost_points, missing;
    bool complete;
};
struct dun_totals dun_verdict_total(const struct dun_coverage *streams);

/* The closing summary: lines for people, or one JSON object. `rejected` counts refused payloads. */
void dun_verdict_text(struct dun_out *out, const struct dun_coverage *streams, uint64_t rejected);
void dun_verdict_json(struct dun_out *out, const struct dun_coverage *streams, uint64_t rejected);

#endif
