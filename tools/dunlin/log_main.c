/*
 * log_main.c: `dunlin log`: looks into the log of a device and prints what waits there. It writes
 * nothing and takes no lock, so it may run beside the agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "log_rejected.h"
#include "log_show.h"
#include "options.h"

static const char command[] = "dunlin log";

static const char help_text[] =
    "usage: dunlin log [OPTIONS] FILE|FOLDER\n"
    "\n"
    "Looks into the log of a device: the agent's state folder, the file `log` in it, or an image "
    "of\n"
    "a flash. Nothing is written and no lock is taken: it may be done while the agent runs.\n"
    "\n"
    "  -f, --format FORMAT   table or json; default: table on a terminal, json elsewhere. With\n"
    "                        --points also csv, influx, delimited or none: then only\n"
    "                        the points\n"
    "      --records         one line a waiting record\n"
    "      --points          what the waiting records hold, as `dunlin decode` prints it\n"
    "      --rejected        instead of what waits: what the broker refused for good, as long as "
    "it\n"
    "                        is there\n"
    "      --device ID       the device that the points are of, which the log does not know\n"
    "      --catalog FILE    learn this Catalog message (bare) first\n"
    "      --type TYPE       read records only as batch or as samples; default: as what fits\n"
    "      --block-size N, --prog-size N\n"
    "                        the geometry, if the blocks in the file do not tell it rightly\n"
    "      --help, --version\n"
    "\n"
    "exit codes: 0 ok (a log without records is), 1 the file cannot be read, 2 usage, 6 not a "
    "log,\n"
    "or some of what waits in it is damaged (the rest was printed)";

enum option_id {
    OPTION_FORMAT = 1,
    OPTION_RECORDS,
    OPTION_POINTS,
    OPTION_REJECTED,
    OPTION_DEVICE,
    OPTION_CATALOG,
    OPTION_TYPE,
    OPTION_BLOCK_SIZE,
    OPTION_PROG_SIZE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    {OPTION_FORMAT, 'f', true, "format"},        {OPTION_RECORDS, '\0', false, "records"},
    {OPTION_POINTS, '\0', false, "points"},      {OPTION_REJECTED, '\0', false, "rejected"},
    {OPTION_DEVICE, '\0', true, "device"},       {OPTION_CATALOG, '\0', true, "catalog"},
    {OPTION_TYPE, '\0', true, "type"},           {OPTION_BLOCK_SIZE, '\0', true, "block-size"},
    {OPTION_PROG_SIZE, '\0', true, "prog-size"}, {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"},    {0, '\0', false, NULL},
};

struct log_command {
    const struct dun_render_format *format;
    const char *device;
    const char *catalog;
    const char *file;
    struct dun_log_wanted wanted;
    bool records;
    bool points;
    bool rejected;
    struct dun_list refusals; /* struct dun_log_refusal, if `rejected` */
    bool ended;               /* --help or --version was printed */
    struct dun_frames frames;
    struct dun_log_view view;
    struct dun_renderer renderer;
    struct dun_out out;
};

/// Options ///

