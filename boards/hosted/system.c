/*
 * system.c: see system.h. What is the same on every host; system_posix.c, or the system_*.c of a
 * board without POSIX, has the rest.
 */
#define _POSIX_C_SOURCE 200809L
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int dun_system_secret(const char *path, uint8_t *out, size_t size, bool *exposed)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? DUN_E_NOT_FOUND : DUN_E_IO;
    }
    struct stat status;
    *exposed = fstat(fd, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    size_t used = 0;
    ssize_t count = 1;
    uint8_t more;
    while (used < size && count > 0) {
        count = read(fd, out + used, size - used);
        used += count > 0 ? (size_t)count : 0;
    }
    bool too_large = used == size && read(fd, &more, 1) > 0 && more != '\n';
    close(fd);
    if (count < 0) {
        return DUN_E_IO;
    }
    while (used > 0 && (out[used - 1] == '\n' || out[used - 1] == '\r')) {
        used--;
    }
    return too_large ? DUN_E_TOO_LARGE : (int)used;
}
