/*
 * files.c: the file calls of POSIX that the agent makes, over wasi:filesystem 0.2 itself. The libc
 * has them too, but by way of preview 1, whose adapter alone would be a quarter of the component.
 *
 * A path is looked for below the granted folder whose name covers most of it. Folders of
 * descriptors know no "..": who needs a parent must have been granted it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lend.h"
#include "place.h"
#include "wasi.h"

#define FILES_MAX 640  /* open at a time; more than the sensors of any profile keep */
#define FIRST     3    /* behind stdin, stdout, stderr */
#define WRITE_MAX 4096 /* bytes that a stream takes in one call */

struct file {
    int32_t descriptor;
    bool open;
    uint64_t at; /* of read and write */
};

static struct file files[FILES_MAX];
static int32_t out_streams[FIRST]; /* handle plus one */

/// Errors ///

/* In the order of wasi:filesystem's error-code. */
static const uint8_t errors[] = {
    EACCES,  EAGAIN,    EALREADY,        EBADF,   EBUSY,  EDEADLK, EDQUOT,    EEXIST,
    EFBIG,   EILSEQ,    EINPROGRESS,     EINTR,   EINVAL, EIO,     EISDIR,    ELOOP,
    EMLINK,  EMSGSIZE,  ENAMETOOLONG,    ENODEV,  ENOENT, ENOLCK,  ENOMEM,    ENOSPC,
    ENOTDIR, ENOTEMPTY, ENOTRECOVERABLE, ENOTSUP, ENOTTY, ENXIO,   EOVERFLOW, EPERM,
    EPIPE,   EROFS,     ESPIPE,          ETXTBSY, EXDEV,
};

int dun_wasi_result(bool failed, uint8_t error)
{
    if (failed) {
        errno = error < sizeof errors ? errors[error] : EIO;
    }
    return failed ? -1 : 0;
}

static int result(const struct wasi_done *done)
{
    return dun_wasi_result(done->failed, done->error);
}

/// Paths ///

static size_t skip_root(const char *path, size_t size)
{
    size_t at = 0;
    while (at < size &&
           (path[at] == '/' || (path[at] == '.' && (at + 1 == size || path[at + 1] == '/')))) {
        at++;
    }
    return at;
}

/* How many bytes of `path` the granted `name` covers, with the slash behind; -1: it does not. */
static int covers(const struct wasi_list *name, const char *path)
{
    const char *text = name->data;
    size_t skipped = skip_root(text, name->size);
    size_t size = name->size - skipped;
    text += skipped;
    while (size > 0 && text[size - 1] == '/') {
        size--;
    }
    if (strncmp(path, text, size) != 0) {
        return -1;
    }
    if (size == 0 || path[size] == '\0') {
        return (int)size;
    }
    return path[size] == '/' ? (int)size + 1 : -1;
}

bool dun_wasi_find(const char *path, struct dun_place_of *place)
{
    static struct wasi_list all;
    int best = -1;
    if (all.data == NULL) {
        dun_lend(NULL, 0);
        wasi_granted(&all);
    }
    const struct wasi_granted *granted = all.data;
    path += skip_root(path, strlen(path));
    for (size_t i = 0; i < all.size; i++) {
        int covered = covers(&granted[i].name, path);
        if (covered > best) {
            best = covered;
            place->folder = granted[i].folder;
        }
    }
    errno = ENOENT;
    path += best > 0 ? best : 0;
    place->path = *path != '\0' ? path : ".";
    place->size = strlen(place->path);
    return best >= 0;
}

/// Open and close ///

static int add(int32_t opened)
{
    for (int fd = FIRST; fd < FILES_MAX; fd++) {
        if (!files[fd].open) {
            files[fd] = (struct file){.descriptor = opened, .open = true};
            return fd;
        }
    }
    wasi_drop_file(opened);
    errno = EMFILE;
    return -1;
}

static struct file *file_of(int fd)
{
    bool there = fd >= FIRST && fd < FILES_MAX && files[fd].open;
    if (!there) {
        errno = EBADF;
    }
    return there ? &files[fd] : NULL;
}

int open(const char *path, int flags, ...)
{
    struct dun_place_of place;
    struct wasi_made opened;
    int follow = (flags & O_NOFOLLOW) != 0 ? 0 : WASI_FOLLOW;
    int how = ((flags & O_CREAT) != 0 ? WASI_CREATE : 0) |
              ((flags & O_DIRECTORY) != 0 ? WASI_FOLDER : 0) |
              ((flags & O_EXCL) != 0 ? WASI_EXCLUSIVE : 0) |
              ((flags & O_TRUNC) != 0 ? WASI_TRUNCATE : 0);
    int rights =
        ((flags & O_RDONLY) != 0 ? WASI_READ : 0) | ((flags & O_WRONLY) != 0 ? WASI_WRITE : 0);
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    wasi_open_at(place.folder, follow, place.path, place.size, how, rights, &opened);
    return dun_wasi_result(opened.failed, opened.error) == 0 ? add(opened.handle) : -1;
}

int close(int fd)
{
    struct file *file = file_of(fd);
    if (file == NULL) {
        return -1;
    }
    wasi_drop_file(file->descriptor);
    file->open = false;
    return 0;
}

