/* wait.h: sleep until something can be done, by wasi:io/poll. */
#ifndef DUN_WASI_WAIT_H
#define DUN_WASI_WAIT_H

#include "base.h"

#define DUN_WAIT_MAX 2 /* pollables beside the clock's */

/* Waits until one of `count` pollables (handles, at most DUN_WAIT_MAX) is ready, at most `ms`. */
void dun_wait(const int32_t *pollables, size_t count, dun_ms ms);

#endif
