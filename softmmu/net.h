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
    const char *model, *id; /* of the card, for `info network`; id may be NULL */
    uint8_t mac[6];
} NetClient;

/* Makes the backend that a -netdev list describes; returns its id (made up if there is none); ends the process with a message
 * when it is wrong. */
const char *net_create(Machine *m, OptList *o);
/* The backend of that id, for a card; NULL with a line in why when there is none or another card has it. */
Net *net_take(const char *id, const NetClient *c, char *why, size_t n);
/* Calls fn for each backend: its card (NULL: none has it), and what it is. */
void net_each(void (*fn)(void *arg, const char *id, const char *what, const NetClient *card), void *arg);
/* Adds a forwarding rule "[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT" of a user-mode backend (id NULL: of the first), or removes that
 * for "[tcp|udp]:[ADDRESS]:PORT"; false with a line. On the I/O thread. */
bool net_forward(const char *id, const char *rule, bool add, char *why, size_t n);
/* The connections of each user-mode backend, as libslirp lists them. On the I/O thread. */
void net_connections(void (*fn)(void *arg, const char *id, const char *text), void *arg);
/* Sends one Ethernet frame; on the backend's thread. */
void net_send(Net *n, const uint8_t *frame, size_t len);
/* Has the client work soon. Any thread. */
void net_wake(Net *n);

#endif
