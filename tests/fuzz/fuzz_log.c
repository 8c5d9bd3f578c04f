/*
 * fuzz_log.c: a log on flash that somebody meddles with. The input is a program: a byte that says
 * what happens, then what it needs. Blocks are patched, filled, torn out; openings are made up; the
 * CRCs of a block are made right again, so that nonsense behind a good CRC gets in, too. Reads,
 * programs, erases and syncs fail on command. Between that the log is mounted, read, appended to
 * and acknowledged.
 *
 * Promises checked: no assert, no call that reads many times the device; nothing is written while
 * mounting or reading, and nothing on bytes that are not erased; sequences ascend; what was synced
 * on a device that nobody meddled with since its mount is there after the next one, byte for byte,
 * unless somebody forged CRCs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "log.h"
#include "log_format.h"

#define OPS_MAX     300
#define LOSSES_MAX  5
#define UNIT_MAX    512
#define RECORDS_MAX 4096
#define WORK_MAX    300 /* times the device that one call may read */

struct program {
    const uint8_t *data;
    size_t size;
};

struct record {
    uint64_t sequence;
    uint32_t size, crc;
};

struct device {
    struct dun_flash flash;
    uint8_t *image;
    uint64_t bytes_read;
    uint8_t failing[4]; /* reads, programs, erases, syncs that fail from now on */
    bool frozen;        /* nothing may be written */
    bool meddled;       /* since the last mount: what is erased is not what the log believes */
    bool failed;        /* something did, since the last mount */
    bool forged;        /* there were CRCs that no log wrote: serials may end, sequences leap */
};

struct life {
    struct device device;
    struct dun_log log;
    struct dun_ledger ledger;
    struct dun_loss losses[LOSSES_MAX];
    uint8_t unit[UNIT_MAX];
    uint8_t payload[0x4000];
    struct record records[RECORDS_MAX];
    uint64_t new_stream; /* of the next new log: never one that was there */
    uint32_t unit_size;
    uint8_t overflow;
    bool mounted;
};

enum { READS, PROGS, ERASES, SYNCS };

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static uint8_t next_byte(struct program *program)
{
    if (program->size == 0) {
        return 0;
    }
    program->size--;
    return *program->data++;
}

static uint32_t next_u16(struct program *program)
{
    uint32_t low = next_byte(program);
    return low | (uint32_t)next_byte(program) << 8;
}

/// The device ///

static size_t device_size(const struct device *device)
{
    return (size_t)device->flash.geometry.block_size * device->flash.geometry.block_count;
}

static uint8_t *place(const struct device *device, uint32_t block, uint32_t offset, uint32_t size)
{
    const struct dun_flash_geometry *geometry = &device->flash.geometry;
    DUN_ASSERT(block < geometry->block_count && offset <= geometry->block_size &&
               size <= geometry->block_size - offset);
    return device->image + (size_t)block * geometry->block_size + offset;
}

static bool fails(struct device *device, int what)
{
    bool failing = device->failing[what] > 0;
    device->failing[what] -= failing;
    device->failed |= failing;
    return failing;
}

static int device_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct device *device = context;
    memcpy(data, place(device, block, offset, size), size);
    device->bytes_read += size;
    return fails(device, READS) ? DUN_E_IO : DUN_OK;
}

static int device_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                       uint32_t size)
{
    struct device *device = context;
    uint8_t *at = place(device, block, offset, size);
    uint32_t unit = device->flash.geometry.prog_size;
    DUN_ASSERT(!device->frozen && size > 0 && offset % unit == 0 && size % unit == 0);
    if (fails(device, PROGS)) {
        memset(at, 0x55, size / 2);
        return DUN_E_IO;
    }
    for (uint32_t i = 0; i < size && !device->meddled; i++) {
        DUN_ASSERT(at[i] == 0xFF);
    }
    memcpy(at, data, size);
    return DUN_OK;
}

static int device_erase(void *context, uint32_t block)
{
    struct device *device = context;
    DUN_ASSERT(!device->frozen);
    if (fails(device, ERASES)) {
        return DUN_E_IO;
    }
    memset(place(device, block, 0, 0), 0xFF, device->flash.geometry.block_size);
    return DUN_OK;
}

static int device_sync(void *context)
{
    return fails(context, SYNCS) ? DUN_E_IO : DUN_OK;
}

static void device_init(struct device *device, struct program *program)
{
    static const uint32_t block_sizes[] = {256, 512, 1024, 4096};
    static const uint32_t prog_sizes[] = {1, 2, 8, 32, 256};
    uint8_t what = next_byte(program);
    *device = (struct device){.flash = {.geometry = {block_sizes[what % 4], 2 + what / 4 % 6,
                                                     prog_sizes[next_byte(program) % 5]},
                                        .context = device,
                                        .read = device_read,
                                        .prog = device_prog,
                                        .erase = device_erase,
                                        .sync = device_sync}};
    device->image = malloc(device_size(device));
    memset(device->image, 0xFF, device_size(device));
}

