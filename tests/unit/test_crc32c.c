/* test_crc32c.c: the check values of RFC 3720, appendix B.4, and extension in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"

static void known_values(void **state)
{
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(dun_crc32c(0, "123456789", 9), 0xE3069283);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(dun_crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(dun_crc32c(0, bytes, 32), 0x62A8AB43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(dun_crc32c(0, bytes, 32), 0x46DD794E);
    assert_int_equal(dun_crc32c(0x1234, bytes, 0), 0x1234);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
    const char *text = "The quick brown fox jumps over the lazy dog";
    size_t size = strlen(text);
    uint32_t whole = dun_crc32c(0, text, size);

    (void)state;
    for (size_t cut = 0; cut <= size; cut++)
        assert_int_equal(dun_crc32c(dun_crc32c(0, text, cut), text + cut, size - cut), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(pieces_give_the_same_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
