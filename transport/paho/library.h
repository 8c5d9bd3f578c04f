/*
 * library.h: the half of the Paho uplink that speaks with the library: the worker that makes and
 * ends its connections, and what its threads call back. Between uplink_paho.c and library.c only.
 */
#ifndef DUN_PAHO_LIBRARY_H
#define DUN_PAHO_LIBRARY_H

#include "paho/uplink_paho.h"

#define DUN_PAHO_NONE UINT16_MAX /* no slot */

/* The worker's thread; `context` is the uplink. */
void *dun_paho_work(void *context);

/* Gives a message to the library. With QoS 1 `slot` hears of it; NULL with QoS 0. */
int dun_paho_send(struct dun_uplink_paho *uplink, const struct dun_message *message, bool retain,
                  struct dun_uplink_paho_slot *slot);
int dun_paho_subscribe(struct dun_uplink_paho *uplink, const char *filter, uint8_t qos);

/* Translates the configuration; strings stay borrowed, `ssl` is the library's to copy. */
void dun_paho_set_tls(struct dun_uplink_paho *uplink, MQTTAsync_SSLOptions *ssl);

/* False: a clock by which no certificate can be judged. */
bool dun_paho_clock_is_set(const struct dun_tls_config *tls);

/* From now on what the library says about TLS is this uplink's; NULL: nobody's. */
void dun_paho_overhear(struct dun_uplink_paho *uplink);

/* Without the mutex. */
void dun_paho_free_inbound(struct dun_uplink_paho_inbound *inbound);

/* With the mutex held: */

/* The connection is over, for the reason that is given first. */
void dun_paho_ended(struct dun_uplink_paho *uplink, int error, uint8_t reason);
void dun_paho_wake(struct dun_uplink_paho *uplink);
void dun_paho_push_ack(struct dun_uplink_paho *uplink, struct dun_uplink_paho_slot *slot);

#endif
