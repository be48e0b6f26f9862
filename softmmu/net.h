/* net.h - -netdev: the other end of a network card.
 *
 * Each backend has one thread of its own, on which frames from outside arrive (NetClient.receive) and on which the card is asked
 * to work on its queues (NetClient.work, after net_wake). The card sends from that thread.
 */
#ifndef ARMX_SOFTMMU_NET_H
#define ARMX_SOFTMMU_NET_H

#include "machine.h"
#include "options.h"

typedef struct Net Net;

enum { NET_FRAME_MAX = 65550 };

typedef struct NetClient {
    void (*receive)(void *arg, const uint8_t *frame, size_t len);
    void (*work)(void *arg);
    void *arg;
} NetClient;

/* Makes the backend that a -netdev list describes; returns its id (made up if there is none); ends the process with a message
 * when it is wrong. */
const char *net_create(Machine *m, OptList *o);
/* The backend of that id, for a card; NULL with a line in why when there is none or another card has it. */
Net *net_take(const char *id, const NetClient *c, char *why, size_t n);
/* Sends one Ethernet frame; on the backend's thread. */
void net_send(Net *n, const uint8_t *frame, size_t len);
/* Has the client work soon. Any thread. */
void net_wake(Net *n);

#endif
