/*
 * parse.h: one decoded message: a Batch, Samples, Catalog, About or Stored, checked against
 * SPEC.md. Strings are not copied: they point into the payload, which must outlive the
 * record's use. The lists are kept from one record to the next, so that a stream of records
 * allocates only while it grows.
 *
 * Hostile payloads are bounded: no list is longer than DUN_RECORD_ITEMS_MAX and none grows by what
 * a message claims, only by what it holds; rows are counted before they are expanded.
 */
#ifndef DUN_PARSE_H
#define DUN_PARSE_H

#include "telemetry.pb.h"
#include "tool.h"

/* A growing array; `items` is cast to the type that its comment names. */
struct dun_list {
    void *items;
    size_t count;
    size_t capacity;
};

struct dun_pair {
    struct dun_span key;
    struct dun_span value; /* an About's profile: no text, `number` */
    uint64_t number;
    bool has_number;
};

struct dun_axis {
    uint32_t count; /* rows */
    size_t first;   /* index of row 0 in struct dun_parsed.times */
    uint32_t first_ms;
    uint32_t interval_ms;
    bool coded;             /* by `coding` and `bits` instead of jitter */
    struct dun_span jitter; /* varints, `jitter_count` of them */
    size_t jitter_count;
    uint32_t coding;
    struct dun_span bits;
};

/* One Column message: one column, or with `codings` those of several metrics. */
struct dun_column {
    uint32_t metric;
    uint32_t axis;
    int64_t first;
    struct dun_span deltas; /* varints, `delta_count` of them */
    size_t delta_count;
    struct dun_span codings; /* varints, `coding_count` of them; none: `first` and deltas */
    size_t coding_count;
    struct dun_span bits;
};

/* Some rows of an axis. */
struct dun_rows {
    size_t first; /* index in struct dun_parsed.times */
    size_t count;
};

/* The points of one metric. */
struct dun_expanded {
    uint32_t metric;
    struct dun_rows rows;
    size_t values; /* index in struct dun_parsed.values, or if `real` in reals */
    bool real;
};

struct dun_metric_text {
    uint32_t id;
    int32_t exponent;
    uint32_t kind;
    struct dun_span name;
    struct dun_span unit;
    struct dun_span raw; /* the encoded Metric, as the hash wants it */
    size_t pair_first;   /* while parsing */
    size_t pair_count;
    const struct dun_pair *pairs; /* attributes */
    size_t state_first;           /* while parsing */
    size_t state_count;
    const struct dun_span *states; /* what the values 0, 1, 2 ... are called */
};

struct dun_sample {
    dunlin_v1_Sample message;
    struct dun_span device;
    struct dun_span metric;
    struct dun_span unit;
    struct dun_span state;
    size_t pair_first;
    size_t pair_count;
    const struct dun_pair *pairs;
};

struct dun_parsed {
    dunlin_v1_Batch batch; /* header; of Samples and Catalog the fields that they share */
    dunlin_v1_About about;
    struct dun_span device, fleet, board, firmware, encoding; /* of About */
    struct dun_list axes;                                     /* struct dun_axis */
    struct dun_list columns;                                  /* struct dun_column */
    struct dun_list losses;                                   /* dunlin_v1_Loss */
    struct dun_list anchors;                                  /* dunlin_v1_Anchor */
    struct dun_list metrics;                                  /* struct dun_metric_text */
    struct dun_list samples;                                  /* struct dun_sample */
    struct dun_list pairs;                                    /* struct dun_pair */
    struct dun_list states;                                   /* struct dun_span */
    struct dun_list expanded;                                 /* struct dun_expanded */
    struct dun_list sets;                                     /* struct dun_rows */
    struct dun_list times;                                    /* int64_t, uptimes of all rows */
    struct dun_list values;                                   /* int64_t */
    struct dun_list reals;                                    /* double */
    struct dun_list marks;  /* bool, which rows of the column at hand are exceptions */
    size_t points;          /* of all columns */
    size_t rows;            /* of all axes, and of the axis of each set once more */
    struct dun_list chunks; /* uint8_t, packed fields that came in more than one piece */
};

void dun_parsed_init(struct dun_parsed *record);
void dun_parsed_free(struct dun_parsed *record);

/*
 * Parses and checks one message, and expands the points of a batch. Returns 0, or
 * DUN_E_CORRUPT with `complaint` filled: nothing of the record may be used then.
 */
DUN_MUST_USE int dun_parse_batch(struct dun_parsed *record, struct dun_span payload,
                                 struct dun_complaint *complaint);
DUN_MUST_USE int dun_parse_samples(struct dun_parsed *record, struct dun_span payload,
                                   struct dun_complaint *complaint);
DUN_MUST_USE int dun_parse_catalog(struct dun_parsed *record, struct dun_span payload,
                                   struct dun_complaint *complaint);
DUN_MUST_USE int dun_parse_about(struct dun_parsed *record, struct dun_span payload,
                                 struct dun_complaint *complaint);
DUN_MUST_USE int dun_parse_stored(struct dun_parsed *record, struct dun_span payload,
                                  struct dun_complaint *complaint);

/* The usual Sample, quickly: `pairs` get its attributes. False: parse it in another way. */
bool dun_parse_sample(struct dun_span in, struct dun_sample *sample, struct dun_list *pairs);

/* A new zeroed item at the end of the list; NULL when the list is at its limit or memory is out. */
void *dun_list_add(struct dun_list *list, size_t item_size);

/* Makes room for `count` items; false when memory is out. */
bool dun_list_reserve(struct dun_list *list, size_t count, size_t item_size);

/* Valid UTF-8 without surrogates and overlong forms (RFC 3629). */
bool dun_text_is_utf8(struct dun_span text);

#endif
