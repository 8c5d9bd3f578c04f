/*
 * link_lwip.c: see link_lwip.h. Invariant: a connection block that lwIP has freed is never touched:
 * its error callback takes it from us first.
 */
#include "link_lwip.h"

#include <lwip/dns.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>

static int error_of(err_t error)
{
    switch (error) {
    case ERR_OK:
        return DUN_OK;
    case ERR_MEM:
    case ERR_BUF:
        return DUN_E_AGAIN;
    case ERR_RTE:
        return DUN_E_UNREACHABLE;
    case ERR_ABRT: /* given up after all repetitions */
        return DUN_E_TIMEOUT;
    default:
        return DUN_E_CLOSED;
    }
}

/// What lwIP calls ///

static void on_error(void *context, err_t error)
{
    struct dun_link_lwip *lwip = context;
    lwip->pcb = NULL;
    lwip->error = lwip->state == DUN_LINK_LWIP_OPEN ? error_of(error) : DUN_E_UNREACHABLE;
}

static err_t on_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    struct dun_link_lwip *lwip = context;
    (void)pcb;
    (void)error;
    lwip->state = DUN_LINK_LWIP_OPEN;
    return ERR_OK;
}

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *input, err_t error)
{
    struct dun_link_lwip *lwip = context;
    (void)pcb;
    (void)error;
    if (input == NULL) {
        lwip->ended = true;
    } else if (lwip->input == NULL) {
        lwip->input = input;
    } else {
        pbuf_cat(lwip->input, input);
    }
    return ERR_OK;
}

/// Opening ///

static void start_connecting(struct dun_link_lwip *lwip, const ip_addr_t *address)
{
    lwip->pcb = tcp_new();
    lwip->state = DUN_LINK_LWIP_CONNECTING;
    if (lwip->pcb == NULL) {
        lwip->error = DUN_E_AGAIN;
        return;
    }
    tcp_arg(lwip->pcb, lwip);
    tcp_err(lwip->pcb, on_error);
    tcp_recv(lwip->pcb, on_received);
    err_t error = tcp_connect(lwip->pcb, address, lwip->port, on_connected);
    if (error != ERR_OK) {
        lwip->error = error_of(error);
    }
}

/* The name of the link that asked last; an answer for an earlier connection is not for it. */
struct question {
    struct dun_link_lwip *lwip;
    uint16_t attempt;
};
static struct question question;

static void on_resolved(const char *name, const ip_addr_t *address, void *context)
{
    struct dun_link_lwip *lwip = question.lwip;
    (void)name;
    (void)context;
    if (lwip == NULL || lwip->attempt != question.attempt ||
        lwip->state != DUN_LINK_LWIP_RESOLVING) {
        return;
    }
    if (address == NULL) {
        lwip->error = DUN_E_NOT_FOUND;
    } else {
        start_connecting(lwip, address);
    }
}

static void lwip_close(void *context)
{
    struct dun_link_lwip *lwip = context;
    if (lwip->pcb != NULL) {
        tcp_arg(lwip->pcb, NULL);
        tcp_err(lwip->pcb, NULL);
        tcp_recv(lwip->pcb, NULL);
        if (lwip->error != DUN_OK || tcp_close(lwip->pcb) != ERR_OK) {
            tcp_abort(lwip->pcb);
        }
    }
    if (lwip->input != NULL) {
        pbuf_free(lwip->input);
    }
    uint16_t attempt = lwip->attempt;
    *lwip = (struct dun_link_lwip){.attempt = attempt};
}

static void resolve(struct dun_link_lwip *lwip)
{
    ip_addr_t address;
    lwip->state = DUN_LINK_LWIP_RESOLVING;
    question = (struct question){lwip, lwip->attempt};
    err_t error = dns_gethostbyname(lwip->host, &address, on_resolved, NULL);
    if (error == ERR_OK) {
        start_connecting(lwip, &address);
    } else if (error != ERR_INPROGRESS) {
        lwip->error = DUN_E_NOT_FOUND;
    }
}

static bool has_address(void)
{
    return netif_default != NULL && netif_is_up(netif_default) &&
           !ip4_addr_isany(netif_ip4_addr(netif_default));
}

static int lwip_open(void *context, const char *host, uint16_t port, dun_ms now)
{
    struct dun_link_lwip *lwip = context;
    (void)now;
    lwip_close(lwip);
    lwip->host = host;
    lwip->port = port;
    lwip->attempt++;
    lwip->state = DUN_LINK_LWIP_WAITING;
    return DUN_OK;
}

static int lwip_ready(void *context, dun_ms now)
{
    struct dun_link_lwip *lwip = context;
    (void)now;
    if (lwip->state == DUN_LINK_LWIP_WAITING && has_address()) {
        resolve(lwip);
    }
    if (lwip->error != DUN_OK) {
        return lwip->error;
    }
    return lwip->state == DUN_LINK_LWIP_OPEN;
}

/// Moving bytes ///

static int lwip_read(void *context, void *data, size_t size)
{
    struct dun_link_lwip *lwip = context;
    uint16_t most = size < UINT16_MAX ? (uint16_t)size : UINT16_MAX;
    if (lwip->input == NULL) {
        bool dead = lwip->error != DUN_OK || lwip->ended || lwip->state != DUN_LINK_LWIP_OPEN;
        return lwip->error != DUN_OK ? lwip->error : dead ? DUN_E_CLOSED : 0;
    }
    uint16_t moved = pbuf_copy_partial(lwip->input, data, most, 0);
    lwip->input = pbuf_free_header(lwip->input, moved);
    if (lwip->pcb != NULL) {
        tcp_recved(lwip->pcb, moved);
    }
    return moved;
}

static int lwip_write(void *context, const void *data, size_t size)
{
    struct dun_link_lwip *lwip = context;
    if (lwip->error != DUN_OK || lwip->pcb == NULL) {
        return lwip->error != DUN_OK ? lwip->error : DUN_E_CLOSED;
    }
    uint16_t room = tcp_sndbuf(lwip->pcb);
    uint16_t moved = size < room ? (uint16_t)size : room;
    if (moved == 0) {
        return 0;
    }
    err_t error = tcp_write(lwip->pcb, data, moved, TCP_WRITE_FLAG_COPY);
    if (error == ERR_MEM) {
        return 0;
    }
    if (error == ERR_OK) {
        error = tcp_output(lwip->pcb);
    }
    return error == ERR_OK || error == ERR_MEM ? moved : error_of(error);
}

static dun_ms lwip_deadline(void *context)
{
    (void)context;
    return DUN_MS_NEVER;
}

bool dun_link_lwip_is_dead(const struct dun_link_lwip *lwip)
{
    return lwip->error != DUN_OK || lwip->ended;
}

void dun_link_lwip_init(struct dun_link_lwip *lwip, struct dun_link *link)
{
    *lwip = (struct dun_link_lwip){0};
    *link = (struct dun_link){
        .context = lwip,
        .open = lwip_open,
        .ready = lwip_ready,
        .read = lwip_read,
        .write = lwip_write,
        .close = lwip_close,
        .deadline = lwip_deadline,
    };
}
