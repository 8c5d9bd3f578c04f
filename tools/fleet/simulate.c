/*
 * simulate.c: `dunlin simulate`: powers a fleet up, lets it sample while faults strike, waits until
 * all is delivered, says goodbye, and judges. One thread, one loop; signals only set flags: the
 * first ends the sampling early, the second ends at once.
 */
#define _POSIX_C_SOURCE 200809L
#include "simulate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"

#define EVENTS_MAX        256
#define RUNS_MAX          2000 /* devices in a row before the sockets are looked at again */
#define AUDITOR           UINT32_MAX
#define PROGRESS_MS       500
#define MEASURE_MS        1000
#define WAIT_MAX_MS       1000
#define GOODBYE_MS        10000
#define NEWS_WAIT_MS      5000 /* the far end has so long for a record more */
#define SPARE_DESCRIPTORS 64

static const char command[] = "dunlin simulate";

enum phase {
    PHASE_SAMPLING,
    PHASE_DRAINING,
    PHASE_LEAVING,
    PHASE_LISTENING, /* for what is still on its way to the far end */
    PHASE_OVER,
};

struct simulation {
    struct dun_simulate_options options;
    struct dun_fleet fleet;
    struct dun_auditor auditor;
    struct dun_chaos chaos;
    struct dun_simulate_result result;
    enum phase phase;
    struct timespec zero;
    dun_ms now, unix_ms;
    dun_ms phase_end_ms;
    dun_ms progress_ms, measure_ms;
    uint64_t points_before; /* at the last progress line */
    bool shows;
    bool unheard; /* whoever read stdout went away */
};

static volatile sig_atomic_t stops; /* how often we were asked to */

static void on_signal(int number)
{
    (void)number;
    stops = stops + 1;
}

static void look_at_clocks(struct simulation *simulation)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    simulation->now = (now.tv_sec - simulation->zero.tv_sec) * (dun_ms)1000 +
                      (now.tv_nsec - simulation->zero.tv_nsec) / 1000000;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    simulation->unix_ms = now.tv_sec * (dun_ms)1000 + now.tv_nsec / 1000000;
}

static int fail(int exit_code, const char *text, const char *detail)
{
    fprintf(stderr, "%s: %s%s%s\n", command, text, detail[0] != '\0' ? ": " : "", detail);
    return exit_code;
}

/// Before the start ///

