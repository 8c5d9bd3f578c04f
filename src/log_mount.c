/*
 * log_mount.c: finds the log on the flash after a boot, whatever state the last one left it in.
 *
 * One pass over the openings finds the newest block, a second one, backwards, the oldest of its
 * chain; then the newest block is read whole: the end of its records is the end of the log, its
 * last state record says what was acknowledged and lost. Nothing is programmed or erased.
 */
#include <string.h>

#include "log_internal.h"

struct survey {
    struct dun_log_opening newest;
    uint32_t block; /* of the newest opening */
    uint32_t valid;
    uint32_t newer;
    uint32_t spoilt; /* neither valid nor blank */
    uint32_t unreadable;
    uint32_t missing; /* records of the newest block */
    uint64_t bytes_read;
};

/* What reading one block whole found. */
struct scan {
    struct dun_log_walk walk;
    struct dun_log_found state; /* its newest state record; size 0: none */
    uint32_t records;
    uint32_t missing;
};

/// Looking ///

static void survey_block(struct survey *survey, const struct dun_flash *flash, uint32_t block)
{
    struct dun_log_opening opening;

    switch (dun_log_get_opening(flash, block, &opening, &survey->bytes_read)) {
    case DUN_LOG_BLOCK_OURS:
        if (survey->valid++ == 0 || opening.serial > survey->newest.serial) {
            survey->newest = opening;
            survey->block = block;
        }
        break;
    case DUN_LOG_BLOCK_NEWER:
        survey->newer++;
        break;
    case DUN_LOG_BLOCK_BLANK:
        break;
    case DUN_LOG_BLOCK_UNREADABLE:
        survey->unreadable++;
        survey->spoilt++;
        break;
    case DUN_LOG_BLOCK_GARBAGE:
    case DUN_LOG_BLOCK_LOST:
        survey->spoilt++;
        break;
    }
}

static bool geometry_ok(const struct dun_flash_geometry *geometry, uint32_t unit_size)
{
    return geometry->block_size >= 256 && geometry->block_size <= UINT32_C(1) << 20 &&
           geometry->block_count >= 2 && geometry->block_count <= INT32_MAX &&
           geometry->prog_size >= 1 && geometry->prog_size <= DUN_LOG_WINDOW &&
           geometry->block_size % geometry->prog_size == 0 && unit_size >= geometry->prog_size;
}

/* The ring may have grown since it was written; all else must be as it was. */
static bool fits_geometry(const struct dun_log_opening *opening,
                          const struct dun_flash_geometry *geometry)
{
    return opening->block_size == geometry->block_size &&
           opening->prog_size == geometry->prog_size &&
           opening->block_count <= geometry->block_count;
}

/* Reads the records of a block from its opening to its end. */
static void scan_block(const struct dun_log *log, uint32_t block,
                       const struct dun_log_opening *opening, struct scan *scan)
{
    struct dun_log_found found;
    uint64_t expected = opening->first;

    memset(&scan->state, 0, sizeof scan->state);
    scan->records = 0;
    scan->missing = 0;
    dun_log_walk_start(&scan->walk, log->flash, block, opening);
    while (dun_log_walk_next(&scan->walk, &found)) {
        scan->records++;
        scan->missing += (uint32_t)(found.sequence - expected);
        expected = scan->walk.sequence;
        if (found.meta)
            scan->state = found;
    }
    (void)dun_log_walk_peek(&scan->walk, log->flash->geometry.block_size - 8, 8);
}

/// The state ///

static void restore_losses(struct dun_log *log, struct dun_log_walk *walk, uint32_t offset,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct dun_loss loss;

        dun_log_get_loss(dun_log_walk_peek(walk, offset + i * DUN_LOG_LOSS_SIZE, DUN_LOG_LOSS_SIZE),
                         &loss);
        if (loss.first == 0 || loss.first <= loss.last)
            dun_ledger_restore(log->ledger, &loss);
    }
}

