/* adc.c: see adc.h. A conversion takes microseconds and is waited for, not for ever. */
#include "adc.h"

#include "registers.h"

#define SEQUENCER_3       8u
#define SSCTL_TEMPERATURE 8u
#define SSCTL_END         2u
#define FIFO_EMPTY        0x100u
#define TRIES             1000

void dun_adc_start(void)
{
    SYSCTL_RCGC0 |= 1u << 16;
    ADC0_ACTSS = 0;
    ADC0_EMUX = 0;
    ADC0_SSMUX3 = 0;
    ADC0_SSCTL3 = SSCTL_TEMPERATURE | SSCTL_END;
    ADC0_ACTSS = SEQUENCER_3;
}

uint32_t dun_adc_read(void)
{
    ADC0_PSSI = SEQUENCER_3;
    for (int i = 0; i < TRIES && (ADC0_SSFSTAT3 & FIFO_EMPTY); i++) {
    }
    return ADC0_SSFIFO3 & 0x3FFu;
}

int32_t dun_adc_die_tenths(void)
{
    return 1475 - (int32_t)(2250 * dun_adc_read() / 1023);
}