/// Meddling ///

/* Makes the CRCs of a block right, as far as it looks like one. */
static void repair(struct device *device, uint32_t block)
{
    uint32_t size = device->flash.geometry.block_size;
    uint8_t *at = place(device, block, 0, size);
    uint32_t opening_size = dun_get16(at + 6);
    if (opening_size < 12 || opening_size > 256 || opening_size > size) {
        opening_size = DUN_LOG_OPENING_SIZE;
    }
    dun_put32(at + opening_size - 4, dun_crc32c(0, at, opening_size - 4));
    uint32_t seed = dun_log_seed(dun_get64(at + 8), dun_get32(at + 24));
    uint64_t sequence = dun_get64(at + 16);
    uint32_t offset = DUN_LOG_OPENING_SIZE;
    while (offset + 8 <= size) {
        uint16_t length = dun_get16(at + offset);
        uint32_t payload = length & DUN_LOG_SIZE_MASK;
        if (length == DUN_LOG_BLANK || payload > size - offset - 8) {
            break;
        }
        sequence += (uint16_t)(dun_get16(at + offset + 2) - (uint16_t)sequence);
        uint32_t crc = dun_log_record_crc(seed, length, sequence);
        dun_put32(at + offset + 4 + payload, dun_crc32c(crc, at + offset + 4, payload));
        sequence += (length & DUN_LOG_META) == 0;
        offset += 8 + payload;
    }
}

static void make_opening(struct life *life, uint32_t block, struct program *program)
{
    const struct dun_flash_geometry *geometry = &life->device.flash.geometry;
    struct dun_log_opening opening = {.stream = life->mounted ? dun_log_stream(&life->log) : 7,
                                      .first = next_u16(program),
                                      .serial = next_byte(program),
                                      .block_size = geometry->block_size,
                                      .block_count = geometry->block_count,
                                      .prog_size = (uint16_t)geometry->prog_size};
    uint8_t how = next_byte(program);
    opening.first <<= how % 4 * 16; /* up to the highest sequence there is */
    opening.serial = how & 4 ? UINT32_MAX - opening.serial : opening.serial;
    opening.stream += how & 8 ? 1 : 0;
    dun_log_put_opening(place(&life->device, block, 0, DUN_LOG_OPENING_SIZE), &opening);
}

static void patch(struct device *device, uint32_t block, struct program *program)
{
    uint32_t offset = next_u16(program) % device->flash.geometry.block_size;
    uint32_t size = next_byte(program);
    uint32_t room = device->flash.geometry.block_size - offset;
    size = size < room ? size : room;
    uint8_t *at = place(device, block, offset, size);
    for (uint32_t i = 0; i < size && program->size > 0; i++) {
        at[i] = next_byte(program);
    }
}

static void meddle(struct life *life, uint8_t what, struct program *program)
{
    struct device *device = &life->device;
    const struct dun_flash_geometry *geometry = &device->flash.geometry;
    uint32_t block = next_byte(program) % geometry->block_count;
    device->meddled = true;
    device->forged |= what % 5 == 1 || what % 5 == 2;
    switch (what % 5) {
    case 0:
        patch(device, block, program);
        break;
    case 1:
        repair(device, block);
        break;
    case 2:
        make_opening(life, block, program);
        break;
    case 3:
        memset(place(device, block, 0, 0), next_byte(program), geometry->block_size);
        break;
    default: /* a block in the place of another */
        memcpy(place(device, block, 0, 0),
               place(device, next_byte(program) % geometry->block_count, 0, 0),
               block < geometry->block_count ? geometry->block_size : 0);
        break;
    }
}

/// Looking ///

/* Every call on the log stands between these two. */
static void before(struct life *life, bool writes)
{
    life->device.bytes_read = 0;
    life->device.frozen = !writes;
}

static void after(struct life *life)
{
    DUN_ASSERT(life->device.bytes_read <= WORK_MAX * (uint64_t)device_size(&life->device) + 65536);
    life->device.frozen = false;
}

/* Fills `records` with what the log gives out and returns how many. */
static uint32_t read_all(struct life *life)
{
    struct dun_log_cursor cursor;
    uint32_t count = 0;
    before(life, false);
    int result = dun_log_first(&life->log, &cursor);
    after(life);
    uint64_t last = 0;
    while (result > 0) {
        DUN_ASSERT(cursor.sequence > last && cursor.sequence < dun_log_next_sequence(&life->log));
        DUN_ASSERT(cursor.size <= life->device.flash.geometry.block_size);
        DUN_ASSERT(count < RECORDS_MAX);
        last = cursor.sequence;
        before(life, false);
        int error = dun_log_read(&life->log, &cursor, 0, life->payload, cursor.size);
        DUN_ASSERT(error == DUN_OK || life->device.failed || life->device.meddled ||
                   life->device.forged);
        life->records[count++] = (struct record){cursor.sequence, cursor.size,
                                                 dun_crc32c(0, life->payload, cursor.size)};
        result = dun_log_next(&life->log, &cursor);
        after(life);
    }
    DUN_ASSERT(result == 0 || result == DUN_E_IO);
    return count;
}

