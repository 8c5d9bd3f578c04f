/*
 * device.c: see device.h. Every call into the core goes through `call`, which a power cut leaves
 * by longjmp: the core holds nothing that outlives it, so the next boot simply begins anew on the
 * same flash, with memory that holds noise.
 */
#include "device.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define SPINS_MAX 1000

static jmp_buf power;

static void power_fails(void)
{
    longjmp(power, 1);
}

dun_ms device_uptime(const struct device *device)
{
    return device->uptime_first_ms + sim_now() - device->booted_at - device->uptime_lost_ms;
}

static dun_ms wall_clock(const struct device *device)
{
    dun_ms noise = sim_now() % 37 - 18;
    return SIM_UNIX_MS + sim_now() + device->clock_error_ms + noise;
}

static bool awake(struct device *device)
{
    if (device->on && sim_now() >= device->asleep_until && device->stands_still)
        device_wake_up(device);
    return device->on && sim_now() >= device->asleep_until;
}

/// Calls into the core ///

struct request {
    void (*run)(struct device *device, const struct request *request);
    uint16_t metric;
    int64_t value;
    int result;
};

static void off(struct device *device, dun_ms for_ms)
{
    device->on = false;
    device->boots_at = sim_now() + for_ms;
    sim_net_device_dies(&sim_run->net);
}

static void tell_notices(struct device *device)
{
    struct dun_notice notice;
    while (dun_agent_notice(device->agent, &notice))
        sim_trace("notice %d error %d reason %u value %lld delay %lld", (int)notice.kind,
                  notice.error, notice.reason, (long long)notice.value, (long long)notice.delay_ms);
}

static void flash_loses_power(void)
{
    sim_flash_lose_power(&sim_run->flash);
    if (sim_run->scenario.overflow == DUN_LOG_THIN)
        sim_flash_lose_power(&sim_run->archive);
}

/* False if power failed in it. */
static bool call(struct device *device, const struct request *request)
{
    if (setjmp(power) != 0) {
        sim_run->cuts++;
        facts_after_call(&sim_run->facts, device->agent, true);
        desk_after_call(&sim_run->desk, device, true);
        flash_loses_power();
        off(device, rng_spread(&device->rng, 10, 600000));
        return false;
    }
    request->run(device, request);
    facts_after_call(&sim_run->facts, device->agent, false);
    tell_notices(device);
    desk_after_call(&sim_run->desk, device, false);
    return true;
}

/// The encoder, watched ///

static const struct dun_encoder *real_encoder(void)
{
    return sim_run->scenario.plain ? &dun_plain : &dun_columns;
}

static bool watched_encode(pb_ostream_t *out, const struct dun_record *record)
{
    static pb_byte_t bytes[32768];
    if (out->callback != NULL) {
        pb_ostream_t copy = pb_ostream_from_buffer(bytes, sizeof bytes);
        if (real_encoder()->encode(&copy, record))
            facts_attempt(&sim_run->facts, record, (struct dun_span){bytes, copy.bytes_written});
    }
    return real_encoder()->encode(out, record);
}

static const struct dun_encoder watched_columns = {
    .name = "columns", .announces = true, .encode = watched_encode};
static const struct dun_encoder watched_plain = {
    .name = "plain", .announces = false, .encode = watched_encode};

/// Points ///

static const char *const names[DEVICE_METRICS_MAX] = {
    "m0",  "m1",  "m2",  "m3",  "m4",  "m5",  "m6",  "m7",  "m8",  "m9",  "m10",
    "m11", "m12", "m13", "m14", "m15", "m16", "m17", "m18", "m19", "m20", "m21",
    "m22", "m23", "m24", "m25", "m26", "m27", "m28", "m29", "m30", "m31"};

