/*
 * link.h: a byte pipe to the broker: a TCP socket, lwIP, or TLS around another link. It knows no
 * MQTT and never blocks.
 */
#ifndef DUN_LINK_H
#define DUN_LINK_H

#include "base.h"

struct dun_link {
    void *context;
    /* Starts connecting; name resolution too must not block. 0 or a negative error. */
    int (*open)(void *context, const char *host, uint16_t port, dun_ms now);
    /* 1 = open, 0 = still connecting, negative = dead (DUN_E_TIMEOUT, DUN_E_UNREACHABLE, ...). */
    int (*ready)(void *context, dun_ms now);
    /* Bytes moved, 0 = none now, negative = dead (DUN_E_CLOSED, DUN_E_IO). Short counts are usual:
     * the caller reads on until 0. */
    int (*read)(void *context, void *data, size_t size);
    int (*write)(void *context, const void *data, size_t size);
    /* Ends it at once; a no-op when it is not open. */
    void (*close)(void *context);
    /* When `ready` wants to be called even if nothing moves; DUN_MS_NEVER if never. */
    dun_ms (*deadline)(void *context);
};

#endif
