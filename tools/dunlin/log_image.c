/*
 * log_image.c: see log_image.h. The geometry stands in every opening of a block, so the first valid
 * one from the front tells it: records, which could imitate one, only come behind theirs.
 */
#include "log_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log_format.h"
#include "options.h"

#define CHUNK         65536
#define PASSES_MAX    200
#define PASS_PAUSE_NS 10000000 /* an append is a few writes: they are over in that time */
#define MISSING_MAX   (UINT32_C(1) << 20) /* blocks that a cut-off file may lack */

int dun_log_image_complain(const struct dun_log_image *image, int exit_code, const char *format,
                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "dunlin log: %s: ", image->path);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return exit_code;
}

static int complain_errno(const struct dun_log_image *image)
{
    return dun_log_image_complain(image, DUN_EXIT_RUNTIME, "%s", strerror(errno));
}

/// Bytes ///

/* Reads up to `size` bytes; what lies behind the end of the file is not touched. False: errno. */
static bool read_file(const struct dun_log_image *image, uint64_t offset, uint8_t *data,
                      size_t size)
{
    while (size > 0) {
        ssize_t count = pread(image->fd, data, size, (off_t)offset);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0;
        }
        data += count;
        offset += (uint64_t)count;
        size -= (size_t)count;
    }
    return true;
}

/* Behind the end of the file it reads as 0, as LOG_FORMAT.md has it. */
static bool get(const struct dun_log_image *image, uint64_t offset, uint8_t *data, size_t size)
{
    size_t there = 0;
    if (offset < image->size) {
        there = image->size - offset < size ? (size_t)(image->size - offset) : size;
    }
    memset(data + there, 0, size - there);
    if (image->copy == NULL) {
        return read_file(image, offset, data, there);
    }
    if (there > 0) {
        memcpy(data, image->copy + offset, there);
    }
    return true;
}

/// The copy ///

/* Brings the copy up to date; `*moved` if it was not. False: errno. */
static bool copy_pass(struct dun_log_image *image, bool *moved)
{
    uint8_t chunk[CHUNK];
    for (uint64_t at = 0; at < image->size; at += CHUNK) {
        size_t size = image->size - at < CHUNK ? (size_t)(image->size - at) : CHUNK;
        memset(chunk, 0, size);
        if (!read_file(image, at, chunk, size)) {
            return false;
        }
        if (memcmp(image->copy + at, chunk, size) != 0) {
            memcpy(image->copy + at, chunk, size);
            *moved = true;
        }
    }
    return true;
}

static int copy_file(struct dun_log_image *image)
{
    const struct timespec pause = {.tv_nsec = PASS_PAUSE_NS};
    image->copy = image->size <= DUN_LOG_IMAGE_COPY_MAX ? calloc(1, (size_t)image->size) : NULL;
    if (image->copy == NULL) {
        return 0;
    }
    image->moving = true;
    for (int pass = 0; pass < PASSES_MAX && image->moving; pass++) {
        bool moved = pass == 0;
        if (pass > 0) {
            (void)nanosleep(&pause, NULL);
        }
        if (!copy_pass(image, &moved)) {
            return complain_errno(image);
        }
        image->moving = moved;
    }
    return 0;
}

/// The geometry ///

/* A flash of one block that begins anywhere in the file. */
struct probe {
    const struct dun_log_image *image;
    uint64_t base;
};

static int probe_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    const struct probe *probe = context;
    (void)block;
    return get(probe->image, probe->base + offset, data, size) ? DUN_OK : DUN_E_IO;
}

static enum dun_log_block_kind probe_at(const struct dun_log_image *image, uint64_t offset,
                                        struct dun_log_opening *opening)
{
    struct probe probe = {image, offset};
    struct dun_flash flash = {
        .geometry = {.block_size = 256}, .context = &probe, .read = probe_read};
    return dun_log_get_opening(&flash, 0, opening);
}

static bool sizes_ok(uint32_t block_size, uint32_t prog_size)
{
    return block_size >= 256 && block_size <= UINT32_C(1) << 20 && prog_size >= 1 &&
           prog_size <= 256 && block_size % prog_size == 0;
}

/* What a search for openings met, from the front. */
struct search {
    struct dun_log_opening opening;
    bool found;
    bool blank; /* nothing but 0xFF so far */
    bool spoilt_seen, newer_seen;
    uint64_t spoilt_at, newer_at; /* offsets of the first ones */
};

