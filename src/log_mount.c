/*
 * log_mount.c: finds the log on the flash after a boot, whatever state the last one left it in.
 *
 * One pass over the openings finds the newest block, a second one, backwards, the oldest of its
 * chain; then the newest block is read whole: the end of its records is the end of the log, its
 * last state record says what was acknowledged and lost. Nothing is programmed or erased.
 */
#include <string.h>

#include "log_internal.h"

#define HUNT_AHEAD_MAX 6 /* damaged records without a header before one that has it */
#define RECORD_FRAME   (DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE)

struct survey {
    struct dun_log_opening newest;
    uint32_t block; /* of the newest opening */
    uint32_t valid;
    uint32_t newer;
    uint32_t spoilt; /* neither valid nor blank */
    uint32_t unreadable;
    uint32_t missing;                  /* records of the newest block */
    dun_sequence lost_first, lost_end; /* sequences behind an opening that was guessed */
    uint32_t serial;                   /* of that */
    uint32_t guessed;                  /* blocks behind the newest that may have taken a serial */
    dun_sequence unseen; /* records that unreadable blocks behind the newest may have held */
    bool lost;        /* the newest opening is guessed: what follows it counts, but for records */
    bool opening_cut; /* nothing is behind the newest opening */
};

/* What reading one block whole found. */
struct scan {
    struct dun_log_walk walk;
    struct dun_log_found state; /* its newest full state record; size 0: none */
    struct dun_log_found moved; /* the newest short one behind that; size 0: none */
    uint32_t records;
    uint32_t missing;
};

/// Looking ///

