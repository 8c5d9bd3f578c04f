/*
 * thinning.c: cuts the power at every program and erase while a full log is thinned into its
 * archive, on two devices of nor.h whose caches are independent.
 *
 * After each cut both logs are mounted on what is left; then the device goes on for a while. Never:
 * is a durable record lost that is recent; is a durable record lost that thinning keeps, as long as
 * the archive has room; does the archive hold anything but true copies. With a small archive, which
 * thins itself, the second does not hold, the others do. Runs are deterministic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nor.h"
#include "thinner.h"

#define STEPS       150
#define AFTER_STEPS 25
#define RECORDS     512
#define KEEP_EVERY  3
#define LOSSES      4
#define PAYLOAD_MAX 40

struct part {
    struct nor nor;
    struct dun_store store;
    struct dun_loss losses[LOSSES];
    uint8_t unit[8];
    uint8_t *image; /* what a cut left */
};

struct device {
    struct part store, archive;
    struct dun_thinner thinner;
    uint16_t version[RECORDS]; /* how often this sequence was written */
    uint16_t durable[RECORDS]; /* the version that is durable, 0: none */
    uint64_t oldest;           /* first sequence that the step at work must not lose */
    uint64_t first_after[STEPS];
};

static struct device first, second;
static bool roomy; /* the archive never overflows */
static uint32_t step_now, operation, variant;
static uint64_t cuts;

static _Noreturn void fail(const char *what, uint64_t sequence)
{
    fprintf(stderr, "FAILED %s archive, step %u, operation %u, cut %u: %s (sequence %llu)\n",
            roomy ? "roomy" : "small", step_now, operation, variant, what,
            (unsigned long long)sequence);
    exit(1);
}

/// A device ///

static bool is_urgent(uint64_t sequence)
{
    return sequence % 7 == 1;
}

static uint32_t payload(uint64_t sequence, uint16_t version, uint8_t *bytes)
{
    uint32_t size = 10 + (uint32_t)(sequence * 5 + version) % (PAYLOAD_MAX - 10);

    memset(bytes, (int)(sequence + version), size);
    memcpy(bytes, &sequence, sizeof sequence);
    memcpy(bytes + 8, &version, sizeof version);
    return size;
}

static void mount(struct part *part, enum dun_log_overflow overflow)
{
    struct dun_notices notices = {0};
    struct dun_store_config config = {.flash = &part->nor.flash,
                                      .unit = {part->unit, sizeof part->unit},
                                      .losses = part->losses,
                                      .losses_max = LOSSES,
                                      .new_stream = 9,
                                      .overflow = overflow};

    dun_store_init(&part->store, &config);
    if (dun_store_mount(&part->store, &notices) != DUN_OK)
        fail("the mount failed", 0);
}

static void mount_both(struct device *device)
{
    mount(&device->store, DUN_LOG_THIN);
    mount(&device->archive, DUN_LOG_DROP_OLDEST);
    device->thinner = (struct dun_thinner){
        .store = &device->store.store, .archive = &device->archive.store, .keep_every = KEEP_EVERY};
}

static void append(struct device *device)
{
    struct dun_log *log = &device->store.store.log;
    uint64_t sequence = dun_log_next_sequence(log);
    uint16_t version = ++device->version[sequence];
    uint8_t bytes[PAYLOAD_MAX];
    uint32_t size = payload(sequence, version, bytes);

    if (dun_thinner_tick(&device->thinner) < 0)
        fail("thinning failed", sequence);
    if ((is_urgent(sequence) ? dun_log_begin_urgent(log, size) : dun_log_begin(log, size)) < 0 ||
        dun_log_write(log, bytes, size) < 0 || dun_log_commit(log) < 0 || dun_log_sync(log) < 0)
        fail("an append failed", sequence);
    device->durable[sequence] = version;
}

/// What must be there ///

/* Marks the versions that a log gives out; fails for bytes that were never written. */
static void collect(struct part *part, uint16_t *found)
{
    struct dun_log *log = &part->store.log;
    struct dun_log_cursor cursor;
    uint8_t bytes[PAYLOAD_MAX], expected[PAYLOAD_MAX];
    uint64_t sequence;
    uint16_t version;

    memset(found, 0, RECORDS * sizeof *found);
    for (int result = dun_log_first(log, &cursor); result != 0;
         result = dun_log_next(log, &cursor)) {
        if (result < 0 || cursor.size > PAYLOAD_MAX || cursor.size < 10 ||
            dun_log_read(log, &cursor, 0, bytes, cursor.size) < 0)
            fail("a record cannot be read", cursor.sequence);
        memcpy(&sequence, bytes, sizeof sequence);
        memcpy(&version, bytes + 8, sizeof version);
        if (sequence >= RECORDS || payload(sequence, version, expected) != cursor.size ||
            memcmp(bytes, expected, cursor.size) != 0 || cursor.urgent != is_urgent(sequence))
            fail("a record is not what was written", cursor.sequence);
        found[sequence] = version;
    }
}