/* To be called within a call. A point that crosses the limit of metric 0 is urgent. */
static void record(struct device *device, uint16_t metric)
{
    bool limited = metric == 0 && !sim_run->scenario.wide_values;
    bool negative = limited && device->alarm;
    bool urgent = limited && device->alarm != device->alarm_told;
    struct facts *facts = &sim_run->facts;
    int64_t value = facts_point(facts, metric, device_uptime(device), urgent, negative);
    facts->offered++;
    int result = dun_agent_record(device->agent, metric, value, device_uptime(device));
    if (result == DUN_OK && limited)
        device->alarm_told = device->alarm;
    if (result != DUN_OK && result != DUN_E_FULL)
        sim_fail("dun_agent_record gave %d", result);
}

static int read_sensor(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct device *device = sensor->context;
    uint16_t metric = (uint16_t)(sensor - device->sensors);
    (void)agent;
    (void)now;
    if (device->sampling && metric < device->declared)
        record(device, metric);
    return DUN_OK;
}

static void run_record(struct device *device, const struct request *request)
{
    record(device, request->metric);
}

static void run_declare(struct device *device, const struct request *request)
{
    struct dun_metric metric = {.name = names[request->metric], .unit = "1", .kind = DUN_GAUGE};
    int id = dun_agent_declare(device->agent, &metric);
    if (id != request->metric)
        sim_fail("dun_agent_declare gave %d for metric %u", id, request->metric);
    if (id == 0 && !sim_run->scenario.wide_values &&
        dun_agent_limit(device->agent, 0, 0, INT64_MAX) != DUN_OK)
        sim_fail("dun_agent_limit refused");
}

void device_new_metric(struct device *device)
{
    if (!awake(device) || device->declared >= sim_run->scenario.metrics_max)
        return;
    struct request request = {.run = run_declare, .metric = device->declared};
    if (call(device, &request))
        device->declared++;
}

void device_burst(struct device *device)
{
    struct request request = {.run = run_record};
    uint64_t count = rng_below(&device->rng, 3u * sim_run->scenario.batch_capacity);
    for (uint64_t i = 0; i < count && awake(device) && device->declared > 0; i++) {
        request.metric = (uint16_t)rng_below(&device->rng, device->declared);
        if (!call(device, &request))
            return;
    }
}

/// Boot ///

/* Memory of its own for each part, full of noise, so that a byte too far is found. */
static void *piece(struct device *device, size_t size)
{
    void *memory = sim_grow(NULL, size);
    memset(memory, 0xA5, size);
    device->pieces[device->piece_count++] = memory;
    return memory;
}

static struct dun_buffer buffer(struct device *device, uint32_t size)
{
    return (struct dun_buffer){piece(device, size), size};
}

static void free_pieces(struct device *device)
{
    while (device->piece_count > 0)
        free(device->pieces[--device->piece_count]);
}

static void make_uplink(struct device *device)
{
    const struct scenario *s = &sim_run->scenario;
    uint16_t slots = (uint16_t)(s->window + DUN_SENDER_EXTRA_SLOTS);
    struct dun_uplink_mqtt_memory memory = {
        .session = {.rx = buffer(device, s->rx_size),
                    .tx = buffer(device, s->tx_size),
                    .slots = piece(device, slots * sizeof(struct dun_mqtt_slot)),
                    .slot_count = slots},
        .read = buffer(device, s->link_rx_size),
        .write = buffer(device, s->link_tx_size),
    };
    device->mqtt = piece(device, sizeof *device->mqtt);
    if (dun_uplink_mqtt_init(device->mqtt, &sim_run->net.link, &memory, &device->uplink) < 0)
        sim_fail("dun_uplink_mqtt_init refused its memory");
}

static struct dun_store *store(struct device *device, struct sim_flash *flash, uint32_t unit,
                               uint64_t stream)
{
    const struct scenario *s = &sim_run->scenario;
    const struct dun_store_config config = {
        .flash = &flash->flash,
        .unit = buffer(device, unit),
        .losses = piece(device, s->losses_max * sizeof(struct dun_loss)),
        .losses_max = s->losses_max,
        .new_stream = stream,
        .overflow = flash == &sim_run->spare ? DUN_LOG_DROP_OLDEST : s->overflow,
    };
    struct dun_store *made = piece(device, sizeof *made);
    dun_store_init(made, &config);
    return made;
}

