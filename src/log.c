/*
 * log.c: the writing half of the log, and the ring. log_read.c gives records out, log_mount.c finds
 * them again after a boot, log_format.c knows the bytes, log_done.c what was acknowledged.
 *
 *      tail                    base = head                       a block:
 *     +------+------+------+------+- - - +- - - +      +---------+-------+------+------+--
 *     | s 41 | s 42 | s 43 | s 44 | next |      |      | opening | state |record|record|  0xFF
 *     +------+------+------+------+- - - +- - - +      +---------+-------+------+------+--
 *
 * Blocks are filled one after the other round the ring. Each opening carries a serial that only
 * grows, so the newest block is the one with the largest; a state record (what was acknowledged,
 * the loss ledger) follows it, so the newest block alone tells all there is to know.
 *
 * How it survives:
 * - Bytes are programmed once, in ascending order: small pieces gather in the unit buffer, whole
 *   units of a larger one go straight from the caller's memory. A sync pads the unit.
 * - A block is synced before the next one is opened. So only the newest block can be torn, and an
 *   opening that did not make it leaves the block before it in charge.
 * - A record counts if its CRC matches, which covers the stream, the block's serial and the full
 *   sequence: nothing of an earlier lap, log or attempt can pass.
 * - Records are given out only once they are durable, and their sequence is never given again. When
 *   a program or sync fails, what came after the last good sync is withdrawn and the next block
 *   begins at the first withdrawn sequence; its opening voids whatever is left of them.
 * - The next block is erased only when all before it is durable. If the power fails between the
 * erase and the opening, mount sees from the cursor and the oldest block left what was lost.
 * - A block that fails is skipped, at most DUN_LOG_SKIP_MAX in a row: a dead device must not eat
 * the backlog. A failed sync uses the same block again, for the same reason.
 */
#include "log.h"

#include <string.h>

#include "crc32c.h"
#include "log_internal.h"

#define RESERVE_BLOCKS_MIN 4 /* a ring of fewer blocks keeps none in reserve */

_Static_assert(sizeof(struct dun_log) < 200, "the log's own RAM is promised to stay below this");
_Static_assert(DUN_LOG_RECORD_OVERHEAD == DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE,
               "log.h and log_format.h must agree");

/// The ring ///

uint32_t dun_log_distance(const struct dun_log *log, uint32_t from, uint32_t to)
{
    uint32_t count = log->flash->geometry.block_count;

    return (to + count - from - 1) % count + 1;
}

/* Far less than 2^32 records lie between the two. */
static dun_sequence base_first(const struct dun_log *log)
{
    return log->next - (uint32_t)((uint32_t)log->next - log->base_first);
}

void dun_log_base_opening(const struct dun_log *log, struct dun_log_opening *opening)
{
    memset(opening, 0, sizeof *opening);
    opening->stream = log->stream;
    opening->first = base_first(log);
    opening->serial = log->base_serial;
    opening->size = log->base_old ? DUN_LOG_OPENING_OLD : DUN_LOG_OPENING_SIZE;
}

bool dun_log_in_chain(const struct dun_log *log, uint32_t block,
                      const struct dun_log_opening *opening)
{
    return opening->stream == log->stream && opening->first <= base_first(log) &&
           opening->serial <= log->base_serial - (block == log->base ? 0 : 1);
}

int64_t dun_log_block_after(const struct dun_log *log, uint32_t block, uint32_t serial,
                            struct dun_log_opening *opening)
{
    if (block == log->base)
        return -1;
    while (block != log->base) {
        block = (block + 1) % log->flash->geometry.block_count;
        if (dun_log_get_opening(log->flash, block, opening) == DUN_LOG_BLOCK_OURS &&
            dun_log_in_chain(log, block, opening) && opening->serial > serial)
            return block;
    }
    dun_log_base_opening(log, opening); /* by heart, should it have been damaged since */
    return log->base_serial > serial && !log->base_lost ? (int64_t)block : -1;
}

