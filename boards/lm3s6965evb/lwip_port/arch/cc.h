/* cc.h: what lwIP wants to know of the compiler and the machine. */
#ifndef DUN_LWIP_ARCH_CC_H
#define DUN_LWIP_ARCH_CC_H

#include <stdint.h>

_Noreturn void dun_assert_failed(const char *file, int line, const char *condition);
uint32_t dun_lwip_random(void);

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) dun_assert_failed(__FILE__, __LINE__, "") /* no text */
#define LWIP_RAND()             dun_lwip_random()

#endif
