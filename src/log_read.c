/*
 * log_read.c: the reading half of the log: gives out durable records in order, as often as asked.
 * It never programs; what it finds damaged goes to the ledger and counts as done.
 */
#include <string.h>

#include "log_internal.h"

/* Serials are never reused and the live ones are contiguous, so this needs no look at the flash. */
static bool is_live(const struct dun_log *log, uint32_t serial)
{
    return log->base_serial != 0 && serial >= log->tail_serial && serial <= log->base_serial;
}

/* Records of the walk's block count up to the first sequence of the next block; should that one be
 * gone, the block behind it knows the sequence. */
static void limit(const struct dun_log *log, struct dun_log_walk *walk, uint32_t serial)
{
    struct dun_log_opening next;

    if (serial == log->base_serial)
        walk->end = log->next - log->unsynced;
    else if (dun_log_block_after(log, walk->block, serial, &next) < 0)
        walk->end = next.first; /* the base's, which is lost */
    else if (next.before_serial > serial && next.before_first < next.first)
        walk->end = next.before_first;
    else
        walk->end = next.first;
}

/* Goes to the block behind `block` in the chain; false if there is none. */
static bool enter_after(const struct dun_log *log, struct dun_log_walk *walk, uint32_t block,
                        uint32_t *serial)
{
    struct dun_log_opening opening;
    int64_t next = dun_log_block_after(log, block, *serial, &opening);

    if (next < 0)
        return false;
    *serial = opening.serial;
    dun_log_walk_start(walk, log->flash, (uint32_t)next, &opening);
    limit(log, walk, opening.serial);
    return true;
}

/* Goes to the oldest block, or to the next one if its opening is damaged. */
static bool enter_tail(const struct dun_log *log, struct dun_log_walk *walk, uint32_t *serial)
{
    struct dun_log_opening opening;

    *serial = log->tail_serial;
    if (log->tail == log->base && !log->base_lost)
        dun_log_base_opening(log, &opening);
    else if (dun_log_get_opening(log->flash, log->tail, &opening) != DUN_LOG_BLOCK_OURS ||
             !dun_log_in_chain(log, log->tail, &opening) || opening.serial != log->tail_serial)
        return enter_after(log, walk, log->tail, serial);
    dun_log_walk_start(walk, log->flash, log->tail, &opening);
    limit(log, walk, opening.serial);
    return true;
}

/* Puts the walk into a block of which one record's place is known. */
static void enter_at(const struct dun_log *log, struct dun_log_walk *walk, uint32_t block,
                     uint32_t serial, dun_sequence sequence, uint32_t offset)
{
    struct dun_log_opening opening = {
        .stream = log->stream, .first = sequence, .serial = serial, .size = DUN_LOG_OPENING_SIZE};

    dun_log_walk_start(walk, log->flash, block, &opening);
    walk->offset = offset;
    limit(log, walk, serial);
}

static bool answers(const struct dun_log *log, uint32_t block)
{
    uint8_t byte;

    return log->flash->read(log->flash->context, block, 0, &byte, 1) == DUN_OK;
}

/*
 * Sequences first..end-1 are not where they should be. 0 if they are given up; DUN_E_IO if the
 * device seems to be away, which is no reason to call its records lost; DUN_E_AGAIN if all before
 * them must be acknowledged first, since nothing else could tell that these are done.
 */
static int give_up(struct dun_log *log, uint32_t block, dun_sequence first, dun_sequence end)
{
    uint32_t count = log->flash->geometry.block_count;

    if (first >= end)
        return DUN_OK;
    if (!answers(log, block) && !answers(log, (block + 1) % count) && !answers(log, log->base))
        return DUN_E_IO;
    while (first < end) {
        dun_sequence stop = dun_log_open_run(log, &first, end);

        if (stop <= first)
            break;
        if (!dun_log_mark_done(log, first, stop - first)) /* met again when the cursor is there */
            return dun_has_ranges() ? DUN_OK : DUN_E_AGAIN;
        dun_ledger_add(log->ledger, first, stop - 1, DUN_LOSS_DAMAGED);
        log->damaged += (uint32_t)(stop - first);
        log->acks_changed = true;
    }
    return DUN_OK;
}

