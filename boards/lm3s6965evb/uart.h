/* uart.h: log lines on UART 0, 115,200 baud 8N1. Writing waits for room in the FIFO. */
#ifndef DUN_LM3S_UART_H
#define DUN_LM3S_UART_H

#include <stdint.h>

void dun_uart_start(void);

/* The next character received, or -1. */
int dun_uart_get(void);

void dun_uart_text(const char *text);
void dun_uart_number(int64_t number);
void dun_uart_hex(uint32_t number);

/* One line of log: `event key=value`. */
void dun_uart_event(const char *event, const char *key, int64_t value);

#endif
