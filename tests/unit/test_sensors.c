/*
 * test_sensors.c: the sensors on trees of captured /proc and /sys text: several kernels, what is
 * missing, what appears and vanishes, hostile text, and tables that fill up.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent.h"
#include "fake_uplink.h"
#include "flash_ram.h"
#include "sensors.h"

enum { METRICS = 128, POINTS = 2048, INSTANCES = 8, CPUS = 4, TEMPERATURES = 3, MOUNTS = 4 };

static char root[64];

static struct {
    struct dun_config config;
    struct dun_sensors sensors;
    struct dun_sensors_memory memory;
    struct dun_instance instances[INSTANCES];
    struct dun_cpu cpus[CPUS];
    struct dun_temperature temperatures[TEMPERATURES];
    struct dun_mount mounts[MOUNTS];
    _Alignas(max_align_t) uint8_t arena[16384];
    uint8_t scratch[512];

    struct dun_agent agent;
    struct dun_store store;
    struct dun_catalog catalog;
    struct dun_metric metrics[METRICS];
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chains[METRICS];
    struct dun_limit limits[METRICS];
    struct dun_window_slot window[4];
    struct dun_loss losses[4];
    struct dun_flash flash;
    uint8_t blocks[4 * 4096 + 64];
    uint8_t unit[64];
    struct fake_uplink broker;
    dun_ms now;
} f;

/// A tree of files ///

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

static void put_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    make_folders(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(unlink(path), 0);
}

/// An agent that keeps every point in its open batch ///

static void start_agent(void)
{
    const struct dun_flash_geometry geometry = {4096, 4, 1};
    const struct dun_agent_config config = {
        .device = "d", .boot = 1, .batch_age_max_ms = UINT32_MAX, .batch_bytes_max = UINT32_MAX};
    assert_int_equal(
        dun_flash_ram_init(&f.flash, geometry, (struct dun_buffer){f.blocks, sizeof f.blocks}),
        DUN_OK);
    dun_catalog_init(&f.catalog, f.metrics, METRICS);
    dun_batch_init(&f.batch, f.points, POINTS, f.chains, METRICS);
    fake_uplink_init(&f.broker);
    dun_store_init(&f.store, &(struct dun_store_config){.flash = &f.flash,
                                                        .unit = {f.unit, sizeof f.unit},
                                                        .losses = f.losses,
                                                        .losses_max = 4,
                                                        .new_stream = 1});
    const struct dun_agent_parts parts = {.catalog = &f.catalog,
                                          .batch = &f.batch,
                                          .store = &f.store,
                                          .limits = f.limits,
                                          .window = f.window,
                                          .window_max = 4,
                                          .uplink = &f.broker.uplink};
    assert_int_equal(dun_agent_init(&f.agent, &config, &parts, 0, NULL), DUN_OK);
}

static void start_sensors(void)
{
    dun_sensors_start(&f.sensors, &f.config, &f.memory);
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    strcpy(root, "/tmp/dunlin-sensors-XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    dun_config_init(&f.config, "test", stderr);
    strcpy(f.config.device, "d");
    snprintf(f.config.proc, sizeof f.config.proc, "%s/proc", root);
    snprintf(f.config.sys, sizeof f.config.sys, "%s/sys", root);
    f.memory = (struct dun_sensors_memory){
        .arena = {f.arena, sizeof f.arena},
        .scratch = {f.scratch, sizeof f.scratch},
        .instances = f.instances,
        .instances_max = INSTANCES,
        .cpus = f.cpus,
        .cpus_max = CPUS,
        .temperatures = f.temperatures,
        .temperatures_max = TEMPERATURES,
        .mounts = f.mounts,
        .mounts_max = MOUNTS,
    };
    start_agent();
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    dun_sensors_stop(&f.sensors);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static int read_sensor(const char *name)
{
    f.now += 1000;
    for (uint16_t i = 0; i < f.sensors.count; i++) {
        struct dun_sensor *sensor = &f.sensors.table[i];
        if (strcmp(sensor->name, name) == 0) {
            return sensor->read(sensor, &f.agent, f.now);
        }
    }
    fail_msg("there is no sensor %s", name);
    return -1;
}

/* "name{value of an attribute,...}" */
static void describe(const struct dun_metric *metric, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s{", metric->name);
    for (uint8_t i = 0; i < metric->attribute_count; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "",
                                 metric->attributes[i].value);
    }
    snprintf(out + used, size - used, "}");
}