/* False if the record is not what this version writes. */
static bool restore_state(struct dun_log *log, struct scan *scan)
{
    uint32_t offset = scan->state.offset;
    const uint8_t *bytes;
    uint32_t done_count;
    uint32_t loss_count;

    if (scan->state.size < DUN_LOG_STATE_SIZE)
        return false;
    bytes = dun_log_walk_peek(&scan->walk, offset, DUN_LOG_STATE_SIZE);
    done_count = bytes[8];
    loss_count = bytes[9];
    log->cursor = dun_get64(bytes);
    if (log->cursor - 1 >= DUN_LOG_SEQUENCE_MAX ||
        scan->state.size !=
            DUN_LOG_STATE_SIZE + done_count * DUN_LOG_DONE_SIZE + loss_count * DUN_LOG_LOSS_SIZE)
        return false;
    offset += DUN_LOG_STATE_SIZE;
    for (uint32_t i = 0; i < done_count; i++, offset += DUN_LOG_DONE_SIZE) {
        bytes = dun_log_walk_peek(&scan->walk, offset, DUN_LOG_DONE_SIZE);
        if (dun_get32(bytes + 4) > 0) /* a range too many stays out, and is sent again */
            (void)dun_log_mark_done(log, log->cursor + dun_get32(bytes), dun_get32(bytes + 4));
    }
    restore_losses(log, &scan->walk, offset, loss_count);
    return true;
}

/* The chain's newest state record: in the newest block, or before it if its opening was torn. */
static void find_state(struct dun_log *log, struct scan *scan, struct survey *survey)
{
    uint32_t count = log->flash->geometry.block_count;
    uint32_t block = log->base;
    uint32_t serial = log->base_serial;
    struct dun_log_opening opening;

    log->cursor = 1;
    if (restore_state(log, scan))
        return;
    log->acks_changed = true; /* wherever it is found, it is to be written again */
    while (block != log->tail) {
        block = (block + count - 1) % count;
        if (dun_log_get_opening(log->flash, block, &opening, &survey->bytes_read) !=
                DUN_LOG_BLOCK_OURS ||
            opening.stream != log->stream || opening.serial >= serial)
            continue;
        serial = opening.serial;
        scan_block(log, block, &opening, scan);
        survey->bytes_read += scan->walk.bytes_read;
        if (restore_state(log, scan))
            return;
    }
    log->cursor = 1;
}

/// The ring ///

/* Walks back from the newest block and returns the first sequence of the oldest of its chain. */
static uint64_t find_tail(struct dun_log *log, struct survey *survey)
{
    uint32_t count = log->flash->geometry.block_count;
    uint64_t first = survey->newest.first;
    struct dun_log_opening opening;

    for (uint32_t i = 1; i < count; i++) {
        uint32_t block = (log->base + count - i) % count;

        if (dun_log_get_opening(log->flash, block, &opening, &survey->bytes_read) !=
                DUN_LOG_BLOCK_OURS ||
            opening.stream != log->stream || opening.serial >= log->tail_serial ||
            opening.first > first)
            continue;
        log->tail = block;
        log->tail_serial = opening.serial;
        first = opening.first;
    }
    return first;
}

/*
 * Between the newest block and the oldest there may be blocks whose opening is spoilt. One may have
 * been the newest of all before damage hit it. If its records can be found, the sequence goes on
 * behind them; if it cannot be read at all, behind as many as it can have held. So no sequence is
 * ever given twice; the gap becomes a loss when reading gets there.
 */
static void look_beyond(struct dun_log *log, struct scan *scan, struct survey *survey)
{
    uint32_t count = survey->newest.block_count;
    uint64_t end = log->next;

    for (uint32_t i = 1; i < dun_log_distance(log, log->base, log->tail); i++) {
        uint32_t block = (uint32_t)(((uint64_t)log->base + i) % log->flash->geometry.block_count);
        struct dun_log_opening opening = survey->newest;
        enum dun_log_block_kind kind =
            dun_log_get_opening(log->flash, block, &opening, &survey->bytes_read);

        if (kind == DUN_LOG_BLOCK_GARBAGE) {
            opening.first = log->next;
            opening.serial = survey->newest.serial + 1;
            scan_block(log, block, &opening, scan);
            survey->bytes_read += scan->walk.bytes_read;
            if (scan->records > 0 && scan->walk.sequence > end)
                end = scan->walk.sequence;
        } else if ((kind == DUN_LOG_BLOCK_LOST && block < count) ||
                   kind == DUN_LOG_BLOCK_UNREADABLE) {
            end += log->flash->geometry.block_size / DUN_LOG_RECORD_OVERHEAD;
        } else {
            continue;
        }
        log->serial++;
    }
    log->next = end;
}