static void survey_block(struct survey *survey, const struct dun_flash *flash, uint32_t block)
{
    struct dun_log_opening opening;

    switch (dun_log_get_opening(flash, block, &opening)) {
    case DUN_LOG_BLOCK_OURS:
        survey->spoilt += opening.mended;
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

static void note_state(struct scan *scan, const struct dun_log_found *found)
{
    if (found->size == DUN_LOG_STATE_SHORT) {
        scan->moved = *found;
    } else {
        scan->state = *found;
        scan->moved.size = 0;
    }
}

/* Reads the records of a block from its opening to its end. */
static void scan_block(const struct dun_log *log, uint32_t block,
                       const struct dun_log_opening *opening, struct scan *scan)
{
    struct dun_log_found found;
    dun_sequence expected = opening->first;

    memset(&scan->state, 0, sizeof scan->state);
    memset(&scan->moved, 0, sizeof scan->moved);
    scan->records = 0;
    scan->missing = 0;
    dun_log_walk_start(&scan->walk, log->flash, block, opening);
    while (dun_log_walk_next(&scan->walk, &found)) {
        scan->records++;
        scan->missing += (uint32_t)(found.sequence - expected);
        expected = scan->walk.sequence;
        if (found.meta)
            note_state(scan, &found);
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

static void restore_done(struct dun_log *log, struct dun_log_walk *walk, uint32_t offset,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *bytes =
            dun_log_walk_peek(walk, offset + i * DUN_LOG_DONE_SIZE, DUN_LOG_DONE_SIZE);

        if (dun_get32(bytes + 4) > 0) /* a range too many stays out, and is sent again */
            (void)dun_log_mark_done(log, log->cursor + dun_get32(bytes), dun_get32(bytes + 4));
    }
}

/* False if the record is not what this version writes. */
static bool restore_state(struct dun_log *log, struct scan *scan)
{
    uint32_t offset = scan->state.offset;
    const uint8_t *bytes;
    uint32_t done_count;
    uint32_t loss_count;
    uint64_t cursor;

    if (scan->state.size < DUN_LOG_STATE_SIZE)
        return false;
    bytes = dun_log_walk_peek(&scan->walk, offset, DUN_LOG_STATE_SIZE);
    done_count = bytes[8];
    loss_count = bytes[9];
    cursor = dun_get64(bytes);
    if (cursor - 1 >= DUN_LOG_SEQUENCE_MAX || !dun_log_state_fits(scan->state.size, bytes + 8))
        return false;
    log->cursor = (dun_sequence)cursor;
    log->state_cursor = (uint32_t)log->cursor;
    log->state_full = true;
    if (scan->moved.size == 0 && dun_has_ranges())
        restore_done(log, &scan->walk, offset + DUN_LOG_STATE_SIZE, done_count);
    restore_losses(log, &scan->walk, offset + DUN_LOG_STATE_SIZE + done_count * DUN_LOG_DONE_SIZE,
                   loss_count);
    if (scan->moved.size > 0)
        log->cursor = dun_log_short_cursor(
            log->cursor, dun_log_walk_peek(&scan->walk, scan->moved.offset, DUN_LOG_STATE_SHORT));
    return true;
}

/*
 * Goes back from `block`, whose opening is given, to the one before it in the chain; -1: there is
 * none. One that should have been erased is still there if a sync failed after that: then the block
 * which the opening names lies behind it, or, if that is damaged, one with a higher serial.
 */
static int64_t block_before(const struct dun_log *log, uint32_t block,
                            struct dun_log_opening *opening)
{
    const struct dun_log_opening after = *opening;
    uint32_t count = log->flash->geometry.block_count;
    uint32_t last = dun_log_distance(log, log->base, block) - 1;
    int64_t found = -1;

    for (uint32_t i = 1; i <= last; i++) {
        uint32_t at = (block + count - i) % count; /* both below 2^31 */
        struct dun_log_opening candidate;

        if (dun_log_get_opening(log->flash, at, &candidate) != DUN_LOG_BLOCK_OURS ||
            candidate.stream != log->stream || candidate.serial >= after.serial ||
            candidate.first > after.first)
            continue;
        if (found < 0 && i + DUN_LOG_SKIP_MAX < last)
            last = i + DUN_LOG_SKIP_MAX;
        if (found < 0 || candidate.serial > opening->serial) {
            *opening = candidate;
            found = at;
        }
        if (opening->serial >= after.before_serial)
            break;
    }
    return found;
}

/* The chain's newest state record: in the newest block, or before it if its opening was torn. */
static void find_state(struct dun_log *log, struct scan *scan, struct survey *survey)
{
    struct dun_log_opening opening = survey->newest;
    int64_t block = log->base;

    log->cursor = 1;
    if (restore_state(log, scan))
        return;
    log->acks_changed = true; /* wherever it is found, it is to be written again */
    while (block != log->tail) {
        block = block_before(log, (uint32_t)block, &opening);
        if (block < 0)
            break;
        scan_block(log, (uint32_t)block, &opening, scan);
        if (restore_state(log, scan)) {
            log->state_full = false; /* the head has none */
            return;
        }
    }
    log->cursor = 1;
}

/// The ring ///

/*
 * Walks back from the newest block to the one in which the cursor lies, or to the oldest of the
 * chain, and returns the first sequence of that. What lies further back is done with.
 */
static dun_sequence find_tail(struct dun_log *log, struct survey *survey)
{
    struct dun_log_opening opening = survey->newest;
    int64_t block = log->base;

    while (opening.first > log->cursor) {
        block = block_before(log, (uint32_t)block, &opening);
        if (block < 0)
            break;
        log->tail = (uint32_t)block;
        log->tail_serial = opening.serial;
    }
    return opening.first;
}

/*
 * Its state and its sequences count. In a ring of two it cannot be the newest: the next opening
 * would erase the only valid one there is.
 */
static void take_guess(const struct dun_log *log, struct survey *survey, uint32_t block,
                       const struct dun_log_opening *opening)
{
    struct scan scan;

    scan_block(log, block, opening, &scan);
    survey->lost_first = opening->first;
    survey->lost_end = scan.walk.sequence;
    survey->serial = opening->serial;
    if (log->flash->geometry.block_count == 2)
        return;
    survey->newest = *opening;
    survey->block = block;
    survey->lost = true;
}

/*
 * Was anything programmed behind the unit in which the opening ends? Then it is no opening that a
 * power cut tore, since all before the next unit was durable.
 */
static bool was_used(const struct dun_flash *flash, uint32_t block)
{
    uint32_t unit = flash->geometry.prog_size;
    uint32_t offset = (DUN_LOG_OPENING_SIZE + unit - 1) / unit * unit;
    uint8_t bytes[DUN_LOG_HEADER_SIZE + DUN_LOG_STATE_SIZE];

    if (offset + sizeof bytes > flash->geometry.block_size ||
        flash->read(flash->context, block, offset, bytes, sizeof bytes) < 0)
        return true;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        if (bytes[i] != 0xFF)
            return true;
    return false;
}

/*
 * The blocks that the next openings would take may have been the newest of all before damage hit
 * them. One whose opening is spoilt is known by the state record behind that, and is the newest
 * then; of one that cannot be read at all we assume as many records as it can have held. So no
 * sequence is ever given twice; the gap becomes a loss when reading gets there.
 */
static void look_beyond(const struct dun_log *log, struct survey *survey)
{
    const struct dun_flash *flash = log->flash;
    uint32_t count = flash->geometry.block_count;
    uint32_t written = survey->newest.block_count;
    uint32_t newest = survey->block;
    uint32_t last = DUN_LOG_SKIP_MAX;

    for (uint32_t i = 1; i <= last && i < count; i++) {
        uint32_t block = (newest + i) % count;
        struct dun_log_opening opening = survey->newest;
        struct dun_log_opening unused;
        enum dun_log_block_kind kind = dun_log_get_opening(flash, block, &unused);
        bool guessed = kind == DUN_LOG_BLOCK_GARBAGE && dun_has_mending() &&
                       dun_log_guess_opening(flash, block, &opening);
        bool unseen =
            (kind == DUN_LOG_BLOCK_LOST && block < written) || kind == DUN_LOG_BLOCK_UNREADABLE ||
            (kind == DUN_LOG_BLOCK_GARBAGE && !dun_has_mending() && was_used(flash, block));

        survey->guessed += kind == DUN_LOG_BLOCK_GARBAGE || unseen;
        if (guessed)
            take_guess(log, survey, block, &opening);
        if (unseen)
            survey->unseen += flash->geometry.block_size / DUN_LOG_RECORD_OVERHEAD;
        if (guessed || unseen)
            last = i + DUN_LOG_SKIP_MAX;
    }
}

/* What was acknowledged had a sequence, even if a cut has taken the records themselves. */
static void heed_acks(struct dun_log *log)
{
    if (dun_log_done_used(log) > 0) {
        uint8_t last = (uint8_t)(log->done_used - 1);
        dun_sequence end = log->done_first[last] + log->done_count[last];

        if (end > log->next)
            log->next = end;
    }
    if (log->cursor > log->next)
        log->next = log->cursor;
}

/*
 * Why the sequences below the oldest block are gone: as a rule because recycling their blocks was
 * cut short before a state record could tell. It is damage if such a block cannot be read, if there
 * are more of them than one opening tries, or if there is none and the newest state should know.
 */
static enum dun_loss_reason reason_of_gap(const struct dun_log *log, const struct survey *survey)
{
    uint32_t gone = dun_log_distance(log, log->base, log->tail) - 1;

    if (gone > DUN_LOG_SKIP_MAX || survey->unseen > 0 || (gone == 0 && !survey->opening_cut))
        return DUN_LOSS_DAMAGED;
    return dun_log_overflow_reason(log);
}

/* What the state says must not contradict what is there. */
static void reconcile(struct dun_log *log, const struct survey *survey, dun_sequence first)
{
    if (log->cursor < first) {
        enum dun_loss_reason reason = reason_of_gap(log, survey);
        uint32_t lost = (uint32_t)dun_log_lose(log, log->cursor, first, reason);

        if (reason == DUN_LOSS_DAMAGED)
            log->damaged += lost;
        else
            log->overflowed += lost;
        dun_log_advance(log, first);
        log->acks_changed = true;
    }
    dun_ledger_untell(log->ledger, log->next);
    dun_ledger_untell_before(log->ledger, log->cursor);
}

/* The records behind a guessed opening will be found by nobody once another block is the newest. */
static void give_up_lost(struct dun_log *log, const struct survey *survey)
{
    if (survey->lost_first >= survey->lost_end)
        return;
    log->damaged +=
        (uint32_t)dun_log_lose(log, survey->lost_first, survey->lost_end, DUN_LOSS_DAMAGED);
    (void)dun_log_mark_done(log, survey->lost_first, survey->lost_end - survey->lost_first);
    log->acks_changed = true;
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
    uint32_t size = length & DUN_LOG_SIZE_MASK;

    if ((length & DUN_LOG_META) == 0)
        return false;
    return size == DUN_LOG_STATE_SHORT ||
           (counts_at + 2 <= walk->flash->geometry.block_size &&
            dun_log_state_fits(size, dun_log_walk_peek(walk, counts_at, 2)));
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

/* Counts from the last good record on, header by header, as long as they tell of one another. */
static uint32_t count_in_order(struct dun_log_walk *walk, uint32_t end)
{
    uint32_t offset = walk->offset;
    uint32_t count = 0;

    while (offset < end && *dun_log_walk_peek(walk, offset, 1) == 0xFF)
        offset++;
    while (offset + RECORD_FRAME <= end) {
        const uint8_t *header = dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE);
        uint16_t length = dun_get16(header);
        bool ordered = dun_get16(header + 2) == (uint16_t)(walk->sequence + count);

        count += !ordered || !looks_like_state(walk, offset);
        if (!ordered || length == DUN_LOG_BLANK)
            break;
        offset += RECORD_FRAME + (length & DUN_LOG_SIZE_MASK);
        if (offset < end)
            offset = behind_padding(walk, offset);
    }
    return count;
}

/* Does the header at `offset` tell of a record that ends where all ends, or the next begins? */
static bool is_linked(struct dun_log_walk *walk, uint32_t offset, uint16_t due)
{
    uint32_t block_size = walk->flash->geometry.block_size;
    uint16_t length = dun_get16(dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE));
    uint32_t behind = offset + RECORD_FRAME + (length & DUN_LOG_SIZE_MASK);

    if (length == DUN_LOG_BLANK || behind > block_size)
        return false;
    if (behind >= walk->used)
        return behind <= walk->used + DUN_LOG_CRC_SIZE; /* which may end in 0xFF */
    behind = behind_padding(walk, behind);
    return behind + RECORD_FRAME <= block_size &&
           dun_get16(dun_log_walk_peek(walk, behind, DUN_LOG_HEADER_SIZE) + 2) == due;
}

/* The same from the headers that damage has left, wherever they are. */
static uint32_t count_by_hunting(struct dun_log_walk *walk, uint32_t end)
{
    uint32_t count = 0;

    for (uint32_t offset = walk->offset; offset + RECORD_FRAME <= end; offset++) {
        const uint8_t *header = dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE);
        uint32_t ahead = (uint16_t)(dun_get16(header + 2) - (uint16_t)walk->sequence);
        uint32_t records = ahead + ((dun_get16(header) & DUN_LOG_META) == 0);

        if (ahead <= HUNT_AHEAD_MAX && ahead <= (offset - walk->offset) / RECORD_FRAME &&
            records > count && is_linked(walk, offset, (uint16_t)(walk->sequence + records)))
            count = records;
    }
    return count;
}

/*
 * How many records seem to lie between the last good one and the blank rest. They were torn by a
 * power cut, or damaged later, after they had been sent: in case of the latter their sequences must
 * not be given again. What cannot be told from a record counts as one.
 */
static uint32_t spoilt_records(struct dun_log_walk *walk)
{
    uint32_t end = blank_from(walk);
    uint32_t count = count_in_order(walk, end);
    uint32_t hunted = count_by_hunting(walk, end);
    uint32_t most = (end - walk->offset) / RECORD_FRAME;

    if (hunted > count)
        count = hunted;
    return count < most ? count : most;
}

/*
 * Goes on behind the last byte in use, if a reader can follow the sequences there, the block is one
 * of this version, and no other may have taken the next serials.
 */
static void resume(struct dun_log *log, const struct dun_log_walk *walk)
{
    dun_sequence ahead = log->next - walk->sequence;

    log->head = log->base;
    log->offset = blank_from(walk);
    log->head_open = !log->base_old && log->serial == log->base_serial &&
                     log->offset < log->flash->geometry.block_size && ahead <= DUN_LOG_AHEAD_MAX &&
                     ahead <= (log->offset - walk->offset) / RECORD_FRAME;
    log->in_reserve = dun_log_is_reserve(log, log->head);
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
    if (dun_log_get_opening(log->flash, log->base, &survey->newest) != DUN_LOG_BLOCK_OURS)
        return DUN_E_IO; /* it was readable a moment ago */
    scan_block(log, log->base, &survey->newest, scan);
    return DUN_OK;
}

/*
 * Finds tail, state and next sequence, given the scan of the newest block; *first becomes that of
 * the tail. If the newest block has no state, the tail is as old as can be, for it may be there.
 */
static int find_ends(struct dun_log *log, struct scan *scan, struct survey *survey,
                     dun_sequence *first)
{
    struct dun_log_walk newest = scan->walk;
    dun_sequence end = newest.sequence + spoilt_records(&newest);
    bool stateless = !restore_state(log, scan);

    survey->missing = scan->missing;
    survey->opening_cut = stateless && scan->records == 0;
    if (stateless)
        log->cursor = 0;
    *first = find_tail(log, survey);
    if (stateless && must_step_back(log, scan)) {
        if (step_back(log, scan, survey) < 0)
            return DUN_E_IO;
        newest = scan->walk;
    }
    log->base_first = (uint32_t)survey->newest.first;
    log->base_lost = survey->lost;
    log->base_old = survey->newest.size == DUN_LOG_OPENING_OLD;
    log->next = end > newest.sequence ? end : newest.sequence;
    if (stateless)
        find_state(log, scan, survey);
    heed_acks(log);
    if (survey->lost_end > log->next)
        log->next = survey->lost_end;
    log->next += survey->unseen;
    if (survey->serial > log->serial)
        log->serial = survey->serial;
    log->serial += survey->guessed;
    log->ledger_saved = log->ledger->changes;
    reconcile(log, survey, *first);
    give_up_lost(log, survey);
    resume(log, &newest);
    return DUN_OK;
}

static int adopt(struct dun_log *log, struct survey *survey)
{
    struct scan scan;
    dun_sequence first;

    if (survey->spoilt > 0)
        look_beyond(log, survey);
    log->stream = survey->newest.stream;
    log->base = log->tail = survey->block;
    log->base_serial = log->tail_serial = log->serial = survey->newest.serial;
    scan_block(log, log->base, &survey->newest, &scan);
    if (find_ends(log, &scan, survey, &first) < 0)
        return DUN_E_IO;
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
    uint32_t unit_size = config->unit.size < UINT16_MAX ? (uint32_t)config->unit.size : UINT16_MAX;

    memset(log, 0, sizeof *log);
    log->flash = config->flash;
    log->ledger = config->ledger;
    log->unit = config->unit.data;
    log->unit_size = (uint16_t)(unit_size / prog_size * prog_size);
    log->owner = config->owner;
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
    report->foreign =
        survey.newest.owner != 0 && log->owner != 0 && survey.newest.owner != log->owner;
    report->damaged = log->damaged + survey.missing + survey.spoilt;
    return result;
}
