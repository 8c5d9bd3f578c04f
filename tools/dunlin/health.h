/*
 * health.h: how the devices of a fleet are: online or not by their status topic, when they were
 * heard last, what of their streams arrived, is missing, was told lost. A struct a device, sorted
 * by its name. What they measured is not kept here.
 */
#ifndef DUN_HEALTH_H
#define DUN_HEALTH_H

#include "coverage.h"
#include "out.h"

#define DUN_HEALTH_DEVICES_MAX 65536

enum dun_presence { DUN_PRESENCE_UNKNOWN, DUN_PRESENCE_ONLINE, DUN_PRESENCE_OFFLINE };

/* What the device made of its remote configuration: the worst that its report tells. */
enum dun_configured {
    DUN_CONFIGURED_FINE, /* all applied; or nothing is known, or desired */
    DUN_CONFIGURED_TRIAL,
    DUN_CONFIGURED_PARTLY, /* some of its settings were not applied */
    DUN_CONFIGURED_UNDONE, /* rolled back */
    DUN_CONFIGURED_REFUSED,
};

struct dun_device_health {
    char device[65];
    enum dun_presence presence;
    enum dun_configured configured;
    int64_t heard_ms; /* unix ms of the last record; 0: none */
    uint64_t records, points, duplicates, altered, lost, lost_points, missing;
};

struct dun_health {
    struct dun_device_health *devices;
    size_t count, capacity;
};

void dun_health_free(struct dun_health *health);

/* The device's entry, made if it is new; NULL: memory is out, or DUN_HEALTH_DEVICES_MAX are there.
 * Valid until the next is made. */
struct dun_device_health *dun_health_of(struct dun_health *health, struct dun_span device);

/* The entry, or NULL. */
const struct dun_device_health *dun_health_find(const struct dun_health *health,
                                                const char *device);

/* Counts the books of all streams anew. */
void dun_health_count(struct dun_health *health, const struct dun_coverage *streams);

/* Prometheus' text format, version 0.0.4: a gauge and a few counters a device. */
void dun_health_expose(const struct dun_health *health, struct dun_out *out);

#endif
