/*
 * exposition.h: /metrics over HTTP, for Prometheus: the health of the fleet at this moment. It runs
 * in its caller's loop, by libmicrohttpd; it has no TLS and no access list, so it is for loopback
 * or a network of one's own.
 */
#ifndef DUN_EXPOSITION_H
#define DUN_EXPOSITION_H

#include "health.h"

struct dun_exposition;

/* Called for each scrape: writes the whole text. */
typedef void (*dun_exposition_write)(void *context, struct dun_out *out);

/*
 * Listens on `where`: ADDRESS:PORT, [ADDRESS]:PORT or PORT (then on loopback). NULL: `*problem`
 * says why. `context` stays borrowed.
 */
struct dun_exposition *dun_exposition_open(const char *where, dun_exposition_write write,
                                           void *context, const char **problem);

/* The port, also when 0 was asked for. */
unsigned dun_exposition_port(const struct dun_exposition *exposition);

/* Answers who waits; never blocks. NULL is allowed, here and below. */
void dun_exposition_serve(struct dun_exposition *exposition);
void dun_exposition_close(struct dun_exposition *exposition);

#endif
