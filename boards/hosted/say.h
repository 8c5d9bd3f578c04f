/*
 * say.h: log lines for people and journals: logfmt on stderr, one write a line, no heap.
 *
 *     ts=2026-01-31T12:00:00.000Z level=warning msg="broker lost" reason=closed retry_ms=812
 *
 * Under systemd (stderr is the journal) a line begins with its priority ("<4>") instead of the
 * time, which the journal knows. The same line again and again - same message and same words,
 * numbers may differ - is held back after DUN_SAY_BURST in a minute; the next one that gets
 * through, or a line at the end of the minute, tells how many were `suppressed`.
 */
#ifndef DUN_HOSTED_SAY_H
#define DUN_HOSTED_SAY_H

#include "base.h"

#define DUN_SAY_LINE_MAX   512
#define DUN_SAY_BURST      3
#define DUN_SAY_PERIOD_MS  60000
#define DUN_SAY_REMEMBERED 16 /* different lines that are counted apart */

enum dun_say_level { /* the values of syslog */
                     DUN_SAY_ERROR = 3,
                     DUN_SAY_WARNING = 4,
                     DUN_SAY_INFO = 6,
                     DUN_SAY_DEBUG = 7,
};

/* A line under construction. A field that no longer fits is left out and the line ends in "...". */
struct dun_say {
    enum dun_say_level level;
    const char *message;
    uint32_t hash; /* of the message and the words */
    uint16_t size;
    bool cut;
    char text[DUN_SAY_LINE_MAX];
};

/* Lines above `level` are not written. `journal`: priority instead of time, see above. */
void dun_say_setup(int fd, enum dun_say_level level, bool journal);

/* True if file descriptor `fd` is the journal's, by $JOURNAL_STREAM. */
bool dun_say_is_journal(int fd);

/* `message` is a literal: it is kept for the summary. */
void dun_say_begin(struct dun_say *say, enum dun_say_level level, const char *message);
void dun_say_text(struct dun_say *say, const char *key, const char *value);
void dun_say_number(struct dun_say *say, const char *key, int64_t value);

/* Writes the line unless it is held back. `now` only paces; `unix_ms` is the time shown. */
void dun_say_end(struct dun_say *say, dun_ms now, dun_ms unix_ms);

/* Writes a line for each message held back whose minute is over. Call now and then. */
void dun_say_flush(dun_ms now, dun_ms unix_ms);

/* The word for an enum dun_error: "timeout". */
const char *dun_say_error(int error);

#endif
