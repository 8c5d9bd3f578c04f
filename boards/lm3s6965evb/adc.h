/* adc.h: sequencer 3 of the converter on the temperature of the die. */
#ifndef DUN_LM3S_ADC_H
#define DUN_LM3S_ADC_H

#include <stdint.h>

void dun_adc_start(void);

/* The next conversion, 10 bits; it comes within a millisecond. */
uint32_t dun_adc_read(void);

/* The same in tenths of a degree Celsius (data sheet: 147.5 - 225 * reading / 1023). */
int32_t dun_adc_die_tenths(void);

#endif
