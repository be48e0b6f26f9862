/* virtio_net.c - network card (Virtio 1.2, 5.1): one pair of queues and a control queue, no offloads.
 *
 * All work is done on the backend's thread (softmmu/net.h). Frames that come while the driver has given no buffers wait in
 * a list of bounded length, then are dropped, as a card does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../net.h"
#include "virtio.h"

enum { F_MTU = 3, F_MAC = 5, F_MRG_RXBUF = 15, F_STATUS = 16, F_CTRL_VQ = 17, F_CTRL_RX = 18, F_CTRL_MAC_ADDR = 23 };
enum { RX, TX, CTRL, QUEUES };
enum { QUEUE = 256, WAITING = 512, MAC_TABLE = 64, HDR = 12, HDR_LEGACY = 10 };
enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_OK = 0, CTRL_ERR = 1 };

typedef struct __attribute__((packed)) NetConfig {
    uint8_t mac[6];
    uint16_t status, max_pairs, mtu;
} NetConfig;

typedef struct Frame {
    struct Frame *next;
    size_t len;
    uint8_t data[];
} Frame;

typedef struct Card {
    Virtio *v;
    Net *net;
    Frame *first, **last;
    unsigned waiting;
    bool promisc, allmulti, nomulti, nouni, nobcast, overflow;
    uint8_t table[MAC_TABLE][6];
    unsigned unicast, entries; /* the table: unicast addresses first */
    uint8_t given[6];      /* the address that it starts with */
    VirtElem e;
    uint8_t buf[NET_FRAME_MAX];
} Card;

static unsigned header(const Virtio *v)
{
    return virtio_has(v, VF_VERSION_1) || virtio_has(v, F_MRG_RXBUF) ? HDR : HDR_LEGACY;
}

/* Does the driver want this frame? (5.1.6.5.1, 5.1.6.5.2) */
static bool wanted(const Card *c, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
    if (c->promisc) {
        return true;
    }
    if (!memcmp(frame, broadcast, 6)) {
        return !c->nobcast;
    }
    bool multi = frame[0] & 1;
    if (multi ? c->nomulti : c->nouni) {
        return false;
    }
    if (multi && (c->allmulti || c->overflow)) {
        return true;
    }
    if (!multi && !memcmp(frame, c->v->config, 6)) {
        return true;
    }
    for (unsigned i = multi ? c->unicast : 0; i < (multi ? c->entries : c->unicast); i++) {
        if (!memcmp(frame, c->table[i], 6)) {
            return true;
        }
    }
    return !multi && c->overflow;
}

/* Puts one frame into the receive queue: 1 done, 0 no buffers yet, -1 never. Lock held. */
static int deliver(Card *c, const uint8_t *frame, size_t len)
{
    Virtio *v = c->v;
    VirtQueue *q = &v->queue[RX];
    bool merge = virtio_has(v, F_MRG_RXBUF);
    unsigned hdr = header(v);
    uint64_t done = 0, total = hdr + len;
    uint8_t h[HDR] = {0};
    uint16_t buffers = 0, start_avail = q->next_avail, start_used = q->next_used;
    struct iovec first = {0};
    while (done < total) {
        if (!virtio_pop(v, q, &c->e)) {
            if (!(v->status & VS_NEEDS_RESET)) { /* as if nothing had been taken */
                q->next_avail = start_avail;
                q->next_used = start_used;
            }
            return v->status & VS_NEEDS_RESET ? -1 : 0;
        }
        if (!c->e.in_len || (!buffers && c->e.in_len < hdr) || (!merge && c->e.in_len < total)) {
            if (!c->e.in_len || !merge) {
                virtio_broken(v, "a receive buffer that is too small");
            }
            return -1;
        }
        uint64_t n = 0;
        if (!buffers) {
            n = virtio_put(&c->e, 0, h, hdr);
            first = c->e.v[c->e.nout];
        }
        n += virtio_put(&c->e, n, frame + (done + n - hdr), total - done - n);
        done += n;
        buffers++;
        /* entries become visible together: the index is written by the last one's push */
        virtio_fill(v, q, &c->e, (uint32_t)n);
    }
    if (merge || virtio_has(v, VF_VERSION_1)) {
        if (first.iov_len >= HDR) {
            memcpy((uint8_t *)first.iov_base + HDR_LEGACY, &buffers, sizeof buffers);
        } else {
            virtio_broken(v, "a receive buffer that splits the header");
            return -1;
        }
    }
    virtio_publish(v, q);
    return 1;
}

