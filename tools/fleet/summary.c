/*
 * summary.c: what a simulation came to: a list of figures, printed as a table or as one JSON
 * object, so that both say the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simulate.h"

enum figure_form {
    FORM_END = 0,
    FORM_HEAD,   /* begins a group: `key` is the object's name, `label` the heading */
    FORM_NUMBER, /* with `decimals` */
    FORM_TEXT,
    FORM_BOOL,
};

struct figure {
    enum figure_form form;
    const char *key, *label, *unit;
    double value;
    int decimals;
    const char *text;
};

#define FIGURES_MAX 96

struct figures {
    struct figure items[FIGURES_MAX];
    size_t count;
};

/// Collecting ///

static void add(struct figures *figures, struct figure figure)
{
    DUN_ASSERT(figures->count < FIGURES_MAX);
    figures->items[figures->count++] = figure;
}

static void head(struct figures *figures, const char *key, const char *label)
{
    add(figures, (struct figure){.form = FORM_HEAD, .key = key, .label = label});
}

static void number(struct figures *figures, const char *key, const char *label, double value,
                   int decimals, const char *unit)
{
    add(figures, (struct figure){.form = FORM_NUMBER,
                                 .key = key,
                                 .label = label,
                                 .unit = unit,
                                 .value = value,
                                 .decimals = decimals});
}

static void count(struct figures *figures, const char *key, const char *label, uint64_t value)
{
    number(figures, key, label, (double)value, 0, "");
}

static void truth(struct figures *figures, const char *key, const char *label, bool value)
{
    add(figures, (struct figure){.form = FORM_BOOL, .key = key, .label = label, .value = value});
}

static void text(struct figures *figures, const char *key, const char *label, const char *value)
{
    add(figures, (struct figure){.form = FORM_TEXT, .key = key, .label = label, .text = value});
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/// Groups ///

static void add_run(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_simulate_options *options = result->options;
    head(figures, "run", "run");
    count(figures, "devices", "devices", options->count);
    text(figures, "profile", "profile", options->profile);
    number(figures, "seed", "seed", (double)options->settings.seed, 0, "");
    number(figures, "sampled_s", "sampled for", result->sampled_s, 1, "s");
    number(figures, "ran_s", "in all", result->ran_s, 1, "s");
}

static void add_delivery(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_fleet_totals *totals = &result->fleet->totals;
    head(figures, "delivery", "delivery");
    count(figures, "points", "points sampled", totals->points + totals->points_forgotten);
    count(figures, "records", "records stored", totals->records);
    count(figures, "acknowledged", "acknowledged", totals->acked);
    count(figures, "published", "publishes, repeated ones too", totals->published);
    count(figures, "waiting", "waiting at the end", totals->backlog);
    count(figures, "dropped", "dropped by full logs", totals->dropped);
    count(figures, "rejected", "refused by the broker", totals->rejected);
    count(figures, "forgotten_points", "points in RAM when power went", totals->points_forgotten);
    truth(figures, "drained", "all delivered in time", result->drained);
}

static void add_audit(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_audit *audit = &result->audit;
    if (!result->options->audit) {
        return;
    }
    head(figures, "audit", "audit, at the far end");
    count(figures, "streams", "streams", audit->streams);
    count(figures, "recorded", "sequences that devices gave", audit->recorded);
    count(figures, "received", "records received", audit->received);
    count(figures, "missing", "missing", audit->missing);
    count(figures, "told_lost", "told lost by a ledger", audit->lost);
    count(figures, "duplicates", "duplicates", audit->duplicates);
    count(figures, "altered", "duplicates with other bytes", audit->altered);
    count(figures, "rejected", "not to be decoded", result->auditor->rejected);
    count(figures, "points", "points received", audit->points);
    count(figures, "points_missing", "points not received", audit->points_missing);
    count(figures, "incomplete", "devices not complete", audit->incomplete);
    if (audit->incomplete > 0) {
        text(figures, "example", "one of them", audit->example);
    }
    count(figures, "subscriber_losses", "subscriber's lost connections", result->auditor->losses);
    truth(figures, "complete", "complete", audit->complete);
}

struct percentile {
    const char *key, *label;
    double share;
};

static void add_latency(struct figures *figures, const char *key, const char *label,
                        const struct dun_histogram *histogram)
{
    static const struct percentile percentiles[] = {{"p50_ms", "  half", 0.5},
                                                    {"p90_ms", "  90 %", 0.9},
                                                    {"p99_ms", "  99 %", 0.99},
                                                    {"p999_ms", "  99.9 %", 0.999},
                                                    {"max_ms", "  the longest", 1}};
    head(figures, key, label);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        number(figures, percentiles[i].key, percentiles[i].label,
               (double)dun_histogram_at(histogram, percentiles[i].share), 0, "ms");
    }
}

