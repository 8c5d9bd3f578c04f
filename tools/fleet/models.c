/*
 * models.c: the kinds of device that there are to simulate. Names and units follow the
 * OpenTelemetry conventions where these have one.
 */
#include <string.h>

#include "signals.h"

#define METRIC(its_name, its_unit, its_kind, its_exponent)                                         \
    {                                                                                              \
        .name = (its_name), .unit = (its_unit), .kind = (its_kind), .exponent = (its_exponent)     \
    }
#define GAUGE(name, unit, exponent) .metric = METRIC(name, unit, DUN_GAUGE, exponent)
#define TOTAL(name, unit, exponent) .metric = METRIC(name, unit, DUN_COUNTER, exponent)
#define COUNT(array)                (sizeof(array) / sizeof((array)[0]))

static const struct dun_signal meter[] = {
    {TOTAL("energy.import", "W.h", 0), .shape = DUN_SIGNAL_COUNTER, .base = 450, .swing = 300,
     .spread = 500},
    {GAUGE("power.active", "W", 0), .base = 450, .swing = 300, .noise = 120, .spread = 500},
    {GAUGE("voltage", "V", -1), .base = 2310, .swing = -25, .noise = 20, .spread = 8},
    {GAUGE("current", "A", -2), .base = 195, .swing = 130, .noise = 52, .spread = 500},
    {GAUGE("frequency", "Hz", -3), .base = 50000, .noise = 25},
};

static const struct dun_attribute in[] = {{"network.io.direction", "receive"}};
static const struct dun_attribute out[] = {{"network.io.direction", "transmit"}};

static const struct dun_signal gateway[] = {
    {GAUGE("system.cpu.utilization", "1", -3), .base = 180, .swing = 60, .noise = 110,
     .spread = 300},
    {GAUGE("system.memory.usage", "By", 3), .base = 212000, .swing = 9000, .noise = 4000,
     .spread = 200},
    {.metric = {.name = "system.network.io",
                .unit = "By",
                .attributes = in,
                .attribute_count = 1,
                .kind = DUN_COUNTER},
     .shape = DUN_SIGNAL_COUNTER,
     .base = 21000000,
     .swing = 9000000,
     .spread = 600},
    {.metric = {.name = "system.network.io",
                .unit = "By",
                .attributes = out,
                .attribute_count = 1,
                .kind = DUN_COUNTER},
     .shape = DUN_SIGNAL_COUNTER,
     .base = 4000000,
     .swing = 2000000,
     .spread = 600},
    {GAUGE("hw.temperature", "Cel", -1), .base = 484, .swing = 40, .noise = 12, .spread = 60},
    {GAUGE("system.uptime", "s", 0), .shape = DUN_SIGNAL_UPTIME},
};

static const char *const motor_states[] = {"stopped", "starting", "running", "braking"};

static const struct dun_signal motor[] = {
    {GAUGE("rotation.speed", "{revolution}/min", 0), .shape = DUN_SIGNAL_STEPS, .base = 1480,
     .noise = 6, .dwell_s = 120},
    {GAUGE("current", "A", -2), .shape = DUN_SIGNAL_STEPS, .base = 1140, .noise = 90,
     .dwell_s = 120, .spread = 100},
    {GAUGE("vibration.velocity", "mm/s", -2), .shape = DUN_SIGNAL_STEPS, .base = 180, .noise = 70,
     .dwell_s = 120, .spread = 400},
    {GAUGE("hw.temperature", "Cel", -1), .base = 610, .swing = 45, .noise = 8, .spread = 80},
    {.metric = {.name = "motor.state",
                .unit = "1",
                .states = motor_states,
                .state_count = COUNT(motor_states),
                .kind = DUN_STATE},
     .shape = DUN_SIGNAL_LEVELS,
     .base = COUNT(motor_states) - 1,
     .dwell_s = 120},
};

static const struct dun_signal room[] = {
    {GAUGE("air.temperature", "Cel", -2), .base = 2130, .swing = 140, .noise = 12, .spread = 60},
    {GAUGE("air.humidity", "%", -1), .base = 442, .swing = -38, .noise = 9, .spread = 120},
    {GAUGE("air.co2", "[ppm]", 0), .base = 720, .swing = 240, .noise = 45, .spread = 200},
    {GAUGE("light", "lx", 0), .base = 260, .swing = 250, .noise = 30, .spread = 300},
    {GAUGE("hw.battery.charge", "1", -3), .shape = DUN_SIGNAL_SAW, .base = 1000, .swing = 850,
     .dwell_s = 30000000},
};

static const struct dun_signal tracker[] = {
    {GAUGE("position.latitude", "deg", -5), .base = 5200000, .noise = 9000, .spread = 40,
     .outage = 40, .dwell_s = 60},
    {GAUGE("position.longitude", "deg", -5), .base = 1000000, .noise = 9000, .spread = 400,
     .outage = 40, .dwell_s = 60},
    {GAUGE("speed", "km/h", -1), .shape = DUN_SIGNAL_STEPS, .base = 620, .noise = 180,
     .dwell_s = 180},
    {GAUGE("hw.battery.charge", "1", -3), .shape = DUN_SIGNAL_SAW, .base = 1000, .swing = 700,
     .dwell_s = 90000},
};

static const struct dun_model models[] = {
    {"meter", "electricity meter: energy, power, voltage, current, frequency", 10000, meter,
     COUNT(meter)},
    {"gateway", "small Linux host: CPU, memory, network, temperature, uptime", 10000, gateway,
     COUNT(gateway)},
    {"motor", "drive that starts and stops: speed, current, vibration, state", 1000, motor,
     COUNT(motor)},
    {"room", "climate of a room: temperature, humidity, CO2, light, battery", 30000, room,
     COUNT(room)},
    {"tracker", "vehicle: position with outages, speed, battery", 5000, tracker, COUNT(tracker)},
};

const struct dun_model *dun_model_find(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT(models); i++) {
        if (strlen(models[i].name) == size && memcmp(models[i].name, name, size) == 0) {
            return &models[i];
        }
    }
    return NULL;
}

const struct dun_model *dun_model_at(size_t index)
{
    return &models[index];
}

size_t dun_model_count(void)
{
    return COUNT(models);
}
