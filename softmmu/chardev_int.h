/* chardev_int.h - a character device as its core (chardev.c) and those who open it (chardev_open.c, chardev_socket.c) see it.
 *
 * To add a backend: a row of the table in chardev_open.c.
 */
#ifndef ARMX_SOFTMMU_CHARDEV_INT_H
#define ARMX_SOFTMMU_CHARDEV_INT_H

#include <pthread.h>

#include "chardev.h"
#include "telnet.h"

enum { CHAR_RING = 4096, CHAR_USERS = 4 };

typedef struct CharRing {
    uint8_t bytes[CHAR_RING];
    unsigned at, n;
} CharRing;

/* What a ringbuf keeps of the output: the last `size` bytes, a power of two; `put` and `got` count bytes. */
typedef struct CharMemory {
    uint8_t *bytes;
    uint32_t size, put, got;
} CharMemory;

struct Chardev {
    Chardev *next;
    EventLoop *loop;
    const char *id, *where;
    int in, out, listener, log; /* -1 = none; log: logfile=, gets all output */
    bool mux, terminal, escape;
    bool datagram;              /* what is read and written at once is one; there is no end */
    bool speaks_telnet;
    Telnet telnet;
    struct CharSocket *socket;  /* chardev_socket.c's own, NULL for others */
    const CharUser *users[CHAR_USERS];
    void *devs[CHAR_USERS];
    unsigned nusers, focus;
    CharRing rings[CHAR_USERS];
    uint32_t watched_in;
    pthread_mutex_t lock; /* of what follows */
    uint8_t *queue;
    size_t queue_at, queue_n, queue_size;
    bool flushing, was_full, alone;
    CharMemory memory; /* size 0: none */
};

/* A device that is not connected to anything, in the list of all. */
Chardev *chardev_new(EventLoop *l, const char *id, const char *where);
/* The other side is there, on fd; and for one that was there from the start, what the protocol begins with. */
void chardev_connected(Chardev *c, int fd);
void chardev_greet(Chardev *c);
/* Bytes came from the other side. */
void chardev_received(Chardev *c, const uint8_t *at, unsigned n);

/* chardev_socket.c: the backends `socket` and `udp`; NULL with a line in why. */
Chardev *chardev_open_socket(EventLoop *l, OptList *o, const char *id, char *why, size_t n);
Chardev *chardev_open_udp(EventLoop *l, OptList *o, const char *id, char *why, size_t n);
/* The connection was closed: listens or connects again. */
void chardev_socket_closed(Chardev *c);
/* As QEMU names it: "disconnected:tcp:127.0.0.1:4444,server=on". */
void chardev_socket_name(const Chardev *c, char *to, size_t n);
/* Bits for the terminal: chardev.c. */
void chardev_terminal_take(bool signals);

#endif
