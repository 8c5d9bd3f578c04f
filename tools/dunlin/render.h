/*
 * render.h: how points and notes are written: json, csv, influx, table, or not at all. A renderer
 * gets a series at a time (the points of one column), so that what is common to its points is
 * written once and copied.
 */
#ifndef DUN_RENDER_H
#define DUN_RENDER_H

#include "choice.h"
#include "out.h"
#include "parse.h"

/* Points of one metric from one record. */
struct dun_series {
    struct dun_span device;
    struct dun_span metric;
    struct dun_span unit;
    bool named;                   /* false: no dictionary, `metric` is #id, there is no unit */
    const struct dun_pair *pairs; /* attributes */
    size_t pair_count;
    size_t count;
    const int64_t *values;         /* scaled integers, or */
    const double *reals;           /* doubles, if not NULL */
    struct dun_span state;         /* what its only value is called, or */
    const struct dun_span *states; /* what the integers 0, 1, 2 ... are called */
    size_t state_count;
    int32_t exponent;
    const int64_t *uptimes; /* ms; only an origin for `offset_ms` if not has_uptime */
    bool has_uptime;
    bool has_time;
    int64_t offset_ms; /* time = uptime + offset_ms, if has_time */
    bool has_boot;
    uint32_t boot;
    bool has_stream;
    uint64_t stream;
    bool has_sequence;
    uint64_t sequence;
};

enum dun_cell_kind {
    DUN_CELL_NULL,
    DUN_CELL_NUMBER,
    DUN_CELL_SIGNED,
    DUN_CELL_HEX8,
    DUN_CELL_HEX16,
    DUN_CELL_TEXT,
    DUN_CELL_BOOL,
    DUN_CELL_PAIRS, /* an object */
    DUN_CELL_TEXTS, /* a list */
};

struct dun_cell {
    const char *key;
    enum dun_cell_kind kind;
    uint64_t number;
    struct dun_span text;
    const struct dun_pair *pairs;
    size_t pair_count;
    const struct dun_span *texts;
    size_t text_count;
};

/* Whatever is not a point: a loss, an anchor, a metric ... (SPEC.md, JSON lines). */
struct dun_note {
    const char *type;
    size_t count;
    struct dun_cell cells[12];
};

struct dun_renderer;

struct dun_render_format {
    const char *name;
    void (*head)(struct dun_renderer *renderer); /* NULL: none */
    void (*series)(struct dun_renderer *renderer, const struct dun_series *series);
    void (*note)(struct dun_renderer *renderer,
                 const struct dun_note *note); /* NULL: not written */
};

struct dun_renderer {
    const struct dun_render_format *format;
    struct dun_out *out;
    uint64_t points;  /* written */
    uint64_t omitted; /* points that the format cannot carry: no date, no name, not finite */
    uint64_t notes;
    const struct dun_patterns *metrics; /* those that are written; NULL: all */
    struct dun_out prefix; /* what the points of a series have in common, before and after */
    struct dun_out suffix;
};

/* The format of that name, or NULL. */
const struct dun_render_format *dun_render_find(const char *name);

/* Writes the head. `out` stays borrowed. */
void dun_render_begin(struct dun_renderer *renderer, const struct dun_render_format *format,
                      struct dun_out *out);
void dun_render_series(struct dun_renderer *renderer, const struct dun_series *series);
void dun_render_note(struct dun_renderer *renderer, const struct dun_note *note);

/* For the formats: room for `size` bytes in one piece in `out`, at most DUN_OUT_SIZE. */
uint8_t *dun_out_room(struct dun_out *out, size_t size);

/* Text that cannot steer a terminal: control characters become '?'. */
void dun_out_plain(struct dun_out *out, struct dun_span text);

/* The value of point `index`, as JSON and CSV write it. False: not finite. */
bool dun_render_value(struct dun_out *out, const struct dun_series *series, size_t index);

/* NaN, Infinity or -Infinity; NULL: a number. */
const char *dun_render_special(const struct dun_series *series, size_t index);

/* The value for a person: its name, if it has one. */
void dun_render_words(struct dun_out *out, const struct dun_series *series, size_t index);

/* What the value is called; nothing (no data): it has no name. */
struct dun_span dun_render_state(const struct dun_series *series, size_t index);

extern const struct dun_render_format dun_render_json;
extern const struct dun_render_format dun_render_csv;
extern const struct dun_render_format dun_render_influx;
extern const struct dun_render_format dun_render_delimited;
extern const struct dun_render_format dun_render_table;
extern const struct dun_render_format dun_render_none;

#endif