static void add_wire(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_fleet_totals *totals = &result->fleet->totals;
    double points = (double)totals->points;
    head(figures, "wire", "on the wire, MQTT");
    number(figures, "bytes_out", "bytes from devices", (double)totals->bytes_out, 0, "");
    number(figures, "bytes_in", "bytes to devices", (double)totals->bytes_in, 0, "");
    number(figures, "bytes_a_point", "from devices, a point",
           ratio((double)totals->bytes_out, points), 2, "B");
    number(figures, "record_bytes_a_point", "of records alone, a point",
           ratio((double)totals->record_bytes, points), 2, "B");
    number(figures, "points_a_record", "points a record", ratio(points, (double)totals->records), 1,
           "");
    number(figures, "records_a_second", "records a second",
           ratio((double)totals->records, result->sampled_s), 1, "");
}

static void add_connections(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_fleet *fleet = result->fleet;
    const struct dun_fleet_totals *totals = &fleet->totals;
    head(figures, "connections", "connections");
    count(figures, "connects", "came up", totals->connects);
    count(figures, "reconnects", "of these again", totals->reconnects);
    count(figures, "failures", "attempts that failed", totals->connect_failures);
    count(figures, "reconnects_busiest_s", "again, in the busiest second", fleet->reconnects.most);
    number(figures, "busiest_share", "  of the fleet",
           100 * ratio(fleet->reconnects.most, fleet->count), 1, "%");
    if (fleet->storms > 0) {
        count(figures, "storms", "storms", fleet->storms);
        count(figures, "storms_back", "  after which all came back", fleet->storms_back);
        number(figures, "storm_back_s", "  the slowest in", (double)fleet->storm_back_ms / 1000, 1,
               "s");
    }
}

static void add_faults(struct figures *figures, const struct dun_simulate_result *result)
{
    static const struct {
        const char *key, *label;
    } names[DUN_CHAOS_KINDS] = {{"cuts", "cuts"},
                                {"lost_acks", "lost acks"},
                                {"silences", "silences"},
                                {"reboots", "reboots"},
                                {"clock_jumps", "clock jumps"}};
    bool any = false;
    for (int i = 0; i < DUN_CHAOS_KINDS; i++) {
        any = any || result->chaos->plan->a_second[i] > 0;
    }
    if (!any) {
        return;
    }
    head(figures, "faults", "faults");
    for (int i = 0; i < DUN_CHAOS_KINDS; i++) {
        count(figures, names[i].key, names[i].label, result->chaos->counts[i]);
    }
}

static void add_costs(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_fleet *fleet = result->fleet;
    double cpu_s = result->after.cpu_s - result->before.cpu_s;
    double devices = fleet->count;
    double grown = result->resident_max > result->before.resident
                       ? (double)(result->resident_max - result->before.resident)
                       : 0;
    head(figures, "cost", "cost of the simulator, auditor included");
    number(figures, "cpu_s", "CPU", cpu_s, 2, "s");
    number(figures, "cpu_share", "  of one core", 100 * ratio(cpu_s, result->ran_s), 1, "%");
    number(figures, "cpu_us_a_record", "  a record",
           1e6 * ratio(cpu_s, (double)fleet->totals.records), 1, "us");
    number(figures, "memory", "resident memory at its most", grown / 1048576, 1, "MiB");
    number(figures, "memory_a_device", "  a device, all in", ratio(grown, devices), 0, "B");
    number(figures, "state_a_device", "  of that the device itself",
           ratio((double)fleet->pool.used_max * sizeof(struct dun_chunk), devices), 0, "B");
    number(figures, "image", "  a device that is awake", (double)fleet->image_size, 0, "B");
}

