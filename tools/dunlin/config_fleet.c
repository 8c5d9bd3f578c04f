/*
 * config_fleet.c: the devices that `dunlin config` has met, found by the hash of their topics, and
 * how far each is with its document.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "crc32c.h"
#include "decoder.h"

#define SLOTS_FIRST 256u

static struct dun_config_device *device_at(const struct dun_config_fleet *fleet, size_t index)
{
    return ((struct dun_config_device **)fleet->devices.items)[index];
}

void dun_config_fleet_free(struct dun_config_fleet *fleet)
{
    for (size_t i = 0; i < fleet->devices.count; i++) {
        struct dun_config_device *device = device_at(fleet, i);
        free(device->config);
        free(device->report);
        free(device);
    }
    free(fleet->devices.items);
    free(fleet->slots);
}

/* The slot of that base, or the free one where it would be. */
static uint32_t *find_slot(const struct dun_config_fleet *fleet, struct dun_span base)
{
    size_t at = dun_crc32c(0, base.data, base.size);
    for (;; at++) {
        uint32_t *slot = &fleet->slots[at & (fleet->slot_count - 1)];
        if (*slot == 0 || dun_span_equal(base, dun_span_of(device_at(fleet, *slot - 1)->base))) {
            return slot;
        }
    }
}

static void fill_slots(struct dun_config_fleet *fleet)
{
    memset(fleet->slots, 0, fleet->slot_count * sizeof *fleet->slots);
    for (size_t i = 0; i < fleet->devices.count; i++) {
        *find_slot(fleet, dun_span_of(device_at(fleet, i)->base)) = (uint32_t)i + 1;
    }
}

