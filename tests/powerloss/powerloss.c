/*
 * powerloss.c: cuts the power at every operation of scripted workloads, and at every byte within.
 *
 * A device runs a script on the simulated flash of nor.h. Before each program and erase takes place
 * the medium is rebuilt as a cut there may have left it, in every way that nor.h tells; a log is
 * mounted on each and held against the oracle. Of some of them a second device goes on from there,
 * and is cut in its turn at each operation. Runs are deterministic: a failure prints an id,
 * geometry.workload.operation.variant[.operation.variant], and --replay ID runs it alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crc32c.h"
#include "nor.h"
#include "oracle.h"

#define STEPS_MAX    400
#define IMAGES_EVERY 1500
#define SHAPES_SAVED 10 /* the small ones */
#define AFTER_STEPS  8  /* of the second device */
#define BITS_TRIED   48

struct shape {
    struct dun_flash_geometry geometry;
    uint32_t unit_size;
    uint32_t size_max; /* of payloads */
    uint32_t steps;
    uint32_t second_every; /* one cut of so many is followed by a second device */
    uint32_t tears;        /* an operation is torn at so many places, or at every byte */
    uint32_t pairs;        /* so many earlier pending operations are cut with the latest */
    uint32_t sparse;       /* only one variant of so many; 0: all */
};

static const struct shape shapes[] = {
    {{256, 4, 1}, 1, 40, 30, 4000, 512, 5, 0},
    {{256, 6, 1}, 64, 60, 90, 1000, 512, 5, 0},
    {{256, 8, 4}, 4, 50, 60, 4000, 512, 5, 0},
    {{256, 5, 8}, 8, 70, 60, 3000, 512, 5, 0},
    {{256, 2, 8}, 16, 30, 80, 700, 512, 5, 0},
    {{256, 12, 256}, 256, 60, 80, 2000, 512, 5, 0},
    {{512, 4, 16}, 48, 150, 80, 1500, 512, 5, 0},
    {{1024, 4, 256}, 256, 200, 80, 300, 32, 5, 0},
    {{4096, 3, 8}, 512, 400, 80, 200, 16, 5, 0},
    {{4096, 4, 256}, 256, 900, 70, 300, 12, 3, 0},
    {{65536, 3, 4}, 4096, 16000, 30, 300, 4, 1, 9},
    {{131072, 3, 256}, 4096, 30000, 30, 300, 3, 1, 16},
};

struct workload {
    const char *name;
    uint32_t burst;      /* records a sync */
    uint32_t ack;        /* of 100 steps, so many acknowledge */
    uint32_t ack_count;  /* records each time, at most */
    bool reordered;      /* acks come in any order */
    uint32_t points;     /* of 100 steps, so many lose points */
    bool tell;           /* records carry the ledger */
    uint32_t sync_fails; /* of 100 syncs */
    bool drop_newest;
    bool worn; /* one block never programs, another never erases */
};

static const struct workload workloads[] = {
    {.name = "steady", .burst = 1, .ack = 50, .ack_count = 3},
    {.name = "offline", .burst = 1, .tell = true},
    {.name = "bursts", .burst = 5, .ack = 40, .ack_count = 6, .reordered = true},
    {.name = "mixed", .burst = 2, .ack = 30, .ack_count = 2, .points = 15, .tell = true},
    {.name = "failing",
     .burst = 3,
     .ack = 40,
     .ack_count = 5,
     .points = 5,
     .tell = true,
     .sync_fails = 25},
    {.name = "refusing", .burst = 2, .ack = 30, .ack_count = 4, .drop_newest = true},
    {.name = "worn", .burst = 1, .ack = 45, .ack_count = 3, .tell = true, .worn = true},
};

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

struct device {
    struct nor nor;
    struct dun_log log;
    struct dun_ledger ledger;
    struct dun_loss losses[ORACLE_LOSSES];
    uint8_t unit[4096];
    uint8_t payload[ORACLE_SIZE_MAX];
    struct oracle oracle;
    const struct shape *shape;
    const struct workload *workload;
    uint32_t random;
    uint32_t operation; /* counts cuts' places */
    struct device *second;
    uint64_t bounds[STEPS_MAX]; /* lost_bound of each step, known from a run without cuts */
};

