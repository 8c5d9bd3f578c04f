/* clock_lm3s.c: see clock_lm3s.h. The count is two words; a reader looks again if they moved. */
#include "clock_lm3s.h"

#include "registers.h"

#define RCC_SYSDIV_50MHZ (3u << 23)
#define RCC_SYSDIV_MASK  (15u << 23)
#define RCC_USESYSDIV    (1u << 22)
#define CSR_ENABLE       1u
#define CSR_INTERRUPT    2u
#define CSR_CORE_CLOCK   4u

static volatile uint32_t low, high;

void dun_clock_start(void)
{
    SYSCTL_RCC = (SYSCTL_RCC & ~RCC_SYSDIV_MASK) | RCC_SYSDIV_50MHZ | RCC_USESYSDIV;
    SYST_RVR = DUN_LM3S_CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ENABLE | CSR_INTERRUPT | CSR_CORE_CLOCK;
}

void dun_clock_tick(void)
{
    if (++low == 0) {
        high++;
    }
}

dun_ms dun_clock_now(void)
{
    uint32_t upper, lower;
    do {
        upper = high;
        lower = low;
    } while (upper != high);
    return (dun_ms)(((uint64_t)upper << 32) | lower);
}

void dun_clock_wait(void)
{
    __asm volatile("wfi");
}
