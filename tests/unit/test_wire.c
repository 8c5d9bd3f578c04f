/* test_wire.c: fields, nested lengths, and windows over what is encoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

static bool write_inner(pb_ostream_t *out, const void *context)
{
    (void)context;
    return dun_wire_uint(out, 1, 300) && dun_wire_string(out, 2, "hi");
}

static bool write_outer(pb_ostream_t *out, const void *context)
{
    return dun_wire_sint(out, 1, -1) && dun_wire_message(out, 2, write_inner, context) &&
           dun_wire_fixed32(out, 3, 0x01020304) && dun_wire_int(out, 4, -1);
}

static const char expected[] = "\x08\x01\x12\x07\x08\xac\x02\x12\x02hi\x1d\x04\x03\x02\x01"
                               "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";

static void nested_messages_carry_their_length(void **state)
{
    (void)state;
    uint8_t bytes[64];
    pb_ostream_t out = pb_ostream_from_buffer(bytes, sizeof bytes);
    assert_true(write_outer(&out, NULL));
    assert_int_equal(out.bytes_written, sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    assert_int_equal(dun_wire_size(write_outer, NULL), sizeof expected - 1);
}

static void every_window_shows_its_bytes(void **state)
{
    (void)state;
    size_t size = sizeof expected - 1;
    for (size_t offset = 0; offset <= size; offset++)
        for (size_t length = 0; length <= size - offset; length++) {
            uint8_t bytes[64];
            memset(bytes, 0xEE, sizeof bytes);
            struct dun_buffer window = {bytes, length};
            assert_true(dun_wire_window(write_outer, NULL, offset, window));
            assert_memory_equal(bytes, expected + offset, length);
            assert_int_equal(bytes[length], 0xEE);
        }
}

static void a_window_past_the_end_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[8];
    struct dun_buffer window = {bytes, 2};
    assert_false(dun_wire_window(write_outer, NULL, sizeof expected - 2, window));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_messages_carry_their_length),
        cmocka_unit_test(every_window_shows_its_bytes),
        cmocka_unit_test(a_window_past_the_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
