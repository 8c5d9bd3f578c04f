/*
 * sensors.c: see sensors.h. A sensor is a table of shapes and a function that fills as many values;
 * a metric is declared when its first value is there.
 */
#include "sensors.h"

#include <lwip/netif.h>

#include "adc.h"
#include "ethernet.h"
#include "i2c.h"
#include "sensor_lm75.h"
#include "stack.h"
#include "uart.h"

#define VALUES_MAX   6
#define LM75_ADDRESS 0x48u

extern uint8_t ram_start[], ram_end[], kept_end[];

/* A source: its metrics, their ids once declared, and where the values come from. */
struct source {
    const struct dun_metric *metrics;
    int count;
    void (*values)(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX]);
    int16_t ids[VALUES_MAX]; /* 0: not declared; else id + 1 */
};

static struct netif *interface;
static const struct dun_fault_note *last_reset;

static int read_source(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct source *source = sensor->context;
    int64_t values[VALUES_MAX];
    source->values(agent, now, values);
    for (int i = 0; i < source->count; i++) {
        if (source->ids[i] == 0) {
            int id = dun_agent_declare(agent, &source->metrics[i]);
            if (id < 0) {
                return id;
            }
            source->ids[i] = (int16_t)(id + 1);
        }
        int result = dun_agent_record(agent, (uint16_t)(source->ids[i] - 1), values[i], now);
        if (result < 0 && result != DUN_E_FULL) {
            return result;
        }
    }
    return DUN_OK;
}

/// The device ///

static const struct dun_metric device_metrics[] = {
    {.name = "system.uptime", .unit = "s", .kind = DUN_GAUGE, .exponent = -3},
    {.name = "dunlin.stack.free", .unit = "By", .kind = DUN_GAUGE},
    {.name = "dunlin.stack.limit", .unit = "By", .kind = DUN_GAUGE},
    {.name = "system.memory.usage", .unit = "By", .kind = DUN_GAUGE},
    {.name = "system.memory.limit", .unit = "By", .kind = DUN_GAUGE},
};

static void device_values(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX])
{
    (void)agent;
    values[0] = now;
    values[1] = dun_stack_free();
    values[2] = dun_stack_size();
    values[3] = (kept_end - ram_start) - (int64_t)dun_stack_free();
    values[4] = ram_end - ram_start;
}

static const char *const reset_causes[] = {"power", "watchdog", "assert", "fault", "ended"};
_Static_assert(DUN_RESET_ENDED + 1 == sizeof reset_causes / sizeof reset_causes[0],
               "a name for each enum dun_reset_cause");

static const struct dun_metric reset_metrics[] = {
    {.name = "dunlin.reset.cause",
     .unit = "1",
     .states = reset_causes,
     .state_count = sizeof reset_causes / sizeof reset_causes[0],
     .kind = DUN_STATE},
    {.name = "dunlin.reset.place", .unit = "1", .kind = DUN_GAUGE},
    {.name = "dunlin.reset.detail", .unit = "1", .kind = DUN_GAUGE},
    {.name = "dunlin.reset.count", .unit = "{reset}", .kind = DUN_COUNTER},
};

static void reset_values(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX])
{
    (void)agent;
    (void)now;
    values[0] = last_reset->cause;
    values[1] = last_reset->place;
    values[2] = last_reset->detail;
    values[3] = last_reset->resets;
}

/// The network ///

static const struct dun_attribute inbound = {"network.io.direction", "receive"};
static const struct dun_attribute outbound = {"network.io.direction", "transmit"};

#define NETWORK_METRIC(metric, way)                                                                \
    {                                                                                              \
        .name = metric, .unit = "{packet}", .attributes = &way, .attribute_count = 1,              \
        .kind = DUN_COUNTER                                                                        \
    }

