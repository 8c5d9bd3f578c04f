/*
 * test_outbox.c: which record goes out next, and what becomes of it, on a log in RAM without any
 * uplink. The cases are what the simulator (tests/sim) found, as small as they get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flash_ram.h"
#include "outbox.h"

enum { BLOCK = 512, BLOCKS = 3, WINDOW = 4, LOSSES = 4, PAYLOAD = 100 };

struct fixture {
    struct dun_outbox outbox;
    struct dun_store durable, spare, archive;
    struct dun_stats stats;
    struct dun_notices notices;
    struct dun_window_slot slots[WINDOW];
    struct dun_loss losses[LOSSES];
    struct dun_flash memory, flaky;
    int erase_error, read_error;
    struct dun_flash copies; /* the archive's */
    uint8_t bytes[BLOCK * BLOCKS + 16];
    uint8_t unit[16];
};

static struct fixture fixture;

static int flaky_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    struct fixture *f = context;
    if (f->read_error < 0)
        return f->read_error;
    return f->memory.read(f->memory.context, block, offset, data, size);
}

static int flaky_prog(void *context, uint32_t block, uint32_t offset, const void *data,
                      uint32_t size)
{
    struct fixture *f = context;
    return f->memory.prog(f->memory.context, block, offset, data, size);
}

static int flaky_erase(void *context, uint32_t block)
{
    struct fixture *f = context;
    return f->erase_error < 0 ? f->erase_error : f->memory.erase(f->memory.context, block);
}

static int flaky_sync(void *context)
{
    (void)context;
    return DUN_OK;
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    struct dun_flash_geometry geometry = {
        .block_size = BLOCK, .block_count = BLOCKS, .prog_size = 1};
    memset(f, 0, sizeof *f);
    assert_int_equal(
        dun_flash_ram_init(&f->memory, geometry, (struct dun_buffer){f->bytes, sizeof f->bytes}),
        DUN_OK);
    f->flaky = (struct dun_flash){.geometry = geometry,
                                  .context = f,
                                  .read = flaky_read,
                                  .prog = flaky_prog,
                                  .erase = flaky_erase,
                                  .sync = flaky_sync};
    dun_store_init(&f->durable, &(struct dun_store_config){.flash = &f->flaky,
                                                           .unit = {f->unit, sizeof f->unit},
                                                           .losses = f->losses,
                                                           .losses_max = LOSSES,
                                                           .new_stream = 7});
    dun_store_init(&f->spare, &(struct dun_store_config){0});
    dun_store_init(&f->archive, &(struct dun_store_config){0});
    f->outbox = (struct dun_outbox){
        .config = {.backfill_percent = 75, .ack_persist_ms = 1000, .stored_wait_ms = 100},
        .durable = &f->durable,
        .spare = &f->spare,
        .archive = &f->archive,
        .stats = &f->stats,
        .window = {.slots = f->slots, .capacity = WINDOW},
    };
    *state = f;
    return 0;
}

static void mount(struct fixture *f)
{
    assert_int_equal(dun_store_mount(&f->durable, &f->notices), DUN_OK);
}

static void append(struct fixture *f)
{
    uint8_t payload[PAYLOAD] = {1};
    struct dun_span span = {payload, sizeof payload};
    assert_int_equal(dun_log_append(&f->durable.log, span), DUN_OK);
    assert_int_equal(dun_log_sync(&f->durable.log), DUN_OK);
}

/* Publishes the next record and returns its sequence; 0: there is none. */
static dun_sequence publish(struct fixture *f, dun_ms now)
{
    if (!dun_outbox_next(&f->outbox, now))
        return 0;
    dun_sequence sequence = dun_outbox_lane(&f->outbox)->cursor.sequence;
    dun_outbox_published(&f->outbox, now);
    return sequence;
}

/// Tests ///

