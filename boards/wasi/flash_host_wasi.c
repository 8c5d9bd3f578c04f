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
