/*
 * notice.h: what happened in a step that a person may want to read. The core has no log; the board
 * turns notices into log lines.
 */
#ifndef DUN_NOTICE_H
#define DUN_NOTICE_H

#include "base.h"

enum dun_notice_kind {
    DUN_NOTICE_NONE = 0,
    DUN_NOTICE_UP,   /* connected to the broker; `value` 1: it knew our session */
    DUN_NOTICE_DOWN, /* `error`, `reason`; next try in `delay_ms` */
    /* `name`; `value`: next sequence; `delay_ms`: damaged records; `reason` 1: another device wrote
     * what is there */
    DUN_NOTICE_MOUNTED,
    DUN_NOTICE_FORMATTED,      /* `name`: a new stream began */
    DUN_NOTICE_STORAGE_FAILED, /* `error`: recording goes to RAM; next try in `delay_ms` */
    DUN_NOTICE_STORAGE_BACK,   /* recording is durable again */
    DUN_NOTICE_LOST,           /* `value` records dropped, `reason`: enum dun_loss_reason */
    DUN_NOTICE_POINTS_LOST,    /* `value` points dropped before they were recorded, `reason` */
    DUN_NOTICE_CLOCK,          /* wall clock known (`reason` 1) or stepped by `value` ms (2) */
    DUN_NOTICE_SENSOR_FAILED,  /* `name`, `error` */
    DUN_NOTICE_STORED_IGNORED, /* a cursor on .../stored, `reason`: enum dun_stored_verdict */
    DUN_NOTICE_TAKEN_OVER,     /* `name`: our client id, which another client uses, `value` times in
                                * a row; `reason` 0: so it seems; next try in `delay_ms` */
    DUN_NOTICE_REJECTED, /* the broker refused record `value` (0: a retained message) for good */
    DUN_NOTICE_HELD,     /* it wants less, `reason`: publishing pauses for `delay_ms`, then more */
    DUN_NOTICE_VERSION,  /* MQTT 3.1.1 from now on, `value` 4, or version 5 again, `value` 5 */
    DUN_NOTICE_REDIRECTED, /* it sent us to host `name`, port `value`; `reason` */
    DUN_NOTICE_BACK_HOME,  /* that one failed: back to the configured broker */
    DUN_NOTICE_NO_QOS,     /* it takes QoS 0 only, so that no record would be safe there */
    DUN_NOTICE_NO_RETAIN,  /* it keeps no retained messages: late readers miss status and catalog */
    /* Document `value` of the remote configuration; `error` 0: `reason` is its enum
     * dun_remote_state; else it was refused: enum dun_remote_refusal */
    DUN_NOTICE_CONFIG,
};

struct dun_notice {
    int64_t value;
    const char *name; /* borrowed */
    uint32_t delay_ms;
    int error; /* enum dun_error */
    enum dun_notice_kind kind;
    uint8_t reason;
};

/* A ring of the oldest notices not taken; when it is full further ones are only counted. */
struct dun_notices {
    struct dun_notice *ring; /* caller-owned, `capacity` entries; of 0 all are missed */
    uint16_t capacity, head, count;
    uint32_t missed;
};

void dun_notices_add(struct dun_notices *notices, const struct dun_notice *notice); /* copied */
bool dun_notices_take(struct dun_notices *notices, struct dun_notice *notice);

#endif
