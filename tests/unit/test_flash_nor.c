/* test_flash_nor.c: simulated NOR keeps the rules of the real one, and its content over a reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flash_nor.h"
#include "log.h"

enum { BLOCK = 256, BLOCKS = 4, UNIT = 4 };

static const struct dun_flash_geometry geometry = {
    .block_size = BLOCK, .block_count = BLOCKS, .prog_size = UNIT};
static _Alignas(8) uint8_t memory[DUN_FLASH_NOR_SIZE(BLOCK, BLOCKS)];

static bool start(struct dun_flash *flash, bool keep)
{
    return dun_flash_nor_init(flash, geometry, (struct dun_buffer){memory, sizeof memory}, keep);
}

static int prog(const struct dun_flash *flash, uint32_t block, uint32_t offset, const char *data,
                uint32_t size)
{
    return flash->prog(flash->context, block, offset, data, size);
}

static void programs_clear_bits(void **state)
{
    struct dun_flash flash;
    char bytes[4];
    (void)state;
    assert_false(start(&flash, false));
    assert_int_equal(flash.read(flash.context, 1, 8, bytes, 4), DUN_OK);
    assert_memory_equal(bytes, "\xff\xff\xff\xff", 4);
    assert_int_equal(prog(&flash, 1, 8, "abcd", 4), DUN_OK);
    assert_int_equal(prog(&flash, 1, 8, "\0bcd", 4), DUN_OK);
    assert_int_equal(prog(&flash, 1, 8, "a\0\0\0", 4), DUN_E_IO);
    assert_int_equal(flash.read(flash.context, 1, 8, bytes, 4), DUN_OK);
    assert_memory_equal(bytes, "\0\0\0\0", 4);
    assert_int_equal(flash.erase(flash.context, 1), DUN_OK);
    assert_int_equal(prog(&flash, 1, 8, "abcd", 4), DUN_OK);
    assert_int_equal(flash.sync(flash.context), DUN_OK);
}

static void what_lies_outside_is_refused(void **state)
{
    struct dun_flash flash;
    char bytes[BLOCK + 4] = "";
    (void)state;
    start(&flash, false);
    assert_int_equal(prog(&flash, 0, 2, bytes, 4), DUN_E_INVALID);
    assert_int_equal(prog(&flash, 0, 0, bytes, 3), DUN_E_INVALID);
    assert_int_equal(prog(&flash, 0, 4, bytes, BLOCK), DUN_E_INVALID);
    assert_int_equal(prog(&flash, BLOCKS, 0, bytes, 4), DUN_E_INVALID);
    assert_int_equal(prog(&flash, 0, UINT32_MAX - 3, bytes, 8), DUN_E_INVALID);
    assert_int_equal(flash.read(flash.context, 0, 1, bytes, BLOCK), DUN_E_INVALID);
    assert_int_equal(flash.read(flash.context, BLOCKS, 0, bytes, 1), DUN_E_INVALID);
    assert_int_equal(flash.erase(flash.context, BLOCKS), DUN_E_INVALID);
}

static void kept_over_a_reset_and_by_nothing_else(void **state)
{
    struct dun_flash flash;
    char bytes[4];
    (void)state;
    start(&flash, false);
    assert_int_equal(prog(&flash, 3, 0, "abcd", 4), DUN_OK);
    assert_true(start(&flash, true));
    assert_int_equal(flash.read(flash.context, 3, 0, bytes, 4), DUN_OK);
    assert_memory_equal(bytes, "abcd", 4);
    for (size_t at = 0; at < offsetof(struct dun_flash_nor, blocks); at++) {
        assert_true(start(&flash, true));
        memory[at] ^= 0x10; /* what power on left in RAM, or another version's geometry */
        assert_false(start(&flash, true));
    }
    assert_false(start(&flash, false));
    assert_int_equal(flash.read(flash.context, 3, 0, bytes, 4), DUN_OK);
    assert_memory_equal(bytes, "\xff\xff\xff\xff", 4);
}

static void a_log_on_it_goes_round_and_outlives_resets(void **state)
{
    struct dun_flash flash;
    static struct dun_log log;
    static struct dun_ledger ledger;
    struct dun_loss losses[8];
    struct dun_log_report report;
    uint8_t unit[UNIT], payload[40] = {0};
    uint64_t last = 0;
    (void)state;
    start(&flash, false);
    for (int boot = 0; boot < 50; boot++) {
        assert_int_equal(start(&flash, true), true);
        dun_ledger_init(&ledger, losses, 8);
        const struct dun_log_config config = {
            .flash = &flash, .unit = {unit, sizeof unit}, .ledger = &ledger, .new_stream = 7};
        assert_int_equal(dun_log_mount(&log, &config, &report), DUN_OK);
        assert_int_equal(dun_log_next_sequence(&log), last + 1);
        for (int i = 0; i < 5; i++) {
            payload[0]++;
            assert_int_equal(dun_log_append(&log, (struct dun_span){payload, sizeof payload}),
                             DUN_OK);
            assert_int_equal(dun_log_sync(&log), DUN_OK);
            last++;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_clear_bits),
        cmocka_unit_test(what_lies_outside_is_refused),
        cmocka_unit_test(kept_over_a_reset_and_by_nothing_else),
        cmocka_unit_test(a_log_on_it_goes_round_and_outlives_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
