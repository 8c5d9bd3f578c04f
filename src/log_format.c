/*
 * log_format.c: see log_format.h, and LOG_FORMAT.md for pictures of what is read and written here.
 */
#include "log_format.h"

#include <string.h>

#include "crc32c.h"

static const uint8_t magic[4] = {'D', 'L', 'O', 'G'};
static const uint8_t lost_mark[4] = {'L', 'O', 'S', 'T'};

#define OPENING_SIZE_MAX 256 /* of any version to come */
#define HEAD_SIZE        8   /* magic, version, size */
#define STATE_COUNTS     8   /* where a state record tells how many ranges and losses it has */
#define CRC_FIXED        10  /* bytes before the payload that a record's CRC covers in its block */
#define GUESS_MAX        (UINT32_C(1) << 20) /* serials above the last one that are believed */
#define RECORD_FRAME     (DUN_LOG_HEADER_SIZE + DUN_LOG_CRC_SIZE)

uint32_t dun_log_seed(uint64_t stream, uint32_t serial)
{
    uint8_t bytes[12];

    dun_put64(bytes, stream);
    dun_put32(bytes + 8, serial);
    return dun_crc32c(0, bytes, sizeof bytes);
}

uint32_t dun_log_record_crc(uint32_t seed, uint16_t length, uint64_t sequence)
{
    uint8_t bytes[10];

    dun_put16(bytes, length);
    dun_put64(bytes + 2, sequence);
    return dun_crc32c(seed, bytes, sizeof bytes);
}

/// Openings ///

void dun_log_put_opening(uint8_t *at, const struct dun_log_opening *opening)
{
    dun_sequence back = opening->first - opening->before_first;
    bool known = opening->before_serial != 0 && back <= UINT32_MAX;

    memcpy(at, magic, sizeof magic);
    dun_put16(at + 4, DUN_LOG_VERSION);
    dun_put16(at + 6, DUN_LOG_OPENING_SIZE);
    dun_put64(at + 8, opening->stream);
    dun_put64(at + 16, opening->first);
    dun_put32(at + 24, opening->serial);
    dun_put32(at + 28, opening->block_size);
    dun_put32(at + 32, opening->block_count);
    dun_put16(at + 36, opening->prog_size);
    dun_put16(at + 38, opening->owner);
    dun_put32(at + 40, known ? opening->before_serial : 0);
    dun_put32(at + 44, known ? (uint32_t)back : 0);
    dun_put32(at + 48, dun_crc32c(0, at, 48));
}

/* Whatever the version, the opening names its size and ends in its CRC. */
static bool newer_is_valid(const struct dun_flash *flash, uint32_t block, uint32_t size)
{
    uint8_t bytes[OPENING_SIZE_MAX];

    if (size < 12 || size > sizeof bytes || size > flash->geometry.block_size)
        return false;
    if (flash->read(flash->context, block, 0, bytes, size) < 0)
        return false;
    return dun_get32(bytes + size - 4) == dun_crc32c(0, bytes, size - 4);
}

static bool all_blank(const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != 0xFF)
            return false;
    return true;
}

static uint32_t size_of_version(uint32_t version)
{
    return version == 1 ? DUN_LOG_OPENING_OLD : DUN_LOG_OPENING_SIZE;
}

static void put_head(uint8_t *at, uint32_t version)
{
    memcpy(at, magic, sizeof magic);
    dun_put16(at + 4, version);
    dun_put16(at + 6, size_of_version(version));
}

/* Are these the bytes of an opening of `version`, as it was written? */
static bool is_version(const uint8_t *bytes, uint32_t version)
{
    uint32_t covered = size_of_version(version) - DUN_LOG_CRC_SIZE;
    uint8_t head[HEAD_SIZE];

    put_head(head, version);
    return memcmp(bytes, head, sizeof head) == 0 &&
           dun_get32(bytes + covered) == dun_crc32c(0, bytes, covered);
}

