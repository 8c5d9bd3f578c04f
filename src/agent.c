/*
 * agent.c: runs the stages in the order in which data flows: sensors, recorder, stores, sender.
 * It holds no data of its own; each stage is a value inside struct dun_agent.
 */
#include "agent.h"

#include <string.h>

#include "crc32c.h"

#define OFFLINE_GRACE_MS         1000 /* for the ack of `offline` */
#define SESSION_EXPIRY_S         3600 /* what was in flight keeps its packet ids for so long */
#define UNIX_2026_01_01_MS       INT64_C(1767225600000)
#define RECORD_BYTES_DEFAULT     1024
#define BACKFILL_PERCENT_DEFAULT 75

/// Start ///

bool dun_agent_name_ok(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    size_t size = name ? strlen(name) : 0;
    return size >= 1 && size <= DUN_NAME_MAX && strspn(name, allowed) == size;
}

static void default_text(const char **text, const char *value)
{
    if (!*text)
        *text = value;
}

static void default_number(uint32_t *number, uint32_t value)
{
    if (*number == 0)
        *number = value;
}

static struct dun_agent_config with_defaults(const struct dun_agent_config *given,
                                             const struct dun_agent_parts *parts)
{
    struct dun_agent_config config = *given;
    default_text(&config.prefix, "dunlin");
    default_text(&config.fleet, "default");
    default_text(&config.board, "unknown");
    default_text(&config.firmware, DUN_VERSION);
    if (!config.encoder)
        config.encoder = dun_encoder_default();
    if (config.unix_earliest_ms == 0)
        config.unix_earliest_ms = UNIX_2026_01_01_MS;
    default_number(&config.batch_points_max, parts->batch->capacity);
    default_number(&config.batch_bytes_max, RECORD_BYTES_DEFAULT);
    default_number(&config.batch_age_max_ms, 10 * 1000);
    default_number(&config.anchor_interval_ms, 60 * 60 * 1000);
    default_number(&config.ack_persist_ms, 30 * 1000);
    default_number(&config.storage_retry_ms, 10 * 1000);
    default_number(&config.stable_ms, 60 * 1000);
    default_number(&config.stored_wait_ms, 60 * 1000);
    default_number(&config.keep_every, 8);
    default_number(&config.version_retry_ms, 60 * 60 * 1000);
    if (config.backfill_percent == 0)
        config.backfill_percent = BACKFILL_PERCENT_DEFAULT;
    default_number(&config.backoff.base_ms, 1000);
    default_number(&config.backoff.max_ms, 5 * 60 * 1000);
    return config;
}

static bool thins(const struct dun_agent_parts *parts)
{
    return parts->store->config.overflow == DUN_LOG_THIN;
}

/* The name of the first field that is wrong, or NULL. */
static const char *wrong_field(const struct dun_agent_config *config,
                               const struct dun_agent_parts *parts)
{
    if (!dun_agent_name_ok(config->device))
        return "device";
    if (!dun_agent_name_ok(config->fleet))
        return "fleet";
    if (!dun_agent_name_ok(config->prefix))
        return "prefix";
    if (config->boot == 0)
        return "boot";
    if (parts->window_max == 0)
        return "window_max";
    if (config->keep_every < 2)
        return "keep_every";
    if (parts->spare && !dun_has_spare())
        return "spare";
    if (parts->store->config.overflow == DUN_LOG_DROP_NEWEST && !dun_has_keeping())
        return "overflow";
    if (thins(parts) && (!parts->archive || !dun_has_archive()))
        return "archive";
    if (config->ack_mode == DUN_ACK_STORED && !dun_has_stored())
        return "ack_mode";
    if (config->backfill_percent > 100)
        return "backfill_percent";
    if (config->backoff.max_ms < config->backoff.base_ms)
        return "backoff.max_ms";
    return NULL;
}

/* The same phase for all sensors of one interval, so that their points share a time axis; another
 * one for each device, so that a fleet does not sample in step. */
void dun_agent_pace(struct dun_agent *agent, struct dun_sensor *sensor, uint32_t interval_ms,
                    dun_ms now)
{
    const char *device = agent->config.device;
    uint32_t hash = dun_crc32c(0, device, strlen(device));
    sensor->interval_ms = interval_ms;
    sensor->due = interval_ms == 0 ? DUN_MS_NEVER : now + (dun_ms)(hash % interval_ms);
}

