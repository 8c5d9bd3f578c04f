/*
 * uplink_shell.h: which uplink an uplink shell has: one of uplink_shell_mqtt.c and
 * uplink_shell_paho.c is linked in.
 */
#ifndef UPLINK_SHELL_H
#define UPLINK_SHELL_H

#include "tls_config.h"
#include "uplink.h"

#define SHELL_WINDOW      32
#define SHELL_PAYLOAD_MAX 65536
#define SHELL_INBOUND_MAX 4096

/* Makes the uplink; `tls` stays borrowed. 0 or a negative error. */
int shell_uplink_make(struct dun_uplink *table, const struct dun_tls_config *tls);

/* What to wait for: a descriptor, -1: none, and its events for poll(2). */
int shell_uplink_fd(void);
short shell_uplink_events(void);

/* Frees it, after what was closed is closed. */
void shell_uplink_end(void);

#endif