/* What was acknowledged had a sequence, even if a cut has taken the records themselves. */
static void heed_acks(struct dun_log *log)
{
    if (log->done_used > 0) {
        uint8_t last = (uint8_t)(log->done_used - 1);
        uint64_t end = log->done_first[last] + log->done_count[last];

        if (end > log->next)
            log->next = end;
    }
    if (log->cursor > log->next)
        log->next = log->cursor;
}

/* What the state says must not contradict what is there. */
static void reconcile(struct dun_log *log, uint64_t first)
{
    uint32_t gone = dun_log_distance(log, log->base, log->tail) - 1;
    enum dun_loss_reason policy =
        log->overflow == DUN_LOG_THIN ? DUN_LOSS_THINNED : DUN_LOSS_OVERFLOW;

    if (log->cursor < first) {
        uint32_t lost =
            (uint32_t)dun_log_lose(log, log->cursor, first, gone == 1 ? policy : DUN_LOSS_DAMAGED);

        if (gone == 1)
            log->overflowed += lost;
        else
            log->damaged += lost;
        dun_log_advance(log, first);
        log->acks_changed = true;
    }
    dun_ledger_untell(log->ledger, log->next);
}

/* The first unit behind all that was ever programmed in the block that `walk` has passed. */
static uint32_t blank_from(const struct dun_log_walk *walk)
{
    uint32_t unit = walk->flash->geometry.prog_size;
    uint32_t used = walk->used > walk->offset ? walk->used : walk->offset;

    return (used + unit - 1) / unit * unit;
}

/* Does a state record, by its looks, begin at `offset`, where there is room for a record? */
static bool looks_like_state(struct dun_log_walk *walk, uint32_t offset)
{
    uint32_t counts_at = offset + DUN_LOG_HEADER_SIZE + DUN_LOG_STATE_SIZE - 2;
    uint16_t length = dun_get16(dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE));
    const uint8_t *counts;

    if ((length & DUN_LOG_META) == 0 || counts_at + 2 > walk->flash->geometry.block_size)
        return false;
    counts = dun_log_walk_peek(walk, counts_at, 2);
    return (length & DUN_LOG_SIZE_MASK) == DUN_LOG_STATE_SIZE +
                                               counts[0] * (uint32_t)DUN_LOG_DONE_SIZE +
                                               counts[1] * (uint32_t)DUN_LOG_LOSS_SIZE;
}

/* The next unit, if all that is left of the one at `offset` is padding; else `offset`. */
static uint32_t behind_padding(struct dun_log_walk *walk, uint32_t offset)
{
    uint32_t unit = walk->flash->geometry.prog_size;
    uint32_t boundary = (offset + unit - 1) / unit * unit;

    for (uint32_t at = offset; at < boundary; at++)
        if (*dun_log_walk_peek(walk, at, 1) != 0xFF)
            return offset;
    return boundary;
}

/*
 * How many records seem to lie between the last good one and the blank rest. They were torn by a
 * power cut, or damaged later, after they had been sent: in case of the latter their sequences must
 * not be given again. What cannot be told from a record counts as one.
 */
static uint32_t spoilt_records(struct dun_log_walk *walk)
{
    uint32_t end = blank_from(walk);
    uint32_t offset = walk->offset;
    uint32_t count = 0;

    while (offset < end && *dun_log_walk_peek(walk, offset, 1) == 0xFF)
        offset++;
    while (offset + DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE <= end) {
        const uint8_t *header = dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE);
        uint16_t length = dun_get16(header);
        bool ordered = dun_get16(header + 2) == (uint16_t)(walk->sequence + count);

        count += !ordered || !looks_like_state(walk, offset);
        if (!ordered || length == DUN_LOG_BLANK)
            break;
        offset += DUN_LOG_HEADER_SIZE + (length & DUN_LOG_SIZE_MASK) + DUN_LOG_CRC_SIZE;
        if (offset < end)
            offset = behind_padding(walk, offset);
    }
    end = (end - walk->offset) / (DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE);
    return count < end ? count : end;
}

/* Goes on behind the last byte in use, if a reader can follow the sequences there. */
static void resume(struct dun_log *log, const struct dun_log_walk *walk)
{
    uint64_t ahead = log->next - walk->sequence;

    log->head = log->base;
    log->offset = blank_from(walk);
    log->head_open =
        log->offset < log->flash->geometry.block_size && ahead <= DUN_LOG_AHEAD_MAX &&
        ahead <= (log->offset - walk->offset) / (DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE);
}

