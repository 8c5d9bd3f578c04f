/*
 * profile.h: the limits of a simulated device. They may be roomier than those of a board of 4 KiB:
 * a device that sleeps is kept by packed.h, where room that is not in use costs nothing.
 */
#ifndef DUN_PROFILE_H
#define DUN_PROFILE_H

#define DUN_PROFILE_METRICS_MAX   8    /* of a model */
#define DUN_PROFILE_POINTS_MAX    128  /* open points */
#define DUN_PROFILE_STORES        1    /* the log alone */
#define DUN_PROFILE_LOSSES_MAX    6    /* ranges of the loss ledger */
#define DUN_PROFILE_PROG_SIZE_MAX 64   /* write buffer of the log */
#define DUN_PROFILE_WINDOW        16   /* publishes in flight */
#define DUN_PROFILE_NOTICES       16   /* of what happened, until somebody asks */
#define DUN_PROFILE_REDIRECT_SIZE 128  /* longest host name that a redirect may give, and 1 */
#define DUN_PROFILE_MQTT_RX_SIZE  256  /* largest packet from the broker */
#define DUN_PROFILE_MQTT_TX_SIZE  640  /* CONNECT with the longest names must fit */
#define DUN_PROFILE_LINK_RX_SIZE  512  /* one read of the socket */
#define DUN_PROFILE_LINK_TX_SIZE  2048 /* one write of the socket */

#endif