static int find_metric(const char *description)
{
    for (uint16_t i = 0; i < f.catalog.count; i++) {
        char own[256];
        describe(&f.catalog.metrics[i], own, sizeof own);
        if (strcmp(own, description) == 0) {
            return i;
        }
    }
    return -1;
}

/* The last value that the last reading gave this metric; false: it gave none. */
static bool has_value(const char *description, int64_t *value)
{
    int id = find_metric(description);
    if (id < 0 || f.chains[id].head == DUN_POINT_NONE) {
        return false;
    }
    uint16_t last = f.chains[id].tail;
    *value = f.points[last].value;
    return dun_batch_uptime(&f.batch, last) == f.now;
}

static void assert_value(const char *description, int64_t expected)
{
    int64_t value;
    if (!has_value(description, &value)) {
        fail_msg("%s has no value", description);
    }
    assert_int_equal(value, expected);
}

static void assert_absent(const char *description)
{
    int64_t value;
    if (has_value(description, &value)) {
        fail_msg("%s is %lld, but must be absent", description, (long long)value);
    }
}

/// Memory, load, uptime ///

static void test_memory(void **state)
{
    (void)state;
    put_file("proc/meminfo", "MemTotal:       24684092 kB\nMemFree:        24347488 kB\n"
                             "MemAvailable:   24359460 kB\nBuffers:            1260 kB\n"
                             "Cached:           192328 kB\nSwapCached:            0 kB\n");
    start_sensors();
    assert_int_equal(read_sensor("memory"), DUN_OK);
    assert_value("system.memory.limit{}", INT64_C(24684092) * 1024);
    assert_value("system.memory.usage{free}", INT64_C(24347488) * 1024);
    assert_value("system.memory.linux.available{}", INT64_C(24359460) * 1024);
    assert_value("system.memory.usage{cached}", INT64_C(192328) * 1024);
    assert_value("system.memory.usage{used}",
                 (INT64_C(24684092) - 24347488 - 1260 - 192328) * 1024);
}

static void test_memory_of_an_old_kernel(void **state)
{
    (void)state;
    put_file("proc/meminfo", "        total:    used:    free:  shared: buffers:  cached:\n"
                             "Mem:  130469888 118976512 11493376        0 12\n"
                             "MemTotal:       127412 kB\nMemFree:         11224 kB\n"
                             "Buffers:          9784 kB\nCached:          47364 kB\n");
    start_sensors();
    assert_int_equal(read_sensor("memory"), DUN_OK);
    assert_value("system.memory.limit{}", INT64_C(127412) * 1024);
    assert_absent("system.memory.linux.available{}");
    assert_int_equal(find_metric("system.memory.linux.available{}"), -1);
}

static void test_memory_of_a_hostile_kernel(void **state)
{
    (void)state;
    put_file("proc/meminfo", "MemTotal: 99999999999999999999 kB\nMemFree: -5 kB\nBuffers:\n"
                             "Cached: x\n:::\nMemAvailable: 18446744073709551615 kB\n");
    start_sensors();
    assert_int_equal(read_sensor("memory"), DUN_OK);
    assert_int_equal(f.batch.count, 0);
}

static void test_load_and_uptime(void **state)
{
    (void)state;
    put_file("proc/loadavg", "0.50 12.01 100.99 5/93 6645\n");
    put_file("proc/uptime", "1199.58 2339.39\n");
    start_sensors();
    assert_int_equal(read_sensor("load"), DUN_OK);
    assert_value("system.cpu.load_average.1m{}", 50);
    assert_value("system.cpu.load_average.5m{}", 1201);
    assert_value("system.cpu.load_average.15m{}", 10099);
    assert_int_equal(read_sensor("uptime"), DUN_OK);
    assert_value("system.uptime{}", 119958);
}

static void test_load_that_is_garbage(void **state)
{
    static const char *const bad[] = {"", "0.1 0.2", "a b c", "-1 0 0", "0.1 0.2 9e99"};
    (void)state;
    put_file("proc/loadavg", "");
    put_file("proc/uptime", "soon\n");
    start_sensors();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file("proc/loadavg", bad[i]);
        assert_int_equal(read_sensor("load"), DUN_E_CORRUPT);
    }
    assert_int_equal(read_sensor("uptime"), DUN_E_CORRUPT);
    assert_int_equal(f.batch.count, 0);
}

