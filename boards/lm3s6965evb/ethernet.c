/*
 * ethernet.c: see ethernet.h. The FIFO moves 32-bit words: a frame in it begins with two bytes of
 * length (inbound: of all, with these two and the checksum; outbound: of the payload behind the
 * Ethernet header).
 */
#include <stdbool.h>
#include <string.h>

#include "ethernet.h"

#include <lwip/etharp.h>
#include <lwip/pbuf.h>

#include "registers.h"

#define RCTL_ON         0x01u
#define RCTL_MULTICAST  0x02u
#define RCTL_RESET_FIFO 0x10u
#define TCTL_ON         0x17u /* enabled, padded, checksum by the MAC, full duplex */
#define TR_NEW          0x01u
#define NP_MASK         0x3Fu
#define FRAME_MAX       1514u
#define HEADER_SIZE     14u
#define LENGTH_SIZE     2u
#define CRC_SIZE        4u
#define FRAMES_MAX      31 /* what the FIFO counts */

static struct dun_ethernet_stats stats;

const struct dun_ethernet_stats *dun_ethernet_stats(void)
{
    return &stats;
}

/// Out ///

/* Gathers bytes into words of the FIFO. */
struct writer {
    uint32_t word;
    unsigned fill;
};

static void put(struct writer *writer, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        writer->word |= (uint32_t)bytes[i] << 8 * writer->fill;
        if (++writer->fill == 4) {
            MAC_DATA = writer->word;
            *writer = (struct writer){0};
        }
    }
}

static err_t send(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    uint16_t size = (uint16_t)(frame->tot_len - HEADER_SIZE);
    uint8_t length[LENGTH_SIZE] = {(uint8_t)size, (uint8_t)(size >> 8)};
    struct writer writer = {0};
    while (MAC_TR & TR_NEW) {
    }
    put(&writer, length, sizeof length);
    for (const struct pbuf *part = frame; part != NULL; part = part->next) {
        put(&writer, part->payload, part->len);
    }
    while (writer.fill != 0) {
        put(&writer, &(uint8_t){0}, 1);
    }
    MAC_TR = TR_NEW;
    stats.frames_out++;
    return ERR_OK;
}

/// In ///

/* Takes words out of the FIFO; `skip` bytes of the first one are the length. */
struct taker {
    uint32_t word;
    unsigned left;
};

static void take(struct taker *taker, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (taker->left == 0) {
            *taker = (struct taker){.word = MAC_DATA, .left = 4};
        }
        if (bytes != NULL) {
            bytes[i] = (uint8_t)taker->word;
        }
        taker->word >>= 8;
        taker->left--;
    }
}

static struct pbuf *receive(void)
{
    struct taker taker = {.word = MAC_DATA, .left = 4};
    uint8_t length[LENGTH_SIZE];
    take(&taker, length, sizeof length);
    size_t size = (size_t)(length[0] | length[1] << 8);
    size = size < LENGTH_SIZE + CRC_SIZE ? 0 : size - LENGTH_SIZE - CRC_SIZE;
    bool sane = size >= HEADER_SIZE && size <= FRAME_MAX;
    struct pbuf *frame = sane ? pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_POOL) : NULL;
    for (struct pbuf *part = frame; part != NULL; part = part->next) {
        take(&taker, part->payload, part->len);
    }
    take(&taker, NULL, frame != NULL ? CRC_SIZE : size + CRC_SIZE);
    stats.frames_in++;
    stats.dropped_in += frame == NULL;
    return frame;
}

bool dun_ethernet_poll(struct netif *netif)
{
    bool any = false;
    for (int i = 0; i < FRAMES_MAX && (MAC_NP & NP_MASK) > 0; i++) {
        struct pbuf *frame = receive();
        any = true;
        if (frame != NULL && netif->input(frame, netif) != ERR_OK) {
            pbuf_free(frame);
            stats.dropped_in++;
        }
    }
    return any;
}

err_t dun_ethernet_init(struct netif *netif)
{
    memcpy(netif->hwaddr, netif->state, ETH_HWADDR_LEN);
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->mtu = 1500;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = send;
    const uint8_t *address = netif->hwaddr;
    SYSCTL_RCGC2 |= 1u << 28 | 1u << 30;
    MAC_IM = 0;
    MAC_IA0 = (uint32_t)address[0] | (uint32_t)address[1] << 8 | (uint32_t)address[2] << 16 |
              (uint32_t)address[3] << 24;
    MAC_IA1 = (uint32_t)address[4] | (uint32_t)address[5] << 8;
    MAC_RCTL = RCTL_RESET_FIFO;
    MAC_TCTL = TCTL_ON;
    MAC_RCTL = RCTL_ON | RCTL_MULTICAST;
    return ERR_OK;
}
