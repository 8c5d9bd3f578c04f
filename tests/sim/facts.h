/*
 * facts.h: what really happened, kept outside of the device, and the checks of everything that
 * arrives against it. tests/sim/README.md names the checks.
 *
 * A record is known by (stream, sequence). The device's encoder is watched: each attempt to write
 * a record is an attempt here, with a hash of its bytes and the points in it. After each call into
 * the device the log tells which attempts became durable.
 */
#ifndef DUN_SIM_FACTS_H
#define DUN_SIM_FACTS_H

#include "agent.h"
#include "read_record.h"

struct point_fact {
    dun_ms uptime_ms;
    dun_ms true_unix_ms;
    int64_t value;
    uint32_t boot;
    uint16_t metric;
    bool urgent;
    bool arrived;
};

struct attempt {
    uint64_t hash;
    uint32_t points_from, point_count; /* in facts.attempt_points */
    uint32_t boot;
    uint32_t size; /* bytes */
    bool clock_known;
    bool urgent;
    dun_ms boot_unix_ms; /* as the device must believe */
};

struct fact {
    struct attempt *attempts; /* the last one is durable, if any is */
    uint8_t *payload;         /* as it arrived first */
    uint32_t payload_size;
    uint32_t size;    /* of the record that became durable, bytes */
    uint64_t gone_in; /* the log has it no more: the connection after the one of then; 0: it has */
    uint32_t passed;  /* facts.urgent_turn in which it came before an urgent record */
    uint8_t attempt_count;
    uint8_t void_count; /* attempts, the first so many, that no mount will find */
    bool durable;
    bool urgent;
    bool survived;    /* it may have been what a boot found behind the durable ones */
    bool arrived;     /* at the broker */
    bool received;    /* by whoever the device may rely on: broker, or recorder */
    bool told;        /* a loss entry that was received covers it */
    bool thinned;     /* ... with that reason */
    bool given_up;    /* the device's ledger covered it */
    uint8_t refused;  /* the broker said so with this code, last */
    bool ack_durable; /* the device may not speak of it as lost any more */
};

struct stream_facts {
    uint64_t stream;
    bool spare;
    struct fact *facts; /* by sequence; [0] is not used */
    uint64_t count;     /* sequences known of: below this */
    uint64_t capacity;
    uint64_t durable_top; /* highest sequence of a record that was durable */
    uint64_t ends[4];     /* of the rising runs of first arrivals */
    bool urgent;          /* it holds urgent records, which have a run of their own */
    uint64_t contiguous;  /* all up to it was received or told */
    uint64_t freed;       /* the device's cursor as last seen */
    uint64_t ack_seen;    /* the same, when all was durable */
    uint64_t gone;        /* all below it have gone */
    uint64_t archive_end; /* highest first arrival out of the archive */
    uint32_t ledger_seen; /* changes of the ledger as last seen */
};

struct boot_fact {
    uint32_t boot;
    bool clock_known;
    dun_ms boot_unix_ms; /* the latest reading that counts */
    bool anchored;       /* an anchor of it was received */
    bool clock_right;    /* all readings were right */
};

struct reading {
    uint32_t boot;
    dun_ms uptime_ms, unix_ms;
};

struct pending_attempt {
    uint64_t stream, sequence;
};

struct facts {
    struct point_fact *points; /* the value of a point says its index */
    uint32_t point_count, point_capacity;
    uint32_t *attempt_points;
    uint32_t attempt_point_count, attempt_point_capacity;
    struct stream_facts *streams;
    uint32_t stream_count, stream_capacity;
    struct boot_fact *boots;
    uint32_t boot_count, boot_capacity;
    struct reading *readings;
    uint32_t reading_count, reading_capacity;
    struct pending_attempt pending[512]; /* of the call at work */
    uint32_t pending_count;
    /* Of the boot at work. */
    uint64_t offered;        /* points that dun_agent_record took or counted as lost */
    uint64_t stored_points;  /* in records stored */
    uint64_t durable_stream; /* of the durable log as last mounted, 0: none yet */
    bool mounted[2];         /* the durable store and the spare */
    /* Of the run. */
    uint64_t points_told, points_lost, records_durable, duplicates, arrivals;
    uint64_t losses_told, merged_told;
    uint64_t thinned, thinned_arrivals;
    uint64_t erases_seen; /* of the log's flash, before the call at work */
    bool archive_full;    /* it overflowed */
    bool archive_lost;    /* it may have lost something else */
    /* Of the oldest urgent record that has to pass all others. */
    uint64_t urgent_stream, urgent_sequence, urgent_connection;
    uint32_t urgent_turn, urgent_passed; /* records that came before it on this connection */
};

void facts_init(struct facts *facts);
void facts_free(struct facts *facts);

/* The device booted: nothing of the boot before is in RAM any more. */
void facts_boot(struct facts *facts, uint32_t boot);
void facts_clock(struct facts *facts, dun_ms uptime_ms, dun_ms unix_ms, dun_ms earliest_ms,
                 bool right);

/* A point is offered to the device. Returns its value. */
int64_t facts_point(struct facts *facts, uint16_t metric, dun_ms uptime_ms, bool urgent,
                    bool negative);

/* The encoder writes a record. */
void facts_attempt(struct facts *facts, const struct dun_record *record, struct dun_span bytes);

/* A call into the device ended: by return, or (cut) with power. */
void facts_after_call(struct facts *facts, struct dun_agent *agent, bool cut);

struct stream_facts *facts_stream(struct facts *facts, uint64_t stream); /* NULL: unknown */
struct fact *facts_fact(struct stream_facts *stream, uint64_t sequence);
struct boot_fact *facts_boot_now(struct facts *facts);
uint64_t facts_hash(struct dun_span bytes);

#endif
