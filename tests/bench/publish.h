/*
 * publish.h: what the clients that tools/bench compares share: the same command line, topic and
 * payload, and the same last line. Each publishes COUNT messages of 100 bytes with QoS 1 to a
 * broker on loopback, has at most WINDOW of them unacknowledged at any time, and ends when all are.
 */
#ifndef DUN_BENCH_PUBLISH_H
#define DUN_BENCH_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#define PUBLISH_TOPIC     "dunlin/bench/d/batch"
#define PUBLISH_SIZE      100
#define PUBLISH_KEEPALIVE 60 /* seconds */

struct publish_order {
    uint16_t port;
    uint32_t count;
    uint32_t window;
    int version; /* of MQTT: 4 (3.1.1) or 5 */
};

extern const char publish_payload[PUBLISH_SIZE];

/* PROGRAM PORT COUNT WINDOW [VERSION]. Ends the program with 2 if that is not what was given. */
struct publish_order publish_arguments(int argc, char **argv);

/* Monotonic time. */
uint64_t publish_now_ns(void);

/* Prints "COUNT SECONDS": from `since`, when the first one was published, to its last ack, now. */
void publish_report(uint32_t count, uint64_t since_ns);

/* Ends the program with 1 and this line unless `ok`. */
void publish_check(bool ok, const char *what);

#endif
