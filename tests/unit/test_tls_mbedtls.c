/*
 * test_tls_mbedtls.c: the TLS link against Mbed TLS as a server, over queues in memory: whom it
 * trusts, what it says when it does not, and that no cut, stall, flood or sliver of a byte makes it
 * wait, spin, lose, double or hide anything.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_bench.h"

#define HOST "broker.example.org"

static struct bench bench;
static struct bench_identity authority, stranger, usual, client;

static int make_all(void **state)
{
    (void)state;
    bench_make(&authority, &(struct bench_wish){.common_name = "authority"});
    bench_make(&stranger, &(struct bench_wish){.common_name = "stranger"});
    bench_make(&usual,
               &(struct bench_wish){.common_name = "usual", .dns = {HOST}, .issuer = &authority});
    bench_make(&client, &(struct bench_wish){.common_name = "pump-7", .issuer = &authority});
    return 0;
}

static int drop_all(void **state)
{
    (void)state;
    bench_drop(&authority);
    bench_drop(&stranger);
    bench_drop(&usual);
    bench_drop(&client);
    return 0;
}

static enum dun_tls_trouble trouble(void)
{
    return (enum dun_tls_trouble)dun_tls_mbedtls_report(&bench.tls)->trouble;
}

/// Whom it trusts ///

struct judged {
    struct bench_wish wish;
    const char *host;
    int result;
    enum dun_tls_trouble trouble;
    const char *why;
};

static void judge(const struct judged *row)
{
    struct bench_identity identity;
    bench_make(&identity, &row->wish);
    bench_start(&bench, &authority, &identity);
    int result = bench_connect(&bench, row->host);
    if (result != row->result || trouble() != row->trouble) {
        fail_msg("%s: ready says %d, trouble %d", row->why, result, trouble());
    }
    bench_end(&bench);
    bench_drop(&identity);
}

static const uint8_t ipv4[] = {192, 0, 2, 7};
static const uint8_t ipv6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};

/* An IPv6 address that begins with the bytes of `ipv4`. */
static const uint8_t longer[16] = {192, 0, 2, 7};

static const struct judged judged_rows[] = {
    {{"x", .dns = {HOST}, .issuer = &authority}, HOST, 1, 0, "the right name"},
    {{"x", .dns = {HOST}, .issuer = &authority}, HOST ".", 1, 0, "with the final dot"},
    {{"x", .dns = {"a.org", "b.org", HOST}, .issuer = &authority}, HOST, 1, 0, "the third name"},
    {{"x", .dns = {"*.example.org"}, .issuer = &authority}, HOST, 1, 0, "a wildcard"},
    {{"x", .dns = {"*.org"}, .issuer = &authority},
     "example.org",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "a wildcard too wide"},
    {{"x", .dns = {"*.example.org"}, .issuer = &authority},
     "a.b.example.org",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "a wildcard two labels deep"},
    {{"x", .dns = {"other.org"}, .issuer = &authority},
     HOST,
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "another name"},
    {{HOST, .dns = {"other.org"}, .issuer = &authority},
     HOST,
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "the common name counts for nothing beside an alternative one"},
    {{HOST, .address = ipv4, .address_size = 4, .issuer = &authority},
     HOST,
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "nor beside an address"},
    {{HOST, .issuer = &authority}, HOST, 1, 0, "a common name alone"},
    {{"192.0.2.7", .issuer = &authority},
     "192.0.2.7",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "a common name is no address"},
    {{"x", .dns = {"192.0.2.7"}, .issuer = &authority},
     "192.0.2.7",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "nor is a DNS name"},
    {{"x", .address = ipv4, .address_size = 4, .issuer = &authority}, "192.0.2.7", 1, 0, "IPv4"},
    {{"x", .address = ipv4, .address_size = 4, .issuer = &authority},
     "192.0.2.8",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "another IPv4"},
    {{"x", .address = longer, .address_size = 16, .issuer = &authority},
     "192.0.2.7",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "an address of the other kind"},
    {{"x", .address = ipv6, .address_size = 16, .issuer = &authority}, "2001:db8::7", 1, 0, "IPv6"},
    {{"x", .address = ipv6, .address_size = 16, .issuer = &authority},
     "2001:db8::8",
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "another IPv6"},
    {{"x", .dns = {HOST}, .until = "20261231235959", .issuer = &authority},
     HOST,
     DUN_E_TLS_DATE,
     DUN_TLS_EXPIRED,
     "expired"},
    {{"x", .dns = {HOST}, .from = "20270116000000", .issuer = &authority},
     HOST,
     DUN_E_TLS_DATE,
     DUN_TLS_NOT_YET_VALID,
     "not yet valid"},
    {{"x", .dns = {HOST}, .until = "20270115080001", .issuer = &authority},
     HOST,
     1,
     0,
     "valid to the next second"},
    {{"x", .dns = {HOST}, .until = "20270115075959", .issuer = &authority},
     HOST,
     DUN_E_TLS_DATE,
     DUN_TLS_EXPIRED,
     "valid to the last second"},
    {{"x", .dns = {HOST}, .issuer = &stranger},
     HOST,
     DUN_E_TLS_CA,
     DUN_TLS_UNKNOWN_CA,
     "an authority that is not ours"},
    {{HOST, .dns = {HOST}}, HOST, DUN_E_TLS_CA, DUN_TLS_UNKNOWN_CA, "its own authority"},
    {{"x", .dns = {"other.org"}, .until = "20261231235959", .issuer = &authority},
     HOST,
     DUN_E_TLS_NAME,
     DUN_TLS_WRONG_NAME,
     "of two things wrong, the name first"},
    {{"x", .dns = {HOST}, .until = "20261231235959", .issuer = &stranger},
     HOST,
     DUN_E_TLS_CA,
     DUN_TLS_UNKNOWN_CA,
     "and the stranger before the date"},
};

