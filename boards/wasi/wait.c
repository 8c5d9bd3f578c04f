/* wait.c: see wait.h. */
#include "wait.h"

#include "libc/lend.h"
#include "libc/wasi.h"

void dun_wait(const int32_t *pollables, size_t count, dun_ms ms)
{
    int32_t all[DUN_WAIT_MAX + 1];
    uint32_t ready[DUN_WAIT_MAX + 1];
    struct wasi_list answer;
    DUN_ASSERT(count <= DUN_WAIT_MAX);
    for (size_t i = 0; i < count; i++) {
        all[i] = pollables[i];
    }
    all[count] = wasi_alarm((uint64_t)(ms > 0 ? ms : 0) * 1000000);
    dun_lend(ready, sizeof ready);
    wasi_poll(all, count + 1, &answer);
    wasi_drop_pollable(all[count]);
}