/* No one is told of the losses of the archive, since the log's ledger has them all. */
static struct dun_store *archive(struct device *device)
{
    const struct scenario *s = &sim_run->scenario;
    if (s->overflow != DUN_LOG_THIN)
        return NULL;
    struct dun_store *made = store(device, &sim_run->archive, s->archive_geometry.prog_size, 1);
    made->config.losses_max = DUN_LEDGER_CAPACITY_MIN;
    made->config.overflow = DUN_LOG_DROP_OLDEST;
    return made;
}

static struct dun_agent_parts make_parts(struct device *device)
{
    const struct scenario *s = &sim_run->scenario;
    dun_catalog_init(&device->catalog, piece(device, s->metrics_max * sizeof(struct dun_metric)),
                     s->metrics_max);
    dun_batch_init(&device->batch, piece(device, s->batch_capacity * sizeof(struct dun_point)),
                   s->batch_capacity, piece(device, s->metrics_max * sizeof(struct dun_chain)),
                   s->metrics_max);
    device->spare_stream = rng_next(&device->rng) | 1;
    return (struct dun_agent_parts){
        .catalog = &device->catalog,
        .batch = &device->batch,
        .store = store(device, &sim_run->flash, s->unit_size, rng_next(&device->rng) | 1),
        .spare = store(device, &sim_run->spare, 64, device->spare_stream),
        .archive = archive(device),
        .limits = piece(device, s->metrics_max * sizeof(struct dun_limit)),
        .notices = piece(device, 16 * sizeof(struct dun_notice)),
        .notices_max = 16,
        .redirect_host = piece(device, 128),
        .redirect_size = 128,
        .window = piece(device, s->window * sizeof(struct dun_window_slot)),
        .window_max = s->window,
        .sensors = device->sensors,
        .sensor_count = s->metrics_max,
        .uplink = &device->uplink,
        .uplink_config = s->broker,
    };
}

uint32_t device_own_interval(int metric)
{
    const struct scenario *s = &sim_run->scenario;
    bool regular = s->regular[metric] && s->interval_ms[metric] < INT64_C(4000000000);
    return regular ? (uint32_t)s->interval_ms[metric] : 0;
}

static void make_sensors(struct device *device)
{
    const struct scenario *s = &sim_run->scenario;
    for (uint16_t i = 0; i < s->metrics_max; i++) {
        dun_ms interval = s->interval_ms[i];
        bool regular = device_own_interval(i) > 0;
        device->sensors[i] = (struct dun_sensor){
            .name = names[i],
            .interval_ms = device_own_interval(i),
            .read = read_sensor,
            .context = device,
        };
        device->sample_at[i] =
            regular ? DUN_MS_NEVER : sim_now() + rng_range(&device->rng, 1, interval);
    }
}

/* A document takes the limit of metric 0 away and gives it back: no side of it is known then. */
static void retune(void *context, uint16_t metric)
{
    struct device *device = context;
    if (metric != 0 || sim_run->scenario.wide_values)
        return;
    device->alarm_told = false;
    if (dun_agent_limit(device->agent, 0, 0, INT64_MAX) != DUN_OK)
        sim_fail("dun_agent_limit refused");
}

static void start_remote(struct device *device)
{
    const struct scenario *s = &sim_run->scenario;
    if (s->config_max == 0)
        return;
    device->remote = piece(device, sizeof *device->remote);
    *device->remote = (struct dun_remote){
        .settings = {.agent = device->agent,
                     .withheld = s->withheld,
                     .trial_ms = s->trial_ms,
                     .retune = retune,
                     .context = device},
        .shelf = &sim_run->shelf.shelf,
        .record = buffer(device, s->config_max + DUN_REMOTE_EXTRA),
    };
    dun_remote_start(device->remote, device_uptime(device));
}