static void test_who_is_trusted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof judged_rows / sizeof judged_rows[0]; i++) {
        judge(&judged_rows[i]);
    }
}

/* The authority itself is judged too, or a stolen old one would serve for ever. */
static void test_an_expired_authority(void **state)
{
    struct bench_identity old, leaf;
    (void)state;
    bench_make(&old, &(struct bench_wish){.common_name = "old", .until = "20261231235959"});
    bench_make(&leaf, &(struct bench_wish){.common_name = "x", .dns = {HOST}, .issuer = &old});
    bench_start(&bench, &old, &leaf);
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS_DATE);
    assert_int_equal(trouble(), DUN_TLS_EXPIRED);
    bench_end(&bench);
    bench_drop(&old);
    bench_drop(&leaf);
}

/* BENCH_NOW is what is known; the clock says 1970. */
static void test_a_clock_that_is_not_set(void **state)
{
    static const struct {
        const char *from, *until;
        enum dun_tls_unset_clock policy;
        int result;
        enum dun_tls_trouble trouble;
    } rows[] = {
        {NULL, NULL, DUN_TLS_UNSET_STRICT, 1, 0},
        {NULL, "20261231235959", DUN_TLS_UNSET_STRICT, DUN_E_TLS_DATE, DUN_TLS_EXPIRED},
        {NULL, "20261231235959", DUN_TLS_UNSET_GRACE, DUN_E_TLS_DATE, DUN_TLS_EXPIRED},
        {"20270601000000", NULL, DUN_TLS_UNSET_STRICT, DUN_E_TLS_DATE, DUN_TLS_CLOCK_UNSET},
        {"20270601000000", NULL, DUN_TLS_UNSET_GRACE, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench_identity leaf;
        bench_make(&leaf, &(struct bench_wish){.common_name = "x",
                                               .dns = {HOST},
                                               .from = rows[i].from,
                                               .until = rows[i].until,
                                               .issuer = &authority});
        bench_start(&bench, &authority, &leaf);
        bench.credentials.unix_ms = 1000;
        bench.credentials.earliest_unix_ms = BENCH_NOW;
        bench.credentials.unset_clock = (uint8_t)rows[i].policy;
        assert_int_equal(bench_connect(&bench, HOST), rows[i].result);
        assert_int_equal(trouble(), rows[i].trouble);
        assert_int_equal(dun_tls_mbedtls_report(&bench.tls)->clock_unset, rows[i].result == 1);
        bench_end(&bench);
        bench_drop(&leaf);
    }
}

static void test_the_report_tells_how_long_the_chain_is_good(void **state)
{
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    const struct dun_tls_report *report = dun_tls_mbedtls_report(&bench.tls);
    assert_true(report->up);
    assert_string_equal(report->version, "TLSv1.2");
    assert_non_null(strstr(report->cipher, "ECDHE-ECDSA"));
    assert_int_equal(report->good_from_ms, INT64_C(1767225600000));  /* 2026-01-01 */
    assert_int_equal(report->good_until_ms, INT64_C(1830297600000)); /* 2028-01-01 */
    bench_end(&bench);
}

/// What the broker asks for ///

static void test_client_certificate(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        bench_start(&bench, &authority, &usual);
        mbedtls_ssl_conf_authmode(&bench.settings, MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(&bench.settings,
                                  i == 2 ? &stranger.certificate : &authority.certificate, NULL);
        /* The server's own judgement of dates is by the machine's clock. */
        mbedtls_ssl_conf_verify(&bench.settings, NULL, NULL);
        bench.credentials.certificate = i > 0 ? &client.certificate : NULL;
        bench.credentials.key = i > 0 ? &client.key : NULL;
        assert_int_equal(bench_connect(&bench, HOST), i == 1 ? 1 : DUN_E_REFUSED);
        assert_int_equal(trouble(), i == 1 ? DUN_TLS_NO_TROUBLE : DUN_TLS_REFUSED);
        assert_int_equal(dun_tls_mbedtls_report(&bench.tls)->alert != 0, i != 1);
        bench_end(&bench);
    }
}

static void start_psk(const char *key, const char *identity)
{
    bench_start(&bench, NULL, NULL);
    assert_int_equal(mbedtls_ssl_conf_psk(&bench.settings, (const unsigned char *)"0123456789", 10,
                                          (const unsigned char *)"pump-7", 6),
                     0);
    bench.credentials.psk = (struct dun_span){(const uint8_t *)key, strlen(key)};
    bench.credentials.psk_identity = identity;
}

static void test_psk(void **state)
{
    static const struct {
        const char *key, *identity;
        int result;
    } rows[] = {{"0123456789", "pump-7", 1},
                {"0123456780", "pump-7", DUN_E_REFUSED},
                {"0123456789", "pump-8", DUN_E_REFUSED}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start_psk(rows[i].key, rows[i].identity);
        assert_int_equal(bench_connect(&bench, HOST), rows[i].result);
        assert_int_equal(trouble(), i == 0 ? DUN_TLS_NO_TROUBLE : DUN_TLS_REFUSED);
        bench_end(&bench);
    }
}

static void test_alpn(void **state)
{
    static const char *theirs[] = {"http/1.1", "x-mqtt", NULL};
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&bench.settings, theirs), 0);
    bench.credentials.alpn = "x-mqtt";
    assert_int_equal(bench_connect(&bench, HOST), 1);
    assert_string_equal(mbedtls_ssl_get_alpn_protocol(&bench.server), "x-mqtt");
    bench_again(&bench);
    bench.credentials.alpn = "mqtt";
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_REFUSED);
    assert_int_equal(dun_tls_mbedtls_report(&bench.tls)->alert, 120); /* RFC 7301 3.2 */
    bench_end(&bench);
}