static void init_recorder(struct dun_agent *agent, const struct dun_agent_parts *parts)
{
    const struct dun_agent_config *config = &agent->config;
    agent->recorder = (struct dun_recorder){
        .device = config->device,
        .encoder = config->encoder,
        .limits = {.points_max = config->batch_points_max,
                   .bytes_max = config->batch_bytes_max,
                   .age_max_ms = config->batch_age_max_ms,
                   .retry_ms = config->storage_retry_ms},
        .catalog = agent->parts.catalog,
        .batch = agent->parts.batch,
        .clock = &agent->clock,
        .durable = agent->store,
        .spare = agent->spare,
        .thinner = thins(parts) ? &agent->thinner : NULL,
        .limits_of = agent->parts.limits,
        .stats = &agent->stats,
        .notices = &agent->notices,
    };
    for (uint16_t i = 0; agent->parts.limits && i < agent->parts.batch->metrics_max; i++)
        agent->parts.limits[i] = (struct dun_limit){0};
}

static void init_sender(struct dun_agent *agent, const struct dun_agent_parts *parts)
{
    const struct dun_agent_config *config = &agent->config;
    agent->sender = (struct dun_sender){
        .uplink = agent->parts.uplink,
        .uplink_config = parts->uplink_config,
        .prefix = config->prefix,
        .about = {.device = config->device,
                  .fleet = config->fleet,
                  .board = config->board,
                  .firmware = config->firmware,
                  .encoding = config->encoder->name,
                  .knobs = config->knobs,
                  .knob_count = config->knob_count,
                  .boot = config->boot,
                  .catalog = agent->parts.catalog},
        .stats = &agent->stats,
        .notices = &agent->notices,
        .stable_ms = config->stable_ms,
        .route = {.stay = config->stay,
                  .retry_ms = config->version_retry_ms,
                  .other_host = parts->redirect_host,
                  .other_size = parts->redirect_size},
        .unheard = config->unheard,
        .message_expiry_s = config->message_expiry_s,
        .outbox = {.config = {.ack_mode = config->ack_mode,
                              .ack_persist_ms = config->ack_persist_ms,
                              .stored_wait_ms = config->stored_wait_ms,
                              .backfill_percent =
                                  config->strict_order ? 0 : config->backfill_percent,
                              .backfill_bytes_s = config->backfill_bytes_s},
                   .durable = agent->store,
                   .spare = agent->spare,
                   .archive = agent->archive,
                   .stats = &agent->stats,
                   .window = {.slots = parts->window, .capacity = parts->window_max}},
    };
    struct dun_uplink_config *broker = &agent->sender.uplink_config;
    if (broker->session_expiry_s == 0 && !broker->clean_start)
        broker->session_expiry_s = SESSION_EXPIRY_S;
    /* Devices whose board has no entropy still differ by their names. */
    uint64_t name = dun_crc32c(0, config->device, strlen(config->device));
    uint64_t seed = config->random_seed ^ (name << 32 | config->boot);
    const struct dun_backoff_config hold = {.base_ms = config->backoff.base_ms,
                                            .max_ms = config->backoff.max_ms};
    dun_backoff_init(&agent->sender.backoff, config->backoff, seed);
    dun_backoff_init(&agent->sender.hold, hold, ~seed);
}

/* 16 bits of the device's id, so that a log knows the hand that wrote it; never 0. */
static uint16_t owner_of(const char *device)
{
    return (uint16_t)(dun_crc32c(0, device, strlen(device)) | 1);
}

int dun_agent_init(struct dun_agent *agent, const struct dun_agent_config *config,
                   const struct dun_agent_parts *parts, dun_ms now, const char **what)
{
    memset(agent, 0, sizeof *agent);
    agent->config = with_defaults(config, parts);
    agent->parts.catalog = parts->catalog;
    agent->parts.batch = parts->batch;
    agent->parts.limits = parts->limits;
    agent->parts.sensors = parts->sensors;
    agent->parts.uplink = parts->uplink;
    agent->parts.sensor_count = parts->sensor_count;
    agent->notices.ring = parts->notices;
    agent->notices.capacity = parts->notices_max;
    const char *wrong = wrong_field(&agent->config, parts);
    if (what)
        *what = wrong;
    if (wrong)
        return DUN_E_INVALID;
    dun_clock_init(&agent->clock, config->boot, agent->config.unix_earliest_ms,
                   agent->config.anchor_interval_ms);
    agent->store = parts->store;
    agent->spare = parts->spare;
    agent->archive = parts->archive;
    agent->store->config.owner = owner_of(config->device);
    if (dun_has_archive())
        agent->thinner = (struct dun_thinner){.store = agent->store,
                                              .archive = agent->archive,
                                              .keep_every = agent->config.keep_every};
    init_recorder(agent, parts);
    init_sender(agent, parts);
    for (uint16_t i = 0; i < parts->sensor_count; i++)
        dun_agent_pace(agent, &parts->sensors[i], parts->sensors[i].interval_ms, now);
    dun_recorder_start(&agent->recorder, now);
    dun_sender_start(&agent->sender, now);
    return DUN_OK;
}

/// The step ///

static struct dun_store *spare_of(const struct dun_agent *agent)
{
    return dun_has_spare() ? agent->spare : NULL;
}

