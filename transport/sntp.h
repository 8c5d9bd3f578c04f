/*
 * sntp.h: one question for the time and one answer, as bytes (RFC 4330, SNTP version 4). Whoever
 * has a socket sends and receives them; nothing here knows one, or a clock.
 */
#ifndef DUN_SNTP_H
#define DUN_SNTP_H

#include "base.h"

#define DUN_SNTP_SIZE 48u
#define DUN_SNTP_PORT 123u

/* Fills the question. `cookie`, best a random number, comes back in the answer to it. */
void dun_sntp_ask(uint8_t packet[DUN_SNTP_SIZE], uint64_t cookie);

/*
 * Judges an answer that came `round_trip_ms` after the question of this cookie, and tells the
 * server's clock at its arrival: half of the way, less the server's own time, is added.
 * DUN_E_PROTOCOL: this is no answer to that question; DUN_E_REFUSED: the server wants to be left
 * alone (stratum 0); DUN_E_AGAIN: its clock is not set.
 */
DUN_MUST_USE int dun_sntp_answer(struct dun_span packet, uint64_t cookie, dun_ms round_trip_ms,
                                 dun_ms *unix_ms);

#endif
