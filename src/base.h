/*
 * base.h: what every file of dunlin may know: errors, spans, time, and the assert.
 *
 * Three kinds of failure, three mechanisms. A bug in our own code fails DUN_ASSERT, which stays in
 * release builds. Refusal and I/O come back as one negative enum dun_error. Hostile bytes are
 * DUN_E_CORRUPT or DUN_E_PROTOCOL, never an assert.
 */
#ifndef DUN_BASE_H
#define DUN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUN_VERSION "0.1.0"

#if defined(__GNUC__)
#define DUN_MUST_USE __attribute__((warn_unused_result))
#else
#define DUN_MUST_USE
#endif

/* Negative results of every function that can fail; positive results are counts. */
enum dun_error {
    DUN_OK = 0,
    DUN_E_IO = -1,           /* the device under us failed (flash, disk, socket) */
    DUN_E_FULL = -2,         /* no room, and the policy does not make any */
    DUN_E_AGAIN = -3,        /* not now: call again after the next event or deadline */
    DUN_E_CORRUPT = -4,      /* stored or received bytes fail their check */
    DUN_E_INVALID = -5,      /* an argument outside its documented range */
    DUN_E_TOO_LARGE = -6,    /* does not fit the buffer or record that was given */
    DUN_E_NOT_FOUND = -7,    /* no such record, metric, file or host */
    DUN_E_CLOSED = -8,       /* the peer closed, or we did */
    DUN_E_PROTOCOL = -9,     /* the peer broke its protocol */
    DUN_E_REFUSED = -10,     /* the peer said no */
    DUN_E_TIMEOUT = -11,     /* a deadline passed */
    DUN_E_UNREACHABLE = -12, /* no route, no listener, no address */
    DUN_E_BUSY = -13,        /* somebody else holds it */
    DUN_E_UNSUPPORTED = -14, /* a version or feature that this build does not have */
    DUN_E_NO_SPACE = -15,    /* the storage below is full (ENOSPC), which may pass */
    DUN_E_TLS = -16,         /* no secure connection: no TLS there, too old, broken off */
    DUN_E_TLS_NAME = -17,    /* the certificate is another host's */
    DUN_E_TLS_DATE = -18,    /* the certificate is expired, or not valid yet */
    DUN_E_TLS_CA = -19,      /* no authority that we know vouches for the certificate */
};

/* Milliseconds. Monotonic since boot where called uptime or now; since 1970 where called unix. */
typedef int64_t dun_ms;
#define DUN_MS_NEVER INT64_MAX

/*
 * The number of a record in its stream, and how many there were of something. Where flash and RAM
 * are short 32 bits do, for a record a second over 136 years: DUN_SEQUENCE_32. Bytes in a log or on
 * the wire have room for 64 in either case.
 */
#ifdef DUN_SEQUENCE_32
typedef uint32_t dun_sequence;
#define DUN_SEQUENCE_LAST UINT32_MAX
#else
typedef uint64_t dun_sequence;
#define DUN_SEQUENCE_LAST UINT64_MAX
#endif

/* Bytes that somebody else owns. */
struct dun_span {
    const uint8_t *data;
    size_t size;
};

/* Room that the caller owns and the callee fills. */
struct dun_buffer {
    uint8_t *data;
    size_t size;
};

/* Each board and each test program defines this; it must not return. */
_Noreturn void dun_assert_failed(const char *file, int line, const char *condition);

/* Where flash is short, file and line have to tell: DUN_ASSERT_TERSE leaves the condition out. */
#ifdef DUN_ASSERT_TERSE
#define DUN_ASSERT_TEXT(condition) ""
#else
#define DUN_ASSERT_TEXT(condition) #condition
#endif
#define DUN_ASSERT(condition)                                                                      \
    ((condition) ? (void)0 : dun_assert_failed(__FILE__, __LINE__, DUN_ASSERT_TEXT(condition)))

/*
 * Parts that a board with little flash may leave out: it links functions of its own that say no in
 * place of parts.c, where all say yes. Where the program is optimised as a whole, nothing is left
 * of what is not there. A configuration that asks for it all the same is refused.
 */
bool dun_has_routes(void);  /* follow a Server Reference, fall back to an older MQTT: route.h */
bool dun_has_reasons(void); /* act on the reasons of a broker: wait, quarantine, go slowly */
bool dun_has_stored(void);  /* DUN_ACK_STORED */
bool dun_has_remote(void);  /* remote configuration: remote.h */
bool dun_has_inbound(void); /* subscriptions, without which the last two are not there either */
bool dun_has_lanes(void);   /* fresh records beside the backlog; without: in strict order */
bool dun_has_spare(void);   /* a second store, for the time in which the first one fails */
bool dun_has_archive(void); /* DUN_LOG_THIN */
bool dun_has_keeping(void); /* DUN_LOG_DROP_NEWEST */
bool dun_has_limits(void);  /* urgent values, dead-bands, rounding */
bool dun_has_ranges(void);  /* remember acks out of order; without: each waits for those before */
bool dun_has_mending(void); /* read a log with damaged openings, or of an earlier format */

static inline dun_ms dun_ms_earlier(dun_ms a, dun_ms b)
{
    return a < b ? a : b;
}

#endif