static bool grow(struct dun_config_fleet *fleet)
{
    if (fleet->devices.count * 2 < fleet->slot_count) {
        return true;
    }
    size_t count = fleet->slot_count > 0 ? fleet->slot_count * 2 : SLOTS_FIRST;
    uint32_t *slots = malloc(count * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(fleet->slots);
    fleet->slots = slots;
    fleet->slot_count = count;
    fill_slots(fleet);
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct dun_config_device *const *a = left, *const *b = right;
    return strcmp((*a)->base, (*b)->base);
}

void dun_config_fleet_sort(struct dun_config_fleet *fleet)
{
    if (fleet->devices.count > 0) {
        qsort(fleet->devices.items, fleet->devices.count, sizeof(struct dun_config_device *),
              compare);
        fill_slots(fleet);
    }
}

static bool is_base(struct dun_span base)
{
    for (int level = 0; level < 3; level++) {
        const uint8_t *slash =
            level < 2 && base.size > 0 ? memchr(base.data, '/', base.size) : NULL;
        size_t size = slash != NULL ? (size_t)(slash - base.data) : base.size;
        if ((level < 2 && slash == NULL) || !dun_name_ok((struct dun_span){base.data, size})) {
            return false;
        }
        base.data += size + (slash != NULL);
        base.size -= size + (slash != NULL);
    }
    return true;
}

struct dun_config_device *dun_config_fleet_find(struct dun_config_fleet *fleet,
                                                struct dun_span base)
{
    if (base.size >= DUN_CONFIG_BASE_MAX || !is_base(base) || !grow(fleet)) {
        return NULL;
    }
    uint32_t *slot = find_slot(fleet, base);
    if (*slot != 0) {
        return device_at(fleet, *slot - 1);
    }
    struct dun_config_device *device = calloc(1, sizeof *device);
    struct dun_config_device **item =
        device != NULL ? dun_list_add(&fleet->devices, sizeof *item) : NULL;
    if (item == NULL) {
        free(device);
        return NULL;
    }
    *item = device;
    *slot = (uint32_t)fleet->devices.count;
    memcpy(device->base, base.data, base.size);
    device->id = strrchr(device->base, '/') + 1;
    return device;
}

static bool ends_with(struct dun_span topic, const char *channel, struct dun_span *base)
{
    size_t size = strlen(channel);
    if (topic.size <= size || memcmp(topic.data + topic.size - size, channel, size) != 0) {
        return false;
    }
    *base = (struct dun_span){topic.data, topic.size - size};
    return true;
}

static void keep(uint8_t **to, size_t *to_size, struct dun_span payload)
{
    uint8_t *copy = payload.size > 0 ? malloc(payload.size) : NULL;
    if (copy != NULL) {
        memcpy(copy, payload.data, payload.size);
    }
    free(*to);
    *to = copy;
    *to_size = copy != NULL ? payload.size : 0;
}

struct dun_config_device *dun_config_fleet_take(struct dun_config_fleet *fleet, const char *topic,
                                                struct dun_span payload)
{
    struct dun_span text = dun_span_of(topic), base = {NULL, 0};
    bool reported = ends_with(text, "/config/reported", &base);
    bool config = !reported && ends_with(text, "/config", &base);
    bool status = !reported && !config && ends_with(text, "/status", &base);
    struct dun_config_device *device =
        reported || config || status ? dun_config_fleet_find(fleet, base) : NULL;
    if (device == NULL) {
        return NULL;
    }
    if (config) {
        keep(&device->config, &device->config_size, payload);
    } else if (reported) {
        keep(&device->report, &device->report_size, payload);
    } else {
        bool online = dun_span_equal(payload, dun_span_of("online"));
        strcpy(device->status, online ? "online" : payload.size > 0 ? "offline" : "");
    }
    return device;
}

/// Selection ///

static bool is_exact(const char *name)
{
    return strpbrk(name, "*?[") == NULL;
}

/* The topic of a device that nobody has met, if a filter tells all but its name. */
static bool base_of(char base[DUN_CONFIG_BASE_MAX], const char *filter, const char *name)
{
    const char *last = strrchr(filter, '/') + 1;
    size_t head = (size_t)(last - filter);
    bool known = memchr(filter, '+', head) == NULL;
    bool fits = strcmp(last, "+") == 0 || strcmp(last, name) == 0;
    if (!known || !fits || head + strlen(name) >= DUN_CONFIG_BASE_MAX) {
        return false;
    }
    memcpy(base, filter, head);
    strcpy(base + head, name);
    return true;
}

static bool make_device(struct dun_config_fleet *fleet, const struct dun_config_options *options,
                        const char *name)
{
    char base[DUN_CONFIG_BASE_MAX];
    for (size_t i = 0; i < options->broker.filter_count; i++) {
        if (base_of(base, options->bases[i], name)) {
            struct dun_config_device *device = dun_config_fleet_find(fleet, dun_span_of(base));
            if (device != NULL) {
                device->selected = true;
            }
            return device != NULL;
        }
    }
    return false;
}

/* With no names a filter without wildcards is one. */
static void select_all(struct dun_config_fleet *fleet, const struct dun_config_options *options,
                       bool make)
{
    for (size_t i = 0; make && i < options->broker.filter_count; i++) {
        if (strchr(options->bases[i], '+') == NULL) {
            (void)dun_config_fleet_find(fleet, dun_span_of(options->bases[i]));
        }
    }
    for (size_t i = 0; i < fleet->devices.count; i++) {
        device_at(fleet, i)->selected = true;
    }
}

const char *dun_config_fleet_select(struct dun_config_fleet *fleet,
                                    const struct dun_config_options *options, bool make)
{
    const char *missing = NULL;
    char *const *names = options->devices.items;
    if (options->devices.count == 0) {
        select_all(fleet, options, make);
    }
    for (size_t n = 0; n < options->devices.count; n++) {
        bool found = false;
        for (size_t i = 0; i < fleet->devices.count; i++) {
            struct dun_config_device *device = device_at(fleet, i);
            bool fits = fnmatch(names[n], device->id, 0) == 0;
            device->selected |= fits;
            found |= fits;
        }
        if (!found && make && is_exact(names[n])) {
            found = make_device(fleet, options, names[n]);
        }
        missing = !found && missing == NULL ? names[n] : missing;
    }
    return missing;
}

/// Progress ///

struct dun_span dun_config_document(const struct dun_config_device *device)
{
    return (struct dun_span){device->config, device->config_size};
}

struct dun_span dun_config_report_of(const struct dun_config_device *device)
{
    return (struct dun_span){device->report, device->report_size};
}

static enum dun_config_progress judge(const struct dun_config_device *device)
{
    struct dun_config_report report;
    uint64_t version = 0;
    bool there = dun_settings_check(dun_config_document(device), &version);
    if (!there || version != device->wanted) {
        return DUN_CONFIG_SENDING;
    }
    if (!dun_report_parse(&report, dun_config_report_of(device))) {
        return DUN_CONFIG_WAITING;
    }
    if (report.refused == version && report.refusal != 0) {
        return DUN_CONFIG_REFUSED;
    }
    if (report.version != version) {
        return report.refusal == DUN_REMOTE_TOO_LARGE ? DUN_CONFIG_REFUSED : DUN_CONFIG_WAITING;
    }
    switch (report.state) {
    case DUN_REMOTE_TRIAL:
        return DUN_CONFIG_TRIAL;
    case DUN_REMOTE_KEPT:
        return report.bad == 0 ? DUN_CONFIG_APPLIED : DUN_CONFIG_PARTLY;
    case DUN_REMOTE_ROLLED_BACK:
        return DUN_CONFIG_ROLLED;
    default:
        return DUN_CONFIG_WAITING;
    }
}

void dun_config_judge(struct dun_config_device *device)
{
    if (device->wanted == 0) {
        return;
    }
    enum dun_config_progress progress = judge(device);
    device->changed |= progress != device->progress;
    device->progress = progress;
}

bool dun_config_is_applied(const struct dun_config_device *device)
{
    struct dun_config_device as_desired = *device;
    uint64_t version;
    if (!dun_settings_check(dun_config_document(device), &version)) {
        return false;
    }
    as_desired.wanted = version;
    return judge(&as_desired) == DUN_CONFIG_APPLIED;
}
