/* led.c: see led.h. */
#include "led.h"

#include "registers.h"

#define PIN      1u
#define FLASH_MS 125 /* on, and the same off */
#define PAUSE_MS 1000

static enum dun_blink blinking;

void dun_led_start(void)
{
    SYSCTL_RCGC2 |= 1u << 5;
    GPIO_F_DIR |= PIN;
    GPIO_F_DEN |= PIN;
    GPIO_F_DATA(PIN) = 0;
}

void dun_led_blink(enum dun_blink code)
{
    blinking = code;
}

void dun_led_tick(dun_ms now)
{
    uint32_t flashes = (uint32_t)blinking * 2 * FLASH_MS;
    uint32_t phase = (uint32_t)now % (flashes + PAUSE_MS);
    bool on = phase < flashes && phase / FLASH_MS % 2 == 0;
    GPIO_F_DATA(PIN) = on ? PIN : 0;
}