/// CPU ///

static void test_cpu(void **state)
{
    (void)state;
    put_file("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\n"
                          "cpu1 50 0 50 400 0 0 0 0 0 0\nintr 1 2 3\n");
    start_sensors(); /* the reading against which the next one is compared */
    put_file("proc/stat", "cpu  150 0 125 1600 20 3 2 0 0 0\ncpu0 100 0 75 800 20 3 2 0 0 0\n"
                          "cpu1 50 0 50 800 0 0 0 0 0 0\nintr 1 2 3\n");
    assert_int_equal(read_sensor("cpu"), DUN_OK);
    assert_value("system.cpu.utilization{user}", 556); /* 50 of 900 ticks */
    assert_value("system.cpu.utilization{idle}", 8889);
    assert_value("system.cpu.utilization{interrupt}", 56);
    assert_value("system.cpu.utilization{0,user}", 1000);
    assert_value("system.cpu.utilization{0,iowait}", 400);
    assert_value("system.cpu.utilization{1,idle}", 10000);
    assert_value("system.cpu.utilization{1,steal}", 0);
}

static void test_a_cpu_goes_offline_and_comes_back(void **state)
{
    (void)state;
    put_file("proc/stat", "cpu  10 0 0 90\ncpu0 5 0 0 45\ncpu1 5 0 0 45\ncpu2 0 0 0 1\n");
    start_sensors();
    put_file("proc/stat", "cpu  20 0 0 180\ncpu0 10 0 0 90\ncpu2 0 0 0 2\nintr 0\n");
    read_sensor("cpu");
    assert_value("system.cpu.utilization{0,idle}", 9000);
    assert_absent("system.cpu.utilization{1,idle}");
    put_file("proc/stat", "cpu  30 0 0 270\ncpu0 15 0 0 135\ncpu1 6 0 0 46\n");
    read_sensor("cpu");
    assert_absent("system.cpu.utilization{1,idle}"); /* its counters are compared from now on */
    put_file("proc/stat", "cpu  40 0 0 360\ncpu0 20 0 0 180\ncpu1 7 0 0 47\n");
    read_sensor("cpu");
    assert_value("system.cpu.utilization{1,user}", 5000);
    assert_int_equal(find_metric("system.cpu.utilization{1,iowait}"), -1); /* a kernel of 2.4 */
}

static void test_cpu_counters_that_misbehave(void **state)
{
    int64_t share[DUN_CPU_MODES];
    struct dun_cpu_times before = {{100, 0, 0, 500, 50}, 5};
    struct dun_cpu_times after = {{200, 0, 0, 499, 49}, 5};
    struct dun_cpu_times jump = {{UINT64_MAX, 0, 0, UINT64_MAX, 0}, 5};
    (void)state;
    assert_true(dun_cpu_utilization(&before, &after, share));
    assert_int_equal(share[0], 10000);
    assert_false(dun_cpu_utilization(&after, &after, share));
    assert_false(dun_cpu_utilization(&before, &jump, share));
}

static void test_cpu_lines_that_are_none(void **state)
{
    static const char *const bad[] = {"intr 1 2 3",
                                      "cpu",
                                      "cpu 1 2 3",
                                      "cpux 1 2 3 4",
                                      "cpu0",
                                      "cpu-1 1 2 3 4",
                                      "cpu4294967295 1 2 3 4",
                                      "cpu99999999999999999999 1 2 3 4"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[64];
        uint32_t index;
        struct dun_cpu_times times;
        strcpy(line, bad[i]);
        assert_false(dun_parse_cpu(line, &index, &times));
    }
    put_file("proc/stat",
             "cpu  1 1 1 1\ncpu2 1 1 1 1\ncpu1 9 9 9 9\ncpu700 1 1 1 1\ncpu2 5 5 5 5\n");
    start_sensors();
    put_file("proc/stat", "cpu  2 2 2 2\ncpu2 6 6 6 6\ncpu1 9 9 9 9\ncpu2 7 7 7 7\n");
    assert_int_equal(read_sensor("cpu"), DUN_OK); /* order, repetition and size are not trusted */
    assert_int_equal(f.sensors.full, DUN_FULL_INSTANCES);
    assert_int_equal(f.batch.count, 2 * 4);
}

/// Disks and interfaces ///

