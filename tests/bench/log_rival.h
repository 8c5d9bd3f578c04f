/*
 * log_rival.h: a straightforward log on flash to compare ours with: the fixed-header layout of the
 * common flash time-series databases, as FlashDB's public documentation describes its TSDB (sectors
 * with a status; a record that is pre-written, written, later deleted, in that order). Written anew
 * from that description.
 *
 *      sector:  | header | entry 0 | entry 1 | ...  0xFF  ... | data 1 | data 0 |
 *      header:  status (using, full) | magic, time of the first | time of the last, count
 *      entry:   status (pre-written, written, delivered) | time, CRC, length, address
 *
 * A status is one byte whose bits are cleared one after the other where the flash takes that, and
 * one program unit a state where it does not. FlashDB itself stops at units of 4 bytes and has no
 * CRC; the larger units are our stretch, the 4 bytes of CRC our addition, so that both logs find
 * damage. It does not survive what ours does: it is no second implementation, only a second cost.
 */
#ifndef LOG_RIVAL_H
#define LOG_RIVAL_H

#include "flash.h"

struct log_rival {
    const struct dun_flash *flash;
    uint32_t tail, head; /* the oldest sector, and the one being written */
    uint32_t count;      /* entries in the head */
    uint32_t data_start; /* of the data in the head */
    uint32_t time_last;
    bool open; /* there is a head */
};

struct log_rival_record {
    uint32_t sector, entry;
    uint32_t time, crc, size, address;
};

/* The largest record, bytes; 0 if a sector of this geometry cannot hold one. */
uint32_t log_rival_record_max(const struct dun_flash_geometry *geometry);

/* What a record costs beside its payload, its share of the sector header not counted. */
uint32_t log_rival_overhead(const struct dun_flash_geometry *geometry);

/* Reads the headers of all sectors and the entries of the newest. */
void log_rival_mount(struct log_rival *rival, const struct dun_flash *flash);

/* Appends one record, durable on return; tells where it lies. Recycles the oldest sector if full.
 */
void log_rival_append(struct log_rival *rival, uint32_t time, const uint8_t *data, uint32_t size,
                      struct log_rival_record *record);

/* Marks one record as delivered, durable on return. */
void log_rival_deliver(struct log_rival *rival, const struct log_rival_record *record);

/*
 * The oldest record that is not delivered; false if there is none. Only its status tells, so this
 * reads entry after entry from the oldest sector on.
 */
bool log_rival_first(const struct log_rival *rival, struct log_rival_record *record);

/* How many records are not delivered. Reads every entry of every sector. */
uint32_t log_rival_waiting(const struct log_rival *rival);

/* Reads a record whole; false if its CRC does not match. */
bool log_rival_read(const struct log_rival *rival, const struct log_rival_record *record,
                    uint8_t *data);

#endif
