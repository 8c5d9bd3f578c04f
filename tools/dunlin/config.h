/*
 * config.h: the parts of `dunlin config`: its options, the devices it sees, what it shows of them.
 */
#ifndef DUN_TOOL_CONFIG_H
#define DUN_TOOL_CONFIG_H

#include "broker_options.h"
#include "desired.h"

#define DUN_CONFIG_BASE_MAX 200 /* bytes of PREFIX/FLEET/DEVICE, NUL included */

enum dun_config_command {
    DUN_CONFIG_GET,
    DUN_CONFIG_SET,
    DUN_CONFIG_DIFF,
};

struct dun_config_options {
    struct dun_broker_options broker;
    enum dun_config_command command;
    char bases[DUN_BROKER_FILTERS_MAX][DUN_CONFIG_BASE_MAX]; /* PREFIX/FLEET/DEVICE, with + */
    struct dun_list devices;     /* char *: names or patterns that narrow the selection */
    struct dun_list assignments; /* struct dun_assignment *, so that their texts stay in place */
    uint64_t timeout_s;
    bool replace; /* the document says nothing but the assignments */
    bool no_wait;
    bool json;
    bool quiet;
    bool ended; /* --help or --version was printed */
};

/* 0, or an exit code after a line on stderr. To be freed in either case. */
int dun_config_parse(struct dun_config_options *options, int argc, char **argv);
void dun_config_options_free(struct dun_config_options *options);

/// The devices ///

/* How far a device is with the document that was set. */
enum dun_config_progress {
    DUN_CONFIG_IDLE,      /* nothing was set */
    DUN_CONFIG_SENDING,   /* the broker does not have the document */
    DUN_CONFIG_WAITING,   /* the device has not said anything of it */
    DUN_CONFIG_TRIAL,     /* in force, on trial */
    DUN_CONFIG_APPLIED,   /* kept, each setting applied: from here on it is final */
    DUN_CONFIG_PARTLY,    /* kept, some settings not applied */
    DUN_CONFIG_ROLLED,    /* rolled back */
    DUN_CONFIG_REFUSED,   /* by the device, whole */
    DUN_CONFIG_TOO_LARGE, /* for the device, so it was not sent */
    DUN_CONFIG_PROGRESS_COUNT,
};

struct dun_config_device {
    char base[DUN_CONFIG_BASE_MAX];
    const char *id;           /* in base */
    uint8_t *config, *report; /* payloads as they were retained; NULL: none */
    size_t config_size, report_size;
    char status[8]; /* "online", "offline"; empty: not said */
    bool selected;
    bool changed;    /* `progress` did since it was shown */
    uint64_t wanted; /* version that was set */
    enum dun_config_progress progress;
};

struct dun_config_fleet {
    struct dun_list devices; /* struct dun_config_device *, in the order in which they were met */
    uint32_t *slots;         /* open addressing: index + 1 */
    size_t slot_count;       /* a power of two */
};

void dun_config_fleet_free(struct dun_config_fleet *fleet);

/* The device of that base, made if it is not there; NULL: no such name, or memory is out. */
struct dun_config_device *dun_config_fleet_find(struct dun_config_fleet *fleet,
                                                struct dun_span base);

/* Takes a message on one of a device's topics; the device, or NULL if it is on none. */
struct dun_config_device *dun_config_fleet_take(struct dun_config_fleet *fleet, const char *topic,
                                                struct dun_span payload);

/* Marks the devices that the options name. Makes those that nobody has met yet, if `make` and the
 * topic is known. Returns the first name that fits no device, or NULL. */
const char *dun_config_fleet_select(struct dun_config_fleet *fleet,
                                    const struct dun_config_options *options, bool make);

/* By their topics. */
void dun_config_fleet_sort(struct dun_config_fleet *fleet);

struct dun_span dun_config_document(const struct dun_config_device *device);
struct dun_span dun_config_report_of(const struct dun_config_device *device);

/* Sets `progress` by what the device reported last. */
void dun_config_judge(struct dun_config_device *device);

/* True if the document is in force as it stands, each setting applied. */
bool dun_config_is_applied(const struct dun_config_device *device);

/// What is shown ///

const char *dun_config_progress_word(enum dun_config_progress progress);
void dun_config_show(struct dun_out *out, const struct dun_config_device *device, bool json);

/* Shows what is not as the document says. True if there is nothing. */
bool dun_config_show_diff(struct dun_out *out, const struct dun_config_device *device, bool json);
void dun_config_show_progress(struct dun_out *out, const struct dun_config_device *device,
                              bool json);

#endif