/* While the window is full the rate of the backlog holds nothing up: no deadline may say so. */
static void test_paused_backfill_has_no_deadline_behind_a_full_window(void **state)
{
    struct fixture *f = *state;
    mount(f);
    append(f);
    append(f);
    f->outbox.config.backfill_bytes_s = 1000;
    f->outbox.window.capacity = 1;
    dun_outbox_start(&f->outbox);
    dun_outbox_restart(&f->outbox, 0);
    assert_int_equal(publish(f, 0), 1);
    dun_outbox_acked(&f->outbox, 0, DUN_VERDICT_TAKEN, 0, 1);
    assert_int_equal(publish(f, 1), 0);
    assert_int_equal(dun_outbox_deadline(&f->outbox), PAYLOAD);
    append(f); /* fresh: it takes the only slot */
    assert_int_equal(publish(f, 2), 3);
    assert_int_equal(publish(f, PAYLOAD), 0);
    assert_true(dun_outbox_deadline(&f->outbox) == DUN_MS_NEVER);
}

/* A record that was found, but not taken by the uplink, may be dropped before it is asked again. */
static void test_record_dropped_while_it_waits_is_not_found_again(void **state)
{
    struct fixture *f = *state;
    mount(f);
    append(f);
    f->outbox.config.backfill_percent = 0; /* one lane, which must not skip what is left */
    dun_outbox_start(&f->outbox);
    dun_outbox_restart(&f->outbox, 0);
    assert_true(dun_outbox_next(&f->outbox, 0));
    assert_int_equal(dun_outbox_lane(&f->outbox)->cursor.sequence, 1);
    while (dun_log_first_sequence(&f->durable.log) == 1)
        append(f);
    assert_true(dun_outbox_next(&f->outbox, 0));
    const struct dun_lane *lane = dun_outbox_lane(&f->outbox);
    uint8_t byte;
    assert_int_equal(lane->cursor.sequence, dun_log_first_sequence(&f->durable.log));
    assert_int_equal(dun_log_read(&f->durable.log, &lane->cursor, 0, &byte, 1), DUN_OK);
}

static void test_refused_repetition_of_a_stored_record_is_no_loss(void **state)
{
    struct fixture *f = *state;
    mount(f);
    append(f);
    append(f);
    f->outbox.config.ack_mode = DUN_ACK_STORED;
    dun_outbox_start(&f->outbox);
    dun_outbox_restart(&f->outbox, 0);
    assert_int_equal(publish(f, 0), 1);
    assert_int_equal(dun_outbox_stored(&f->outbox, 7, 1, 0), DUN_STORED_FREED);
    dun_outbox_acked(&f->outbox, 0, DUN_VERDICT_REJECTED, 0, 0);
    assert_int_equal(f->durable.ledger.count, 0);
}

/* Storage that comes back during a connection: the recorder's cursor is about an earlier run. */
static void test_cursor_is_believed_for_a_store_mounted_late(void **state)
{
    struct fixture *f = *state;
    mount(f);
    append(f);
    append(f);
    f->durable.mounted = false;
    f->outbox.config.ack_mode = DUN_ACK_STORED;
    dun_outbox_start(&f->outbox);
    dun_outbox_restart(&f->outbox, 0);
    mount(f);
    assert_int_equal(dun_outbox_stored(&f->outbox, 7, 2, 0), DUN_STORED_FREED);
    append(f);
    append(f);
    assert_int_equal(publish(f, 0), 3);
    assert_int_equal(f->slots[0].lane, DUN_LANE_LIVE);
}

/* The rate lets a sweep take longer than the wait between two: it goes on, it does not start anew.
 */