static void test_disks(void **state)
{
    (void)state;
    put_file("sys/block/vda/stat", "");
    put_file("sys/block/loop0/stat", "");
    put_file("sys/block/cciss!c0d0/stat", "");
    put_file("proc/diskstats",
             "   7       0 loop0 9 0 9 0 0 0 0 0 0 0 0\n"
             " 254       0 vda 53527 10770 3657346 11280 10645 8664 883024 2378 0 8864 13979 4349 "
             "52 244432 278 1079 41\n"
             " 254       1 vda1 53527 10770 3657346 11280 10645 8664 883024 2378 0 8864 13979\n"
             " 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11\n"
             "   3       1 hda1 35486 38030 38030 38030\n"
             " 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0\n");
    start_sensors();
    assert_int_equal(read_sensor("disk"), DUN_OK);
    assert_value("system.disk.io{vda,read}", INT64_C(3657346) * 512);
    assert_value("system.disk.io{vda,write}", INT64_C(883024) * 512);
    assert_value("system.disk.operations{vda,read}", 53527);
    assert_value("system.disk.operations{vda,write}", 10645);
    assert_value("system.disk.io{cciss/c0d0,read}", 3 * 512);
    assert_int_equal(f.catalog.count, 8); /* neither loop, nor partition, nor idle */
    assert_int_equal(f.metrics[0].kind, DUN_COUNTER);
}

static void test_a_disk_appears_and_vanishes(void **state)
{
    (void)state;
    put_file("proc/diskstats", " 8 0 sda 1 0 1 0 0 0 0 0 0 0 0\n");
    start_sensors();
    read_sensor("disk");
    assert_value("system.disk.io{sda,read}", 512);
    put_file("proc/diskstats", " 8 0 sda 2 0 2 0 0 0 0 0 0 0 0\n 8 16 sdb 4 0 4 0 0 0 0 0 0 0 0\n");
    read_sensor("disk");
    assert_value("system.disk.io{sda,read}", 1024);
    assert_value("system.disk.io{sdb,read}", 2048);
    put_file("proc/diskstats", " 8 16 sdb 0 0 0 0 0 0 0 0 0 0 0\n");
    read_sensor("disk");
    assert_absent("system.disk.io{sda,read}");
    assert_value("system.disk.io{sdb,read}", 0); /* known, so zero is a value */
}

static void test_interfaces(void **state)
{
    (void)state;
    put_file("proc/net/dev",
             "Inter-|   Receive                            |  Transmit\n"
             "    lo:    3193    29  0  0  0  0     0    0   3193    29  0  0  0   0   0     0\n"
             "  eth0:61204352 1446 1 2 0 0 0 0 74479 837 3 4 0 0 0 0\n"
             "veth7b2: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
             "  wlan0: 1 2 3\n");
    put_file("sys/class/net/lo/operstate", "unknown\n");
    put_file("sys/class/net/eth0/operstate", "down\n");
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_value("hw.network.up{eth0}", 0);
    put_file("sys/class/net/eth0/operstate", "up\n");
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_value("hw.network.up{eth0}", 1);
    assert_value("system.network.io{lo,receive}", 3193);
    assert_value("system.network.io{eth0,receive}", 61204352);
    assert_value("system.network.io{eth0,transmit}", 74479);
    assert_value("system.network.errors{eth0,receive}", 1);
    assert_value("system.network.errors{eth0,transmit}", 3);
    assert_value("system.network.packet.dropped{eth0,receive}", 2);
    assert_value("system.network.packet.dropped{eth0,transmit}", 4);
    assert_int_equal(f.catalog.count, 13);
}

static void test_names_of_any_bytes(void **state)
{
    (void)state;
    put_file("proc/net/dev", "a\xff\x01:1 1 1 1 1 1 1 1 1 1 1 1 1\n"
                             "gr\xc3\xbcn:1 1 1 1 1 1 1 1 1 1 1 1 1\n: 1 1 1 1 1 1 1 1 1 1 1 1\n");
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_value("system.network.io{a??,receive}", 1);
    assert_value("system.network.io{gr\xc3\xbcn,receive}", 1);
    assert_int_equal(f.catalog.count, 12);
}

/// Mounts ///

