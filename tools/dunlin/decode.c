/*
 * decode.c: `dunlin decode`: records from files to points on stdout. Errors name file, record and
 * byte, and do not end the run as long as the next record can be found.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decoder.h"
#include "desired.h"
#include "frame.h"
#include "options.h"

static const char command[] = "dunlin decode";

static const char help_text[] =
    "usage: dunlin decode [OPTIONS] FILE...      (- is stdin)\n"
    "\n"
    "Reads records as devices publish them and prints their points.\n"
    "\n"
    "  -f, --format FORMAT   json, csv, influx, delimited (Sample messages, each with its\n"
    "                        length before it), table or none (only check); default: table on\n"
    "                        a terminal, json elsewhere\n"
    "      --framing FRAMING bare: a file is one record (default); delimited: each is preceded by\n"
    "                        its length as a varint; hex, base64: one a line, its topic may\n"
    "                        stand before it (mosquitto_sub -F '%t %x')\n"
    "      --type TYPE       batch (default), samples, about, catalog, stored, config, reported;\n"
    "                        a topic on the line overrides it\n"
    "      --device ID       the device, which only the topic names; likewise\n"
    "      --catalog FILE    learn this Catalog message (bare) first\n"
    "      --help, --version\n"
    "\n"
    "A record that cannot be trusted is refused whole: a line on stderr names it, the others are\n"
    "decoded, and the exit code is 6. Other exit codes: 0 ok, 1 a file cannot be read or written,\n"
    "2 usage.";

enum option_id {
    OPTION_FORMAT = 1,
    OPTION_FRAMING,
    OPTION_TYPE,
    OPTION_DEVICE,
    OPTION_CATALOG,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct dun_option option_table[] = {
    {OPTION_FORMAT, 'f', true, "format"},     {OPTION_FRAMING, '\0', true, "framing"},
    {OPTION_TYPE, '\0', true, "type"},        {OPTION_DEVICE, '\0', true, "device"},
    {OPTION_CATALOG, '\0', true, "catalog"},  {OPTION_HELP, '\0', false, "help"},
    {OPTION_VERSION, '\0', false, "version"}, {0, '\0', false, NULL},
};

struct decode {
    const struct dun_render_format *format;
    enum dun_framing framing;
    enum dun_channel type;
    dun_desired_reader desired; /* instead of `type`: a message of the remote configuration */
    const char *device;
    const char *catalog;
    const char **files; /* points into argv */
    int file_count;
    bool ended; /* --help or --version was printed */
    uint64_t refused;
    int exit_code;
    struct dun_decoder decoder;
    struct dun_renderer renderer;
    struct dun_frames frames;
    struct dun_out out;
};

/// Options ///

static bool find_framing(const char *name, enum dun_framing *framing)
{
    static const char *const names[] = {"bare", "delimited", "hex", "base64"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *framing = (enum dun_framing)i;
            return true;
        }
    }
    return false;
}

static int set_type(struct decode *decode, const char *value)
{
    decode->type = dun_channel_find(dun_span_of(value));
    decode->desired = strcmp(value, "config") == 0     ? dun_desired_json
                      : strcmp(value, "reported") == 0 ? dun_report_json
                                                       : NULL;
    bool known = decode->type != DUN_CHANNEL_NONE && decode->type != DUN_CHANNEL_STATUS;
    return known || decode->desired != NULL
               ? 0
               : dun_usage_error(command,
                                 "--type '%.100s' is not batch, samples, about, catalog, stored, "
                                 "config or reported",
                                 value);
}

/* 0, or the exit code after a line on stderr. */
static int set_option(struct decode *decode, int id, const char *value)
{
    switch (id) {
    case OPTION_FORMAT:
        decode->format = dun_render_find(value);
        return decode->format != NULL
                   ? 0
                   : dun_usage_error(
                         command,
                         "--format '%.100s' is not json, csv, influx, delimited, table or none",
                         value);
    case OPTION_FRAMING:
        return find_framing(value, &decode->framing)
                   ? 0
                   : dun_usage_error(command,
                                     "--framing '%.100s' is not bare, delimited, hex or base64",
                                     value);
    case OPTION_TYPE:
        return set_type(decode, value);
    case OPTION_DEVICE:
        decode->device = value;
        return dun_name_ok(dun_span_of(value))
                   ? 0
                   : dun_usage_error(command, "--device '%.100s' is not [A-Za-z0-9._-]{1,64}",
                                     value);
    case OPTION_CATALOG:
        decode->catalog = value;
        return 0;
    case OPTION_HELP:
    case OPTION_VERSION:
        puts(id == OPTION_HELP ? help_text : "dunlin " DUN_VERSION);
        decode->ended = true;
        return 0;
    default:
        decode->files[decode->file_count++] = value;
        return 0;
    }
}

