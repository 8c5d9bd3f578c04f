/*
 * test_recorder.c: records and losses when a store fails, between two stores in RAM. The cases are
 * what the simulator (tests/sim) found, as small as they get; test_agent.c has the usual ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flash_ram.h"
#include "recorder.h"

enum { BLOCK = 512, BLOCKS = 2, POINTS = 8, LOSSES = 4, AGE_MS = 100, RETRY_MS = 1000 };

struct fixture {
    struct dun_recorder recorder;
    struct dun_store stores[2]; /* the durable one, the spare */
    struct dun_clock clock;
    struct dun_catalog catalog;
    struct dun_metric metric;
    struct dun_batch batch;
    struct dun_point points[POINTS];
    struct dun_chain chain;
    struct dun_stats stats;
    struct dun_notices notices;
    struct dun_loss losses[2][LOSSES];
    struct dun_flash memory[2];
    struct dun_flash flaky; /* in front of the durable one */
    int prog_error, erase_error;
    uint8_t bytes[2][BLOCK * BLOCKS + 16];
    uint8_t unit[2][4];
};

static struct fixture fixture;

static int flaky_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct fixture *f = context;
    return f->memory[0].read(f->memory[0].context, block, offset, data, size);
}

static int flaky_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    struct fixture *f = context;
    if (f->prog_error < 0)
        return f->prog_error;
    return f->memory[0].prog(f->memory[0].context, block, offset, data, size);
}

static int flaky_erase(void *context, uint32_t block)
{
    struct fixture *f = context;
    return f->erase_error < 0 ? f->erase_error : f->memory[0].erase(f->memory[0].context, block);
}

static int flaky_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

static void make_store(struct fixture *f, int which)
{
    struct dun_flash_geometry geometry = {
        .block_size = BLOCK, .block_count = BLOCKS, .prog_size = 1};
    struct dun_buffer memory = {f->bytes[which], sizeof f->bytes[which]};
    assert_int_equal(dun_flash_ram_init(&f->memory[which], geometry, memory), DUN_OK);
    f->flaky = (struct dun_flash){.geometry = geometry,
                                  .context = f,
                                  .read = flaky_read,
                                  .prog = flaky_prog,
                                  .erase = flaky_erase,
                                  .sync = flaky_sync};
    dun_store_init(&f->stores[which],
                   &(struct dun_store_config){.flash = which ? &f->memory[1] : &f->flaky,
                                              .unit = {f->unit[which], sizeof f->unit[which]},
                                              .losses = f->losses[which],
                                              .losses_max = LOSSES,
                                              .new_stream = 7u + (unsigned)which});
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    make_store(f, 0);
    make_store(f, 1);
    dun_clock_init(&f->clock, 9, 0, 3600000);
    dun_catalog_init(&f->catalog, &f->metric, 1);
    dun_batch_init(&f->batch, f->points, POINTS, &f->chain, 1);
    f->recorder = (struct dun_recorder){
        .device = "d1",
        .encoder = &dun_columns,
        .limits = {.points_max = POINTS,
                   .bytes_max = 400,
                   .age_max_ms = AGE_MS,
                   .retry_ms = RETRY_MS},
        .catalog = &f->catalog,
        .batch = &f->batch,
        .clock = &f->clock,
        .durable = &f->stores[0],
        .spare = &f->stores[1],
        .stats = &f->stats,
        .notices = &f->notices,
    };
    struct dun_metric metric = {.name = "m", .unit = "1", .kind = DUN_GAUGE};
    assert_int_equal(dun_catalog_add(&f->catalog, &metric), 0);
    dun_recorder_start(&f->recorder, 0);
    *state = f;
    return 0;
}

static void record(struct fixture *f, dun_ms now)
{
    assert_int_equal(dun_recorder_add(&f->recorder, 0, now, now), DUN_OK);
    assert_int_equal(dun_recorder_seal(&f->recorder, now), DUN_OK);
}

static dun_sequence next_of(const struct fixture *f, int which)
{
    return dun_log_next_sequence(&f->stores[which].log);
}

/// Tests ///

