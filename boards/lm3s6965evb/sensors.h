/*
 * sensors.h: what this device measures of itself: uptime, the deepest stack, the network interface,
 * why it was reset, supply and die temperature by the ADC, and the log and link of the agent.
 */
#ifndef DUN_LM3S_SENSORS_H
#define DUN_LM3S_SENSORS_H

#include "agent.h"
#include "fault.h"

#define DUN_LM3S_SENSOR_COUNT 5

struct netif;

/* Fills the sensors, read every `interval_ms`; the network interface and the note of the last reset
 * stay borrowed. */
void dun_lm3s_sensors(struct dun_sensor sensors[DUN_LM3S_SENSOR_COUNT], struct netif *netif,
                      const struct dun_fault_note *reset, uint32_t interval_ms);

#endif
