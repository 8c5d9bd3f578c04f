/*
 * frame.c: the framings. A record that is too long is read to its end and thrown away, so that the
 * next one is found; only a broken length prefix loses the rest of a delimited stream.
 */
#include "frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h"

#define LINE_MAX_BYTES (2 * DUN_RECORD_BYTES_MAX + 4096)

void dun_frames_init(struct dun_frames *frames, int fd, enum dun_framing framing)
{
    memset(frames, 0, offsetof(struct dun_frames, input));
    frames->fd = fd;
    frames->framing = framing;
}

void dun_frames_free(struct dun_frames *frames)
{
    free(frames->record.items);
    frames->record = (struct dun_list){NULL, 0, 0};
}

static int refuse(struct dun_complaint *complaint, const char *text)
{
    (void)snprintf(complaint->text, sizeof complaint->text, "%s", text);
    complaint->offset = 0;
    return DUN_E_CORRUPT;
}

/// Input ///

/* 1 when there is a byte to take, 0 at the end of the file, DUN_E_IO. */
static int fill(struct dun_frames *frames)
{
    while (frames->used == frames->filled) {
        ssize_t got = read(frames->fd, frames->input, sizeof frames->input);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            frames->ended = true;
            return DUN_E_IO;
        }
        frames->used = 0;
        frames->filled = got > 0 ? (size_t)got : 0;
    }
    return 1;
}

/* Moves up to `size` buffered bytes to the record, or away if the record has reached `limit`. */
static int take(struct dun_frames *frames, size_t size, size_t limit)
{
    size_t here = frames->filled - frames->used;
    size_t part = size < here ? size : here;
    struct dun_list *record = &frames->record;
    if (record->count <= limit) {
        size_t kept = part < limit + 1 - record->count ? part : limit + 1 - record->count;
        if (!dun_list_reserve(record, record->count + kept, 1)) {
            errno = ENOMEM;
            frames->ended = true;
            return DUN_E_IO;
        }
        if (kept > 0) {
            memcpy((uint8_t *)record->items + record->count, frames->input + frames->used, kept);
            record->count += kept;
        }
    }
    frames->used += part;
    frames->offset += part;
    return (int)part;
}

static struct dun_span whole(const struct dun_frames *frames)
{
    return (struct dun_span){frames->record.items, frames->record.count};
}

/// Bare and delimited ///

static int next_bare(struct dun_frames *frames, struct dun_frame *frame,
                     struct dun_complaint *complaint)
{
    int more;
    while ((more = fill(frames)) == 1) {
        int result = take(frames, SIZE_MAX, DUN_RECORD_BYTES_MAX);
        if (result < 0) {
            return result;
        }
    }
    frames->ended = true;
    if (more < 0) {
        return more;
    }
    if (frames->record.count > DUN_RECORD_BYTES_MAX) {
        return refuse(complaint, "larger than 16 MiB");
    }
    frame->payload = whole(frames);
    return 1;
}

/* The length prefix: 1, 0 at a clean end of the file, or an error after which nothing follows. */
static int take_length(struct dun_frames *frames, uint64_t *length, struct dun_complaint *complaint)
{
    *length = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        int more = fill(frames);
        if (more < 0 || (more == 0 && shift == 0)) {
            return more;
        }
        if (more == 0) {
            frames->ended = true;
            return refuse(complaint, "cut off within its length");
        }
        uint8_t byte = frames->input[frames->used++];
        frames->offset++;
        *length |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return 1;
        }
    }
    frames->ended = true;
    return refuse(complaint, "its length is no length: nothing after it can be found");
}

static int next_delimited(struct dun_frames *frames, struct dun_frame *frame,
                          struct dun_complaint *complaint)
{
    uint64_t length;
    int result = take_length(frames, &length, complaint);
    frame->offset = frames->offset;
    if (result <= 0) {
        return result;
    }
    for (uint64_t left = length; left > 0;) {
        result = fill(frames);
        if (result < 0) {
            return result;
        }
        if (result == 0) {
            frames->ended = true;
            return refuse(complaint, "cut off before its end");
        }
        result = take(frames, left < SIZE_MAX ? (size_t)left : SIZE_MAX, DUN_RECORD_BYTES_MAX);
        if (result < 0) {
            return result;
        }
        left -= (uint64_t)result;
    }
    if (length > DUN_RECORD_BYTES_MAX) {
        return refuse(complaint, "larger than 16 MiB");
    }
    frame->payload = whole(frames);
    return 1;
}