/* The spare took the last record, and the durable store, which fails, has a loss to tell. */
static void test_losses_of_a_failing_store_do_not_wake_for_ever(void **state)
{
    struct fixture *f = *state;
    record(f, 0);
    f->prog_error = DUN_E_IO;
    record(f, 10);
    assert_ptr_equal(f->recorder.active, &f->stores[1]);
    dun_ledger_add(&f->stores[0].ledger, 1, 1, DUN_LOSS_REJECTED);
    dun_recorder_wake(&f->recorder, 20);
    dun_ms deadline = dun_recorder_deadline(&f->recorder);
    dun_recorder_tick(&f->recorder, deadline);
    assert_true(dun_recorder_deadline(&f->recorder) > deadline);
}

/* Once it works again its losses are told there, though no point came meanwhile. */
static void test_losses_are_told_where_they_happened(void **state)
{
    struct fixture *f = *state;
    record(f, 0);
    f->prog_error = DUN_E_IO;
    record(f, 10);
    f->prog_error = 0;
    dun_sequence durable = next_of(f, 0), spare = next_of(f, 1);
    dun_ledger_add(&f->stores[0].ledger, 1, 1, DUN_LOSS_REJECTED);
    assert_int_equal(dun_recorder_seal(&f->recorder, 10 + RETRY_MS), DUN_OK);
    assert_int_equal(dun_ledger_untold(&f->stores[0].ledger), 0);
    record(f, 20 + RETRY_MS);
    assert_ptr_equal(f->recorder.active, &f->stores[0]);
    dun_ledger_add(&f->stores[1].ledger, 1, 1, DUN_LOSS_REJECTED);
    assert_int_equal(dun_recorder_seal(&f->recorder, 30 + RETRY_MS), DUN_OK);
    assert_int_equal(dun_ledger_untold(&f->stores[1].ledger), 0);
    assert_true(next_of(f, 0) > durable);
    assert_true(next_of(f, 1) > spare);
}

/* Fills the durable log, and gives it a loss to tell. Returns the time. */
static dun_ms fill_with_loss(struct fixture *f)
{
    dun_ms now = 0;
    while (dun_log_overflowed(&f->stores[0].log) == 0)
        record(f, ++now);
    dun_ledger_add(&f->stores[0].ledger, 1, 1, DUN_LOSS_REJECTED);
    dun_ledger_untell(&f->stores[0].ledger, 1);
    return now;
}

/* A full log: the record that tells the loss could cause the next one. */
static void test_telling_losses_waits_for_room(void **state)
{
    struct fixture *f = *state;
    dun_ms now = fill_with_loss(f);
    dun_sequence next = next_of(f, 0);
    assert_int_equal(dun_recorder_seal(&f->recorder, now), DUN_OK);
    assert_int_equal(next_of(f, 0), next);
    assert_true(dun_ledger_untold(&f->stores[0].ledger) > 0);
    assert_int_equal(dun_log_ack_to(&f->stores[0].log, next - 1), DUN_OK);
    assert_int_equal(dun_recorder_seal(&f->recorder, now), DUN_OK);
    assert_int_equal(dun_ledger_untold(&f->stores[0].ledger), 0);
}

/* But not for ever: the far end may not free a record before it is told. */
static void test_telling_losses_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;
    dun_ms now = fill_with_loss(f);
    assert_int_equal(dun_recorder_seal(&f->recorder, now + 3600 * 1000), DUN_OK);
    assert_int_equal(dun_ledger_untold(&f->stores[0].ledger), 0);
}

/* The record is durable, only the acks find no block: it must not be recorded a second time. */
static void test_record_whose_sync_wrote_all_but_the_acks_is_stored(void **state)
{
    struct fixture *f = *state;
    struct dun_log *log = &f->stores[0].log;
    f->erase_error = 0;
    dun_ms now = 0;
    for (int i = 0; i < 200; i++) {
        record(f, ++now);
        assert_int_equal(dun_log_ack_to(log, next_of(f, 0) - 1), DUN_OK);
        f->erase_error = DUN_E_IO; /* acks go to the same block while it has room for them */
        dun_sequence next = next_of(f, 0);
        dun_sequence recorded = f->stats.points_recorded;
        dun_sequence spare = f->stores[1].mounted ? next_of(f, 1) : 1;
        record(f, ++now);
        if (next_of(f, 0) > next && f->stores[1].mounted)
            assert_int_equal(next_of(f, 1), spare);
        assert_int_equal(f->stats.points_recorded, recorded + 1);
        f->erase_error = 0;
        now += RETRY_MS;
    }
}

/// Thinning ///

