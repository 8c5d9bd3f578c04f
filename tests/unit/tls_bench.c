/* tls_bench.c: see tls_bench.h. Randomness is a counter's: the same in each run. */
#include "tls_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/oid.h>

#define TURNS_MAX 200000

int bench_random(void *context, unsigned char *out, size_t size)
{
    static uint64_t state = 0x9E3779B97F4A7C15u;
    (void)context;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out[i] = (unsigned char)(state >> 32);
    }
    return 0;
}

/// Queues ///

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int queue_put(struct bench_queue *queue, const void *data, size_t size)
{
    if (queue->ended) {
        return DUN_E_CLOSED;
    }
    if (queue->start == queue->end) {
        queue->start = queue->end = 0;
    }
    size_t waiting = queue->end - queue->start;
    size_t room = queue->room > waiting ? queue->room - waiting : 0;
    size = least(least(size, queue->piece), least(room, sizeof queue->data - queue->end));
    memcpy(queue->data + queue->end, data, size);
    queue->end += size;
    return (int)size;
}

static int queue_take(struct bench_queue *queue, void *out, size_t size)
{
    if (queue->passed >= queue->cut_after) {
        queue->ended = true;
        return DUN_E_CLOSED;
    }
    if (queue->passed >= queue->silent_after) {
        return 0;
    }
    size = least(least(size, queue->piece), queue->end - queue->start);
    size = least(size, least(queue->silent_after, queue->cut_after) - queue->passed);
    memcpy(out, queue->data + queue->start, size);
    queue->start += size;
    queue->passed += size;
    return size == 0 && queue->ended ? DUN_E_CLOSED : (int)size;
}

static int below_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    (void)context;
    (void)host;
    (void)port;
    (void)now;
    return DUN_OK;
}

static int below_ready(void *context, dun_ms now)
{
    (void)context;
    (void)now;
    return 1;
}

static int below_read(void *context, void *data, size_t size)
{
    struct bench *bench = context;
    bench->below_reads++;
    return queue_take(&bench->down, data, size);
}

static int below_write(void *context, const void *data, size_t size)
{
    struct bench *bench = context;
    return queue_put(&bench->up, data, size);
}

static void below_close(void *context)
{
    struct bench *bench = context;
    bench->up.ended = true;
}

static dun_ms below_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

static int server_send(void *context, const unsigned char *data, size_t size)
{
    int sent = queue_put(&((struct bench *)context)->down, data, size);
    return sent > 0 ? sent : sent == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int server_receive(void *context, unsigned char *out, size_t size)
{
    int got = queue_take(&((struct bench *)context)->up, out, size);
    return got > 0 ? got : got == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

/// Certificates ///

static size_t put_names(uint8_t *out, const struct bench_wish *wish)
{
    size_t size = 2; /* the head of the SEQUENCE comes last */
    for (size_t i = 0; i < 4 && wish->dns[i] != NULL; i++) {
        size_t length = strlen(wish->dns[i]);
        out[size++] = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
        out[size++] = (uint8_t)length;
        memcpy(out + size, wish->dns[i], length);
        size += length;
    }
    if (wish->address != NULL) {
        out[size++] = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;
        out[size++] = (uint8_t)wish->address_size;
        memcpy(out + size, wish->address, wish->address_size);
        size += wish->address_size;
    }
    assert_true(size - 2 < 0x80);
    out[0] = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    out[1] = (uint8_t)(size - 2);
    return size;
}

static void set_names(mbedtls_x509write_cert *writer, const struct bench_wish *wish)
{
    uint8_t names[128];
    if (wish->dns[0] == NULL && wish->address == NULL) {
        return;
    }
    size_t size = put_names(names, wish);
    assert_int_equal(mbedtls_x509write_crt_set_extension(
                         writer, MBEDTLS_OID_SUBJECT_ALT_NAME,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, names, size),
                     0);
}

void bench_make(struct bench_identity *identity, const struct bench_wish *wish)
{
    mbedtls_x509write_cert writer;
    mbedtls_mpi serial;
    uint8_t der[2048];
    char subject[128], issuer[512];
    const struct bench_identity *by = wish->issuer != NULL ? wish->issuer : identity;
    mbedtls_x509_crt_init(&identity->certificate);
    mbedtls_pk_init(&identity->key);
    assert_int_equal(mbedtls_pk_setup(&identity->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
                     0);
    assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(identity->key),
                                         bench_random, NULL),
                     0);
    snprintf(subject, sizeof subject, "CN=%s", wish->common_name);
    snprintf(issuer, sizeof issuer, "%s", subject);
    if (wish->issuer != NULL) {
        mbedtls_x509_dn_gets(issuer, sizeof issuer, &by->certificate.subject);
    }
    mbedtls_mpi_init(&serial);
    mbedtls_mpi_lset(&serial, 7);
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_serial(&writer, &serial);
    mbedtls_x509write_crt_set_subject_key(&writer, &identity->key);
    mbedtls_x509write_crt_set_issuer_key(&writer, (mbedtls_pk_context *)(uintptr_t)&by->key);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&writer, subject), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&writer, issuer), 0);
    mbedtls_x509write_crt_set_validity(&writer, wish->from != NULL ? wish->from : "20260101000000",
                                       wish->until != NULL ? wish->until : "20280101000000");
    mbedtls_x509write_crt_set_basic_constraints(&writer, wish->issuer == NULL, -1);
    set_names(&writer, wish);
    int size = mbedtls_x509write_crt_der(&writer, der, sizeof der, bench_random, NULL);
    assert_true(size > 0); /* at the end of the buffer */
    assert_int_equal(mbedtls_x509_crt_parse_der(&identity->certificate,
                                                der + sizeof der - (size_t)size, (size_t)size),
                     0);
    mbedtls_x509write_crt_free(&writer);
    mbedtls_mpi_free(&serial);
}

