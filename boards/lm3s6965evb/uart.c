/* uart.c: see uart.h. */
#include "uart.h"

#include "clock_lm3s.h"
#include "registers.h"

#define FR_RX_EMPTY  (1u << 4)
#define FR_TX_FULL   (1u << 5)
#define LCRH_8N1FIFO 0x70u
#define CTL_ON       0x301u /* UART, TX and RX enabled */

void dun_uart_start(void)
{
    SYSCTL_RCGC1 |= 1u;
    UART0_IBRD = DUN_LM3S_CLOCK_HZ / (16 * 115200);
    UART0_FBRD = DUN_LM3S_CLOCK_HZ * 4 / 115200 % 64;
    UART0_LCRH = LCRH_8N1FIFO;
    UART0_CTL = CTL_ON;
}

int dun_uart_get(void)
{
    return UART0_FR & FR_RX_EMPTY ? -1 : (int)(UART0_DR & 0xFF);
}

static void put(char c)
{
    while (UART0_FR & FR_TX_FULL) {
    }
    UART0_DR = (uint8_t)c;
}

void dun_uart_text(const char *text)
{
    while (*text != '\0') {
        if (*text == '\n') {
            put('\r');
        }
        put(*text++);
    }
}

/* Divides by ten and gives the rest, 16 bits after the other: a 64-bit division is 900 bytes. */
static uint32_t take_digit(uint64_t *number)
{
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (int shift = 48; shift >= 0; shift -= 16) {
        uint32_t part = rest << 16 | (uint32_t)(*number >> shift & 0xFFFF);
        quotient |= (uint64_t)(part / 10) << shift;
        rest = part % 10;
    }
    *number = quotient;
    return rest;
}

void dun_uart_number(int64_t number)
{
    char digits[21];
    unsigned at = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + take_digit(&left));
    } while (left > 0);
    if (number < 0) {
        put('-');
    }
    dun_uart_text(digits + at);
}

void dun_uart_hex(uint32_t number)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[number >> shift & 15]);
    }
}

void dun_uart_event(const char *event, const char *key, int64_t value)
{
    dun_uart_text(event);
    if (key != 0) {
        dun_uart_text(" ");
        dun_uart_text(key);
        dun_uart_text("=");
        dun_uart_number(value);
    }
    dun_uart_text("\n");
}