static void test_fragments_are_as_small_as_asked_for(void **state)
{
    static const uint16_t sizes[] = {512, 1024, 2048, 4096, 0};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bench_start(&bench, &authority, &usual);
        bench.credentials.fragment_max = sizes[i];
        assert_int_equal(bench_connect(&bench, HOST), 1);
        int most = mbedtls_ssl_get_max_out_record_payload(&bench.server);
        assert_int_equal(most, sizes[i] != 0 ? sizes[i] : 16384);
        bench_end(&bench);
    }
}

static void test_the_name_goes_to_the_broker_and_an_address_does_not(void **state)
{
    (void)state;
    bench_start(&bench, &authority, &usual);
    bench.silent = true;
    bench_connect(&bench, HOST);
    assert_non_null(memmem(bench.up.data, bench.up.end, HOST, strlen(HOST)));
    bench_again(&bench);
    bench_connect(&bench, "192.0.2.7");
    assert_null(memmem(bench.up.data, bench.up.end, "192.0.2.7", 9));
    bench_end(&bench);
}

static void test_no_version_before_1_2(void **state)
{
    (void)state;
    bench_start(&bench, &authority, &usual);
    mbedtls_ssl_conf_max_version(&bench.settings, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_2);
    /* This server finds no suite of ours in 1.1 before it finds no version. */
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS);
    assert_int_equal(trouble(), DUN_TLS_NO_COMMON);
    bench_again(&bench);
    bench.silent = true;
    /* One that offers 1.1 all the same. */
    static const uint8_t hello[] = {22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2};
    memcpy(bench.down.data, hello, sizeof hello);
    bench.down.data[45] = 0x2f; /* TLS_RSA_WITH_AES_128_CBC_SHA */
    bench.down.end = 47;
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS);
    assert_int_equal(trouble(), DUN_TLS_OLD_VERSION);
    bench_end(&bench);
}