static uint32_t bits_apart(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < size; i++)
        for (uint32_t difference = a[i] ^ b[i]; difference != 0; difference &= difference - 1)
            count++;
    return count;
}

/* Flips back the bit of an opening of `version` that had flipped, if it is a single one. */
static bool mend(uint8_t *bytes, uint32_t version)
{
    uint8_t head[HEAD_SIZE];

    put_head(head, version);
    if (bits_apart(bytes, head, sizeof head) > 1)
        return false;
    for (uint32_t bit = 0; bit < size_of_version(version) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (is_version(bytes, version))
            return true;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    return false;
}

/* Takes the fields out of a whole opening; false if they make no sense. */
static bool take_opening(const uint8_t *bytes, struct dun_log_opening *opening)
{
    bool old = dun_get16(bytes + 4) == 1;
    uint64_t first = dun_get64(bytes + 16);

    opening->stream = dun_get64(bytes + 8);
    opening->first = (dun_sequence)first;
    opening->serial = dun_get32(bytes + 24);
    opening->block_size = dun_get32(bytes + 28);
    opening->block_count = dun_get32(bytes + 32);
    opening->prog_size = dun_get16(bytes + 36);
    opening->size = dun_get16(bytes + 6);
    opening->owner = old ? 0 : dun_get16(bytes + 38);
    opening->before_serial = old ? 0 : dun_get32(bytes + 40);
    opening->before_first = opening->first - (old ? 0 : dun_get32(bytes + 44));
    return first - 1 < DUN_LOG_SEQUENCE_MAX;
}

enum dun_log_block_kind dun_log_get_opening(const struct dun_flash *flash, uint32_t block,
                                            struct dun_log_opening *opening)
{
    uint8_t bytes[DUN_LOG_OPENING_SIZE];

    if (flash->read(flash->context, block, 0, bytes, sizeof bytes) < 0 &&
        flash->read(flash->context, block, 0, bytes, sizeof bytes) < 0)
        return DUN_LOG_BLOCK_UNREADABLE;
    if (all_blank(bytes, sizeof bytes))
        return DUN_LOG_BLOCK_BLANK;
    if (memcmp(bytes, lost_mark, sizeof lost_mark) == 0)
        return DUN_LOG_BLOCK_LOST;
    if (memcmp(bytes, magic, sizeof magic) == 0 && dun_get16(bytes + 4) > DUN_LOG_VERSION &&
        newer_is_valid(flash, block, dun_get16(bytes + 6)))
        return DUN_LOG_BLOCK_NEWER;
    bool as_written = is_version(bytes, DUN_LOG_VERSION);
    if (!as_written && !dun_has_mending())
        return DUN_LOG_BLOCK_GARBAGE;
    opening->mended = !as_written && !is_version(bytes, 1);
    if (opening->mended && !mend(bytes, DUN_LOG_VERSION) && !mend(bytes, 1))
        return DUN_LOG_BLOCK_GARBAGE;
    return take_opening(bytes, opening) ? DUN_LOG_BLOCK_OURS : DUN_LOG_BLOCK_GARBAGE;
}

/// State ///

void dun_log_put_loss(uint8_t *at, const struct dun_loss *loss)
{
    dun_put64(at, loss->first);
    dun_put64(at + 8, loss->first != 0 ? loss->last : loss->points);
    dun_put64(at + 16, loss->told_in);
    dun_put64(at + 24, (uint64_t)loss->uptime_ms);
    dun_put32(at + 32, loss->boot);
    at[36] = loss->reason;
}

void dun_log_get_loss(const uint8_t *at, struct dun_loss *loss)
{
    dun_sequence last_or_points = (dun_sequence)dun_get64(at + 8);

    memset(loss, 0, sizeof *loss);
    loss->first = (dun_sequence)dun_get64(at);
    loss->last = loss->first != 0 ? last_or_points : 0;
    loss->points = loss->first != 0 ? 0 : last_or_points;
    loss->told_in = (dun_sequence)dun_get64(at + 16);
    loss->uptime_ms = (dun_ms)dun_get64(at + 24);
    loss->boot = dun_get32(at + 32);
    loss->reason = at[36];
}

dun_sequence dun_log_short_cursor(dun_sequence cursor, const uint8_t *at)
{
    return cursor + (uint16_t)(dun_get16(at) - (uint16_t)cursor);
}

bool dun_log_state_fits(uint32_t size, const uint8_t *counts)
{
    return size == DUN_LOG_STATE_SIZE + counts[0] * (uint32_t)DUN_LOG_DONE_SIZE +
                       counts[1] * (uint32_t)DUN_LOG_LOSS_SIZE;
}

/// The walk ///

void dun_log_walk_start(struct dun_log_walk *walk, const struct dun_flash *flash, uint32_t block,
                        const struct dun_log_opening *opening)
{
    walk->flash = flash;
    walk->sequence = opening->first;
    walk->end = DUN_SEQUENCE_LAST;
    walk->tried = 0;
    walk->block = block;
    walk->offset = opening->size;
    walk->seed = dun_log_seed(opening->stream, opening->serial);
    walk->used = opening->size;
    walk->window_from = 0;
    walk->window_size = 0;
}

static void fill_window(struct dun_log_walk *walk, uint32_t offset)
{
    const struct dun_flash *flash = walk->flash;
    uint32_t size = flash->geometry.block_size - offset;

    if (size > DUN_LOG_WINDOW)
        size = DUN_LOG_WINDOW;
    if (flash->read(flash->context, walk->block, offset, walk->window, size) < 0 &&
        flash->read(flash->context, walk->block, offset, walk->window, size) < 0)
        memset(walk->window, 0, size);
    walk->window_from = offset;
    walk->window_size = size;
    while (size > 0 && walk->window[size - 1] == 0xFF)
        size--;
    if (size > 0 && offset + size > walk->used)
        walk->used = offset + size;
}

const uint8_t *dun_log_walk_peek(struct dun_log_walk *walk, uint32_t offset, uint32_t size)
{
    DUN_ASSERT(size <= DUN_LOG_WINDOW && offset <= walk->flash->geometry.block_size - size);
    if (offset < walk->window_from || offset + size > walk->window_from + walk->window_size)
        fill_window(walk, offset);
    return walk->window + (offset - walk->window_from);
}

/* Feeds `crc` with `size` bytes of the walk's block. */
static uint32_t payload_crc(struct dun_log_walk *walk, uint32_t crc, uint32_t offset, uint32_t size)
{
    while (size > 0) {
        uint32_t chunk = walk->window_from + walk->window_size - offset;

        if (offset < walk->window_from || offset >= walk->window_from + walk->window_size)
            chunk = DUN_LOG_WINDOW;
        if (chunk > size)
            chunk = size;
        crc = dun_crc32c(crc, dun_log_walk_peek(walk, offset, chunk), chunk);
        offset += chunk;
        size -= chunk;
    }
    return crc;
}

static bool crc_matches(struct dun_log_walk *walk, uint32_t crc, uint32_t offset, uint32_t size)
{
    crc = payload_crc(walk, crc, offset, size);
    return crc == dun_get32(dun_log_walk_peek(walk, offset + size, DUN_LOG_CRC_SIZE));
}

/*
 * Noise looks like the head of a record once in so many bytes, and each look at a CRC may read a
 * whole record. So when a block's worth was read for nothing, what looks like one must be likely,
 * too, before it is read; and when many were, by bytes that are no accident, none is read any more.
 */
#define TRIED_BLOCKS_MAX 64u

/* Reads past the window, which is needed where it is. */
static void glance(struct dun_log_walk *walk, uint32_t offset, uint8_t *bytes, uint32_t size)
{
    const struct dun_flash *flash = walk->flash;

    if (flash->read(flash->context, walk->block, offset, bytes, size) < 0 &&
        flash->read(flash->context, walk->block, offset, bytes, size) < 0)
        memset(bytes, 0, size);
}

/* Is there behind what was found the header of the next record, padding, or the block's end? And
 * has a state record the size that its counts ask for? */
static bool is_likely(struct dun_log_walk *walk, const struct dun_log_found *found)
{
    uint32_t end = found->offset + found->size + DUN_LOG_CRC_SIZE;
    uint16_t due = (uint16_t)(found->sequence + (found->meta ? 0 : 1));
    uint8_t bytes[DUN_LOG_HEADER_SIZE];

    if (found->meta && found->size != DUN_LOG_STATE_SHORT) {
        if (found->size < DUN_LOG_STATE_SIZE)
            return false;
        glance(walk, found->offset + DUN_LOG_STATE_SIZE - 2, bytes, 2);
        if (found->size != DUN_LOG_STATE_SIZE + (uint32_t)bytes[0] * DUN_LOG_DONE_SIZE +
                               (uint32_t)bytes[1] * DUN_LOG_LOSS_SIZE)
            return false;
    }
    if (walk->flash->geometry.block_size - end < RECORD_FRAME)
        return true;
    glance(walk, end, bytes, sizeof bytes);
    return bytes[0] == 0xFF || dun_get16(bytes + 2) == due;
}

/* Does a record seem to begin at `offset`, by its length and sequence? */
static bool looks_like_record(struct dun_log_walk *walk, uint32_t offset, uint32_t ahead_max,
                              struct dun_log_found *found)
{
    const uint8_t *header = dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE);
    uint16_t length = dun_get16(header);
    uint16_t ahead = (uint16_t)(dun_get16(header + 2) - (uint16_t)walk->sequence);
    uint32_t room = walk->flash->geometry.block_size - offset - RECORD_FRAME;

    found->meta = (length & DUN_LOG_META) != 0;
    found->urgent = (length & DUN_LOG_URGENT) != 0;
    found->size = length & DUN_LOG_SIZE_MASK;
    found->offset = offset + DUN_LOG_HEADER_SIZE;
    found->sequence = walk->sequence + ahead;
    return length != DUN_LOG_BLANK && ahead <= ahead_max && found->size <= room;
}

