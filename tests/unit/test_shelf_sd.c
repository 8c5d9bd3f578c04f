/*
 * test_shelf_sd.c: two records in three sectors of a card in RAM, whose power fails in each write,
 * after each byte of the sector: what is read afterwards is the record before, or the new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shelf_sd.h"

enum { CARD = 16, RECORD = 60 };

static uint8_t sectors[CARD][DUN_SD_SECTOR];
static int written; /* bytes that the next write brings to the card; more than a sector: all */
static bool garbage, dead;

int dun_sd_read(uint32_t sector, uint8_t data[DUN_SD_SECTOR])
{
    memcpy(data, sectors[sector], DUN_SD_SECTOR);
    return dead ? DUN_E_IO : DUN_OK;
}

int dun_sd_write(uint32_t sector, const uint8_t data[DUN_SD_SECTOR])
{
    assert_in_range(sector, DUN_SHELF_SD_FIRST, DUN_SHELF_SD_FIRST + DUN_SHELF_SD_SECTORS - 1);
    for (int i = 0; i < (int)DUN_SD_SECTOR; i++) {
        if (i < written) {
            sectors[sector][i] = data[i];
        } else if (garbage) {
            sectors[sector][i] = (uint8_t)(i * 37 + 11);
        }
    }
    return dead || written <= (int)DUN_SD_SECTOR ? DUN_E_IO : DUN_OK;
}

static void fill(uint8_t record[RECORD], int seed)
{
    for (int i = 0; i < RECORD; i++) {
        record[i] = (uint8_t)(seed * 7 + i);
    }
}

static int save(int slot, int seed)
{
    uint8_t record[RECORD];
    fill(record, seed);
    return dun_shelf_sd.save(NULL, slot, (struct dun_span){record, RECORD});
}

static bool holds(int slot, int seed)
{
    uint8_t wanted[RECORD], record[DUN_SHELF_SD_MAX];
    fill(wanted, seed);
    int size = dun_shelf_sd.load(NULL, slot, (struct dun_buffer){record, sizeof record});
    return size == RECORD && memcmp(record, wanted, RECORD) == 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(sectors, 0xFF, sizeof sectors);
    written = DUN_SD_SECTOR + 1;
    garbage = dead = false;
    return 0;
}

static void test_both_slots_hold_what_was_saved_last(void **state)
{
    uint8_t record[8];
    (void)state;
    assert_int_equal(dun_shelf_sd.load(NULL, 0, (struct dun_buffer){record, 8}), 0);
    for (int seed = 1; seed < 20; seed++) {
        int slot = seed % 5 == 0;
        assert_int_equal(save(slot, seed), DUN_OK);
        assert_true(holds(slot, seed));
        assert_true(seed < 6 || holds(1, seed / 5 * 5));
    }
    assert_int_equal(dun_shelf_sd.load(NULL, 0, (struct dun_buffer){record, 8}), DUN_E_TOO_LARGE);
    uint8_t large[DUN_SHELF_SD_MAX + 1] = {0};
    assert_int_equal(dun_shelf_sd.save(NULL, 0, (struct dun_span){large, sizeof large}),
                     DUN_E_TOO_LARGE);
    dead = true;
    assert_int_equal(save(0, 1), DUN_E_IO);
}

static void test_power_fails_after_any_byte(void **state)
{
    for (int slot = 0; slot < 2; slot++) {
        for (int cut = 0; cut <= (int)DUN_SD_SECTOR; cut++) {
            for (int rest = 0; rest < 2; rest++) {
                set_up(state);
                assert_int_equal(save(0, 1), DUN_OK);
                assert_int_equal(save(1, 2), DUN_OK);
                assert_int_equal(save(slot, 3), DUN_OK);
                written = cut;
                garbage = rest != 0;
                assert_int_equal(save(slot, 4), DUN_E_IO);
                written = DUN_SD_SECTOR + 1;
                bool whole = cut == (int)DUN_SD_SECTOR;
                assert_true(holds(slot, 3) || (whole && holds(slot, 4)));
                assert_true(holds(1 - slot, slot == 0 ? 2 : 1));
                assert_int_equal(save(slot, 5), DUN_OK);
                assert_true(holds(slot, 5) && holds(1 - slot, slot == 0 ? 2 : 1));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_both_slots_hold_what_was_saved_last, set_up),
        cmocka_unit_test_setup(test_power_fails_after_any_byte, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
