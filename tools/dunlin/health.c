/* health.c: see health.h. */
#include "health.h"

#include <stdlib.h>
#include <string.h>

/// Devices ///

/* Where the device is, or where it would be. */
static size_t place_of(const struct dun_health *health, struct dun_span device, bool *found)
{
    size_t low = 0;
    size_t high = health->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = health->devices[middle].device;
        int order = strncmp((const char *)device.data, name, device.size);
        order = order != 0 ? order : (name[device.size] != '\0' ? -1 : 0);
        if (order == 0) {
            *found = true;
            return middle;
        }
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return low;
}

static bool grow(struct dun_health *health)
{
    if (health->count < health->capacity) {
        return true;
    }
    size_t capacity = health->capacity == 0 ? 64 : health->capacity * 2;
    void *devices = capacity > DUN_HEALTH_DEVICES_MAX
                        ? NULL
                        : realloc(health->devices, capacity * sizeof *health->devices);
    if (devices == NULL) {
        return false;
    }
    health->devices = devices;
    health->capacity = capacity;
    return true;
}

struct dun_device_health *dun_health_of(struct dun_health *health, struct dun_span device)
{
    bool found;
    size_t place = place_of(health, device, &found);
    if (found) {
        return &health->devices[place];
    }
    if (device.size >= sizeof health->devices->device || !grow(health)) {
        return NULL;
    }
    struct dun_device_health *made = &health->devices[place];
    memmove(made + 1, made, (health->count - place) * sizeof *made);
    memset(made, 0, sizeof *made);
    memcpy(made->device, device.data, device.size);
    health->count++;
    return made;
}

const struct dun_device_health *dun_health_find(const struct dun_health *health, const char *device)
{
    bool found;
    size_t place = place_of(health, dun_span_of(device), &found);
    return found ? &health->devices[place] : NULL;
}

void dun_health_free(struct dun_health *health)
{
    free(health->devices);
    *health = (struct dun_health){NULL, 0, 0};
}

void dun_health_count(struct dun_health *health, const struct dun_coverage *streams)
{
    for (size_t i = 0; i < health->count; i++) {
        struct dun_device_health *device = &health->devices[i];
        device->records = device->points = device->duplicates = device->altered = 0;
        device->lost = device->lost_points = device->missing = 0;
    }
    for (; streams != NULL; streams = streams->next) {
        struct dun_device_health *device = dun_health_of(health, dun_span_of(streams->device));
        size_t gaps;
        if (device != NULL) {
            device->records += streams->records;
            device->points += streams->points;
            device->duplicates += streams->duplicates;
            device->altered += streams->altered;
            device->lost += dun_coverage_lost(streams);
            device->lost_points += streams->lost_points;
            device->missing += dun_coverage_missing(streams, NULL, 0, &gaps);
        }
    }
}

/// Prometheus ///

static uint64_t online(const struct dun_device_health *device)
{
    return device->presence == DUN_PRESENCE_ONLINE ? 1 : 0;
}

static uint64_t heard(const struct dun_device_health *device)
{
    return device->heard_ms > 0 ? (uint64_t)device->heard_ms / 1000 : 0;
}

static uint64_t records(const struct dun_device_health *device)
{
    return device->records;
}

static uint64_t points(const struct dun_device_health *device)
{
    return device->points;
}

static uint64_t duplicates(const struct dun_device_health *device)
{
    return device->duplicates;
}

static uint64_t altered(const struct dun_device_health *device)
{
    return device->altered;
}

static uint64_t lost(const struct dun_device_health *device)
{
    return device->lost;
}

static uint64_t lost_points(const struct dun_device_health *device)
{
    return device->lost_points;
}

static uint64_t missing(const struct dun_device_health *device)
{
    return device->missing;
}

static uint64_t config_refused(const struct dun_device_health *device)
{
    return device->configured >= DUN_CONFIGURED_PARTLY ? 1 : 0;
}

/* What may fall is a gauge: a sequence that was missing, or told lost, may still arrive. */
static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(const struct dun_device_health *device);
} families[] = {
    {"dunlin_device_online", "gauge", "1: the device's status says online.", online},
    {"dunlin_device_last_record_timestamp_seconds", "gauge", "When a record of it came last.",
     heard},
    {"dunlin_device_records_total", "counter", "Different records that arrived.", records},
    {"dunlin_device_points_total", "counter", "Points in them.", points},
    {"dunlin_device_duplicates_total", "counter", "Records that came again.", duplicates},
    {"dunlin_device_altered_total", "counter", "Of these, with other bytes: never happens.",
     altered},
    {"dunlin_device_records_lost", "gauge", "Records that the device told lost.", lost},
    {"dunlin_device_points_lost_total", "counter", "Points told lost before they had a record.",
     lost_points},
    {"dunlin_device_records_missing", "gauge", "Records that neither came nor were told lost.",
     missing},
    {"dunlin_device_config_refused", "gauge",
     "1: its remote configuration was refused, in part or whole, or rolled back.", config_refused},
};

static void expose_family(const struct dun_health *health, struct dun_out *out, size_t index)
{
    dun_out_text(out, "# HELP ");
    dun_out_text(out, families[index].name);
    dun_out_text(out, " ");
    dun_out_text(out, families[index].help);
    dun_out_text(out, "\n# TYPE ");
    dun_out_text(out, families[index].name);
    dun_out_text(out, " ");
    dun_out_text(out, families[index].type);
    dun_out_text(out, "\n");
    for (size_t i = 0; i < health->count; i++) {
        dun_out_text(out, families[index].name);
        dun_out_text(out, "{device=\""); /* a device id needs no escape */
        dun_out_text(out, health->devices[i].device);
        dun_out_text(out, "\"} ");
        dun_out_u64(out, families[index].value(&health->devices[i]));
        dun_out_text(out, "\n");
    }
}

void dun_health_expose(const struct dun_health *health, struct dun_out *out)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        expose_family(health, out, i);
    }
}
