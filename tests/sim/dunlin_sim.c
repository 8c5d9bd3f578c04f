/*
 * dunlin_sim.c: runs seeds and reports. All that prints is here; the model itself knows neither
 * files nor clocks. README.md tells how to use it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

struct sim *sim_run;

static jmp_buf failed;
static const char *program;

struct range {
    uint64_t first, last;
};

struct options {
    const char *seeds; /* as given: numbers and ranges with commas between them */
    double minutes;    /* 0: all of them, however long that takes */
    bool fresh;
    bool trace;
    bool keep_going;
};

/// What the model calls ///

void sim_trace(const char *format, ...)
{
    va_list arguments;
    if (!sim_run->trace)
        return;
    printf("%12lld.%03d ", (long long)(sim_run->now / 1000), (int)(sim_run->now % 1000));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

_Noreturn void sim_fail(const char *format, ...)
{
    va_list arguments;
    printf("FAILED seed %llu at %lld ms: ", (unsigned long long)sim_run->seed,
           (long long)sim_run->now);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\nreplay: %s --seed %llu --trace\n", program, (unsigned long long)sim_run->seed);
    fflush(stdout);
    longjmp(failed, 1);
}

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    sim_fail("%s:%d: assert %s", file, line, condition);
}

void *sim_grow(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/// Running seeds ///

struct totals {
    uint64_t runs, failures, boots, cuts, faults, steps, points, records, arrivals, duplicates;
    uint64_t losses, programs;
    double device_years;
};

static void add_totals(struct totals *totals, const struct sim *sim)
{
    totals->boots += sim->boots;
    totals->cuts += sim->cuts;
    totals->faults += sim->faults;
    totals->steps += sim->steps;
    totals->points += sim->facts.point_count;
    totals->records += sim->facts.records_durable;
    totals->arrivals += sim->facts.arrivals;
    totals->duplicates += sim->facts.duplicates;
    totals->losses += sim->facts.losses_told;
    totals->programs += sim->flash.programs;
    totals->device_years += (double)sim->now / 1000 / 3600 / 24 / 365.25;
}

static bool run_seed(uint64_t seed, bool trace, struct totals *totals)
{
    static struct sim sim;
    memset(&sim, 0, sizeof sim);
    sim.trace = trace;
    sim_run = &sim;
    bool ok = setjmp(failed) == 0;
    if (ok)
        sim_world(&sim, seed);
    totals->runs++;
    totals->failures += !ok;
    add_totals(totals, &sim);
    sim_world_free(&sim);
    return ok;
}

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct totals *totals, double took_s)
{
    printf("%llu runs, %llu failed, in %.1f s\n", (unsigned long long)totals->runs,
           (unsigned long long)totals->failures, took_s);
    printf("%.2f simulated device-years, %.1f a minute\n", totals->device_years,
           totals->device_years / took_s * 60);
    printf("%llu boots, %llu power cuts, %llu faults and events, %llu steps, %llu programs\n",
           (unsigned long long)totals->boots, (unsigned long long)totals->cuts,
           (unsigned long long)totals->faults, (unsigned long long)totals->steps,
           (unsigned long long)totals->programs);
    printf("%llu points, %llu records, %llu arrivals, %llu of them repeated, %llu losses told\n",
           (unsigned long long)totals->points, (unsigned long long)totals->records,
           (unsigned long long)totals->arrivals, (unsigned long long)totals->duplicates,
           (unsigned long long)totals->losses);
}

/* Takes the first range off the list; false if there is none. */
static bool next_range(const char **list, struct range *range)
{
    char *end;
    range->first = range->last = strtoull(*list, &end, 10);
    if (end == *list)
        return false;
    if (strncmp(end, "..", 2) == 0) {
        const char *second = end + 2;
        range->last = strtoull(second, &end, 10);
        if (end == second)
            return false;
    }
    bool more = *end == ',';
    *list = end + more;
    return range->first <= range->last && (more || *end == 0);
}

/* False when it is over. */
static bool run_range(const struct options *options, struct range range, double until,
                      struct totals *totals)
{
    for (uint64_t seed = range.first; seed <= range.last; seed++)
        if ((until > 0 && seconds() > until) ||
            (!run_seed(seed, options->trace, totals) && !options->keep_going))
            return false;
    return true;
}

/* Seeds that nobody chose: from the clock, told so that they can be run again. */
static struct range fresh_range(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    struct rng rng = {(uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec};
    struct range range = {rng_next(&rng) >> 24, UINT64_MAX - 1};
    printf("first seed: %llu\n", (unsigned long long)range.first);
    fflush(stdout);
    return range;
}

static int run_all(const struct options *options)
{
    struct totals totals = {0};
    double start = seconds();
    double until = options->minutes > 0 ? start + options->minutes * 60 : 0;
    const char *list = options->seeds;
    struct range range;
    bool more = !options->fresh || run_range(options, fresh_range(), until, &totals);
    while (more && *list != 0 && next_range(&list, &range))
        more = run_range(options, range, until, &totals);
    report(&totals, seconds() - start);
    return totals.failures > 0;
}

/// The command line ///

static int usage(void)
{
    fprintf(stderr,
            "usage: %s [--seed N | --seeds A..B,C,D..E | --fresh] [--minutes M] [--trace] "
            "[--keep-going]\n",
            program);
    return 2;
}

static bool is_list(const char *text)
{
    struct range range;
    bool valid = *text != 0;
    while (valid && *text != 0)
        valid = next_range(&text, &range);
    return valid;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = "1..100"};
    program = argv[0];
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            options.trace = true;
        } else if (strcmp(argv[i], "--keep-going") == 0) {
            options.keep_going = true;
        } else if (strcmp(argv[i], "--fresh") == 0) {
            options.fresh = true;
            options.seeds = "";
        } else if ((strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--seeds") == 0) &&
                   is_list(value)) {
            options.seeds = value;
            i++;
        } else if (strcmp(argv[i], "--minutes") == 0 && i + 1 < argc) {
            options.minutes = strtod(value, NULL);
            i++;
        } else {
            return usage();
        }
    }
    return run_all(&options);
}