static void run_init(struct device *device, const struct request *request)
{
    struct dun_agent_config config = sim_run->scenario.agent;
    const char *what = NULL;
    (void)request;
    config.encoder = sim_run->scenario.plain ? &watched_plain : &watched_columns;
    config.boot = facts_boot_now(&sim_run->facts)->boot;
    config.random_seed = rng_next(&device->rng);
    struct dun_agent_parts parts = make_parts(device);
    if (dun_agent_init(device->agent, &config, &parts, device_uptime(device), &what) < 0)
        sim_fail("dun_agent_init does not like %s", what ? what : "something");
    start_remote(device);
}

static void boot(struct device *device)
{
    free_pieces(device);
    device->remote = NULL;
    device->remote_started = false;
    sim_run->boots++;
    sim_flash_boot(&sim_run->flash);
    if (sim_run->scenario.overflow == DUN_LOG_THIN)
        sim_flash_boot(&sim_run->archive);
    sim_flash_wipe(&sim_run->spare);
    facts_boot(&sim_run->facts, (uint32_t)rng_next(&device->rng) | 1);
    device->agent = piece(device, sizeof *device->agent);
    memset(device->agent, 0, sizeof *device->agent); /* power may fail before init gets to it */
    device->on = true;
    device->ending = false;
    device->alarm_told = false;
    device->declared = 0;
    device->booted_at = sim_now();
    device->uptime_lost_ms = 0;
    device->stands_still = false;
    device->uptime_first_ms = sim_run->scenario.uptime_first_ms;
    device->asleep_until = sim_now();
    device->deadline = sim_now();
    device->clock_at = sim_now() + sim_run->scenario.clock_wait_ms;
    make_uplink(device);
    make_sensors(device);
    sim_trace("boot %08x", facts_boot_now(&sim_run->facts)->boot);
    if (!call(device, &(struct request){.run = run_init}))
        return;
    device->remote_started = device->remote != NULL;
    desk_after_boot(&sim_run->desk, device);
    while (device->on && device->declared < sim_run->scenario.metrics_first)
        device_new_metric(device);
}

void device_init(struct device *device, struct rng rng)
{
    *device = (struct device){.rng = rng, .sampling = true};
    sim_run->flash.cut = sim_run->archive.cut = sim_run->shelf.cut = power_fails;
}

void device_free(struct device *device)
{
    free_pieces(device);
}

/// Running ///

dun_ms device_wake(struct device *device)
{
    if (!device->on)
        return device->boots_at;
    dun_ms wake = dun_ms_earlier(device->deadline, device->clock_at);
    for (uint16_t i = 0; i < device->declared; i++)
        wake = dun_ms_earlier(wake, device->sample_at[i]);
    bool wants_read = device->uplink.wants_read(device->uplink.context);
    bool wants_write = device->uplink.wants_write(device->uplink.context);
    wake = dun_ms_earlier(wake, sim_net_device_wake(&sim_run->net, wants_read, wants_write));
    return wake > device->asleep_until ? wake : device->asleep_until;
}

static void run_clock(struct device *device, const struct request *request)
{
    dun_ms unix_ms = wall_clock(device);
    bool right = device->clock_error_ms == 0;
    (void)request;
    facts_clock(&sim_run->facts, device_uptime(device), unix_ms,
                device->agent->config.unix_earliest_ms, right);
    dun_agent_set_clock(device->agent, device_uptime(device), unix_ms);
}

static void read_clock(struct device *device)
{
    device->clock_at =
        device->sampling ? sim_now() + sim_run->scenario.clock_interval_ms : DUN_MS_NEVER;
    if (device->sampling)
        call(device, &(struct request){.run = run_clock});
}

static void sample(struct device *device)
{
    struct request request = {.run = run_record};
    for (uint16_t i = 0; i < device->declared && device->on; i++) {
        if (device->sample_at[i] > sim_now())
            continue;
        device->sample_at[i] =
            device->sampling
                ? sim_now() + rng_range(&device->rng, 1, 2 * sim_run->scenario.interval_ms[i])
                : DUN_MS_NEVER;
        request.metric = i;
        if (device->sampling && !device->ending)
            call(device, &request);
    }
}

