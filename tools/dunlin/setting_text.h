/*
 * setting_text.h: settings of the remote configuration as a person writes and reads them:
 * KEY[@NAME]=VALUE, with durations, sizes and words where the wire has bare integers. Pure
 * functions on text.
 */
#ifndef DUN_SETTING_TEXT_H
#define DUN_SETTING_TEXT_H

#include "out.h"
#include "settings.h"

#define DUN_ASSIGNMENT_MAX 512 /* bytes of the text of one */

/* The spans of `setting` point into `text`. */
struct dun_assignment {
    struct dun_setting setting;
    bool remove; /* the value "default": the document shall not say anything of it */
    char text[DUN_ASSIGNMENT_MAX];
};

/*
 * Reads "interval@cpu = 10s", "low@hw.temperature{hw.id=die}=-5.5", "heartbeat@hw.*=none". False:
 * `why` says what is wrong with it.
 */
bool dun_assignment_parse(struct dun_assignment *assignment, const char *text, char why[160]);

/* Its value as such a text, "none" where it has none. Values of keys that are not known are plain
 * numbers. */
void dun_setting_print_value(struct dun_out *out, const struct dun_setting *setting);

/* What KEY[@NAME] is, for a table. */
void dun_setting_print_key(struct dun_out *out, const struct dun_setting *setting);

#endif
