/*
 * profile_hostile.h: the same limits, odd and as small as they may be: what only works because
 * everything fits, or because sizes are round, fails here.
 */
#ifndef DUN_PROFILE_H
#define DUN_PROFILE_H

#define DUN_PROFILE_METRICS_MAX      61
#define DUN_PROFILE_ARENA_SIZE       2999
#define DUN_PROFILE_INSTANCES_MAX    13
#define DUN_PROFILE_CPUS_MAX         3
#define DUN_PROFILE_TEMPERATURES_MAX 3
#define DUN_PROFILE_MOUNTS_MAX       3
#define DUN_PROFILE_SCRATCH_SIZE     521

#define DUN_PROFILE_POINTS_MAX        67
#define DUN_PROFILE_RECORD_MAX        601
#define DUN_PROFILE_LOG_SIZE          (48 * 1024)
#define DUN_PROFILE_PROG_SIZE_MAX     257
#define DUN_PROFILE_STORES            3
#define DUN_PROFILE_LOSSES_MAX        5
#define DUN_PROFILE_SPARE_BLOCK_SIZE  1027
#define DUN_PROFILE_SPARE_BLOCK_COUNT 5

#define DUN_PROFILE_WINDOW             3
#define DUN_PROFILE_NOTICES            4
#define DUN_PROFILE_REDIRECT_SIZE      24
#define DUN_PROFILE_CONFIG_MAX         67
#define DUN_PROFILE_MQTT_RX_SIZE       131
#define DUN_PROFILE_MQTT_TX_SIZE       701
#define DUN_PROFILE_LINK_RX_SIZE       67
#define DUN_PROFILE_LINK_TX_SIZE       73
#define DUN_PROFILE_ADDRESS_TIMEOUT_MS 1009

#endif
