/* test_crc32c_small.c: the small table gives the same sums: the same tests, with it linked. */
#include "test_crc32c.c"
