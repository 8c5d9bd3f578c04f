/* filesystem_posix.c: size and use of a mount, by statvfs. */
#define _POSIX_C_SOURCE 200809L
#include <sys/statvfs.h>

#include "sensor_shared.h"

static int64_t bytes_of(uint64_t blocks, uint64_t less, uint64_t unit)
{
    return dun_count(blocks > less ? (blocks - less) * unit : 0);
}

bool dun_filesystem_space(const struct dun_sensors *sensors, const struct dun_mount *mount,
                          struct dun_space *space)
{
    struct statvfs status;
    (void)sensors;
    if (statvfs(mount->path, &status) != 0 || status.f_blocks == 0) {
        return false;
    }
    uint64_t unit = status.f_frsize != 0 ? status.f_frsize : status.f_bsize;
    *space = (struct dun_space){
        .limit = bytes_of(status.f_blocks, 0, unit),
        .used = bytes_of(status.f_blocks, status.f_bfree, unit),
        .free = bytes_of(status.f_bavail, 0, unit),
        .reserved = bytes_of(status.f_bfree, status.f_bavail, unit),
        .has_use = true,
    };
    return true;
}
