/*
 * daemon.c: the life of the process. It starts what the configuration asks for, then goes round:
 * look at the clocks, let the agent do what is due, say what happened, sleep until the next
 * deadline, a byte or a signal. All decisions are the agent's; all words are in notices.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "daemon.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flash_file.h"
#include "flash_ram.h"
#include "notices.h"
#include "say.h"
#include "secure.h"
#include "shelf_file.h"
#include "storage.h"
#include "system.h"

#define ARCHIVE_PART 4 /* the archive has one part of so many of the log's size */
#define PASSWORD_MAX 256
#define SLEEP_MAX_MS 60000
/* timeout(1) and some supervisors signal the process and its group: that is one wish, not two. */
#define SAME_SIGNAL_MS 1000

struct daemon {
    const struct dun_daemon_board *board;
    struct dun_config config;
    struct dun_sensors sensors;
    struct dun_flash_file file;
    struct dun_flash_file archive; /* open if the policy is to thin */
    struct dun_flash spare_flash;
    struct dun_notify notify;
    uint8_t password[PASSWORD_MAX];
    struct dun_span password_span;
    struct dun_secure secure;
    struct dun_shelf shelf;
    struct dun_remote remote; /* used if [remote] says so */
    uint8_t full_told;        /* enum dun_sensors_full */
    dun_ms limits_due_ms; /* when every sensor was read, and a limit without metric is a mistake */
};

/* The process runs one; too large for the stack. */
static struct daemon daemon_state;

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_ERROR, "assertion failed, this is a bug");
    dun_say_text(&say, "file", file);
    dun_say_number(&say, "line", line);
    dun_say_text(&say, "condition", condition);
    dun_say_end(&say, dun_system_uptime(), dun_system_unix());
    abort();
}

/// Lines ///

static void end_line(struct dun_say *say)
{
    dun_say_end(say, dun_system_uptime(), dun_system_unix());
}

static void say_trouble(const char *message, const char *key, const char *value)
{
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_ERROR, message);
    dun_say_text(&say, key, value);
    end_line(&say);
}

static void say_started(const struct daemon *daemon)
{
    const struct dun_config *config = &daemon->config;
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_INFO, "started");
    dun_say_text(&say, "version", DUN_VERSION);
    dun_say_text(&say, "board", daemon->board->name);
    dun_say_text(&say, "device", config->device);
    dun_say_text(&say, "fleet", config->fleet);
    dun_say_text(&say, "host", config->host);
    dun_say_number(&say, "port", config->port);
    dun_say_text(&say, "state", config->state);
    dun_say_number(&say, "sensors", daemon->sensors.count);
    end_line(&say);
}

/* A table of the profile is full: said once each, since it stays so. */
static void say_full(struct daemon *daemon)
{
    static const struct {
        uint8_t bit;
        const char *what;
    } tables[] = {{DUN_FULL_ARENA, "arena"},
                  {DUN_FULL_INSTANCES, "instances"},
                  {DUN_FULL_METRICS, "metrics"}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if ((daemon->sensors.full & ~daemon->full_told & tables[i].bit) != 0) {
            daemon->full_told |= tables[i].bit;
            struct dun_say say;
            dun_say_begin(&say, DUN_SAY_WARNING,
                          "a table of the profile is full, the rest is absent");
            dun_say_text(&say, "table", tables[i].what);
            end_line(&say);
        }
    }
}

/* A wrong name in a [limit] would otherwise never show. */
static void say_unused_limits(struct daemon *daemon, dun_ms now)
{
    const struct dun_config *config = &daemon->config;
    if (now < daemon->limits_due_ms) {
        return;
    }
    daemon->limits_due_ms = DUN_MS_NEVER;
    for (uint16_t i = 0; i < config->limit_count; i++) {
        const struct dun_section *section = &config->limits[i].section;
        bool from_profile = section->line == 0;
        if ((daemon->sensors.limits_used & 1u << i) == 0 && !from_profile) {
            struct dun_say say;
            dun_say_begin(&say, DUN_SAY_WARNING,
                          section->kind[0] == 'l' ? "this limit fits no metric so far"
                                                  : "this section fits no metric so far");
            dun_say_text(&say, section->kind, section->label);
            dun_say_text(&say, "metric", config->limits[i].metric);
            end_line(&say);
        }
    }
}

