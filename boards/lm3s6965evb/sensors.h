/*
 * sensors.h: what this device measures: uptime, stack and RAM, the network interface, why it was
 * reset, the temperature of the die by the ADC and of the board by a thermometer on the I2C bus,
 * and the log and link of the agent. The board has no input for its supply.
 */
#ifndef DUN_LM3S_SENSORS_H
#define DUN_LM3S_SENSORS_H

#include "agent.h"
#include "fault.h"

#define DUN_LM3S_SENSOR_COUNT 6

struct netif;

/* Fills the sensors, read every `interval_ms`, and returns how many there are: the thermometer may
 * be absent. The network interface and the note of the last reset stay borrowed. */
uint16_t dun_lm3s_sensors(struct dun_sensor sensors[DUN_LM3S_SENSOR_COUNT], struct netif *netif,
                          const struct dun_fault_note *reset, uint32_t interval_ms);

#endif
