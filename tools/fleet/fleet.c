/* fleet.c: see fleet.h. A device is unpacked, called, and packed again: nothing else holds it. */
#define _POSIX_C_SOURCE 200809L
#include "fleet.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tls.h"

#define TICK_MS 50
#define NOBODY  UINT32_MAX

/// Rates ///

void dun_rate_add(struct dun_rate *rate, dun_ms now, uint32_t count)
{
    int64_t tick = now / TICK_MS;
    int64_t passed = tick - rate->tick < DUN_RATE_TICKS ? tick - rate->tick : DUN_RATE_TICKS;
    for (int64_t i = 1; i <= passed; i++) {
        uint32_t *oldest = &rate->ticks[(rate->tick + i) % DUN_RATE_TICKS];
        rate->sum -= *oldest;
        *oldest = 0;
    }
    rate->tick = tick;
    rate->ticks[tick % DUN_RATE_TICKS] += count;
    rate->sum += count;
    rate->total += count;
    if (rate->sum > rate->most) {
        rate->most = rate->sum;
        rate->most_at = now;
    }
}

/// Who is awake ///

static size_t model_of(const struct dun_fleet *fleet, uint32_t who)
{
    uint32_t sum = 0;
    size_t model = 0;
    for (size_t i = 0; i < fleet->mix->count; i++) {
        sum += fleet->mix->weights[i];
    }
    uint32_t at = who % sum;
    while (at >= fleet->mix->weights[model]) {
        at -= fleet->mix->weights[model++];
    }
    return model;
}

uint64_t dun_fleet_stream(const struct dun_fleet *fleet, uint32_t who)
{
    return dun_signal_hash(fleet->key, who, 6) | 1;
}

static uint32_t boot_of(const struct dun_fleet *fleet, uint32_t who)
{
    return (uint32_t)(dun_signal_hash(fleet->key, who, 7) >> 34) + 1; /* has room above */
}

/* Makes a device what `hot` holds. */
static void wake(struct dun_fleet *fleet, uint32_t who)
{
    size_t model = model_of(fleet, who);
    struct dun_fleet_slot *slot = &fleet->slots[who];
    DUN_ASSERT(fleet->awake == NOBODY);
    fleet->awake = who;
    if (slot->boot != 0) {
        dun_unpack(&fleet->pool, &slot->packed, fleet->hot, fleet->models[model],
                   fleet->image_size);
        return;
    }
    slot->boot = boot_of(fleet, who);
    dun_device_make(fleet->hot, fleet->settings);
    dun_device_name(fleet->hot, fleet->mix->models[model], who, dun_fleet_stream(fleet, who),
                    slot->boot);
}

static uint32_t epoll_events(short events)
{
    return ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
}

/* What epoll waits for becomes what the device waits for. */
static void watch(struct dun_fleet *fleet)
{
    struct dun_fleet_device *hot = fleet->hot;
    short wanted = 0;
    int fd = dun_device_wait(hot, &wanted);
    struct epoll_event event = {.events = epoll_events(wanted), .data = {.u32 = fleet->awake}};
    if (fd != hot->wait_fd && hot->wait_fd >= 0) {
        (void)epoll_ctl(fleet->epoll, EPOLL_CTL_DEL, hot->wait_fd, NULL);
    }
    if (fd >= 0 && (fd != hot->wait_fd || event.events != hot->wait_events)) {
        int what = fd != hot->wait_fd ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(fleet->epoll, what, fd, &event) != 0 &&
            (errno != EEXIST || epoll_ctl(fleet->epoll, EPOLL_CTL_MOD, fd, &event) != 0)) {
            fleet->trouble = strerror(errno);
        }
    }
    hot->wait_fd = fd;
    hot->wait_events = event.events;
}

/* Packs the device that is awake away until `next`. */
static void put_to_sleep(struct dun_fleet *fleet, dun_ms next)
{
    uint32_t who = fleet->awake;
    watch(fleet);
    if (fleet->hot->powered) {
        dun_device_tidy(fleet->hot);
    }
    if (!dun_pack(&fleet->pool, &fleet->slots[who].packed, fleet->hot,
                  fleet->models[model_of(fleet, who)], fleet->image_size)) {
        fleet->trouble = "out of memory";
    }
    dun_deadlines_set(&fleet->deadlines, who, next);
    fleet->awake = NOBODY;
}

/// Boots ///

static bool note_boot(struct dun_fleet *fleet, uint32_t who, dun_ms now)
{
    struct dun_fleet_slot *slot = &fleet->slots[who];
    if (fleet->boot_count == fleet->boot_room) {
        uint32_t room = fleet->boot_room + fleet->boot_room / 4 + 64;
        struct dun_fleet_boot *boots = realloc(fleet->boots, room * sizeof *boots);
        if (boots == NULL) {
            return false;
        }
        fleet->boots = boots;
        fleet->boot_room = room;
    }
    fleet->boots[fleet->boot_count] = (struct dun_fleet_boot){now, slot->last};
    slot->last = fleet->boot_count++;
    slot->boots++;
    return true;
}

