/*
 * print.c: as much of stdio.h as the agent and its tests use: texts and whole numbers printed, a
 * file read byte by byte or as a whole. No floating point, no wide characters, no buffer of what
 * is printed: it is written when the call returns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef stdin
#undef stdout
#undef stderr

#define CHUNK       512
#define STREAMS_MAX 4
#define DIGITS_MAX  24

struct _IO_FILE {
    int fd;
    bool used, failed, ended;
    off_t at;          /* of what is read */
    size_t start, end; /* in `bytes` */
    uint8_t bytes[CHUNK];
};

static struct _IO_FILE in = {.fd = STDIN_FILENO};
static struct _IO_FILE out = {.fd = STDOUT_FILENO};
/* By this name the libc's strtod knows it. */
extern struct _IO_FILE __stderr_FILE;
struct _IO_FILE __stderr_FILE = {.fd = STDERR_FILENO};
FILE *const stdin = &in;
FILE *const stdout = &out;
FILE *const stderr = &__stderr_FILE;

/// Where it is printed to ///

/* A text of `size` bytes, the rest is counted; or a descriptor, in pieces. */
struct sink {
    char *text;
    size_t size;
    size_t used;  /* in `text` */
    size_t total; /* all that was printed */
    int fd;       /* -1: `text` is what is wanted */
    bool failed;
};

static void flush(struct sink *sink)
{
    size_t done = 0;
    while (done < sink->used && !sink->failed) {
        ssize_t written = write(sink->fd, sink->text + done, sink->used - done);
        sink->failed = written <= 0;
        done += written > 0 ? (size_t)written : 0;
    }
    sink->used = 0;
}

static void put(struct sink *sink, char c)
{
    if (sink->fd >= 0 && sink->used == sink->size) {
        flush(sink);
    }
    if (sink->used < sink->size) {
        sink->text[sink->used++] = c;
    }
    sink->total++;
}

/// What is printed ///

struct form {
    bool left, zero, plus;
    int width;
    int precision; /* -1: none */
    char length;   /* 'H': char, 'h', 0: int, 'l', 'L': long long and its kin */
};

static int number_in(const char **at)
{
    int number = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (**at - '0');
    }
    return number;
}

static struct form form_of(const char **at, va_list *arguments)
{
    struct form form = {.precision = -1};
    for (; strchr("-0+ #", **at) != NULL && **at != '\0'; (*at)++) {
        form.left = form.left || **at == '-';
        form.zero = form.zero || **at == '0';
        form.plus = form.plus || **at == '+';
    }
    if (**at == '*') {
        form.width = va_arg(*arguments, int);
        (*at)++;
    } else {
        form.width = number_in(at);
    }
    if (**at == '.') {
        (*at)++;
        if (**at == '*') {
            form.precision = va_arg(*arguments, int);
            (*at)++;
        } else {
            form.precision = number_in(at);
        }
    }
    for (; strchr("hljzt", **at) != NULL && **at != '\0'; (*at)++) {
        char c = **at == 'j' ? 'L' : **at == 'z' || **at == 't' ? 'l' : **at;
        form.length = form.length == c ? (c == 'l' ? 'L' : 'H') : c;
    }
    return form;
}

static void put_field(struct sink *sink, const struct form *form, const char *sign,
                      const char *text, size_t size)
{
    size_t signs = strlen(sign);
    size_t width = form->width > 0 ? (size_t)form->width : 0;
    size_t blanks = width > size + signs ? width - size - signs : 0;
    bool zeros = form->zero && !form->left && form->precision < 0;
    for (size_t i = 0; i < blanks && !form->left && !zeros; i++) {
        put(sink, ' ');
    }
    for (size_t i = 0; i < signs; i++) {
        put(sink, sign[i]);
    }
    for (size_t i = 0; i < blanks && zeros; i++) {
        put(sink, '0');
    }
    for (size_t i = 0; i < size; i++) {
        put(sink, text[i]);
    }
    for (size_t i = 0; i < blanks && form->left; i++) {
        put(sink, ' ');
    }
}

static void put_number(struct sink *sink, const struct form *form, uint64_t number, unsigned base,
                       const char *sign)
{
    char text[DIGITS_MAX];
    size_t at = sizeof text;
    size_t least =
        form->precision > 0 && form->precision < DIGITS_MAX ? (size_t)form->precision : 1;
    do {
        text[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0 || sizeof text - at < least);
    put_field(sink, form, sign, text + at, sizeof text - at);
}

static int64_t signed_of(const struct form *form, va_list *arguments)
{
    int64_t number = form->length == 'L'   ? va_arg(*arguments, int64_t)
                     : form->length == 'l' ? va_arg(*arguments, long)
                                           : va_arg(*arguments, int);
    return form->length == 'h' ? (short)number : form->length == 'H' ? (signed char)number : number;
}

static uint64_t unsigned_of(const struct form *form, va_list *arguments)
{
    uint64_t number = form->length == 'L'   ? va_arg(*arguments, uint64_t)
                      : form->length == 'l' ? va_arg(*arguments, unsigned long)
                                            : va_arg(*arguments, unsigned);
    return form->length == 'h'   ? (unsigned short)number
           : form->length == 'H' ? (unsigned char)number
                                 : number;
}

static void put_text(struct sink *sink, const struct form *form, const char *text)
{
    text = text != NULL ? text : "(null)";
    size_t most = form->precision >= 0 ? (size_t)form->precision : SIZE_MAX;
    struct form plain = *form;
    plain.zero = false;
    put_field(sink, &plain, "", text, strnlen(text, most));
}

/* Whoever prints a %f finds out in the first test that he does not. */
static void convert(struct sink *sink, char what, const struct form *form, va_list *arguments)
{
    int64_t number;
    char c;
    switch (what) {
    case 'd':
    case 'i':
        number = signed_of(form, arguments);
        put_number(sink, form, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10,
                   number < 0   ? "-"
                   : form->plus ? "+"
                                : "");
        return;
    case 'u':
        put_number(sink, form, unsigned_of(form, arguments), 10, "");
        return;
    case 'x':
        put_number(sink, form, unsigned_of(form, arguments), 16, "");
        return;
    case 'p':
        put_number(sink, form, (uintptr_t)va_arg(*arguments, void *), 16, "0x");
        return;
    case 's':
        put_text(sink, form, va_arg(*arguments, const char *));
        return;
    case 'c':
        c = (char)va_arg(*arguments, int);
        put_field(sink, form, "", &c, 1);
        return;
    case '%':
        put(sink, '%');
        return;
    default:
        abort();
    }
}

static void print(struct sink *sink, const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(sink, *at);
            continue;
        }
        at++;
        struct form form = form_of(&at, &copy);
        convert(sink, *at, &form, &copy);
    }
    va_end(copy);
}

