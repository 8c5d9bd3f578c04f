/*
 * thinner.c: copies survivors into the archive. Invariant: a record is copied before the append
 * that may recycle the block it lies in.
 */
#include "thinner.h"

#define COPY_SIZE 128 /* bytes on the stack */

static int copy_payload(struct dun_log *from, const struct dun_log_cursor *cursor,
                        struct dun_log *to)
{
    uint8_t bytes[COPY_SIZE];
    for (uint32_t offset = 0; offset < cursor->size; offset += COPY_SIZE) {
        uint32_t left = cursor->size - offset;
        uint32_t size = left < COPY_SIZE ? left : COPY_SIZE;
        int result = dun_log_read(from, cursor, offset, bytes, size);
        if (result == DUN_OK)
            result = dun_log_write(to, bytes, size);
        if (result < 0)
            return result;
    }
    return DUN_OK;
}

static int copy_record(struct dun_log *from, const struct dun_log_cursor *cursor,
                       struct dun_log *to)
{
    int result =
        cursor->urgent ? dun_log_begin_urgent(to, cursor->size) : dun_log_begin(to, cursor->size);
    if (result == DUN_OK)
        result = copy_payload(from, cursor, to);
    return result == DUN_OK ? dun_log_commit(to) : result;
}

static bool stays(const struct dun_thinner *thinner, const struct dun_log_cursor *cursor)
{
    return cursor->urgent || cursor->sequence % thinner->keep_every == 0;
}

/*
 * The archive opened a block: what the next one will take is thinned once more, into the fresh
 * block. At most half of that, so that thinning always makes room, even if all is urgent; after a
 * boot at most what is left of it, since opening the next would take what is being read.
 */
static int thin_archive(struct dun_thinner *thinner)
{
    struct dun_log *log = &thinner->archive->log;
    if (dun_log_serial(log) == thinner->archive_serial)
        return DUN_OK;
    thinner->archive_serial = dun_log_serial(log);
    dun_sequence end = dun_log_victims_end(log, 1);
    uint32_t room = log->flash->geometry.block_size / 2;
    if (room > dun_log_room(log))
        room = dun_log_room(log);
    struct dun_log_cursor cursor;
    int result = dun_log_first(log, &cursor);
    for (; result > 0 && cursor.sequence < end; result = dun_log_next(log, &cursor)) {
        uint32_t size = cursor.size + DUN_LOG_RECORD_OVERHEAD;
        if (!stays(thinner, &cursor) || size > room)
            continue;
        room -= size;
        int copied = copy_record(log, &cursor, log);
        if (copied < 0)
            return copied;
    }
    return result < 0 ? result : DUN_OK;
}

static int save(struct dun_thinner *thinner, dun_sequence end)
{
    struct dun_log *from = &thinner->store->log;
    struct dun_log_cursor cursor;
    int result = dun_log_first(from, &cursor);
    for (; result > 0 && cursor.sequence < end; result = dun_log_next(from, &cursor)) {
        if (cursor.sequence < thinner->saved || !stays(thinner, &cursor))
            continue;
        int copied = copy_record(from, &cursor, &thinner->archive->log);
        if (copied == DUN_OK)
            copied = thin_archive(thinner);
        if (copied < 0 && copied != DUN_E_TOO_LARGE)
            return copied;
    }
    if (result >= 0)
        result = dun_log_sync(&thinner->archive->log);
    if (result >= 0)
        thinner->saved = end;
    return result;
}

int dun_thinner_tick(struct dun_thinner *thinner)
{
    if (!thinner->store->mounted || !thinner->archive->mounted)
        return DUN_OK;
    const struct dun_log *log = &thinner->store->log;
    uint32_t serial = dun_log_serial(log);
    /* In a ring so small one append may take what lies in the newest block, too. */
    bool small = log->flash->geometry.block_count <= DUN_LOG_OPENINGS_MAX;
    if (serial == thinner->store_serial && !small)
        return DUN_OK;
    thinner->store_serial = serial;
    dun_sequence end = dun_log_victims_end(log, DUN_LOG_OPENINGS_MAX);
    bool more = end > dun_log_first_sequence(log) && end > thinner->saved;
    return more ? save(thinner, end) : DUN_OK;
}