static void add_broker(struct figures *figures, const struct dun_simulate_result *result)
{
    const struct dun_usage *before = &result->broker_before;
    const struct dun_usage *after = &result->broker_after;
    if (!before->known || !after->known) {
        return;
    }
    double cpu_s = after->cpu_s - before->cpu_s;
    head(figures, "broker", "the broker's process");
    number(figures, "cpu_s", "CPU", cpu_s, 2, "s");
    number(figures, "cpu_share", "  of one core", 100 * ratio(cpu_s, result->ran_s), 1, "%");
    number(figures, "cpu_us_a_record", "  a record",
           1e6 * ratio(cpu_s, (double)result->fleet->totals.records), 1, "us");
    number(figures, "memory", "resident memory", (double)after->resident / 1048576, 1, "MiB");
    number(
        figures, "memory_a_device", "  grown, a device",
        ratio(after->resident > before->resident ? (double)(after->resident - before->resident) : 0,
              result->fleet->count),
        0, "B");
    count(figures, "descriptors", "descriptors", after->descriptors);
}

/// Writing ///

/* 12345678 as 12,345,678. */
static void print_grouped(double value, int decimals)
{
    char digits[64];
    int size = snprintf(digits, sizeof digits, "%.*f", decimals, value);
    int whole = decimals > 0 ? size - decimals - 1 : size;
    for (int i = 0; i < size; i++) {
        putchar(digits[i]);
        if (i + 1 < whole && (whole - i - 1) % 3 == 0 && digits[i] != '-') {
            putchar(',');
        }
    }
}

static void print_table(const struct figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->items[i];
        if (figure->form == FORM_HEAD) {
            printf("%s%s\n", i > 0 ? "\n" : "", figure->label);
            continue;
        }
        printf("  %-32s ", figure->label);
        if (figure->form == FORM_NUMBER) {
            print_grouped(figure->value, figure->decimals);
            printf("%s%s", figure->unit[0] != '\0' ? " " : "", figure->unit);
        } else {
            fputs(figure->form == FORM_TEXT ? figure->text
                  : figure->value != 0      ? "yes"
                                            : "NO",
                  stdout);
        }
        putchar('\n');
    }
}

static void print_json(const struct figures *figures, bool complete)
{
    printf("{\"type\":\"simulation\"");
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->items[i];
        if (figure->form == FORM_HEAD) {
            printf("%s,\"%s\":{", i > 0 ? "}" : "", figure->key);
            continue;
        }
        printf("%s\"%s\":", figures->items[i - 1].form == FORM_HEAD ? "" : ",", figure->key);
        if (figure->form == FORM_NUMBER) {
            printf("%.*f", figure->decimals, figure->value);
        } else if (figure->form == FORM_TEXT) {
            printf("\"%s\"", figure->text); /* names of ours, which need no escapes */
        } else {
            fputs(figure->value != 0 ? "true" : "false", stdout);
        }
    }
    printf("},\"complete\":%s}\n", complete ? "true" : "false");
}

void dun_simulate_print(const struct dun_simulate_result *result)
{
    struct figures figures = {.count = 0};
    add_run(&figures, result);
    add_delivery(&figures, result);
    add_audit(&figures, result);
    add_latency(&figures, "sealed_to_acknowledged", "a record is sealed ... the broker answers",
                &result->fleet->totals.answered);
    add_latency(&figures, "sampled_to_acknowledged", "its oldest sample ... the broker answers",
                &result->fleet->totals.delivered);
    if (result->options->audit) {
        add_latency(&figures, "end_to_end", "a point is sampled ... it is at the far end",
                    &result->auditor->latency);
    }
    add_wire(&figures, result);
    add_connections(&figures, result);
    add_faults(&figures, result);
    add_costs(&figures, result);
    add_broker(&figures, result);
    if (result->options->json) {
        print_json(&figures, result->complete);
    } else {
        print_table(&figures);
    }
}
