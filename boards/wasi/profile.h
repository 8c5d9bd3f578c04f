/*
 * profile.h: the limits of the wasi board, in one place. All memory that depends on them is
 * static: the linear memory of the component. Use another file with -DDUN_PROFILE=FILE.
 */
#ifndef DUN_PROFILE_H
#define DUN_PROFILE_H

#include "host_metrics.h"

/// What is measured ///
#define DUN_PROFILE_METRICS_MAX      1024        /* entries of the catalog */
#define DUN_PROFILE_ARENA_SIZE       (64 * 1024) /* strings and attributes of what is found */
#define DUN_PROFILE_INSTANCES_MAX    256         /* CPUs, disks, interfaces, mounts together */
#define DUN_PROFILE_CPUS_MAX         64
#define DUN_PROFILE_TEMPERATURES_MAX 32
#define DUN_PROFILE_MOUNTS_MAX       32
#define DUN_PROFILE_SCRATCH_SIZE     4096             /* one chunk of a file of /proc */
#define DUN_PROFILE_METRICS          DUN_HOST_METRICS /* what is worth sending of them */

/// What is recorded ///
#define DUN_PROFILE_POINTS_MAX        1024               /* open points, 16 bytes each */
#define DUN_PROFILE_RECORD_MAX        4096               /* largest [batch] bytes */
#define DUN_PROFILE_LOG_SIZE          (16 * 1024 * 1024) /* default of [log] size */
#define DUN_PROFILE_PROG_SIZE_MAX     4096               /* write buffer of a log */
#define DUN_PROFILE_STORES            3    /* the log, one in RAM for when it fails, an archive */
#define DUN_PROFILE_LOSSES_MAX        64   /* ranges of the loss ledger */
#define DUN_PROFILE_SPARE_BLOCK_SIZE  4096 /* of the log in RAM, for the time in */
#define DUN_PROFILE_SPARE_BLOCK_COUNT 32   /* which storage fails */

/// What is sent ///
#define DUN_PROFILE_WINDOW             32   /* publishes in flight */
#define DUN_PROFILE_NOTICES            16   /* of what happened, until somebody asks */
#define DUN_PROFILE_REDIRECT_SIZE      128  /* longest host name that a redirect may give, and 1 */
#define DUN_PROFILE_CONFIG_MAX         2048 /* largest document of the remote configuration */
#define DUN_PROFILE_MQTT_RX_SIZE       2560 /* largest packet from the broker: that, and topic */
#define DUN_PROFILE_MQTT_TX_SIZE       1280 /* CONNECT with the longest names must fit */
#define DUN_PROFILE_LINK_RX_SIZE       2048 /* one read of the socket */
#define DUN_PROFILE_LINK_TX_SIZE       8192 /* one write of the socket */
#define DUN_PROFILE_ADDRESS_TIMEOUT_MS 5000 /* for one of several addresses of a broker */

#endif