static void test_slow_sweep_comes_to_its_end(void **state)
{
    struct fixture *f = *state;
    mount(f);
    for (int i = 0; i < 4; i++)
        append(f);
    f->outbox.config.ack_mode = DUN_ACK_STORED;
    f->outbox.config.backfill_bytes_s = 500; /* a record takes 200 ms */
    dun_outbox_start(&f->outbox);
    dun_outbox_restart(&f->outbox, 0);
    dun_ms now = 0;
    for (dun_sequence expected = 1; expected <= 4; expected++) {
        while (publish(f, now) == 0) {
            assert_true(dun_outbox_deadline(&f->outbox) > now);
            now = dun_outbox_deadline(&f->outbox);
        }
        assert_int_equal(f->slots[f->outbox.window.head].sequence, expected);
        dun_outbox_acked(&f->outbox, f->outbox.window.head, DUN_VERDICT_TAKEN, 0, now);
    }
}

/// Urgent records ///

static void urgent(struct fixture *f)
{
    struct dun_log *log = &f->durable.log;
    dun_sequence sequence = dun_log_next_sequence(log);
    assert_int_equal(dun_log_begin_urgent(log, 1), DUN_OK);
    assert_int_equal(dun_log_write(log, "!", 1), DUN_OK);
    assert_int_equal(dun_log_commit(log), DUN_OK);
    assert_int_equal(dun_log_sync(log), DUN_OK);
    dun_outbox_urgent(&f->outbox, sequence, sequence);
}

static void assert_published(struct fixture *f, const dun_sequence *sequences, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(publish(f, 0), sequences[i]);
        uint16_t token = dun_window_token(&f->outbox.window, f->outbox.window.sent - 1);
        assert_int_equal(dun_outbox_acked(&f->outbox, token, DUN_VERDICT_TAKEN, 0, 0),
                         sequences[i]);
    }
    assert_int_equal(publish(f, 0), 0);
}

/* In either mode: what went ahead does not go again when its old lane comes to it. */
static void test_urgent_record_of_an_outage_goes_first_and_once(void **state)
{
    struct fixture *f = *state;
    static const dun_sequence expected[] = {2, 4, 1, 3, 5}, again[] = {1, 2, 3, 4, 5};
    f->outbox.config.ack_mode = DUN_ACK_STORED;
    mount(f);
    dun_outbox_start(&f->outbox);
    append(f);
    urgent(f);
    append(f);
    urgent(f);
    append(f);
    dun_outbox_restart(&f->outbox, 0);
    assert_published(f, expected, 5);
    dun_outbox_restart(&f->outbox, 0); /* nothing of it was stored: all of it goes again */
    assert_published(f, again, 5);
}

static void test_urgent_records_keep_strict_order(void **state)
{
    struct fixture *f = *state;
    static const dun_sequence expected[] = {1, 2, 3};
    f->outbox.config.backfill_percent = 0;
    mount(f);
    dun_outbox_start(&f->outbox);
    append(f);
    append(f);
    urgent(f);
    dun_outbox_restart(&f->outbox, 0);
    assert_published(f, expected, 3);
}

/* More of them than are known apart: none is forgotten, and nothing else goes with them. The log
 * has no room for the ack of the fifth, which goes again. */
static void test_many_urgent_records_go_before_what_lies_between(void **state)
{
    struct fixture *f = *state;
    static const dun_sequence expected[] = {2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11, 10};
    f->outbox.config.backfill_percent = 100;
    mount(f);
    dun_outbox_start(&f->outbox);
    for (int i = 0; i < 5; i++) {
        append(f);
        urgent(f);
    }
    append(f);
    dun_outbox_restart(&f->outbox, 0);
    assert_published(f, expected, sizeof expected / sizeof expected[0]);
    urgent(f); /* room again: those were published */
    assert_int_equal(publish(f, 0), 12);
}

