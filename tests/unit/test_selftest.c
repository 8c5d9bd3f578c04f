/* test_selftest.c: the self-test of a new board passes good ports, and names what bad ones break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flash_nor.h"
#include "flash_ram.h"
#include "selftest.h"

enum { BLOCK = 256, BLOCKS = 8, UNIT = 8 };
enum fault { NONE, NO_ERASE, ERASE_NEIGHBOUR, ERASED_IS_ZERO, LOST_BYTE, FEW_LINES, SYNC, PROG };

static const struct dun_flash_geometry geometry = {
    .block_size = BLOCK, .block_count = BLOCKS, .prog_size = UNIT};
static _Alignas(8) uint8_t memory[DUN_FLASH_NOR_SIZE(BLOCK, BLOCKS)];
static struct dun_flash good;
static enum fault fault;

static uint32_t line(uint32_t block)
{
    return fault == FEW_LINES ? block % 4 : block;
}

static int bad_read(void *context, uint32_t block, uint32_t offset, void *data, uint32_t size)
{
    int result = good.read(context, line(block), offset, data, size);
    uint8_t *bytes = data;
    for (uint32_t i = 0; i < size && fault == ERASED_IS_ZERO; i++) {
        bytes[i] = bytes[i] == 0xFF ? 0 : bytes[i];
    }
    return result;
}

static int bad_prog(void *context, uint32_t block, uint32_t offset, const void *data, uint32_t size)
{
    if (fault == PROG) {
        return DUN_E_IO;
    }
    size -= fault == LOST_BYTE && block == 5 && offset == BLOCK - UNIT;
    return good.prog(context, line(block), offset, data, size);
}

static int bad_erase(void *context, uint32_t block)
{
    if (fault == NO_ERASE) {
        return DUN_OK;
    }
    if (fault == ERASE_NEIGHBOUR && block + 1 < BLOCKS && good.erase(context, block + 1) != 0) {
        return DUN_E_IO;
    }
    return good.erase(context, line(block));
}

static int bad_sync(void *context)
{
    return fault == SYNC ? DUN_E_TIMEOUT : good.sync(context);
}

static void good_flashes_pass(void **state)
{
    struct dun_flash flash;
    const char *what = "";
    (void)state;
    assert_int_equal(
        dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}), DUN_OK);
    assert_int_equal(dun_selftest_flash(&flash, &what), DUN_OK);
    dun_flash_nor_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}, false);
    assert_int_equal(dun_selftest_flash(&flash, &what), DUN_OK);
}

static void each_fault_is_named(void **state)
{
    static const struct {
        enum fault fault;
        int result;
        const char *what;
    } cases[] = {
        {NONE, DUN_OK, NULL},
        {NO_ERASE, DUN_E_CORRUPT, "an erase takes its own block, and no other"},
        {ERASE_NEIGHBOUR, DUN_E_CORRUPT, "an erase takes its own block, and no other"},
        {ERASED_IS_ZERO, DUN_E_CORRUPT, "erased bytes read as 0xFF"},
        {LOST_BYTE, DUN_E_CORRUPT, "programmed bytes read back, in every block"},
        {FEW_LINES, DUN_E_CORRUPT, "programmed bytes read back, in every block"},
        {SYNC, DUN_E_TIMEOUT, "sync"},
        {PROG, DUN_E_IO, "program"},
    };
    struct dun_flash flash;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *what = "";
        assert_int_equal(
            dun_flash_ram_init(&good, geometry, (struct dun_buffer){memory, sizeof memory}),
            DUN_OK);
        flash = good;
        flash.read = bad_read;
        flash.prog = bad_prog;
        flash.erase = bad_erase;
        flash.sync = bad_sync;
        fault = cases[i].fault;
        assert_int_equal(dun_selftest_flash(&flash, &what), cases[i].result);
        if (cases[i].what != NULL) {
            assert_string_equal(what, cases[i].what);
        }
    }
    flash.geometry.prog_size = 24;
    const char *what = "";
    assert_int_equal(dun_selftest_flash(&flash, &what), DUN_E_INVALID);
    assert_string_equal(what, "geometry");
}

/// Clocks ///

static dun_ms ticks, step, at_once;

static dun_ms stepping(void)
{
    if (++ticks % 3 == 0) {
        at_once += step;
    }
    return at_once;
}

static void clocks(void **state)
{
    const char *what = "";
    (void)state;
    step = 1;
    assert_int_equal(dun_selftest_clock(stepping, &what), DUN_OK);
    step = -1;
    assert_int_equal(dun_selftest_clock(stepping, &what), DUN_E_CORRUPT);
    assert_string_equal(what, "the clock never goes back");
    step = 1000000;
    assert_int_equal(dun_selftest_clock(stepping, &what), DUN_E_CORRUPT);
    assert_string_equal(what, "the clock counts milliseconds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_flashes_pass),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
