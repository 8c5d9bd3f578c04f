/* parts_small.c: the small image has none of the parts that base.h lets go. */
#include "base.h"
#include "encoder.h"

bool dun_has_routes(void)
{
    return false;
}

bool dun_has_reasons(void)
{
    return false;
}

bool dun_has_stored(void)
{
    return false;
}

bool dun_has_remote(void)
{
    return false;
}

bool dun_has_inbound(void)
{
    return false;
}

bool dun_has_lanes(void)
{
    return false;
}

bool dun_has_spare(void)
{
    return false;
}

bool dun_has_archive(void)
{
    return false;
}

bool dun_has_keeping(void)
{
    return false;
}

bool dun_has_limits(void)
{
    return false;
}

bool dun_has_ranges(void)
{
    return false;
}

bool dun_has_mending(void)
{
    return false;
}

const struct dun_encoder *dun_encoder_default(void)
{
    return &dun_deltas;
}