/* 1 is put off and 2 is not answered: 1 goes again when that is, and 3 does not wait for it. */
static void test_urgent_record_does_not_wait_for_what_was_put_off(void **state)
{
    struct fixture *f = *state;
    mount(f);
    dun_outbox_start(&f->outbox);
    append(f);
    append(f);
    dun_outbox_restart(&f->outbox, 0);
    assert_int_equal(publish(f, 0), 1);
    uint16_t first = f->outbox.window.head;
    assert_int_equal(publish(f, 0), 2);
    dun_outbox_acked(&f->outbox, first, DUN_VERDICT_LATER, 0x97, 0);
    assert_int_equal(publish(f, 0), 0);
    urgent(f);
    assert_true(dun_outbox_next(&f->outbox, 0)); /* and there is no room in the link yet */
    assert_int_equal(publish(f, 0), 3);
    assert_int_equal(publish(f, 0), 0);
    dun_outbox_acked(&f->outbox, (uint16_t)(first + 1), DUN_VERDICT_TAKEN, 0, 0);
    dun_outbox_acked(&f->outbox, (uint16_t)(first + 2), DUN_VERDICT_TAKEN, 0, 0);
    assert_int_equal(publish(f, 0), 1);
}

/* A copy of 2 while 1 cannot be read would be out of order. */
static void test_archive_waits_in_strict_order_for_a_log_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    static const dun_sequence expected[] = {1, 2, 1};
    static uint8_t bytes[BLOCK * 2 + 16];
    static uint8_t unit[16];
    static struct dun_loss losses[LOSSES];
    struct dun_flash_geometry geometry = {.block_size = BLOCK, .block_count = 2, .prog_size = 1};
    assert_int_equal(
        dun_flash_ram_init(&f->copies, geometry, (struct dun_buffer){bytes, sizeof bytes}), DUN_OK);
    dun_store_init(&f->archive, &(struct dun_store_config){.flash = &f->copies,
                                                           .unit = {unit, sizeof unit},
                                                           .losses = losses,
                                                           .losses_max = LOSSES,
                                                           .new_stream = 8});
    f->outbox.config.backfill_percent = 0;
    mount(f);
    assert_int_equal(dun_store_mount(&f->archive, &f->notices), DUN_OK);
    assert_int_equal(dun_log_append(&f->archive.log, (struct dun_span){(const uint8_t *)"2", 1}),
                     DUN_OK);
    assert_int_equal(dun_log_sync(&f->archive.log), DUN_OK);
    dun_outbox_start(&f->outbox);
    append(f);
    append(f);
    dun_outbox_restart(&f->outbox, 0);
    f->read_error = DUN_E_IO;
    assert_int_equal(publish(f, 0), 0);
    f->read_error = DUN_OK;
    assert_published(f, expected, 3);
}

static void test_urgent_record_that_was_dropped_is_passed(void **state)
{
    struct fixture *f = *state;
    mount(f);
    dun_outbox_start(&f->outbox);
    urgent(f);
    while (dun_log_first_sequence(&f->durable.log) <= 1)
        append(f);
    urgent(f);
    dun_sequence newest = dun_log_next_sequence(&f->durable.log) - 1;
    dun_outbox_restart(&f->outbox, 0);
    assert_int_equal(publish(f, 0), newest);
    assert_int_equal(publish(f, 0), dun_log_first_sequence(&f->durable.log));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_paused_backfill_has_no_deadline_behind_a_full_window, set_up),
        cmocka_unit_test_setup(test_record_dropped_while_it_waits_is_not_found_again, set_up),
        cmocka_unit_test_setup(test_refused_repetition_of_a_stored_record_is_no_loss, set_up),
        cmocka_unit_test_setup(test_cursor_is_believed_for_a_store_mounted_late, set_up),
        cmocka_unit_test_setup(test_slow_sweep_comes_to_its_end, set_up),
        cmocka_unit_test_setup(test_urgent_record_of_an_outage_goes_first_and_once, set_up),
        cmocka_unit_test_setup(test_urgent_records_keep_strict_order, set_up),
        cmocka_unit_test_setup(test_many_urgent_records_go_before_what_lies_between, set_up),
        cmocka_unit_test_setup(test_urgent_record_does_not_wait_for_what_was_put_off, set_up),
        cmocka_unit_test_setup(test_archive_waits_in_strict_order_for_a_log_that_cannot_be_read,
                               set_up),
        cmocka_unit_test_setup(test_urgent_record_that_was_dropped_is_passed, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
