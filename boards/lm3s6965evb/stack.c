/* stack.c: see stack.h. Everything below the caller's frame is painted. */
#include "stack.h"

#define PAINT 0xA5A5A5A5u

extern uint32_t stack_bottom[], stack_top[];

void dun_stack_paint(void)
{
    uint32_t *here;
    __asm volatile("mov %0, sp" : "=r"(here));
    for (uint32_t *at = stack_bottom; at < here - 8; at++) {
        *at = PAINT;
    }
}

uint32_t dun_stack_free(void)
{
    const uint32_t *at = stack_bottom;
    while (at < stack_top && *at == PAINT) {
        at++;
    }
    return (uint32_t)((uintptr_t)at - (uintptr_t)stack_bottom);
}

uint32_t dun_stack_size(void)
{
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)stack_bottom);
}
