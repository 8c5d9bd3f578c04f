/* stack.h: how deep the stack ever was: it is painted at reset, and the paint that is left is
 * counted. */
#ifndef DUN_LM3S_STACK_H
#define DUN_LM3S_STACK_H

#include <stdint.h>

void dun_stack_paint(void);

/* Bytes of the stack that were never used, and all there are. Cost: a walk over the paint left. */
uint32_t dun_stack_free(void);
uint32_t dun_stack_size(void);

#endif
