/*
 * tool.h: what every subcommand of `dunlin` shares: exit codes, limits, and the entry points.
 */
#ifndef DUN_TOOL_H
#define DUN_TOOL_H

#include "base.h"

/* The documented table of tools/README.md. */
enum dun_exit {
    DUN_EXIT_OK = 0,
    DUN_EXIT_RUNTIME = 1,
    DUN_EXIT_USAGE = 2,
    DUN_EXIT_UNREACHABLE = 3,
    DUN_EXIT_REFUSED = 4,
    DUN_EXIT_TLS = 5,
    DUN_EXIT_DATA = 6,
    DUN_EXIT_INCOMPLETE = 7,
    DUN_EXIT_DATABASE = 8,
    DUN_EXIT_DIFFERS = 9,
};

/* Limits of SPEC.md: a record beyond them is refused. */
#define DUN_RECORD_BYTES_MAX ((size_t)16 << 20)
#define DUN_RECORD_ITEMS_MAX ((size_t)1 << 16) /* rows, points, or entries of any list */
#define DUN_METRIC_BYTES_MAX ((size_t)1024)    /* of an encoded Metric or Sample */
#define DUN_MS_MAX           (((int64_t)1 << 53) - 1)

/* Why a record was refused, and where in it. */
struct dun_complaint {
    char text[160];
    size_t offset; /* bytes into the record */
};

/* Each gets argv without the program's name and returns an enum dun_exit. */
int dun_audit_main(int argc, char **argv);
int dun_config_main(int argc, char **argv);
int dun_decode_main(int argc, char **argv);
int dun_log_main(int argc, char **argv);
int dun_plot_main(int argc, char **argv);
int dun_provision_main(int argc, char **argv);
int dun_record_main(int argc, char **argv);
int dun_simulate_main(int argc, char **argv); /* on Linux */
int dun_watch_main(int argc, char **argv);

#endif
