/* profile.h: the limits of the template board: about 8 KiB of RAM in all. */
#ifndef DUN_PROFILE_H
#define DUN_PROFILE_H

#define DUN_PROFILE_METRICS_MAX 8
#define DUN_PROFILE_POINTS_MAX  64 /* open points, 16 bytes each */
#define DUN_PROFILE_STORES      1  /* the log alone */
#define DUN_PROFILE_LOSSES_MAX  4  /* ranges of the loss ledger */
#define DUN_PROFILE_PROG_SIZE_MAX                                                                  \
    64                                /* write buffer of a log: at least the flash's program unit  \
                                       */
#define DUN_PROFILE_WINDOW        4   /* publishes in flight */
#define DUN_PROFILE_NOTICES       8   /* of what happened, until somebody asks */
#define DUN_PROFILE_REDIRECT_SIZE 64  /* longest host name that a redirect may give, and 1 */
#define DUN_PROFILE_MQTT_RX_SIZE  128 /* largest packet from the broker */
#define DUN_PROFILE_MQTT_TX_SIZE  256 /* CONNECT must fit */
#define DUN_PROFILE_LINK_RX_SIZE  64  /* one read of the link */
#define DUN_PROFILE_LINK_TX_SIZE  256 /* one write of the link */

#endif