uint16_t dun_log_losses_max(uint32_t block_size)
{
    uint32_t fixed = DUN_LOG_OPENING_SIZE + DUN_LOG_RECORD_OVERHEAD + DUN_LOG_STATE_SIZE +
                     DUN_LOG_DONE_MAX * DUN_LOG_DONE_SIZE;
    uint32_t fit = block_size / 2 < fixed ? 0 : (block_size / 2 - fixed) / DUN_LOG_LOSS_SIZE;

    if (fit < DUN_LEDGER_CAPACITY_MIN)
        return DUN_LEDGER_CAPACITY_MIN;
    return fit > UINT8_MAX ? UINT8_MAX : (uint16_t)fit;
}

static uint32_t state_size(uint32_t done_count, uint32_t loss_count)
{
    return DUN_LOG_STATE_SIZE + done_count * DUN_LOG_DONE_SIZE + loss_count * DUN_LOG_LOSS_SIZE;
}

uint32_t dun_log_record_max(const struct dun_log *log)
{
    uint32_t size = log->flash->geometry.block_size - DUN_LOG_OPENING_SIZE -
                    DUN_LOG_RECORD_OVERHEAD - state_size(DUN_LOG_DONE_MAX, log->ledger->capacity) -
                    DUN_LOG_RECORD_OVERHEAD;

    return size > DUN_LOG_SIZE_MAX ? DUN_LOG_SIZE_MAX : size;
}

/// Failure ///

/* What came after the last good sync never was. The state must be written again. */
static void withdraw(struct dun_log *log)
{
    log->next -= log->unsynced;
    log->unsynced = 0;
    log->fill = 0;
    log->head_open = false;
    log->record_open = false;
    log->acks_changed = true;
    dun_ledger_untell(log->ledger, log->next);
    if (log->cursor > log->next)
        log->cursor = log->next;
    while (dun_log_done_used(log) > 0) {
        uint8_t i = (uint8_t)(log->done_used - 1);

        if (log->done_first[i] + log->done_count[i] <= log->next)
            break;
        if (log->done_first[i] < log->next) {
            log->done_count[i] = (uint32_t)(log->next - log->done_first[i]);
            break;
        }
        log->done_used--;
    }
}

static uint8_t skip_limit(const struct dun_log *log)
{
    uint32_t others = log->flash->geometry.block_count - 1;

    return others < DUN_LOG_SKIP_MAX ? (uint8_t)others : DUN_LOG_SKIP_MAX;
}

/* The block itself failed, not the device as far as we know: the next opening goes elsewhere. */
static void skip_block(struct dun_log *log)
{
    log->skip = (uint8_t)((log->skip + 1) % skip_limit(log));
}

/// Bytes out ///

static int program(struct dun_log *log, const uint8_t *data, uint32_t size)
{
    const struct dun_flash *flash = log->flash;
    int result = flash->prog(flash->context, log->head, log->offset, data, size);

    if (result < 0) {
        if (log->serial != log->base_serial)
            skip_block(log);
        withdraw(log);
        return result;
    }
    log->offset += size;
    log->fill = 0;
    return DUN_OK;
}

/* In at most two programs: what fills the buffer, then whole units straight; the rest waits. */
static int emit(struct dun_log *log, const void *data, uint32_t size)
{
    const uint8_t *bytes = data;

    while (size > 0) {
        bool straight = log->fill == 0 && size >= log->unit_size;
        uint32_t room = straight ? size - size % log->unit_size : log->unit_size - log->fill;
        uint32_t chunk = room < size ? room : size;
        int result = DUN_OK;

        if (straight) {
            result = program(log, bytes, chunk);
        } else {
            memcpy(log->unit + log->fill, bytes, chunk);
            log->fill += chunk;
            if (log->fill == log->unit_size)
                result = program(log, log->unit, log->fill);
        }
        if (result < 0)
            return result;
        bytes += chunk;
        size -= chunk;
    }
    return DUN_OK;
}

static int emit_checked(struct dun_log *log, const void *data, uint32_t size)
{
    log->record_crc = dun_crc32c(log->record_crc, data, size);
    return emit(log, data, size);
}

