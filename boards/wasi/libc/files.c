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

#define FILES_MAX 640  /* open at a time; more than the sensors of any profile keep */
#define FIRST     3    /* behind stdin, stdout, stderr */
#define WRITE_MAX 4096 /* bytes that a stream takes in one call */

typedef filesystem_borrow_descriptor_t descriptor;

struct file {
    filesystem_own_descriptor_t descriptor;
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

/* 0 if it went well. */
int dun_wasi_result(bool well, filesystem_error_code_t error)
{
    if (!well) {
        errno = error < sizeof errors ? errors[error] : EIO;
    }
    return well ? 0 : -1;
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
static int covers(wasip2_string_t name, const char *path)
{
    const char *text = (const char *)name.ptr;
    size_t skipped = skip_root(text, name.len);
    size_t size = name.len - skipped;
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
    static filesystem_preopens_list_tuple2_own_descriptor_string_t granted;
    int best = -1;
    if (granted.ptr == NULL) {
        dun_lend(NULL, 0);
        filesystem_preopens_get_directories(&granted);
    }
    path += skip_root(path, strlen(path));
    for (size_t i = 0; i < granted.len; i++) {
        int covered = covers(granted.ptr[i].f1, path);
        if (covered > best) {
            best = covered;
            place->folder = filesystem_borrow_descriptor(granted.ptr[i].f0);
        }
    }
    errno = ENOENT;
    path += best > 0 ? best : 0;
    path = *path != '\0' ? path : ".";
    place->path = (wasip2_string_t){(uint8_t *)(uintptr_t)path, strlen(path)};
    return best >= 0;
}

/// Open and close ///

static int add(filesystem_own_descriptor_t opened)
{
    for (int fd = FIRST; fd < FILES_MAX; fd++) {
        if (!files[fd].open) {
            files[fd] = (struct file){.descriptor = opened, .open = true};
            return fd;
        }
    }
    filesystem_descriptor_drop_own(opened);
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

static descriptor borrow(const struct file *file)
{
    return filesystem_borrow_descriptor(file->descriptor);
}

int open(const char *path, int flags, ...)
{
    struct dun_place_of place;
    filesystem_own_descriptor_t opened;
    filesystem_error_code_t error;
    filesystem_path_flags_t follow =
        (flags & O_NOFOLLOW) != 0 ? 0 : FILESYSTEM_PATH_FLAGS_SYMLINK_FOLLOW;
    filesystem_open_flags_t how =
        (filesystem_open_flags_t)(((flags & O_CREAT) != 0 ? FILESYSTEM_OPEN_FLAGS_CREATE : 0) |
                                  ((flags & O_DIRECTORY) != 0 ? FILESYSTEM_OPEN_FLAGS_DIRECTORY
                                                              : 0) |
                                  ((flags & O_EXCL) != 0 ? FILESYSTEM_OPEN_FLAGS_EXCLUSIVE : 0) |
                                  ((flags & O_TRUNC) != 0 ? FILESYSTEM_OPEN_FLAGS_TRUNCATE : 0));
    filesystem_descriptor_flags_t rights =
        (filesystem_descriptor_flags_t)(((flags & O_RDONLY) != 0 ? FILESYSTEM_DESCRIPTOR_FLAGS_READ
                                                                 : 0) |
                                        ((flags & O_WRONLY) != 0 ? FILESYSTEM_DESCRIPTOR_FLAGS_WRITE
                                                                 : 0));
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    bool well = filesystem_method_descriptor_open_at(place.folder, follow, &place.path, how, rights,
                                                     &opened, &error);
    return dun_wasi_result(well, error) == 0 ? add(opened) : -1;
}

int close(int fd)
{
    struct file *file = file_of(fd);
    if (file == NULL) {
        return -1;
    }
    filesystem_descriptor_drop_own(file->descriptor);
    file->open = false;
    return 0;
}

/// Read and write ///

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    struct file *file = file_of(fd);
    wasip2_tuple2_list_u8_bool_t got;
    filesystem_error_code_t error;
    if (file == NULL || size == 0) {
        return file == NULL ? -1 : 0;
    }
    dun_lend(data, size);
    bool well = filesystem_method_descriptor_read(borrow(file), size, (uint64_t)at, &got, &error);
    dun_lend(NULL, 0);
    return dun_wasi_result(well, error) == 0 ? (ssize_t)got.f0.len : -1;
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
    wasip2_list_u8_t bytes = {(uint8_t *)(uintptr_t)data, size};
    filesystem_filesize_t written;
    filesystem_error_code_t error;
    if (file == NULL) {
        return -1;
    }
    bool well =
        filesystem_method_descriptor_write(borrow(file), &bytes, (uint64_t)at, &written, &error);
    return dun_wasi_result(well, error) == 0 ? (ssize_t)written : -1;
}

static ssize_t write_stream(int fd, const uint8_t *data, size_t size)
{
    streams_own_output_stream_t stream = {out_streams[fd] - 1};
    streams_stream_error_t error;
    if (out_streams[fd] == 0) {
        stream = fd == STDOUT_FILENO ? stdout_get_stdout() : stderr_get_stderr();
        out_streams[fd] = stream.__handle + 1;
    }
    wasip2_list_u8_t bytes = {(uint8_t *)(uintptr_t)data, size < WRITE_MAX ? size : WRITE_MAX};
    if (!streams_method_output_stream_blocking_write_and_flush(streams_borrow_output_stream(stream),
                                                               &bytes, &error)) {
        if (error.tag == STREAMS_STREAM_ERROR_LAST_OPERATION_FAILED) {
            io_error_error_drop_own(error.val.last_operation_failed);
        }
        errno = EPIPE;
        return -1;
    }
    return (ssize_t)bytes.len;
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
    filesystem_error_code_t error;
    return file == NULL ? -1
                        : dun_wasi_result(
                              filesystem_method_descriptor_sync_data(borrow(file), &error), error);
}

int fsync(int fd)
{
    struct file *file = file_of(fd);
    filesystem_error_code_t error;
    return file == NULL
               ? -1
               : dun_wasi_result(filesystem_method_descriptor_sync(borrow(file), &error), error);
}

/// What is there ///

static struct timespec time_of(filesystem_option_datetime_t from)
{
    struct timespec none = {0};
    return from.is_some ? (struct timespec){.tv_sec = (time_t)from.val.seconds,
                                            .tv_nsec = (long)from.val.nanoseconds}
                        : none;
}

/* WASI tells neither owner nor permissions. */
static void fill(struct stat *out, const filesystem_descriptor_stat_t *from,
                 const filesystem_metadata_hash_value_t *identity)
{
    static const mode_t modes[] = {0,       S_IFBLK, S_IFCHR, S_IFDIR,
                                   S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
    *out = (struct stat){
        .st_dev = 1,
        .st_ino = identity->lower,
        .st_nlink = from->link_count,
        .st_mode = from->type < sizeof modes / sizeof modes[0] ? modes[from->type] : 0,
        .st_size = (off_t)from->size,
        .st_mtim = time_of(from->data_modification_timestamp),
    };
}

int stat(const char *restrict path, struct stat *restrict out)
{
    const filesystem_path_flags_t follow = FILESYSTEM_PATH_FLAGS_SYMLINK_FOLLOW;
    struct dun_place_of place;
    filesystem_descriptor_stat_t found;
    filesystem_metadata_hash_value_t identity;
    filesystem_error_code_t error;
    if (!dun_wasi_find(path, &place)) {
        return -1;
    }
    bool well =
        filesystem_method_descriptor_stat_at(place.folder, follow, &place.path, &found, &error) &&
        filesystem_method_descriptor_metadata_hash_at(place.folder, follow, &place.path, &identity,
                                                      &error);
    if (well) {
        fill(out, &found, &identity);
    }
    return dun_wasi_result(well, error);
}

int fstat(int fd, struct stat *out)
{
    struct file *file = file_of(fd);
    filesystem_descriptor_stat_t found;
    filesystem_metadata_hash_value_t identity;
    filesystem_error_code_t error;
    if (file == NULL) {
        return -1;
    }
    bool well = filesystem_method_descriptor_stat(borrow(file), &found, &error) &&
                filesystem_method_descriptor_metadata_hash(borrow(file), &identity, &error);
    if (well) {
        fill(out, &found, &identity);
    }
    return dun_wasi_result(well, error);
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
    filesystem_error_code_t error;
    (void)mode;
    return dun_wasi_find(path, &place)
               ? dun_wasi_result(filesystem_method_descriptor_create_directory_at(
                                     place.folder, &place.path, &error),
                                 error)
               : -1;
}

int unlink(const char *path)
{
    struct dun_place_of place;
    filesystem_error_code_t error;
    return dun_wasi_find(path, &place)
               ? dun_wasi_result(
                     filesystem_method_descriptor_unlink_file_at(place.folder, &place.path, &error),
                     error)
               : -1;
}

int rmdir(const char *path)
{
    struct dun_place_of place;
    filesystem_error_code_t error;
    return dun_wasi_find(path, &place)
               ? dun_wasi_result(filesystem_method_descriptor_remove_directory_at(
                                     place.folder, &place.path, &error),
                                 error)
               : -1;
}

int rename(const char *from, const char *to)
{
    struct dun_place_of old;
    struct dun_place_of new;
    filesystem_error_code_t error;
    if (!dun_wasi_find(from, &old) || !dun_wasi_find(to, &new)) {
        return -1;
    }
    bool well = filesystem_method_descriptor_rename_at(old.folder, &old.path, new.folder, &new.path,
                                                       &error);
    return dun_wasi_result(well, error);
}
