/*
 * host.h: the clocks of the machine that a command runs on, in ms. One that goes on evenly, for
 * deadlines, and the wall clock.
 */
#ifndef DUN_HOST_H
#define DUN_HOST_H

#include "base.h"

dun_ms dun_host_ms(void);
int64_t dun_host_unix_ms(void);

#endif
