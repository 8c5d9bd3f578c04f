/*
 * flash_file.c: see flash_file.h. A write that was cut short goes on where it stopped; EINTR is
 * tried again; a disk that is full is told apart from one that fails.
 *
 * The image is made under another name and renamed when all of it is durable, so a half-made one is
 * never met. The lock file remembers how large the image was: one that is shorter now was cut off,
 * and the blocks it lacks are marked, for they may have held the newest records; one that is merely
 * shorter than it should be is to grow.
 */
#define _POSIX_C_SOURCE 200809L
#include "flash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flash_host.h"
#include "lines.h"

#define CHUNK 4096

static const uint8_t lost_mark[4] = {'L', 'O', 'S', 'T'};

/// Errors and paths ///

static int failed(struct dun_flash_file *file)
{
    file->system_error = errno;
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? DUN_E_NO_SPACE : DUN_E_IO;
}

static void set_path(struct dun_flash_file *file, const char *name)
{
    strcpy(file->path + file->folder_size, name);
}

/// Whole transfers ///

static int write_all(struct dun_flash_file *file, int fd, const uint8_t *data, size_t size,
                     off_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, data, size, offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC;
        if (written <= 0)
            return failed(file);
        data += written;
        size -= (size_t)written;
        offset += written;
    }
    return DUN_OK;
}

static int read_all(struct dun_flash_file *file, uint8_t *data, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t count = pread(file->image, data, size, offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = EIO; /* somebody cut the image while we use it */
        if (count <= 0)
            return failed(file);
        data += count;
        size -= (size_t)count;
        offset += count;
    }
    return DUN_OK;
}

static int blank(struct dun_flash_file *file, int fd, off_t from, off_t end)
{
    uint8_t chunk[CHUNK];
    int result = DUN_OK;

    memset(chunk, 0xFF, sizeof chunk);
    while (from < end && result == DUN_OK) {
        size_t size = end - from < CHUNK ? (size_t)(end - from) : CHUNK;

        result = write_all(file, fd, chunk, size, from);
        from += (off_t)size;
    }
    return result;
}

static int sync_fd(struct dun_flash_file *file, int fd)
{
    int result;

    do
        result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? failed(file) : DUN_OK;
}

/// The image ///

static int sync_folder(struct dun_flash_file *file)
{
    set_path(file, "");
    return dun_flash_host_sync_folder(file->path) ? DUN_OK : failed(file);
}

static off_t image_size(const struct dun_flash_geometry *geometry)
{
    return (off_t)geometry->block_size * geometry->block_count;
}

static int rename_new(struct dun_flash_file *file)
{
    char from[DUN_FLASH_FILE_PATH_MAX];
    int result;

    set_path(file, "/log.new");
    strcpy(from, file->path);
    set_path(file, "/log");
    result = rename(from, file->path) < 0 ? failed(file) : sync_folder(file);
    set_path(file, "/log");
    return result;
}

/* Asked before anything is written: an image that is tried every few seconds on a disk that is too
 * small for it would wear the disk out. */
static int check_room(struct dun_flash_file *file)
{
    uint64_t room;

    set_path(file, "/log.new");
    unlink(file->path); /* what an end in the middle left behind takes room too */
    set_path(file, "");
    if (!dun_flash_host_room(file->path, &room))
        return failed(file);
    set_path(file, "/log.new");
    errno = ENOSPC;
    return room < (uint64_t)image_size(&file->flash.geometry) ? failed(file) : DUN_OK;
}

/* Leaves an open file in `*fd` if it succeeds, -1 otherwise. */
static int make_image(struct dun_flash_file *file, int *fd)
{
    int result = check_room(file);

    if (result < 0)
        return result;
    *fd = open(file->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return failed(file);
    result = blank(file, *fd, 0, image_size(&file->flash.geometry));
    if (result == DUN_OK)
        result = sync_fd(file, *fd);
    if (result == DUN_OK)
        result = rename_new(file);
    if (result == DUN_OK)
        return DUN_OK;
    close(*fd);
    *fd = -1;
    set_path(file, "/log.new");
    unlink(file->path); /* gives the room back; it is only a beginning */
    return result;
}

/* Fills from `size` to the geometry's end; blocks that begin before `lost_end` are marked. */
static int mend_length(struct dun_flash_file *file, int fd, off_t size, off_t lost_end)
{
    off_t block_size = (off_t)file->flash.geometry.block_size;
    off_t end = image_size(&file->flash.geometry);
    off_t at = size / block_size * block_size;
    int result = DUN_OK;

    for (; at < end && at < lost_end && result == DUN_OK; at += block_size) {
        result = write_all(file, fd, lost_mark, sizeof lost_mark, at);
        if (result == DUN_OK)
            result = blank(file, fd, at + (off_t)sizeof lost_mark, at + block_size);
    }
    if (result == DUN_OK)
        result = blank(file, fd, at > size ? at : size, end);
    return result == DUN_OK ? sync_fd(file, fd) : result;
}

/// What the lock file remembers ///

static off_t remembered_size(const struct dun_flash_file *file)
{
    char text[32] = "";
    char *at = text;
    uint64_t value = 0;

    if (pread(file->lock, text, sizeof text - 1, 0) < 0 || !dun_scan_u64(&at, &value))
        return 0;
    return value <= INT64_MAX ? (off_t)value : 0;
}

static int remember_size(struct dun_flash_file *file, off_t size)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%-20jd\n", (intmax_t)size);
    int result;

    if (remembered_size(file) == size)
        return DUN_OK;
    result = write_all(file, file->lock, (const uint8_t *)text, (size_t)length, 0);
    return result == DUN_OK ? sync_fd(file, file->lock) : result;
}

