/* lines.c: see lines.h. */
#define _POSIX_C_SOURCE 200809L
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void dun_lines_open(struct dun_lines *lines, int fd, struct dun_buffer buffer)
{
    DUN_ASSERT(buffer.size >= 2);
    *lines = (struct dun_lines){.fd = fd, .buffer = buffer};
}

void dun_lines_of_text(struct dun_lines *lines, char *text)
{
    *lines = (struct dun_lines){.fd = -1, .ended = true};
    lines->end = strlen(text);
    lines->buffer = (struct dun_buffer){(uint8_t *)text, lines->end + 1};
}

/* Moves what is left to the front and reads more behind it. */
static void refill(struct dun_lines *lines)
{
    uint8_t *data = lines->buffer.data;
    size_t left = lines->end - lines->start;
    memmove(data, data + lines->start, left);
    lines->start = 0;
    lines->end = left;
    size_t room = lines->buffer.size - 1 - left;
    ssize_t count;
    do {
        count = pread(lines->fd, data + left, room, (off_t)lines->offset);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        lines->ended = true;
        lines->error = count < 0 ? DUN_E_IO : lines->error;
        return;
    }
    lines->offset += count;
    lines->end += (size_t)count;
}

/* Throws away the rest of a line that was cut. */
static void skip_rest(struct dun_lines *lines)
{
    lines->skipping = false;
    while (!lines->ended) {
        lines->start = lines->end = 0;
        refill(lines);
        uint8_t *newline = memchr(lines->buffer.data, '\n', lines->end);
        if (newline != NULL) {
            lines->start = (size_t)(newline - lines->buffer.data) + 1;
            return;
        }
    }
    lines->start = lines->end;
}

char *dun_lines_next(struct dun_lines *lines)
{
    uint8_t *data = lines->buffer.data;
    if (lines->skipping) {
        skip_rest(lines);
    }
    for (;;) {
        size_t left = lines->end - lines->start;
        uint8_t *newline = left > 0 ? memchr(data + lines->start, '\n', left) : NULL;
        char *line = (char *)data + lines->start;
        if (newline != NULL) {
            *newline = '\0';
            lines->start = (size_t)(newline - data) + 1;
            return line;
        }
        lines->skipping = left == lines->buffer.size - 1 && !lines->ended;
        if (lines->ended || lines->skipping) {
            data[lines->end] = '\0';
            lines->start = lines->end;
            return left > 0 ? line : NULL;
        }
        refill(lines);
    }
}

int dun_lines_error(const struct dun_lines *lines)
{
    return lines->error;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool dun_scan_u64(char **at, uint64_t *value)
{
    char *digit = *at;
    while (is_blank(*digit)) {
        digit++;
    }
    if (*digit < '0' || *digit > '9') {
        return false;
    }
    uint64_t number = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        uint64_t next = (uint64_t)(*digit - '0');
        if (number > (UINT64_MAX - next) / 10) {
            return false;
        }
        number = number * 10 + next;
    }
    *at = digit;
    *value = number;
    return true;
}

char *dun_scan_word(char **at)
{
    char *word = *at;
    while (is_blank(*word)) {
        word++;
    }
    if (*word == '\0') {
        return NULL;
    }
    char *end = word;
    while (*end != '\0' && !is_blank(*end)) {
        end++;
    }
    *at = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

int dun_open_once(int *fd, const char *directory, const char *name)
{
    if (*fd < 0) {
        char path[512];
        int size = snprintf(path, sizeof path, "%s/%s", directory, name);
        if (size < 0 || (size_t)size >= sizeof path) {
            return -1;
        }
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    return *fd;
}

int dun_read_small(int fd, char *out, size_t size)
{
    ssize_t count;
    do {
        count = pread(fd, out, size - 1, 0);
    } while (count < 0 && errno == EINTR);
    out[count > 0 ? count : 0] = '\0';
    return count < 0 ? DUN_E_IO : DUN_OK;
}