static void test_what_is_no_tls(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x20\x02", "S",
                                          "\x16MQTT"};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        bench_start(&bench, &authority, &usual);
        bench.silent = true;
        memcpy(bench.down.data, answers[i], strlen(answers[i]));
        bench.down.end = strlen(answers[i]);
        bench.down.ended = true;
        assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS);
        assert_int_equal(trouble(), DUN_TLS_NOT_TLS);
        bench_end(&bench);
    }
    bench_start(&bench, &authority, &usual);
    bench.silent = true;
    bench.down.ended = true;
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS);
    assert_int_equal(trouble(), DUN_TLS_NO_ANSWER);
    bench_end(&bench);
}

/* Our write fails before the broker's alert was read: what it said last is told all the same. */
static void test_the_last_word_of_a_broker_that_is_gone(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 48}; /* unknown_ca */
    (void)state;
    bench_start(&bench, &authority, &usual);
    bench.silent = true;
    memcpy(bench.down.data, alert, sizeof alert);
    bench.down.end = sizeof alert;
    bench.down.piece = 2;
    bench.down.ended = bench.up.ended = true;
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_REFUSED);
    assert_int_equal(dun_tls_mbedtls_report(&bench.tls)->alert, 48);
    bench_end(&bench);
}

static void test_what_the_board_cannot_give(void **state)
{
    (void)state;
    bench_start(&bench, NULL, &usual);
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_INVALID); /* trusts nobody: no connection */
    assert_int_equal(trouble(), DUN_TLS_CREDENTIALS);
    bench_again(&bench);
    bench.credentials_error = DUN_E_NOT_FOUND;
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_NOT_FOUND);
    assert_int_equal(trouble(), DUN_TLS_CREDENTIALS);
    char host[DUN_TLS_HOST_MAX + 2];
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    assert_int_equal(bench.link.open(bench.link.context, host, 1, 0), DUN_E_INVALID);
    assert_int_equal(bench.link.open(bench.link.context, "", 1, 0), DUN_E_INVALID);
    bench_end(&bench);
}

/// Bytes ///

static uint8_t sent[50000], received[50000];

/* Writes `sent` from one end and reads it at the other, in whatever steps they take. */
static void carry_up(size_t size, size_t step)
{
    size_t out = 0, in = 0;
    for (int turn = 0; in < size; turn++) {
        assert_true(turn < 2000000);
        size_t want = size - out < step ? size - out : step;
        int wrote = want > 0 ? bench.link.write(bench.link.context, sent + out, want) : 0;
        assert_true(wrote >= 0);
        out += (size_t)wrote;
        uint8_t none;
        assert_int_equal(bench.link.read(bench.link.context, &none, 1), 0);
        int got = mbedtls_ssl_read(&bench.server, received + in, sizeof received - in);
        in += got > 0 ? (size_t)got : 0;
        assert_true(in <= out);
    }
    assert_int_equal(in, size);
    assert_memory_equal(sent, received, size);
}

static void carry_down(size_t size, size_t step)
{
    size_t out = 0, in = 0;
    for (int turn = 0; in < size; turn++) {
        assert_true(turn < 2000000);
        int wrote = out < size ? mbedtls_ssl_write(&bench.server, sent + out, size - out) : 0;
        out += wrote > 0 ? (size_t)wrote : 0;
        size_t room = size - in < step ? size - in : step;
        int got = bench.link.read(bench.link.context, received + in, room);
        assert_true(got >= 0);
        in += (size_t)got;
    }
    assert_int_equal(in, size);
    assert_memory_equal(sent, received, size);
}

