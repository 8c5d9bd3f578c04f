/* test_crc32c_wide.c: eight bytes at a time give the same sums: the same tests, with it linked. */
#include "test_crc32c.c"