static void check(struct device *device, const uint16_t *durable, uint64_t oldest)
{
    static uint16_t in_store[RECORDS], in_archive[RECORDS];

    collect(&device->store, in_store);
    collect(&device->archive, in_archive);
    for (uint64_t s = 1; s < RECORDS; s++) {
        bool stays = is_urgent(s) || s % KEEP_EVERY == 0;

        if (durable[s] == 0 || in_store[s] == durable[s])
            continue;
        if (s >= oldest)
            fail("a recent record is lost", s);
        if (stays && roomy && in_archive[s] != durable[s])
            fail("a record that stays is lost", s);
    }
}

/// Cuts ///

/* What was kept back by the cache of `part` is done or lost; `last`, if not NULL, befell the last.
 */
static void leave(const struct part *part, bool done, const struct nor_outcome *last)
{
    const struct nor *nor = &part->nor;
    struct nor_outcome outcome = {done ? NOR_DONE : NOR_LOST, 0};

    memcpy(part->image, nor->medium, nor_size(nor));
    for (uint32_t i = 0; i < nor->pending_count; i++)
        nor_apply(nor, &nor->pending[i], last && i + 1 == nor->pending_count ? *last : outcome,
                  part->image);
}

/* Boots a second device from the images, checks it, lets it go on and checks it again. */
static void try_cut(const struct device *device)
{
    variant++;
    cuts++;
    nor_boot(&second.store.nor, device->store.image);
    nor_boot(&second.archive.nor, device->archive.image);
    memcpy(second.version, device->version, sizeof second.version);
    memcpy(second.durable, device->durable, sizeof second.durable);
    mount_both(&second);
    check(&second, second.durable, device->oldest);
    for (uint32_t i = 0; i < AFTER_STEPS; i++)
        append(&second);
    check(&second, second.durable, dun_log_first_sequence(&second.store.store.log));
}

static void cut(void *context)
{
    struct part *part = context;
    struct part *other = part == &first.store ? &first.archive : &first.store;
    uint32_t size = part->nor.pending[part->nor.pending_count - 1].size;

    operation++;
    variant = 0;
    for (int kind = NOR_DONE; kind <= NOR_TORN; kind++)
        for (int done = 0; done < 4; done++) {
            struct nor_outcome last = {(enum nor_outcome_kind)kind, size / 2};

            leave(part, (done & 1) != 0, &last);
            leave(other, (done & 2) != 0, NULL);
            try_cut(&first);
        }
}

static void open_part(struct part *part, struct dun_flash_geometry geometry)
{
    nor_init(&part->nor, geometry);
    part->image = malloc(nor_size(&part->nor));
}

static void close_part(struct part *part)
{
    free(part->image);
    nor_free(&part->nor);
}

static void open_device(struct device *device, uint32_t archive_blocks)
{
    memset(device->version, 0, sizeof device->version);
    memset(device->durable, 0, sizeof device->durable);
    open_part(&device->store, (struct dun_flash_geometry){256, 4, 4});
    open_part(&device->archive, (struct dun_flash_geometry){256, archive_blocks, 8});
    mount_both(device);
}

static void close_device(struct device *device)
{
    close_part(&device->store);
    close_part(&device->archive);
}

static void run(uint32_t archive_blocks)
{
    open_device(&first, archive_blocks);
    for (step_now = 0; step_now < STEPS; step_now++) { /* how far each step moves the oldest */
        append(&first);
        first.first_after[step_now] = dun_log_first_sequence(&first.store.store.log);
    }
    close_device(&first);

    open_device(&first, archive_blocks);
    open_device(&second, archive_blocks);
    first.store.nor.cut = first.archive.nor.cut = cut;
    first.store.nor.cut_context = &first.store;
    first.archive.nor.cut_context = &first.archive;
    operation = 0;
    for (step_now = 0; step_now < STEPS; step_now++) {
        first.oldest = first.first_after[step_now];
        append(&first);
    }
    check(&first, first.durable, dun_log_first_sequence(&first.store.store.log));
    close_device(&second);
    close_device(&first);
}

int main(void)
{
    roomy = true;
    run(64);
    roomy = false;
    run(4);
    printf("%llu power cuts tried while thinning, all survived\n", (unsigned long long)cuts);
    return 0;
}
