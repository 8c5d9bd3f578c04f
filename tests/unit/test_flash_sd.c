/*
 * test_flash_sd.c: the log on an SD card without erase, over a card in RAM whose power fails in
 * each sector write: the sector then holds its old bytes, its new ones, or garbage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flash_sd.h"
#include "log.h"

enum { FIRST = 3, BLOCK = 1024, BLOCKS = 4, RECORDS = 60, PAYLOAD = 90, SECTORS = 64 };
enum cut { CUT_OLD, CUT_NEW, CUT_GARBAGE, CUT_KINDS };

static uint8_t sectors[SECTORS][DUN_SD_SECTOR];
static int writes, cut_at;
static enum cut cut_kind;
static bool dead;

int dun_sd_read(uint32_t sector, uint8_t data[DUN_SD_SECTOR])
{
    assert_true(sector < SECTORS);
    memcpy(data, sectors[sector], DUN_SD_SECTOR);
    return dead ? DUN_E_IO : DUN_OK;
}

int dun_sd_write(uint32_t sector, const uint8_t data[DUN_SD_SECTOR])
{
    assert_true(sector >= FIRST && sector < SECTORS);
    if (dead) {
        return DUN_E_IO;
    }
    dead = ++writes == cut_at;
    if (!dead || cut_kind == CUT_NEW) {
        memcpy(sectors[sector], data, DUN_SD_SECTOR);
    } else if (cut_kind == CUT_GARBAGE) {
        for (uint32_t i = 0; i < DUN_SD_SECTOR; i++) {
            sectors[sector][i] = (uint8_t)(data[i] ^ (i * 37 + 11));
        }
    }
    return dead ? DUN_E_IO : DUN_OK;
}

/// A log on it ///

struct fixture {
    struct dun_flash_sd sd;
    struct dun_flash flash;
    struct dun_log log;
    struct dun_ledger ledger;
    struct dun_loss losses[8];
    uint8_t unit[DUN_FLASH_SD_UNIT];
};

static void mount(struct fixture *f)
{
    struct dun_log_report report;
    struct dun_log_config config = {.flash = &f->flash,
                                    .ledger = &f->ledger,
                                    .unit = {f->unit, sizeof f->unit},
                                    .new_stream = 5};
    dun_flash_sd_init(&f->sd, FIRST, BLOCK, BLOCKS, &f->flash);
    dun_ledger_init(&f->ledger, f->losses, 8);
    assert_int_equal(dun_log_mount(&f->log, &config, &report), DUN_OK);
}

static void fill(uint8_t *payload, uint64_t sequence)
{
    for (int i = 0; i < PAYLOAD; i++) {
        payload[i] = (uint8_t)(sequence * 7 + (uint64_t)i);
    }
}

/* Appends and acknowledges until the end or the cut; the highest sequence that is durable. */
static uint64_t work(struct fixture *f)
{
    uint64_t durable = 0;
    for (int i = 0; i < RECORDS; i++) {
        uint8_t payload[PAYLOAD];
        dun_sequence sequence = dun_log_next_sequence(&f->log);
        fill(payload, sequence);
        if (dun_log_append(&f->log, (struct dun_span){payload, sizeof payload}) != DUN_OK ||
            (i % 3 == 0 && sequence > 4 && dun_log_ack_to(&f->log, sequence - 4) != DUN_OK) ||
            dun_log_sync(&f->log) != DUN_OK) {
            break;
        }
        durable = sequence;
    }
    return durable;
}

static void check(struct fixture *f, uint64_t durable)
{
    struct dun_log_cursor cursor;
    uint64_t expected = dun_log_first_sequence(&f->log);
    assert_true(dun_log_next_sequence(&f->log) > durable);
    for (int found = dun_log_first(&f->log, &cursor); found > 0;
         found = dun_log_next(&f->log, &cursor)) {
        uint8_t read[PAYLOAD], payload[PAYLOAD];
        assert_int_equal(cursor.sequence, expected++);
        assert_int_equal(cursor.size, PAYLOAD);
        assert_int_equal(dun_log_read(&f->log, &cursor, 0, read, sizeof read), DUN_OK);
        fill(payload, cursor.sequence);
        assert_memory_equal(read, payload, sizeof payload);
    }
    assert_int_equal(expected, dun_log_next_sequence(&f->log));
}

static void power_is_cut_in_every_sector_write(void **state)
{
    static struct fixture f;
    int all = 0;
    (void)state;
    for (int at = 0; at <= all; at++) { /* 0: no cut, which counts the writes */
        for (int kind = 0; kind < CUT_KINDS; kind++) {
            memset(sectors, 0, sizeof sectors);
            writes = 0;
            dead = false;
            cut_at = at;
            cut_kind = (enum cut)kind;
            mount(&f);
            uint64_t durable = work(&f);
            all = at == 0 ? writes : all;
            dead = false;
            cut_at = 0;
            mount(&f);
            check(&f, durable);
            work(&f);
            mount(&f);
            check(&f, dun_log_next_sequence(&f.log) - 1);
        }
    }
    assert_true(all > RECORDS);
    print_message("%d cut points, %d kinds each\n", all, CUT_KINDS);
}

/* A card that was used for something else, and one whose headers are spoilt. */
static void foreign_bytes_are_no_log(void **state)
{
    static struct fixture f;
    (void)state;
    cut_at = 0;
    for (int fill_byte = 0; fill_byte < 256; fill_byte += 51) {
        memset(sectors, fill_byte, sizeof sectors);
        mount(&f);
        assert_int_equal(dun_log_next_sequence(&f.log), 1);
        assert_int_equal(work(&f), RECORDS);
        for (int i = 0; i < FIRST; i++) {
            assert_int_equal(sectors[i][0], fill_byte);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_cut_in_every_sector_write),
        cmocka_unit_test(foreign_bytes_are_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