static void mount(struct life *life)
{
    struct dun_log_report report;
    struct dun_log_config config = {.flash = &life->device.flash,
                                    .ledger = &life->ledger,
                                    .unit = {life->unit, life->unit_size},
                                    .new_stream = life->new_stream++,
                                    .overflow = (enum dun_log_overflow)life->overflow};
    dun_ledger_init(&life->ledger, life->losses, LOSSES_MAX);
    dun_ledger_stamp(&life->ledger, 3, 1000);
    life->device.failed = false;
    life->device.meddled = false;
    before(life, false);
    int error = dun_log_mount(&life->log, &config, &report);
    after(life);
    life->mounted = error == DUN_OK;
    DUN_ASSERT(error == DUN_OK || error == DUN_E_UNSUPPORTED ||
               (error == DUN_E_IO && life->device.failed));
}

/* Mounts what is there once more: what nobody meddled with must be the same. */
static void remount(struct life *life)
{
    static struct record was[RECORDS_MAX];
    bool checked = false;
    uint32_t count = 0;
    uint64_t next = 0;
    if (life->mounted) {
        before(life, true);
        int synced = dun_log_sync(&life->log);
        after(life);
        count = read_all(life);
        memcpy(was, life->records, count * sizeof was[0]);
        next = dun_log_next_sequence(&life->log);
        checked = synced == DUN_OK && !life->device.meddled && !life->device.failed &&
                  !life->device.forged;
    }
    memset(life->device.failing, 0, sizeof life->device.failing);
    mount(life);
    if (!checked) {
        return;
    }
    DUN_ASSERT(life->mounted && dun_log_next_sequence(&life->log) >= next);
    uint32_t now = read_all(life);
    for (uint32_t i = 0, j = 0; i < count; i++, j++) {
        while (j < now && life->records[j].sequence < was[i].sequence) {
            j++; /* acknowledged before, which found no room */
        }
        DUN_ASSERT(j < now && memcmp(&life->records[j], &was[i], sizeof was[i]) == 0);
    }
}

/// Using ///

static void append(struct life *life, uint8_t what, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        life->payload[i] = (uint8_t)(i * what);
    }
    before(life, true);
    int error =
        what & 0x80 ? dun_log_begin_urgent(&life->log, size) : dun_log_begin(&life->log, size);
    if (error == DUN_OK) {
        error = dun_log_write(&life->log, life->payload, size / 2);
    }
    if (error == DUN_OK) {
        error = dun_log_write(&life->log, life->payload + size / 2, size - size / 2);
    }
    if (error == DUN_OK && what & 0x40) {
        error = dun_log_commit(&life->log); /* or it is abandoned */
    }
    after(life);
}

static void use(struct life *life, uint8_t what, struct program *program)
{
    uint64_t sequence = dun_log_first_sequence(&life->log) + next_byte(program) % 32;
    switch (what % 6) {
    case 0:
    case 1:
        append(life, (uint8_t)(next_byte(program) | (what % 6) << 6), next_u16(program) % 0x4000);
        return;
    case 2:
        append(life, 0x40, next_byte(program));
        return;
    case 3:
        before(life, true);
        (void)!dun_log_sync(&life->log);
        break;
    case 4:
        before(life, false);
        (void)!dun_log_ack(&life->log, sequence);
        break;
    default:
        before(life, false);
        (void)!dun_log_ack_to(&life->log, sequence);
        break;
    }
    after(life);
}

static void happen(struct life *life, struct program *program)
{
    uint8_t what = next_byte(program);
    switch (what % 8) {
    case 0:
        remount(life);
        break;
    case 1:
        if (life->mounted) {
            (void)read_all(life);
            (void)dun_log_victims_end(&life->log, DUN_LOG_OPENINGS_MAX);
            DUN_ASSERT(dun_log_used(&life->log) <= dun_log_capacity(&life->log));
        }
        break;
    case 2:
    case 3:
        meddle(life, what / 8, program);
        break;
    case 4:
        life->device.failing[what / 8 % 4] = next_byte(program) % 8;
        break;
    default:
        if (life->mounted) {
            use(life, what / 8, program);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct life life;
    struct program program = {data, size};
    memset(&life.device, 0, sizeof life.device);
    life.mounted = false;
    life.new_stream = 7;
    device_init(&life.device, &program);
    uint32_t unit = life.device.flash.geometry.prog_size;
    uint8_t how = next_byte(&program);
    life.unit_size = unit * (1 + how / 4 % (UNIT_MAX / unit));
    life.overflow = how % 3;
    mount(&life);
    for (int op = 0; op < OPS_MAX && program.size > 0; op++) {
        happen(&life, &program);
    }
    remount(&life);
    free(life.device.image);
    return 0;
}
