/*
 * selftest.h: what a new board's ports must be able to do, tried on the device itself while it is
 * brought up. Not for a device at work: the flash test erases everything.
 */
#ifndef DUN_SELFTEST_H
#define DUN_SELFTEST_H

#include "flash.h"

/*
 * Tries the contract of flash.h but for power cuts: erased bytes read as 0xFF, what was programmed
 * reads back in any pieces, and nothing touches another block. All blocks hold a pattern of their
 * own at one time, which finds an address line that is missing. 0, or what the flash said, or
 * DUN_E_CORRUPT; `*what` then names the promise. Cost: two erases and programs of all there is.
 */
DUN_MUST_USE int dun_selftest_flash(const struct dun_flash *flash, const char **what);

/* 0 if the clock goes on, by steps of at most a second, and never back; `*what` as above. */
DUN_MUST_USE int dun_selftest_clock(dun_ms (*now)(void), const char **what);

#endif
