/*
 * main.c: the `dunlin` command: finds the subcommand and hands over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct subcommand subcommands[] = {
    {"audit", dun_audit_main, "prove what of a fleet's records is there, missing or lost"},
    {"config", dun_config_main, "read and write the configuration of devices"},
    {"decode", dun_decode_main, "read recorded batches and print their points"},
    {"log", dun_log_main, "look into the log of a device"},
    {"plot", dun_plot_main, "draw metrics of a database or a capture as SVG"},
    {"provision", dun_provision_main, "make a fleet: devices, credentials, the broker's files"},
    {"record", dun_record_main, "store what a fleet publishes in SQLite or PostgreSQL"},
#ifdef DUN_HAS_SIMULATE
    {"simulate", dun_simulate_main, "run a fleet of devices against a broker, and audit it"},
#endif
    {"watch", dun_watch_main, "subscribe to a fleet and show its points as they arrive"},
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "dunlin: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static int help(void)
{
    puts("usage: dunlin COMMAND [OPTIONS]\n"
         "\n"
         "What a person at a desk needs for a fleet of dunlin devices.\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        printf("  %-9s %s\n", subcommands[i].name, subcommands[i].summary);
    }
    puts("\n"
         "  --help, --version; dunlin COMMAND --help tells the options of a command\n"
         "\n"
         "exit codes: 0 ok, 1 runtime error, 2 usage, 3 unreachable, 4 refused, 5 TLS,\n"
         "            6 data rejected, 7 not complete, 8 database, 9 not as desired");
    return fflush(stdout) == 0 ? DUN_EXIT_OK : DUN_EXIT_RUNTIME;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return dun_usage_error("dunlin", "a command is needed");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return help();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("dunlin " DUN_VERSION);
        return DUN_EXIT_OK;
    }
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            return subcommands[i].run(argc - 1, argv + 1);
        }
    }
    return dun_usage_error("dunlin", "unknown command '%.100s'", argv[1]);
}
