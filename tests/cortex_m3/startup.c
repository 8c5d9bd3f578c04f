/*
 * startup.c: from reset to main on QEMU's mps2-an385, a Cortex-M3 with room, for programs that talk
 * to the host by semihosting: newlib's librdimon does the files, the exit code is QEMU's. A fault
 * ends the program with code 3.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "time_utc.h"

#define SYS_GET_CMDLINE 0x15
#define EXIT_FAULT      3
#define ARGUMENTS_MAX   8

extern uint32_t stack_top[];
extern char bss_start[], bss_end[], ram_end[], low_start[], low_end[];

int main(int argc, char **argv);
void initialise_monitor_handles(void);
void reset_handler(void);
void *__wrap__sbrk(ptrdiff_t size);
_Noreturn void fault_handler(void);

static int semihost(int operation, void *arguments)
{
    register int r0 __asm("r0") = operation;
    register void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* The command line is the image's name and what -append adds. */
static int read_arguments(char *argv[ARGUMENTS_MAX])
{
    static char line[256];
    struct {
        char *text;
        size_t size;
    } request = {line, sizeof line};
    int count = 0;
    (void)semihost(SYS_GET_CMDLINE, &request);
    for (char *word = strtok(line, " "); word != NULL && count < ARGUMENTS_MAX - 1;
         word = strtok(NULL, " ")) {
        argv[count++] = word;
    }
    return count;
}

void reset_handler(void)
{
    static char *argv[ARGUMENTS_MAX];
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    initialise_monitor_handles();
    int argc = read_arguments(argv);
    exit(main(argc, argv));
}

_Noreturn void fault_handler(void)
{
    _Exit(EXIT_FAULT);
}

/* Memory for malloc, which copes with a gap in it. */
void *__wrap__sbrk(ptrdiff_t size)
{
    static char *at = low_start, *limit = low_end;
    if (size > limit - at && limit == low_end) {
        at = bss_end;
        limit = ram_end;
    }
    if (size > limit - at) {
        errno = ENOMEM;
        return (void *)-1;
    }
    at += size;
    return at - size;
}

int timespec_get(struct timespec *now, int base)
{
    *now = (struct timespec){.tv_sec = time(NULL)};
    return base;
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)(uintptr_t)stack_top,
    reset_handler,
    [2 ... 15] = fault_handler,
};