/*
 * In a ring of two, a newest block without a state record must not stay in charge: the next opening
 * would erase the only state there is. Its opening was torn, so nothing in it was durable; should
 * damage have done it, the sequences in it are skipped and end up in the ledger.
 */
static bool must_step_back(const struct dun_log *log, const struct scan *scan)
{
    return log->flash->geometry.block_count == 2 && log->tail != log->base && scan->state.size == 0;
}

static int step_back(struct dun_log *log, struct scan *scan, struct survey *survey)
{
    log->base = log->tail;
    log->base_serial = log->tail_serial;
    if (dun_log_get_opening(log->flash, log->base, &survey->newest, &survey->bytes_read) !=
        DUN_LOG_BLOCK_OURS)
        return DUN_E_IO; /* it was readable a moment ago */
    scan_block(log, log->base, &survey->newest, scan);
    survey->bytes_read += scan->walk.bytes_read;
    return DUN_OK;
}

static int adopt(struct dun_log *log, struct survey *survey)
{
    struct scan scan;
    struct dun_log_walk newest;
    uint64_t first;
    uint64_t end;

    log->stream = survey->newest.stream;
    log->base = log->tail = survey->block;
    log->base_serial = log->tail_serial = log->serial = survey->newest.serial;
    first = find_tail(log, survey);
    scan_block(log, log->base, &survey->newest, &scan);
    survey->bytes_read += scan.walk.bytes_read;
    survey->missing = scan.missing;
    end = scan.walk.sequence + spoilt_records(&scan.walk);
    if (must_step_back(log, &scan) && step_back(log, &scan, survey) < 0)
        return DUN_E_IO;
    newest = scan.walk;
    log->seed = newest.seed;
    log->next = end > newest.sequence ? end : newest.sequence;
    find_state(log, &scan, survey);
    heed_acks(log);
    look_beyond(log, &scan, survey);
    log->ledger_saved = log->ledger->changes;
    reconcile(log, first);
    resume(log, &newest);
    return log->flash->sync(log->flash->context);
}

/// Mount ///

static void begin_stream(struct dun_log *log, uint64_t stream)
{
    log->stream = stream;
    log->next = 1;
    log->cursor = 1;
    log->base = log->flash->geometry.block_count - 1;
}

static bool config_ok(const struct dun_log_config *config)
{
    return config->flash != NULL && config->ledger != NULL && config->unit.data != NULL &&
           config->new_stream != 0 && config->unit.size <= UINT32_MAX &&
           geometry_ok(&config->flash->geometry, (uint32_t)config->unit.size);
}

static void init(struct dun_log *log, const struct dun_log_config *config)
{
    uint16_t losses_max = dun_log_losses_max(config->flash->geometry.block_size);
    uint32_t prog_size = config->flash->geometry.prog_size;

    memset(log, 0, sizeof *log);
    log->flash = config->flash;
    log->ledger = config->ledger;
    log->unit = config->unit.data;
    log->unit_size = (uint32_t)config->unit.size / prog_size * prog_size;
    log->overflow = (uint8_t)config->overflow;
    log->ledger->count = 0;
    if (log->ledger->capacity > losses_max)
        log->ledger->capacity = losses_max;
    log->ledger_saved = log->ledger->changes;
}

int dun_log_mount(struct dun_log *log, const struct dun_log_config *config,
                  struct dun_log_report *report)
{
    struct survey survey;
    int result = DUN_OK;

    if (!config_ok(config))
        return DUN_E_INVALID;
    init(log, config);
    memset(&survey, 0, sizeof survey);
    for (uint32_t block = 0; block < log->flash->geometry.block_count; block++)
        survey_block(&survey, log->flash, block);
    if (survey.newer > 0)
        return DUN_E_UNSUPPORTED;
    if (survey.unreadable == log->flash->geometry.block_count)
        return DUN_E_IO;
    if (survey.valid > 0 && !fits_geometry(&survey.newest, &log->flash->geometry))
        return DUN_E_UNSUPPORTED;
    if (survey.valid > 0)
        result = adopt(log, &survey);
    else
        begin_stream(log, config->new_stream);
    report->formatted = survey.valid == 0;
    report->damaged = log->damaged + survey.missing + survey.spoilt;
    report->bytes_read = survey.bytes_read;
    return result;
}
