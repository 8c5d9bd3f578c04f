/*
 * scenario.h: what a seed decides before a run begins: the device, its load, its network, and
 * which faults come how often. FAULTS.md says in prose what each fault is.
 */
#ifndef DUN_SIM_SCENARIO_H
#define DUN_SIM_SCENARIO_H

#include "agent.h"
#include "random.h"
#include "sim_link.h"

enum fault {
    FAULT_CUT_AT_FLASH, /* power fails in one of the next operations of the flash */
    FAULT_CUT,          /* power fails between two steps */
    FAULT_KILL,         /* the program dies, the machine does not */
    FAULT_RESTART,      /* an orderly end and a new start */
    FAULT_STORAGE,      /* writing, perhaps reading too, fails for a while */
    FAULT_PROGRAM_ONCE,
    FAULT_ERASE_ONCE,
    FAULT_SYNC_ONCE,
    FAULT_FLIP,       /* a bit at rest, seen at the next boot */
    FAULT_BLOCK_DIES, /* it takes no program or erase any more, perhaps no read */
    FAULT_RESET,
    FAULT_RESET_IN_PACKET,
    FAULT_HALF_OPEN,
    FAULT_CONNECT, /* refused, blackholed, or no such name, for a while */
    FAULT_BROKER_KILL,
    FAULT_BROKER_SILENT,
    FAULT_BROKER_LEAVES, /* DISCONNECT with a reason, or just the end */
    FAULT_BROKER_GARBAGE,
    FAULT_BROKER_REFUSES, /* CONNACK refuses, comes late or never, for a while */
    FAULT_BROKER_REJECTS, /* PUBACK with a reason of 0x80 and above, for a while */
    FAULT_ACKS,           /* PUBACK lost, late, twice, out of order, unknown, for a while */
    FAULT_SESSION_LIE,
    FAULT_CLOCK_STEP,
    FAULT_SUSPEND,
    FAULT_CATALOG, /* not a fault: a new metric appears */
    FAULT_BURST,   /* not a fault: many points at once */
    FAULT_ALARM,   /* not a fault: a value crosses its limit */
    FAULT_RECORDER_LAGS,
    FAULT_STORED_LIE,     /* a cursor that is old, of another stream, or far ahead */
    FAULT_CUT_AT_ARCHIVE, /* as FAULT_CUT_AT_FLASH, in the flash of the archive; so the next ones */
    FAULT_ARCHIVE,
    FAULT_ARCHIVE_ONCE, /* a program, erase or sync */
    FAULT_ARCHIVE_FLIP,
    FAULT_ARCHIVE_BLOCK_DIES,
    FAULT_CONFIG,       /* not a fault: a configuration document, or what looks like one */
    FAULT_CUT_AT_SHELF, /* power fails in one of the next saves of a document */
    FAULT_SHELF,        /* saves fail for a while */
    FAULT_SHELF_ROTS,   /* a bit of a saved document, seen at the next boot */
    FAULT_COUNT,
};

extern const char *const fault_names[FAULT_COUNT];

struct scenario {
    /// The device ///
    struct dun_flash_geometry geometry, spare_geometry, archive_geometry;
    bool nor;
    uint32_t unit_size;
    enum dun_log_overflow overflow;
    uint16_t losses_max;
    struct dun_agent_config agent;
    bool plain;
    bool wide_values;
    uint16_t window, batch_capacity, metrics_first, metrics_max, sensors;
    uint32_t rx_size, tx_size, link_rx_size, link_tx_size;
    struct dun_uplink_config broker;
    dun_ms uptime_first_ms; /* uptime does not begin at 0 everywhere */
    dun_ms lateness_ms;     /* steps come up to so late */
    uint32_t config_max;    /* bytes of a document from afar; 0: it takes none */
    uint32_t withheld;      /* keys that documents may not change, a bit each */
    uint32_t trial_ms;
    /// Load ///
    dun_ms interval_ms[32]; /* of each metric */
    bool regular[32];
    dun_ms clock_interval_ms; /* between two readings of the wall clock */
    dun_ms clock_wait_ms;     /* after boot until it is set */
    dun_ms calm_ms;           /* faults end */
    /// The other end ///
    struct sim_net_shape net;
    uint32_t ack_delay_ms;      /* at most */
    uint32_t recorder_delay_ms; /* at most, from the broker to its disk */
    uint32_t stored_delay_ms;   /* at most, until it tells */
    bool broker_old;            /* knows 3.1.1 only */
    uint16_t receive_max;       /* v5; 0: not told */
    uint32_t packet_max;        /* v5; 0: not told */
    bool retain_off;            /* v5 */
    uint16_t server_keepalive;  /* v5; 0: not told */
    /// Faults: the mean time between two, 0: none ///
    dun_ms mean_ms[FAULT_COUNT];
};

void scenario_make(struct scenario *scenario, uint64_t seed);

#endif