static struct {
    uint32_t shape, workload;
    uint32_t operation, variant, operation2, variant2;
    uint32_t only_operation, only_variant; /* with --replay */
    uint32_t sparse;                       /* try one of so many first cuts, with --sparse */
    bool replay;
    bool second;        /* at work on the second device */
    const char *images; /* folder for samples of what was checked */
    uint32_t saved;
    uint64_t cuts, cuts2;
    uint8_t *image;   /* the medium as a cut left it */
    struct nor probe; /* a frozen device to mount it on */
} run;

/// A device ///

static uint32_t roll(struct device *device, uint32_t sides)
{
    device->random = device->random * 1664525u + 1013904223u;
    return (device->random >> 8) % sides;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "FAILED %u.%u.%u.%u", run.shape, run.workload, run.operation, run.variant);
    if (run.second)
        fprintf(stderr, ".%u.%u", run.operation2, run.variant2);
    fprintf(stderr, ": %s (sequence %llu; %s, blocks of %u, units of %u)\n", what,
            (unsigned long long)oracle_culprit, workloads[run.workload].name,
            shapes[run.shape].geometry.block_size, shapes[run.shape].geometry.prog_size);
    exit(1);
}

static int mount_on(const struct dun_flash *flash, const struct device *like, struct dun_log *log,
                    struct dun_ledger *ledger, struct dun_loss *losses, uint8_t *unit)
{
    struct dun_log_report report;
    struct dun_log_config config = {.flash = flash, .ledger = ledger, .new_stream = 77};

    config.unit = (struct dun_buffer){unit, like->shape->unit_size};
    config.overflow = like->workload->drop_newest ? DUN_LOG_DROP_NEWEST : DUN_LOG_DROP_OLDEST;
    dun_ledger_init(ledger, losses, ORACLE_LOSSES);
    dun_ledger_stamp(ledger, 1, 1);
    return dun_log_mount(log, &config, &report);
}

static void settle_oracle(struct device *device, int result, bool acks)
{
    if (result == DUN_OK || result == DUN_E_IO)
        oracle_synced(&device->oracle, dun_log_next_sequence(&device->log),
                      acks && result == DUN_OK);
}

static int append(struct device *device)
{
    struct oracle *oracle = &device->oracle;
    uint64_t sequence = dun_log_next_sequence(&device->log);
    uint32_t size;
    int result;

    if (sequence + 1 >= ORACLE_SEQUENCES)
        return DUN_E_FULL;
    oracle->facts[sequence].version++;
    if (sequence > oracle->top)
        oracle->top = sequence;
    size = oracle_payload(oracle, sequence, oracle->facts[sequence].version, device->payload);
    result = dun_log_append(&device->log, (struct dun_span){device->payload, size});
    if (result == DUN_OK && device->workload->tell && dun_ledger_untold(&device->ledger) > 0) {
        dun_ledger_told(&device->ledger, sequence, UINT16_MAX);
        oracle_carries(oracle, sequence, &device->ledger);
    }
    return result;
}

static void append_step(struct device *device)
{
    const struct workload *workload = device->workload;
    int result = DUN_OK;

    if (workload->points > 0 && roll(device, 100) < workload->points) {
        uint32_t points = 1 + roll(device, 20);

        device->oracle.points += points;
        dun_ledger_add_points(&device->ledger, points,
                              roll(device, 2) == 0 ? DUN_LOSS_STORAGE : DUN_LOSS_TOO_LARGE);
    }
    device->nor.sync_fails = roll(device, 100) < workload->sync_fails;
    for (uint32_t i = 1 + roll(device, workload->burst); i > 0 && result == DUN_OK; i--)
        result = append(device);
    if (result == DUN_E_IO) {
        settle_oracle(device, result, false);
    } else {
        result = dun_log_sync(&device->log);
        settle_oracle(device, result, !workload->drop_newest);
    }
    device->nor.sync_fails = false;
}

