/*
 * sensor_lm75.h: a thermometer of the LM75 family (LM75, TMP75, TMP105 ...) on a bus: the example
 * of a sensor that a board may copy.
 */
#ifndef DUN_SENSOR_LM75_H
#define DUN_SENSOR_LM75_H

#include "agent.h"
#include "bus.h"

struct dun_lm75 {
    const struct dun_bus *bus;
    const struct dun_metric *metric;
    uint8_t address; /* 0x48 to 0x4F */
    int16_t id;      /* of the metric, -1: not declared yet */
};

/* Degrees Celsius times 10^4, which holds each step of the family: 1/2 to 1/16 degree. */
#define DUN_LM75_EXPONENT (-4)

/*
 * Looks for the sensor and sets its full resolution. DUN_E_NOT_FOUND: nobody answers there; or what
 * the bus said. `metric` is what its values are recorded as, of DUN_LM75_EXPONENT; all borrowed.
 */
DUN_MUST_USE int dun_lm75_init(struct dun_lm75 *lm75, const struct dun_bus *bus, uint8_t address,
                               const struct dun_metric *metric);

/* One reading; cost: two transfers of three bytes in all. */
DUN_MUST_USE int dun_lm75_read(const struct dun_lm75 *lm75, int32_t *value);

/* The `read` of a struct dun_sensor whose context is a struct dun_lm75. */
int dun_lm75_sensor(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now);

#endif
