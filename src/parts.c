/* parts.c: a program that links no other parts has them all. */
#include "base.h"
#include "encoder.h"

bool dun_has_routes(void)
{
    return true;
}

bool dun_has_reasons(void)
{
    return true;
}

bool dun_has_stored(void)
{
    return true;
}

bool dun_has_remote(void)
{
    return true;
}

bool dun_has_inbound(void)
{
    return true;
}

bool dun_has_lanes(void)
{
    return true;
}

bool dun_has_spare(void)
{
    return true;
}

bool dun_has_archive(void)
{
    return true;
}

bool dun_has_keeping(void)
{
    return true;
}

bool dun_has_limits(void)
{
    return true;
}

bool dun_has_ranges(void)
{
    return true;
}

bool dun_has_mending(void)
{
    return true;
}

const struct dun_encoder *dun_encoder_default(void)
{
    return &dun_columns;
}
