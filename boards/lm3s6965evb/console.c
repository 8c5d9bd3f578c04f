/* console.c: see console.h. */
#include "console.h"

#include "base.h"
#include "uart.h"

void dun_console_tick(void)
{
    int letter = dun_uart_get();
    DUN_ASSERT(letter != 'a');
    if (letter == 'f') {
        __builtin_trap();
    }
    while (letter == 'w') {
    }
}
