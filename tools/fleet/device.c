/*
 * device.c: see device.h. The clock and the events come from the fleet; the only thing that it
 * calls by itself is the socket.
 */
#define _POSIX_C_SOURCE 200809L
#include "device.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tls.h"

#define ADDRESS_TIMEOUT_MS 10000
#define CONNECT_TIMEOUT_MS 30000
#define ROUNDS_MAX         4     /* steps in a row of a device that has more to do */
#define SEAL_WAIT_MS       15000 /* at the end, for a batch that fills */
#define END_MS             5000  /* for its last words */

/// Flash ///

static uint8_t *flash_at(void *context, uint32_t block, uint32_t offset)
{
    struct dun_fleet_device *device = context;
    return device->flash_bytes + (size_t)block * device->flash.geometry.block_size + offset;
}

static int flash_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    memcpy(data, flash_at(context, block, offset), size);
    return DUN_OK;
}

static int flash_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    memcpy(flash_at(context, block, offset), data, size);
    return DUN_OK;
}

static int flash_erase(void *context, uint32_t block)
{
    struct dun_fleet_device *device = context;
    memset(flash_at(context, block, 0), 0xFF, device->flash.geometry.block_size);
    return DUN_OK;
}

static int flash_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

/// A link that fails on command ///

static int link_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct dun_fleet_device *device = context;
    (void)host;
    device->wait_fd = -1;
    return device->fault == DUN_FAULT_CUT
               ? DUN_E_UNREACHABLE
               : device->wire.open(&device->posix, device->settings->host, port, now);
}

static int link_ready(void *context, dun_ms now)
{
    struct dun_fleet_device *device = context;
    return device->fault == DUN_FAULT_CUT      ? DUN_E_UNREACHABLE
           : device->fault == DUN_FAULT_SILENT ? 0
                                               : device->wire.ready(&device->posix, now);
}

static int link_read(void *context, void *data, size_t size)
{
    struct dun_fleet_device *device = context;
    if (device->fault == DUN_FAULT_CUT) {
        return DUN_E_CLOSED;
    }
    if (device->fault == DUN_FAULT_SILENT) {
        return 0;
    }
    int got = device->wire.read(&device->posix, data, size);
    if (device->fault == DUN_FAULT_DEAF && got > 0) {
        device->fault_until_ms = 0; /* what got lost is lost; the next connection works */
        return DUN_E_CLOSED;
    }
    return got;
}

static int link_write(void *context, const void *data, size_t size)
{
    struct dun_fleet_device *device = context;
    return device->fault == DUN_FAULT_CUT      ? DUN_E_CLOSED
           : device->fault == DUN_FAULT_SILENT ? (int)(size < INT16_MAX ? size : INT16_MAX)
                                               : device->wire.write(&device->posix, data, size);
}

/* A broken link tells the broker nothing but that it broke. */
static void link_close(void *context)
{
    struct dun_fleet_device *device = context;
    int fd = dun_link_posix_fd(&device->posix);
    if (fd >= 0 && (device->fault != DUN_FAULT_NONE || !device->powered)) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    device->wait_fd = -1;
    device->wire.close(&device->posix);
}

static dun_ms link_deadline(void *context)
{
    struct dun_fleet_device *device = context;
    return device->wire.deadline(&device->posix);
}

void dun_device_fail(struct dun_fleet_device *device, enum dun_fleet_fault fault, dun_ms until)
{
    bool longer = device->fault == fault && device->fault_until_ms > until;
    device->fault = (uint8_t)fault;
    device->fault_until_ms = longer ? device->fault_until_ms : until;
}

/* Each fault ends in a connection that is broken, whoever finds out first. */
static void end_fault(struct dun_fleet_device *device, dun_ms now)
{
    if (device->fault == DUN_FAULT_NONE || now < device->fault_until_ms) {
        return;
    }
    bool up = dun_agent_is_up(&device->node.agent);
    device->fault = up ? DUN_FAULT_CUT : DUN_FAULT_NONE;
}

