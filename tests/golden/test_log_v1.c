/*
 * test_log_v1.c: an image that the first version of the log wrote (log_v1.img: 8 blocks of 512
 * bytes; 90 records of 40 bytes that are their sequence, record 70 urgent; the oldest 27 taken by
 * overflow, those to 31 acknowledged, 80 and 81 too) is read by this one, which goes on in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flash_ram.h"
#include "log.h"

enum { BLOCK = 512, BLOCKS = 8, PAYLOAD = 40, LOSSES = 6 };

static uint8_t memory[BLOCK * BLOCKS + sizeof(struct dun_flash_geometry)];
static uint8_t unit[64];
static struct dun_loss losses[LOSSES];
static struct dun_flash flash;
static struct dun_ledger ledger;
static struct dun_log ring;

static void load(const char *path)
{
    static uint8_t image[BLOCK * BLOCKS];
    struct dun_flash_geometry geometry = {
        .block_size = BLOCK, .block_count = BLOCKS, .prog_size = 1};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(image, 1, sizeof image, file), sizeof image);
    fclose(file);
    assert_int_equal(
        dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}), DUN_OK);
    for (uint32_t block = 0; block < BLOCKS; block++)
        assert_int_equal(flash.prog(flash.context, block, 0, image + block * BLOCK, BLOCK), DUN_OK);
}

static void mount(void)
{
    struct dun_log_report report;
    struct dun_log_config config = {
        .flash = &flash, .ledger = &ledger, .unit = {unit, sizeof unit}, .new_stream = 1};
    dun_ledger_init(&ledger, losses, LOSSES);
    assert_int_equal(dun_log_mount(&ring, &config, &report), DUN_OK);
    assert_false(report.formatted);
    assert_int_equal(report.damaged, 0);
    assert_true(dun_log_stream(&ring) == UINT64_C(0x1122334455667788));
}

static void assert_records(uint64_t next)
{
    struct dun_log_cursor cursor;
    uint64_t expected = dun_log_first_sequence(&ring);
    for (int found = dun_log_first(&ring, &cursor); found > 0;
         found = dun_log_next(&ring, &cursor)) {
        uint8_t bytes[PAYLOAD], wanted[PAYLOAD];
        expected += expected == 80 ? 2 : 0;
        assert_int_equal(cursor.sequence, expected++);
        assert_int_equal(cursor.urgent, cursor.sequence == 70);
        memset(wanted, (int)cursor.sequence, PAYLOAD);
        assert_int_equal(dun_log_read(&ring, &cursor, 0, bytes, PAYLOAD), DUN_OK);
        assert_memory_equal(bytes, wanted, PAYLOAD);
    }
    assert_int_equal(expected, next);
    assert_int_equal(dun_log_next_sequence(&ring), next);
}

static void test_image_of_version_1_is_read_and_goes_on(void **state)
{
    load(*state);
    mount();
    assert_int_equal(dun_log_first_sequence(&ring), 32);
    assert_records(91);
    assert_int_equal(ledger.count, 1);
    assert_int_equal(losses[0].first, 1);
    assert_int_equal(losses[0].last, 27);
    assert_int_equal(losses[0].reason, DUN_LOSS_OVERFLOW);
    for (int i = 91; i <= 150; i++) { /* the last block of version 1 is recycled on the way */
        uint8_t bytes[PAYLOAD];
        memset(bytes, i, PAYLOAD);
        assert_int_equal(dun_log_append(&ring, (struct dun_span){bytes, PAYLOAD}), DUN_OK);
        assert_int_equal(dun_log_sync(&ring), DUN_OK);
        mount();
        assert_records((uint64_t)i + 1);
    }
    assert_true(dun_log_first_sequence(&ring) > 90);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_image_of_version_1_is_read_and_goes_on, argv[argc - 1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