static struct dun_store *archive_of(const struct dun_agent *agent)
{
    return dun_has_archive() ? agent->archive : NULL;
}

static void read_sensor(struct dun_agent *agent, struct dun_sensor *sensor, dun_ms now)
{
    int result = sensor->read(sensor, agent, now);
    /* After a sleep the missed turns are skipped, and the phase is kept, but for one of 49 days. */
    uint32_t late_ms = (uint32_t)dun_ms_earlier(now - sensor->due, UINT32_MAX);
    sensor->due = now + (dun_ms)(sensor->interval_ms - late_ms % sensor->interval_ms);
    if (result >= 0)
        return;
    agent->stats.sensor_errors++;
    dun_notices_add(&agent->notices, &(struct dun_notice){.kind = DUN_NOTICE_SENSOR_FAILED,
                                                          .error = result,
                                                          .name = sensor->name});
}

static void read_sensors(struct dun_agent *agent, dun_ms now)
{
    for (uint16_t i = 0; i < agent->parts.sensor_count; i++)
        if (now >= agent->parts.sensors[i].due)
            read_sensor(agent, &agent->parts.sensors[i], now);
}

static void tick_acks(struct dun_agent *agent, struct dun_store *store, dun_ms now)
{
    if (now >= store->acks_due_ms)
        dun_recorder_save(&agent->recorder, store); /* acks need room as records do */
    if (dun_store_tick(store, now) == DUN_OK)
        return;
    agent->stats.storage_errors++;
    store->failing = true;
    store->retry_ms = now + (dun_ms)agent->config.storage_retry_ms;
}

static void stamp(const struct dun_agent *agent, struct dun_store *store, dun_ms now)
{
    if (dun_store_is_mounted(store))
        dun_ledger_stamp(&store->ledger, agent->config.boot, now);
}

static void tick_store(struct dun_agent *agent, struct dun_store *store, dun_ms now)
{
    if (!store)
        return;
    tick_acks(agent, store, now);
    dun_recorder_note_dropped(&agent->recorder, store);
    /* Damage that the sender met, or a refused record: the next record must tell. */
    if (store->mounted && dun_ledger_untold(&store->ledger) > 0)
        dun_recorder_wake(&agent->recorder, now);
}

/* What `about` and `catalog` say may have changed: then they are published again. */
static void update_about(struct dun_agent *agent)
{
    const struct dun_store *active = agent->recorder.active;
    struct dun_about *about = &agent->sender.about;
    uint64_t stream = active ? dun_log_stream(&active->log) : 0;
    uint32_t catalog = agent->parts.catalog->hash;
    about->oldest_sequence = active ? dun_log_first_sequence(&active->log) : 0;
    if (about->stream == stream && about->catalog_hash == catalog)
        return;
    about->stream = stream;
    about->catalog_hash = catalog;
    about->metric_count = agent->parts.catalog->count;
    about->volatile_stream = active && (active == agent->spare || active->config.in_ram);
    dun_sender_refresh(&agent->sender);
}

static dun_ms next_deadline(const struct dun_agent *agent)
{
    dun_ms deadline = dun_recorder_deadline(&agent->recorder);
    deadline = dun_ms_earlier(deadline, dun_sender_deadline(&agent->sender));
    deadline = dun_ms_earlier(deadline, agent->store->acks_due_ms);
    if (spare_of(agent))
        deadline = dun_ms_earlier(deadline, agent->spare->acks_due_ms);
    if (archive_of(agent))
        deadline = dun_ms_earlier(deadline, agent->archive->acks_due_ms);
    if (agent->ending)
        return dun_ms_earlier(deadline,
                              agent->stop_ms == DUN_MS_NEVER ? agent->end_ms : agent->stop_ms);
    for (uint16_t i = 0; i < agent->parts.sensor_count; i++)
        deadline = dun_ms_earlier(deadline, agent->parts.sensors[i].due);
    return deadline;
}

static void pass_urgent(struct dun_agent *agent)
{
    struct dun_recorder *recorder = &agent->recorder;
    if (!dun_has_limits())
        return;
    if (recorder->urgent_first != 0)
        dun_outbox_urgent(&agent->sender.outbox, recorder->urgent_first, recorder->urgent_last);
    recorder->urgent_first = 0;
}

dun_ms dun_agent_step(struct dun_agent *agent, dun_ms now)
{
    if (dun_agent_ended(agent))
        return DUN_MS_NEVER;
    stamp(agent, agent->store, now);
    stamp(agent, spare_of(agent), now);
    if (!agent->ending)
        read_sensors(agent, now);
    dun_recorder_tick(&agent->recorder, now);
    update_about(agent);
    pass_urgent(agent);
    dun_sender_pump(&agent->sender, now);
    agent->recorder.limits.size_max = dun_sender_record_max(&agent->sender);
    tick_store(agent, agent->store, now);
    tick_store(agent, spare_of(agent), now);
    if (archive_of(agent))
        tick_acks(agent, agent->archive, now); /* the log's ledger has told what it drops */
    if (agent->ending)
        agent->ending(agent, now);
    return next_deadline(agent);
}

