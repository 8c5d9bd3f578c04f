/*
 * log_workload.h: the same work for our log and for the rival: records appended, made durable one
 * by one or in groups, then acknowledged. Everything is counted by the device, nothing is timed. A
 * step that fails, or a record that does not come back as it went in, aborts with a message.
 *
 * Ours acknowledges in RAM; the ack becomes durable with the sync of the next group, as in the
 * agent. The rival's records and acks are durable one by one, which is all its layout can do.
 */
#ifndef LOG_WORKLOAD_H
#define LOG_WORKLOAD_H

#include "log.h"
#include "log_device.h"
#include "log_rival.h"

#define LOG_WORKLOAD_RECORD_MAX 1024
#define LOG_WORKLOAD_UNIT_MAX   4096
#define LOG_WORKLOAD_LOSSES     2

struct log_workload {
    uint32_t record_size;
    uint32_t group;     /* records a sync covers */
    uint32_t unit_size; /* write buffer of ours; 0: one program unit */
    bool acked;         /* each group is acknowledged when it is durable */
};

/* Our log on a device. It must not move once it is opened. */
struct log_ours {
    struct log_workload work;
    struct log_device device;
    struct dun_log log;
    struct dun_ledger ledger;
    struct dun_loss losses[LOG_WORKLOAD_LOSSES];
    struct dun_log_report report;
    uint8_t unit[LOG_WORKLOAD_UNIT_MAX];
};

/* The rival on a device of its own. */
struct log_theirs {
    struct log_workload work;
    struct log_device device;
    struct log_rival rival;
    uint32_t time;
};

/*
 * Bytes read until the log can be written to, until the first record that is not acknowledged was
 * read, and until it is known how many wait, each from the beginning of the boot. The mount of ours
 * knows the last from the start; the rival has to count.
 */
struct log_boot {
    uint64_t mount, first, count;
};

void log_ours_open(struct log_ours *ours, struct dun_flash_geometry geometry,
                   struct log_workload work);
void log_ours_run(struct log_ours *ours, uint64_t records);
/* Mounts what is on the device once more, from its bytes alone; returns the bytes that took. */
uint64_t log_ours_mount(struct log_ours *ours);
/* The same, and sees that nothing changed by it. */
struct log_boot log_ours_boot(struct log_ours *ours);
void log_ours_close(struct log_ours *ours);

void log_theirs_open(struct log_theirs *theirs, struct dun_flash_geometry geometry,
                     struct log_workload work);
void log_theirs_run(struct log_theirs *theirs, uint64_t records);
struct log_boot log_theirs_boot(struct log_theirs *theirs);
void log_theirs_close(struct log_theirs *theirs);

#endif
