/* publish.c: the command line and the last line of the clients that tools/bench compares. */
#define _POSIX_C_SOURCE 200809L

#include "publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char publish_payload[PUBLISH_SIZE] = "01234567890123456789012345678901234567890123456789"
                                           "01234567890123456789012345678901234567890123456789";

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *text != '\0' && *end == '\0' && value <= max ? value : 0;
}

struct publish_order publish_arguments(int argc, char **argv)
{
    struct publish_order order = {.version = 4};
    if (argc == 4 || argc == 5) {
        order.port = (uint16_t)number(argv[1], UINT16_MAX);
        order.count = (uint32_t)number(argv[2], INT32_MAX);
        order.window = (uint32_t)number(argv[3], INT16_MAX);
    }
    if (argc == 5) {
        order.version = (int)number(argv[4], 5);
    }
    if (order.port == 0 || order.count == 0 || order.window == 0 || order.version < 4) {
        fprintf(stderr, "usage: %s PORT COUNT WINDOW [4|5]\n", argv[0]);
        exit(2);
    }
    return order;
}

uint64_t publish_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void publish_report(uint32_t count, uint64_t since_ns)
{
    printf("%u %.6f\n", (unsigned)count, (double)(publish_now_ns() - since_ns) / 1e9);
}

void publish_check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "not true: %s\n", what);
        exit(1);
    }
}