static int adopt_image(struct dun_flash_file *file, int fd)
{
    struct dun_flash_geometry *geometry = &file->flash.geometry;
    struct stat info;
    off_t blocks;

    if (fstat(fd, &info) < 0)
        return failed(file);
    if (!S_ISREG(info.st_mode)) {
        errno = EINVAL;
        return failed(file);
    }
    blocks = info.st_size / geometry->block_size;
    if (remembered_size(file) / geometry->block_size > blocks)
        blocks = remembered_size(file) / geometry->block_size;
    if (blocks > (off_t)geometry->block_count && blocks <= INT32_MAX)
        geometry->block_count = (uint32_t)blocks;
    if (info.st_size < image_size(geometry))
        return mend_length(file, fd, info.st_size, remembered_size(file));
    return DUN_OK;
}

static int open_image(struct dun_flash_file *file)
{
    int result = DUN_OK;
    int fd;

    if (file->image >= 0)
        return DUN_OK;
    if (file->lock < 0)
        return DUN_E_IO; /* what is not locked is not ours */
    set_path(file, "/log");
    fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        dun_flash_host_distrust(fd);
        result = adopt_image(file, fd);
    } else {
        result = errno == ENOENT ? make_image(file, &fd) : failed(file);
    }
    if (result == DUN_OK)
        result = remember_size(file, image_size(&file->flash.geometry));
    if (result == DUN_OK)
        file->image = fd;
    else if (fd >= 0)
        close(fd);
    return result;
}

/// The seam ///

static off_t place(const struct dun_flash_file *file, uint32_t block, uint32_t offset)
{
    return (off_t)block * file->flash.geometry.block_size + offset;
}

static bool in_block(const struct dun_flash_file *file, uint32_t block, uint32_t offset,
                     uint32_t size)
{
    const struct dun_flash_geometry *geometry = &file->flash.geometry;

    return block < geometry->block_count && offset <= geometry->block_size &&
           size <= geometry->block_size - offset;
}

static int file_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct dun_flash_file *file = context;
    int result = open_image(file);

    if (result < 0)
        return result;
    if (!in_block(file, block, offset, size))
        return DUN_E_INVALID;
    return read_all(file, data, size, place(file, block, offset));
}

static int file_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                     uint32_t size)
{
    struct dun_flash_file *file = context;
    int result = open_image(file);

    if (result < 0)
        return result;
    if (!in_block(file, block, offset, size))
        return DUN_E_INVALID;
    if (!dun_flash_host_owns(file))
        return DUN_E_IO;
    return write_all(file, file->image, data, size, place(file, block, offset));
}

static int file_erase(void *context, uint32_t block)
{
    struct dun_flash_file *file = context;
    int result = open_image(file);

    if (result < 0)
        return result;
    if (!in_block(file, block, 0, 0))
        return DUN_E_INVALID;
    if (!dun_flash_host_owns(file))
        return DUN_E_IO;
    return blank(file, file->image, place(file, block, 0), place(file, block + 1, 0));
}

static int file_sync(void *context)
{
    struct dun_flash_file *file = context;
    int result = open_image(file);

    if (result < 0)
        return result;
    result = sync_fd(file, file->image);
    if (result < 0)
        dun_flash_host_distrust(file->image);
    return result;
}

/// The lock ///

static int lock_folder(struct dun_flash_file *file)
{
    set_path(file, "/lock");
    file->lock = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->lock < 0) {
        file->system_error = errno;
        return DUN_E_INVALID;
    }
    return dun_flash_host_lock(file);
}

/* The folder's own name must survive a power cut too, so its parent is synced. */
static int make_folder(struct dun_flash_file *file, const char *folder)
{
    size_t size = strlen(folder);

    file->folder_size = size;
    if (size == 0 || size + sizeof "/log.new" > sizeof file->path) {
        file->system_error = size == 0 ? ENOENT : ENAMETOOLONG;
        return DUN_E_INVALID;
    }
    strcpy(file->path, folder);
    if (mkdir(file->path, 0700) < 0) {
        file->system_error = errno;
        return errno == EEXIST ? DUN_OK : DUN_E_INVALID;
    }
    strcpy(file->path + size, "/..");
    file->folder_size = size + 3;
    if (sync_folder(file) < 0)
        return DUN_E_INVALID;
    file->folder_size = size;
    return DUN_OK;
}

int dun_flash_file_open(struct dun_flash_file *file, const char *folder,
                        struct dun_flash_geometry geometry)
{
    int result;

    memset(file, 0, sizeof *file);
    file->lock = -1;
    file->image = -1;
    file->flash.geometry = geometry;
    file->flash.context = file;
    file->flash.read = file_read;
    file->flash.prog = file_prog;
    file->flash.erase = file_erase;
    file->flash.sync = file_sync;
    result = make_folder(file, folder);
    if (result == DUN_OK)
        result = lock_folder(file);
    if (result < 0) {
        dun_flash_file_close(file);
        return result;
    }
    file->system_error = 0;
    return open_image(file);
}

void dun_flash_file_close(struct dun_flash_file *file)
{
    if (file->image >= 0)
        close(file->image);
    if (file->lock >= 0)
        close(file->lock);
    file->image = -1;
    file->lock = -1;
}