/* Sequence of the record, which stands behind the stream in all forms of it. */
static dun_sequence sequence_in(struct dun_log *log, const struct dun_log_cursor *cursor)
{
    uint8_t bytes[20] = {0};
    uint32_t size = cursor->size < sizeof bytes ? cursor->size : sizeof bytes;
    dun_sequence sequence = 0;
    assert_int_equal(dun_log_read(log, cursor, 0, bytes, size), DUN_OK);
    assert_int_equal(bytes[9], 0x10);
    for (unsigned i = 10, shift = 0; i < sizeof bytes; i++, shift += 7) {
        sequence |= (dun_sequence)(bytes[i] & 0x7F) << shift;
        if (bytes[i] < 0x80)
            break;
    }
    return sequence;
}

static bool archived(struct dun_store *archive, dun_sequence sequence)
{
    struct dun_log_cursor cursor;
    for (int result = dun_log_first(&archive->log, &cursor); result > 0;
         result = dun_log_next(&archive->log, &cursor))
        if (sequence_in(&archive->log, &cursor) == sequence)
            return true;
    return false;
}

/* Power failed before anything was saved, at any fill of the log, also where the first append after
 * the boot takes a block. */
static void test_what_an_append_takes_is_saved_before_it(void **state)
{
    struct fixture *f = *state;
    for (dun_ms filled = 20; filled < 60; filled++) {
        struct dun_store none = {0};
        assert_int_equal(set_up(state), 0);
        f->recorder.spare = &none;
        for (dun_ms now = 1; now <= filled; now++)
            record(f, now);
        struct dun_thinner thinner = {
            .store = &f->stores[0], .archive = &f->stores[1], .keep_every = 2};
        f->recorder.thinner = &thinner;
        dun_sequence before = dun_log_first_sequence(&f->stores[0].log);
        for (dun_ms now = filled + 1; dun_log_first_sequence(&f->stores[0].log) == before; now++)
            record(f, now);
        for (dun_sequence s = before; s < dun_log_first_sequence(&f->stores[0].log); s++)
            assert_int_equal(archived(&f->stores[1], s), s % 2 == 0);
    }
}

/* In a ring of two, a record that leaves no room for the state takes the block before its own, too,
 * with what was written since the last opening. */
static void test_what_two_openings_take_is_saved(void **state)
{
    struct fixture *f = *state;
    struct dun_log *log = &f->stores[0].log;
    struct dun_thinner thinner = {
        .store = &f->stores[0], .archive = &f->stores[1], .keep_every = 2};
    assert_int_equal(dun_store_mount(&f->stores[1], &f->notices), DUN_OK);
    dun_ledger_add_points(&f->stores[0].ledger, 1, DUN_LOSS_STORAGE);
    dun_ledger_add_points(&f->stores[0].ledger, 1, DUN_LOSS_TOO_LARGE);
    dun_ledger_add_points(&f->stores[0].ledger, 1, DUN_LOSS_OVERFLOW);
    for (dun_sequence s = 1; s <= 120; s++) {
        uint8_t bytes[254] = {[9] = 0x10, [10] = (uint8_t)s};
        dun_sequence before = dun_log_first_sequence(log);
        assert_int_equal(dun_thinner_tick(&thinner), DUN_OK);
        assert_int_equal(dun_log_append(log, (struct dun_span){bytes, (size_t)(20 + s * 37 % 234)}),
                         DUN_OK);
        dun_ledger_told(log->ledger, s, dun_ledger_untold(log->ledger));
        assert_int_equal(dun_log_sync(log), DUN_OK);
        for (; before < dun_log_first_sequence(log); before++)
            assert_true(before % 2 != 0 || archived(&f->stores[1], before));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_losses_of_a_failing_store_do_not_wake_for_ever, set_up),
        cmocka_unit_test_setup(test_losses_are_told_where_they_happened, set_up),
        cmocka_unit_test_setup(test_telling_losses_waits_for_room, set_up),
        cmocka_unit_test_setup(test_telling_losses_does_not_wait_for_ever, set_up),
        cmocka_unit_test_setup(test_record_whose_sync_wrote_all_but_the_acks_is_stored, set_up),
        cmocka_unit_test_setup(test_what_an_append_takes_is_saved_before_it, set_up),
        cmocka_unit_test_setup(test_what_two_openings_take_is_saved, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
