/*
 * lines.h: reads the text files of the kernel, a line at a time, in a buffer that the caller owns,
 * and takes numbers and words from a line. Files stay open and are read with pread: the kernel
 * makes the text anew when it is read from offset 0.
 *
 * The text may be anything: what is no number is refused, what is too long is cut.
 */
#ifndef DUN_HOSTED_LINES_H
#define DUN_HOSTED_LINES_H

#include "base.h"

struct dun_lines {
    int fd; /* -1: all the text is in the buffer */
    int error;
    int64_t offset; /* in the file, of what comes after the buffer */
    struct dun_buffer buffer;
    size_t start, end; /* what is left of it */
    bool ended;
    bool skipping; /* the last line was cut: its rest is still to be skipped */
};

/* From the beginning of `fd`. A line longer than the buffer is cut, its rest skipped. */
void dun_lines_open(struct dun_lines *lines, int fd, struct dun_buffer buffer);

/* From `text`, which is written to and must end with NUL; for tests and small attributes. */
void dun_lines_of_text(struct dun_lines *lines, char *text);

/* The next line, NUL-terminated without its newline, valid until the next call; NULL at the end. */
char *dun_lines_next(struct dun_lines *lines);

/* 0, or DUN_E_IO if the file could not be read. */
int dun_lines_error(const struct dun_lines *lines);

/* Skips blanks, takes digits, moves `*at` behind them. False: no digits, or beyond 64 bits. */
bool dun_scan_u64(char **at, uint64_t *value);

/* Skips blanks, takes what is not blank and ends it with NUL. NULL at the end of the line. */
char *dun_scan_word(char **at);

/*
 * Opens DIRECTORY/NAME to read, once: `*fd` is kept; -1 means not open yet. Returns `*fd`, or -1.
 * Never blocks on a FIFO or a terminal.
 */
int dun_open_once(int *fd, const char *directory, const char *name);

/* Reads a small attribute (at most `size` - 1 bytes) and ends it with NUL. 0 or DUN_E_IO. */
DUN_MUST_USE int dun_read_small(int fd, char *out, size_t size);

#endif