static void test_bytes_come_through_whatever_the_pieces(void **state)
{
    static const struct {
        size_t piece, room, size, step;
    } rows[] = {{BENCH_QUEUE_SIZE, BENCH_QUEUE_SIZE, 50000, 50000},
                {1, BENCH_QUEUE_SIZE, 3000, 700},
                {7, 11, 5000, 1999},
                {3, 1, 500, 499},
                {1000, 5, 3000, 1}};
    (void)state;
    bench_random(NULL, sent, sizeof sent);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_start(&bench, &authority, &usual);
        bench.up.piece = bench.down.piece = rows[i].piece;
        bench.up.room = bench.down.room = rows[i].room;
        assert_int_equal(bench_connect(&bench, HOST), 1);
        carry_up(rows[i].size, rows[i].step);
        carry_down(rows[i].size, rows[i].step);
        bench_end(&bench);
    }
}

static void test_bytes_that_wait_are_told_by_the_deadline(void **state)
{
    uint8_t data[200];
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    while (bench.link.read(bench.link.context, data, sizeof data) > 0) {
    }
    assert_int_equal(bench.link.deadline(bench.link.context), DUN_MS_NEVER);
    assert_int_equal(mbedtls_ssl_write(&bench.server, (const unsigned char *)"abc", 3), 3);
    assert_int_equal(mbedtls_ssl_write(&bench.server, (const unsigned char *)"de", 2), 2);
    assert_int_equal(bench.link.read(bench.link.context, data, 1), 1);
    assert_int_equal(bench.down.start, bench.down.end); /* the socket would be quiet */
    assert_int_equal(bench.link.deadline(bench.link.context), 0);
    assert_int_equal(bench.link.read(bench.link.context, data + 1, 2), 2);
    assert_int_equal(bench.link.deadline(bench.link.context), 0);
    assert_int_equal(bench.link.read(bench.link.context, data + 3, sizeof data - 3), 2);
    assert_int_equal(bench.link.read(bench.link.context, data + 5, 1), 0);
    assert_int_equal(bench.link.deadline(bench.link.context), DUN_MS_NEVER);
    assert_memory_equal(data, "abcde", 5);
    bench_end(&bench);
}

/* A broker that asks for a new handshake makes the library answer with an alert, at a time when a
 * record of ours is half out: neither may be lost, doubled or mistaken for the other. */
