/*
 * console.h: single letters on the UART, for whoever brings a board up and for the tests: `a` fails
 * an assert, `f` executes what is no instruction, `w` stops the main loop until the watchdog bites.
 */
#ifndef DUN_LM3S_CONSOLE_H
#define DUN_LM3S_CONSOLE_H

void dun_console_tick(void);

#endif
