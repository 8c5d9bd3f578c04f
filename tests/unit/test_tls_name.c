/* test_tls_name.c: which names are the host's, and what is an address. Each row is a promise. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tls_name.h"

static struct dun_span text(const char *name)
{
    return (struct dun_span){(const uint8_t *)name, strlen(name)};
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *host;
        bool same;
    } rows[] = {
        {"broker.example.org", "broker.example.org", true},
        {"BROKER.example.ORG", "broker.Example.org", true},
        {"broker.example.org", "broker.example.org.", true},
        {"broker.example.org", "broker.example.or", false},
        {"broker.example.org", "xbroker.example.org", false},
        {"localhost", "localhost", true},
        {"*.example.org", "broker.example.org", true},
        {"*.EXAMPLE.org", "broker.example.org.", true},
        {"*.example.org", "example.org", false},
        {"*.example.org", ".example.org", false},
        {"*.example.org", "a.b.example.org", false},
        {"*.org", "example.org", false},
        {"*.localhost", "a.localhost", false},
        {"*", "localhost", false},
        {"*.", "a.", false},
        {"*..org", "a..org", false},
        {"*.example.org.", "a.example.org.", false},
        {"b*.example.org", "broker.example.org", false},
        {"*b.example.org", "xb.example.org", false},
        {"broker.*.org", "broker.example.org", false},
        {"", "", false},
        {"", "localhost", false},
        {".", ".", false},
        {"127.0.0.1", "127.0.0.1", true}, /* the caller knows that an address is no name */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (dun_tls_name_matches(text(rows[i].name), rows[i].host) != rows[i].same) {
            fail_msg("%s for %s", rows[i].name, rows[i].host);
        }
    }
}

static void test_a_nul_ends_no_name(void **state)
{
    static const uint8_t name[] = "broker.example.org\0.attacker.org";
    (void)state;
    struct dun_span whole = {name, sizeof name - 1};
    assert_false(dun_tls_name_matches(whole, "broker.example.org"));
}

/* The system's own parser is the judge. */
static void test_addresses(void **state)
{
    static const char *const rows[] = {
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        "01.2.3.4",
        "1..2.3",
        "",
        "localhost",
        "1.2.3.4x",
        "a.1.2.3",
        "::",
        "::1",
        "1::",
        "fe80::1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1::2::3",
        ":::",
        ":1",
        "1:",
        "12345::",
        "g::",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "::1.2.3.256",
        "2001:DB8::A",
        "1:2:3:4:5:6:7:",
        "::1:",
        "1:2:3:4:5:6::1.2.3.4",
        "1:::2",
        "1234:",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t ours[16] = {0}, theirs[16] = {0};
        size_t size = inet_pton(AF_INET, rows[i], theirs) == 1    ? 4
                      : inet_pton(AF_INET6, rows[i], theirs) == 1 ? 16
                                                                  : 0;
        if (dun_tls_address(rows[i], ours) != size || memcmp(ours, theirs, size) != 0) {
            fail_msg("%s", rows[i]);
        }
    }
}

static void test_a_zone_is_not_of_the_address(void **state)
{
    uint8_t out[16];
    (void)state;
    assert_int_equal(dun_tls_address("fe80::1%eth0", out), 16);
    assert_int_equal(out[15], 1);
    assert_int_equal(dun_tls_address("1.2.3.4%eth0", out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_nul_ends_no_name),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_a_zone_is_not_of_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