static void test_a_renegotiation_asked_for_in_the_middle(void **state)
{
    (void)state;
    bench_random(NULL, sent, sizeof sent);
    bench_start(&bench, &authority, &usual);
    mbedtls_ssl_conf_renegotiation(&bench.settings, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
    mbedtls_ssl_conf_renegotiation_enforced(&bench.settings,
                                            MBEDTLS_SSL_RENEGOTIATION_NOT_ENFORCED);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    bench.up.room = 40;
    assert_int_equal(bench.link.write(bench.link.context, sent, 300), 300); /* 40 of them are out */
    assert_int_equal(bench.link.write(bench.link.context, sent + 300, 300), 0);
    assert_int_equal(mbedtls_ssl_renegotiate(&bench.server), 0);
    uint8_t none;
    size_t in = 0, out = 300;
    for (int turn = 0; turn < 1000 && in < 2000; turn++) {
        int got = bench.link.read(bench.link.context, &none, 1);
        assert_int_equal(got, 0);
        int wrote = bench.link.write(bench.link.context, sent + out, out < 2000 ? 100 : 0);
        assert_true(wrote >= 0);
        out += (size_t)wrote;
        got = mbedtls_ssl_read(&bench.server, received + in, sizeof received - in);
        in += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(in, 2000);
    assert_memory_equal(sent, received, 2000);
    bench_end(&bench);
}

/* A flood of records that carry nothing for us must not hold a call for ever. */
static void test_a_call_makes_a_bounded_number_of_reads(void **state)
{
    uint8_t none;
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    for (int i = 0; i < 900; i++) {
        assert_int_equal(
            mbedtls_ssl_send_alert_message(&bench.server, MBEDTLS_SSL_ALERT_LEVEL_WARNING, 90), 0);
    }
    bench.down.piece = 8;
    bench.below_reads = 0;
    assert_int_equal(bench.link.read(bench.link.context, &none, 1), 0);
    assert_true(bench.below_reads <= 64);
    assert_int_equal(bench.link.deadline(bench.link.context), 0); /* it wants to go on */
    bench_end(&bench);
}

static void test_a_record_that_was_changed(void **state)
{
    uint8_t data[16];
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    while (bench.link.read(bench.link.context, data, sizeof data) > 0) {
    }
    bench.down.start = bench.down.end = 0;
    assert_int_equal(mbedtls_ssl_write(&bench.server, (const unsigned char *)"abc", 3), 3);
    bench.down.data[bench.down.end - 1] ^= 1;
    assert_int_equal(bench.link.read(bench.link.context, data, sizeof data), DUN_E_TLS);
    assert_int_equal(trouble(), DUN_TLS_BROKEN);
    assert_int_equal(bench.link.read(bench.link.context, data, sizeof data), DUN_E_TLS);
    assert_int_equal(bench.link.write(bench.link.context, data, 1), DUN_E_TLS);
    assert_int_equal(bench.link.deadline(bench.link.context), DUN_MS_NEVER);
    bench_end(&bench);
}

static void test_the_end_of_a_connection(void **state)
{
    uint8_t data[16];
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    assert_int_equal(mbedtls_ssl_write(&bench.server, (const unsigned char *)"abc", 3), 3);
    assert_int_equal(mbedtls_ssl_close_notify(&bench.server), 0);
    assert_int_equal(bench.link.read(bench.link.context, data, sizeof data), 3);
    assert_int_equal(bench.link.read(bench.link.context, data, sizeof data), DUN_E_CLOSED);
    bench_again(&bench);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    bench.link.close(bench.link.context);
    assert_int_equal(mbedtls_ssl_read(&bench.server, data, sizeof data),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_int_equal(bench.link.read(bench.link.context, data, 1), DUN_E_CLOSED);
    assert_int_equal(bench.link.write(bench.link.context, data, 1), DUN_E_CLOSED);
    assert_int_equal(bench.link.ready(bench.link.context, 0), DUN_E_CLOSED);
    bench.link.close(bench.link.context);
    bench_end(&bench);
}

/// Cuts and stalls ///

/* How many bytes go each way in a handshake with these settings. */
static void measure(size_t *up, size_t *down)
{
    assert_int_equal(bench_connect(&bench, HOST), 1);
    *up = bench.up.passed;
    *down = bench.down.passed;
    bench.link.close(bench.link.context);
}

static void cut(struct bench_queue *queue, size_t at)
{
    bench_again(&bench);
    queue->cut_after = at;
    int result = bench_connect(&bench, HOST);
    if (result == 0) { /* the server saw the cut and is gone; the client learns it now */
        bench.down.ended = true;
        result = bench.link.ready(bench.link.context, 0);
    }
    assert_true(result == DUN_E_TLS || result == DUN_E_REFUSED);
    assert_int_equal(trouble() != DUN_TLS_NO_TROUBLE, 1);
    assert_int_equal(bench.link.ready(bench.link.context, 0), DUN_E_CLOSED);
}

static void stall(struct bench_queue *queue, size_t at)
{
    bench_again(&bench);
    queue->silent_after = at;
    assert_int_equal(bench_connect(&bench, HOST), 0);
    assert_int_equal(bench.link.deadline(bench.link.context), 1000);
    assert_int_equal(bench.link.ready(bench.link.context, 999), 0);
    assert_int_equal(bench.link.ready(bench.link.context, 1000), DUN_E_TIMEOUT);
    assert_int_equal(trouble(), DUN_TLS_STALLED);
}

static void cut_and_stall_everywhere(size_t step)
{
    size_t up, down;
    measure(&up, &down);
    for (size_t at = 0; at < down; at += step) {
        cut(&bench.down, at);
        stall(&bench.down, at);
    }
    for (size_t at = 0; at < up; at += step) {
        cut(&bench.up, at);
        stall(&bench.up, at);
    }
    bench_again(&bench);
    assert_int_equal(bench_connect(&bench, HOST), 1);
}

static void test_cut_and_stalled_at_every_byte(void **state)
{
    (void)state;
    start_psk("0123456789", "pump-7");
    mbedtls_ssl_conf_session_tickets(&bench.settings, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    cut_and_stall_everywhere(1);
    bench_end(&bench);
}

/* With certificates on both sides: each flight in several places. */
static void test_cut_and_stalled_with_certificates(void **state)
{
    (void)state;
    bench_start(&bench, &authority, &usual);
    mbedtls_ssl_conf_authmode(&bench.settings, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&bench.settings, &authority.certificate, NULL);
    bench.credentials.certificate = &client.certificate;
    bench.credentials.key = &client.key;
    cut_and_stall_everywhere(41);
    bench_end(&bench);
}

/// Resumption ///

static bool connect_again(void)
{
    bench_again(&bench);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    const struct dun_tls_report *report = dun_tls_mbedtls_report(&bench.tls);
    assert_int_equal(report->good_until_ms, INT64_C(1830297600000)); /* known all the same */
    return report->resumed;
}

static void test_sessions_are_resumed_while_nothing_changed(void **state)
{
    (void)state;
    bench_start(&bench, &authority, &usual);
    assert_int_equal(mbedtls_ssl_ticket_setup(&bench.tickets, bench_random, NULL,
                                              MBEDTLS_CIPHER_AES_256_GCM, 86400),
                     0);
    mbedtls_ssl_conf_session_tickets_cb(&bench.settings, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &bench.tickets);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    assert_false(dun_tls_mbedtls_report(&bench.tls)->resumed);
    assert_true(connect_again());
    assert_true(connect_again());
    carry_up(100, 100);
    carry_down(100, 100);
    bench.credentials.generation++; /* other files: who was trusted by the old ones is not */
    assert_false(connect_again());
    assert_true(connect_again());
    bench.credentials.unix_ms = INT64_C(1830297600001); /* the certificate has expired meanwhile */
    bench_again(&bench);
    assert_int_equal(bench_connect(&bench, HOST), DUN_E_TLS_DATE);
    bench_end(&bench);
}

/* The session of one host is worth nothing at another. */
static void test_a_session_is_not_resumed_elsewhere(void **state)
{
    struct bench_identity two;
    (void)state;
    bench_make(&two, &(struct bench_wish){
                         .common_name = "x", .dns = {HOST, "b.org"}, .issuer = &authority});
    bench_start(&bench, &authority, &two);
    assert_int_equal(mbedtls_ssl_ticket_setup(&bench.tickets, bench_random, NULL,
                                              MBEDTLS_CIPHER_AES_256_GCM, 86400),
                     0);
    mbedtls_ssl_conf_session_tickets_cb(&bench.settings, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &bench.tickets);
    assert_int_equal(bench_connect(&bench, HOST), 1);
    bench_again(&bench);
    assert_int_equal(bench_connect(&bench, "b.org"), 1);
    assert_false(dun_tls_mbedtls_report(&bench.tls)->resumed);
    bench_again(&bench);
    bench.down.cut_after = 50; /* a broker that ends whoever resumes gets a whole handshake next */
    assert_int_equal(bench_connect(&bench, "b.org"), DUN_E_TLS);
    assert_false(bench.tls.kept.there);
    bench_end(&bench);
    bench_drop(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_trusted),
        cmocka_unit_test(test_an_expired_authority),
        cmocka_unit_test(test_a_clock_that_is_not_set),
        cmocka_unit_test(test_the_report_tells_how_long_the_chain_is_good),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_fragments_are_as_small_as_asked_for),
        cmocka_unit_test(test_the_name_goes_to_the_broker_and_an_address_does_not),
        cmocka_unit_test(test_no_version_before_1_2),
        cmocka_unit_test(test_what_is_no_tls),
        cmocka_unit_test(test_the_last_word_of_a_broker_that_is_gone),
        cmocka_unit_test(test_what_the_board_cannot_give),
        cmocka_unit_test(test_bytes_come_through_whatever_the_pieces),
        cmocka_unit_test(test_bytes_that_wait_are_told_by_the_deadline),
        cmocka_unit_test(test_a_renegotiation_asked_for_in_the_middle),
        cmocka_unit_test(test_a_call_makes_a_bounded_number_of_reads),
        cmocka_unit_test(test_a_record_that_was_changed),
        cmocka_unit_test(test_the_end_of_a_connection),
        cmocka_unit_test(test_cut_and_stalled_at_every_byte),
        cmocka_unit_test(test_cut_and_stalled_with_certificates),
        cmocka_unit_test(test_sessions_are_resumed_while_nothing_changed),
        cmocka_unit_test(test_a_session_is_not_resumed_elsewhere),
    };
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
