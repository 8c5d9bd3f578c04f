/*
 * cost.h: what encode_trace counts of itself. On the host nothing: valgrind counts there. On a
 * Cortex-M3 the instructions between begin and end, told on stderr.
 */
#ifndef DUN_BENCH_COST_H
#define DUN_BENCH_COST_H

void bench_cost_begin(void);
void bench_cost_end(void);
void bench_cost_tell(void);

#endif
