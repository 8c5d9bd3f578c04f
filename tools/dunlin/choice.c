/* choice.c: see choice.h. */
#include "choice.h"

#include <fnmatch.h>
#include <string.h>

#include "tool.h"

bool dun_patterns_add(struct dun_patterns *patterns, const char *pattern)
{
    if (patterns->count == DUN_CHOICE_PATTERNS_MAX) {
        return false;
    }
    patterns->items[patterns->count++] = pattern;
    return true;
}

bool dun_patterns_match(const struct dun_patterns *patterns, struct dun_span name)
{
    char text[DUN_METRIC_BYTES_MAX + 1];
    if (patterns->count == 0) {
        return true;
    }
    if (name.size >= sizeof text) {
        return false;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    for (size_t i = 0; i < patterns->count; i++) {
        if (fnmatch(patterns->items[i], text, 0) == 0) {
            return true;
        }
    }
    return false;
}
