/* simulate.h: the settings of `dunlin simulate`, and the summary at its end. */
#ifndef DUN_FLEET_SIMULATE_H
#define DUN_FLEET_SIMULATE_H

#include "auditor.h"

struct dun_simulate_options {
    struct dun_broker_options broker;
    struct dun_broker_options auditor; /* the same, but for the user */
    struct dun_fleet_settings settings;
    struct dun_fleet_mix mix;
    struct dun_chaos_plan chaos;
    char prefix[65], fleet[65];
    char profile[128]; /* as it was given */
    uint32_t count;
    uint32_t connect_rate;
    dun_ms duration_ms, drain_ms;
    uint32_t broker_pid; /* 0: not to be measured */
    bool seeded;
    bool audit;
    bool keep; /* retained messages */
    bool json;
    bool quiet;
    bool ended; /* --help or --version was printed */
};

/* Fills `options` from environment and command line. 0, or an exit code after a line on stderr. */
int dun_simulate_parse(struct dun_simulate_options *options, int argc, char **argv);

/* What a process has used. */
struct dun_usage {
    double cpu_s;
    uint64_t resident, descriptors;
    bool known;
};
struct dun_usage dun_usage_of(uint32_t pid); /* 0: ourselves */

struct dun_simulate_result {
    const struct dun_simulate_options *options;
    const struct dun_fleet *fleet;
    const struct dun_auditor *auditor;
    const struct dun_chaos *chaos;
    struct dun_audit audit;
    double sampled_s, ran_s;        /* until sampling stopped; in all */
    struct dun_usage before, after; /* ours */
    uint64_t resident_max;          /* ours, while it ran */
    struct dun_usage broker_before, broker_after;
    bool drained;
    bool complete;
};

void dun_simulate_print(const struct dun_simulate_result *result);

#endif