static int emit_header(struct dun_log *log, uint16_t length)
{
    uint8_t bytes[DUN_LOG_HEADER_SIZE];

    dun_put16(bytes, length);
    dun_put16(bytes + 2, (uint16_t)log->next);
    log->record_crc = dun_log_record_crc(dun_log_seed(log->stream, log->serial), length, log->next);
    return emit(log, bytes, sizeof bytes);
}

static int emit_crc(struct dun_log *log)
{
    uint8_t bytes[DUN_LOG_CRC_SIZE];

    dun_put32(bytes, log->record_crc);
    return emit(log, bytes, sizeof bytes);
}

/* Programs what the unit buffer holds, padded, and syncs. From here on the head is the base. */
static int settle(struct dun_log *log)
{
    uint32_t prog_size = log->flash->geometry.prog_size;
    uint32_t padded = (log->fill + prog_size - 1) / prog_size * prog_size;
    int result = DUN_OK;

    memset(log->unit + log->fill, 0xFF, padded - log->fill);
    log->fill = padded;
    if (padded > 0)
        result = program(log, log->unit, padded);
    if (result < 0)
        return result;
    result = log->flash->sync(log->flash->context);
    if (result < 0) {
        withdraw(log);
        return result;
    }
    if (log->base_serial == 0) {
        log->tail = log->head;
        log->tail_serial = log->serial;
    }
    if (log->base_serial != log->serial) {
        log->base_first = (uint32_t)(log->next - log->unsynced);
        log->base_old = false;
        log->base_lost = false;
    }
    log->base = log->head;
    log->base_serial = log->serial;
    log->unsynced = 0;
    log->skip = 0;
    return DUN_OK;
}

/// State records ///

static bool state_changed(const struct dun_log *log)
{
    return log->acks_changed || log->ledger_saved != log->ledger->changes;
}

/* Ranges too far off for their 32-bit fields are left out: those records are sent again. */
static uint8_t storable_ranges(const struct dun_log *log)
{
    uint8_t count = 0;

    while (count < dun_log_done_used(log) && log->done_first[count] - log->cursor <= UINT32_MAX)
        count++;
    return count;
}

static int emit_state_head(struct dun_log *log, uint8_t done_count)
{
    uint8_t bytes[DUN_LOG_STATE_SIZE + DUN_LOG_DONE_MAX * DUN_LOG_DONE_SIZE];

    dun_put64(bytes, log->cursor);
    bytes[8] = done_count;
    bytes[9] = (uint8_t)log->ledger->count;
    for (uint32_t i = 0; i < done_count; i++) {
        dun_put32(bytes + 10 + i * 8, (uint32_t)(log->done_first[i] - log->cursor));
        dun_put32(bytes + 14 + i * 8, log->done_count[i]);
    }
    return emit_checked(log, bytes, state_size(done_count, 0));
}

/* Did nothing but the cursor change, and not too far for 16 bits, since the last full one? */
static bool short_state_will_do(const struct dun_log *log)
{
    return log->state_full && dun_log_done_used(log) == 0 &&
           log->ledger_saved == log->ledger->changes &&
           (uint32_t)log->cursor - log->state_cursor <= UINT16_MAX;
}

static int emit_short_state(struct dun_log *log)
{
    uint8_t bytes[DUN_LOG_STATE_SHORT];
    int result = emit_header(log, DUN_LOG_STATE_SHORT | DUN_LOG_META);

    dun_put16(bytes, (uint16_t)log->cursor);
    if (result == DUN_OK)
        result = emit_checked(log, bytes, sizeof bytes);
    if (result == DUN_OK)
        result = emit_crc(log);
    if (result == DUN_OK)
        log->acks_changed = false;
    return result;
}