static void run_step(struct device *device, const struct request *request)
{
    (void)request;
    dun_ms now = device_uptime(device);
    dun_ms deadline = dun_agent_step(device->agent, now);
    if (device->remote != NULL && !dun_agent_ended(device->agent))
        deadline = dun_ms_earlier(deadline, dun_remote_step(device->remote, now));
    device->deadline = deadline == DUN_MS_NEVER ? deadline : deadline - now + sim_now();
}

static void check_spin(struct device *device)
{
    if (device->spun_at != sim_now() || device->spun_moved != sim_run->net.moved)
        device->spins = 0;
    device->spun_at = sim_now();
    device->spun_moved = sim_run->net.moved;
    if (++device->spins > SPINS_MAX)
        sim_fail("the agent wants to be called again and again at one time");
}

void device_run(struct device *device)
{
    if (!device->on) {
        boot(device);
        return;
    }
    if (device->stands_still)
        device_wake_up(device);
    check_spin(device);
    if (device->clock_at <= sim_now())
        read_clock(device);
    if (device->on)
        sample(device);
    if (!device->on || !call(device, &(struct request){.run = run_step}))
        return;
    desk_after_step(&sim_run->desk, device);
    if (device->deadline > sim_now() && device->deadline != DUN_MS_NEVER &&
        sim_run->scenario.lateness_ms > 0)
        device->deadline +=
            (dun_ms)rng_below(&device->rng, (uint64_t)sim_run->scenario.lateness_ms);
    if (device->ending && dun_agent_ended(device->agent))
        off(device, rng_range(&device->rng, 1, 5000));
}

/// What happens to it ///

void device_lose_power(struct device *device)
{
    if (!device->on)
        return;
    sim_run->cuts++;
    flash_loses_power();
    off(device, rng_spread(&device->rng, 10, 600000));
}

void device_kill(struct device *device)
{
    if (device->on)
        off(device, rng_range(&device->rng, 1, 10000));
}

static void run_end(struct device *device, const struct request *request)
{
    (void)request;
    dun_agent_end(device->agent, device_uptime(device),
                  device_uptime(device) + rng_range(&device->rng, 0, 20000));
}

void device_end(struct device *device)
{
    if (!awake(device) || device->ending)
        return;
    device->ending = true;
    device->deadline = sim_now();
    call(device, &(struct request){.run = run_end});
}

void device_suspend(struct device *device, dun_ms ms)
{
    if (!awake(device))
        return;
    device->asleep_from = sim_now();
    device->asleep_until = sim_now() + ms;
    device->stands_still = rng_chance(&device->rng, 500);
    if (device->stands_still) /* see FAULTS.md */
        facts_boot_now(&sim_run->facts)->clock_right = false;
}

void device_wake_up(struct device *device)
{
    if (device->stands_still)
        device->uptime_lost_ms += sim_now() - device->asleep_from;
    device->stands_still = false;
    device->asleep_until = sim_now();
}

void device_step_clock(struct device *device)
{
    dun_ms step = rng_spread(&device->rng, 1, INT64_C(3000000000));
    device->clock_error_ms += rng_chance(&device->rng, 500) ? step : -step;
    if (rng_chance(&device->rng, 300))
        device->clock_error_ms = 0;
    if (rng_chance(&device->rng, 50))
        device->clock_error_ms = -SIM_UNIX_MS; /* 1970 */
    device->clock_at = sim_now();
}

static bool quiet(const struct dun_store *store)
{
    return !store->mounted || (dun_store_backlog(store) == 0 && store->ledger.count == 0);
}

bool device_drained(const struct device *device)
{
    if (!device->on)
        return false;
    const struct dun_agent *agent = device->agent;
    return agent->sender.state == DUN_SENDER_UP && agent->sender.due == 0 &&
           agent->sender.unacked == 0 && device->batch.count == 0 && quiet(agent->store) &&
           quiet(agent->spare) && dun_store_backlog(agent->archive) == 0;
}