/// Lines ///

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t small = byte | 0x20;
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* Both decode in place (the result is shorter) and return its size, or -1. */
static ptrdiff_t decode_hex(uint8_t *data, size_t size)
{
    if (size % 2 != 0) {
        return -1;
    }
    for (size_t i = 0; i < size / 2; i++) {
        int high = digit_of(data[2 * i]);
        int low = digit_of(data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    return (ptrdiff_t)(size / 2);
}

static int sextet_of(uint8_t byte)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = byte != '\0' ? strchr(alphabet, byte) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

static ptrdiff_t decode_base64(uint8_t *data, size_t size)
{
    if (size == 0 || size % 4 != 0) {
        return -1;
    }
    size_t padding = data[size - 1] != '=' ? 0 : data[size - 2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    size_t made = 0;
    for (size_t i = 0; i < size; i++) {
        int sextet = i + padding >= size ? 0 : sextet_of(data[i]);
        if (sextet < 0) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)sextet;
        if (i % 4 == 3) {
            data[made++] = (uint8_t)(bits >> 16);
            data[made++] = (uint8_t)(bits >> 8);
            data[made++] = (uint8_t)bits;
        }
    }
    return (ptrdiff_t)(made - padding);
}

/* Reads to the end of the line: 1, 0 if there is none any more, or an error. */
static int take_line(struct dun_frames *frames)
{
    size_t before = frames->record.count;
    for (;;) {
        int more = fill(frames);
        if (more <= 0) {
            return more < 0 ? more : frames->record.count > before;
        }
        const uint8_t *from = frames->input + frames->used;
        size_t here = frames->filled - frames->used;
        const uint8_t *end = memchr(from, '\n', here);
        size_t size = end != NULL ? (size_t)(end - from) : here;
        int result = take(frames, size, LINE_MAX_BYTES);
        if (result < 0) {
            return result;
        }
        if (end != NULL) {
            frames->used++;
            frames->offset++;
            return 1;
        }
    }
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Topic and payload, both inside the line: the payload is its last word. */
static int split_line(struct dun_frames *frames, struct dun_frame *frame,
                      struct dun_complaint *complaint)
{
    uint8_t *line = frames->record.items;
    size_t end = frames->record.count;
    while (end > 0 && is_blank(line[end - 1])) {
        end--;
    }
    size_t from = end;
    while (from > 0 && !is_blank(line[from - 1])) {
        from--;
    }
    bool hex = frames->framing == DUN_FRAMING_HEX;
    ptrdiff_t size =
        hex ? decode_hex(line + from, end - from) : decode_base64(line + from, end - from);
    if (size < 0) {
        return refuse(complaint, hex ? "not hexadecimal" : "not base64");
    }
    size_t topic_end = from;
    while (topic_end > 0 && is_blank(line[topic_end - 1])) {
        topic_end--;
    }
    frame->topic = (struct dun_span){line, topic_end};
    frame->payload = (struct dun_span){line + from, (size_t)size};
    return 1;
}

/* Nothing at all, or a topic with nothing behind the blank: a retained message was cleared. */
static bool line_is_empty(const struct dun_frames *frames)
{
    const uint8_t *line = frames->record.items;
    size_t end = frames->record.count;
    size_t blanks = 0;
    for (; end > 0 && is_blank(line[end - 1]); end--) {
        blanks += line[end - 1] != '\r' ? 1 : 0;
    }
    for (size_t i = 0; i < end; i++) {
        if (is_blank(line[i])) {
            return false;
        }
    }
    return end == 0 || (blanks > 0 && memchr(line, '/', end) != NULL);
}

static int next_line(struct dun_frames *frames, struct dun_frame *frame,
                     struct dun_complaint *complaint)
{
    do {
        frames->record.count = 0;
        frame->offset = frames->offset;
        int result = take_line(frames);
        if (result <= 0) {
            return result;
        }
    } while (line_is_empty(frames));
    if (frames->record.count > LINE_MAX_BYTES) {
        return refuse(complaint, "larger than 16 MiB");
    }
    return split_line(frames, frame, complaint);
}

int dun_frames_next(struct dun_frames *frames, struct dun_frame *frame,
                    struct dun_complaint *complaint)
{
    if (frames->ended) {
        return 0;
    }
    frames->record.count = 0;
    frame->number = ++frames->number;
    frame->offset = frames->offset;
    frame->topic = frame->payload = dun_span_of("");
    if (frames->framing == DUN_FRAMING_BARE) {
        return next_bare(frames, frame, complaint);
    }
    if (frames->framing == DUN_FRAMING_DELIMITED) {
        return next_delimited(frames, frame, complaint);
    }
    return next_line(frames, frame, complaint);
}