static void judge(const struct dun_log_image *image, uint64_t offset, struct search *search)
{
    enum dun_log_block_kind kind = probe_at(image, offset, &search->opening);
    if (kind == DUN_LOG_BLOCK_NEWER && !search->newer_seen) {
        search->newer_seen = true;
        search->newer_at = offset;
    } else if (kind == DUN_LOG_BLOCK_GARBAGE && !search->spoilt_seen) {
        search->spoilt_seen = true;
        search->spoilt_at = offset;
    }
    search->found = kind == DUN_LOG_BLOCK_OURS &&
                    sizes_ok(search->opening.block_size, search->opening.prog_size) &&
                    offset % search->opening.block_size == 0;
}

static bool search_openings(const struct dun_log_image *image, struct search *search)
{
    uint8_t chunk[CHUNK + 4];
    *search = (struct search){.blank = true};
    for (uint64_t at = 0; at < image->size && !search->found; at += CHUNK) {
        size_t size = image->size - at < CHUNK ? (size_t)(image->size - at) : CHUNK;
        if (!get(image, at, chunk, size + 4)) {
            return false;
        }
        for (size_t i = 0; i < size && !search->found; i++) {
            search->blank = search->blank && chunk[i] == 0xFF;
            if (chunk[i] == 'D' && memcmp(chunk + i, "DLOG", 4) == 0) {
                judge(image, at + i, search);
            }
        }
    }
    return true;
}

static int refuse_newer(const struct dun_log_image *image, uint64_t offset)
{
    uint8_t bytes[6];
    unsigned version = get(image, offset, bytes, sizeof bytes) ? dun_get16(bytes + 4) : 0;
    return dun_log_image_complain(image, DUN_EXIT_DATA,
                                  "byte %" PRIu64 ": a log of format version %u; this is for %d",
                                  offset, version, DUN_LOG_VERSION);
}

static int refuse_strange(const struct dun_log_image *image, const struct search *search)
{
    if (search->newer_seen) {
        return refuse_newer(image, search->newer_at);
    }
    if (search->spoilt_seen) {
        return dun_log_image_complain(image, DUN_EXIT_DATA,
                                      "byte %" PRIu64 ": the opening of a block is damaged, and "
                                      "there is no good one in the file",
                                      search->spoilt_at);
    }
    return dun_log_image_complain(image, DUN_EXIT_DATA,
                                  "byte 0: not a log: no block begins here, nor anywhere behind");
}

/* Sets the sizes of the geometry; they stay 0 if the file is blank and nobody told them. */
static int find_sizes(struct dun_log_image *image, struct dun_log_wanted wanted)
{
    struct search search;
    if (!search_openings(image, &search)) {
        return complain_errno(image);
    }
    if (!search.found && !search.blank) {
        return refuse_strange(image, &search);
    }
    if (search.found && wanted.block_size == 0) {
        wanted.block_size = search.opening.block_size;
    }
    if (search.found && wanted.prog_size == 0) {
        wanted.prog_size = search.opening.prog_size;
    }
    if (search.found && !sizes_ok(wanted.block_size, wanted.prog_size)) {
        return dun_usage_error(
            "dunlin log", "--block-size %" PRIu32 " and --prog-size %" PRIu32 " do not go together",
            wanted.block_size, wanted.prog_size);
    }
    image->flash.geometry.block_size = search.found ? wanted.block_size : 0;
    image->flash.geometry.prog_size = search.found ? wanted.prog_size : 0;
    return 0;
}

/// The ring ///

static int image_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    const struct dun_log_image *image = context;
    uint8_t *bytes = data;
    if (block < image->present) {
        uint64_t base = (uint64_t)block * image->flash.geometry.block_size;
        return get(image, base + offset, data, size) ? DUN_OK : DUN_E_IO;
    }
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = offset + i < 4 ? (uint8_t) "LOST"[offset + i] : 0xFF;
    }
    return DUN_OK;
}

static int image_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    (void)context;
    (void)block;
    (void)offset;
    (void)data;
    (void)size;
    return DUN_E_UNSUPPORTED;
}

static int image_erase(void *context, uint32_t block)
{
    (void)context;
    (void)block;
    return DUN_E_UNSUPPORTED;
}

/* Nothing was written, so all of it is durable. */
static int image_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