/// Read and write ///

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    struct file *file = file_of(fd);
    struct wasi_read answer;
    if (file == NULL || size == 0) {
        return file == NULL ? -1 : 0;
    }
    dun_lend(data, size);
    wasi_read(file->descriptor, size, (uint64_t)at, &answer);
    dun_lend(NULL, 0);
    return dun_wasi_result(answer.failed, answer.error) == 0 ? (ssize_t)answer.got.size : -1;
}

ssize_t read(int fd, void *data, size_t size)
{
    struct file *file = file_of(fd);
    ssize_t got = file != NULL ? pread(fd, data, size, (off_t)file->at) : -1;
    if (got > 0) {
        file->at += (uint64_t)got;
    }
    return got;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    struct file *file = file_of(fd);
    struct wasi_moved answer;
    if (file == NULL) {
        return -1;
    }
    wasi_write(file->descriptor, data, size, (uint64_t)at, &answer);
    return dun_wasi_result(answer.failed, answer.error) == 0 ? (ssize_t)answer.size : -1;
}

static ssize_t write_stream(int fd, const uint8_t *data, size_t size)
{
    struct wasi_streamed answer;
    size = size < WRITE_MAX ? size : WRITE_MAX;
    if (out_streams[fd] == 0) {
        out_streams[fd] = (fd == STDOUT_FILENO ? wasi_stdout() : wasi_stderr()) + 1;
    }
    wasi_stream_flush(out_streams[fd] - 1, data, size, &answer);
    if (answer.failed) {
        if (!answer.trouble.closed) {
            wasi_drop_error(answer.trouble.why);
        }
        errno = EPIPE;
        return -1;
    }
    return (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) {
        return write_stream(fd, data, size);
    }
    struct file *file = file_of(fd);
    ssize_t written = file != NULL ? pwrite(fd, data, size, (off_t)file->at) : -1;
    if (written > 0) {
        file->at += (uint64_t)written;
    }
    return written;
}

int fdatasync(int fd)
{
    struct file *file = file_of(fd);
    struct wasi_done done;
    if (file == NULL) {
        return -1;
    }
    wasi_sync_data(file->descriptor, &done);
    return result(&done);
}

int fsync(int fd)
{
    struct file *file = file_of(fd);
    struct wasi_done done;
    if (file == NULL) {
        return -1;
    }
    wasi_sync(file->descriptor, &done);
    return result(&done);
}

/// What is there ///

/* WASI tells neither owner nor permissions. */
static int fill(struct stat *out, const struct wasi_stat *from)
{
    static const mode_t modes[] = {0,       S_IFBLK, S_IFCHR, S_IFDIR,
                                   S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
    if (from->failed) {
        return dun_wasi_result(true, from->error);
    }
    *out = (struct stat){
        .st_dev = 1,
        .st_mode = from->type < sizeof modes / sizeof modes[0] ? modes[from->type] : 0,
        .st_size = (off_t)from->size,
    };
    if (from->changed.known) {
        out->st_mtim.tv_sec = (time_t)from->changed.date.seconds;
        out->st_mtim.tv_nsec = (long)from->changed.date.nanoseconds;
    }
    return 0;
}

/* A file that took the place of another one is another one. */
static int stat_at(const struct dun_place_of *place, struct stat *out)
{
    struct wasi_stat found;
    struct wasi_identity identity;
    wasi_stat_at(place->folder, WASI_FOLLOW, place->path, place->size, &found);
    wasi_identity_at(place->folder, WASI_FOLLOW, place->path, place->size, &identity);
    int error = fill(out, &found);
    out->st_ino = identity.failed ? 0 : identity.hash[0];
    return error;
}

int stat(const char *restrict path, struct stat *restrict out)
{
    struct dun_place_of place;
    return dun_wasi_find(path, &place) ? stat_at(&place, out) : -1;
}

int fstat(int fd, struct stat *out)
{
    struct file *file = file_of(fd);
    struct wasi_stat found;
    if (file == NULL) {
        return -1;
    }
    wasi_stat(file->descriptor, &found);
    return fill(out, &found);
}

int access(const char *path, int how)
{
    struct stat found;
    (void)how; /* only whether it is there: WASI tells no permissions */
    return stat(path, &found);
}

/// Names ///

int mkdir(const char *path, mode_t mode)
{
    struct dun_place_of place;
    struct wasi_done done;
    (void)mode;
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    wasi_make_folder(place.folder, place.path, place.size, &done);
    return result(&done);
}

int unlink(const char *path)
{
    struct dun_place_of place;
    struct wasi_done done;
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    wasi_unlink(place.folder, place.path, place.size, &done);
    return result(&done);
}

int rmdir(const char *path)
{
    struct dun_place_of place;
    struct wasi_done done;
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    wasi_remove_folder(place.folder, place.path, place.size, &done);
    return result(&done);
}

int rename(const char *from, const char *to)
{
    struct dun_place_of old;
    struct dun_place_of new;
    struct wasi_done done;
    if (!dun_wasi_find(from, &old) || !dun_wasi_find(to, &new)) {
        return -1;
    }
    wasi_rename(old.folder, old.path, old.size, new.folder, new.path, new.size, &done);
    return result(&done);
}