static const struct dun_metric network_metrics[] = {
    {.name = "dunlin.interface.up", .unit = "1", .kind = DUN_BOOLEAN},
    NETWORK_METRIC("system.network.packet.count", inbound),
    NETWORK_METRIC("system.network.packet.count", outbound),
    NETWORK_METRIC("system.network.packet.dropped", inbound),
};

static void network_values(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX])
{
    const struct dun_ethernet_stats *stats = dun_ethernet_stats();
    (void)agent;
    (void)now;
    values[0] = netif_is_link_up(interface) && netif_is_up(interface);
    values[1] = stats->frames_in;
    values[2] = stats->frames_out;
    values[3] = stats->dropped_in;
}

/// The converter ///

static const struct dun_attribute die = {"hw.id", "die"};
static const struct dun_metric analog_metrics[] = {
    {.name = "hw.temperature",
     .unit = "Cel",
     .attributes = &die,
     .attribute_count = 1,
     .kind = DUN_GAUGE,
     .exponent = -1},
};

static void analog_values(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX])
{
    (void)agent;
    (void)now;
    values[0] = dun_adc_die_tenths();
}

/// The bus ///

static const struct dun_attribute on_board = {"hw.id", "board"};
static const struct dun_metric board_metric = {.name = "hw.temperature",
                                               .unit = "Cel",
                                               .attributes = &on_board,
                                               .attribute_count = 1,
                                               .kind = DUN_GAUGE,
                                               .exponent = DUN_LM75_EXPONENT};

/// The agent ///

static const struct dun_metric agent_metrics[] = {
    {.name = "dunlin.log.backlog", .unit = "{record}", .kind = DUN_GAUGE},
    {.name = "dunlin.log.dropped", .unit = "{record}", .kind = DUN_COUNTER},
    {.name = "dunlin.log.errors", .unit = "{error}", .kind = DUN_COUNTER},
    {.name = "dunlin.link.connects", .unit = "{connection}", .kind = DUN_COUNTER},
    {.name = "dunlin.link.acked", .unit = "{record}", .kind = DUN_COUNTER},
};

static void agent_values(struct dun_agent *agent, dun_ms now, int64_t values[VALUES_MAX])
{
    const struct dun_stats *stats = dun_agent_stats(agent);
    (void)now;
    values[0] = (int64_t)dun_agent_backlog(agent);
    values[1] = (int64_t)stats->records_dropped;
    values[2] = (int64_t)stats->storage_errors;
    values[3] = (int64_t)stats->connects;
    values[4] = (int64_t)stats->records_acked;
}

#define SOURCE(part)                                                                               \
    {                                                                                              \
        .metrics = part##_metrics, sizeof part##_metrics / sizeof(struct dun_metric),              \
        part##_values,                                                                             \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static struct source sources[] = {
    SOURCE(device), SOURCE(reset), SOURCE(network), SOURCE(analog), SOURCE(agent),
};

uint16_t dun_lm3s_sensors(struct dun_sensor sensors[DUN_LM3S_SENSOR_COUNT], struct netif *netif,
                          const struct dun_fault_note *reset, uint32_t interval_ms)
{
    static const char *const names[] = {"device", "reset", "network", "analog", "agent"};
    static struct dun_lm75 thermometer;
    uint16_t count = 0;
    interface = netif;
    last_reset = reset;
    for (; count < sizeof sources / sizeof sources[0]; count++) {
        sensors[count] = (struct dun_sensor){.name = names[count],
                                             .interval_ms = interval_ms,
                                             .read = read_source,
                                             .context = &sources[count]};
    }
    int result = dun_lm75_init(&thermometer, dun_i2c_start(), LM75_ADDRESS, &board_metric);
    if (result != DUN_OK) {
        dun_uart_event("thermometer: none", "error", result);
        return count;
    }
    sensors[count] = (struct dun_sensor){.name = "thermometer",
                                         .interval_ms = interval_ms,
                                         .read = dun_lm75_sensor,
                                         .context = &thermometer};
    return count + 1;
}
