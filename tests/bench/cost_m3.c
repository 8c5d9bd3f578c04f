/*
 * cost_m3.c: instructions, by SysTick under QEMU's -icount, which gives each the same virtual time:
 * with shift=5 an instruction takes 32 ns, and on the mps2-an385 a tick 40 ns. So the figures are
 * the same each run. A stretch must not take longer than the 24 bits that SysTick counts.
 */
#include "cost.h"

#include <inttypes.h>
#include <stdio.h>

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)

#define SYST_RUN  5u /* core clock, no interrupt */
#define SYST_BITS 0xFFFFFFu

static uint32_t begun;
static uint64_t ticks;

void bench_cost_begin(void)
{
    if (SYST_CSR == 0) {
        SYST_RVR = SYST_BITS;
        SYST_CVR = 0;
        SYST_CSR = SYST_RUN;
    }
    begun = SYST_CVR;
}

void bench_cost_end(void)
{
    ticks += (begun - SYST_CVR) & SYST_BITS; /* it counts down */
}

void bench_cost_tell(void)
{
    fprintf(stderr, "instructions %lu\n", (unsigned long)(ticks * 40 / 32));
}