static int parse_options(struct decode *decode, int argc, char **argv)
{
    struct dun_options options = {
        .command = command, .table = option_table, .argc = argc, .argv = argv, .next = 1};
    const char *value;
    for (;;) {
        int id = dun_options_next(&options, &value);
        if (id == DUN_OPTION_END) {
            break;
        }
        int result = id == DUN_OPTION_ERROR ? DUN_EXIT_USAGE : set_option(decode, id, value);
        if (result != 0 || decode->ended) {
            return result;
        }
    }
    if (decode->file_count == 0) {
        return dun_usage_error(command, "a FILE is needed; - is stdin");
    }
    return 0;
}

/// Reading ///

static void complain(struct decode *decode, const char *file, const struct dun_frame *frame,
                     const struct dun_complaint *complaint)
{
    fprintf(stderr, "%s: %s: record %llu at byte %llu: ", command, file,
            (unsigned long long)frame->number, (unsigned long long)frame->offset);
    if (complaint->offset > 0) {
        fprintf(stderr, "byte %zu of it: ", complaint->offset);
    }
    fprintf(stderr, "%s\n", complaint->text);
    decode->refused++;
}

static int complain_errno(const char *file)
{
    fprintf(stderr, "%s: %s: %s\n", command, file, strerror(errno));
    return DUN_EXIT_RUNTIME;
}

/* The reader for a message on one of the topics of the remote configuration, or NULL. */
static dun_desired_reader find_reader(struct dun_span topic, struct dun_span *device)
{
    static const struct {
        const char *ending;
        dun_desired_reader reader;
    } channels[] = {{"/config/reported", dun_report_json}, {"/config", dun_desired_json}};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        size_t size = strlen(channels[i].ending);
        char as_status[256];
        enum dun_channel channel;
        if (topic.size <= size || topic.size - size + sizeof "/status" > sizeof as_status ||
            memcmp(topic.data + topic.size - size, channels[i].ending, size) != 0) {
            continue;
        }
        memcpy(as_status, topic.data, topic.size - size);
        strcpy(as_status + topic.size - size, "/status");
        if (dun_topic_split(dun_span_of(as_status), device, &channel)) {
            *device =
                (struct dun_span){topic.data + (device->data - (uint8_t *)as_status), device->size};
            return channels[i].reader;
        }
    }
    return NULL;
}

static void decode_desired(struct decode *decode, const char *file, const struct dun_frame *frame,
                           struct dun_span device, dun_desired_reader reader)
{
    struct dun_complaint complaint = {.offset = 0, .text = "it is not of the remote configuration"};
    struct dun_out *nowhere = &decode->renderer.prefix; /* idle here */
    bool shown = decode->format == &dun_render_json || decode->format == &dun_render_table;
    if (!shown) {
        dun_out_init(nowhere, -1);
    }
    if (!reader(shown ? &decode->out : nowhere, device, frame->payload)) {
        complain(decode, file, frame, &complaint);
    }
}

static void decode_frame(struct decode *decode, const char *file, const struct dun_frame *frame)
{
    struct dun_complaint complaint = {.offset = 0};
    enum dun_channel type = decode->type;
    struct dun_span device = dun_span_of(decode->device);
    dun_desired_reader desired =
        frame->topic.size > 0 ? find_reader(frame->topic, &device) : decode->desired;
    if (desired != NULL) {
        decode_desired(decode, file, frame, device, desired);
        return;
    }
    if (frame->topic.size > 0 && !dun_topic_split(frame->topic, &device, &type)) {
        (void)snprintf(complaint.text, sizeof complaint.text,
                       "its topic is not PREFIX/FLEET/DEVICE/CHANNEL");
        complain(decode, file, frame, &complaint);
        return;
    }
    if (dun_decoder_feed(&decode->decoder, type, device, frame->payload, &complaint) < 0) {
        complain(decode, file, frame, &complaint);
    }
}

