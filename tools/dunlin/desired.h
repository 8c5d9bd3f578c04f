/*
 * desired.h: the two messages of the remote configuration as a reader has them: Config, what a
 * device shall do, and ConfigReport, what it made of that. Both are hostile bytes: a message is
 * checked whole before anything of it is used.
 */
#ifndef DUN_DESIRED_H
#define DUN_DESIRED_H

#include "parse.h"
#include "remote.h"
#include "setting_text.h"

#define DUN_DESIRED_MAX 65535 /* bytes of a document */

/* What a device says of one setting. */
struct dun_reported {
    struct dun_setting setting;
    uint64_t verdict;  /* enum dun_outcome, or one that we do not know */
    int64_t low, high; /* with DUN_OUTCOME_OUT_OF_RANGE */
};

struct dun_config_report {
    uint64_t version, running, refused; /* 0: absent */
    uint64_t state, refusal;            /* enum dun_remote_state, dun_remote_refusal */
    uint64_t size_max;
    bool fleeting;
    size_t good, bad;         /* settings that were applied, that were not */
    struct dun_span outcomes; /* for dun_reported_next */
};

/* False: it cannot be read to its end. The payload is borrowed. */
bool dun_report_parse(struct dun_config_report *report, struct dun_span payload);

/* Takes the next one off the front; false: none is left. */
bool dun_reported_next(struct dun_span *outcomes, struct dun_reported *reported);

/* Small words for the enums; "?" for what is not known. */
const char *dun_verdict_word(uint64_t verdict);
const char *dun_state_word(uint64_t state);
const char *dun_refusal_word(uint64_t refusal);

/*
 * Writes document `version`: the settings of `old` (empty, or one that was checked) that no
 * assignment names, and those of the assignments. They are sorted, names that are for fewer behind
 * those for more, since of two settings the later one holds. Returns its size, 0 if it is larger
 * than `to`.
 */
size_t dun_desired_write(struct dun_buffer to, uint64_t version, struct dun_span old,
                         struct dun_assignment *const *assignments, size_t count);

/* True if both have the same settings in the same order, whatever the versions. */
bool dun_desired_same(struct dun_span a, struct dun_span b);

/* JSON lines of SPEC.md. False: the payload was refused, and nothing was printed. */
typedef bool (*dun_desired_reader)(struct dun_out *out, struct dun_span device,
                                   struct dun_span payload);
bool dun_desired_json(struct dun_out *out, struct dun_span device, struct dun_span payload);
bool dun_report_json(struct dun_out *out, struct dun_span device, struct dun_span payload);

#endif