/// Sensors ///

static int read_sensor(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_fleet_device *device = sensor->context;
    const struct dun_fleet_settings *settings = device->settings;
    const struct dun_signal_time time = {.seed = settings->seed,
                                         .device = settings->first + device->index,
                                         .at_ms = device->life_ms + sensor->due - device->first_due,
                                         .uptime_ms = sensor->due,
                                         .interval_ms = sensor->interval_ms,
                                         .day_ms = settings->day_ms};
    int result = DUN_OK;
    for (uint16_t i = 0; i < device->model->signal_count; i++) {
        int64_t value;
        if (dun_signal_read(&device->model->signals[i], i, &time, &value)) {
            int one = dun_agent_record(agent, i, value, now);
            result = one < 0 ? one : result;
        }
    }
    return result;
}

/// Power ///

static size_t round_up(size_t size)
{
    return (size + 15) / 16 * 16;
}

static size_t flash_size(const struct dun_fleet_settings *settings)
{
    return round_up((size_t)settings->log.block_size * settings->log.block_count);
}

size_t dun_device_size(const struct dun_fleet_settings *settings)
{
    return round_up(sizeof(struct dun_fleet_device)) + flash_size(settings) +
           (settings->tls ? round_up(dun_fleet_tls_size()) : 0);
}

void dun_device_make(struct dun_fleet_device *device, const struct dun_fleet_settings *settings)
{
    memset(device, 0, dun_device_size(settings));
    device->settings = settings;
    device->flash_bytes = (uint8_t *)device + round_up(sizeof *device);
    device->tls = device->flash_bytes + flash_size(settings);
    memset(device->flash_bytes, 0xFF, flash_size(settings));
    device->flash = (struct dun_flash){.geometry = settings->log,
                                       .context = device,
                                       .read = flash_read,
                                       .prog = flash_prog,
                                       .erase = flash_erase,
                                       .sync = flash_sync};
    device->link = (struct dun_link){.context = device,
                                     .open = link_open,
                                     .ready = link_ready,
                                     .read = link_read,
                                     .write = link_write,
                                     .close = link_close,
                                     .deadline = link_deadline};
    device->sensor = (struct dun_sensor){.name = "model", .read = read_sensor, .context = device};
    device->wait_fd = -1;
    dun_link_posix_init(&device->posix, ADDRESS_TIMEOUT_MS, CONNECT_TIMEOUT_MS, &device->wire);
}

/* The user's name, with %d for the device's. */
static void fill_username(struct dun_fleet_device *device, const char *text)
{
    const char *mark = strstr(text, "%d");
    int before = mark != NULL ? (int)(mark - text) : (int)strlen(text);
    (void)snprintf(device->username, sizeof device->username, "%.*s%s%s", before, text,
                   mark != NULL ? device->name : "", mark != NULL ? mark + 2 : "");
}

void dun_device_name(struct dun_fleet_device *device, const struct dun_model *model, uint32_t index,
                     uint64_t stream, uint32_t boot)
{
    const struct dun_fleet_settings *settings = device->settings;
    device->model = model;
    device->index = index;
    device->stream = stream;
    device->boot = boot;
    device->sensor.interval_ms =
        settings->interval_ms > 0 ? settings->interval_ms : model->interval_ms;
    (void)snprintf(device->name, sizeof device->name, "%.50s-%05u", settings->id,
                   (unsigned)(settings->first + index));
    if (settings->username != NULL) {
        fill_username(device, settings->username);
    }
}