static bool is_void(const struct dun_log_walk *walk, const struct dun_log_found *found)
{
    return found->sequence >= walk->end + (found->meta && walk->end != DUN_SEQUENCE_LAST ? 1 : 0);
}

/* Is there a valid record at `offset`? */
static bool try_record(struct dun_log_walk *walk, uint32_t offset, uint32_t ahead_max,
                       struct dun_log_found *found)
{
    uint32_t block_size = walk->flash->geometry.block_size;
    uint16_t length;

    if (walk->tried >= TRIED_BLOCKS_MAX * block_size ||
        !looks_like_record(walk, offset, ahead_max, found))
        return false;
    length = dun_get16(dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE));
    if (dun_has_mending() && walk->tried >= block_size && !is_likely(walk, found))
        return false;
    if (!is_void(walk, found) &&
        crc_matches(walk, dun_log_record_crc(walk->seed, length, found->sequence), found->offset,
                    found->size))
        return true;
    walk->tried += found->size + RECORD_FRAME;
    return false;
}

/*
 * Where the next record may start if what lies at `offset` is none: behind padding, or a byte on.
 * A run of blank units is passed at once, but for the last byte of it: a length may begin with
 * 0xFF.
 */
static uint32_t step_over(struct dun_log_walk *walk, uint32_t offset)
{
    uint32_t unit = walk->flash->geometry.prog_size;
    uint32_t boundary = offset / unit * unit + unit;
    uint32_t size = boundary - offset;
    uint32_t run = boundary;

    if (*dun_log_walk_peek(walk, offset, 1) != 0xFF ||
        !all_blank(dun_log_walk_peek(walk, offset, size), size))
        return offset + 1;
    while (run < walk->window_from + walk->window_size &&
           walk->window[run - walk->window_from] == 0xFF)
        run++;
    return run == boundary ? boundary : (run - 1) / unit * unit;
}

