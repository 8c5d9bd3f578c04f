/* test_flash_ram.c: the flash in RAM: blank at first, bounded, and what is written comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flash_ram.h"

static const struct dun_flash_geometry geometry = {256, 3, 4};

static void a_buffer_that_is_too_small_is_refused(void **state)
{
    uint8_t memory[1024];
    struct dun_flash flash;
    size_t size = dun_flash_ram_size(&geometry);
    struct dun_flash_geometry huge = {1u << 20, UINT32_MAX, 1};

    (void)state;
    assert_true(size >= 3 * 256 && size <= sizeof memory);
    assert_int_equal(dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, size - 1}),
                     DUN_E_INVALID);
    assert_int_equal(dun_flash_ram_init(&flash, huge, (struct dun_buffer){memory, size}),
                     DUN_E_INVALID);
    assert_int_equal(dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, size}), 0);
}

static void bytes_come_back_until_erased(void **state)
{
    uint8_t memory[1024];
    uint8_t bytes[256];
    struct dun_flash flash;

    (void)state;
    assert_int_equal(
        dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}), 0);
    for (uint32_t block = 0; block < 3; block++) {
        assert_int_equal(flash.read(flash.context, block, 0, bytes, 256), 0);
        for (size_t i = 0; i < 256; i++)
            assert_int_equal(bytes[i], 0xFF);
    }
    assert_int_equal(flash.prog(flash.context, 1, 252, "abcd", 4), 0);
    assert_int_equal(flash.sync(flash.context), 0);
    assert_int_equal(flash.erase(flash.context, 0), 0);
    assert_int_equal(flash.erase(flash.context, 2), 0);
    assert_int_equal(flash.read(flash.context, 1, 252, bytes, 4), 0);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(flash.erase(flash.context, 1), 0);
    assert_int_equal(flash.read(flash.context, 1, 252, bytes, 4), 0);
    assert_memory_equal(bytes, "\xFF\xFF\xFF\xFF", 4);
}

static void what_lies_outside_is_refused(void **state)
{
    uint8_t memory[1024];
    uint8_t byte = 0;
    struct dun_flash flash;

    (void)state;
    assert_int_equal(
        dun_flash_ram_init(&flash, geometry, (struct dun_buffer){memory, sizeof memory}), 0);
    assert_int_equal(flash.read(flash.context, 3, 0, &byte, 1), DUN_E_INVALID);
    assert_int_equal(flash.read(flash.context, 0, 256, &byte, 1), DUN_E_INVALID);
    assert_int_equal(flash.prog(flash.context, 0, UINT32_MAX, &byte, 2), DUN_E_INVALID);
    assert_int_equal(flash.prog(flash.context, 2, 254, &byte, 3), DUN_E_INVALID);
    assert_int_equal(flash.erase(flash.context, 3), DUN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_that_is_too_small_is_refused),
        cmocka_unit_test(bytes_come_back_until_erased),
        cmocka_unit_test(what_lies_outside_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
