/*
 * tls_host.h: TLS of a host that has files: reads what [tls] names and hands it to the link. Two
 * files of this name's kind exist, and a board links one: tls_host.c with Mbed TLS, tls_none.c
 * without TLS. One a process.
 *
 * Files that changed are read anew at the next connection, so that a rotated authority or client
 * certificate needs no restart; while new ones cannot be used the old ones stay.
 */
#ifndef DUN_HOSTED_TLS_HOST_H
#define DUN_HOSTED_TLS_HOST_H

#include "daemon.h"
#include "link.h"

/* For struct dun_daemon_board; NULL in a build without TLS. */
extern const struct dun_daemon_tls *const dun_tls_host;

/* Wraps `below` after dun_tls_host->load; returns the link to use. */
const struct dun_link *dun_tls_host_wrap(const struct dun_link *below, dun_ms timeout_ms);

#endif