static void boot(struct dun_fleet *fleet, dun_ms now)
{
    if (!dun_device_boot(fleet->hot, now, &fleet->totals)) {
        fleet->trouble = "the names do not fit: shorter ones, of A-Z, a-z, 0-9, '.', '_' and '-'";
    } else if (!note_boot(fleet, fleet->awake, now)) {
        fleet->trouble = "out of memory";
    }
}

bool dun_fleet_boot_ms(const struct dun_fleet *fleet, uint32_t who, uint32_t id, dun_ms *at)
{
    const struct dun_fleet_slot *slot = &fleet->slots[who];
    uint32_t number = id - slot->boot;
    if (slot->boot == 0 || number >= slot->boots) {
        return false;
    }
    uint32_t index = slot->last;
    for (uint32_t i = slot->boots - 1; i > number; i--) {
        index = fleet->boots[index].before;
    }
    *at = fleet->boots[index].at;
    return true;
}

/// Beginning and end ///

/* An image of a new device, booted, for each model: what others are compared with. */
static bool make_models(struct dun_fleet *fleet)
{
    struct dun_fleet_totals none;
    memset(&none, 0, sizeof none);
    for (size_t i = 0; i < fleet->mix->count; i++) {
        fleet->models[i] = malloc(fleet->image_size);
        dun_device_make(fleet->hot, fleet->settings);
        dun_device_name(fleet->hot, fleet->mix->models[i], 0, 1, 1);
        if (fleet->models[i] == NULL || !dun_device_boot(fleet->hot, 0, &none)) {
            fleet->trouble = "the settings do not fit a device";
            return false;
        }
        dun_device_tidy(fleet->hot);
        memcpy(fleet->models[i], fleet->hot, fleet->image_size);
    }
    return true;
}

bool dun_fleet_init(struct dun_fleet *fleet, const struct dun_fleet_settings *settings,
                    const struct dun_fleet_mix *mix, uint32_t count, uint64_t key)
{
    memset(fleet, 0, sizeof *fleet);
    fleet->settings = settings;
    fleet->mix = mix;
    fleet->count = count;
    fleet->key = key;
    fleet->awake = NOBODY;
    fleet->storm_over_ms = DUN_MS_NEVER;
    fleet->image_size = dun_device_size(settings);
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet->hot = malloc(fleet->image_size);
    fleet->slots = calloc(count, sizeof *fleet->slots);
    if (fleet->epoll < 0 || fleet->hot == NULL || fleet->slots == NULL ||
        !dun_deadlines_init(&fleet->deadlines, count)) {
        fleet->trouble = fleet->epoll < 0 ? strerror(errno) : "out of memory";
        return false;
    }
    return make_models(fleet);
}

/* Connections that are still there end as the process does: without a word. */
static void drop(struct dun_fleet *fleet, uint32_t who)
{
    if (fleet->slots[who].boot != 0) {
        wake(fleet, who);
        if (fleet->hot->powered) {
            dun_device_cut_power(fleet->hot, &fleet->totals);
        }
        fleet->awake = NOBODY;
    }
}

void dun_fleet_free(struct dun_fleet *fleet)
{
    for (uint32_t i = 0; fleet->slots != NULL && i < fleet->count; i++) {
        drop(fleet, i);
    }
    for (size_t i = 0; i < DUN_FLEET_MODELS_MAX; i++) {
        free(fleet->models[i]);
    }
    dun_deadlines_free(&fleet->deadlines);
    dun_pool_free(&fleet->pool);
    free(fleet->slots);
    free(fleet->boots);
    free(fleet->hot);
    if (fleet->epoll >= 0) {
        close(fleet->epoll);
    }
    memset(fleet, 0, sizeof *fleet);
    fleet->epoll = -1;
}

void dun_fleet_start(struct dun_fleet *fleet, uint32_t who, dun_ms at)
{
    dun_deadlines_set(&fleet->deadlines, who, at);
}

/// Running ///

static dun_ms step(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms)
{
    struct dun_fleet_totals *totals = &fleet->totals;
    uint64_t connects = totals->connects;
    uint64_t reconnects = totals->reconnects;
    dun_ms next = dun_device_step(fleet->hot, now, unix_ms, totals);
    if (totals->connects != connects) {
        dun_rate_add(&fleet->connects, now, (uint32_t)(totals->connects - connects));
        dun_rate_add(&fleet->reconnects, now, (uint32_t)(totals->reconnects - reconnects));
    }
    if (dun_device_ended(fleet->hot) && !fleet->hot->gone) {
        fleet->hot->gone = true;
        fleet->ended++;
    }
    return next;
}

void dun_fleet_run(struct dun_fleet *fleet, uint32_t who, dun_ms now, dun_ms unix_ms)
{
    wake(fleet, who);
    if (!fleet->hot->powered) {
        boot(fleet, now);
    }
    dun_ms next = fleet->trouble == NULL ? step(fleet, now, unix_ms) : DUN_MS_NEVER;
    put_to_sleep(fleet, next);
}

