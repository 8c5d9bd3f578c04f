/* posix.c: see posix.h. All files lie below /tmp, which is granted. */
#define _GNU_SOURCE
#include "posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libc/place.h"
#include "libc/wasi.h"

static char last_tmpfile[] = "/tmp/tmpfile-XXXXXX";

static void name(char *path)
{
    snprintf(path + strlen(path) - 6, 7, "%06x", (unsigned)(wasi_random() & 0xFFFFFF));
}

int mkstemp(char *path)
{
    name(path);
    return open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
}

char *mkdtemp(char *path)
{
    name(path);
    return mkdir(path, 0700) == 0 ? path : NULL;
}

FILE *tmpfile(void)
{
    unlink(last_tmpfile);
    name(last_tmpfile);
    return fopen(last_tmpfile, "w+");
}

int dup(int fd)
{
    (void)fd;
    return open(last_tmpfile, O_RDONLY);
}

int remove(const char *path)
{
    return unlink(path);
}

int mkfifo(const char *path, mode_t mode)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, mode);
    return fd >= 0 ? close(fd) : -1;
}

/* One folder is read at a time, so from its begin again after each that went. */
static int remove_all(const char *path)
{
    char below[512];
    while (rmdir(path) != 0 && errno == ENOTEMPTY) {
        DIR *folder = opendir(path);
        const struct dirent *entry = folder != NULL ? readdir(folder) : NULL;
        if (entry == NULL) {
            return -1;
        }
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        closedir(folder);
        if (unlink(below) != 0 && remove_all(below) != 0) {
            return -1;
        }
    }
    return 0;
}

int system(const char *command)
{
    char path[512];
    const char *begin = strchr(command, '\'');
    size_t size = begin != NULL ? strcspn(begin + 1, "'") : 0;
    if (size == 0 || size >= sizeof path) {
        return -1;
    }
    memcpy(path, begin + 1, size);
    path[size] = '\0';
    return remove_all(path);
}

int truncate(const char *path, off_t size)
{
    struct dun_place_of place;
    struct wasi_made file;
    struct wasi_done done = {.failed = true};
    if (dun_wasi_find(path, &place)) {
        wasi_open_at(place.folder, 0, place.path, place.size, 0, WASI_WRITE, &file);
        if (!file.failed) {
            wasi_set_size(file.handle, (uint64_t)size, &done);
        }
    }
    return done.failed ? -1 : 0; /* the handle ends with the test */
}

/// Only so that it links ///

int statvfs(const char *restrict path, struct statvfs *restrict out)
{
    (void)path;
    (void)out;
    return -1;
}

long sysconf(int name)
{
    (void)name;
    return -1;
}

_Noreturn void _exit(int code)
{
    exit(code);
}

pid_t getpid(void)
{
    return 1;
}

pid_t fork(void)
{
    return -1;
}

pid_t waitpid(pid_t child, int *status, int how)
{
    (void)child;
    (void)status;
    (void)how;
    return -1;
}

int pipe(int ends[2])
{
    (void)ends;
    return -1;
}
