/*
 * config.h: the configuration of a hosted agent: one INI file < environment < command line.
 *
 * One table (config_keys.c) describes every key; it drives parsing, --help, --print-config and the
 * errors. A bad value never stops the reading: each one becomes a line that names where it stands,
 * the key, the value and what is allowed, and the caller exits with 2 at the end. Passwords are
 * no values here: they come from a file (dun_system_secret), and none is ever printed.
 */
#ifndef DUN_HOSTED_CONFIG_H
#define DUN_HOSTED_CONFIG_H

#include <stdio.h>

#include "agent.h"
#include "value.h"

#define DUN_TEXT_MAX   256 /* longest text value, NUL included */
#define DUN_LINE_MAX   198 /* longest line of the file: what inih keeps */
#define DUN_VALUE_MAX  184 /* longest text value in the file, NUL included */
#define DUN_FILES_MAX  32  /* [file NAME] sections */
#define DUN_LIMITS_MAX 32  /* [limit NAME] sections */
#define DUN_PAIRS_MAX  4
#define DUN_STATES_MAX 32 /* names of a state */
#define DUN_KEYS_MAX   96

/* The sensors that are built in; each has a key in [sensors]. */
enum dun_builtin {
    DUN_BUILTIN_MEMORY,
    DUN_BUILTIN_LOAD,
    DUN_BUILTIN_CPU,
    DUN_BUILTIN_FILESYSTEM,
    DUN_BUILTIN_DISK,
    DUN_BUILTIN_NETWORK,
    DUN_BUILTIN_UPTIME,
    DUN_BUILTIN_TEMPERATURE,
    DUN_BUILTIN_PROCESS,
    DUN_BUILTIN_AGENT,
    DUN_BUILTIN_COUNT,
};

#define DUN_INTERVAL_INHERIT (-1) /* a sensor without a key of its own */
#define DUN_INTERVAL_OFF     0

enum dun_encoding {
    DUN_ENCODING_COLUMNS = 0, /* dunlin.v1.Batch */
    DUN_ENCODING_PLAIN = 1,   /* dunlin.v1.Samples */
};

enum dun_command {
    DUN_COMMAND_RUN = 0,
    DUN_COMMAND_HELP,
    DUN_COMMAND_VERSION,
    DUN_COMMAND_CHECK,
    DUN_COMMAND_PRINT,
};

/* What every section with a NAME of its own has. */
struct dun_section {
    const char *kind; /* "file" */
    char label[33];   /* NAME */
    int line;         /* of the section */
    uint16_t given;   /* keys that the section has, good or not, a bit each */
};

/* "key=value, key=value". The list points into the text: not to be copied. */
struct dun_pairs {
    char text[DUN_VALUE_MAX];
    struct dun_attribute list[DUN_PAIRS_MAX];
    uint8_t count;
};

/* A [file NAME] section: any path that holds a number. */
struct dun_file_config {
    struct dun_section section;
    char path[DUN_VALUE_MAX];
    char name[128]; /* of the metric */
    char unit[32];
    struct dun_pairs attributes;
    uint8_t kind;        /* enum dun_metric_kind */
    bool real;           /* the number is kept as the double that it is */
    int8_t scale;        /* power of ten that turns the file's number into `unit` */
    uint8_t decimals;    /* of the result that are kept */
    int64_t interval_ms; /* or DUN_INTERVAL_INHERIT */
    char states_text[DUN_VALUE_MAX];
    const char *states[DUN_STATES_MAX]; /* in states_text: what the values 0, 1, 2 ... are called */
    uint8_t state_count;
};

/*
 * A [limit NAME] or [metric NAME] section, which are the same: the range in which a metric is
 * usual, crossing a bound of which is urgent; and which of its values are worth sending.
 */
struct dun_limit_config {
    struct dun_section section;
    char metric[128];
    struct dun_pairs attributes;      /* that a metric of this name must have; more are fine */
    char low_text[32], high_text[32]; /* as given; empty: no such bound */
    struct dun_exact low, high;       /* in the metric's unit */
    char resolution_text[32], dead_band_text[32]; /* likewise */
    struct dun_exact resolution, dead_band;
    int64_t heartbeat_ms; /* 0: none */
};

/* What a board's profile says of a metric where no section does. Texts as in the file, or "". */
struct dun_metric_default {
    const char *metric, *resolution, *dead_band, *heartbeat;
};

enum dun_order {
    DUN_ORDER_LANES = 0,
    DUN_ORDER_STRICT = 1,
};

enum dun_tls_use {
    DUN_TLS_AUTO = 0, /* on if a key of [tls] asks for it; none is left after dun_config_read */
    DUN_TLS_ON = 1,
    DUN_TLS_OFF = 2,
};

