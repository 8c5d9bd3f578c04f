/*
 * profile.h: the limits of the lm3s6965evb: 64 KiB of RAM. The linker map tells what they cost:
 * tools/bench firmware.
 */
#ifndef DUN_PROFILE_H
#define DUN_PROFILE_H

/// What is measured ///
#define DUN_PROFILE_METRICS_MAX 24

/// What is recorded ///
#define DUN_PROFILE_POINTS_MAX     192  /* open points, 16 bytes each */
#define DUN_PROFILE_STORES         2    /* the log, and one in RAM for when it fails */
#define DUN_PROFILE_LOSSES_MAX     8    /* ranges of the loss ledger */
#define DUN_PROFILE_PROG_SIZE_MAX  256  /* write buffer of a log: the card's program unit */
#define DUN_PROFILE_LOG_BLOCK_SIZE 8192 /* erase block on the card */
#define DUN_PROFILE_SPARE_BLOCK_SIZE                                                               \
    1024                                /* of the log in RAM, where there is no card or while it */
#define DUN_PROFILE_SPARE_BLOCK_COUNT 6 /* fails */
#define DUN_PROFILE_SPARE_PROG_SIZE   4 /* a word, as of the chip's own flash */

/// What is sent ///
#define DUN_PROFILE_WINDOW        8   /* publishes in flight */
#define DUN_PROFILE_NOTICES       8   /* of what happened, until somebody asks */
#define DUN_PROFILE_REDIRECT_SIZE 64  /* longest host name that a redirect may give, and 1 */
#define DUN_PROFILE_CONFIG_MAX    384 /* largest document of the remote configuration */
#define DUN_PROFILE_MQTT_RX_SIZE  512 /* largest packet from the broker: that, and topic */
#define DUN_PROFILE_MQTT_TX_SIZE  640 /* CONNECT with the longest names must fit */
#define DUN_PROFILE_LINK_RX_SIZE  256 /* one read of the link */
#define DUN_PROFILE_LINK_TX_SIZE  512 /* one write of the link */

/// The board ///
#define DUN_PROFILE_WATCHDOG_MS 8000

#endif
