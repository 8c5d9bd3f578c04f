/*
 * client.h: libmosquitto as the commands use it: a client made of a command's options, and what its
 * errors mean for the exit code. It prints nothing.
 */
#ifndef DUN_CLIENT_H
#define DUN_CLIENT_H

#include <mosquitto.h>

#include "broker_options.h"

/* The first file of `options` that cannot be read, errno telling why; NULL: all can. */
const char *dun_client_unreadable(const struct dun_broker_options *options);

/* Makes `*client`, with user and TLS as `options` say. MOSQ_ERR_SUCCESS or another of
 * libmosquitto's results; `*client` may then be there all the same. `id` NULL: a random one. */
DUN_MUST_USE int dun_client_make(struct mosquitto **client,
                                 const struct dun_broker_options *options, const char *id,
                                 bool clean_session, void *context);

/* The exit code for a result of a connection that did not come up or broke, with errno untouched
 * since; for one of dun_client_make; and their texts. */
int dun_client_exit_code(const struct dun_broker_options *options, int result);
int dun_client_make_exit_code(const struct dun_broker_options *options, int result);
const char *dun_client_why(int result);

/* What a CONNACK refuses with `reason`, in words. */
const char *dun_client_refusal(const struct dun_broker_options *options, int reason);

#endif
