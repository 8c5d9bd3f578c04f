/* tls_verify.c: see tls_verify.h. It allocates nothing and keeps no certificate. */
#include "tls_verify.h"

#include <mbedtls/oid.h>
#include <string.h>

#include "tls_name.h"

#define SAN_DNS     (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2) /* RFC 5280 4.2.1.6 */
#define SAN_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)

/// Dates ///

/* Milliseconds since 1970 in the proleptic Gregorian calendar; X.509 knows no leap seconds. */
static dun_ms to_unix_ms(const mbedtls_x509_time *time)
{
    static const int before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t year = time->year;
    int month = time->mon >= 1 && time->mon <= 12 ? time->mon : 1;
    int64_t past = month > 2 ? year : year - 1; /* years whose 29th of February is over */
    int64_t leaps = past / 4 - past / 100 + past / 400 - 477;
    int64_t days = (year - 1970) * 365 + leaps + before_month[month - 1] + time->day - 1;
    int64_t minutes = (days * 24 + time->hour) * 60 + time->min;
    return (minutes * 60 + time->sec) * 1000;
}

static bool clock_is_set(const struct dun_tls_verdict *verdict)
{
    return verdict->unix_ms >= verdict->earliest_unix_ms;
}

static uint32_t judge_dates(struct dun_tls_verdict *verdict, const mbedtls_x509_crt *certificate)
{
    dun_ms from = to_unix_ms(&certificate->valid_from);
    dun_ms until = to_unix_ms(&certificate->valid_to);
    bool set = clock_is_set(verdict);
    dun_ms judged = set ? verdict->unix_ms : verdict->earliest_unix_ms;
    verdict->good_from_ms = from > verdict->good_from_ms ? from : verdict->good_from_ms;
    verdict->good_until_ms = dun_ms_earlier(until, verdict->good_until_ms);
    if (judged > until) {
        return MBEDTLS_X509_BADCERT_EXPIRED;
    }
    bool forgiven = !set && verdict->unset_clock == DUN_TLS_UNSET_GRACE;
    return judged < from && !forgiven ? MBEDTLS_X509_BADCERT_FUTURE : 0;
}

/// Names ///

static struct dun_span span_of(const mbedtls_x509_buf *buffer)
{
    return (struct dun_span){buffer->p, buffer->len};
}

static bool in_alternatives(const mbedtls_x509_crt *certificate, const char *host,
                            struct dun_span address)
{
    for (const mbedtls_x509_sequence *at = &certificate->subject_alt_names; at != NULL;
         at = at->next) {
        if (address.size == 0 && at->buf.tag == SAN_DNS &&
            dun_tls_name_matches(span_of(&at->buf), host)) {
            return true;
        }
        if (address.size > 0 && at->buf.tag == SAN_ADDRESS && at->buf.len == address.size &&
            memcmp(at->buf.p, address.data, address.size) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_common_name(const mbedtls_x509_crt *certificate, const char *host)
{
    for (const mbedtls_x509_name *at = &certificate->subject; at != NULL; at = at->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0 &&
            dun_tls_name_matches(span_of(&at->val), host)) {
            return true;
        }
    }
    return false;
}

bool dun_tls_is_for(const mbedtls_x509_crt *certificate, const char *host)
{
    uint8_t bytes[16];
    struct dun_span address = {bytes, dun_tls_address(host, bytes)};
    if ((certificate->ext_types & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) != 0) {
        return in_alternatives(certificate, host, address);
    }
    return address.size == 0 && is_common_name(certificate, host);
}

/// The verdict ///

void dun_tls_verdict_begin(struct dun_tls_verdict *verdict, const char *host, dun_ms unix_ms,
                           dun_ms earliest_unix_ms, uint8_t unset_clock)
{
    *verdict = (struct dun_tls_verdict){
        .host = host,
        .unix_ms = unix_ms,
        .earliest_unix_ms = earliest_unix_ms,
        .unset_clock = unset_clock,
        .good_until_ms = DUN_MS_NEVER,
    };
}

int dun_tls_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct dun_tls_verdict *verdict = context;
    *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    *flags |= judge_dates(verdict, certificate);
    if (depth == 0) {
        verdict->seen = true;
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
        *flags |= dun_tls_is_for(certificate, verdict->host) ? 0 : MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    verdict->flags |= *flags;
    return 0;
}

enum dun_tls_trouble dun_tls_verdict_trouble(const struct dun_tls_verdict *verdict, uint32_t flags)
{
    const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
    /* What a stranger's certificate says of itself is worth nothing, so the stranger comes first.
     */
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        return DUN_TLS_UNKNOWN_CA;
    }
    if ((flags & ~(dates | MBEDTLS_X509_BADCERT_CN_MISMATCH)) != 0) {
        return DUN_TLS_BAD_CERT;
    }
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        return DUN_TLS_WRONG_NAME;
    }
    if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) {
        return DUN_TLS_EXPIRED;
    }
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) {
        return clock_is_set(verdict) ? DUN_TLS_NOT_YET_VALID : DUN_TLS_CLOCK_UNSET;
    }
    return DUN_TLS_NO_TROUBLE;
}
