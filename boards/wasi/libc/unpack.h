/* unpack.h: the initial memory of the component, as component.py packed it. */
#ifndef DUN_WASI_UNPACK_H
#define DUN_WASI_UNPACK_H

#include <stdint.h>

/* Unpacks a raw LZMA1 stream (lc=3, lp=0, pb=0, with an end) at `from` to `to`. The byte before
 * `to` is 0. Takes 16 KB of stack. */
void dun_unpack(const uint8_t *from, uint8_t *to);

#endif