static void test_mounts(void **state)
{
    struct statvfs mount;
    char used[] = "system.filesystem.usage{/,used}";
    int64_t value;
    (void)state;
    put_file("proc/self/mountinfo",
             "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
             "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n"
             "28 27 254:0 /var /tmp rw - ext4 /dev/vda rw\n"
             "29 27 8:1 / /dev rw - ext4 /dev/sda1 rw\n"
             "30 29 0:5 / /dev rw - devtmpfs devtmpfs rw\n"
             "31 27 0:50 / /usr ro - nfs4 server:/export rw\n"
             "32 31 8:17 / /usr/share rw - xfs /dev/sdb1 rw\n"
             "33 27 0:51 / /nowhere rw - fuse.sshfs me@host: rw\n"
             "garbage\n");
    start_sensors();
    assert_int_equal(read_sensor("filesystem"), DUN_OK);
    assert_int_equal(statvfs("/", &mount), 0);
    assert_value("system.filesystem.limit{/}", (int64_t)(mount.f_blocks * mount.f_frsize));
    assert_true(has_value(used, &value));
    assert_true(value > 0);
    assert_int_equal(f.catalog.count, 4); /* no bind mount, none hidden, none behind a share */
}

static void test_mount_lines(void **state)
{
    struct dun_mount_line mount;
    char escaped[] = "1 2 8:1 / /mnt/a\\040b\\134c\\0 rw - vfat /dev/sda1 rw";
    char none[] = "1 2 8:1 / relative rw - vfat /dev/sda1 rw";
    char cut[] = "1 2 8: - ";
    (void)state;
    assert_true(dun_parse_mount(escaped, &mount));
    assert_string_equal(mount.path, "/mnt/a b\\c\\0");
    assert_string_equal(mount.type, "vfat");
    assert_int_equal(mount.major, 8);
    assert_int_equal(mount.minor, 1);
    assert_false(dun_parse_mount(none, &mount));
    assert_false(dun_parse_mount(cut, &mount));
}

static void test_what_may_hang_is_never_asked(void **state)
{
    static const char *const remote[] = {"nfs",        "nfs4", "cifs",   "smb3", "fuse",
                                         "fuse.sshfs", "9p",   "autofs", "ceph"};
    (void)state;
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        assert_true(dun_mount_may_hang(remote[i]));
        assert_false(dun_mount_is_local(remote[i]));
    }
    assert_true(dun_mount_is_local("ext4"));
    assert_false(dun_mount_may_hang("ext4"));
    assert_false(dun_mount_is_local("tmpfs"));
}

/// Temperatures ///

static void test_temperatures(void **state)
{
    (void)state;
    put_file("sys/class/thermal/thermal_zone0/temp", "48250\n");
    put_file("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    put_file("sys/class/hwmon/hwmon3/name", "nvme\n");
    put_file("sys/class/hwmon/hwmon3/temp1_input", "-3500\n");
    put_file("sys/class/hwmon/hwmon3/temp1_label", "Composite\n");
    start_sensors();
    assert_int_equal(read_sensor("temperature"), DUN_OK);
    assert_value("hw.temperature{thermal_zone0,cpu-thermal}", 48250);
    assert_value("hw.temperature{hwmon3/temp1,nvme Composite}", -3500);
    assert_int_equal(f.metrics[0].exponent, -3);

    put_file("sys/class/thermal/thermal_zone0/temp", "N/A\n");
    put_file("sys/class/thermal/thermal_zone7/temp", "1000\n");
    read_sensor("temperature");
    assert_absent("hw.temperature{thermal_zone0,cpu-thermal}");
    for (int i = 0; i < 12; i++) {
        read_sensor("temperature");
    }
    assert_value("hw.temperature{thermal_zone7}", 1000); /* found by a later search */
    assert_int_equal(f.sensors.full, 0);
    put_file("sys/class/thermal/thermal_zone8/temp", "1000\n");
    for (int i = 0; i < 12; i++) {
        read_sensor("temperature");
    }
    assert_int_equal(f.sensors.full, DUN_FULL_INSTANCES);
}

/// The agent itself ///

static void test_process_and_self(void **state)
{
    (void)state;
    put_file("proc/self/statm", "765 410 382 5 0 123 0\n");
    start_sensors();
    assert_int_equal(read_sensor("process"), DUN_OK);
    assert_value("process.memory.usage{}", 410 * sysconf(_SC_PAGESIZE));
    int64_t value;
    assert_true(has_value("process.cpu.time{user}", &value));
    assert_int_equal(read_sensor("self"), DUN_OK);
    assert_value("dunlin.log.limit{}", 4 * 4096);
    assert_value("dunlin.log.backlog{}", 0);
    assert_value("dunlin.link.up{}", 0);
}

static void test_a_machine_without_anything(void **state)
{
    static const char *const names[] = {"memory", "load",    "cpu",    "filesystem",
                                        "disk",   "network", "uptime", "temperature"};
    (void)state;
    start_sensors();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(read_sensor(names[i]), DUN_OK);
    }
    assert_int_equal(f.catalog.count, 0);
}

