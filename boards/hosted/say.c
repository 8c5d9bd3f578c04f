/*
 * say.c: see say.h. The table of remembered lines is the only state; when it is full the one whose
 * minute began first makes room, so a flood of different lines is not held back but stays correct.
 */
#define _POSIX_C_SOURCE 200809L
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "date.h"

struct remembered {
    uint32_t hash;
    uint32_t shown;      /* in this minute */
    uint32_t suppressed; /* since the last one shown */
    dun_ms since;
    const char *message;
    enum dun_say_level level;
};

static struct {
    int fd;
    enum dun_say_level level;
    bool journal;
    struct remembered lines[DUN_SAY_REMEMBERED];
} state = {.fd = STDERR_FILENO, .level = DUN_SAY_INFO};

void dun_say_setup(int fd, enum dun_say_level level, bool journal)
{
    memset(&state, 0, sizeof state);
    state.fd = fd;
    state.level = level;
    state.journal = journal;
}

bool dun_say_is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(fd, &status) != 0) {
        return false;
    }
    char own[48];
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(own, stream) == 0;
}

static void put(struct dun_say *say, const char *bytes, size_t size)
{
    /* 8 bytes stay free for "..." and the end of the line. */
    if (say->cut || say->size + size > sizeof say->text - 8) {
        say->cut = true;
        return;
    }
    memcpy(say->text + say->size, bytes, size);
    say->size = (uint16_t)(say->size + size);
}

static void put_text(struct dun_say *say, const char *text)
{
    put(say, text, strlen(text));
}

static bool is_plain(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7f) {
            return false;
        }
    }
    return *value != '\0';
}

/* Control characters could forge a line or drive a terminal: they become \xNN. */
static void put_quoted(struct dun_say *say, const char *value)
{
    static const char digits[] = "0123456789abcdef";
    put_text(say, "\"");
    for (const char *at = value; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\') {
            put(say, (char[]){'\\', *at}, 2);
        } else if (c < ' ' || c == 0x7f) {
            put(say, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
        } else {
            put(say, at, 1);
        }
    }
    put_text(say, "\"");
}

void dun_say_begin(struct dun_say *say, enum dun_say_level level, const char *message)
{
    *say = (struct dun_say){.level = level, .message = message};
    say->hash = dun_crc32c(0, message, strlen(message));
}

void dun_say_text(struct dun_say *say, const char *key, const char *value)
{
    value = value != NULL ? value : "";
    say->hash = dun_crc32c(say->hash, value, strlen(value));
    put_text(say, " ");
    put_text(say, key);
    put_text(say, "=");
    if (is_plain(value)) {
        put_text(say, value);
    } else {
        put_quoted(say, value);
    }
}

void dun_say_number(struct dun_say *say, const char *key, int64_t value)
{
    char field[64];
    int size = snprintf(field, sizeof field, " %.32s=%lld", key, (long long)value);
    put(say, field, (size_t)size);
}

static const char *level_name(enum dun_say_level level)
{
    switch (level) {
    case DUN_SAY_ERROR:
        return "error";
    case DUN_SAY_WARNING:
        return "warning";
    case DUN_SAY_INFO:
        return "info";
    default:
        return "debug";
    }
}

/* What stands before the fields. Returns its size. */
static size_t write_head(char *out, size_t size, const struct dun_say *say, dun_ms unix_ms)
{
    int used;
    if (state.journal) {
        used = snprintf(out, size, "<%d>level=%s msg=\"%.120s\"", (int)say->level,
                        level_name(say->level), say->message);
    } else {
        char stamp[DUN_DATE_SIZE];
        *dun_date_write(stamp, unix_ms > 0 ? unix_ms : 0) = '\0';
        used = snprintf(out, size, "ts=%s level=%s msg=\"%.120s\"", stamp, level_name(say->level),
                        say->message);
    }
    return (size_t)used;
}

static void write_line(struct dun_say *say, dun_ms unix_ms)
{
    char line[DUN_SAY_LINE_MAX + 256];
    size_t used = write_head(line, sizeof line, say, unix_ms);
    memcpy(line + used, say->text, say->size);
    used += say->size;
    if (say->cut) {
        memcpy(line + used, " ...", 4);
        used += 4;
    }
    line[used++] = '\n';
    /* A log that nobody takes is no reason to stop measuring. */
    ssize_t ignored = write(state.fd, line, used);
    (void)ignored;
}

/* Tells how many were held back, and forgets the line. */
static void summarize(struct remembered *line, dun_ms unix_ms)
{
    if (line->suppressed > 0) {
        struct dun_say say;
        dun_say_begin(&say, line->level, line->message);
        dun_say_number(&say, "suppressed", line->suppressed);
        write_line(&say, unix_ms);
    }
    *line = (struct remembered){0};
}

/* The entry of this line, or the one that makes room for it. */
static struct remembered *remember(const struct dun_say *say, dun_ms now, dun_ms unix_ms)
{
    struct remembered *oldest = &state.lines[0];
    for (size_t i = 0; i < DUN_SAY_REMEMBERED; i++) {
        struct remembered *line = &state.lines[i];
        if (line->message != NULL && line->hash == say->hash) {
            return line;
        }
        if (line->message == NULL || (oldest->message != NULL && line->since < oldest->since)) {
            oldest = line;
        }
    }
    summarize(oldest, unix_ms);
    *oldest = (struct remembered){
        .hash = say->hash, .since = now, .message = say->message, .level = say->level};
    return oldest;
}

void dun_say_end(struct dun_say *say, dun_ms now, dun_ms unix_ms)
{
    if (say->level > state.level) {
        return;
    }
    struct remembered *line = remember(say, now, unix_ms);
    if (now - line->since >= DUN_SAY_PERIOD_MS) {
        line->since = now;
        line->shown = 0;
    }
    if (line->shown >= DUN_SAY_BURST) {
        line->suppressed++;
        return;
    }
    line->shown++;
    if (line->suppressed > 0) {
        dun_say_number(say, "suppressed", line->suppressed);
        line->suppressed = 0;
    }
    write_line(say, unix_ms);
}

void dun_say_flush(dun_ms now, dun_ms unix_ms)
{
    for (size_t i = 0; i < DUN_SAY_REMEMBERED; i++) {
        struct remembered *line = &state.lines[i];
        if (line->suppressed > 0 && now - line->since >= DUN_SAY_PERIOD_MS) {
            summarize(line, unix_ms);
        }
    }
}

const char *dun_say_error(int error)
{
    static const char *const names[] = {
        "ok",
        "i/o error",
        "full",
        "not now",
        "corrupt",
        "invalid",
        "too large",
        "not found",
        "closed",
        "protocol",
        "refused",
        "timeout",
        "unreachable",
        "busy",
        "unsupported",
        "no space left",
        "tls handshake",
        "wrong host name",
        "certificate date",
        "unknown authority",
    };
    int index = -error;
    bool known = index >= 0 && (size_t)index < sizeof names / sizeof names[0];
    return known ? names[index] : "unknown";
}
