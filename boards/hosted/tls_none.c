/* tls_none.c: see tls_host.h; for a build with -DDUN_TLS=OFF. The configuration refuses TLS. */
#include "tls_host.h"

const struct dun_daemon_tls *const dun_tls_host = NULL;

const struct dun_link *dun_tls_host_wrap(const struct dun_link *below, dun_ms timeout_ms)
{
    (void)timeout_ms;
    return below;
}