static void ack_step(struct device *device)
{
    struct dun_log_cursor cursor;
    uint32_t count = 1 + roll(device, device->workload->ack_count);
    int result = dun_log_first(&device->log, &cursor);

    while (count > 0 && result == 1) {
        if (!device->workload->reordered || roll(device, 3) > 0) {
            if (dun_log_ack(&device->log, cursor.sequence) == DUN_OK)
                oracle_acked(&device->oracle, cursor.sequence);
            count--;
        }
        result = dun_log_next(&device->log, &cursor);
    }
    if (roll(device, 2) == 0) {
        result = dun_log_sync(&device->log);
        settle_oracle(device, result, !device->workload->drop_newest);
    }
}

static void step(struct device *device)
{
    if (roll(device, 100) < device->workload->ack)
        ack_step(device);
    else
        append_step(device);
}

/* Runs `steps` steps with no cut and notes how far each of them moved the oldest record. */
static void learn_bounds(struct device *device, uint32_t steps)
{
    device->nor.cut = NULL;
    device->oracle.lost_bound = UINT64_MAX;
    for (uint32_t i = 0; i < steps; i++) {
        step(device);
        device->bounds[i] =
            device->workload->drop_newest ? 0 : dun_log_first_sequence(&device->log);
    }
}

static void run_steps(struct device *device, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        device->oracle.lost_bound = device->bounds[i];
        step(device);
    }
}

/// Cuts ///

static uint32_t lot(uint32_t operation, uint32_t variant)
{
    return (operation * 2654435761u ^ variant * 2246822519u) >> 7;
}

/* Puts the image and what the C log made of it where the second reader's test finds them. */
static void save_image(const struct device *device, struct dun_log *log)
{
    const struct dun_flash_geometry *geometry = &device->shape->geometry;
    static uint8_t payload[ORACLE_SIZE_MAX];
    struct dun_log_cursor cursor;
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%u.img", run.images, run.saved);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(run.image, 1, nor_size(&device->nor), file) == 0)
        fail("an image could not be written");
    fclose(file);
    snprintf(path, sizeof path, "%s/%u.json", run.images, run.saved++);
    file = fopen(path, "w");
    if (file == NULL)
        fail("an image could not be written");
    fprintf(file, "{\"block_size\": %u, \"prog_size\": %u, \"stream\": %llu, \"next\": %llu,",
            geometry->block_size, geometry->prog_size, (unsigned long long)dun_log_stream(log),
            (unsigned long long)dun_log_next_sequence(log));
    fprintf(file, " \"records\": [");
    for (int result = dun_log_first(log, &cursor), n = 0; result == 1;
         result = dun_log_next(log, &cursor), n++) {
        if (dun_log_read(log, &cursor, 0, payload, cursor.size) < 0)
            fail("reading failed");
        fprintf(file, "%s[%llu, %u, \"%08x\"]", n > 0 ? ", " : "",
                (unsigned long long)cursor.sequence, cursor.size,
                dun_crc32c(0, payload, cursor.size));
    }
    fprintf(file, "]}\n");
    fclose(file);
}

static void check_image(const struct device *device)
{
    struct dun_loss losses[ORACLE_LOSSES];
    static uint8_t unit[4096];
    struct dun_ledger ledger;
    struct dun_log log;
    const char *what;
    uint64_t durable = 0;

    run.probe.live = run.image;
    if (mount_on(&run.probe.flash, device, &log, &ledger, losses, unit) != DUN_OK)
        fail("the mount failed");
    for (uint64_t s = 1; s <= device->oracle.top; s++)
        durable += device->oracle.facts[s].stored != 0;
    if (durable > 0 && dun_log_stream(&log) != dun_log_stream(&device->log))
        fail("another stream");
    what = oracle_check(&device->oracle, &log, &ledger);
    if (what != NULL)
        fail(what);
    if (run.images != NULL)
        save_image(device, &log);
}

static void go_on(struct device *first);

