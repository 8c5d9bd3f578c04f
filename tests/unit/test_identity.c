/* test_identity.c: the firmware's provisioning block: good ones, damaged ones, hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"
#include "identity.h"

#define LONG_FLEET "fleet=01234567890123456789012345678901234567890123456789012345678901234"

static uint8_t block[DUN_IDENTITY_SIZE + 1];
static struct dun_identity identity;
static const char *what;

static void put_head(uint32_t size, uint32_t crc)
{
    memcpy(block, "DUNLINID", 8);
    for (int i = 0; i < 4; i++) {
        block[8 + i] = (uint8_t)(size >> 8 * i);
        block[12 + i] = (uint8_t)(crc >> 8 * i);
    }
}

static int parse(const char *text)
{
    size_t size = strlen(text);
    memset(block, 0xA5, sizeof block);
    memcpy(block + 16, text, size);
    put_head((uint32_t)size, dun_crc32c(0, text, size));
    return dun_identity_parse(&identity, block, &what);
}

static void all_of_it(void **state)
{
    (void)state;
    assert_int_equal(parse("device=fw-1\nfleet=plant\nhost=broker.test\nport=8883\nuser=u\n"
                           "password=a=b c\nkeepalive=30\nlog_kib=64\ninterval_ms=250\n"
                           "batch_age_ms=500\nreconnect_max_ms=9000\naddress=10.0.2.15\n"
                           "mask=255.255.255.0\ngateway=10.0.2.2\ndns=10.0.2.3\n"
                           "ntp=time.test\nack=stored\nhardware=02aabbccddee\n"),
                     DUN_OK);
    assert_string_equal(identity.device, "fw-1");
    assert_string_equal(identity.fleet, "plant");
    assert_string_equal(identity.host, "broker.test");
    assert_string_equal(identity.user, "u");
    assert_string_equal(identity.password, "a=b c");
    assert_string_equal(identity.ntp, "time.test");
    assert_int_equal(identity.port, 8883);
    assert_int_equal(identity.keepalive_s, 30);
    assert_int_equal(identity.log_kib, 64);
    assert_int_equal(identity.interval_ms, 250);
    assert_int_equal(identity.batch_age_ms, 500);
    assert_int_equal(identity.reconnect_max_ms, 9000);
    assert_memory_equal(&identity.address, "\x0a\0\2\x0f", 4);
    assert_memory_equal(&identity.mask, "\xff\xff\xff\0", 4);
    assert_memory_equal(&identity.gateway, "\x0a\0\2\2", 4);
    assert_memory_equal(&identity.dns, "\x0a\0\2\3", 4);
    assert_memory_equal(identity.hardware, "\2\xaa\xbb\xcc\xdd\xee", 6);
    assert_true(identity.ack_stored);
}

static void the_least(void **state)
{
    (void)state;
    assert_int_equal(parse("device=a\nhost=b"), DUN_OK);
    assert_string_equal(identity.fleet, "default");
    assert_string_equal(identity.ntp, "");
    assert_int_equal(identity.port, 1883);
    assert_int_equal(identity.address, 0);
    assert_false(identity.ack_stored);
}

static void refused_values(void **state)
{
    static const char *const wrong[] = {
        "port=65536",
        "port=",
        "port=-1",
        "port=99999999999999999999",
        "keepalive=1x",
        "log_kib=15",
        "log_kib=1048577",
        "interval_ms=86400001",
        "address=1.2.3",
        "address=1.2.3.4.5",
        "address=1.2.3.",
        "address=1.2.3.256",
        "address=1..2.3",
        "address=1234.1.1.1",
        "dns=a.b.c.d",
        "mask=",
        "hardware=0",
        "hardware=02aabbccddeeff",
        "hardware=01aabbccddee",
        "hardware=02AABBCCDDEE",
        "ack=",
        "ack=store",
        "colour=blue",
        "port",
        "=1",
        "device=a/b",
        "device=",
        LONG_FLEET,
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[160];
        (void)snprintf(text, sizeof text, "device=a\nhost=b\n%s\n", wrong[i]);
        if (parse(text) != DUN_E_INVALID) {
            fail_msg("%s was taken\n", wrong[i]);
        }
        assert_memory_equal(what, wrong[i], strcspn(wrong[i], "="));
    }
    assert_int_equal(parse("host=b\n"), DUN_E_INVALID);
    assert_string_equal(what, "device");
    assert_int_equal(parse("device=a\n"), DUN_E_INVALID);
    assert_string_equal(what, "host");
}

static void damaged(void **state)
{
    uint8_t good[sizeof block];
    (void)state;
    assert_int_equal(parse("device=fw-1\nhost=broker\n"), DUN_OK);
    (void)parse("device=fw-1\nhost=broker\n");
    memset(block, 0xFF, sizeof block); /* erased flash, a new card */
    assert_int_equal(dun_identity_parse(&identity, block, &what), DUN_E_NOT_FOUND);
    memset(block, 0, sizeof block);
    memcpy(block + 16, "device=fw-1\nhost=broker\n", 24);
    put_head(24, dun_crc32c(0, block + 16, 24));
    memcpy(good, block, sizeof block);
    for (unsigned bit = 0; bit < 8 * 40; bit++) {
        memcpy(block, good, sizeof block);
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(dun_identity_parse(&identity, block, &what) < 0);
    }
    for (uint32_t size = 2033; size != 0; size = size * 2 + 1) { /* to UINT32_MAX */
        memcpy(block, good, sizeof block);
        put_head(size, 0);
        assert_int_equal(dun_identity_parse(&identity, block, &what), DUN_E_CORRUPT);
        if (size == UINT32_MAX) {
            break;
        }
    }
}

/* The largest text there may be ends where the block does. */
static void full_to_the_last_byte(void **state)
{
    char text[DUN_IDENTITY_SIZE - 16 + 1];
    (void)state;
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text, "device=a\nhost=b", 15);
    assert_int_equal(parse(text), DUN_OK);
    memset(text + 16, 'x', sizeof text - 17);
    assert_int_equal(parse(text), DUN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it),
        cmocka_unit_test(the_least),
        cmocka_unit_test(refused_values),
        cmocka_unit_test(damaged),
        cmocka_unit_test(full_to_the_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