/// Files ///

static void add_file(const char *name, int8_t scale, uint8_t decimals)
{
    struct dun_file_config *file = &f.config.files[f.config.file_count++];
    *file = (struct dun_file_config){.kind = DUN_GAUGE,
                                     .scale = scale,
                                     .decimals = decimals,
                                     .interval_ms = DUN_INTERVAL_INHERIT,
                                     .name = "x",
                                     .unit = "Cel",
                                     .section = {.label = "f"},
                                     .attributes = {.list = {{"k", "v"}}, .count = 1}};
    snprintf(file->path, sizeof file->path, "%.60s/%.60s", root, name);
}

static void test_file_sensor(void **state)
{
    (void)state;
    add_file("value", -3, 1);
    put_file("value", "23875\n");
    start_sensors();
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_value("x{v}", 239); /* 23.9 Cel */
    assert_int_equal(f.metrics[0].exponent, -1);
    put_file("value", " -0.05e3 \n");
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_value("x{v}", -1); /* -0.05 Cel */
}

static void test_file_sensor_without_a_number(void **state)
{
    static const char *const bad[] = {
        "23 C", "nan", "0x10",
        "000000000000000000000000000000000000000000000000000000000000000001"};
    (void)state;
    add_file("value", 0, 0);
    start_sensors();
    assert_int_equal(read_sensor("f"), DUN_E_NOT_FOUND);
    put_file("value", "\n");
    assert_int_equal(read_sensor("f"), DUN_E_NOT_FOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file("value", bad[i]);
        assert_int_equal(read_sensor("f"), DUN_E_CORRUPT);
    }
    put_file("value", "9223372036854775808");
    assert_int_equal(read_sensor("f"), DUN_E_TOO_LARGE);
    assert_int_equal(f.catalog.count, 0);
    remove_file("value");
    char path[128];
    snprintf(path, sizeof path, "%s/value", root);
    assert_int_equal(mkfifo(path, 0600), 0); /* with no writer: must not wait for one */
    assert_int_equal(read_sensor("f"), DUN_E_NOT_FOUND);
}

/// Limits ///

static void add_limit(const char *metric, const char *low, const char *high)
{
    struct dun_limit_config *limit = &f.config.limits[f.config.limit_count++];
    *limit = (struct dun_limit_config){.section = {.label = "l"}};
    strcpy(limit->metric, metric);
    strcpy(limit->low_text, low);
    strcpy(limit->high_text, high);
    assert_true(*low == '\0' || dun_value_exact(low, &limit->low) == DUN_OK);
    assert_true(*high == '\0' || dun_value_exact(high, &limit->high) == DUN_OK);
}

static void test_limits_in_the_scale_of_the_metric(void **state)
{
    (void)state;
    add_limit("x", "-0.25", "");
    strcpy(f.config.limits[0].resolution_text, "0.01");
    assert_int_equal(dun_value_exact("0.01", &f.config.limits[0].resolution), DUN_OK);
    add_file("value", -3, 1);
    put_file("value", "23875\n");
    start_sensors();
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_true(f.limits[0].set);
    assert_int_equal(f.limits[0].low, -2); /* -0.3 Cel is below -0.25, -0.2 is not */
    assert_true(f.limits[0].high == INT64_MAX);
    assert_int_equal(f.limits[0].tuning.resolution, 1); /* there is nothing finer than 0.1 Cel */
    assert_int_equal(f.sensors.limits_used, 1);
    assert_false(f.agent.recorder.urgent_end > 0);
    put_file("value", "-200\n");
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_false(f.agent.recorder.urgent_end > 0);
    put_file("value", "-300\n");
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_true(f.agent.recorder.urgent_end > 0);
}