static dun_ms longest_interval(const struct dun_sensors *sensors)
{
    uint32_t longest = 0;
    for (uint16_t i = 0; i < sensors->count; i++) {
        uint32_t interval = sensors->table[i].interval_ms;
        longest = interval > longest ? interval : longest;
    }
    return longest;
}

static void say_news(struct daemon *daemon, dun_ms now, dun_ms unix_ms)
{
    const struct dun_daemon_tls *tls = daemon->secure.tls.enabled ? daemon->board->tls : NULL;
    struct dun_notice notice;
    while (dun_agent_notice(daemon->board->agent, &notice)) {
        dun_say_notice(&notice, tls, now, unix_ms);
    }
    if (tls != NULL) {
        tls->secure->keep_time(&daemon->secure, tls->report(), unix_ms);
    }
    say_full(daemon);
    say_unused_limits(daemon, now);
    dun_say_flush(now, unix_ms);
}

/// Start ///

static int load_password(struct daemon *daemon)
{
    const char *asked = daemon->config.password_file;
    int size = dun_secure_secret(
        asked, "mqtt-password", (struct dun_buffer){daemon->password, sizeof daemon->password},
        "the password file cannot be used", "others may read the password file, chmod 600 it");
    if (size == DUN_E_NOT_FOUND && asked[0] == '\0') {
        return DUN_OK;
    }
    if (size >= 0) {
        daemon->password_span = (struct dun_span){daemon->password, (size_t)size};
    }
    return size < 0 ? size : DUN_OK;
}

static int load_tls(struct daemon *daemon)
{
    const struct dun_daemon_tls *tls = daemon->board->tls;
    if (daemon->config.tls != DUN_TLS_ON) {
        return DUN_OK;
    }
    int error = tls->secure->begin(&daemon->secure, &daemon->config);
    return error == DUN_OK ? tls->load(&daemon->secure.tls) : error;
}

static bool thins(const struct daemon *daemon)
{
    return daemon->config.log_policy == DUN_LOG_THIN;
}

/* A quarter of the log's size holds what thinning keeps. An archive that cannot be opened is tried
 * again by its first use; until then thinning keeps nothing, and the ledger tells it all. */
static void open_archive(struct daemon *daemon)
{
    char folder[DUN_FLASH_FILE_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/archive", daemon->config.state);
    uint64_t size = (uint64_t)daemon->config.log_size / ARCHIVE_PART;
    if (size < DUN_STORAGE_SIZE_MIN) {
        size = DUN_STORAGE_SIZE_MIN;
    }
    if (dun_flash_file_open(&daemon->archive, folder, dun_storage_geometry(size)) == DUN_OK) {
        return;
    }
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_WARNING, "the archive of thinned records cannot be opened now");
    dun_say_text(&say, "path", daemon->archive.path);
    dun_say_text(&say, "error", strerror(daemon->archive.system_error));
    end_line(&say);
}

/* A log that cannot be made or read is no reason not to start: the agent records to memory and
 * tries again. Another agent in the same folder is one, and so is a folder that cannot be, unless
 * the board may lack one. */
