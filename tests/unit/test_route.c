/*
 * test_route.c: which broker and which version comes next: old brokers that say so and old brokers
 * that just hang up, redirects within their bounds, and hostile Server References.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "route.h"

static struct dun_route route;
static struct dun_uplink_config config;
static char other_host[16];

static void start(uint8_t version)
{
    route = (struct dun_route){.host = "home",
                               .port = 1883,
                               .version = version,
                               .retry_ms = 3600000,
                               .other_host = other_host,
                               .other_size = sizeof other_host};
    dun_route_start(&route);
}

/* The version of the connection that begins now. */
static int takes(dun_ms now)
{
    dun_route_take(&route, &config, now);
    return config.mqtt_version;
}

static enum dun_route_change down(int error, uint8_t reason, const char *server, bool was_up,
                                  dun_ms now)
{
    struct dun_uplink_event event = {
        .error = error,
        .reason = reason,
        .server = {(const uint8_t *)server, server ? strlen(server) : 0}};
    return dun_route_down(&route, &event, was_up, false, now);
}

/// Versions ///

static void an_old_broker_gets_3_1_1(void **state)
{
    (void)state;
    start(0);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_UNSUPPORTED, 1, NULL, false, 0), DUN_ROUTE_OLDER);
    assert_int_equal(takes(10), 4);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_SAME);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, true, 3000000), DUN_ROUTE_SAME);
    assert_int_equal(takes(3000010), 4);
    /* An hour later the next connection asks again, and what it hears is no news. */
    assert_int_equal(down(DUN_E_UNREACHABLE, 0, NULL, false, 3599999), DUN_ROUTE_SAME);
    assert_int_equal(takes(3600000), 5);
    assert_int_equal(down(DUN_E_UNSUPPORTED, 1, NULL, false, 3600001), DUN_ROUTE_AGAIN);
    assert_int_equal(takes(3600002), 4);
    assert_int_equal(takes(7199999), 4);
    assert_int_equal(takes(7200000), 5);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_NEWER);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, true, 7200001), DUN_ROUTE_SAME);
    assert_int_equal(takes(7200002), 5);
}

/* It hangs up on version 5, answers 3.1.1, and hangs up on version 5 again: then we know. */
static void a_broker_that_hangs_up_is_asked_thrice(void **state)
{
    (void)state;
    start(0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(takes(0), 5);
        assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_SAME);
    }
    assert_int_equal(takes(0), 4);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_AGAIN);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_OLDER);
    assert_int_equal(takes(0), 4);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_SAME);
    /* A later try with version 5 that ends the same way leads back at once. */
    assert_int_equal(takes(3600000), 5);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 3600000), DUN_ROUTE_SAME);
    assert_int_equal(takes(3600001), 4);
}

/* A broker that was only ill, behind a balancer that takes connections for it, keeps version 5. */
static void an_ill_broker_is_not_old(void **state)
{
    (void)state;
    start(0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 4);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_CLOSED, 0, NULL, false, 0), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 4);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_AGAIN); /* it recovered just now */
    assert_int_equal(takes(0), 5);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_TIMEOUT, 0, NULL, false, 0), DUN_ROUTE_SAME);
    assert_int_equal(takes(0), 5);
}

static void a_chosen_version_stays(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 5; version++) {
        start(version);
        for (int i = 0; i < 6; i++) {
            assert_int_equal(takes(i), version);
            assert_int_equal(down(i % 2 ? DUN_E_UNSUPPORTED : DUN_E_CLOSED, 0, NULL, false, i),
                             DUN_ROUTE_SAME);
        }
    }
}

static void a_will_that_is_refused_asks_for_less(void **state)
{
    (void)state;
    start(0);
    takes(0);
    assert_true(config.will_qos == 1 && config.will_retain);
    assert_int_equal(down(DUN_E_REFUSED, 0x9B, NULL, false, 0), DUN_ROUTE_AGAIN);
    takes(0);
    assert_true(config.will_qos == 0 && config.will_retain);
    assert_int_equal(down(DUN_E_REFUSED, 0x9A, NULL, false, 0), DUN_ROUTE_AGAIN);
    takes(0);
    assert_true(config.will_qos == 0 && !config.will_retain);
    assert_int_equal(down(DUN_E_REFUSED, 0x9B, NULL, false, 0), DUN_ROUTE_SAME);
}

/// Redirects ///

static void assert_goes_to(const char *host, uint16_t port)
{
    takes(0);
    assert_string_equal(config.host, host);
    assert_int_equal(config.port, port);
}