static int emit_full_state(struct dun_log *log)
{
    uint8_t done_count = storable_ranges(log);
    uint32_t size = state_size(done_count, log->ledger->count);
    int result = emit_header(log, (uint16_t)(size | DUN_LOG_META));

    if (result == DUN_OK)
        result = emit_state_head(log, done_count);
    for (uint16_t i = 0; i < log->ledger->count && result == DUN_OK; i++) {
        uint8_t bytes[DUN_LOG_LOSS_SIZE];

        dun_log_put_loss(bytes, &log->ledger->entries[i]);
        result = emit_checked(log, bytes, sizeof bytes);
    }
    if (result == DUN_OK)
        result = emit_crc(log);
    if (result == DUN_OK) {
        log->acks_changed = false;
        log->ledger_saved = log->ledger->changes;
        log->state_cursor = (uint32_t)log->cursor;
        log->state_full = true;
    }
    return result;
}

static int emit_state(struct dun_log *log)
{
    return short_state_will_do(log) ? emit_short_state(log) : emit_full_state(log);
}

uint32_t dun_log_room(const struct dun_log *log)
{
    return log->head_open ? log->flash->geometry.block_size - log->offset - log->fill : 0;
}

/* True if the head has room for a record with `size` bytes of payload. */
static bool fits(const struct dun_log *log, uint32_t size)
{
    return dun_log_room(log) >= size + DUN_LOG_RECORD_OVERHEAD;
}

static bool state_fits(const struct dun_log *log)
{
    return fits(log, short_state_will_do(log)
                         ? DUN_LOG_STATE_SHORT
                         : state_size(storable_ranges(log), log->ledger->count));
}

/// Opening a block ///

/* What recycling `block` would take away ends before `*end`; `*tail` is then the oldest block. */
static void find_survivor(const struct dun_log *log, uint32_t block, dun_sequence *end,
                          uint32_t *tail, uint32_t *tail_serial)
{
    struct dun_log_opening opening;
    int64_t survivor = dun_log_block_after(log, block, log->tail_serial, &opening);

    *end = survivor < 0 ? log->next : opening.first;
    *tail = survivor < 0 ? log->base : (uint32_t)survivor;
    *tail_serial = survivor < 0 ? log->base_serial : opening.serial;
}

/* True if the block lies in the chain: where erasing it may take something away. */
static bool in_use(const struct dun_log *log, uint32_t block)
{
    return log->base_serial != 0 &&
           dun_log_distance(log, log->base, block) >= dun_log_distance(log, log->base, log->tail);
}

static bool keeps_old(const struct dun_log *log)
{
    return dun_has_keeping() && log->overflow == DUN_LOG_DROP_NEWEST;
}

/* DROP_NEWEST keeps the last block that would take nothing away for records that tell losses. */
bool dun_log_is_reserve(const struct dun_log *log, uint32_t block)
{
    uint32_t next = (block + 1) % log->flash->geometry.block_count;
    uint32_t tail, tail_serial;
    dun_sequence end;

    if (!keeps_old(log) || log->flash->geometry.block_count < RESERVE_BLOCKS_MIN ||
        !in_use(log, next))
        return false;
    find_survivor(log, next, &end, &tail, &tail_serial);
    return end > log->cursor;
}

enum dun_loss_reason dun_log_overflow_reason(const struct dun_log *log)
{
    return dun_has_archive() && log->overflow == DUN_LOG_THIN ? DUN_LOSS_THINNED
                                                              : DUN_LOSS_OVERFLOW;
}

/* Erases `block`, which lies behind the base; the ledger learns what that took. */
static int recycle(struct dun_log *log, uint32_t block, bool telling)
{
    dun_sequence end = log->cursor;
    uint32_t tail = log->tail;
    uint32_t tail_serial = log->tail_serial;
    bool reserve = dun_log_is_reserve(log, block);
    int result;

    if (in_use(log, block))
        find_survivor(log, block, &end, &tail, &tail_serial);
    if (keeps_old(log) && !telling && (end > log->cursor || reserve))
        return DUN_E_FULL;
    result = log->flash->erase(log->flash->context, block);
    if (result < 0) {
        log->erase_failed |= in_use(log, block);
        return result;
    }
    log->tail = tail;
    log->tail_serial = tail_serial;
    if (end > log->cursor) {
        log->overflowed +=
            (uint32_t)dun_log_lose(log, log->cursor, end, dun_log_overflow_reason(log));
        dun_log_advance(log, end);
    }
    log->in_reserve = reserve;
    return DUN_OK;
}

