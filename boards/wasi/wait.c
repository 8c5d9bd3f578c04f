/* wait.c: see wait.h. */
#include "wait.h"

#include <wasi/wasip2.h>

#include "libc/lend.h"

void dun_wait(const int32_t *pollables, size_t count, dun_ms ms)
{
    poll_borrow_pollable_t all[DUN_WAIT_MAX + 1];
    uint32_t ready[DUN_WAIT_MAX + 1];
    wasip2_list_u32_t answer;
    DUN_ASSERT(count <= DUN_WAIT_MAX);
    for (size_t i = 0; i < count; i++) {
        all[i].__handle = pollables[i];
    }
    poll_own_pollable_t clock =
        monotonic_clock_subscribe_duration((uint64_t)(ms > 0 ? ms : 0) * 1000000);
    all[count] = poll_borrow_pollable(clock);
    dun_lend(ready, sizeof ready);
    poll_poll(&(poll_list_borrow_pollable_t){all, count + 1}, &answer);
    poll_pollable_drop_own(clock);
}