static void drain(Card *c)
{
    while (c->first) {
        Frame *f = c->first;
        int r = deliver(c, f->data, f->len);
        if (!r) {
            break;
        }
        c->first = f->next;
        if (!c->first) {
            c->last = &c->first;
        }
        c->waiting--;
        free(f);
    }
    virtio_signal(c->v, &c->v->queue[RX]);
}

static void receive(void *arg, const uint8_t *frame, size_t len)
{
    Card *c = arg;
    Virtio *v = c->v;
    pthread_mutex_lock(&v->lock);
    bool on = v->status & VS_DRIVER_OK && !(v->status & VS_NEEDS_RESET) && v->queue[RX].ready;
    if (on && len >= 14 && len <= NET_FRAME_MAX && wanted(c, frame)) {
        if (c->first || !deliver(c, frame, len)) {
            Frame *f = c->waiting < WAITING ? malloc(sizeof *f + len) : NULL;
            if (f) {
                f->next = NULL;
                f->len = len;
                memcpy(f->data, frame, len);
                *c->last = f;
                c->last = &f->next;
                c->waiting++;
            }
        }
        virtio_signal(v, &v->queue[RX]);
    }
    pthread_mutex_unlock(&v->lock);
}

static void transmit(Virtio *v, Card *c)
{
    VirtQueue *q = &v->queue[TX];
    unsigned hdr = header(v);
    while (virtio_pop(v, q, &c->e)) {
        uint64_t len = c->e.out_len;
        if (len < hdr) {
            virtio_broken(v, "a frame without its header");
            return;
        }
        if (len - hdr <= sizeof c->buf && len - hdr >= 14) {
            virtio_get(&c->e, hdr, c->buf, len - hdr);
            virtio_push(v, q, &c->e, 0); /* first: what is sent may be answered at once, by way of c->e */
            net_send(c->net, c->buf, len - hdr);
        } else {
            virtio_push(v, q, &c->e, 0);
        }
    }
    virtio_signal(v, q);
}

static bool set_table(Card *c)
{
    uint64_t at = 2;
    c->entries = 0;
    c->overflow = false;
    for (unsigned part = 0; part < 2; part++) {
        uint32_t n;
        if (virtio_get(&c->e, at, &n, sizeof n) != sizeof n) {
            return false;
        }
        at += sizeof n;
        if (n > MAC_TABLE - c->entries) {
            c->overflow = true; /* more than fit: none is filtered */
        } else if (virtio_get(&c->e, at, c->table[c->entries], n * 6ull) != n * 6ull) {
            return false;
        } else {
            c->entries += n;
        }
        at += n * 6ull;
        if (part == 0) {
            c->unicast = c->entries;
        }
    }
    return true;
}

static uint8_t command(Virtio *v, Card *c)
{
    uint8_t h[2], on;
    bool *const modes[] = {&c->promisc, &c->allmulti, NULL, &c->nomulti, &c->nouni, &c->nobcast};
    if (virtio_get(&c->e, 0, h, 2) != 2) {
        return CTRL_ERR;
    }
    if (h[0] == CTRL_RX && h[1] < LEN(modes) && modes[h[1]] && virtio_get(&c->e, 2, &on, 1) == 1) {
        *modes[h[1]] = on;
        return CTRL_OK;
    }
    if (h[0] == CTRL_MAC && h[1] == 0) {
        return set_table(c) ? CTRL_OK : CTRL_ERR;
    }
    if (h[0] == CTRL_MAC && h[1] == 1 && c->e.out_len >= 8) {
        virtio_get(&c->e, 2, v->config, 6);
        return CTRL_OK;
    }
    return CTRL_ERR;
}

