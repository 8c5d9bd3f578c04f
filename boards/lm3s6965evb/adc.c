/*
 * adc.c: see adc.h. Timer 0 starts a conversion each millisecond, which QEMU emulates as it does
 * not the start by software. A conversion is waited for, not for ever.
 */
#include "adc.h"

#include "clock_lm3s.h"
#include "registers.h"

#define SEQUENCER_3       8u
#define BY_TIMER          (5u << 12) /* sequencer 3 */
#define SSCTL_TEMPERATURE 8u
#define SSCTL_END         2u
#define FIFO_EMPTY        0x100u
#define TRIES             100000
#define CFG_32_BITS       0u
#define MODE_PERIODIC     2u
#define CTL_TRIGGERING    0x21u

void dun_adc_start(void)
{
    SYSCTL_RCGC0 |= 1u << 16;
    SYSCTL_RCGC1 |= 1u << 16;
    ADC0_ACTSS = 0;
    ADC0_EMUX = BY_TIMER;
    ADC0_SSMUX3 = 0;
    ADC0_SSCTL3 = SSCTL_TEMPERATURE | SSCTL_END;
    ADC0_ACTSS = SEQUENCER_3;
    TIMER0_CTL = 0;
    TIMER0_CFG = CFG_32_BITS;
    TIMER0_TAMR = MODE_PERIODIC;
    TIMER0_TAILR = DUN_LM3S_CLOCK_HZ / 1000 - 1;
    TIMER0_CTL = CTL_TRIGGERING;
}

uint32_t dun_adc_read(void)
{
    while (!(ADC0_SSFSTAT3 & FIFO_EMPTY)) { /* what waits there is old */
        (void)ADC0_SSFIFO3;
    }
    for (int i = 0; i < TRIES && (ADC0_SSFSTAT3 & FIFO_EMPTY); i++) {
    }
    return ADC0_SSFIFO3 & 0x3FFu;
}

int32_t dun_adc_die_tenths(void)
{
    return 1475 - (int32_t)(2250 * dun_adc_read() / 1023);
}