/* The newest opening; false with an exit code if there is none that this version reads. */
static bool find_newest(const struct dun_log_image *image, struct dun_log_opening *newest,
                        uint64_t *offset, int *exit_code)
{
    struct dun_log_opening opening;
    bool found = false;
    for (uint32_t block = 0; block < image->present; block++) {
        uint64_t at = (uint64_t)block * image->flash.geometry.block_size;
        enum dun_log_block_kind kind = dun_log_get_opening(&image->flash, block, &opening);
        if (kind == DUN_LOG_BLOCK_NEWER) {
            *exit_code = refuse_newer(image, at);
            return false;
        }
        if (kind == DUN_LOG_BLOCK_OURS && (!found || opening.serial > newest->serial)) {
            found = true;
            *newest = opening;
            *offset = at;
        }
    }
    *exit_code = found ? 0
                       : dun_log_image_complain(image, DUN_EXIT_DATA,
                                                "byte 0: no block of a log begins at a multiple of "
                                                "%" PRIu32 " bytes",
                                                image->flash.geometry.block_size);
    return found;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How many blocks the ring had, which may be more than the file holds. */
static int find_count(struct dun_log_image *image)
{
    struct dun_flash_geometry *geometry = &image->flash.geometry;
    struct dun_log_opening newest = {0};
    uint64_t offset = 0;
    int exit_code;
    uint64_t count = image->size / geometry->block_size;
    if (image->size % geometry->block_size >= DUN_LOG_OPENING_SIZE) {
        count++;
    }
    if (count > INT32_MAX) {
        return dun_log_image_complain(image, DUN_EXIT_DATA, "it has more than 2^31 blocks");
    }
    image->present = (uint32_t)count;
    if (!find_newest(image, &newest, &offset, &exit_code)) {
        return exit_code;
    }
    if (newest.block_size != geometry->block_size || newest.prog_size != geometry->prog_size) {
        return dun_log_image_complain(
            image, DUN_EXIT_DATA,
            "byte %" PRIu64 ": the newest block is one of %" PRIu32 " bytes programmed by %u, "
            "not of %" PRIu32 " programmed by %" PRIu32,
            offset, newest.block_size, newest.prog_size, geometry->block_size, geometry->prog_size);
    }
    count = larger(larger(count, newest.block_count), 2);
    if (count - image->present > MISSING_MAX || count > INT32_MAX) {
        return dun_log_image_complain(image, DUN_EXIT_DATA,
                                      "byte %" PRIu64 ": a log of %" PRIu32 " blocks; the file "
                                      "holds only %" PRIu32,
                                      offset, newest.block_count, image->present);
    }
    count = larger(count, image->remembered / geometry->block_size);
    if (count - image->present <= MISSING_MAX && count <= INT32_MAX) {
        geometry->block_count = (uint32_t)count;
    } else {
        geometry->block_count = (uint32_t)larger(larger(image->present, newest.block_count), 2);
    }
    return 0;
}

/// Opening ///

/* The lock file remembers how large the image was, and its lock who uses it. */
static void look_at_lock(struct dun_log_image *image, const char *folder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[DUN_LOG_IMAGE_PATH_MAX];
    char text[32] = "";
    int length = snprintf(path, sizeof path, "%s/lock", folder);
    int fd = length > 0 && (size_t)length < sizeof path
                 ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
                 : -1;
    if (fd < 0) {
        return;
    }
    if (read(fd, text, sizeof text - 1) > 0) {
        long long size = strtoll(text, NULL, 10);
        image->remembered = size > 0 ? (uint64_t)size : 0;
    }
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
        image->holder = (int32_t)lock.l_pid;
    }
    (void)close(fd);
}

static int open_file(struct dun_log_image *image, const char *path)
{
    struct stat info;
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    int length = snprintf(image->path, sizeof image->path, "%s%s", path, folder ? "/log" : "");
    if (length < 0 || (size_t)length >= sizeof image->path) {
        errno = ENAMETOOLONG;
        return complain_errno(image);
    }
    if (folder) {
        look_at_lock(image, path);
    }
    image->fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (image->fd < 0 || fstat(image->fd, &info) < 0) {
        return complain_errno(image);
    }
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
        return dun_log_image_complain(image, DUN_EXIT_RUNTIME, "neither a file nor a disk");
    }
    off_t size = lseek(image->fd, 0, SEEK_END); /* a disk's size is not in `info` */
    if (size < 0) {
        return complain_errno(image);
    }
    image->size = (uint64_t)size;
    return 0;
}

int dun_log_image_open(struct dun_log_image *image, const char *path, struct dun_log_wanted wanted)
{
    memset(image, 0, sizeof *image);
    image->fd = -1;
    image->flash.context = image;
    image->flash.read = image_read;
    image->flash.prog = image_prog;
    image->flash.erase = image_erase;
    image->flash.sync = image_sync;
    int result = open_file(image, path);
    if (result == 0 && image->size == 0) {
        return dun_log_image_complain(image, DUN_EXIT_DATA, "byte 0: the file is empty");
    }
    if (result == 0) {
        result = copy_file(image);
    }
    if (result == 0) {
        result = find_sizes(image, wanted);
    }
    if (result == 0 && image->flash.geometry.block_size != 0) {
        result = find_count(image);
    }
    return result;
}

void dun_log_image_close(struct dun_log_image *image)
{
    if (image->fd >= 0) {
        (void)close(image->fd);
    }
    free(image->copy);
    image->fd = -1;
    image->copy = NULL;
}