static int write_opening(struct dun_log *log, uint32_t block)
{
    const struct dun_flash_geometry *geometry = &log->flash->geometry;
    uint8_t bytes[DUN_LOG_OPENING_SIZE];
    struct dun_log_opening opening = {.stream = log->stream,
                                      .first = log->next,
                                      .before_first = base_first(log),
                                      .before_serial = log->base_serial,
                                      .serial = ++log->serial,
                                      .owner = log->owner};
    int result;

    opening.block_size = geometry->block_size;
    opening.block_count = geometry->block_count;
    opening.prog_size = (uint16_t)geometry->prog_size;
    dun_log_put_opening(bytes, &opening);
    log->head = block;
    log->offset = 0;
    log->fill = 0;
    log->head_open = true;
    log->state_full = false;
    result = emit(log, bytes, sizeof bytes);
    return result < 0 ? result : emit_state(log);
}

/* Makes the head durable, with the state if it has room: its successor costs an older block. */
static int close_head(struct dun_log *log)
{
    int result = DUN_OK;

    if (!log->head_open)
        return DUN_OK;
    if (state_changed(log) && state_fits(log))
        result = emit_state(log);
    if (result == DUN_OK && (log->fill > 0 || log->unsynced > 0 || log->serial != log->base_serial))
        result = settle(log);
    log->head_open = false;
    return result;
}

/*
 * Blocks are erased one after the other for sure: were a later erase to survive a cut and an
 * earlier one not, mount would find records behind a gap that nobody can explain.
 */
static int settle_skipped(struct dun_log *log)
{
    int result = log->skip > 0 ? log->flash->sync(log->flash->context) : DUN_OK;

    if (result < 0) {
        withdraw(log);
        log->skip = 0;
    }
    return result;
}

static int open_block(struct dun_log *log, bool telling)
{
    uint32_t count = log->flash->geometry.block_count;
    int result = close_head(log);

    if (result < 0)
        return result;
    for (uint8_t tries = skip_limit(log); tries > 0; tries--) {
        uint32_t distance = 1 + (uint32_t)log->skip;
        uint32_t block = (log->base + distance) % count; /* both below 2^31 */

        result = settle_skipped(log);
        if (result < 0)
            return result;
        result = recycle(log, block, telling);
        if (result == DUN_E_FULL)
            return result;
        if (result < 0) {
            skip_block(log);
            continue;
        }
        result = write_opening(log, block); /* a failure has skipped the block already */
        if (result == DUN_OK)
            return DUN_OK;
    }
    return result;
}

/// Appending ///

/* Takes back a record that was begun; bytes of it on the flash are damage without a loss. */
static void abandon(struct dun_log *log)
{
    if (!log->record_open)
        return;
    log->record_open = false;
    log->fill = log->record_start >= log->offset ? log->record_start - log->offset : 0;
}

static int begin(struct dun_log *log, uint32_t size, uint16_t flags, bool telling)
{
    int result = DUN_OK;

    if (size > dun_log_record_max(log))
        return DUN_E_TOO_LARGE;
    abandon(log);
    log->in_reserve = log->in_reserve && dun_log_is_reserve(log, log->head);
    if (dun_has_keeping() && log->in_reserve && !telling)
        return DUN_E_FULL;
    if (!fits(log, size))
        result = open_block(log, telling);
    if (result < 0)
        return result;
    log->record_start = log->offset + log->fill;
    log->record_left = size;
    log->record_open = true;
    return emit_header(log, (uint16_t)(size | flags));
}

int dun_log_begin(struct dun_log *log, uint32_t size)
{
    return begin(log, size, 0, false);
}

int dun_log_begin_urgent(struct dun_log *log, uint32_t size)
{
    return begin(log, size, DUN_LOG_URGENT, false);
}

int dun_log_begin_telling(struct dun_log *log, uint32_t size)
{
    return begin(log, size, 0, true);
}

int dun_log_write(struct dun_log *log, const void *data, uint32_t size)
{
    if (!log->record_open || size > log->record_left)
        return DUN_E_INVALID;
    log->record_left -= size;
    return emit_checked(log, data, size);
}

