/*
 * options.h: reads a command line: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, and arguments.
 * A wrong one gets its own line on stderr. It never reads the environment.
 */
#ifndef DUN_OPTIONS_H
#define DUN_OPTIONS_H

#include "tool.h"

#define DUN_OPTION_END      0
#define DUN_OPTION_ARGUMENT (-1) /* `value` is an argument, not an option */
#define DUN_OPTION_ERROR    (-2) /* a line was printed */

struct dun_option {
    int id;      /* above 0 */
    char letter; /* '\0': none */
    bool takes_value;
    const char *name; /* NULL: none */
};

struct dun_options {
    const char *command;            /* for messages: "dunlin decode" */
    const struct dun_option *table; /* ends with id 0 */
    int argc;
    char **argv;
    int next;
    const char *letters; /* rest of a bundle of letters */
    bool only_arguments; /* after -- */
};

/* The id of the next option, or one of the above. `value` is set where there is one. */
int dun_options_next(struct dun_options *options, const char **value);

/* A whole number of minimum..maximum; false after a line on stderr. */
bool dun_options_number(const struct dun_options *options, const char *name, const char *text,
                        uint64_t minimum, uint64_t maximum, uint64_t *number);

/* Prints "COMMAND: MESSAGE" and where the help is; returns DUN_EXIT_USAGE. */
int dun_usage_error(const char *command, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#endif
