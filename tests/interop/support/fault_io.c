/*
 * fault_io.c: makes the storage of a program fail on command, for tests. Preloaded, it looks at
 * the file named by DUNLIN_FAULT_FILE before each write or sync to a path below DUNLIN_FAULT_BELOW:
 * while that file holds "nospace", writes fail with ENOSPC; "io": writes and syncs with EIO;
 * "sync": syncs with EIO; "short": writes take half of their bytes. Otherwise all is as always.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_NOSPACE, FAULT_IO, FAULT_SYNC, FAULT_SHORT };

static ssize_t raw_read(int fd, void *data, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "read");
    }
    return real(fd, data, size);
}

static enum fault fault_wanted(void)
{
    const char *path = getenv("DUNLIN_FAULT_FILE");
    char word[16] = "";
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return FAULT_NONE;
    }
    ssize_t size = raw_read(fd, word, sizeof word - 1);
    close(fd);
    word[size > 0 ? size : 0] = '\0';
    static const char *const words[] = {"", "nospace", "io", "sync", "short"};
    for (int i = 1; i < 5; i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum fault)i;
        }
    }
    return FAULT_NONE;
}

static enum fault fault_for(int fd)
{
    const char *below = getenv("DUNLIN_FAULT_BELOW");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = below == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (size < 0) {
        return FAULT_NONE;
    }
    path[size] = '\0';
    return strncmp(path, below, strlen(below)) == 0 ? fault_wanted() : FAULT_NONE;
}

/* The size to write, or -1 with errno set. */
static ssize_t allowed(int fd, size_t size)
{
    int saved = errno;
    enum fault fault = fault_for(fd);
    errno = saved;
    if (fault == FAULT_NOSPACE || fault == FAULT_IO) {
        errno = fault == FAULT_IO ? EIO : ENOSPC;
        return -1;
    }
    return (ssize_t)(fault == FAULT_SHORT && size > 1 ? size / 2 : size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    }
    ssize_t granted = allowed(fd, size);
    return granted < 0 ? -1 : real(fd, data, (size_t)granted);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    }
    ssize_t granted = allowed(fd, size);
    return granted < 0 ? -1 : real(fd, data, (size_t)granted, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    }
    ssize_t granted = allowed(fd, size);
    return granted < 0 ? -1 : real(fd, data, (size_t)granted, offset);
}

static int sync_allowed(int fd)
{
    enum fault fault = fault_for(fd);
    if (fault == FAULT_IO || fault == FAULT_SYNC) {
        errno = EIO;
        return -1;
    }
    return 0;
}

int fsync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    }
    return sync_allowed(fd) < 0 ? -1 : real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    return sync_allowed(fd) < 0 ? -1 : real(fd);
}
