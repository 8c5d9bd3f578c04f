/*
 * device.h: one simulated device: a whole node (boards/node.c: agent, log, MQTT client) with a
 * flash in RAM that outlives its reboots, sensors that make up what they read, and a link that
 * fails on command. All times are the fleet's, in ms since the simulation began, unless they are
 * called uptime.
 *
 * A device is an image of `image_size` bytes that may be packed away between two calls
 * (packed.h): what lies behind the struct are the bytes of its flash, and what TLS needs.
 */
#ifndef DUN_FLEET_DEVICE_H
#define DUN_FLEET_DEVICE_H

#include "histogram.h"
#include "link_posix.h"
#include "node.h"
#include "signals.h"

#define DUN_FLEET_NAME_MAX   64
#define DUN_FLEET_SEALED_MAX 64 /* records whose age is known while they wait for their ack */

/* What is the same for all devices of a run. Borrowed. */
struct dun_fleet_settings {
    const char *prefix, *fleet, *id; /* a device is called ID-00001 and so on */
    uint32_t first;                  /* number of the first one */
    char host[64];                   /* numeric */
    const char *host_name;           /* as it was given, which a certificate must have */
    uint16_t port;
    const char *username; /* %d stands for the device; NULL: none */
    struct dun_span password;
    uint16_t keepalive_s;
    uint8_t mqtt_version; /* 0: 5, falling back to 3.1.1 */
    const struct dun_encoder *encoder;
    enum dun_ack_mode ack_mode;
    uint32_t interval_ms; /* 0: the model's */
    uint32_t batch_age_ms;
    uint32_t reconnect_spread_ms;
    uint32_t clock_after_ms; /* a boot knows the wall clock only after so long */
    bool in_step;            /* all sample at the same moment */
    uint64_t seed;
    dun_ms day_ms;
    struct dun_flash_geometry log;
    bool tls;
};

/* Sums over all devices, but for `powered`, `up` and `backlog`,
 * which are of now. */
struct dun_fleet_totals {
    uint64_t points, points_forgotten; /* in the RAM of a device that lost its power */
    uint64_t records, record_bytes, published, acked, rejected, dropped;
    uint64_t bytes_out, bytes_in;
    uint64_t connects, reconnects, connect_failures, disconnects;
    uint64_t boots, storage_errors;
    uint64_t steps;
    uint64_t powered, up, open, backlog; /* open: devices with points in RAM */
    struct dun_histogram answered;       /* a record was sealed ... the broker acknowledged it */
    struct dun_histogram delivered;      /* its oldest sample was taken ... the same */
};

enum dun_fleet_fault {
    DUN_FAULT_NONE = 0,
    DUN_FAULT_CUT,    /* the connection breaks, and no other comes up for a while */
    DUN_FAULT_DEAF,   /* what the broker sends next is lost, and then the connection */
    DUN_FAULT_SILENT, /* nothing moves and nobody says so; then as CUT */
};

struct dun_fleet_sealed {
    uint32_t sealed_ms, oldest_ms; /* low bits */
};

struct dun_fleet_device {
    const struct dun_fleet_settings *settings;
    const struct dun_model *model;
    uint32_t index;
    uint32_t boot;
    uint64_t stream;
    dun_ms first_boot_ms, booted_ms;
    dun_ms life_ms; /* time of the signals at this boot */
    dun_ms clock_step_ms;
    dun_ms fault_until_ms;
    uint8_t fault; /* enum dun_fleet_fault */
    bool born, powered;
    bool was_up; /* ever */
    bool up, open;
    bool quiet; /* takes no more samples */
    bool seals, leaves;
    bool gone; /* for good */
    uint64_t backlog;
    uint64_t sealed_next, acked_first;
    dun_ms first_due;
    int wait_fd; /* as the fleet waits for it, -1: not at all */
    uint32_t wait_events;
    struct dun_fleet_sealed sealed[DUN_FLEET_SEALED_MAX];
    char name[DUN_FLEET_NAME_MAX + 1];
    char username[2 * DUN_FLEET_NAME_MAX];
    struct dun_flash flash;
    struct dun_sensor sensor;
    struct dun_link_posix posix;
    struct dun_link wire, link; /* the socket, and what fails on command around it */
    struct dun_node node;
    uint8_t *flash_bytes, *tls;
};

/* Bytes of an image. */
size_t dun_device_size(const struct dun_fleet_settings *settings);

/* Makes an image of a device that was never powered. The image stays where it is, and is aligned as
 * malloc aligns. */
void dun_device_make(struct dun_fleet_device *device, const struct dun_fleet_settings *settings);

/* Gives it its name; `boot` is not 0. */
void dun_device_name(struct dun_fleet_device *device, const struct dun_model *model, uint32_t index,
                     uint64_t stream, uint32_t boot);

/* Powers it up, for the first time or again. False: the settings do not fit the node. */
DUN_MUST_USE bool dun_device_boot(struct dun_fleet_device *device, dun_ms now,
                                  struct dun_fleet_totals *totals);

/* Takes its power: what was in RAM is gone, and its connection without a word. */
void dun_device_cut_power(struct dun_fleet_device *device, struct dun_fleet_totals *totals);

void dun_device_fail(struct dun_fleet_device *device, enum dun_fleet_fault fault, dun_ms until);

/* Does what is due; returns when it wants to be stepped again. */
dun_ms dun_device_step(struct dun_fleet_device *device, dun_ms now, dun_ms unix_ms,
                       struct dun_fleet_totals *totals);

/* With its next step: no more samples, and what was taken becomes a record soon. */
void dun_device_hush(struct dun_fleet_device *device);

/* From its next step on: the end, with `offline` and a DISCONNECT. */
void dun_device_end(struct dun_fleet_device *device);
bool dun_device_ended(const struct dun_fleet_device *device);

/* What to wait for: the descriptor, or -1, and events of poll(2). */
int dun_device_wait(const struct dun_fleet_device *device, short *events);

/* Sequences that its log has given so far. */
uint64_t dun_device_recorded(const struct dun_fleet_device *device);

/* Clears what nobody will read any more, so that it packs well. */
void dun_device_tidy(struct dun_fleet_device *device);

#endif
