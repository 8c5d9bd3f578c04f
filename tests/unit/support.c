/* support.c: what every unit test program needs from its board: the assert. */
#include <stdio.h>
#include <stdlib.h>

#include "base.h"

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
