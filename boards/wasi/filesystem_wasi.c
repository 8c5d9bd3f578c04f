/*
 * filesystem_wasi.c: the size of a mount as far as files tell, since WASI has no statvfs: that of
 * the block device below it, which sysfs has in sectors. Use is not told anywhere, so it is absent.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "sensor_shared.h"

#define SECTOR 512

bool dun_filesystem_space(const struct dun_sensors *sensors, const struct dun_mount *mount,
                          struct dun_space *space)
{
    char path[64];
    char text[32];
    char *at = text;
    uint64_t sectors;
    int fd = -1;
    snprintf(path, sizeof path, "dev/block/%u:%u/size", (unsigned)mount->major,
             (unsigned)mount->minor);
    if (dun_open_once(&fd, sensors->config->sys, path) < 0) {
        return false;
    }
    int error = dun_read_small(fd, text, sizeof text);
    close(fd);
    if (error != DUN_OK || !dun_scan_u64(&at, &sectors) || sectors > INT64_MAX / SECTOR) {
        return false;
    }
    *space = (struct dun_space){.limit = (int64_t)(sectors * SECTOR)};
    return true;
}