/// Recording ///

int dun_agent_declare(struct dun_agent *agent, const struct dun_metric *metric)
{
    if (agent->parts.catalog->count >= agent->parts.batch->metrics_max)
        return DUN_E_FULL;
    if (metric->real && agent->config.encoder->integers_only)
        return DUN_E_INVALID;
    return dun_catalog_add(agent->parts.catalog, metric);
}

int dun_agent_record(struct dun_agent *agent, uint16_t metric, int64_t value, dun_ms now)
{
    return dun_recorder_add(&agent->recorder, metric, value, now);
}

int dun_agent_limit(struct dun_agent *agent, uint16_t metric, int64_t low, int64_t high)
{
    if (!dun_has_limits() || !agent->parts.limits || metric >= agent->parts.catalog->count ||
        low > high)
        return DUN_E_INVALID;
    struct dun_limit *limit = &agent->parts.limits[metric];
    limit->low = low;
    limit->high = high;
    limit->set = true;
    limit->side = 0;
    return DUN_OK;
}

int dun_agent_tune(struct dun_agent *agent, uint16_t metric, const struct dun_tuning *tuning)
{
    if (!dun_has_limits() || !agent->parts.limits || metric >= agent->parts.catalog->count ||
        tuning->resolution < 0 || tuning->dead_band < 0)
        return DUN_E_INVALID;
    agent->parts.limits[metric].tuning = *tuning;
    return DUN_OK;
}

void dun_agent_set_clock(struct dun_agent *agent, dun_ms now, dun_ms unix_ms)
{
    dun_ms step_ms;
    int cause = dun_clock_set(&agent->clock, now, unix_ms, &step_ms);
    if (cause == 0)
        return;
    dun_recorder_wake(&agent->recorder, now);
    if (cause != DUN_ANCHOR_PERIODIC)
        dun_notices_add(&agent->notices, &(struct dun_notice){.kind = DUN_NOTICE_CLOCK,
                                                              .reason = (uint8_t)cause,
                                                              .value = step_ms});
}

int dun_agent_seal(struct dun_agent *agent, dun_ms now)
{
    return dun_recorder_seal(&agent->recorder, now);
}

/// The end ///

/* An orderly end makes the acks durable, so that the next start repeats nothing. */
static void stop_sending(struct dun_agent *agent, dun_ms now)
{
    agent->store->acks_due_ms = dun_ms_earlier(agent->store->acks_due_ms, now);
    tick_store(agent, agent->store, now);
    dun_sender_stop(&agent->sender, now);
}

static void step_end(struct dun_agent *agent, dun_ms now)
{
    struct dun_sender *sender = &agent->sender;
    /* Without a connection only what lies in RAM is worth the wait. */
    bool pointless = sender->state == DUN_SENDER_DOWN &&
                     (dun_store_backlog(spare_of(agent)) == 0 || now >= agent->end_ms);
    if (pointless || now >= agent->stop_ms) {
        stop_sending(agent, now);
        return;
    }
    if (agent->stop_ms != DUN_MS_NEVER) {
        if (sender->due == 0 && sender->unacked == 0)
            stop_sending(agent, now);
        return;
    }
    if (now >= agent->end_ms || dun_sender_drained(sender)) {
        dun_sender_say_offline(sender);
        agent->stop_ms = now + OFFLINE_GRACE_MS;
        dun_sender_pump(sender, now);
    }
}

void dun_agent_end(struct dun_agent *agent, dun_ms now, dun_ms deadline)
{
    if (agent->ending)
        return;
    agent->ending = step_end;
    agent->end_ms = deadline;
    agent->stop_ms = DUN_MS_NEVER;
    /* If storage refuses, the points go on waiting until the end: there is nothing better. */
    int result = dun_recorder_seal(&agent->recorder, now);
    (void)result;
}

bool dun_agent_ended(const struct dun_agent *agent)
{
    return agent->sender.state == DUN_SENDER_ENDED;
}

/// Looking in ///

bool dun_agent_notice(struct dun_agent *agent, struct dun_notice *notice)
{
    return dun_notices_take(&agent->notices, notice);
}

const struct dun_stats *dun_agent_stats(const struct dun_agent *agent)
{
    return &agent->stats;
}

dun_sequence dun_agent_backlog(const struct dun_agent *agent)
{
    return dun_outbox_backlog(&agent->sender.outbox);
}

bool dun_agent_is_up(const struct dun_agent *agent)
{
    return agent->sender.state == DUN_SENDER_UP;
}
