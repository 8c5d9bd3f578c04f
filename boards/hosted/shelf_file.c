/* shelf_file.c: see shelf_file.h. A record that was renamed before its bytes were durable would be
 * an empty file after a power loss; so would a rename that the folder has not synced be undone. */
#define _POSIX_C_SOURCE 200809L
#include "shelf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flash_host.h"

struct paths {
    char record[DUN_FLASH_FILE_PATH_MAX], part[DUN_FLASH_FILE_PATH_MAX];
};

static bool find_paths(struct paths *paths, const char *folder, int slot)
{
    const char *name = slot == DUN_REMOTE_SLOT_KEPT ? "config.kept" : "config.new";
    int size = snprintf(paths->record, sizeof paths->record, "%s/%s", folder, name);
    int part = snprintf(paths->part, sizeof paths->part, "%s/%s.part", folder, name);
    return size > 0 && part > size && (size_t)part < sizeof paths->part;
}

static int load(void *context, int slot, struct dun_buffer out)
{
    struct paths paths;
    size_t have = 0;
    ssize_t count = 1;
    if (!find_paths(&paths, context, slot)) {
        return DUN_E_INVALID;
    }
    int fd = open(paths.record, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : DUN_E_IO;
    }
    while (have < out.size && (count > 0 || (count < 0 && errno == EINTR))) {
        count = read(fd, out.data + have, out.size - have);
        have += count > 0 ? (size_t)count : 0;
    }
    uint8_t more;
    bool whole = count >= 0 && read(fd, &more, 1) == 0;
    (void)close(fd);
    return whole ? (int)have : DUN_E_IO;
}

static bool write_all(int fd, struct dun_span record)
{
    while (record.size > 0) {
        ssize_t count = write(fd, record.data, record.size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        record.data += count;
        record.size -= (size_t)count;
    }
    return fsync(fd) == 0;
}

static int save(void *context, int slot, struct dun_span record)
{
    struct paths paths;
    if (!find_paths(&paths, context, slot)) {
        return DUN_E_INVALID;
    }
    int fd = open(paths.part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return DUN_E_IO;
    }
    bool good = write_all(fd, record);
    good = close(fd) == 0 && good;
    good = good && rename(paths.part, paths.record) == 0;
    return good && dun_flash_host_sync_folder(context) ? DUN_OK : DUN_E_IO;
}

void dun_shelf_file_init(struct dun_shelf *shelf, const char *folder)
{
    *shelf = (struct dun_shelf){.context = (void *)folder, .load = load, .save = save};
}
