/*
 * lwipopts.h: lwIP as this board needs it: no operating system, no heap but lwIP's own pools, IPv4,
 * one TCP connection, UDP for DHCP, DNS and SNTP.
 */
#ifndef DUN_LWIPOPTS_H
#define DUN_LWIPOPTS_H

#define NO_SYS               1
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define SYS_LIGHTWEIGHT_PROT 0

/// Memory ///
#define MEM_ALIGNMENT     4
#define MEM_SIZE          (5 * 1024) /* copies of what TCP has in flight */
#define MEMP_NUM_PBUF     6
#define MEMP_NUM_UDP_PCB  4
#define MEMP_NUM_TCP_PCB  3
#define MEMP_NUM_TCP_SEG  12
#define PBUF_POOL_SIZE    8
#define PBUF_POOL_BUFSIZE 600

/// Protocols ///
#define LWIP_ARP                   1
#define LWIP_ICMP                  1
#define LWIP_DHCP                  1
#define LWIP_DNS                   1
#define DNS_TABLE_SIZE             2 /* broker and time server */
#define DNS_MAX_NAME_LENGTH        65
#define LWIP_DHCP_GET_NTP_SRV      1
#define LWIP_DHCP_MAX_NTP_SERVERS  1
#define LWIP_UDP                   1
#define LWIP_TCP                   1
#define LWIP_IGMP                  0
#define LWIP_RAW                   0
#define TCP_MSS                    1000
#define TCP_SND_BUF                (3 * TCP_MSS)
#define TCP_SND_QUEUELEN           12
#define TCP_WND                    (2 * TCP_MSS)
#define TCP_LISTEN_BACKLOG         0
#define LWIP_TCP_KEEPALIVE         0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define LWIP_STATS                 0
#define LWIP_NETIF_HOSTNAME        1
#define MEMP_NUM_SYS_TIMEOUT       (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)

#endif
