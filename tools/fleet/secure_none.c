/* secure_none.c: TLS of simulated devices in a build without it. */
#include "secure.h"

size_t dun_secure_size(void)
{
    return 0;
}

const char *dun_secure_load(const struct dun_tls_config *config)
{
    (void)config;
    return "this build has no TLS for devices";
}

void dun_secure_unload(void)
{
}

const struct dun_link *dun_secure_wrap(void *memory, const struct dun_link *below)
{
    (void)memory;
    return below;
}

void dun_secure_free(void *memory)
{
    (void)memory;
}
