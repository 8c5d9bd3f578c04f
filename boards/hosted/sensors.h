/*
 * sensors.h: the sensors of a host with /proc and /sys, each in a file of its own, and what they
 * share: an arena for the strings of what is found while running (interfaces, disks, mounts), and
 * the table of those instances.
 *
 * After dun_sensors_start nothing here takes memory from the heap. What does not exist is absent;
 * what appears later is declared when it is first seen; when a table is full the rest is absent
 * and `full` says so.
 */
#ifndef DUN_HOSTED_SENSORS_H
#define DUN_HOSTED_SENSORS_H

#include "agent.h"
#include "config.h"

#define DUN_INSTANCE_NAME_MAX 127 /* of a mount point, bytes; longer ones are absent */
#define DUN_INSTANCE_IDS      8
#define DUN_CPU_MODES         7
#define DUN_SENSORS_MAX       (DUN_BUILTIN_COUNT + DUN_FILES_MAX)

/* A metric id that is not declared yet, and one that could not be. */
#define DUN_ID_NONE    (-1)
#define DUN_ID_REFUSED (-2)

/* A disk, interface, mount or CPU that was seen. */
struct dun_instance {
    const char *name; /* in the arena */
    uint8_t kind;     /* enum dun_builtin */
    bool ignored;
    int32_t ids[DUN_INSTANCE_IDS];
};

/* Ticks a CPU spent, by mode; `modes` of them are known to this kernel. */
struct dun_cpu_times {
    uint64_t ticks[DUN_CPU_MODES];
    uint8_t modes;
};

/* One line of /proc/stat from one reading to the next; [0] is all CPUs together. */
struct dun_cpu {
    struct dun_cpu_times last;
    bool seen; /* in the reading before */
    struct dun_instance *instance;
};

/* One thermal zone or hwmon input whose file stays open. */
struct dun_temperature {
    int fd;
    uint16_t key; /* which path it is */
    int32_t id;
    const char *identifier, *name; /* in the arena */
};

/* A mount that is measured. */
struct dun_mount {
    uint32_t major, minor;
    bool dropped;
    char path[DUN_INSTANCE_NAME_MAX + 1];
};

/* Caller-owned room; the board's profile gives the sizes. */
struct dun_sensors_memory {
    struct dun_buffer arena;   /* strings and attributes, aligned like a pointer */
    struct dun_buffer scratch; /* one chunk of a file, 512 bytes or more */
    struct dun_instance *instances;
    uint16_t instances_max;
    struct dun_cpu *cpus; /* one more than CPUs */
    uint16_t cpus_max;
    struct dun_temperature *temperatures;
    uint16_t temperatures_max;
    struct dun_mount *mounts;
    uint16_t mounts_max;
};

/* One [file NAME]. */
struct dun_file_sensor {
    struct dun_sensors *sensors;
    const struct dun_file_config *config;
    int32_t id;
};

enum dun_sensors_full {
    DUN_FULL_ARENA = 1,
    DUN_FULL_INSTANCES = 2,
    DUN_FULL_METRICS = 4,
};

#define DUN_SELF_METRICS 19

struct dun_sensors {
    const struct dun_config *config;
    struct dun_sensors_memory memory;
    size_t arena_used;
    uint16_t instance_count;
    uint16_t instance_hint; /* where the next look-up begins */
    uint16_t temperature_count;
    uint8_t temperature_age; /* readings since the last search */
    uint8_t full;            /* enum dun_sensors_full, what ran out so far */
    uint32_t limits_used;    /* [limit NAME] sections that some metric has, a bit each */

    int meminfo_fd, loadavg_fd, stat_fd, mountinfo_fd, diskstats_fd, netdev_fd, uptime_fd, statm_fd;
    int32_t memory_ids[6], load_ids[3], uptime_id, process_ids[3];
    int32_t self_ids[DUN_SELF_METRICS];

    struct dun_file_sensor files[DUN_FILES_MAX];
    struct dun_sensor table[DUN_SENSORS_MAX]; /* for dun_agent_parts.sensors */
    uint16_t count;
};

/*
 * Builds `table` from the configuration, which stays borrowed like the memory, and takes the first
 * reading of the CPU counters, against which the first utilisation is measured.
 */
void dun_sensors_start(struct dun_sensors *sensors, const struct dun_config *config,
                       const struct dun_sensors_memory *memory);

/* Gives metric `id` of the agent the limits and the tuning that its sections say. */
void dun_sensors_retune(struct dun_sensors *sensors, struct dun_agent *agent, uint16_t id);

/* Closes the files. */
void dun_sensors_stop(struct dun_sensors *sensors);

/// Pure parsers, one line of text each; false: not such a line ///

bool dun_parse_meminfo(char *line, const char **field, uint64_t *kib);
bool dun_parse_load(char *line, int64_t hundredths[3]);
/* `index` 0: all CPUs, n + 1: CPU n. */
bool dun_parse_cpu(char *line, uint32_t *index, struct dun_cpu_times *times);
/* Share of each mode between two readings in 1/10,000. False if no time has passed. */
bool dun_cpu_utilization(const struct dun_cpu_times *before, const struct dun_cpu_times *after,
                         int64_t share[DUN_CPU_MODES]);

struct dun_disk_counts {
    uint64_t reads, read_bytes, writes, write_bytes;
};
bool dun_parse_disk(char *line, char **name, struct dun_disk_counts *counts);

struct dun_interface_counts {
    uint64_t bytes[2], errors[2], dropped[2]; /* received, sent */
};
bool dun_parse_interface(char *line, char **name, struct dun_interface_counts *counts);

struct dun_mount_line {
    uint32_t major, minor;
    char *path; /* unescaped */
    char *type;
};
bool dun_parse_mount(char *line, struct dun_mount_line *mount);
/* A filesystem on a local device, whose statvfs does not wait for anybody. */
bool dun_mount_is_local(const char *type);
/* A filesystem that another machine or process serves: touching it may block for ever. */
bool dun_mount_may_hang(const char *type);

#endif