bool dun_log_walk_next(struct dun_log_walk *walk, struct dun_log_found *found)
{
    uint32_t block_size = walk->flash->geometry.block_size;
    uint32_t offset = walk->offset;

    while (offset + RECORD_FRAME <= block_size) {
        uint32_t ahead_max = (offset - walk->offset) / RECORD_FRAME;

        if (ahead_max > DUN_LOG_AHEAD_MAX)
            ahead_max = DUN_LOG_AHEAD_MAX;
        if (try_record(walk, offset, ahead_max, found)) {
            walk->offset = found->offset + found->size + DUN_LOG_CRC_SIZE;
            walk->sequence = found->sequence + (found->meta ? 0 : 1);
            return true;
        }
        offset = step_over(walk, offset);
    }
    return false;
}

/// Blocks without an opening ///

/* Takes `count` zero bytes out of a CRC register again: what it was before they were fed. */
static uint32_t unfeed(uint32_t state, uint32_t count)
{
    for (uint32_t bit = 0; bit < count * 8; bit++)
        state = state & 0x80000000U ? (state ^ 0x82F63B78U) << 1 | 1 : state << 1;
    return state;
}

/*
 * A CRC is linear in what was fed before: the seed that makes a record's CRC right follows from the
 * record, and from the seed the serial, since the four bytes of it were fed last.
 */
