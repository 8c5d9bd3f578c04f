/*
 * sntp.c: see sntp.h. A timestamp is seconds since 1900 with a binary fraction; those whose top bit
 * is clear lie behind the turn of 2036 (RFC 4330, section 3).
 */
#include "sntp.h"

#include <string.h>

#define VERSION_4    (4u << 3)
#define MODE_CLIENT  3u
#define MODE_SERVER  4u
#define MODE_MASK    7u
#define LEAP_UNKNOWN 3u
#define STRATUM_MAX  15u
#define ORIGINATE_AT 24u
#define RECEIVE_AT   32u
#define TRANSMIT_AT  40u
#define TURN_S       (INT64_C(1) << 32)
#define FROM_1900_S  INT64_C(2208988800)

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static dun_ms unix_of(uint64_t stamp)
{
    int64_t seconds = (int64_t)(stamp >> 32);
    seconds += stamp >> 63 ? 0 : TURN_S;
    return (seconds - FROM_1900_S) * 1000 + (dun_ms)((stamp & UINT32_MAX) * 1000 >> 32);
}

void dun_sntp_ask(uint8_t packet[DUN_SNTP_SIZE], uint64_t cookie)
{
    memset(packet, 0, DUN_SNTP_SIZE);
    packet[0] = VERSION_4 | MODE_CLIENT;
    for (unsigned i = 0; i < 8; i++) {
        packet[TRANSMIT_AT + i] = (uint8_t)(cookie >> (56 - 8 * i));
    }
}

int dun_sntp_answer(struct dun_span packet, uint64_t cookie, dun_ms round_trip_ms, dun_ms *unix_ms)
{
    const uint8_t *bytes = packet.data;
    if (packet.size < DUN_SNTP_SIZE || (bytes[0] & MODE_MASK) != MODE_SERVER ||
        get64(bytes + ORIGINATE_AT) != cookie) {
        return DUN_E_PROTOCOL;
    }
    if (bytes[1] == 0) {
        return DUN_E_REFUSED;
    }
    uint64_t sent = get64(bytes + TRANSMIT_AT);
    if (bytes[0] >> 6 == LEAP_UNKNOWN || bytes[1] > STRATUM_MAX || sent == 0) {
        return DUN_E_AGAIN;
    }
    dun_ms on_the_way = round_trip_ms - (unix_of(sent) - unix_of(get64(bytes + RECEIVE_AT)));
    if (on_the_way < 0 || on_the_way > round_trip_ms) {
        on_the_way = round_trip_ms; /* the server's two stamps make no sense */
    }
    *unix_ms = unix_of(sent) + on_the_way / 2;
    return DUN_OK;
}