static struct dun_node_config node_config(struct dun_fleet_device *device)
{
    const struct dun_fleet_settings *settings = device->settings;
    return (struct dun_node_config){
        .agent = {.prefix = settings->prefix,
                  .fleet = settings->fleet,
                  .device = device->name,
                  .board = "simulated",
                  .encoder = settings->encoder,
                  .boot = device->boot,
                  .batch_age_max_ms = settings->batch_age_ms,
                  .ack_mode = settings->ack_mode,
                  .backoff = {.spread_ms = settings->reconnect_spread_ms},
                  .stay = true,
                  .random_seed = settings->seed},
        .broker = {.host = settings->host_name,
                   .port = settings->port,
                   .client_id = device->name,
                   .username = settings->username != NULL ? device->username : NULL,
                   .password = settings->password,
                   .keepalive_s = settings->keepalive_s,
                   .mqtt_version = settings->mqtt_version,
                   .connect_timeout_ms = CONNECT_TIMEOUT_MS},
        .link = settings->tls ? dun_fleet_tls_wrap(device->tls, &device->link) : &device->link,
        .flash = &device->flash,
        .stream = device->stream,
        .sensors = &device->sensor,
        .sensor_count = 1,
    };
}

static bool declare(struct dun_fleet_device *device)
{
    for (uint16_t i = 0; i < device->model->signal_count; i++) {
        if (dun_agent_declare(&device->node.agent, &device->model->signals[i].metric) != i) {
            return false;
        }
    }
    return true;
}

bool dun_device_boot(struct dun_fleet_device *device, dun_ms now, struct dun_fleet_totals *totals)
{
    dun_ms interval = device->sensor.interval_ms;
    if (device->born) {
        device->boot += device->boot == UINT32_MAX ? 2 : 1;
        device->life_ms = ((now - device->first_boot_ms) / interval + 1) * interval;
    } else {
        device->first_boot_ms = now;
        device->born = true;
    }
    struct dun_node_config config = node_config(device);
    device->booted_ms = now;
    device->powered = true;
    if (dun_node_init(&device->node, &config, 0, NULL) < 0 || !declare(device)) {
        return false;
    }
    if (device->settings->in_step) {
        device->sensor.due = interval - now % interval;
    }
    device->first_due = device->sensor.due;
    if (device->quiet) {
        device->sensor.due = DUN_MS_NEVER;
    }
    device->sealed_next = dun_log_next_sequence(&device->node.agent.store->log);
    totals->boots++;
    totals->powered++;
    return true;
}

void dun_device_cut_power(struct dun_fleet_device *device, struct dun_fleet_totals *totals)
{
    totals->points_forgotten += device->node.batch.count;
    totals->powered--;
    totals->up -= device->up ? 1 : 0;
    totals->open -= device->open ? 1 : 0;
    totals->backlog -= device->backlog;
    device->up = device->open = device->powered = false;
    device->backlog = 0;
    link_close(device);
    if (device->settings->tls) {
        dun_fleet_tls_free(device->tls);
    }
    memset(&device->node, 0, sizeof device->node);
}

/// A step ///

struct before {
    struct dun_stats stats;
    struct dun_uplink_stats uplink;
    dun_ms oldest_ms;
};

static struct before look(const struct dun_fleet_device *device, dun_ms now)
{
    const struct dun_node *node = &device->node;
    dun_ms waiting = node->agent.recorder.waiting_since_ms;
    struct before before = {.stats = *dun_agent_stats(&node->agent),
                            .oldest_ms =
                                waiting == DUN_MS_NEVER ? now : device->booted_ms + waiting};
    node->uplink.stats(node->uplink.context, &before.uplink);
    return before;
}

