/*
 * choice.h: which devices and metrics a person asked for, by shell patterns (* ? [a-z]). Several of
 * a kind: any of them. None: all.
 */
#ifndef DUN_CHOICE_H
#define DUN_CHOICE_H

#include "base.h"

#define DUN_CHOICE_PATTERNS_MAX 16

struct dun_patterns {
    const char *items[DUN_CHOICE_PATTERNS_MAX]; /* borrowed */
    size_t count;
};

struct dun_choice {
    struct dun_patterns devices;
    struct dun_patterns metrics;
};

/* False: there are DUN_CHOICE_PATTERNS_MAX already. */
bool dun_patterns_add(struct dun_patterns *patterns, const char *pattern);

/* Names longer than a record may have match nothing but the empty list. */
bool dun_patterns_match(const struct dun_patterns *patterns, struct dun_span name);

#endif
