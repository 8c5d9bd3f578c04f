/* fault.c: see fault.h. The assert of the core lands here, too. */
#include "fault.h"

#include "base.h"
#include "clock_lm3s.h"
#include "crc32c.h"
#include "registers.h"
#include "uart.h"

#define MAGIC         0x4E4C4E44u
#define AIRCR_RESET   0x05FA0004u
#define WDT_UNLOCK    0x1ACCE551u
#define WDT_INTERRUPT 1u
#define WDT_RESET     2u
#define FRAME_PC      6 /* word of the pushed frame that holds the program counter */

__attribute__((section(".kept"))) static struct dun_fault_note note;
static uint32_t watch_ticks;

struct dun_fault_note dun_fault_take(void)
{
    if (note.magic != MAGIC) {
        note = (struct dun_fault_note){.cause = DUN_RESET_POWER};
    } else {
        note.resets++;
    }
    struct dun_fault_note taken = note;
    note.magic = MAGIC;
    note.cause = DUN_RESET_WATCHDOG;
    note.place = 0;
    note.detail = 0;
    return taken;
}

/* The first time-out raises an interrupt that stays masked, the second one resets. */
void dun_fault_watch(uint32_t ms)
{
    SYSCTL_RCGC0 |= 1u << 3;
    watch_ticks = DUN_LM3S_CLOCK_HZ / 1000 / 2 * ms;
    WDT_LOCK = WDT_UNLOCK;
    WDT_LOAD = watch_ticks;
    WDT_CTL = WDT_RESET | WDT_INTERRUPT;
}

void dun_fault_alive(void)
{
    WDT_LOCK = WDT_UNLOCK;
    WDT_ICR = 1;
    WDT_LOAD = watch_ticks;
    WDT_LOCK = 0;
}

_Noreturn void dun_fault_reset(enum dun_reset_cause cause)
{
    note.magic = MAGIC;
    note.cause = cause;
    SCB_AIRCR = AIRCR_RESET;
    for (;;) {
    }
}

/* Called by name, from assembly. */
__attribute__((used)) _Noreturn void dun_fault_handle(const uint32_t *frame, uint32_t exception)
{
    note.place = frame[FRAME_PC];
    note.detail = SCB_CFSR;
    dun_uart_text("fault ");
    dun_uart_hex(exception);
    dun_uart_text(" at ");
    dun_uart_hex(note.place);
    dun_uart_text(", CFSR ");
    dun_uart_hex(note.detail);
    dun_uart_text("\n");
    dun_fault_reset(DUN_RESET_FAULT);
}

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    size_t size = 0;
    while (file[size] != '\0') {
        size++;
    }
    note.place = dun_crc32c(0, file, size);
    note.detail = (uint32_t)line;
    dun_uart_text("assert ");
    dun_uart_text(file);
    dun_uart_text(":");
    dun_uart_number(line);
    dun_uart_text(": ");
    dun_uart_text(condition);
    dun_uart_text("\n");
    dun_fault_reset(DUN_RESET_ASSERT);
}