static void count(struct dun_fleet_device *device, const struct before *before,
                  struct dun_fleet_totals *totals)
{
    struct before after = look(device, 0);
    totals->points += after.stats.points_recorded - before->stats.points_recorded;
    totals->records += after.stats.records_stored - before->stats.records_stored;
    totals->record_bytes += after.stats.bytes_stored - before->stats.bytes_stored;
    totals->published += after.stats.records_published - before->stats.records_published;
    totals->acked += after.stats.records_acked - before->stats.records_acked;
    totals->rejected += after.stats.records_rejected - before->stats.records_rejected;
    totals->dropped += after.stats.records_dropped - before->stats.records_dropped;
    totals->bytes_out += after.uplink.bytes_out - before->uplink.bytes_out;
    totals->bytes_in += after.uplink.bytes_in - before->uplink.bytes_in;
    totals->connect_failures += after.stats.connect_failures - before->stats.connect_failures;
    totals->disconnects += after.stats.disconnects - before->stats.disconnects;
    totals->storage_errors += after.stats.storage_errors - before->stats.storage_errors;
    uint64_t connects = after.stats.connects - before->stats.connects;
    if (connects > 0) {
        totals->connects += connects;
        totals->reconnects += connects - (device->was_up ? 0 : 1);
        device->was_up = true;
    }
}

static void count_state(struct dun_fleet_device *device, struct dun_fleet_totals *totals)
{
    bool up = dun_agent_is_up(&device->node.agent);
    bool open = device->node.agent.recorder.waiting_since_ms != DUN_MS_NEVER;
    uint64_t backlog = dun_agent_backlog(&device->node.agent);
    totals->open += (uint64_t)open - (uint64_t)device->open;
    device->open = open;
    totals->up += (uint64_t)up - (uint64_t)device->up;
    totals->backlog += backlog - device->backlog;
    device->up = up;
    device->backlog = backlog;
}

static void add_latency(struct dun_fleet_device *device, uint64_t sequence, dun_ms now,
                        struct dun_fleet_totals *totals)
{
    struct dun_fleet_sealed *sealed = &device->sealed[sequence % DUN_FLEET_SEALED_MAX];
    if (sealed->sealed_ms != 0) {
        dun_histogram_add(&totals->answered, (dun_ms)((uint32_t)now - sealed->sealed_ms), 1);
        dun_histogram_add(&totals->delivered, (dun_ms)((uint32_t)now - sealed->oldest_ms), 1);
    }
    *sealed = (struct dun_fleet_sealed){0, 0};
}

/* Records that were made in this step, and those that it freed. */
static void follow_records(struct dun_fleet_device *device, const struct before *before, dun_ms now,
                           struct dun_fleet_totals *totals)
{
    const struct dun_log *log = &device->node.agent.store->log;
    uint64_t next = dun_log_next_sequence(log);
    uint64_t first = dun_log_first_sequence(log);
    bool dropped =
        dun_agent_stats(&device->node.agent)->records_dropped != before->stats.records_dropped;
    for (; device->sealed_next < next; device->sealed_next++) {
        device->sealed[device->sealed_next % DUN_FLEET_SEALED_MAX] =
            (struct dun_fleet_sealed){(uint32_t)now, (uint32_t)before->oldest_ms};
    }
    uint64_t from = device->acked_first;
    if (from + DUN_FLEET_SEALED_MAX < first) {
        from = first - DUN_FLEET_SEALED_MAX;
    }
    for (; from < first && !dropped; from++) {
        add_latency(device, from, now, totals);
    }
    device->acked_first = device->acked_first < first ? first : device->acked_first;
}

static void take_notices(struct dun_agent *agent)
{
    struct dun_notice notice;
    while (dun_agent_notice(agent, &notice)) {
    }
}

static void set_clock(struct dun_fleet_device *device, dun_ms uptime, dun_ms unix_ms)
{
    if (uptime >= (dun_ms)device->settings->clock_after_ms) {
        dun_agent_set_clock(&device->node.agent, uptime, unix_ms + device->clock_step_ms);
    }
}

/* What the fleet asked for since the last step. */
static void obey(struct dun_fleet_device *device, dun_ms uptime)
{
    if (device->seals) {
        int result = dun_agent_seal(&device->node.agent, uptime);
        (void)result; /* a flash in RAM does not fail */
        device->seals = false;
    }
    if (device->leaves) {
        dun_agent_end(&device->node.agent, uptime, uptime + END_MS);
    }
}