/* Builds the medium with these outcomes of the pending operations, checks it, and takes it back. */
static void try_cut(struct device *device, const struct nor_outcome *outcomes)
{
    const struct nor *nor = &device->nor;
    uint32_t *variant = run.second ? &run.variant2 : &run.variant;
    uint32_t sparse = run.sparse > device->shape->sparse ? run.sparse : device->shape->sparse;

    (*variant)++;
    if (run.images != NULL && lot(run.operation, run.variant) % IMAGES_EVERY != 0)
        return;
    if (!run.second && sparse > 1 && lot(run.variant, run.operation) % sparse != 0)
        return;
    if (!run.second && run.replay &&
        (run.operation != run.only_operation || run.variant != run.only_variant))
        return;
    for (uint32_t i = 0; i < nor->pending_count; i++)
        nor_apply(nor, &nor->pending[i], outcomes[i], run.image);
    check_image(device);
    *(run.second ? &run.cuts2 : &run.cuts) += 1;
    if (!run.second && run.images == NULL &&
        lot(run.operation, run.variant) % device->shape->second_every == 0)
        go_on(device);
    for (uint32_t i = 0; i < nor->pending_count; i++) {
        const struct nor_op *op = &nor->pending[i];
        size_t at = (size_t)op->block * nor->flash.geometry.block_size + op->offset;

        memcpy(run.image + at, nor->medium + at, op->size);
    }
}

static struct nor_outcome outcomes[NOR_PENDING_MAX];

static void all_done(void)
{
    memset(outcomes, 0, sizeof outcomes);
}

static void try_tears(struct device *device, uint32_t last)
{
    const struct nor_op *op = &device->nor.pending[last];
    uint32_t tears = device->shape->tears;
    uint32_t stride = op->size <= tears ? 1 : op->size / tears;

    for (uint32_t at = 0; at < op->size; at += stride) {
        for (int kind = NOR_TORN; kind <= NOR_TORN_BACK; kind++) {
            if (at == 0 && kind != NOR_TORN_NOISE)
                continue; /* the same as lost, or done */
            if (kind == NOR_TORN_BACK && !op->erase)
                continue; /* programs go up */
            outcomes[last] = (struct nor_outcome){(enum nor_outcome_kind)kind, at};
            try_cut(device, outcomes);
        }
    }
}

/* Up to BITS_TRIED bits, other ones for each operation. */
static void try_bits(struct device *device, uint32_t last)
{
    uint32_t bits = device->nor.pending[last].size * 8;
    uint32_t stride = bits / BITS_TRIED + 1;

    if (device->nor.pending[last].erase)
        return;
    for (uint32_t at = device->operation % stride; at < bits; at += stride) {
        outcomes[last] = (struct nor_outcome){NOR_MARGINAL, at};
        try_cut(device, outcomes);
    }
}

/* The latest operation and one before it, which the cache may have kept back, both go wrong. */
static void try_pairs(struct device *device, uint32_t last)
{
    uint32_t pairs = device->shape->pairs;

    for (uint32_t i = last > pairs ? last - pairs : 0; i < last; i++) {
        for (int early = NOR_LOST; early <= NOR_TORN; early++) {
            for (int late = NOR_DONE; late <= NOR_GARBAGE; late++) {
                all_done();
                outcomes[i].kind = (enum nor_outcome_kind)early;
                outcomes[i].at = device->nor.pending[i].size / 2;
                outcomes[last].kind = (enum nor_outcome_kind)late;
                try_cut(device, outcomes);
            }
        }
    }
}

/* All from some operation on, or all in limbo, never came to the medium. */
static void try_losses(struct device *device, uint32_t last)
{
    for (uint32_t n = 0; n < 4; n++) {
        all_done();
        for (uint32_t i = 0; i <= last; i++) {
            bool lost = n == 0 || (n == 1 && device->nor.pending[i].limbo) ||
                        (n == 2 && i % 2 == 0) || (n == 3 && i % 2 == 1);

            outcomes[i].kind = lost ? NOR_LOST : NOR_DONE;
        }
        try_cut(device, outcomes);
    }
}

