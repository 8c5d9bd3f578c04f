/*
 * ethernet.h: the MAC of the LM3S6965 as an lwIP interface. Polled: no interrupt is enabled, the
 * main loop moves frames between the FIFO and lwIP.
 */
#ifndef DUN_LM3S_ETHERNET_H
#define DUN_LM3S_ETHERNET_H

#include <lwip/netif.h>

struct dun_ethernet_stats {
    uint32_t frames_in, frames_out;
    uint32_t dropped_in; /* lwIP had no buffer, or the frame was no frame */
};

/* The init function for netif_add; its state is a uint8_t[6], the hardware address. */
err_t dun_ethernet_init(struct netif *netif);

/* Hands the frames that arrived to lwIP, at most a FIFO's worth. True if there was one. */
bool dun_ethernet_poll(struct netif *netif);

const struct dun_ethernet_stats *dun_ethernet_stats(void);

#endif