/* From where the walk stands to the next open record with a sequence above `after`. */
static int advance(struct dun_log *log, struct dun_log_walk *walk, uint32_t serial,
                   dun_sequence after, struct dun_log_cursor *cursor)
{
    struct dun_log_found found;

    for (;;) {
        dun_sequence expected = walk->sequence;
        bool there = expected < walk->end && dun_log_walk_next(walk, &found);
        dun_sequence end = there ? found.sequence : walk->end;
        int result = give_up(log, walk->block, expected, end);

        if (result == DUN_OK && !there) {
            if (!enter_after(log, walk, walk->block, &serial))
                return 0;
            result = give_up(log, walk->block, end, walk->sequence); /* a block between held them */
        }
        if (result < 0)
            return result;
        if (!there || found.meta || found.sequence <= after || dun_log_is_done(log, found.sequence))
            continue;
        cursor->sequence = found.sequence;
        cursor->block = walk->block;
        cursor->offset = found.offset;
        cursor->size = found.size;
        cursor->serial = serial;
        cursor->urgent = found.urgent;
        return 1;
    }
}

/* The first open record above `after`, starting as near as the hint allows. */
static int seek(struct dun_log *log, dun_sequence after, struct dun_log_cursor *cursor)
{
    struct dun_log_walk walk;
    uint32_t serial = log->hint_serial;
    int result;

    if (log->base_serial == 0 || log->cursor >= log->next - log->unsynced)
        return 0;
    if (is_live(log, serial) && log->hint_sequence <= after + 1)
        enter_at(log, &walk, log->hint_block, serial, log->hint_sequence, log->hint_offset);
    else if (!enter_tail(log, &walk, &serial))
        return give_up(log, log->tail, after + 1, log->next - log->unsynced);
    while (walk.end <= after + 1 && enter_after(log, &walk, walk.block, &serial))
        continue;
    result = give_up(log, walk.block, after + 1, walk.sequence);
    if (result < 0)
        return result;
    return advance(log, &walk, serial, after, cursor);
}

int dun_log_first(struct dun_log *log, struct dun_log_cursor *cursor)
{
    int result = seek(log, log->cursor - 1, cursor);

    if (result == 1) {
        log->hint_sequence = cursor->sequence;
        log->hint_block = cursor->block;
        log->hint_offset = cursor->offset - DUN_LOG_HEADER_SIZE;
        log->hint_serial = cursor->serial;
    }
    return result;
}

int dun_log_next(struct dun_log *log, struct dun_log_cursor *cursor)
{
    struct dun_log_walk walk;

    if (!is_live(log, cursor->serial) || cursor->block >= log->flash->geometry.block_count)
        return seek(log, cursor->sequence, cursor);
    enter_at(log, &walk, cursor->block, cursor->serial, cursor->sequence + 1,
             cursor->offset + cursor->size + DUN_LOG_CRC_SIZE);
    return advance(log, &walk, cursor->serial, cursor->sequence, cursor);
}

/* An erase that failed may have taken any part of a block that the log still counts as its own. */
static bool is_whole(const struct dun_log *log, const struct dun_log_cursor *cursor)
{
    struct dun_log_walk walk;
    struct dun_log_found found;

    enter_at(log, &walk, cursor->block, cursor->serial, cursor->sequence,
             cursor->offset - DUN_LOG_HEADER_SIZE);
    return dun_log_walk_next(&walk, &found) && found.offset == cursor->offset &&
           found.size == cursor->size;
}

int dun_log_read(struct dun_log *log, const struct dun_log_cursor *cursor, uint32_t offset,
                 void *data, uint32_t size)
{
    const struct dun_flash *flash = log->flash;

    if (!is_live(log, cursor->serial))
        return DUN_E_NOT_FOUND;
    if (offset > cursor->size || size > cursor->size - offset)
        return DUN_E_INVALID;
    if (log->erase_failed && !is_whole(log, cursor))
        return DUN_E_NOT_FOUND;
    return flash->read(flash->context, cursor->block, cursor->offset + offset, data, size);
}