dun_ms dun_device_step(struct dun_fleet_device *device, dun_ms now, dun_ms unix_ms,
                       struct dun_fleet_totals *totals)
{
    struct dun_agent *agent = &device->node.agent;
    dun_ms uptime = now - device->booted_ms;
    dun_ms next = DUN_MS_NEVER;
    struct before before = look(device, now);
    end_fault(device, now);
    set_clock(device, uptime, unix_ms);
    obey(device, uptime);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        next = dun_agent_step(agent, uptime);
        if (next > uptime) {
            break;
        }
    }
    take_notices(agent);
    count(device, &before, totals);
    count_state(device, totals);
    follow_records(device, &before, now, totals);
    totals->steps++;
    next = next == DUN_MS_NEVER ? next : device->booted_ms + (next > uptime ? next : uptime + 1);
    if (device->fault != DUN_FAULT_NONE) {
        next =
            dun_ms_earlier(next, device->fault_until_ms > now ? device->fault_until_ms : now + 1);
    }
    return next;
}

int dun_device_wait(const struct dun_fleet_device *device, short *events)
{
    const struct dun_uplink *uplink = &device->node.uplink;
    if (!device->powered || device->fault == DUN_FAULT_SILENT || device->fault == DUN_FAULT_CUT) {
        return -1;
    }
    int out = uplink->wants_write(uplink->context) ? POLLOUT : 0;
    int in = uplink->wants_read(uplink->context) ? 0 : POLLIN;
    *events = (short)((dun_link_posix_events(&device->posix) | out) & ~in);
    return dun_link_posix_fd(&device->posix);
}

uint64_t dun_device_recorded(const struct dun_fleet_device *device)
{
    return dun_log_next_sequence(&device->node.agent.store->log) - 1;
}

/// The end ///

void dun_device_hush(struct dun_fleet_device *device)
{
    /* Sealed all at once, the last batches of a fleet would be a load that it never is. */
    device->seals = device->settings->batch_age_ms > SEAL_WAIT_MS;
    device->sensor.due = DUN_MS_NEVER;
    device->quiet = true;
}

void dun_device_end(struct dun_fleet_device *device)
{
    device->leaves = true;
}

bool dun_device_ended(const struct dun_fleet_device *device)
{
    return dun_agent_ended(&device->node.agent);
}

/// Sleep ///

/* Bytes that were sent or taken stay where they were. Where none wait, none need be kept. */
void dun_device_tidy(struct dun_fleet_device *device)
{
    struct dun_node *node = &device->node;
    struct dun_node_uplink *parts = &node->connection;
    const struct dun_uplink_mqtt *mqtt = &parts->mqtt;
    if (mqtt->read_start == mqtt->read_end) {
        memset(parts->link_rx, 0, sizeof parts->link_rx);
    }
    if (mqtt->write_start == mqtt->write_end) {
        memset(parts->link_tx, 0, sizeof parts->link_tx);
    }
    if (mqtt->session.tx_start == mqtt->session.tx_end) {
        memset(parts->mqtt_tx, 0, sizeof parts->mqtt_tx);
    }
    if (mqtt->session.phase == DUN_MQTT_FIRST_BYTE && !mqtt->session.event_ready) {
        memset(parts->mqtt_rx, 0, sizeof parts->mqtt_rx);
        memset(&parts->mqtt.session.event, 0, sizeof parts->mqtt.session.event);
    }
    memset(node->points + node->batch.count, 0,
           (DUN_PROFILE_POINTS_MAX - node->batch.count) * sizeof node->points[0]);
    if (node->agent.notices.count == 0) {
        memset(node->notices, 0, sizeof node->notices);
    }
    if (node->agent.store->log.fill == 0) {
        memset(node->stores[0].unit, 0, sizeof node->stores[0].unit);
    }
}