struct dun_config {
    char device[DUN_NAME_MAX + 1], fleet[DUN_NAME_MAX + 1], prefix[DUN_NAME_MAX + 1];
    char state[DUN_TEXT_MAX];
    int64_t encoding;  /* enum dun_encoding */
    int64_t log_level; /* enum dun_say_level */
    int64_t drain_ms;

    char host[DUN_TEXT_MAX], username[DUN_TEXT_MAX], password_file[DUN_TEXT_MAX];
    char client_id[DUN_TEXT_MAX];
    int64_t port, keepalive_s, connect_timeout_ms;
    int64_t mqtt_version;                                     /* as in struct dun_route */
    int64_t redirects;                                        /* 1: they are not followed */
    int64_t session_expiry_ms, will_delay_ms, ack_timeout_ms; /* the first two in whole seconds */
    int64_t reconnect_min_ms, reconnect_max_ms, reconnect_spread_ms;

    int64_t tls; /* enum dun_tls_use */
    char ca_file[DUN_TEXT_MAX], ca_folder[DUN_TEXT_MAX];
    char cert_file[DUN_TEXT_MAX], key_file[DUN_TEXT_MAX], key_password_file[DUN_TEXT_MAX];
    char psk_identity[DUN_TEXT_MAX], psk_file[DUN_TEXT_MAX];
    char alpn[DUN_TEXT_MAX];
    int64_t fragment_max; /* as in struct dun_tls_config */
    int64_t unset_clock;  /* enum dun_tls_unset_clock */

    int64_t log_size, log_policy;                    /* bytes; enum dun_log_overflow */
    int64_t keep_every;                              /* with DUN_LOG_THIN */
    int64_t batch_points, batch_bytes, batch_age_ms; /* points 0: all of the buffer */

    int64_t ack, stored_wait_ms; /* enum dun_ack_mode */
    int64_t unheard, expiry_ms;  /* enum dun_unheard; in whole seconds */
    int64_t exact;               /* 1: the profile's [metric] sections do not count */
    int64_t order;               /* enum dun_order */
    int64_t backfill_percent, backfill_bytes_s;

    int64_t remote, remote_trial_ms; /* 1: documents are taken */
    char remote_allow[DUN_TEXT_MAX];
    uint32_t remote_withheld; /* what that leaves out, as in struct dun_settings */

    int64_t interval_ms;
    int64_t sensor_ms[DUN_BUILTIN_COUNT]; /* or DUN_INTERVAL_INHERIT, DUN_INTERVAL_OFF */
    char proc[DUN_TEXT_MAX], sys[DUN_TEXT_MAX];

    struct dun_file_config files[DUN_FILES_MAX];
    uint16_t file_count;
    struct dun_limit_config limits[DUN_LIMITS_MAX];
    uint16_t limit_count;

    enum dun_command command;
    char path[DUN_TEXT_MAX]; /* of the file, empty: none was read */

    /* Where each key of the table got its value; kept for --print-config and later errors. */
    struct dun_origin {
        uint8_t kind; /* enum dun_origin_kind */
        int line;
    } origins[DUN_KEYS_MAX];

    FILE *errors; /* where error lines go */
    int error_count;
    const char *program; /* begins each error line */
};

/* What the board's profile allows; checked after everything was read. */
struct dun_config_limits {
    int64_t points_max;
    int64_t record_max; /* bytes */
    int64_t log_size_min;
    int64_t log_size_default;
    const struct dun_metric_default *metrics;
    size_t metric_count;
    bool has_tls;
};

/* Fills in the defaults. `errors` gets the error lines. */
void dun_config_init(struct dun_config *config, const char *program, FILE *errors);

/*
 * Reads the command line, the file it names, the environment (as `environ`) and lays them over
 * each other; then checks what one key alone cannot tell. `hostname` is the default device id.
 * Returns 0, or DUN_E_INVALID after every error was told. Only `command` is set for --help and
 * --version.
 */
DUN_MUST_USE int dun_config_read(struct dun_config *config, int argc, char *const argv[],
                                 char *const environment[], const char *hostname,
                                 const struct dun_config_limits *limits);

/* The interval of sensor `which`, ms, 0: off. */
uint32_t dun_config_interval(const struct dun_config *config, enum dun_builtin which);

/* The first section with a bound that is meant for this metric; NULL: none. */
const struct dun_limit_config *dun_limit_for(const struct dun_config *config,
                                             const struct dun_metric *metric);

/* The same for one that tells a resolution or a dead-band. */
const struct dun_limit_config *dun_tuning_for(const struct dun_config *config,
                                              const struct dun_metric *metric);

/* --print-config: the configuration in force as a file that can be read again. */
void dun_config_print(const struct dun_config *config, FILE *out);

/* --help. */
void dun_config_help(const char *program, FILE *out);

#endif
