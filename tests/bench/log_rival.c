/* log_rival.c: see log_rival.h. The device below never fails here, so no result is looked at. */
#include "log_rival.h"

#include <string.h>

#include "crc32c.h"

#define UNIT_MAX      256
#define MAGIC         UINT32_C(0x534C5652)
#define SECTOR_STATES 2
#define RECORD_STATES 3
#define INFO_SIZE     8
#define END_SIZE      8
#define ENTRY_SIZE    16
#define READ_MAX      (4 * UNIT_MAX)

enum sector_state { SECTOR_BLANK, SECTOR_USING, SECTOR_FULL };
enum record_state { RECORD_BLANK, RECORD_PREWRITTEN, RECORD_WRITTEN, RECORD_DELIVERED };

/// Sizes ///

static uint32_t align(uint32_t size, uint32_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static uint32_t status_size(uint32_t states, uint32_t unit)
{
    return unit == 1 ? 1 : states * unit;
}

static uint32_t header_size(uint32_t unit)
{
    return status_size(SECTOR_STATES, unit) + align(INFO_SIZE, unit) + align(END_SIZE, unit);
}

static uint32_t entry_size(uint32_t unit)
{
    return status_size(RECORD_STATES, unit) + align(ENTRY_SIZE, unit);
}

static uint32_t entry_at(uint32_t unit, uint32_t entry)
{
    return header_size(unit) + entry * entry_size(unit);
}

uint32_t log_rival_overhead(const struct dun_flash_geometry *geometry)
{
    return entry_size(geometry->prog_size);
}

uint32_t log_rival_record_max(const struct dun_flash_geometry *geometry)
{
    uint32_t fixed = entry_at(geometry->prog_size, 1);

    return geometry->block_size > fixed ? geometry->block_size - fixed : 0;
}

/// The flash ///

static void put(const struct dun_flash *flash, uint32_t sector, uint32_t offset,
                const uint8_t *data, uint32_t size)
{
    uint32_t unit = flash->geometry.prog_size;
    uint32_t whole = size / unit * unit;
    uint8_t tail[UNIT_MAX];

    if (whole > 0)
        (void)flash->prog(flash->context, sector, offset, data, whole);
    if (whole == size)
        return;
    memset(tail, 0xFF, sizeof tail);
    memcpy(tail, data + whole, size - whole);
    (void)flash->prog(flash->context, sector, offset + whole, tail, unit);
}

static void put_status(const struct dun_flash *flash, uint32_t sector, uint32_t offset,
                       uint32_t state)
{
    uint32_t unit = flash->geometry.prog_size;
    uint8_t cleared[UNIT_MAX] = {0};
    uint8_t byte = (uint8_t)(0xFFu >> state);

    if (unit == 1)
        (void)flash->prog(flash->context, sector, offset, &byte, 1);
    else
        (void)flash->prog(flash->context, sector, offset + (state - 1) * unit, cleared, unit);
}

static uint32_t get_status(const uint8_t *bytes, uint32_t states, uint32_t unit)
{
    uint32_t state = 0;

    while (state < states && (unit == 1 ? bytes[0] >> (7 - state) : bytes[state * unit]) % 2 == 0)
        state++;
    return state;
}

static void put_words(const struct dun_flash *flash, uint32_t sector, uint32_t offset,
                      const uint32_t *words, uint32_t size)
{
    uint8_t bytes[ENTRY_SIZE];

    memcpy(bytes, words, size);
    put(flash, sector, offset, bytes, size);
}

static enum record_state get_entry(const struct dun_flash *flash, uint32_t sector, uint32_t entry,
                                   struct log_rival_record *record)
{
    uint32_t unit = flash->geometry.prog_size;
    uint8_t bytes[READ_MAX];
    uint32_t words[4];

    (void)flash->read(flash->context, sector, entry_at(unit, entry), bytes, entry_size(unit));
    memcpy(words, bytes + status_size(RECORD_STATES, unit), sizeof words);
    *record = (struct log_rival_record){sector, entry, words[0], words[1], words[2], words[3]};
    return get_status(bytes, RECORD_STATES, unit);
}

struct header {
    enum sector_state state;
    uint32_t time_first, count;
};

static struct header get_header(const struct dun_flash *flash, uint32_t sector)
{
    uint32_t unit = flash->geometry.prog_size;
    uint32_t at = status_size(SECTOR_STATES, unit);
    struct header header = {SECTOR_BLANK, 0, 0};
    uint8_t bytes[READ_MAX];
    uint32_t info[2], end[2];

    (void)flash->read(flash->context, sector, 0, bytes, header_size(unit));
    memcpy(info, bytes + at, sizeof info);
    memcpy(end, bytes + at + align(INFO_SIZE, unit), sizeof end);
    if (info[0] == MAGIC)
        header = (struct header){get_status(bytes, SECTOR_STATES, unit), info[1], end[1]};
    return header;
}

/// Mounting ///

/* The entries of the head, up to the first that was never begun. */
static void scan_head(struct log_rival *rival)
{
    const struct dun_flash_geometry *geometry = &rival->flash->geometry;
    struct log_rival_record record;

    rival->count = 0;
    rival->data_start = geometry->block_size;
    while (entry_at(geometry->prog_size, rival->count + 1) <= rival->data_start) {
        enum record_state state = get_entry(rival->flash, rival->head, rival->count, &record);

        if (state == RECORD_BLANK)
            break;
        rival->count++;
        if (state == RECORD_PREWRITTEN)
            continue;
        rival->data_start = record.address;
        rival->time_last = record.time;
    }
}

void log_rival_mount(struct log_rival *rival, const struct dun_flash *flash)
{
    uint32_t oldest = 0, newest = 0;

    memset(rival, 0, sizeof *rival);
    rival->flash = flash;
    for (uint32_t sector = 0; sector < flash->geometry.block_count; sector++) {
        struct header header = get_header(flash, sector);

        if (header.state == SECTOR_BLANK)
            continue;
        if (!rival->open || header.time_first < oldest) {
            oldest = header.time_first;
            rival->tail = sector;
        }
        if (!rival->open || header.time_first >= newest) {
            newest = header.time_first;
            rival->head = sector;
        }
        rival->open = true;
    }
    if (rival->open)
        scan_head(rival);
}

/// Writing ///

static void close_head(struct log_rival *rival)
{
    uint32_t unit = rival->flash->geometry.prog_size;
    uint32_t end[2] = {rival->time_last, rival->count};

    put_words(rival->flash, rival->head, status_size(SECTOR_STATES, unit) + align(INFO_SIZE, unit),
              end, sizeof end);
    put_status(rival->flash, rival->head, 0, SECTOR_FULL);
}

static void open_sector(struct log_rival *rival, uint32_t time)
{
    const struct dun_flash_geometry *geometry = &rival->flash->geometry;
    uint32_t next = rival->open ? (rival->head + 1) % geometry->block_count : 0;
    uint32_t info[2] = {MAGIC, time};

    if (rival->open) {
        close_head(rival);
        if (next == rival->tail)
            rival->tail = (next + 1) % geometry->block_count;
    }
    (void)rival->flash->erase(rival->flash->context, next);
    put_status(rival->flash, next, 0, SECTOR_USING);
    put_words(rival->flash, next, status_size(SECTOR_STATES, geometry->prog_size), info,
              sizeof info);
    rival->head = next;
    rival->count = 0;
    rival->data_start = geometry->block_size;
    rival->open = true;
}

static bool fits(const struct log_rival *rival, uint32_t size)
{
    uint32_t unit = rival->flash->geometry.prog_size;

    return rival->open && rival->data_start >= align(size, unit) &&
           entry_at(unit, rival->count + 1) <= rival->data_start - align(size, unit);
}

void log_rival_append(struct log_rival *rival, uint32_t time, const uint8_t *data, uint32_t size,
                      struct log_rival_record *record)
{
    uint32_t unit = rival->flash->geometry.prog_size;
    uint32_t words[4] = {time, dun_crc32c(0, data, size), size, 0};
    uint32_t at;

    if (!fits(rival, size))
        open_sector(rival, time);
    at = entry_at(unit, rival->count);
    words[3] = rival->data_start - align(size, unit);
    put_status(rival->flash, rival->head, at, RECORD_PREWRITTEN);
    put_words(rival->flash, rival->head, at + status_size(RECORD_STATES, unit), words,
              sizeof words);
    put(rival->flash, rival->head, words[3], data, size);
    put_status(rival->flash, rival->head, at, RECORD_WRITTEN);
    (void)rival->flash->sync(rival->flash->context);
    *record = (struct log_rival_record){rival->head, rival->count, time, words[1], size, words[3]};
    rival->data_start = words[3];
    rival->time_last = time;
    rival->count++;
}

void log_rival_deliver(struct log_rival *rival, const struct log_rival_record *record)
{
    put_status(rival->flash, record->sector,
               entry_at(rival->flash->geometry.prog_size, record->entry), RECORD_DELIVERED);
}

/// Reading ///

static uint32_t entries(const struct log_rival *rival, uint32_t sector)
{
    return sector == rival->head ? rival->count : get_header(rival->flash, sector).count;
}

bool log_rival_first(const struct log_rival *rival, struct log_rival_record *record)
{
    uint32_t sectors = rival->flash->geometry.block_count;
    bool more = rival->open;

    for (uint32_t sector = rival->tail; more; sector = (sector + 1) % sectors) {
        uint32_t count = entries(rival, sector);

        for (uint32_t entry = 0; entry < count; entry++)
            if (get_entry(rival->flash, sector, entry, record) == RECORD_WRITTEN)
                return true;
        more = sector != rival->head;
    }
    return false;
}

uint32_t log_rival_waiting(const struct log_rival *rival)
{
    uint32_t sectors = rival->flash->geometry.block_count, waiting = 0;
    struct log_rival_record record;
    bool more = rival->open;

    for (uint32_t sector = rival->tail; more; sector = (sector + 1) % sectors) {
        uint32_t count = entries(rival, sector);

        for (uint32_t entry = 0; entry < count; entry++)
            waiting += get_entry(rival->flash, sector, entry, &record) == RECORD_WRITTEN;
        more = sector != rival->head;
    }
    return waiting;
}

bool log_rival_read(const struct log_rival *rival, const struct log_rival_record *record,
                    uint8_t *data)
{
    (void)rival->flash->read(rival->flash->context, record->sector, record->address, data,
                             record->size);
    return dun_crc32c(0, data, record->size) == record->crc;
}
