/* host.c: see host.h. */
#include "host.h"

#include <time.h>

static int64_t read_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

dun_ms dun_host_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t dun_host_unix_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}