/* Each device is a descriptor. */
static int raise_limit(uint32_t count)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)count + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return 0;
    }
    limit.rlim_cur = wanted;
    if (limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return 0;
    }
    fprintf(stderr,
            "%s: %u devices need %llu descriptors and this process may have %llu: `ulimit -Hn "
            "%llu` as root raises that, or simulate fewer\n",
            command, (unsigned)count, (unsigned long long)wanted,
            (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
    return DUN_EXIT_RUNTIME;
}

/* One address has so many ports for connections to one broker. */
static void check_ports(uint32_t count)
{
    unsigned first = 0;
    unsigned last = 0;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    bool known = file != NULL && fscanf(file, "%u %u", &first, &last) == 2 && last >= first;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (known && count > last - first) {
        fprintf(stderr,
                "%s: warning: this machine has %u ports for connections to one broker: `sysctl "
                "net.ipv4.ip_local_port_range` can give more\n",
                command, last - first + 1);
    }
}

static int load_tls(const struct dun_simulate_options *options)
{
    const struct dun_broker_options *broker = &options->broker;
    static uint8_t psk[DUN_TLS_PSK_MAX];
    struct dun_tls_config config = {.enabled = broker->tls,
                                    .ca_file = broker->cafile,
                                    .ca_folder = broker->capath,
                                    .cert_file = broker->cert,
                                    .key_file = broker->key,
                                    .psk_identity = broker->psk_identity,
                                    .alpn = broker->alpn};
    if (!broker->tls) {
        return 0;
    }
    if (broker->psk_identity != NULL) {
        config.psk = (struct dun_span){psk, dun_fleet_tls_psk(broker->psk, psk)};
    }
    const char *why = dun_fleet_tls_load(&config);
    return why == NULL ? 0 : fail(DUN_EXIT_TLS, why, "");
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (file == NULL || fread(&number, sizeof number, 1, file) != 1) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        number = dun_signal_hash((uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)getpid());
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return number;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/// Progress ///

static const char *phase_name(enum phase phase)
{
    static const char *const names[] = {"sampling", "draining", "leaving", "listening", "over"};
    return names[phase];
}

static void show_progress(struct simulation *simulation)
{
    const struct dun_fleet_totals *totals = &simulation->fleet.totals;
    if (!simulation->shows || simulation->now < simulation->progress_ms) {
        return;
    }
    fprintf(stderr,
            "\r%7.1f s %s  up %llu of %u  records %llu  points/s %.0f  waiting %llu  received "
            "%llu  half in %lld ms\033[K",
            (double)simulation->now / 1000, phase_name(simulation->phase),
            (unsigned long long)totals->up, (unsigned)simulation->fleet.count,
            (unsigned long long)totals->acked,
            (double)(totals->points - simulation->points_before) * 1000 / PROGRESS_MS,
            (unsigned long long)totals->backlog, (unsigned long long)simulation->auditor.records,
            (long long)dun_histogram_at(&simulation->auditor.latency, 0.5));
    simulation->points_before = totals->points;
    simulation->progress_ms = simulation->now + PROGRESS_MS;
}

static void measure(struct simulation *simulation)
{
    if (simulation->now >= simulation->measure_ms) {
        uint64_t resident = dun_usage_of(0).resident;
        uint64_t *most = &simulation->result.resident_max;
        *most = resident > *most ? resident : *most;
        simulation->measure_ms = simulation->now + MEASURE_MS;
    }
}

/// Phases ///

static void enter(struct simulation *simulation, enum phase phase, dun_ms lasts_ms)
{
    simulation->phase = phase;
    simulation->phase_end_ms = simulation->now + lasts_ms;
}

static void stop_sampling(struct simulation *simulation)
{
    simulation->result.sampled_s = (double)simulation->now / 1000;
    if (simulation->options.broker_pid != 0) { /* while all are connected */
        simulation->result.broker_after = dun_usage_of(simulation->options.broker_pid);
    }
    dun_fleet_hush(&simulation->fleet, simulation->now, simulation->unix_ms);
    enter(simulation, PHASE_DRAINING, simulation->options.drain_ms);
}

static bool all_received(const struct simulation *simulation)
{
    const struct dun_auditor *auditor = &simulation->auditor;
    /* What was told lost is not waited for, so that the wait may last its whole time. */
    return !simulation->options.audit ||
           auditor->records + simulation->fleet.totals.dropped >= simulation->fleet.totals.records;
}

static void next_phase(struct simulation *simulation)
{
    bool late = simulation->now >= simulation->phase_end_ms;
    struct dun_fleet *fleet = &simulation->fleet;
    switch (simulation->phase) {
    case PHASE_SAMPLING:
        if (late || stops > 0) {
            stop_sampling(simulation);
        }
        break;
    case PHASE_DRAINING:
        if (late || dun_fleet_drained(fleet) || stops > 1) {
            simulation->result.drained = dun_fleet_drained(fleet);
            dun_fleet_end(fleet, simulation->now, simulation->unix_ms);
            enter(simulation, PHASE_LEAVING, stops > 1 ? 0 : GOODBYE_MS);
        }
        break;
    case PHASE_LEAVING:
        if (late || fleet->ended == fleet->totals.powered) {
            enter(simulation, PHASE_LISTENING, stops > 1 ? 0 : NEWS_WAIT_MS);
        }
        break;
    default:
        if (simulation->auditor.news_ms + NEWS_WAIT_MS > simulation->phase_end_ms && stops < 2) {
            simulation->phase_end_ms = simulation->auditor.news_ms + NEWS_WAIT_MS;
        }
        if (late || all_received(simulation)) {
            simulation->phase = PHASE_OVER;
        }
        break;
    }
}

/// The loop ///

static void watch_auditor(struct simulation *simulation)
{
    bool writes;
    int fd = dun_auditor_wait(&simulation->auditor, &writes);
    struct epoll_event event = {.events = (uint32_t)(EPOLLIN | (writes ? EPOLLOUT : 0)),
                                .data = {.u32 = AUDITOR}};
    /* The library may have closed one and opened another of the same number. */
    if (fd >= 0 && epoll_ctl(simulation->fleet.epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        (void)epoll_ctl(simulation->fleet.epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static int wait_ms(const struct simulation *simulation)
{
    dun_ms next = simulation->now + WAIT_MAX_MS;
    next = dun_ms_earlier(next, dun_deadlines_first(&simulation->fleet.deadlines).at);
    next = dun_ms_earlier(next, dun_auditor_deadline(&simulation->auditor));
    next = dun_ms_earlier(next, simulation->phase_end_ms);
    if (simulation->phase == PHASE_SAMPLING) {
        next = dun_ms_earlier(next, dun_chaos_deadline(&simulation->chaos));
    }
    if (simulation->shows) {
        next = dun_ms_earlier(next, simulation->progress_ms);
    }
    return next > simulation->now ? (int)(next - simulation->now) : 0;
}

static void strike(struct simulation *simulation)
{
    struct dun_chaos_event event;
    while (simulation->phase == PHASE_SAMPLING &&
           dun_chaos_take(&simulation->chaos, simulation->fleet.count, simulation->now, &event)) {
        dun_fleet_strike(&simulation->fleet, &event, simulation->now, simulation->unix_ms);
    }
}

static bool turn(struct simulation *simulation)
{
    struct epoll_event events[EVENTS_MAX];
    watch_auditor(simulation);
    int count = epoll_wait(simulation->fleet.epoll, events, EVENTS_MAX, wait_ms(simulation));
    bool auditor_readable = false;
    if (count < 0 && errno != EINTR) {
        simulation->fleet.trouble = strerror(errno);
    }
    look_at_clocks(simulation);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == AUDITOR) {
            auditor_readable = true;
        } else {
            dun_fleet_run(&simulation->fleet, events[i].data.u32, simulation->now,
                          simulation->unix_ms);
        }
    }
    strike(simulation);
    dun_fleet_run_due(&simulation->fleet, RUNS_MAX, simulation->now, simulation->unix_ms);
    dun_auditor_step(&simulation->auditor, auditor_readable, simulation->now);
    next_phase(simulation);
    show_progress(simulation);
    measure(simulation);
    return simulation->fleet.trouble == NULL && simulation->phase != PHASE_OVER;
}

static void start_all(struct simulation *simulation)
{
    for (uint32_t i = 0; i < simulation->fleet.count; i++) {
        dun_fleet_start(&simulation->fleet, i,
                        (dun_ms)((uint64_t)i * 1000 / simulation->options.connect_rate));
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &simulation->zero);
    look_at_clocks(simulation);
    enter(simulation, PHASE_SAMPLING, simulation->options.duration_ms);
}

/// From beginning to end ///

static int judge(struct simulation *simulation)
{
    struct dun_simulate_result *result = &simulation->result;
    look_at_clocks(simulation);
    result->ran_s = (double)simulation->now / 1000;
    result->after = dun_usage_of(0);
    result->audit = dun_auditor_verdict(&simulation->auditor);
    result->complete = result->drained && (!simulation->options.audit || result->audit.complete);
    dun_simulate_print(result);
    if (fflush(stdout) != 0) {
        simulation->unheard = errno == EPIPE;
        return simulation->unheard ? DUN_EXIT_RUNTIME
                                   : fail(DUN_EXIT_RUNTIME, "stdout", strerror(errno));
    }
    return result->complete ? DUN_EXIT_OK : DUN_EXIT_INCOMPLETE;
}

static int run(struct simulation *simulation)
{
    struct dun_simulate_options *options = &simulation->options;
    struct dun_simulate_result *result = &simulation->result;
    result->before = dun_usage_of(0);
    if (options->broker_pid != 0) {
        result->broker_before = dun_usage_of(options->broker_pid);
    }
    if (!dun_fleet_init(&simulation->fleet, &options->settings, &options->mix, options->count,
                        random_number())) {
        return fail(DUN_EXIT_RUNTIME, simulation->fleet.trouble, "");
    }
    if (!dun_auditor_attach(&simulation->auditor, &simulation->fleet)) {
        return fail(DUN_EXIT_RUNTIME, "out of memory", "");
    }
    dun_chaos_init(&simulation->chaos, &options->chaos, options->settings.seed);
    start_all(simulation);
    while (turn(simulation)) {
    }
    if (simulation->shows) {
        fputs("\r\033[K", stderr);
    }
    if (simulation->fleet.trouble != NULL) {
        return fail(DUN_EXIT_RUNTIME, simulation->fleet.trouble, "");
    }
    int exit_code = judge(simulation);
    if (!options->keep) {
        dun_auditor_clear(&simulation->auditor);
    }
    return exit_code;
}

static int prepare(struct simulation *simulation)
{
    struct dun_simulate_options *options = &simulation->options;
    const char *unreadable = dun_client_unreadable(&options->broker);
    if (unreadable != NULL) {
        return fail(DUN_EXIT_TLS, unreadable, strerror(errno));
    }
    simulation->shows = !options->quiet && isatty(STDERR_FILENO) == 1;
    simulation->result = (struct dun_simulate_result){.options = options,
                                                      .fleet = &simulation->fleet,
                                                      .auditor = &simulation->auditor,
                                                      .chaos = &simulation->chaos};
    if (!options->seeded) {
        options->settings.seed = random_number() >> 32;
    }
    if (options->broker_pid != 0 && !dun_usage_of(options->broker_pid).known) {
        return fail(DUN_EXIT_RUNTIME, "--broker-pid", "there is no such process here");
    }
    check_ports(options->count);
    int result = raise_limit(options->count);
    return result == 0 ? load_tls(options) : result;
}

static int simulate(struct simulation *simulation)
{
    struct dun_simulate_options *options = &simulation->options;
    int result = prepare(simulation);
    if (result != 0) {
        return result;
    }
    catch_signals();
    (void)mosquitto_lib_init();
    result = dun_auditor_open(&simulation->auditor, &options->auditor, &options->settings,
                              options->audit);
    result = result == 0 ? run(simulation) : fail(result, simulation->auditor.why, "");
    dun_auditor_close(&simulation->auditor);
    dun_fleet_free(&simulation->fleet);
    dun_fleet_tls_unload();
    (void)mosquitto_lib_cleanup();
    return result;
}

int dun_simulate_main(int argc, char **argv)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    if (simulation == NULL) {
        return fail(DUN_EXIT_RUNTIME, "out of memory", "");
    }
    simulation->fleet.epoll = -1;
    int result = dun_simulate_parse(&simulation->options, argc, argv);
    if (result == 0 && !simulation->options.ended) {
        result = simulate(simulation);
    }
    bool unheard = simulation->unheard;
    free(simulation);
    if (unheard) { /* to end as the signal would have ended us is to say it without a word */
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    return result;
}