static void run(Virtio *v, unsigned n)
{
    Card *c = v->dev;
    if (n == RX) {
        drain(c);
    } else if (n == TX) {
        transmit(v, c);
    } else {
        VirtQueue *q = &v->queue[CTRL];
        while (virtio_pop(v, q, &c->e)) {
            uint8_t status = command(v, c);
            virtio_put(&c->e, 0, &status, 1);
            virtio_push(v, q, &c->e, 1);
        }
        virtio_signal(v, q);
    }
}

static void kick(Virtio *v)
{
    Card *c = v->dev;
    net_wake(c->net);
}

static void reset(Virtio *v)
{
    Card *c = v->dev;
    while (c->first) {
        Frame *f = c->first;
        c->first = f->next;
        free(f);
    }
    c->last = &c->first;
    c->waiting = c->unicast = c->entries = 0;
    c->promisc = true; /* until the driver says otherwise */
    c->allmulti = c->nomulti = c->nouni = c->nobcast = c->overflow = false;
    memcpy(v->config, c->given, 6);
}

static void work(void *arg)
{
    Card *c = arg;
    virtio_work(c->v);
}

static const VirtioOps ops = {.id = VIRTIO_NET, .name = "net", .threaded = true, .run = run, .kick = kick, .reset = reset,
                              .features = VIRTIO_F(F_MAC) | VIRTIO_F(F_MRG_RXBUF) | VIRTIO_F(F_STATUS) | VIRTIO_F(F_CTRL_VQ) |
                                          VIRTIO_F(F_CTRL_RX) | VIRTIO_F(F_CTRL_MAC_ADDR)};

typedef struct Config {
    VirtioProps common;
    const char *netdev;
    uint8_t mac[6];
    uint32_t mtu;
    int32_t bootindex;
    const char *romfile;
} Config;

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    static uint8_t cards;
    (void)id;
    Config *c = config;
    if (!c->netdev) {
        snprintf(why, n, "netdev=ID is missing: which -netdev?");
        return -1;
    }
    Card *card = calloc(1, sizeof *card);
    ASSERT(card);
    static const uint8_t none[6], base[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    memcpy(card->given, memcmp(c->mac, none, 6) ? c->mac : base, 6);
    if (!memcmp(c->mac, none, 6)) {
        card->given[5] = (uint8_t)(card->given[5] + cards++);
    }
    Virtio *v = card->v = virtio_new(m, &ops, card, QUEUES, QUEUE, sizeof(NetConfig));
    ASSERT(v);
    reset(v);
    NetConfig *k = (NetConfig *)v->config;
    k->status = 1; /* the link is up */
    k->max_pairs = 1;
    if (c->mtu) {
        k->mtu = (uint16_t)c->mtu;
        v->offered |= VIRTIO_F(F_MTU);
    }
    if (c->romfile && *c->romfile) {
        snprintf(why, n, "there are no option ROMs: romfile= (empty), EDK2 needs none");
        return -1;
    }
    if (virtio_attach(v, t, &c->common, why, n) || virtio_boot_index(v, c->bootindex, "/ethernet-phy@0", why, n)) {
        return -1;
    }
    NetClient client = {receive, work, card, t->name, id, {0}};
    memcpy(client.mac, card->given, 6);
    card->net = net_take(c->netdev, &client, why, n);
    return card->net ? 0 : -1;
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"netdev", PROP_STR, offsetof(Config, netdev), NULL, "id of the -netdev"},
    {"mac", PROP_MAC, offsetof(Config, mac), NULL, "Ethernet address (52:54:00:12:34:56 and up)"},
    {"bootindex", PROP_INDEX, offsetof(Config, bootindex), NULL, "its place in the order in which firmware starts from disks and networks"},
    {"romfile", PROP_STR, offsetof(Config, romfile), NULL, "only empty"},
    {"host_mtu", PROP_U32, offsetof(Config, mtu), NULL, "MTU that the driver is told of"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_net, "virtio-net", "network card", props, Config, create)
