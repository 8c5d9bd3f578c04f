/* sntp_lwip.c: see sntp_lwip.h. lwIP's callbacks only note what came. */
#include "sntp_lwip.h"

#include <lwip/dns.h>
#include <lwip/netif.h>
#include <lwip/udp.h>

#include "sntp.h"

#define FIRST_MS     500     /* from the address to the first question, at most the double */
#define POLL_MS      3600000 /* between two answers */
#define ANSWER_MS    10000   /* a later one errs by too much */
#define RETRY_MIN_MS 15000u
#define RETRY_MAX_MS (64u * RETRY_MIN_MS)

/// What lwIP calls ///

static void on_received(void *context, struct udp_pcb *pcb, struct pbuf *input,
                        const ip_addr_t *from, u16_t port)
{
    struct dun_sntp_lwip *sntp = context;
    uint8_t bytes[DUN_SNTP_SIZE];
    uint16_t size = pbuf_copy_partial(input, bytes, sizeof bytes, 0);
    (void)pcb;
    pbuf_free(input);
    dun_ms round_trip_ms = sntp->now_ms - sntp->asked_ms;
    if (sntp->asked_ms == DUN_MS_NEVER || round_trip_ms > ANSWER_MS || port != DUN_SNTP_PORT ||
        !ip_addr_cmp(from, &sntp->server)) {
        return;
    }
    int result = dun_sntp_answer((struct dun_span){bytes, size}, sntp->cookie, round_trip_ms,
                                 &sntp->unix_ms);
    if (result == DUN_E_PROTOCOL) {
        return; /* the answer may still come */
    }
    sntp->asked_ms = DUN_MS_NEVER;
    sntp->answered = result == DUN_OK;
    if (result == DUN_OK) {
        sntp->retry_ms = RETRY_MIN_MS;
    }
    if (result != DUN_E_AGAIN) {
        sntp->next_ms = sntp->now_ms + POLL_MS;
    }
}

static void send(struct dun_sntp_lwip *sntp)
{
    struct pbuf *packet = pbuf_alloc(PBUF_TRANSPORT, DUN_SNTP_SIZE, PBUF_RAM);
    if (packet == NULL) {
        return; /* as if it had been lost on the way */
    }
    dun_sntp_ask(packet->payload, sntp->cookie);
    if (udp_sendto(sntp->pcb, packet, &sntp->server, DUN_SNTP_PORT) == ERR_OK) {
        sntp->asked_ms = sntp->now_ms;
    }
    pbuf_free(packet);
}

static void on_resolved(const char *name, const ip_addr_t *address, void *context)
{
    struct dun_sntp_lwip *sntp = context;
    (void)name;
    if (address != NULL) {
        sntp->server = *address;
        send(sntp);
    }
}

/// What the board calls ///

static bool can_ask(const struct dun_sntp_lwip *sntp)
{
    return (sntp->name != NULL || !ip_addr_isany(&sntp->server)) && netif_default != NULL &&
           netif_is_link_up(netif_default) && !ip4_addr_isany(netif_ip4_addr(netif_default));
}

static void ask(struct dun_sntp_lwip *sntp, uint64_t cookie)
{
    sntp->cookie = cookie;
    sntp->next_ms = sntp->now_ms + sntp->retry_ms;
    sntp->retry_ms = sntp->retry_ms < RETRY_MAX_MS ? 2 * sntp->retry_ms : RETRY_MAX_MS;
    if (sntp->name == NULL) {
        send(sntp);
        return;
    }
    ip_addr_t address;
    if (dns_gethostbyname(sntp->name, &address, on_resolved, sntp) == ERR_OK) {
        on_resolved(sntp->name, &address, sntp);
    }
}

void dun_sntp_lwip_tick(struct dun_sntp_lwip *sntp, dun_ms now, uint64_t (*random)(void))
{
    sntp->now_ms = now;
    if (sntp->pcb == NULL || !can_ask(sntp)) {
        return;
    }
    if (sntp->next_ms == DUN_MS_NEVER) {
        sntp->next_ms = now + FIRST_MS + (dun_ms)((uint32_t)random() % FIRST_MS);
    } else if (now >= sntp->next_ms) {
        ask(sntp, random());
    }
}

bool dun_sntp_lwip_take(struct dun_sntp_lwip *sntp, dun_ms *unix_ms)
{
    bool answered = sntp->answered;
    sntp->answered = false;
    *unix_ms = sntp->unix_ms;
    return answered;
}

void dun_sntp_lwip_set_server(struct dun_sntp_lwip *sntp, const ip_addr_t *server)
{
    if (sntp->name == NULL) {
        sntp->server = *server;
    }
}

void dun_sntp_lwip_init(struct dun_sntp_lwip *sntp, const char *server)
{
    *sntp = (struct dun_sntp_lwip){.pcb = udp_new(),
                                   .name = server,
                                   .next_ms = DUN_MS_NEVER,
                                   .asked_ms = DUN_MS_NEVER,
                                   .retry_ms = RETRY_MIN_MS};
    if (sntp->pcb != NULL) {
        udp_recv(sntp->pcb, on_received, sntp);
    }
}
