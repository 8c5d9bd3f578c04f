/* flash_host_posix.c: record locks, statvfs and posix_fadvise. A lock that is had is never lost. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "flash_host.h"

int dun_flash_host_lock(struct dun_flash_file *file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(file->lock, F_SETLK, &lock) == 0)
        return DUN_OK;
    file->system_error = errno;
    if (errno != EACCES && errno != EAGAIN)
        return DUN_E_INVALID;
    if (fcntl(file->lock, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        file->holder = lock.l_pid;
    return DUN_E_BUSY;
}

bool dun_flash_host_owns(struct dun_flash_file *file)
{
    return !file->taken;
}

bool dun_flash_host_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return synced;
}

bool dun_flash_host_room(const char *folder, uint64_t *room)
{
    struct statvfs info;

    if (statvfs(folder, &info) < 0)
        return false;
    *room = (uint64_t)info.f_bavail * info.f_frsize;
    return true;
}

void dun_flash_host_distrust(int fd)
{
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}