int dun_log_commit(struct dun_log *log)
{
    int result;

    if (!log->record_open || log->record_left != 0)
        return DUN_E_INVALID;
    result = emit_crc(log);
    if (result < 0)
        return result;
    log->record_open = false;
    log->next++;
    log->unsynced++;
    return DUN_OK;
}

int dun_log_append(struct dun_log *log, struct dun_span payload)
{
    int result;

    if (payload.size > dun_log_record_max(log))
        return DUN_E_TOO_LARGE;
    result = dun_log_begin(log, (uint32_t)payload.size);
    if (result == DUN_OK)
        result = dun_log_write(log, payload.data, (uint32_t)payload.size);
    return result < 0 ? result : dun_log_commit(log);
}

int dun_log_sync(struct dun_log *log)
{
    int result = DUN_OK;

    abandon(log);
    if (state_changed(log)) {
        result = state_fits(log) ? emit_state(log) : open_block(log, false);
        if (result == DUN_E_FULL)
            return DUN_OK; /* closing the head has synced what there was */
    } else if (log->unsynced == 0) {
        return DUN_OK;
    }
    return result < 0 ? result : settle(log);
}

/// Acknowledging and asking ///

int dun_log_ack(struct dun_log *log, dun_sequence sequence)
{
    if (sequence == 0 || sequence >= log->next)
        return DUN_E_INVALID;
    if (dun_log_is_done(log, sequence))
        return DUN_OK;
    if (!dun_log_mark_done(log, sequence, 1))
        return DUN_E_FULL;
    log->acks_changed = true;
    dun_ledger_acked(log->ledger, sequence, sequence);
    return DUN_OK;
}

int dun_log_ack_to(struct dun_log *log, dun_sequence sequence)
{
    if (sequence == 0 || sequence >= log->next)
        return DUN_E_INVALID;
    if (sequence < log->cursor)
        return DUN_OK;
    dun_ledger_acked(log->ledger, log->cursor, sequence);
    dun_log_advance(log, sequence + 1);
    log->acks_changed = true;
    return DUN_OK;
}

uint32_t dun_log_serial(const struct dun_log *log)
{
    return log->serial;
}

dun_sequence dun_log_victims_end(const struct dun_log *log, uint32_t openings)
{
    uint32_t others = log->flash->geometry.block_count - 1;
    uint32_t ahead = openings < others ? openings : others;
    uint32_t last = (log->head + ahead) % log->flash->geometry.block_count;
    dun_sequence end;
    uint32_t tail, tail_serial;

    if (log->base_serial == 0 || dun_log_distance(log, log->head, log->tail) > ahead)
        return log->cursor;
    if (openings > others) /* all round the ring, and over what the first of them left */
        return log->next - log->unsynced;
    find_survivor(log, last, &end, &tail, &tail_serial);
    return end > log->cursor ? end : log->cursor;
}

uint64_t dun_log_stream(const struct dun_log *log)
{
    return log->stream;
}

dun_sequence dun_log_next_sequence(const struct dun_log *log)
{
    return log->next;
}

dun_sequence dun_log_first_sequence(const struct dun_log *log)
{
    return log->cursor;
}

uint32_t dun_log_overflowed(const struct dun_log *log)
{
    return log->overflowed;
}

uint32_t dun_log_damaged(const struct dun_log *log)
{
    return log->damaged;
}

uint64_t dun_log_used(const struct dun_log *log)
{
    bool hinted = log->hint_serial >= log->tail_serial && log->hint_serial != 0;
    uint32_t from = hinted ? log->hint_block : log->tail;

    if (log->cursor == log->next || log->base_serial == 0)
        return 0;
    if (from == log->base)
        return log->flash->geometry.block_size;
    return ((uint64_t)dun_log_distance(log, from, log->base) + 1) * log->flash->geometry.block_size;
}

uint64_t dun_log_capacity(const struct dun_log *log)
{
    return (uint64_t)log->flash->geometry.block_size * log->flash->geometry.block_count;
}
