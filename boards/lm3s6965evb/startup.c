/*
 * startup.c: from reset to main, and what becomes of every exception. A fault is handed to fault.c
 * with the stack frame that the core pushed; an interrupt that nobody asked for counts as one.
 */
#include <stdint.h>

#include "clock_lm3s.h"
#include "fault.h"
#include "stack.h"

extern uint32_t stack_top[];
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void reset_handler(void);
void fault_handler(void);

void reset_handler(void)
{
    uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    dun_stack_paint();
    main();
    dun_fault_reset(DUN_RESET_ENDED);
}

/* r0: the frame that the core pushed; r1: the number of the exception. */
__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("mrs r0, msp\n"
                   "mrs r1, ipsr\n"
                   "b dun_fault_handle\n");
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16 + 43] = {
    (handler)(uintptr_t)stack_top, reset_handler, [2 ... 14] = fault_handler, [15] = dun_clock_tick,
    [16 ... 58] = fault_handler,
};