static void a_redirect_is_followed_and_left_when_it_fails(void **state)
{
    (void)state;
    start(0);
    assert_goes_to("home", 1883);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "other:1999 third", false, 0), DUN_ROUTE_ELSEWHERE);
    assert_goes_to("other", 1999);
    assert_int_equal(dun_route_up(&route), DUN_ROUTE_SAME);
    /* "Use another" holds for one connection, "moved" for as long as it works. */
    assert_int_equal(down(DUN_E_IO, 0, NULL, true, 0), DUN_ROUTE_HOME);
    assert_goes_to("home", 1883);
    assert_int_equal(down(DUN_E_CLOSED, 0x9D, "[2001:db8::1]", true, 0), DUN_ROUTE_ELSEWHERE);
    assert_goes_to("2001:db8::1", 1883);
    assert_int_equal(down(DUN_E_IO, 0, NULL, true, 0), DUN_ROUTE_SAME);
    assert_goes_to("2001:db8::1", 1883);
    assert_int_equal(down(DUN_E_UNREACHABLE, 0, NULL, false, 0), DUN_ROUTE_HOME);
    assert_goes_to("home", 1883);
}

static void what_is_known_of_one_broker_is_not_of_another(void **state)
{
    (void)state;
    start(0);
    down(DUN_E_UNSUPPORTED, 1, NULL, false, 0);
    assert_int_equal(takes(0), 4);
    /* 3.1.1 has no redirects; this comes by an hourly try. */
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "other", false, 0), DUN_ROUTE_ELSEWHERE);
    assert_int_equal(takes(0), 5);
    assert_int_equal(down(DUN_E_UNSUPPORTED, 1, NULL, false, 0), DUN_ROUTE_OLDER);
    assert_goes_to("other", 1883);
    assert_int_equal(config.mqtt_version, 4);
}

static void a_loop_ends(void **state)
{
    (void)state;
    start(0);
    for (int i = 0; i < DUN_ROUTE_HOPS_MAX; i++)
        assert_int_equal(down(DUN_E_REFUSED, 0x9C, i % 2 ? "a" : "b", false, i),
                         DUN_ROUTE_ELSEWHERE);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "a", false, 10), DUN_ROUTE_HOME);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "a", false, 11), DUN_ROUTE_SAME);
    assert_goes_to("home", 1883);
    /* What is wrong over there may have been mended. */
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "a", false, 3600000), DUN_ROUTE_ELSEWHERE);
}

static void who_shall_stay_stays(void **state)
{
    (void)state;
    start(0);
    route.stay = true;
    assert_int_equal(down(DUN_E_REFUSED, 0x9D, "other", false, 0), DUN_ROUTE_SAME);
    assert_goes_to("home", 1883);
}

static void a_host_that_does_not_fit_is_not_followed(void **state)
{
    (void)state;
    start(0);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "sixteen-bytes-ab", false, 0), DUN_ROUTE_SAME);
    assert_goes_to("home", 1883);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, "fifteen-bytes-a", false, 0), DUN_ROUTE_ELSEWHERE);
    assert_goes_to("fifteen-bytes-a", 1883);
}

static void only_the_broker_redirects(void **state)
{
    (void)state;
    start(0);
    assert_int_equal(down(DUN_E_REFUSED, 0x87, "other", false, 0), DUN_ROUTE_SAME);
    assert_int_equal(down(DUN_E_PROTOCOL, 0x9C, "other", false, 0), DUN_ROUTE_SAME);
    assert_int_equal(down(DUN_E_REFUSED, 0x9C, NULL, false, 0), DUN_ROUTE_SAME);
    assert_goes_to("home", 1883);
}

static void server_references_are_parsed_or_refused(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"a", "a", 7},       {"a:1", "a", 1},         {"a.b-c_d:65535 e:2", "a.b-c_d", 65535},
        {"[::1]", "::1", 7}, {"[::1]:80", "::1", 80}, {"10.0.0.1 x", "10.0.0.1", 7}};
    static const char *const bad[] = {
        "",      " a",   ":1",     "a:",      "a:0",       "a:65536",  "a:1x",
        "a:-1",  "[]",   "[::1",   "[::1]80", "mqtt://a",  "a/b",      "u@a",
        "a:1:2", "a\tb", "a\nb:1", "[::1]:",  "a:000080x", "\xC3\xA4", "a:999999"};
    struct dun_span host;
    uint16_t port;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        port = 7;
        assert_true(dun_route_parse(
            (struct dun_span){(const uint8_t *)good[i].text, strlen(good[i].text)}, &host, &port));
        assert_int_equal(host.size, strlen(good[i].host));
        assert_memory_equal(host.data, good[i].host, host.size);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dun_route_parse((struct dun_span){(const uint8_t *)bad[i], strlen(bad[i])},
                                     &host, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_broker_gets_3_1_1),
        cmocka_unit_test(a_broker_that_hangs_up_is_asked_thrice),
        cmocka_unit_test(an_ill_broker_is_not_old),
        cmocka_unit_test(a_chosen_version_stays),
        cmocka_unit_test(a_will_that_is_refused_asks_for_less),
        cmocka_unit_test(a_redirect_is_followed_and_left_when_it_fails),
        cmocka_unit_test(what_is_known_of_one_broker_is_not_of_another),
        cmocka_unit_test(a_loop_ends),
        cmocka_unit_test(who_shall_stay_stays),
        cmocka_unit_test(a_host_that_does_not_fit_is_not_followed),
        cmocka_unit_test(only_the_broker_redirects),
        cmocka_unit_test(server_references_are_parsed_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
