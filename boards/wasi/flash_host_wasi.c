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
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flash_host.h"
#include "system.h"
#include "wait.h"

#define OWNER_OFFSET 64 /* in the lock file, whose first line is the size of the image */
#define OWNER_SIZE   8
#define GRACE_MS     100

static void print_owner(char *out, int32_t owner)
{
    snprintf(out, OWNER_SIZE + 1, "%08" PRIx32, (uint32_t)owner);
}

/* All of it, however little moves at a time. */
static bool write_owner(struct dun_flash_file *file, const char *text)
{
    size_t done = 0;

    while (done < OWNER_SIZE) {
        ssize_t moved =
            pwrite(file->lock, text + done, OWNER_SIZE - done, OWNER_OFFSET + (off_t)done);

        if (moved <= 0 && errno != EINTR)
            return false;
        done += moved > 0 ? (size_t)moved : 0;
    }
    return true;
}

static bool read_owner(struct dun_flash_file *file, char *text)
{
    size_t done = 0;
    ssize_t moved = 1;

    while (done < OWNER_SIZE && moved != 0) {
        moved = pread(file->lock, text + done, OWNER_SIZE - done, OWNER_OFFSET + (off_t)done);
        if (moved < 0 && errno != EINTR)
            return false;
        done += moved > 0 ? (size_t)moved : 0;
    }
    return done == OWNER_SIZE;
}

static bool claim(struct dun_flash_file *file)
{
    char text[OWNER_SIZE + 1];
    int32_t own = (int32_t)dun_system_random();

    own = own != 0 ? own : 1; /* 0: no claim yet */
    print_owner(text, own);
    if (!write_owner(file, text)) {
        file->system_error = errno;
        return false;
    }
    file->holder = own;
    dun_wait(NULL, 0, GRACE_MS);
    return true;
}

/* A disk that is full now may have room for 8 bytes later: the claim is made before the first
 * write. */
int dun_flash_host_lock(struct dun_flash_file *file)
{
    return claim(file) || file->system_error == ENOSPC ? DUN_OK : DUN_E_INVALID;
}

bool dun_flash_host_owns(struct dun_flash_file *file)
{
    char own[OWNER_SIZE + 1];
    char found[OWNER_SIZE];

    if (file->holder == 0)
        return claim(file);
    print_owner(own, file->holder);
    if (read_owner(file, found) && memcmp(own, found, OWNER_SIZE) != 0)
        file->taken = true;
    return !file->taken;
}

bool dun_flash_host_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
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