static void look_after_storms(struct dun_fleet *fleet, dun_ms now)
{
    if (now < fleet->storm_over_ms || fleet->totals.up < fleet->totals.powered) {
        return;
    }
    dun_ms took = now - fleet->storm_over_ms;
    fleet->storm_back_ms = took > fleet->storm_back_ms ? took : fleet->storm_back_ms;
    fleet->storm_over_ms = DUN_MS_NEVER;
    fleet->storms_back++;
}

void dun_fleet_run_due(struct dun_fleet *fleet, uint32_t max, dun_ms now, dun_ms unix_ms)
{
    for (uint32_t i = 0; i < max && fleet->trouble == NULL; i++) {
        struct dun_deadline first = dun_deadlines_first(&fleet->deadlines);
        if (first.at > now) {
            break;
        }
        dun_fleet_run(fleet, first.who, now, unix_ms);
    }
    look_after_storms(fleet, now);
}

/// Faults ///

/* A device without power finds out when it boots. */
static void step_if_powered(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms)
{
    put_to_sleep(fleet, fleet->hot->powered ? step(fleet, now, unix_ms)
                                            : dun_deadlines_of(&fleet->deadlines, fleet->awake));
}

static void fail(struct dun_fleet *fleet, uint32_t who, enum dun_fleet_fault fault, dun_ms until,
                 dun_ms now, dun_ms unix_ms)
{
    wake(fleet, who);
    dun_device_fail(fleet->hot, fault, until);
    step_if_powered(fleet, now, unix_ms);
}

static void reboot(struct dun_fleet *fleet, uint32_t who, dun_ms until)
{
    wake(fleet, who);
    if (fleet->hot->powered) {
        dun_device_cut_power(fleet->hot, &fleet->totals);
    }
    put_to_sleep(fleet, until);
}

static void jump(struct dun_fleet *fleet, uint32_t who, dun_ms amount, dun_ms now, dun_ms unix_ms)
{
    wake(fleet, who);
    fleet->hot->clock_step_ms += amount;
    step_if_powered(fleet, now, unix_ms);
}

static void storm(struct dun_fleet *fleet, dun_ms until, dun_ms now, dun_ms unix_ms)
{
    fleet->storms++;
    fleet->storm_over_ms = until;
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->slots[i].boot != 0) {
            fail(fleet, i, DUN_FAULT_CUT, until, now, unix_ms);
        }
    }
}

void dun_fleet_strike(struct dun_fleet *fleet, const struct dun_chaos_event *event, dun_ms now,
                      dun_ms unix_ms)
{
    dun_ms until = now + event->amount;
    if (event->kind == DUN_CHAOS_STORM) {
        storm(fleet, until, now, unix_ms);
        return;
    }
    if (fleet->slots[event->who].boot == 0) {
        return; /* not there yet */
    }
    switch (event->kind) {
    case DUN_CHAOS_CUT:
        fail(fleet, event->who, DUN_FAULT_CUT, until, now, unix_ms);
        break;
    case DUN_CHAOS_LOST_ACKS:
        fail(fleet, event->who, DUN_FAULT_DEAF, until, now, unix_ms);
        break;
    case DUN_CHAOS_SILENCE:
        fail(fleet, event->who, DUN_FAULT_SILENT, until, now, unix_ms);
        break;
    case DUN_CHAOS_REBOOT:
        reboot(fleet, event->who, until);
        break;
    default:
        jump(fleet, event->who, event->amount, now, unix_ms);
        break;
    }
}

/// The end ///

static void hush(struct dun_fleet *fleet, uint32_t who, dun_ms now, dun_ms unix_ms)
{
    wake(fleet, who);
    fleet->hot->fault_until_ms =
        fleet->hot->fault_until_ms < now ? fleet->hot->fault_until_ms : now;
    if (!fleet->hot->powered) {
        boot(fleet, now);
    }
    dun_device_hush(fleet->hot);
    put_to_sleep(fleet, step(fleet, now, unix_ms));
}

void dun_fleet_hush(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms)
{
    fleet->storm_over_ms = dun_ms_earlier(fleet->storm_over_ms, now);
    if (fleet->storms == fleet->storms_back) {
        fleet->storm_over_ms = DUN_MS_NEVER;
    }
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->slots[i].boot == 0) {
            dun_deadlines_set(&fleet->deadlines, i, DUN_MS_NEVER); /* it never comes */
        } else {
            hush(fleet, i, now, unix_ms);
        }
    }
}

bool dun_fleet_drained(const struct dun_fleet *fleet)
{
    return fleet->totals.backlog == 0 && fleet->totals.open == 0 &&
           fleet->totals.up == fleet->totals.powered;
}

void dun_fleet_end(struct dun_fleet *fleet, dun_ms now, dun_ms unix_ms)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->slots[i].boot != 0) {
            wake(fleet, i);
            dun_device_end(fleet->hot);
            put_to_sleep(fleet, step(fleet, now, unix_ms));
        }
    }
}

uint64_t dun_fleet_recorded(struct dun_fleet *fleet, uint32_t who)
{
    if (fleet->slots[who].boot == 0) {
        return 0;
    }
    wake(fleet, who);
    uint64_t recorded = dun_device_recorded(fleet->hot);
    fleet->awake = NOBODY;
    return recorded;
}
