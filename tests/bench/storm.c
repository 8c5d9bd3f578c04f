/*
 * storm.c: a fleet of 1,000 whole devices (boards/node.c: agent, log, MQTT client) in one process
 * and in virtual time, at a broker that goes away and comes back: how many reconnect in which
 * second. Beside them stand the rules by which other clients wait, as models of the rule alone.
 *
 * Prints one run a line, tabs between, for bench_storm.py to make tables of, and is a test: it
 * fails if a fleet with `reconnect_spread` has a second with more than its share, or does not come
 * back whole. Nothing is timed; two runs print the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_ram.h"
#include "node.h"

#define DEVICES       1000
#define TICK_MS       50
#define TICKS_SECOND  (1000 / TICK_MS)
#define ROUND_TRIP_MS 20
#define SPREAD_MS     60000
#define SHARE_MAX     (DEVICES * 2 / (SPREAD_MS / 1000)) /* in a second: twice the average */
#define BREAK_MS      180000                             /* the broker goes */
#define RUN_MS        1080000
#define FLASH_BLOCK   1024
#define FLASH_BLOCKS  8
#define PACKET_MAX    2048

/// What is counted ///

struct counts {
    unsigned attempts[RUN_MS / TICK_MS];
    unsigned connects[RUN_MS / TICK_MS];
};

static struct counts counts;
static dun_ms now_ms;
static bool broker_up;

static void count(unsigned *ticks)
{
    ticks[now_ms / TICK_MS]++;
}

/* The most in any second, which may begin at any tick. */
static unsigned peak(const unsigned *ticks, dun_ms from_ms, dun_ms end_ms)
{
    unsigned in_second = 0, most = 0;
    for (dun_ms tick = from_ms / TICK_MS; tick < end_ms / TICK_MS; tick++) {
        in_second += ticks[tick];
        if (tick >= from_ms / TICK_MS + TICKS_SECOND)
            in_second -= ticks[tick - TICKS_SECOND];
        if (in_second > most)
            most = in_second;
    }
    return most;
}

/* Seconds after `from_ms` in which so many had come; -1: never. */
static int came_after(dun_ms from_ms, dun_ms end_ms, unsigned share)
{
    unsigned sum = 0;
    for (dun_ms tick = from_ms / TICK_MS; tick < end_ms / TICK_MS; tick++) {
        sum += counts.connects[tick];
        if (sum >= share)
            return (int)((tick * TICK_MS - from_ms) / 1000 + 1);
    }
    return -1;
}

/// The broker, a device's view of it ///

struct connection {
    bool open, closed; /* by the broker */
    dun_ms ready_ms;
    dun_ms answer_ms; /* when `out` arrives */
    uint8_t in[PACKET_MAX], out[PACKET_MAX];
    size_t in_size, out_size;
};

struct device {
    struct dun_node node;
    struct dun_link link;
    struct dun_flash flash;
    struct dun_sensor sensor;
    struct connection connection;
    uint8_t flash_bytes[FLASH_BLOCK * (FLASH_BLOCKS + 1)];
    char name[16];
    uint8_t version;
};

static struct device devices[DEVICES];
static dun_ms wake_ms[DEVICES];

static void answer(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (connection->out_size + size > sizeof connection->out)
        abort();
    memcpy(connection->out + connection->out_size, bytes, size);
    connection->out_size += size;
    connection->answer_ms = now_ms + ROUND_TRIP_MS;
}

static void on_packet(struct device *device, const uint8_t *packet, size_t head)
{
    const uint8_t *body = packet + head;
    switch (packet[0] >> 4) {
    case 1: /* CONNECT: the level stands behind the name MQTT */
        device->version = body[6];
        count(counts.connects);
        answer(&device->connection, (const uint8_t[]){0x20, device->version == 5 ? 3 : 2, 0, 0, 0},
               device->version == 5 ? 5 : 4);
        break;
    case 3: { /* PUBLISH, QoS 1 */
        size_t topic = (size_t)body[0] << 8 | body[1];
        answer(&device->connection, (const uint8_t[]){0x40, 2, body[2 + topic], body[3 + topic]},
               4);
        break;
    }
    case 12:
        answer(&device->connection, (const uint8_t[]){0xD0, 0}, 2);
        break;
    default:
        break;
    }
}

static void take_packets(struct device *device)
{
    struct connection *connection = &device->connection;
    for (;;) {
        size_t head = 1, size = 0, shift = 0;
        while (head < connection->in_size && head < 5 && connection->in[head] >= 0x80) {
            size |= (size_t)(connection->in[head++] & 0x7F) << shift;
            shift += 7;
        }
        if (head >= connection->in_size)
            return;
        size |= (size_t)connection->in[head++] << shift;
        if (head + size > connection->in_size)
            return;
        on_packet(device, connection->in, head);
        connection->in_size -= head + size;
        memmove(connection->in, connection->in + head + size, connection->in_size);
    }
}