/// stdio.h: printing ///

int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list arguments)
{
    struct sink sink = {.text = text, .size = size > 0 ? size - 1 : 0, .fd = -1};
    print(&sink, format, arguments);
    if (size > 0) {
        text[sink.used] = '\0';
    }
    return (int)sink.total;
}

int snprintf(char *restrict text, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int total = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return total;
}

int vfprintf(FILE *restrict file, const char *restrict format, va_list arguments)
{
    char text[CHUNK];
    struct sink sink = {.text = text, .size = sizeof text, .fd = file->fd};
    print(&sink, format, arguments);
    flush(&sink);
    return sink.failed ? -1 : (int)sink.total;
}

int fprintf(FILE *restrict file, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int total = vfprintf(file, format, arguments);
    va_end(arguments);
    return total;
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int total = vfprintf(&out, format, arguments);
    va_end(arguments);
    return total;
}

size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict file)
{
    struct sink sink = {.text = (char *)(uintptr_t)data, .used = size * count, .fd = file->fd};
    flush(&sink);
    return sink.failed ? 0 : count;
}

int fputs(const char *restrict text, FILE *restrict file)
{
    return fwrite(text, 1, strlen(text), file) > 0 || *text == '\0' ? 0 : EOF;
}

int fputc(int c, FILE *file)
{
    char byte = (char)c;
    return fwrite(&byte, 1, 1, file) == 1 ? (uint8_t)byte : EOF;
}

int puts(const char *text)
{
    return printf("%s\n", text);
}

int putchar(int c)
{
    return fputc(c, &out);
}

int fflush(FILE *file)
{
    (void)file;
    return 0;
}

/// stdio.h: reading ///

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    static struct _IO_FILE streams[STREAMS_MAX];
    size_t free_one = 0;
    while (free_one < STREAMS_MAX && streams[free_one].used) {
        free_one++;
    }
    errno = EMFILE;
    int how = mode[1] == '+' ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    how |= mode[0] == 'w' ? O_CREAT | O_TRUNC : 0;
    int fd = free_one < STREAMS_MAX ? open(path, how) : -1;
    if (fd < 0) {
        return NULL;
    }
    streams[free_one] = (struct _IO_FILE){.fd = fd, .used = true};
    return &streams[free_one];
}

int fclose(FILE *file)
{
    file->used = false;
    return close(file->fd);
}

static bool refill(FILE *file)
{
    ssize_t got = pread(file->fd, file->bytes, sizeof file->bytes, file->at);
    file->failed = file->failed || got < 0;
    file->ended = got == 0;
    file->start = 0;
    file->end = got > 0 ? (size_t)got : 0;
    file->at += got > 0 ? got : 0;
    return got > 0;
}

int fgetc(FILE *file)
{
    bool there = file->start < file->end || refill(file);
    return there ? file->bytes[file->start++] : EOF;
}

size_t fread(void *restrict data, size_t size, size_t count, FILE *restrict file)
{
    uint8_t *to = data;
    size_t wanted = size * count;
    size_t used = 0;
    while (used < wanted && (file->start < file->end || refill(file))) {
        size_t there = file->end - file->start;
        size_t some = there < wanted - used ? there : wanted - used;
        memcpy(to + used, file->bytes + file->start, some);
        file->start += some;
        used += some;
    }
    return size > 0 ? used / size : 0;
}

char *fgets(char *restrict text, int size, FILE *restrict file)
{
    int used = 0;
    int c = 0;
    while (used < size - 1 && c != '\n' && (c = fgetc(file)) != EOF) {
        text[used++] = (char)c;
    }
    text[used] = '\0';
    return used > 0 ? text : NULL;
}

int fseek(FILE *file, long offset, int from)
{
    struct stat found;
    if (from == SEEK_END && fstat(file->fd, &found) != 0) {
        return -1;
    }
    off_t base = from == SEEK_SET ? 0 : from == SEEK_END ? found.st_size : ftell(file);
    file->at = base + offset;
    file->start = file->end = 0;
    file->ended = false;
    return 0;
}

long ftell(FILE *file)
{
    return (long)(file->at - (off_t)(file->end - file->start));
}

void rewind(FILE *file)
{
    (void)fseek(file, 0, SEEK_SET);
    file->failed = false;
}

int fileno(FILE *file)
{
    return file->fd;
}

int ferror(FILE *file)
{
    return file->failed;
}

int feof(FILE *file)
{
    return file->ended;
}
