/* link_null.c: the smallest thing that is a link. Copy it to begin one. */
#include "link_null.h"

static int null_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    (void)context;
    (void)host;
    (void)port;
    (void)now;
    return DUN_E_UNSUPPORTED;
}

static int null_ready(void *context, dun_ms now)
{
    (void)context;
    (void)now;
    return DUN_E_CLOSED;
}

static int null_read(void *context, void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return DUN_E_CLOSED;
}

static int null_write(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return DUN_E_CLOSED;
}

static void null_close(void *context)
{
    (void)context;
}

static dun_ms null_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

void dun_link_null_init(struct dun_link *link)
{
    *link = (struct dun_link){
        .context = NULL,
        .open = null_open,
        .ready = null_ready,
        .read = null_read,
        .write = null_write,
        .close = null_close,
        .deadline = null_deadline,
    };
}
