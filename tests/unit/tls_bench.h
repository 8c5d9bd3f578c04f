/*
 * tls_bench.h: a broker's end of TLS for unit tests: Mbed TLS as server over two byte queues in
 * memory that pass small pieces, stop taking bytes, go silent or end after so many; and a little
 * authority that makes any certificate. No socket, no file, no clock.
 */
#ifndef DUN_TLS_BENCH_H
#define DUN_TLS_BENCH_H

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include "tls_mbedtls.h"

#define BENCH_QUEUE_SIZE 65536
#define BENCH_NEVER      SIZE_MAX
#define BENCH_NOW        INT64_C(1800000000000) /* 2027-01-15, whatever the machine's clock says */

/* One way. */
struct bench_queue {
    uint8_t data[BENCH_QUEUE_SIZE];
    size_t start, end;
    size_t passed; /* bytes that were taken out */
    size_t piece;  /* most bytes in a call */
    size_t room;   /* most bytes that wait */
    size_t silent_after, cut_after;
    bool ended;
};

/* A certificate with its key. */
struct bench_identity {
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
};

/* What a certificate shall say. Dates: "20270101000000", NULL: around BENCH_NOW. */
struct bench_wish {
    const char *common_name;
    const char *dns[4];
    const uint8_t *address; /* iPAddress of `address_size` bytes */
    size_t address_size;
    const char *from, *until;
    const struct bench_identity *issuer; /* NULL: self-signed authority */
};

struct bench {
    struct bench_queue up, down;
    struct dun_link below, link;
    struct dun_tls_mbedtls tls;
    struct dun_tls_credentials credentials; /* what the port gives */
    int credentials_error;
    mbedtls_ssl_config settings;
    mbedtls_ssl_context server;
    mbedtls_ssl_ticket_context tickets;
    int server_result; /* of its handshake, or its last read or write */
    bool silent;       /* the server does nothing */
    unsigned below_reads;
};

void bench_make(struct bench_identity *identity, const struct bench_wish *wish);
void bench_drop(struct bench_identity *identity);

/* A client that trusts `authority`, and a server that shows `identity`; either may be NULL. */
void bench_start(struct bench *bench, const struct bench_identity *authority,
                 struct bench_identity *identity);
/* Fresh queues and a fresh server session with the same settings. */
void bench_again(struct bench *bench);
void bench_end(struct bench *bench);

/* Opens and turns both ends until ready says something, or nothing moves: what ready said. */
int bench_connect(struct bench *bench, const char *host);

/* One turn of the server's handshake. */
void bench_serve(struct bench *bench);

int bench_random(void *context, unsigned char *out, size_t size);

#endif
