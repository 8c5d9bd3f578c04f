/* clock_lm3s.h: the system clock at 50 MHz, and milliseconds since reset by SysTick, 64 bits wide.
 */
#ifndef DUN_LM3S_CLOCK_H
#define DUN_LM3S_CLOCK_H

#include "base.h"

#define DUN_LM3S_CLOCK_HZ 50000000u

void dun_clock_start(void);
void dun_clock_tick(void); /* the SysTick exception */
dun_ms dun_clock_now(void);

/* Sleeps until the next interrupt, at most a millisecond. */
void dun_clock_wait(void);

#endif
