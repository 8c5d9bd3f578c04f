/* led.h: the status LED (PF0). It blinks a code: so many short flashes, then a pause of a second.
 */
#ifndef DUN_LM3S_LED_H
#define DUN_LM3S_LED_H

#include "base.h"

enum dun_blink {
    DUN_BLINK_NONE = 0,     /* all is well: off */
    DUN_BLINK_CARD = 2,     /* there is no card, or it does not answer */
    DUN_BLINK_IDENTITY = 3, /* the provisioning block is absent, damaged or wrong: see the UART */
};

void dun_led_start(void);
void dun_led_blink(enum dun_blink code);
void dun_led_tick(dun_ms now);

#endif
