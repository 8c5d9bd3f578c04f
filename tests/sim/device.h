/*
 * device.h: the device: the real core, log, agent and MQTT client on simulated flash and link. It
 * is composed as boards/node.c does it, with sizes that the seed chose.
 */
#ifndef DUN_SIM_DEVICE_H
#define DUN_SIM_DEVICE_H

#include "agent.h"
#include "mqtt/uplink_mqtt.h"
#include "random.h"
#include "remote.h"

#define DEVICE_METRICS_MAX 32
#define DEVICE_BLOCKS      32 /* pieces of memory */

struct device {
    struct rng rng;
    bool on;
    bool sampling;
    struct dun_agent *agent; /* all that follows up to `piece_count` lives from boot to boot */
    struct dun_uplink_mqtt *mqtt;
    struct dun_uplink uplink;
    struct dun_remote *remote; /* NULL: it takes no documents */
    bool remote_started;
    struct dun_catalog catalog;
    struct dun_batch batch;
    struct dun_sensor sensors[DEVICE_METRICS_MAX];
    void *pieces[DEVICE_BLOCKS];
    uint32_t piece_count;
    uint64_t spare_stream;
    /* Time, all but `uptime_ms` in the simulator's. */
    dun_ms boots_at;
    dun_ms booted_at;
    dun_ms uptime_first_ms, uptime_lost_ms; /* uptime may stand still in a suspend */
    dun_ms asleep_from, asleep_until;
    bool stands_still; /* uptime does, while it sleeps */
    dun_ms deadline;   /* of the agent */
    dun_ms sample_at[DEVICE_METRICS_MAX];
    dun_ms clock_at;
    dun_ms clock_error_ms;
    bool alarm, alarm_told; /* metric 0 is out of its limit; and the device has seen it */
    uint16_t declared;
    bool ending;
    uint32_t spins; /* steps at one and the same time that moved no byte */
    dun_ms spun_at;
    uint64_t spun_moved;
};

void device_init(struct device *device, struct rng rng);
void device_free(struct device *device);

/* When it wants to act, and acting. */
dun_ms device_wake(struct device *device);
void device_run(struct device *device);

/* What happens to it. */
void device_lose_power(struct device *device);
void device_kill(struct device *device);
void device_end(struct device *device);
void device_suspend(struct device *device, dun_ms ms);
void device_wake_up(struct device *device);
void device_burst(struct device *device);
void device_step_clock(struct device *device);
void device_new_metric(struct device *device);

dun_ms device_uptime(const struct device *device);
uint32_t device_own_interval(int metric); /* without a document; 0: not read by itself */

/* Nothing is left in it that could still be delivered. */
bool device_drained(const struct device *device);

#endif
