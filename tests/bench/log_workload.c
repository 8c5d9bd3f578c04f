/* log_workload.c: see log_workload.h. */
#include "log_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_MAX 64

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "workload: %s\n", what);
    abort();
}

/* The payload of the record with this number, the same in both logs. */
static void fill(uint8_t *payload, uint32_t size, uint64_t number)
{
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)((number * 31 + i * 7) ^ number >> 8);
}

/// Ours ///

uint64_t log_ours_mount(struct log_ours *ours)
{
    uint64_t before = ours->device.counts.bytes_read;
    const struct dun_flash_geometry *geometry = &ours->device.flash.geometry;
    uint32_t unit_size = ours->work.unit_size != 0 ? ours->work.unit_size : geometry->prog_size;
    struct dun_log_config config = {.flash = &ours->device.flash,
                                    .ledger = &ours->ledger,
                                    .unit = {ours->unit, unit_size},
                                    .new_stream = 1};

    must(unit_size <= sizeof ours->unit, "the unit buffer is too large");
    dun_ledger_init(&ours->ledger, ours->losses, LOG_WORKLOAD_LOSSES);
    must(dun_log_mount(&ours->log, &config, &ours->report) == DUN_OK, "our log does not mount");
    return ours->device.counts.bytes_read - before;
}

void log_ours_open(struct log_ours *ours, struct dun_flash_geometry geometry,
                   struct log_workload work)
{
    memset(ours, 0, sizeof *ours);
    must(work.record_size <= LOG_WORKLOAD_RECORD_MAX && work.group > 0 && work.group <= GROUP_MAX,
         "not a workload");
    ours->work = work;
    log_device_init(&ours->device, geometry);
    (void)log_ours_mount(ours);
}

void log_ours_run(struct log_ours *ours, uint64_t records)
{
    uint8_t payload[LOG_WORKLOAD_RECORD_MAX];
    uint64_t end = dun_log_next_sequence(&ours->log) + records;

    while (dun_log_next_sequence(&ours->log) < end) {
        uint64_t durable = dun_log_next_sequence(&ours->log) - 1;

        if (ours->work.acked && durable > 0)
            must(dun_log_ack_to(&ours->log, durable) == DUN_OK, "our log refuses an ack");
        for (uint32_t i = 0; i < ours->work.group && dun_log_next_sequence(&ours->log) < end; i++) {
            struct dun_span span = {payload, ours->work.record_size};

            fill(payload, ours->work.record_size, dun_log_next_sequence(&ours->log));
            must(dun_log_append(&ours->log, span) == DUN_OK, "our log refuses a record");
        }
        must(dun_log_sync(&ours->log) == DUN_OK, "our log does not sync");
    }
}

static void check_ours(struct log_ours *ours, const struct dun_log_cursor *cursor)
{
    uint8_t expected[LOG_WORKLOAD_RECORD_MAX], found[LOG_WORKLOAD_RECORD_MAX];

    must(cursor->size == ours->work.record_size, "our log gives a record of another size");
    must(dun_log_read(&ours->log, cursor, 0, found, cursor->size) == DUN_OK, "no reading");
    fill(expected, cursor->size, cursor->sequence);
    must(memcmp(expected, found, cursor->size) == 0, "our log gives another record");
}

struct log_boot log_ours_boot(struct log_ours *ours)
{
    uint64_t next = dun_log_next_sequence(&ours->log);
    uint64_t before = ours->device.counts.bytes_read;
    struct dun_log_cursor cursor;
    struct log_boot boot;
    int found;

    boot.mount = log_ours_mount(ours);
    must(dun_log_next_sequence(&ours->log) == next, "our log lost its place");
    must(ours->report.damaged == 0, "our log found damage");
    boot.count = boot.mount;
    found = dun_log_first(&ours->log, &cursor);
    must(found >= 0 && (found > 0) == (next > 1), "our log lost its records");
    if (found > 0)
        check_ours(ours, &cursor);
    boot.first = ours->device.counts.bytes_read - before;
    return boot;
}

void log_ours_close(struct log_ours *ours)
{
    log_device_free(&ours->device);
}

/// Theirs ///

void log_theirs_open(struct log_theirs *theirs, struct dun_flash_geometry geometry,
                     struct log_workload work)
{
    memset(theirs, 0, sizeof *theirs);
    must(work.record_size <= LOG_WORKLOAD_RECORD_MAX && work.group > 0 && work.group <= GROUP_MAX,
         "not a workload");
    must(work.record_size <= log_rival_record_max(&geometry), "the rival has no room for it");
    theirs->work = work;
    theirs->time = 1;
    log_device_init(&theirs->device, geometry);
    log_rival_mount(&theirs->rival, &theirs->device.flash);
}

/* What was acknowledged last: ours makes that durable one group later, and so it is done here. */
static void deliver_waiting(struct log_theirs *theirs)
{
    struct log_rival_record record;

    while (log_rival_first(&theirs->rival, &record))
        log_rival_deliver(&theirs->rival, &record);
}

void log_theirs_run(struct log_theirs *theirs, uint64_t records)
{
    uint8_t payload[LOG_WORKLOAD_RECORD_MAX];
    struct log_rival_record waiting[GROUP_MAX];
    uint32_t count = 0;

    if (theirs->work.acked)
        deliver_waiting(theirs);
    for (uint64_t i = 0; i < records; i++) {
        if (count == theirs->work.group) {
            for (uint32_t j = 0; j < count && theirs->work.acked; j++)
                log_rival_deliver(&theirs->rival, &waiting[j]);
            count = 0;
        }
        fill(payload, theirs->work.record_size, theirs->time);
        log_rival_append(&theirs->rival, theirs->time++, payload, theirs->work.record_size,
                         &waiting[count++]);
    }
}

struct log_boot log_theirs_boot(struct log_theirs *theirs)
{
    uint8_t expected[LOG_WORKLOAD_RECORD_MAX], payload[LOG_WORKLOAD_RECORD_MAX];
    uint64_t before = theirs->device.counts.bytes_read;
    uint32_t waiting;
    struct log_rival_record record;
    struct log_boot boot;
    bool found;

    log_rival_mount(&theirs->rival, &theirs->device.flash);
    boot.mount = theirs->device.counts.bytes_read - before;
    found = log_rival_first(&theirs->rival, &record);
    boot.first = theirs->device.counts.bytes_read - before;
    must(found == (theirs->time > 1), "the rival lost its records");
    if (found) {
        must(record.size == theirs->work.record_size &&
                 log_rival_read(&theirs->rival, &record, payload),
             "the rival's record is damaged");
        boot.first += record.size;
        fill(expected, record.size, record.time);
        must(memcmp(expected, payload, record.size) == 0, "the rival gives another record");
    }
    before = theirs->device.counts.bytes_read;
    waiting = log_rival_waiting(&theirs->rival);
    must((waiting > 0) == found, "the rival cannot count");
    boot.count = boot.mount + theirs->device.counts.bytes_read - before;
    return boot;
}

void log_theirs_close(struct log_theirs *theirs)
{
    log_device_free(&theirs->device);
}
