/*
 * real.h: metrics whose source really is floating point. Their values are doubles and arrive as the
 * bits they were, NaN and -0 too; what is a decimal of up to 15 digits costs as little as an
 * integer (SPEC.md, Doubles). Only who calls this links floating point: the rest of the core has
 * integers.
 */
#ifndef DUN_REAL_H
#define DUN_REAL_H

#include "agent.h"

/*
 * Records one value of a metric that was declared with `real`, as dun_agent_record does otherwise.
 * Its limits and its tuning are integers times 10 to the power of the metric's exponent; a bound of
 * INT64_MIN or INT64_MAX is none. NaN lies within all limits and outside of every dead-band but
 * that of the same NaN. DUN_E_INVALID for an unknown id, or a metric of integers. Cost: some ten
 * operations on doubles; a hundred where a value has more digits than those before it.
 */
int dun_agent_record_real(struct dun_agent *agent, uint16_t metric, double value, dun_ms now);

#endif
