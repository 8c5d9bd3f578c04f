/*
 * subscriber_plain.c: a build without TLS.
 */
#include <stdio.h>

#include "subscriber.h"

int dun_subscriber_secure(struct dun_subscriber *subscriber)
{
    (void)snprintf(subscriber->why, sizeof subscriber->why, "this build has no TLS");
    return DUN_E_UNSUPPORTED;
}

void dun_subscriber_unsecure(struct dun_subscriber *subscriber)
{
    (void)subscriber;
}
