/*
 * watch.h: the settings of `dunlin watch` and the parts it is made of: options, screen, verdict.
 */
#ifndef DUN_WATCH_H
#define DUN_WATCH_H

#include "broker_options.h"
#include "coverage.h"
#include "decoder.h"
#include "health.h"

/* The order of the table's rows. */
enum dun_sort { DUN_SORT_DEVICE, DUN_SORT_METRIC, DUN_SORT_TIME };

struct dun_watch_options {
    struct dun_broker_options broker;
    bool keep_session;
    int qos;
    uint64_t count;                         /* end after so many records; 0: never */
    uint64_t timeout_s;                     /* end after so many seconds; 0: never */
    const struct dun_render_format *format; /* NULL: by what stdout is */
    struct dun_choice choice;
    const char *listen; /* for Prometheus; NULL: no */
    enum dun_sort sort;
    uint64_t stale_s; /* a row without news for so long is marked */
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
struct dun_screen *dun_screen_open(struct dun_out *out, enum dun_sort sort); /* NULL: no memory */

/* `health` marks rows of devices that are offline or miss records; rows that heard nothing since
 * `stale_before_ms` of the clock of dun_screen_tell are stale. */
void dun_screen_redraw(struct dun_screen *screen, const char *footer,
                       const struct dun_health *health, int64_t stale_before_ms);

/* The time of what is rendered next. */
void dun_screen_tell(struct dun_screen *screen, int64_t now_ms);
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
