/* tls_none.c: TLS of simulated devices in a build without it. */
#include "tls.h"

size_t dun_fleet_tls_size(void)
{
    return 0;
}

const char *dun_fleet_tls_load(const struct dun_tls_config *config)
{
    (void)config;
    return "this build has no TLS for devices";
}

void dun_fleet_tls_unload(void)
{
}

const struct dun_link *dun_fleet_tls_wrap(void *memory, const struct dun_link *below)
{
    (void)memory;
    return below;
}

void dun_fleet_tls_free(void *memory)
{
    (void)memory;
}

size_t dun_fleet_tls_psk(const char *hex, uint8_t *psk)
{
    (void)hex;
    (void)psk;
    return 0;
}