static int link_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct device *device = context;
    (void)host;
    (void)port;
    count(counts.attempts);
    device->connection = (struct connection){.open = true, .ready_ms = now + ROUND_TRIP_MS};
    return DUN_OK;
}

static int link_ready(void *context, dun_ms now)
{
    struct device *device = context;
    if (now < device->connection.ready_ms)
        return 0;
    return broker_up && !device->connection.closed ? 1 : DUN_E_UNREACHABLE;
}

static int link_read(void *context, void *data, size_t size)
{
    struct connection *connection = &((struct device *)context)->connection;
    if (connection->closed)
        return DUN_E_CLOSED;
    if (connection->out_size == 0 || now_ms < connection->answer_ms)
        return 0;
    size_t moved = size < connection->out_size ? size : connection->out_size;
    memcpy(data, connection->out, moved);
    connection->out_size -= moved;
    memmove(connection->out, connection->out + moved, connection->out_size);
    return (int)moved;
}

static int link_write(void *context, const void *data, size_t size)
{
    struct device *device = context;
    struct connection *connection = &device->connection;
    if (connection->closed)
        return DUN_E_CLOSED;
    size_t room = sizeof connection->in - connection->in_size;
    size_t moved = size < room ? size : room;
    memcpy(connection->in + connection->in_size, data, moved);
    connection->in_size += moved;
    take_packets(device);
    return (int)moved;
}

static void link_close(void *context)
{
    ((struct device *)context)->connection.open = false;
}

static dun_ms link_deadline(void *context)
{
    return ((struct device *)context)->connection.ready_ms;
}

/// A fleet of devices ///

static int read_sensor(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    (void)sensor;
    return dun_agent_record(agent, 0, now, now);
}

static void boot(struct device *device, unsigned index, uint32_t spread_ms)
{
    snprintf(device->name, sizeof device->name, "device-%u", index);
    device->link = (struct dun_link){.context = device,
                                     .open = link_open,
                                     .ready = link_ready,
                                     .read = link_read,
                                     .write = link_write,
                                     .close = link_close,
                                     .deadline = link_deadline};
    device->sensor = (struct dun_sensor){"uptime", .interval_ms = 30000, .read = read_sensor};
    struct dun_flash_geometry geometry = {FLASH_BLOCK, FLASH_BLOCKS, 1};
    struct dun_buffer bytes = {device->flash_bytes, sizeof device->flash_bytes};
    struct dun_node_config config = {
        .agent = {.device = device->name,
                  .boot = 1,
                  .backoff = {.base_ms = 1000, .max_ms = 300000, .spread_ms = spread_ms}},
        .broker = {.host = "broker", .port = 1883, .client_id = device->name, .keepalive_s = 60},
        .link = &device->link,
        .flash = &device->flash,
        .stream = index + 1,
        .sensors = &device->sensor,
        .sensor_count = 1,
    };
    struct dun_metric metric = {"uptime", "ms", .kind = DUN_GAUGE};
    if (dun_flash_ram_init(&device->flash, geometry, bytes) < 0 ||
        dun_node_init(&device->node, &config, 0, NULL) < 0 ||
        dun_agent_declare(&device->node.agent, &metric) < 0)
        abort();
}

static void boot_fleet(uint32_t spread_ms)
{
    memset(devices, 0, sizeof devices);
    memset(wake_ms, 0, sizeof wake_ms);
    for (unsigned i = 0; i < DEVICES; i++)
        boot(&devices[i], i, spread_ms);
}

static void run_device(unsigned index)
{
    struct device *device = &devices[index];
    const struct connection *connection = &device->connection;
    dun_ms wake = dun_agent_step(&device->node.agent, now_ms);
    if (connection->open && connection->out_size > 0)
        wake = dun_ms_earlier(wake, connection->answer_ms);
    wake_ms[index] = wake > now_ms ? wake : now_ms + TICK_MS;
}

static void lose_devices(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        devices[i].connection.closed = true;
        wake_ms[i] = now_ms;
    }
}

/// Other rules ///

enum rule {
    RULE_OURS_SPREAD,
    RULE_OURS,
    RULE_FULL_JITTER, /* drawn anew after each failure, 1 s doubling to 2 min */
    RULE_DOUBLING,    /* the same without jitter */
    RULE_FIXED,       /* 10 s */
    RULE_COUNT,
};

