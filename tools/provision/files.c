/* files.c: see files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool dun_file_complain(const char *path)
{
    fprintf(stderr, "dunlin provision: %s: %s\n", path, strerror(errno));
    return false;
}

bool dun_path(char path[DUN_PATH_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, DUN_PATH_MAX, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= DUN_PATH_MAX) {
        fprintf(stderr, "dunlin provision: %.60s...: a path of more than %d bytes\n", path,
                DUN_PATH_MAX - 1);
        return false;
    }
    return true;
}

bool dun_file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

bool dun_folder_make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST || dun_file_complain(path);
}

static bool read_all(int fd, char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, data + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

char *dun_file_read(const char *path, size_t *size)
{
    struct stat status;
    char *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)dun_file_complain(path);
    } else if ((uint64_t)status.st_size > DUN_FILE_SIZE_MAX) {
        errno = EFBIG;
        (void)dun_file_complain(path);
    } else {
        *size = (size_t)status.st_size;
        data = malloc(*size + 1);
        if (data == NULL || !read_all(fd, data, *size)) {
            (void)dun_file_complain(path);
            free(data);
            data = NULL;
        } else {
            data[*size] = '\0';
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return data;
}

static bool write_all(int fd, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, data + done, size - done);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return fsync(fd) == 0;
}

/* A rename is durable when its folder is. */
static bool sync_folder_of(const char *path)
{
    char folder[DUN_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (slash == NULL) {
        (void)memcpy(folder, ".", 2);
    } else {
        memcpy(folder, path, length);
        folder[length == 0 ? 1 : length] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}

bool dun_file_write(const char *path, unsigned mode, const void *data, size_t size)
{
    char beside[DUN_PATH_MAX];
    if (!dun_path(beside, "%s.new", path)) {
        return false;
    }
    /* What a cut run left here is not ours to keep, nor its mode. */
    (void)unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) {
        return dun_file_complain(beside);
    }
    bool written = fchmod(fd, (mode_t)mode) == 0 && write_all(fd, data, size);
    written = close(fd) == 0 && written;
    if (!written || rename(beside, path) != 0 || !sync_folder_of(path)) {
        (void)dun_file_complain(path);
        (void)unlink(beside);
        return false;
    }
    return true;
}

void dun_text_add(struct dun_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *data = length < 0 ? NULL : realloc(text->data, text->size + (size_t)length + 1);
    if (data == NULL) {
        text->failed = true;
        return;
    }
    text->data = data;
    va_start(arguments, format);
    (void)vsnprintf(data + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

static bool says(const char *path, const struct dun_text *text)
{
    size_t size;
    char *data = dun_file_exists(path) ? dun_file_read(path, &size) : NULL;
    bool same = data != NULL && size == text->size && memcmp(data, text->data, size) == 0;
    free(data);
    return same;
}

bool dun_text_write(struct dun_text *text, const char *path, unsigned mode)
{
    bool done = false;
    if (text->failed) {
        errno = ENOMEM;
        (void)dun_file_complain(path);
    } else {
        done = says(path, text) || dun_file_write(path, mode, text->data, text->size);
    }
    free(text->data);
    *text = (struct dun_text){NULL, 0, false};
    return done;
}

bool dun_file_copy(const char *from, const char *to)
{
    struct dun_text text = {NULL, 0, false};
    size_t size;
    char *data = dun_file_read(from, &size);
    if (data == NULL) {
        return false;
    }
    dun_text_add(&text, "%s", data);
    free(data);
    return dun_text_write(&text, to, DUN_MODE_OPEN);
}
