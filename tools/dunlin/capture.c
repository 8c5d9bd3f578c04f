/* capture.c: see capture.h. */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES_A_COMMIT 1000

struct reading {
    struct dun_capture *capture;
    struct dun_frames frames;
    struct dun_ingest ingest;
};

bool dun_capture_framing(const char *name, enum dun_framing *framing)
{
    static const struct {
        const char *name;
        enum dun_framing framing;
    } names[] = {{"hex", DUN_FRAMING_HEX},
                 {"base64", DUN_FRAMING_BASE64},
                 {"delimited", DUN_FRAMING_DELIMITED}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i].name) == 0) {
            *framing = names[i].framing;
            return true;
        }
    }
    return false;
}

static int take_frame(struct reading *reading, const char *file, const struct dun_frame *frame)
{
    struct dun_complaint complaint = {.offset = 0};
    char topic[160];
    struct dun_span where = frame->topic;
    if (where.size == 0) {
        (void)snprintf(topic, sizeof topic, "dunlin/capture/%s/batch",
                       reading->capture->device != NULL ? reading->capture->device : "device");
        where = dun_span_of(topic);
    }
    int error = dun_ingest_take(&reading->ingest, where, frame->payload, false, 0, &complaint);
    if (error == DUN_E_CORRUPT) {
        reading->capture->refused++;
        fprintf(stderr, "%s: %s: record %llu at byte %llu: refused: %s\n",
                reading->capture->command, file, (unsigned long long)frame->number,
                (unsigned long long)frame->offset, complaint.text);
    }
    return error == DUN_E_IO ? error : 0;
}

static int take_fd(struct reading *reading, const char *file, int fd)
{
    struct dun_frame frame;
    struct dun_complaint complaint;
    int result;
    int error = dun_ingest_begin(&reading->ingest);
    dun_frames_init(&reading->frames, fd, reading->capture->framing);
    while (error == 0 && (result = dun_frames_next(&reading->frames, &frame, &complaint)) != 0) {
        if (result == DUN_E_IO) {
            fprintf(stderr, "%s: %s: %s\n", reading->capture->command, file, strerror(errno));
            dun_frames_free(&reading->frames);
            return DUN_EXIT_RUNTIME;
        }
        if (result < 0) {
            reading->capture->refused++;
            fprintf(stderr, "%s: %s: record %llu: refused: %s\n", reading->capture->command, file,
                    (unsigned long long)frame.number, complaint.text);
            continue;
        }
        error = take_frame(reading, file, &frame);
        if (error == 0 && frame.number % MESSAGES_A_COMMIT == 0) {
            error = dun_ingest_commit(&reading->ingest, 0);
            error = error == 0 ? dun_ingest_begin(&reading->ingest) : error;
        }
    }
    dun_frames_free(&reading->frames);
    error = error == 0 ? dun_ingest_commit(&reading->ingest, 0) : error;
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", reading->capture->command, reading->ingest.store->error);
    }
    return error == 0 ? 0 : DUN_EXIT_RUNTIME;
}

static int take_file(struct reading *reading, const char *file)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "%s: %s: %s\n", reading->capture->command, file, strerror(errno));
        return DUN_EXIT_RUNTIME;
    }
    int result = take_fd(reading, file, fd);
    if (!is_stdin) {
        (void)close(fd);
    }
    return result;
}

int dun_capture_into(struct dun_capture *capture, struct dun_store *store)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL || dun_ingest_init(&reading->ingest, store) != 0) {
        free(reading);
        fprintf(stderr, "%s: out of memory\n", capture->command);
        return DUN_EXIT_RUNTIME;
    }
    reading->capture = capture;
    int result = 0;
    for (int i = 0; i < capture->file_count && result == 0; i++) {
        result = take_file(reading, capture->files[i]);
    }
    dun_ingest_free(&reading->ingest);
    free(reading);
    return result;
}
