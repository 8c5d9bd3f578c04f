/* test_sntp.c: the question, the arithmetic of the answer, and answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sntp.h"

#define COOKIE     UINT64_C(0x0123456789ABCDEF)
#define IN_2026_S  UINT64_C(1795000000) /* unix */
#define FROM_1900S UINT64_C(2208988800)

static void put64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t stamp(uint64_t unix_s, uint32_t ms)
{
    return (unix_s + FROM_1900S) << 32 | ((uint64_t)ms << 32) / 1000;
}

/* An answer as a server gives it whose two stamps are these. */
static void answer(uint8_t packet[DUN_SNTP_SIZE], uint64_t received, uint64_t sent)
{
    memset(packet, 0, DUN_SNTP_SIZE);
    packet[0] = 4u << 3 | 4u;
    packet[1] = 2;
    put64(packet + 24, COOKIE);
    put64(packet + 32, received);
    put64(packet + 40, sent);
}

static int judge(const uint8_t packet[DUN_SNTP_SIZE], dun_ms round_trip_ms, dun_ms *unix_ms)
{
    return dun_sntp_answer((struct dun_span){packet, DUN_SNTP_SIZE}, COOKIE, round_trip_ms,
                           unix_ms);
}

static void the_question(void **state)
{
    uint8_t packet[DUN_SNTP_SIZE], expected[DUN_SNTP_SIZE] = {0x23};
    (void)state;
    put64(expected + 40, COOKIE);
    memset(packet, 0xAA, sizeof packet);
    dun_sntp_ask(packet, COOKIE);
    assert_memory_equal(packet, expected, sizeof packet);
}

static void half_of_the_way_is_added(void **state)
{
    uint8_t packet[DUN_SNTP_SIZE];
    dun_ms now = 0;
    (void)state;
    answer(packet, stamp(IN_2026_S, 100), stamp(IN_2026_S, 150));
    assert_int_equal(judge(packet, 250, &now), DUN_OK);
    assert_in_range(now, IN_2026_S * 1000 + 249, IN_2026_S * 1000 + 250);
    /* Stamps that make the way negative, or longer than it took, are left out. */
    answer(packet, stamp(IN_2026_S - 5, 0), stamp(IN_2026_S, 0));
    assert_int_equal(judge(packet, 250, &now), DUN_OK);
    assert_int_equal(now, IN_2026_S * 1000 + 125);
    answer(packet, stamp(IN_2026_S + 5, 0), stamp(IN_2026_S, 0));
    assert_int_equal(judge(packet, 250, &now), DUN_OK);
    assert_int_equal(now, IN_2026_S * 1000 + 125);
}

static void behind_the_turn_of_2036(void **state)
{
    const uint64_t turn_s = (UINT64_C(1) << 32) - FROM_1900S;
    uint8_t packet[DUN_SNTP_SIZE];
    dun_ms now = 0;
    (void)state;
    answer(packet, UINT64_C(7) << 32, UINT64_C(7) << 32);
    assert_int_equal(judge(packet, 0, &now), DUN_OK);
    assert_int_equal(now, (turn_s + 7) * 1000);
    answer(packet, stamp(turn_s - 1, 0), stamp(turn_s - 1, 999));
    assert_int_equal(judge(packet, 999, &now), DUN_OK);
    assert_in_range(now, turn_s * 1000 - 2, turn_s * 1000 - 1);
}

static void what_is_no_answer(void **state)
{
    uint8_t good[DUN_SNTP_SIZE], packet[DUN_SNTP_SIZE];
    dun_ms now = 42;
    (void)state;
    answer(good, stamp(IN_2026_S, 0), stamp(IN_2026_S, 0));
    for (size_t size = 0; size < DUN_SNTP_SIZE; size++) {
        assert_int_equal(dun_sntp_answer((struct dun_span){good, size}, COOKIE, 0, &now),
                         DUN_E_PROTOCOL);
    }
    for (unsigned at = 24; at < 32; at++) { /* not the cookie */
        memcpy(packet, good, sizeof packet);
        packet[at] ^= 1;
        assert_int_equal(judge(packet, 0, &now), DUN_E_PROTOCOL);
    }
    for (unsigned mode = 0; mode < 8; mode++) {
        memcpy(packet, good, sizeof packet);
        packet[0] = (uint8_t)(4u << 3 | mode);
        assert_int_equal(judge(packet, 0, &now), mode == 4 ? DUN_OK : DUN_E_PROTOCOL);
        now = mode == 4 ? 42 : now;
    }
    assert_int_equal(now, 42);
}

static void servers_that_do_not_know(void **state)
{
    uint8_t packet[DUN_SNTP_SIZE];
    dun_ms now = 42;
    (void)state;
    answer(packet, stamp(IN_2026_S, 0), stamp(IN_2026_S, 0));
    packet[1] = 0;
    assert_int_equal(judge(packet, 0, &now), DUN_E_REFUSED);
    packet[1] = 16;
    assert_int_equal(judge(packet, 0, &now), DUN_E_AGAIN);
    packet[1] = 15;
    packet[0] |= 0xC0;
    assert_int_equal(judge(packet, 0, &now), DUN_E_AGAIN);
    answer(packet, stamp(IN_2026_S, 0), 0);
    assert_int_equal(judge(packet, 0, &now), DUN_E_AGAIN);
    assert_int_equal(now, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question),
        cmocka_unit_test(half_of_the_way_is_added),
        cmocka_unit_test(behind_the_turn_of_2036),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(servers_that_do_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