void bench_drop(struct bench_identity *identity)
{
    mbedtls_x509_crt_free(&identity->certificate);
    mbedtls_pk_free(&identity->key);
}

/// Both ends ///

static int give_credentials(void *context, struct dun_tls_credentials *out)
{
    struct bench *bench = context;
    *out = bench->credentials;
    return bench->credentials_error;
}

static int give_entropy(void *context, uint8_t *out, size_t size)
{
    return bench_random(context, out, size);
}

void bench_again(struct bench *bench)
{
    struct bench_queue fresh = {.piece = BENCH_QUEUE_SIZE,
                                .room = BENCH_QUEUE_SIZE,
                                .silent_after = BENCH_NEVER,
                                .cut_after = BENCH_NEVER};
    bench->link.close(bench->link.context);
    bench->up = fresh;
    bench->down = fresh;
    bench->server_result = MBEDTLS_ERR_SSL_WANT_READ;
    assert_int_equal(mbedtls_ssl_session_reset(&bench->server), 0);
}

void bench_start(struct bench *bench, const struct bench_identity *authority,
                 struct bench_identity *identity)
{
    memset(bench, 0, sizeof *bench);
    mbedtls_ssl_config_init(&bench->settings);
    mbedtls_ssl_init(&bench->server);
    mbedtls_ssl_ticket_init(&bench->tickets);
    assert_int_equal(mbedtls_ssl_config_defaults(&bench->settings, MBEDTLS_SSL_IS_SERVER,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&bench->settings, bench_random, NULL);
    if (identity != NULL) {
        assert_int_equal(
            mbedtls_ssl_conf_own_cert(&bench->settings, &identity->certificate, &identity->key), 0);
    }
    assert_int_equal(mbedtls_ssl_setup(&bench->server, &bench->settings), 0);
    mbedtls_ssl_set_bio(&bench->server, bench, server_send, server_receive, NULL);
    bench->credentials = (struct dun_tls_credentials){
        .authorities =
            authority != NULL ? (mbedtls_x509_crt *)(uintptr_t)&authority->certificate : NULL,
        .unix_ms = BENCH_NOW,
    };
    bench->below = (struct dun_link){.context = bench,
                                     .open = below_open,
                                     .ready = below_ready,
                                     .read = below_read,
                                     .write = below_write,
                                     .close = below_close,
                                     .deadline = below_deadline};
    const struct dun_tls_ports ports = {
        .context = bench, .credentials = give_credentials, .entropy = give_entropy};
    dun_tls_mbedtls_init(&bench->tls, &bench->below, &ports, 1000, &bench->link);
    bench_again(bench);
}

void bench_end(struct bench *bench)
{
    dun_tls_mbedtls_free(&bench->tls);
    mbedtls_ssl_free(&bench->server);
    mbedtls_ssl_config_free(&bench->settings);
    mbedtls_ssl_ticket_free(&bench->tickets);
}

void bench_serve(struct bench *bench)
{
    bool later = bench->server_result == MBEDTLS_ERR_SSL_WANT_READ ||
                 bench->server_result == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (bench->silent || !later) {
        return;
    }
    bench->server_result = mbedtls_ssl_handshake(&bench->server);
    later = bench->server_result == MBEDTLS_ERR_SSL_WANT_READ ||
            bench->server_result == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (bench->server_result != 0 && !later) {
        if (bench->server_result == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
            /* Brokers say so; this library just ends. */
            mbedtls_ssl_send_alert_message(&bench->server, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                           MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
        }
        bench->down.ended = true;
    }
}

int bench_connect(struct bench *bench, const char *host)
{
    int result = bench->link.open(bench->link.context, host, 8883, 0);
    size_t still = 0;
    for (int turn = 0; result == 0 && still < 4; turn++) {
        assert_true(turn < TURNS_MAX);
        size_t before = bench->up.passed + bench->down.passed + bench->up.end + bench->down.end;
        result = bench->link.ready(bench->link.context, 0);
        bench_serve(bench);
        size_t after = bench->up.passed + bench->down.passed + bench->up.end + bench->down.end;
        still = before == after ? still + 1 : 0;
    }
    for (int turn = 0; result == 1 && turn < 100; turn++) {
        bench_serve(bench);
    }
    return result;
}
