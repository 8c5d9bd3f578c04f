/*
 * fault.h: why the last reset came. Asserts, faults of the core and the watchdog leave a note in
 * RAM that a reset keeps; the next boot reads it once and reports it as telemetry.
 */
#ifndef DUN_LM3S_FAULT_H
#define DUN_LM3S_FAULT_H

#include <stdint.h>

enum dun_reset_cause {
    DUN_RESET_POWER = 0,    /* RAM held nothing: power came on */
    DUN_RESET_WATCHDOG = 1, /* the main loop stood still, or somebody pressed reset */
    DUN_RESET_ASSERT = 2,   /* `place` is the hash of the file and the line: see the UART */
    DUN_RESET_FAULT = 3,    /* `place` is the program counter, `detail` the CFSR */
    DUN_RESET_ENDED = 4,    /* main returned */
};

struct dun_fault_note {
    uint32_t magic;
    uint32_t cause; /* enum dun_reset_cause */
    uint32_t place;
    uint32_t detail;
    uint32_t resets; /* since power came on */
};

/* To be called once at boot: the note of the last run; from here on a reset is the watchdog's. */
struct dun_fault_note dun_fault_take(void);

/* Starts the watchdog; without a dun_fault_alive for `ms` the device is reset. */
void dun_fault_watch(uint32_t ms);
void dun_fault_alive(void);

/* Resets the device now. */
_Noreturn void dun_fault_reset(enum dun_reset_cause cause);

/* Where the exception vectors lead. */
_Noreturn void dun_fault_handle(const uint32_t *frame, uint32_t exception);

#endif