static void test_limits_by_attribute_and_of_what_appears_later(void **state)
{
    static char text[] = "lo";
    (void)state;
    add_limit("system.network.io", "", "1e3");
    struct dun_pairs *pairs = &f.config.limits[0].attributes;
    pairs->list[pairs->count++] = (struct dun_attribute){"network.interface.name", text};
    put_file("proc/net/dev", "h\nh\n eth0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n");
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    uint16_t before = f.catalog.count;
    assert_int_equal(f.sensors.limits_used, 0);
    for (uint16_t i = 0; i < before; i++) {
        assert_false(f.limits[i].set);
    }
    put_file("proc/net/dev", "h\nh\n eth0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n"
                             "   lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n");
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(f.sensors.limits_used, 1);
    int set = 0;
    for (uint16_t i = before; i < f.catalog.count; i++) {
        assert_int_equal(f.limits[i].set, strcmp(f.metrics[i].name, "system.network.io") == 0);
        assert_true(!f.limits[i].set || f.limits[i].high == 1000);
        set += f.limits[i].set;
    }
    assert_int_equal(set, 2); /* both directions */
}

static void test_a_limit_that_no_value_of_the_metric_keeps(void **state)
{
    (void)state;
    add_limit("x", "0.2", "0.8");
    add_file("value", 0, 0);
    put_file("value", "1\n");
    start_sensors();
    assert_int_equal(read_sensor("f"), DUN_OK);
    assert_false(f.limits[0].set);
    assert_int_equal(f.sensors.limits_used, 0);
}

/// Full tables ///

static void put_interfaces(int count)
{
    char text[4096] = "";
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "if%d: 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", i);
    }
    put_file("proc/net/dev", text);
}

static void test_instances_run_out(void **state)
{
    (void)state;
    put_interfaces(INSTANCES + 1);
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(f.sensors.full, DUN_FULL_INSTANCES);
    assert_int_equal(f.catalog.count, 6 * INSTANCES);
    assert_value("system.network.io{if7,receive}", 1);
    assert_absent("system.network.io{if8,receive}");
}

static void test_the_arena_runs_out(void **state)
{
    (void)state;
    f.memory.arena.size = 333;
    put_interfaces(INSTANCES);
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(f.sensors.full, DUN_FULL_ARENA);
    assert_value("system.network.io{if0,receive}", 1);
}

static void test_the_catalog_runs_out(void **state)
{
    (void)state;
    f.catalog.capacity = 8;
    put_interfaces(2);
    start_sensors();
    assert_int_equal(read_sensor("network"), DUN_OK);
    assert_int_equal(f.sensors.full, DUN_FULL_METRICS);
    assert_int_equal(f.catalog.count, 8);
    assert_value("system.network.io{if1,transmit}", 1);
}

static void test_sensors_that_are_off(void **state)
{
    (void)state;
    f.config.interval_ms = 7000;
    f.config.sensor_ms[DUN_BUILTIN_CPU] = 250;
    f.config.sensor_ms[DUN_BUILTIN_DISK] = DUN_INTERVAL_OFF;
    start_sensors();
    assert_int_equal(f.sensors.count, DUN_BUILTIN_COUNT - 1);
    for (uint16_t i = 0; i < f.sensors.count; i++) {
        const struct dun_sensor *sensor = &f.sensors.table[i];
        assert_string_not_equal(sensor->name, "disk");
        assert_int_equal(sensor->interval_ms, strcmp(sensor->name, "cpu") == 0 ? 250 : 7000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_memory),
        TEST(test_memory_of_an_old_kernel),
        TEST(test_memory_of_a_hostile_kernel),
        TEST(test_load_and_uptime),
        TEST(test_load_that_is_garbage),
        TEST(test_cpu),
        TEST(test_a_cpu_goes_offline_and_comes_back),
        TEST(test_cpu_counters_that_misbehave),
        TEST(test_cpu_lines_that_are_none),
        TEST(test_disks),
        TEST(test_a_disk_appears_and_vanishes),
        TEST(test_interfaces),
        TEST(test_names_of_any_bytes),
        TEST(test_mounts),
        TEST(test_mount_lines),
        TEST(test_what_may_hang_is_never_asked),
        TEST(test_temperatures),
        TEST(test_process_and_self),
        TEST(test_a_machine_without_anything),
        TEST(test_file_sensor),
        TEST(test_file_sensor_without_a_number),
        TEST(test_limits_in_the_scale_of_the_metric),
        TEST(test_limits_by_attribute_and_of_what_appears_later),
        TEST(test_a_limit_that_no_value_of_the_metric_keeps),
        TEST(test_instances_run_out),
        TEST(test_the_arena_runs_out),
        TEST(test_the_catalog_runs_out),
        TEST(test_sensors_that_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