/* 0, or the exit code. */
static int decode_fd(struct decode *decode, const char *file, int fd)
{
    struct dun_frame frame;
    struct dun_complaint complaint;
    int result;
    dun_frames_init(&decode->frames, fd, decode->framing);
    while ((result = dun_frames_next(&decode->frames, &frame, &complaint)) != 0) {
        if (result == DUN_E_IO) {
            return complain_errno(file);
        }
        if (result < 0) {
            complain(decode, file, &frame, &complaint);
        } else {
            decode_frame(decode, file, &frame);
        }
        if (decode->out.failed) {
            break;
        }
    }
    return 0;
}

static int decode_file(struct decode *decode, const char *file)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain_errno(file);
    }
    int result = decode_fd(decode, file, fd);
    dun_frames_free(&decode->frames);
    if (!is_stdin) {
        (void)close(fd);
    }
    return result;
}

static int learn_catalog(struct decode *decode)
{
    if (decode->catalog == NULL) {
        return 0;
    }
    enum dun_framing framing = decode->framing;
    enum dun_channel type = decode->type;
    decode->framing = DUN_FRAMING_BARE;
    decode->type = DUN_CHANNEL_CATALOG;
    decode->decoder.renderer = NULL;
    int result = decode_file(decode, decode->catalog);
    decode->decoder.renderer = &decode->renderer;
    decode->framing = framing;
    decode->type = type;
    return result;
}

/// The end ///

static void closing_notes(const struct decode *decode)
{
    const struct dun_decoder *decoder = &decode->decoder;
    if (decoder->points_unnamed > 0) {
        fprintf(stderr,
                "%s: %llu of %llu points have no dictionary and are printed as #id, unscaled: "
                "give --catalog FILE, or the record that announces it first\n",
                command, (unsigned long long)decoder->points_unnamed,
                (unsigned long long)decoder->points);
    }
    if (decoder->points_undated > 0) {
        fprintf(stderr, "%s: %llu of %llu points have no date: no anchor of their boot was seen\n",
                command, (unsigned long long)decoder->points_undated,
                (unsigned long long)decoder->points);
    }
    if (decode->renderer.omitted > 0) {
        fprintf(stderr, "%s: %llu points left out, which this format cannot carry\n", command,
                (unsigned long long)decode->renderer.omitted);
    }
    if (decoder->knowledge.dropped > 0) {
        fprintf(stderr, "%s: %llu announcements or anchors not kept: too many\n", command,
                (unsigned long long)decoder->knowledge.dropped);
    }
}

/* A reader that went away is not an error to talk about: end as the signal would have ended us. */
static int finish_output(struct decode *decode)
{
    if (dun_out_flush(&decode->out)) {
        return 0;
    }
    if (decode->out.error == EPIPE) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    errno = decode->out.error;
    return complain_errno("stdout");
}

static int run(struct decode *decode)
{
    if (dun_decoder_init(&decode->decoder, &decode->renderer) < 0) {
        errno = ENOMEM;
        return complain_errno("start");
    }
    dun_out_init(&decode->out, STDOUT_FILENO);
    dun_render_begin(&decode->renderer, decode->format, &decode->out);
    int exit_code = learn_catalog(decode);
    for (int i = 0; i < decode->file_count && exit_code == 0; i++) {
        /* One unreadable file does not hide the others. */
        int result = decode_file(decode, decode->files[i]);
        decode->exit_code = result != 0 ? result : decode->exit_code;
    }
    int output = finish_output(decode);
    closing_notes(decode);
    dun_decoder_free(&decode->decoder);
    if (exit_code != 0 || output != 0) {
        return exit_code != 0 ? exit_code : output;
    }
    if (decode->exit_code != 0) {
        return decode->exit_code;
    }
    return decode->refused > 0 ? DUN_EXIT_DATA : DUN_EXIT_OK;
}

int dun_decode_main(int argc, char **argv)
{
    struct decode *decode = calloc(1, sizeof *decode);
    const char **files = calloc((size_t)argc + 1, sizeof *files);
    int result = DUN_EXIT_RUNTIME;
    if (decode == NULL || files == NULL) {
        errno = ENOMEM;
        (void)complain_errno("start");
    } else {
        decode->files = files;
        decode->type = DUN_CHANNEL_BATCH;
        decode->device = "";
        decode->format = isatty(STDOUT_FILENO) == 1 ? &dun_render_table : &dun_render_json;
        result = parse_options(decode, argc, argv);
        if (result == 0 && !decode->ended) {
            (void)signal(SIGPIPE, SIG_IGN);
            result = run(decode);
        }
    }
    free(files);
    free(decode);
    return result;
}