static int open_storage(struct daemon *daemon)
{
    const struct dun_config *config = &daemon->config;
    struct dun_flash_file *file = &daemon->file;
    int error =
        dun_flash_file_open(file, config->state, dun_storage_geometry((uint64_t)config->log_size));
    if (thins(daemon) && error != DUN_E_BUSY && error != DUN_E_INVALID) {
        open_archive(daemon);
    }
    if (error == DUN_OK) {
        return DUN_OK;
    }
    if (error == DUN_E_INVALID && daemon->board->may_lack_state) {
        return DUN_OK; /* its survey has told */
    }
    struct dun_say say;
    if (error == DUN_E_BUSY) {
        dun_say_begin(&say, DUN_SAY_ERROR, "another agent uses this state folder");
        dun_say_text(&say, "state", config->state);
        dun_say_number(&say, "pid", file->holder);
    } else {
        dun_say_begin(&say, DUN_SAY_ERROR,
                      error == DUN_E_INVALID ? "the state folder cannot be used"
                                             : "storage failed, the log cannot be opened now");
        dun_say_text(&say, "path", file->path);
        dun_say_text(&say, "error", strerror(file->system_error));
    }
    end_line(&say);
    return error == DUN_E_BUSY || error == DUN_E_INVALID ? error : DUN_OK;
}

/* What is not 0 stays so. */
static uint32_t whole_seconds(int64_t ms)
{
    return (uint32_t)((ms + 999) / 1000);
}

static struct dun_agent_config agent_config(const struct daemon *daemon)
{
    const struct dun_config *config = &daemon->config;
    return (struct dun_agent_config){
        .prefix = config->prefix,
        .fleet = config->fleet,
        .device = config->device,
        .board = daemon->board->name,
        .knobs = daemon->board->knobs,
        .knob_count = daemon->board->knob_count,
        .encoder = config->encoding == DUN_ENCODING_PLAIN ? &dun_plain : &dun_columns,
        .boot = dun_system_boot(config->proc),
        .batch_points_max = (uint32_t)config->batch_points,
        .batch_bytes_max = (uint32_t)config->batch_bytes,
        .batch_age_max_ms = (uint32_t)config->batch_age_ms,
        .keep_every = (uint32_t)config->keep_every,
        .ack_mode = (enum dun_ack_mode)config->ack,
        .stored_wait_ms = (uint32_t)config->stored_wait_ms,
        .unheard = (enum dun_unheard)config->unheard,
        .message_expiry_s = whole_seconds(config->expiry_ms),
        .stay = config->redirects != 0,
        .strict_order = config->order == DUN_ORDER_STRICT,
        .backfill_percent = (uint8_t)config->backfill_percent,
        .backfill_bytes_s = (uint32_t)config->backfill_bytes_s,
        .backoff = {.base_ms = (uint32_t)config->reconnect_min_ms,
                    .max_ms = (uint32_t)config->reconnect_max_ms,
                    .spread_ms = (uint32_t)config->reconnect_spread_ms},
        .random_seed = dun_system_random(),
    };
}

static struct dun_uplink_config uplink_config(const struct daemon *daemon)
{
    const struct dun_config *config = &daemon->config;
    return (struct dun_uplink_config){
        .host = config->host,
        .port = (uint16_t)config->port,
        .client_id = config->client_id,
        .username = config->username[0] != '\0' ? config->username : NULL,
        .password = daemon->password_span,
        .keepalive_s = (uint16_t)config->keepalive_s,
        .connect_timeout_ms = config->connect_timeout_ms,
        .mqtt_version = (uint8_t)config->mqtt_version,
        .session_expiry_s = whole_seconds(config->session_expiry_ms),
        .will_delay_s = whole_seconds(config->will_delay_ms),
        .ack_timeout_ms = config->ack_timeout_ms,
    };
}

static void retune(void *context, uint16_t metric)
{
    struct daemon *daemon = context;
    dun_sensors_retune(&daemon->sensors, daemon->board->agent, metric);
}

