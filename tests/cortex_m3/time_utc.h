/* time_utc.h: of C11's time.h what newlib 3 leaves out; startup.c has the function. */
#include <time.h>

#define TIME_UTC 1
int timespec_get(struct timespec *now, int base);
