/*
 * divide.c: division of 64 bits for the compiler's run-time library, whose own one takes 700 bytes
 * of flash. Numbers that fit 32 bits, as nearly all do, go to the processor's divider; others are
 * divided a bit at a time. The name and what it does are the library's.
 */
#include <stdint.h>

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *rest);

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *rest)
{
    uint64_t left = 0;
    if ((dividend | divisor) >> 32 == 0) {
        left = (uint32_t)dividend % (uint32_t)divisor;
        dividend = (uint32_t)dividend / (uint32_t)divisor;
    } else {
        for (unsigned bits = 64; bits > 0; bits--) { /* the quotient follows the dividend out */
            uint64_t carry = left >> 63;
            left = left << 1 | dividend >> 63;
            dividend <<= 1;
            if (carry != 0 || left >= divisor) {
                left -= divisor;
                dividend |= 1;
            }
        }
    }
    if (rest) {
        *rest = left;
    }
    return dividend;
}