static void start_remote(struct daemon *daemon, dun_ms now)
{
    const struct dun_config *config = &daemon->config;
    if (config->remote == 0) {
        return;
    }
    dun_shelf_file_init(&daemon->shelf, config->state);
    daemon->remote = (struct dun_remote){
        .settings = {.agent = daemon->board->agent,
                     .withheld = config->remote_withheld,
                     .bytes_max = (uint32_t)daemon->board->limits.record_max,
                     .trial_ms = (uint32_t)config->remote_trial_ms,
                     .retune = retune,
                     .context = daemon},
        .shelf = &daemon->shelf,
        .record = daemon->board->remote,
    };
    dun_remote_start(&daemon->remote, now);
}

static int start_agent(struct daemon *daemon, dun_ms now)
{
    const struct dun_daemon_board *board = daemon->board;
    const char *what = "log in memory";
    dun_sensors_start(&daemon->sensors, &daemon->config, &board->sensors);
    daemon->limits_due_ms = now + longest_interval(&daemon->sensors);
    int error = dun_flash_ram_init(&daemon->spare_flash, board->spare_geometry, board->spare);
    if (error == DUN_OK) {
        const struct dun_daemon_start start = {
            .agent = agent_config(daemon),
            .broker = uplink_config(daemon),
            .tls = &daemon->secure.tls,
            .flash = &daemon->file.flash,
            .spare = &daemon->spare_flash,
            .archive = thins(daemon) ? &daemon->archive.flash : NULL,
            .stream = dun_system_random(),
            .spare_stream = dun_system_random(),
            .archive_stream = dun_system_random(),
            .overflow = (enum dun_log_overflow)daemon->config.log_policy,
            .sensors = daemon->sensors.table,
            .sensor_count = daemon->sensors.count,
        };
        error = board->start(&start, now, &what);
    }
    if (error == DUN_OK) {
        start_remote(daemon, now);
    } else {
        say_trouble("the agent cannot start", "field", what);
    }
    return error;
}

/// The loop ///

static dun_ms step(struct daemon *daemon, dun_ms now)
{
    dun_ms deadline = dun_agent_step(daemon->board->agent, now);
    if (daemon->config.remote != 0) {
        deadline = dun_ms_earlier(deadline, dun_remote_step(&daemon->remote, now));
    }
    return deadline;
}

static void sleep_until(const struct daemon *daemon, dun_ms deadline)
{
    const struct dun_daemon_board *board = daemon->board;
    dun_ms wait = deadline - dun_system_uptime();
    wait = wait < 0 ? 0 : wait > SLEEP_MAX_MS ? SLEEP_MAX_MS : wait;
    dun_system_sleep(board->wait_fd(), board->wait_events(), wait);
}

static void begin_end(struct daemon *daemon, dun_ms now)
{
    struct dun_say say;
    dun_notify_send(&daemon->notify, "STOPPING=1");
    dun_say_begin(&say, DUN_SAY_INFO, "ending");
    dun_say_number(&say, "backlog", (int64_t)dun_agent_backlog(daemon->board->agent));
    dun_say_number(&say, "drain_ms", daemon->config.drain_ms);
    end_line(&say);
    dun_agent_end(daemon->board->agent, now, now + daemon->config.drain_ms);
}

/* Returns the exit code. */
static int run(struct daemon *daemon)
{
    dun_ms ending_since = DUN_MS_NEVER;
    for (;;) {
        dun_ms now = dun_system_uptime();
        dun_ms unix_ms = dun_system_unix();
        if (dun_system_ends() > 0 && ending_since == DUN_MS_NEVER) {
            ending_since = now;
            begin_end(daemon, now);
        }
        if (dun_system_ends() > 1 && now - ending_since < SAME_SIGNAL_MS) {
            dun_system_end_once();
        }
        if (dun_system_ends() > 1) {
            say_trouble("told to end twice, not waiting for delivery", "state",
                        daemon->config.state);
            return DUN_EXIT_FAILED;
        }
        dun_agent_set_clock(daemon->board->agent, now, unix_ms);
        dun_ms deadline = step(daemon, now);
        say_news(daemon, now, unix_ms);
        if (dun_agent_ended(daemon->board->agent)) {
            return DUN_EXIT_OK;
        }
        if (daemon->file.taken) {
            say_trouble("another agent took this state folder", "state", daemon->config.state);
            return DUN_EXIT_FAILED;
        }
        deadline = dun_ms_earlier(deadline, dun_notify_watchdog(&daemon->notify, now));
        sleep_until(daemon, deadline);
    }
}