static void cut(void *context)
{
    struct device *device = context;
    uint32_t last = device->nor.pending_count - 1;

    memcpy(run.image, device->nor.medium, nor_size(&device->nor));
    device->operation++;
    if (run.second) {
        run.operation2 = device->operation;
        run.variant2 = 0;
    } else {
        run.operation = device->operation;
        run.variant = 0;
    }
    all_done();
    for (int kind = NOR_DONE; kind <= NOR_GARBAGE; kind++) {
        outcomes[last].kind = (enum nor_outcome_kind)kind;
        try_cut(device, outcomes);
    }
    if (run.second) {
        outcomes[last] = (struct nor_outcome){NOR_TORN, device->nor.pending[last].size / 2};
        try_cut(device, outcomes);
        return;
    }
    try_tears(device, last);
    try_bits(device, last);
    try_pairs(device, last);
    try_losses(device, last);
}

/// Runs ///

static void start(struct device *device, const struct shape *shape, const struct workload *workload)
{
    nor_init(&device->nor, shape->geometry);
    memset(&device->oracle, 0, sizeof device->oracle);
    device->shape = shape;
    device->workload = workload;
    device->random = 12345;
    device->operation = 0;
    device->oracle.size_max = shape->size_max;
    if (workload->worn && shape->geometry.block_count >= 5) {
        device->nor.bad = 1;
        device->nor.stuck = 3;
    }
    if (mount_on(&device->nor.flash, device, &device->log, &device->ledger, device->losses,
                 device->unit) != DUN_OK)
        fail("the first mount failed");
}

/* Boots `device` from run.image as `first` left it. */
static void boot(struct device *device, const struct device *first)
{
    const char *what;

    nor_boot(&device->nor, run.image);
    device->oracle = first->oracle;
    device->shape = first->shape;
    device->workload = first->workload;
    device->random = first->random + first->operation;
    device->operation = 0;
    device->nor.bad = first->nor.bad;
    device->nor.stuck = first->nor.stuck;
    if (mount_on(&device->nor.flash, device, &device->log, &device->ledger, device->losses,
                 device->unit) != DUN_OK)
        fail("the second mount failed");
    what = oracle_check(&device->oracle, &device->log, &device->ledger);
    if (what != NULL)
        fail(what);
    oracle_adopt(&device->oracle, &device->log, &device->ledger);
}

/* After one cut, a second device works on, is cut at each operation, and at last checked whole. */
static void go_on(struct device *first)
{
    static struct nor_outcome kept[NOR_PENDING_MAX];
    struct device *device = first->second;
    uint8_t *image = run.image;
    size_t size = nor_size(&first->nor);

    memcpy(kept, outcomes, sizeof kept);
    run.second = true;
    run.operation2 = run.variant2 = 0;
    device->nor.cut = NULL;
    boot(device, first);
    learn_bounds(device, AFTER_STEPS);
    boot(device, first);
    run.image = malloc(size);
    memcpy(run.image, device->nor.medium, size);
    device->nor.cut = cut;
    device->nor.cut_context = device;
    run_steps(device, AFTER_STEPS);
    free(run.image);
    run.image = image;
    run.second = false;
    memcpy(outcomes, kept, sizeof kept);
}

static void run_one(const struct shape *shape, const struct workload *workload,
                    struct device *device, struct device *second)
{
    uint64_t programs;

    start(device, shape, workload);
    learn_bounds(device, shape->steps);
    programs = device->nor.progs;
    nor_free(&device->nor);

    start(device, shape, workload);
    nor_init(&second->nor, shape->geometry);
    nor_init(&run.probe, shape->geometry);
    free(run.probe.live);
    run.probe.frozen = true;
    run.image = malloc(nor_size(&device->nor));
    memcpy(run.image, device->nor.medium, nor_size(&device->nor));
    device->second = second;
    device->nor.cut = cut;
    device->nor.cut_context = device;
    run_steps(device, shape->steps);
    if (device->nor.progs != programs)
        fail("the run with cuts was not the run without");
    run.probe.live = NULL;
    nor_free(&run.probe);
    nor_free(&second->nor);
    nor_free(&device->nor);
    free(run.image);
}

