/* sensor_lm75.c: see sensor_lm75.h. The registers are those of the TMP105's data sheet; an LM75
 * ignores what it does not have. */
#include "sensor_lm75.h"

#define TEMPERATURE   0u
#define CONFIGURATION 1u
#define TWELVE_BITS   0x60u
#define SIXTEENTH     625 /* of a degree, times 10^4 */

int dun_lm75_init(struct dun_lm75 *lm75, const struct dun_bus *bus, uint8_t address,
                  const struct dun_metric *metric)
{
    const uint8_t configure[] = {CONFIGURATION, TWELVE_BITS};
    *lm75 = (struct dun_lm75){.bus = bus, .metric = metric, .address = address, .id = -1};
    return bus->write(bus->context, address, configure, sizeof configure);
}

int dun_lm75_read(const struct dun_lm75 *lm75, int32_t *value)
{
    const struct dun_bus *bus = lm75->bus;
    uint8_t bytes[2];
    int result = bus->write(bus->context, lm75->address, &(uint8_t){TEMPERATURE}, 1);
    if (result == DUN_OK) {
        result = bus->read(bus->context, lm75->address, bytes, sizeof bytes);
    }
    if (result == DUN_OK) {
        *value = (int16_t)(bytes[0] << 8 | bytes[1]) / 16 * SIXTEENTH;
    }
    return result;
}

int dun_lm75_sensor(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_lm75 *lm75 = sensor->context;
    int32_t value;
    int result = dun_lm75_read(lm75, &value);
    if (result == DUN_OK && lm75->id < 0) {
        result = dun_agent_declare(agent, lm75->metric);
        lm75->id = (int16_t)result;
    }
    return result < 0 ? result : dun_agent_record(agent, (uint16_t)lm75->id, value, now);
}