/* [A-Za-z0-9._-]{1,64}, as everywhere. */
static bool device_ok(const char *device)
{
    size_t length = strspn(device, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-");
    return length > 0 && length <= 64 && device[length] == '\0';
}

static int set_format(struct log_command *log, const char *value)
{
    log->format = dun_render_find(value);
    return log->format != NULL
               ? 0
               : dun_usage_error(
                     command,
                     "--format '%.100s' is not table, json, csv, influx, delimited or none", value);
}

static int set_device(struct log_command *log, const char *value)
{
    log->device = value;
    return device_ok(value)
               ? 0
               : dun_usage_error(command, "--device '%.100s' is not [A-Za-z0-9._-]{1,64}", value);
}

static int set_type(struct log_command *log, const char *value)
{
    enum dun_channel type = dun_channel_find(dun_span_of(value));
    log->view.type = type;
    return type == DUN_CHANNEL_BATCH || type == DUN_CHANNEL_SAMPLES
               ? 0
               : dun_usage_error(command, "--type '%.100s' is not batch or samples", value);
}

static int set_file(struct log_command *log, const char *value)
{
    if (log->file != NULL) {
        return dun_usage_error(command, "one FILE at a time: '%.200s' is one too many", value);
    }
    log->file = value;
    return 0;
}

static int set_number(const struct dun_options *options, const char *name, const char *text,
                      uint64_t minimum, uint64_t maximum, uint32_t *number)
{
    uint64_t value = 0;
    if (!dun_options_number(options, name, text, minimum, maximum, &value)) {
        return DUN_EXIT_USAGE;
    }
    *number = (uint32_t)value;
    return 0;
}

/* 0, or the exit code after a line on stderr. */
static int set_option(struct log_command *log, const struct dun_options *options, int id,
                      const char *value)
{
    switch (id) {
    case OPTION_FORMAT:
        return set_format(log, value);
    case OPTION_RECORDS:
        log->records = true;
        return 0;
    case OPTION_POINTS:
        log->points = true;
        return 0;
    case OPTION_REJECTED:
        log->rejected = true;
        return 0;
    case OPTION_DEVICE:
        return set_device(log, value);
    case OPTION_CATALOG:
        log->catalog = value;
        return 0;
    case OPTION_TYPE:
        return set_type(log, value);
    case OPTION_BLOCK_SIZE:
        return set_number(options, "--block-size", value, 256, 1 << 20, &log->wanted.block_size);
    case OPTION_PROG_SIZE:
        return set_number(options, "--prog-size", value, 1, 256, &log->wanted.prog_size);
    case OPTION_HELP:
    case OPTION_VERSION:
        puts(id == OPTION_HELP ? help_text : "dunlin " DUN_VERSION);
        log->ended = true;
        return 0;
    default:
        return set_file(log, value);
    }
}

/* True if nothing but points is to be printed. */
static bool only_points(const struct log_command *log)
{
    return log->format != &dun_render_json && log->format != &dun_render_table;
}

static int parse_options(struct log_command *log, int argc, char **argv)
{
    struct dun_options options = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    const char *value;
    int id;
    while ((id = dun_options_next(&options, &value)) != DUN_OPTION_END) {
        int result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(log, &options, id, value);
        if (result != 0 || log->ended) {
            return result;
        }
    }
    if (log->file == NULL) {
        return dun_usage_error(command, "a FILE or FOLDER is needed");
    }
    log->records |= log->rejected && !log->points;
    if (only_points(log) && (!log->points || log->records)) {
        return dun_usage_error(command, "--format %s is for --points alone", log->format->name);
    }
    return 0;
}

/// Running ///

static int complain(const char *about, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", command, about, what);
    return DUN_EXIT_RUNTIME;
}

static int feed_catalog(struct log_command *log, int fd)
{
    struct dun_frame frame;
    struct dun_complaint complaint = {.offset = 0};
    int result;
    dun_frames_init(&log->frames, fd, DUN_FRAMING_BARE);
    result = dun_frames_next(&log->frames, &frame, &complaint);
    if (result == DUN_E_IO) {
        result = complain(log->catalog, strerror(errno));
    } else {
        if (result > 0) {
            result = dun_decoder_feed(&log->view.decoder, DUN_CHANNEL_CATALOG, log->view.device,
                                      frame.payload, &complaint);
        }
        if (result < 0) {
            fprintf(stderr, "%s: %s: byte %zu: %s\n", command, log->catalog, complaint.offset,
                    complaint.text);
        }
        result = result < 0 ? DUN_EXIT_DATA : 0;
    }
    dun_frames_free(&log->frames);
    return result;
}

static int learn_catalog(struct log_command *log)
{
    if (log->catalog == NULL) {
        return 0;
    }
    int fd = open(log->catalog, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain(log->catalog, strerror(errno));
    }
    int result = feed_catalog(log, fd);
    (void)close(fd);
    return result;
}

static void each_record(struct log_command *log, bool points)
{
    struct dun_log_cursor cursor = {.sequence = 0};
    struct dun_log_contents contents;
    struct dun_complaint complaint;
    struct dun_span payload;
    while (!log->out.failed && dun_log_view_next(&log->view, &cursor, &payload) == 1) {
        const struct dun_log_refusal *refusal =
            dun_log_rejected_at(&log->refusals, cursor.sequence);
        if (log->rejected && refusal == NULL) {
            continue;
        }
        dun_log_view_look(&log->view, payload, &contents, &complaint);
        if (!points) {
            dun_log_show_record(&log->view, &log->renderer, &cursor, payload, &contents);
            if (refusal != NULL) {
                dun_log_show_refusal(&log->renderer, cursor.sequence, refusal);
            }
        } else if (contents.channel != DUN_CHANNEL_NONE) {
            dun_decoder_render(&log->view.decoder, contents.channel, log->view.device, payload);
        }
    }
}

static void print_points(struct log_command *log)
{
    struct dun_decoder *decoder = &log->view.decoder;
    if (!only_points(log)) {
        dun_out_text(&log->out, log->format == &dun_render_table ? "\n" : "");
    }
    dun_render_begin(&log->renderer, log->format, &log->out);
    decoder->renderer = &log->renderer;
    each_record(log, true);
    if (decoder->points_unnamed > 0 || decoder->points_undated > 0 || log->renderer.omitted > 0) {
        fprintf(stderr,
                "%s: of %llu points %llu have no dictionary (--catalog FILE), %llu no date; %llu "
                "left out, which this format cannot carry\n",
                command, (unsigned long long)decoder->points,
                (unsigned long long)decoder->points_unnamed,
                (unsigned long long)decoder->points_undated,
                (unsigned long long)log->renderer.omitted);
    }
}

/* A reader that went away is not an error to talk about: end as the signal would have ended us. */
static int finish_output(struct log_command *log)
{
    if (dun_out_flush(&log->out)) {
        return 0;
    }
    if (log->out.error == EPIPE) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    return complain("stdout", strerror(log->out.error));
}

static int print(struct log_command *log)
{
    struct timespec now = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    dun_out_init(&log->out, STDOUT_FILENO);
    log->renderer.format = log->format;
    log->renderer.out = &log->out;
    if (!only_points(log)) {
        dun_log_show(&log->view, &log->renderer,
                     (int64_t)now.tv_sec * 1000 + (int64_t)now.tv_nsec / 1000000);
    }
    if (log->rejected && !log->view.blank &&
        dun_log_rejected_find(&log->view, &log->refusals) < 0) {
        return complain(log->file, "not all of it could be read");
    }
    if (log->records && !log->view.blank) {
        dun_log_show_record_head(&log->renderer);
        each_record(log, false);
    }
    if (log->points && !log->view.blank) {
        print_points(log);
    }
    return finish_output(log);
}

static int run(struct log_command *log)
{
    struct dun_log_view *view = &log->view;
    view->device = dun_span_of(log->device);
    if (dun_decoder_init(&view->decoder, NULL) < 0) {
        return complain("start", strerror(ENOMEM));
    }
    int result = learn_catalog(log);
    if (result == 0) {
        result = dun_log_image_open(&view->image, log->file, log->wanted);
        if (result == 0) {
            result = dun_log_view_read(view);
        }
        if (result == 0) {
            result = print(log);
        }
        if (result == 0 && view->image.moving) {
            (void)dun_log_image_complain(&view->image, 0,
                                         "it was written to all the while: the "
                                         "newest records may be shown as damaged");
        }
        dun_log_image_close(&view->image);
    }
    dun_decoder_free(&view->decoder);
    free(log->refusals.items);
    if (result == 0 && (view->unreadable > 0 || view->refused > 0)) {
        return DUN_EXIT_DATA;
    }
    return result;
}

int dun_log_main(int argc, char **argv)
{
    struct log_command *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return complain("start", strerror(ENOMEM));
    }
    log->device = "";
    log->format = isatty(STDOUT_FILENO) == 1 ? &dun_render_table : &dun_render_json;
    int result = parse_options(log, argc, argv);
    if (result == 0 && !log->ended) {
        (void)signal(SIGPIPE, SIG_IGN);
        result = run(log);
    }
    free(log);
    return result;
}