static uint32_t serial_of(uint64_t stream, uint32_t crc, uint32_t crc_unseeded, uint32_t size)
{
    uint32_t seed = unfeed(crc ^ crc_unseeded, size);
    uint8_t bytes[8];

    dun_put64(bytes, stream);
    return unfeed(~seed, 4) ^ ~dun_crc32c(0, bytes, sizeof bytes);
}

/* The state record that the walk begins at; false if none seems to be there. */
static bool first_state(struct dun_log_walk *walk, struct dun_log_found *found)
{
    uint32_t offset = walk->offset;
    uint32_t block_size = walk->flash->geometry.block_size;
    uint16_t length = dun_get16(dun_log_walk_peek(walk, offset, DUN_LOG_HEADER_SIZE));

    found->meta = (length & DUN_LOG_META) != 0;
    found->size = length & DUN_LOG_SIZE_MASK;
    found->offset = offset + DUN_LOG_HEADER_SIZE;
    return found->meta && found->size >= DUN_LOG_STATE_SIZE &&
           found->size + RECORD_FRAME <= block_size - offset &&
           dun_log_state_fits(found->size,
                              dun_log_walk_peek(walk, found->offset + STATE_COUNTS, 2));
}

bool dun_log_guess_opening(const struct dun_flash *flash, uint32_t block,
                           struct dun_log_opening *opening)
{
    struct dun_log_opening guess = *opening;
    struct dun_log_found found;
    struct dun_log_walk walk;
    const uint8_t *header;
    uint32_t crc;

    guess.size = DUN_LOG_OPENING_SIZE;
    guess.before_serial = opening->serial;
    guess.before_first = opening->first;
    dun_log_walk_start(&walk, flash, block, &guess);
    if (first_state(&walk, &found)) {
        header = dun_log_walk_peek(&walk, walk.offset, DUN_LOG_HEADER_SIZE);
        guess.first += (uint16_t)(dun_get16(header + 2) - (uint16_t)guess.first);
        crc = dun_log_record_crc(0, dun_get16(header), guess.first);
        crc = payload_crc(&walk, crc, found.offset, found.size);
        guess.serial = serial_of(
            opening->stream,
            dun_get32(dun_log_walk_peek(&walk, found.offset + found.size, DUN_LOG_CRC_SIZE)), crc,
            CRC_FIXED + found.size);
    }
    if (guess.serial - opening->serial - 1 >= GUESS_MAX ||
        guess.first - opening->first > flash->geometry.block_size / RECORD_FRAME)
        return false;
    *opening = guess;
    return true;
}