/* Noise from `from` on in block 0; behind it, up to `end`, the head of each other record is hit. */
static void make_noise(struct device *device, uint32_t from, uint32_t behind, uint32_t end)
{
    uint8_t *block = device->nor.live;
    struct dun_log_cursor cursor;

    for (int result = dun_log_first(&device->log, &cursor); result == 1 && cursor.block == 0;
         result = dun_log_next(&device->log, &cursor))
        if (cursor.sequence % 2 == 0 && cursor.offset > behind && cursor.offset < end)
            block[cursor.offset - 1] ^= 0xFF;
    for (uint32_t i = from; i < behind; i++)
        block[i] = (uint8_t)roll(device, 256);
}

/* For the second reader: so much noise that the readers look at records more closely. */
static void save_noise(struct device *device)
{
    static const struct shape shape = {{65536, 3, 1}, 512, 900, 160, 1, 1, 1, 0};
    struct dun_loss losses[ORACLE_LOSSES];
    static uint8_t unit[4096];
    struct dun_ledger ledger;
    struct dun_log log;

    run.shape = 0;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        start(device, &shape, &workloads[1]);
        device->random = seed;
        learn_bounds(device, shape.steps);
        make_noise(device, 4000, 10000 + seed * 2000, 30000 + seed * 2000);
        nor_init(&run.probe, shape.geometry);
        free(run.probe.live);
        run.probe.frozen = true;
        run.image = run.probe.live = device->nor.live;
        if (mount_on(&run.probe.flash, device, &log, &ledger, losses, unit) != DUN_OK)
            fail("the mount failed");
        save_image(device, &log);
        run.probe.live = NULL;
        nor_free(&run.probe);
        nor_free(&device->nor);
    }
}

static void run_shape(struct device *device, struct device *second)
{
    const struct dun_flash_geometry *geometry = &shapes[run.shape].geometry;
    uint64_t before = run.cuts + run.cuts2;
    clock_t began = clock();

    for (run.workload = 0; run.workload < COUNT(workloads); run.workload++)
        run_one(&shapes[run.shape], &workloads[run.workload], device, second);
    printf("blocks of %6u x %2u, units of %3u: %8llu cuts, %.1f s\n", geometry->block_size,
           geometry->block_count, geometry->prog_size,
           (unsigned long long)(run.cuts + run.cuts2 - before),
           (double)(clock() - began) / CLOCKS_PER_SEC);
}

static void run_all(struct device *device, struct device *second)
{
    uint32_t count = run.images == NULL ? COUNT(shapes) : SHAPES_SAVED;

    for (run.shape = 0; run.shape < count; run.shape++)
        run_shape(device, second);
    if (run.images != NULL)
        save_noise(device);
    printf("%llu power cuts and %llu second cuts tried, all survived\n",
           (unsigned long long)run.cuts, (unsigned long long)run.cuts2);
}

int main(int argc, char **argv)
{
    struct device *device = calloc(1, sizeof *device);
    struct device *second = calloc(1, sizeof *second);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "--images") == 0) {
        run.images = argv[2];
    } else if (argc == 3 && strcmp(argv[1], "--replay") == 0 &&
               sscanf(argv[2], "%u.%u.%u.%u", &run.shape, &run.workload, &run.only_operation,
                      &run.only_variant) == 4 &&
               run.shape < COUNT(shapes) && run.workload < COUNT(workloads)) {
        run.replay = true;
    } else if (argc == 3 && strcmp(argv[1], "--sparse") == 0) {
        run.sparse = (uint32_t)strtoul(argv[2], NULL, 10);
    } else if (argc != 1) {
        fprintf(stderr, "usage: powerloss [--replay ID | --images FOLDER | --sparse N]\n");
        return 2;
    }
    if (run.replay)
        run_one(&shapes[run.shape], &workloads[run.workload], device, second);
    else
        run_all(device, second);
    free(device);
    free(second);
    return 0;
}
