/*
 * value_real.h: a number as the double nearest to it, for sources that are floating point. Apart
 * from value.h, which has none.
 */
#ifndef DUN_HOSTED_VALUE_REAL_H
#define DUN_HOSTED_VALUE_REAL_H

#include "base.h"

/*
 * "1.25e-3", "-0", "nan", "inf" with blanks around, times 10^power: rounded once. DUN_E_NOT_FOUND
 * for blank text, DUN_E_CORRUPT for anything that is no number, DUN_E_TOO_LARGE for a number beyond
 * the range of doubles. Text of more than 63 bytes is corrupt.
 */
DUN_MUST_USE int dun_value_real(const char *text, int power, double *value);

#endif
