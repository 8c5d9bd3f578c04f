/*
 * flash_host_wasi.c: flash_host.h where there are no locks, since WASI has none.
 *
 * The newcomer wins. Each agent writes a random number of its own into the lock file when it
 * starts, and looks before each write whether it still stands there. One that finds another number
 * writes nothing more and ends. The newcomer waits before it reads, so that a write which was under
 * way when it came is over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/wasip2.h>

#include "flash_host.h"
#include "system.h"

#define OWNER_OFFSET 64 /* in the lock file, whose first line is the size of the image */
#define OWNER_SIZE   8
#define GRACE_MS     100

static void print_owner(char *out, int32_t owner)
{
    snprintf(out, OWNER_SIZE + 1, "%08" PRIx32, (uint32_t)owner);
}

int dun_flash_host_lock(struct dun_flash_file *file)
{
    char text[OWNER_SIZE + 1];

    file->holder = (int32_t)dun_system_random();
    print_owner(text, file->holder);
    if (pwrite(file->lock, text, OWNER_SIZE, OWNER_OFFSET) != OWNER_SIZE) {
        file->system_error = errno;
        return DUN_E_INVALID;
    }
    nanosleep(&(struct timespec){.tv_nsec = GRACE_MS * 1000000L}, NULL);
    return DUN_OK;
}

bool dun_flash_host_owns(struct dun_flash_file *file)
{
    char own[OWNER_SIZE + 1];
    char found[OWNER_SIZE];

    print_owner(own, file->holder);
    if (pread(file->lock, found, OWNER_SIZE, OWNER_OFFSET) == OWNER_SIZE &&
        memcmp(own, found, OWNER_SIZE) != 0)
        file->taken = true;
    return !file->taken;
}

/* How much of `folder` the granted folder `name` is, plus one; 0: it does not lie below. */
static size_t covers(const wasip2_string_t *name, const char *folder)
{
    size_t size = name->len;

    while (size > 0 && name->ptr[size - 1] == '/')
        size--;
    if (strncmp(folder, (const char *)name->ptr, size) != 0)
        return 0;
    return folder[size] == '/' || folder[size] == '\0' ? size + 1 : 0;
}

/* Opens `path`, which lies below the granted folder `root`, and syncs it. */
static bool sync_below(filesystem_own_descriptor_t root, const char *path)
{
    filesystem_own_descriptor_t folder;
    filesystem_error_code_t error;

    path += strspn(path, "/");
    path = *path != '\0' ? path : ".";
    wasip2_string_t name = {(uint8_t *)path, strlen(path)};
    if (!filesystem_method_descriptor_open_at(
            filesystem_borrow_descriptor(root), FILESYSTEM_PATH_FLAGS_SYMLINK_FOLLOW, &name,
            FILESYSTEM_OPEN_FLAGS_DIRECTORY, FILESYSTEM_DESCRIPTOR_FLAGS_READ, &folder, &error))
        return false;
    bool synced = filesystem_method_descriptor_sync(filesystem_borrow_descriptor(folder), &error);
    filesystem_descriptor_drop_own(folder);
    return synced;
}

/* By WASI 0.2 itself: fsync(2) goes through the adapter from preview 1, which takes files only. */
bool dun_flash_host_sync_folder(const char *folder)
{
    filesystem_preopens_list_tuple2_own_descriptor_string_t roots;
    size_t best = 0;
    bool synced = false;

    filesystem_preopens_get_directories(&roots);
    for (size_t i = 0; i < roots.len; i++) {
        size_t size = covers(&roots.ptr[i].f1, folder);

        if (size > best) {
            best = size;
            synced = sync_below(roots.ptr[i].f0, folder + size - 1);
        }
    }
    for (size_t i = 0; i < roots.len; i++)
        filesystem_descriptor_drop_own(roots.ptr[i].f0);
    filesystem_preopens_list_tuple2_own_descriptor_string_free(&roots);
    errno = EIO;
    return synced;
}

/* WASI does not tell how full a filesystem is. */
bool dun_flash_host_room(const char *folder, uint64_t *room)
{
    (void)folder;
    *room = UINT64_MAX;
    return true;
}

/* What is cached cannot be dropped from inside; writing what is dirty is all there is. */
void dun_flash_host_distrust(int fd)
{
    (void)fdatasync(fd);
}
