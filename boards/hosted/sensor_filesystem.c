/*
 * sensor_filesystem.c: size and use of the real mounts. /proc/self/mountinfo tells them. The
 * host is asked only about filesystems on a local device, reached over no path that may hang: a
 * network share whose server is gone must not stop the agent.
 */
#include <string.h>

#include "sensor_shared.h"

enum { LIMIT, USED, FREE, RESERVED };

#define STATE "system.filesystem.state"

static const struct dun_shape shapes[] = {
    {"system.filesystem.limit", "By", NULL, NULL, DUN_GAUGE, 0},
    {"system.filesystem.usage", "By", STATE, "used", DUN_GAUGE, 0},
    {"system.filesystem.usage", "By", STATE, "free", DUN_GAUGE, 0},
    {"system.filesystem.usage", "By", STATE, "reserved", DUN_GAUGE, 0},
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

bool dun_mount_is_local(const char *type)
{
    static const char *const local[] = {
        "ext2",     "ext3",  "ext4",     "xfs",     "btrfs", "zfs",     "f2fs",   "vfat",
        "msdos",    "exfat", "ntfs3",    "ubifs",   "jffs2", "yaffs",   "yaffs2", "nilfs2",
        "bcachefs", "jfs",   "reiserfs", "hfsplus", "ufs",   "overlay", NULL};
    return is_one_of(type, local);
}

bool dun_mount_may_hang(const char *type)
{
    static const char *const remote[] = {
        "nfs",    "nfs4",  "cifs",     "smb3",      "smbfs", "9p",    "ceph",  "afs", "lustre",
        "autofs", "ncpfs", "virtiofs", "glusterfs", "gfs2",  "ocfs2", "davfs", NULL};
    return strncmp(type, "fuse", 4) == 0 || is_one_of(type, remote);
}

/* The kernel writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; out++) {
        bool octal = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
                     at[2] <= '7' && at[3] >= '0' && at[3] <= '7';
        if (octal) {
            *out = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
            at += 4;
        } else {
            *out = *at++;
        }
    }
    *out = '\0';
}

/* "27 1 254:0 / /mnt rw,relatime shared:1 - ext4 /dev/vda rw" */
bool dun_parse_mount(char *line, struct dun_mount_line *mount)
{
    uint64_t number, major, minor;
    char *tail = strstr(line, " - ");
    if (tail == NULL) {
        return false;
    }
    *tail = '\0';
    tail += 3;
    if (!dun_scan_u64(&line, &number) || !dun_scan_u64(&line, &number) ||
        !dun_scan_u64(&line, &major) || *line != ':') {
        return false;
    }
    line++;
    if (!dun_scan_u64(&line, &minor) || dun_scan_word(&line) == NULL) {
        return false;
    }
    mount->path = dun_scan_word(&line);
    mount->type = dun_scan_word(&tail);
    if (mount->path == NULL || mount->type == NULL || mount->path[0] != '/') {
        return false;
    }
    mount->major = (uint32_t)major;
    mount->minor = (uint32_t)minor;
    unescape(mount->path);
    return true;
}

static bool is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strcmp(folder, "/") != 0 && strncmp(path, folder, size) == 0 && path[size] == '/';
}

/* What is mounted later on the same path hides what was there. */
static void drop_hidden(struct dun_mount *mounts, uint16_t count, const struct dun_mount_line *line)
{
    for (uint16_t i = 0; i < count; i++) {
        mounts[i].dropped = mounts[i].dropped || strcmp(mounts[i].path, line->path) == 0;
    }
}

/* The same device a second time is a bind mount; a union has no device, only the root one counts.
 */
static bool is_wanted(const struct dun_mount *mounts, uint16_t count,
                      const struct dun_mount_line *line)
{
    if (!dun_mount_is_local(line->type) || strlen(line->path) > DUN_INSTANCE_NAME_MAX ||
        (strcmp(line->type, "overlay") == 0 && strcmp(line->path, "/") != 0)) {
        return false;
    }
    for (uint16_t i = 0; i < count; i++) {
        if (!mounts[i].dropped && mounts[i].major == line->major &&
            mounts[i].minor == line->minor) {
            return false;
        }
    }
    return true;
}

static uint16_t list_mounts(struct dun_sensors *sensors, int *error)
{
    struct dun_mount *mounts = sensors->memory.mounts;
    uint16_t count = 0;
    struct dun_lines lines;
    dun_lines_open(&lines, sensors->mountinfo_fd, sensors->memory.scratch);
    for (char *text = dun_lines_next(&lines); text != NULL; text = dun_lines_next(&lines)) {
        struct dun_mount_line line;
        if (!dun_parse_mount(text, &line)) {
            continue;
        }
        drop_hidden(mounts, count, &line);
        if (!is_wanted(mounts, count, &line)) {
            continue;
        }
        if (count == sensors->memory.mounts_max) {
            sensors->full |= DUN_FULL_INSTANCES;
            continue;
        }
        mounts[count] = (struct dun_mount){line.major, line.minor, false, ""};
        strcpy(mounts[count++].path, line.path);
    }
    *error = dun_lines_error(&lines);
    return count;
}

/* The way to a path leads through what is mounted above it, which may be listed before or after. */
static void drop_below_hanging(struct dun_sensors *sensors, uint16_t count)
{
    struct dun_lines lines;
    dun_lines_open(&lines, sensors->mountinfo_fd, sensors->memory.scratch);
    for (char *text = dun_lines_next(&lines); text != NULL; text = dun_lines_next(&lines)) {
        struct dun_mount_line line;
        if (!dun_parse_mount(text, &line) || !dun_mount_may_hang(line.type)) {
            continue;
        }
        for (uint16_t i = 0; i < count; i++) {
            struct dun_mount *mount = &sensors->memory.mounts[i];
            mount->dropped = mount->dropped || is_below(mount->path, line.path);
        }
    }
}

static void put_mount(struct dun_sensors *sensors, struct dun_agent *agent,
                      const struct dun_mount *at, dun_ms now)
{
    struct dun_space space;
    if (!dun_filesystem_space(sensors, at, &space)) {
        return;
    }
    struct dun_instance *mount = dun_instance_get(sensors, DUN_BUILTIN_FILESYSTEM, at->path);
    if (mount == NULL) {
        return;
    }
    const int64_t values[] = {
        [LIMIT] = space.limit,
        [USED] = space.used,
        [FREE] = space.free,
        [RESERVED] = space.reserved,
    };
    struct dun_attribute attribute = {"system.filesystem.mountpoint", mount->name};
    for (int i = LIMIT; i <= (space.has_use ? RESERVED : LIMIT); i++) {
        dun_put(sensors, agent, &mount->ids[i], &shapes[i], &attribute, 1, values[i], now);
    }
}

int dun_read_filesystem(struct dun_sensor *sensor, struct dun_agent *agent, dun_ms now)
{
    struct dun_sensors *sensors = sensor->context;
    if (dun_open_once(&sensors->mountinfo_fd, sensors->config->proc, "self/mountinfo") < 0) {
        return DUN_OK;
    }
    int error;
    uint16_t count = list_mounts(sensors, &error);
    drop_below_hanging(sensors, count);
    for (uint16_t i = 0; i < count; i++) {
        const struct dun_mount *mount = &sensors->memory.mounts[i];
        if (!mount->dropped) {
            put_mount(sensors, agent, mount, now);
        }
    }
    return error;
}