static const char *const rule_names[RULE_COUNT] = {
    [RULE_OURS_SPREAD] = "dunlin, reconnect_spread = 1m",
    [RULE_OURS] = "dunlin as set by default",
    [RULE_FULL_JITTER] = "doubling, full jitter",
    [RULE_DOUBLING] = "doubling",
    [RULE_FIXED] = "fixed 10 s",
};

struct other {
    dun_ms arrives_ms; /* of the attempt under way */
    unsigned failures;
    bool up;
};

static struct other others[DEVICES];

static dun_ms wait_of(enum rule rule, struct other *other)
{
    dun_ms ceiling = INT64_C(1000) << other->failures;
    if (ceiling < 120000)
        other->failures++;
    else
        ceiling = 120000;
    return rule == RULE_FIXED ? 10000 : rule == RULE_DOUBLING ? ceiling : rand() % ceiling;
}

static void run_other(enum rule rule, unsigned index)
{
    struct other *other = &others[index];
    other->up = broker_up;
    if (broker_up) {
        count(counts.connects);
        other->failures = 0;
        wake_ms[index] = DUN_MS_NEVER;
        return;
    }
    wake_ms[index] = now_ms + wait_of(rule, other);
    if (wake_ms[index] < RUN_MS)
        counts.attempts[wake_ms[index] / TICK_MS]++;
}

/* Most libraries connect at once when they start; after a loss the first wait is the rule's. */
static void lose_others(enum rule rule)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        others[i].up = false;
        wake_ms[i] = now_ms + wait_of(rule, &others[i]);
        counts.attempts[wake_ms[i] / TICK_MS]++;
    }
}

static void boot_others(void)
{
    memset(others, 0, sizeof others);
    memset(wake_ms, 0, sizeof wake_ms);
    counts.attempts[0] = DEVICES;
    srand(1);
}

/// Runs ///

static void tick(enum rule rule)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        if (wake_ms[i] > now_ms)
            continue;
        if (rule <= RULE_OURS)
            run_device(i);
        else
            run_other(rule, i);
    }
}

static bool all_came(dun_ms back_ms)
{
    static unsigned came; /* since the broker is back */
    if (now_ms == back_ms)
        came = 0;
    came += counts.connects[now_ms / TICK_MS];
    return now_ms >= back_ms && came == DEVICES;
}

static void run(enum rule rule, dun_ms away_ms)
{
    memset(&counts, 0, sizeof counts);
    if (rule <= RULE_OURS)
        boot_fleet(rule == RULE_OURS_SPREAD ? SPREAD_MS : 0);
    else
        boot_others();
    for (now_ms = 0; now_ms < RUN_MS; now_ms += TICK_MS) {
        broker_up = now_ms < BREAK_MS || now_ms >= BREAK_MS + away_ms;
        if (now_ms == BREAK_MS && rule <= RULE_OURS)
            lose_devices();
        else if (now_ms == BREAK_MS)
            lose_others(rule);
        tick(rule);
        if (all_came(BREAK_MS + away_ms))
            return;
    }
}

/* scenario, rule, most reconnects and most attempts in a second, seconds until half, 99 % and all
 * are back, reconnects in each second. */
static bool report(const char *scenario, enum rule rule, dun_ms lost_ms, dun_ms back_ms,
                   dun_ms end_ms)
{
    unsigned most = peak(counts.connects, back_ms, end_ms);
    int whole = came_after(back_ms, end_ms, DEVICES);
    printf("%s\t%s\t%u\t%u\t%d\t%d\t%d\t", scenario, rule_names[rule], most,
           peak(counts.attempts, lost_ms, end_ms), came_after(back_ms, end_ms, DEVICES / 2),
           came_after(back_ms, end_ms, DEVICES * 99 / 100), whole);
    for (dun_ms second = back_ms / 1000; second < end_ms / 1000; second++) {
        unsigned sum = 0;
        for (int i = 0; i < TICKS_SECOND; i++)
            sum += counts.connects[second * TICKS_SECOND + i];
        printf("%s%u", second > back_ms / 1000 ? "," : "", sum);
    }
    putchar('\n');
    return rule != RULE_OURS_SPREAD || (most <= SHARE_MAX && whole >= 0);
}

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

int main(void)
{
    static const struct {
        const char *name;
        dun_ms away_ms;
    } outages[] = {{"restarted at once", 0}, {"away for 5 s", 5000}, {"away for 5 min", 300000}};
    bool good = true;
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        for (size_t i = 0; i < sizeof outages / sizeof outages[0]; i++) {
            run((enum rule)rule, outages[i].away_ms);
            if (i == 0)
                good &= report("all boot at once", (enum rule)rule, 0, 0, BREAK_MS);
            good &= report(outages[i].name, (enum rule)rule, BREAK_MS,
                           BREAK_MS + outages[i].away_ms, RUN_MS);
        }
    }
    return good ? 0 : 1;
}