static void say_ended(const struct daemon *daemon)
{
    const struct dun_stats *stats = dun_agent_stats(daemon->board->agent);
    struct dun_say say;
    dun_say_begin(&say, DUN_SAY_INFO, "ended");
    dun_say_number(&say, "points", (int64_t)stats->points_recorded);
    dun_say_number(&say, "records", (int64_t)stats->records_stored);
    dun_say_number(&say, "acked", (int64_t)stats->records_acked);
    dun_say_number(&say, "backlog", (int64_t)dun_agent_backlog(daemon->board->agent));
    dun_say_number(&say, "lost_points", (int64_t)stats->points_lost);
    end_line(&say);
}

static int run_daemon(struct daemon *daemon)
{
    dun_say_setup(STDERR_FILENO, (enum dun_say_level)daemon->config.log_level,
                  dun_say_is_journal(STDERR_FILENO));
    dun_notify_open(&daemon->notify);
    if (daemon->board->survey != NULL) {
        daemon->board->survey(&daemon->config);
    }
    dun_system_watch_ends(daemon->config.state);
    if (load_password(daemon) != DUN_OK) {
        return DUN_EXIT_FAILED;
    }
    if (load_tls(daemon) != DUN_OK) {
        return DUN_EXIT_TLS;
    }
    if (open_storage(daemon) != DUN_OK) {
        return DUN_EXIT_FAILED;
    }
    int code = DUN_EXIT_FAILED;
    if (start_agent(daemon, dun_system_uptime()) == DUN_OK) {
        say_started(daemon);
        dun_notify_send(&daemon->notify, "READY=1");
        code = run(daemon);
        say_ended(daemon);
        if (daemon->board->finish != NULL) {
            daemon->board->finish();
        }
    }
    dun_sensors_stop(&daemon->sensors);
    dun_flash_file_close(&daemon->file);
    if (thins(daemon)) {
        dun_flash_file_close(&daemon->archive);
    }
    return code;
}

int dun_daemon_main(const struct dun_daemon_board *board, int argc, char *const argv[],
                    char *const environment[])
{
    struct daemon *daemon = &daemon_state;
    char hostname[DUN_TEXT_MAX] = "";
    dun_system_catch_ends();
    dun_system_hostname(hostname, sizeof hostname);
    daemon->board = board;
    dun_config_init(&daemon->config, board->program, stderr);
    int error = dun_config_read(&daemon->config, argc, argv, environment, hostname, &board->limits);
    switch (daemon->config.command) {
    case DUN_COMMAND_HELP:
        dun_config_help(board->program, stdout);
        return DUN_EXIT_OK;
    case DUN_COMMAND_VERSION:
        printf("%s %s (board %s)\n", board->program, DUN_VERSION, board->name);
        return DUN_EXIT_OK;
    default:
        break;
    }
    if (dun_system_ends() > 0 && daemon->config.command == DUN_COMMAND_RUN) {
        return DUN_EXIT_OK; /* nothing was begun, and an error may be the read that broke off */
    }
    if (error != DUN_OK) {
        return DUN_EXIT_USAGE;
    }
    if (daemon->config.command == DUN_COMMAND_CHECK) {
        return load_tls(daemon) == DUN_OK ? DUN_EXIT_OK : DUN_EXIT_TLS;
    }
    if (daemon->config.command == DUN_COMMAND_PRINT) {
        dun_config_print(&daemon->config, stdout);
        return DUN_EXIT_OK;
    }
    return run_daemon(daemon);
}
