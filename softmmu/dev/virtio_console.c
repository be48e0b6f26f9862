/* virtio_console.c - console device (Virtio 1.2, 5.3): a controller (virtio-serial) with consoles and serial ports, each
 * joined to a chardev.
 *
 * All work is done on the I/O thread, where chardevs live too. Port n has queues 0/1 (n = 0) or 2n+2/2n+3; 2 and 3 are the
 * control queues. Characters for a port whose driver has given no buffers stay with the chardev.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../chardev.h"
#include "virtio.h"

enum { F_SIZE = 0, F_MULTIPORT = 1, F_EMERG_WRITE = 2 };
enum { PORTS = 31, QUEUE = 128, CONTROL_RX = 2, CONTROL_TX = 3, CHUNK = 4096, MESSAGES = 4 * PORTS };
enum { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };

typedef struct __attribute__((packed)) ConsoleConfig {
    uint16_t cols, rows;
    uint32_t max_ports, emerg_wr;
} ConsoleConfig;

typedef struct __attribute__((packed)) Message {
    uint32_t id;
    uint16_t event, value;
} Message;

typedef struct Serial Serial;

typedef struct Port {
    Serial *s;
    unsigned n;
    bool present, console, host_open, guest_open;
    const char *name;
    CharEnd end;
    uint8_t in[CHUNK]; /* taken from the chardev, not yet given to the driver */
    unsigned in_len;
} Port;

struct Serial {
    Virtio *v;
    const char *id;
    Port port[PORTS];
    unsigned nports, max_ports;
    struct {
        Message m;
        const char *name;
    } out[MESSAGES]; /* control messages that wait for a buffer */
    unsigned nout;
    VirtElem e;
    Serial *next;
};

static Serial *controllers; /* newest first; made before the machine runs */

static unsigned rx_queue(unsigned port)
{
    return port ? 2 * port + 2 : 0;
}

static void send_messages(Serial *s)
{
    Virtio *v = s->v;
    VirtQueue *q = &v->queue[CONTROL_RX];
    unsigned done = 0;
    while (done < s->nout && virtio_pop(v, q, &s->e)) {
        uint64_t n = virtio_put(&s->e, 0, &s->out[done].m, sizeof(Message));
        if (s->out[done].name) {
            n += virtio_put(&s->e, n, s->out[done].name, strlen(s->out[done].name));
        }
        virtio_push(v, q, &s->e, (uint32_t)n);
        done++;
    }
    s->nout -= done;
    memmove(s->out, s->out + done, s->nout * sizeof s->out[0]);
    virtio_signal(v, q);
}

static void message(Serial *s, unsigned port, unsigned event, unsigned value, const char *name)
{
    if (s->nout < MESSAGES && virtio_has(s->v, F_MULTIPORT)) {
        s->out[s->nout].m = (Message){port, (uint16_t)event, (uint16_t)value};
        s->out[s->nout++].name = name;
        send_messages(s);
    }
}

/* Gives the driver what has come in. */
static void deliver(Port *p)
{
    Virtio *v = p->s->v;
    VirtQueue *q = &v->queue[rx_queue(p->n)];
    unsigned done = 0;
    while (done < p->in_len && virtio_pop(v, q, &p->s->e)) {
        uint64_t n = virtio_put(&p->s->e, 0, p->in + done, p->in_len - done);
        virtio_push(v, q, &p->s->e, (uint32_t)n);
        done += (unsigned)n;
    }
    p->in_len -= done;
    memmove(p->in, p->in + done, p->in_len);
    if (done) {
        virtio_signal(v, q);
    }
}

static bool open_now(const Port *p)
{
    const Virtio *v = p->s->v;
    return v->status & VS_DRIVER_OK && !(v->status & VS_NEEDS_RESET) && v->queue[rx_queue(p->n)].ready &&
           (p->guest_open || !virtio_has(v, F_MULTIPORT));
}

static unsigned room(void *dev)
{
    Port *p = dev;
    return open_now(p) && !p->in_len ? CHUNK : 0;
}

static void receive(void *dev, const uint8_t *at, unsigned n)
{
    Port *p = dev;
    pthread_mutex_lock(&p->s->v->lock);
    if (n <= CHUNK && !p->in_len) {
        memcpy(p->in, at, n);
        p->in_len = n;
        if (open_now(p)) {
            deliver(p);
        }
    }
    pthread_mutex_unlock(&p->s->v->lock);
    if (!p->in_len) {
        chardev_accept(&p->end);
    }
}

static void drained(void *dev)
{
    Port *p = dev;
    virtio_wake(p->s->v, rx_queue(p->n) + 1);
}

static void char_event(void *dev, CharEvent what)
{
    Port *p = dev;
    if (what == CHAR_OPENED || what == CHAR_CLOSED) {
        pthread_mutex_lock(&p->s->v->lock);
        p->host_open = what == CHAR_OPENED;
        if (p->s->v->status & VS_DRIVER_OK && !p->console) {
            message(p->s, p->n, PORT_OPEN, p->host_open, NULL);
        }
        pthread_mutex_unlock(&p->s->v->lock);
    }
}

static const CharUser port_user = {.room = room, .receive = receive, .drained = drained, .event = char_event};

static void transmit(Port *p)
{
    Virtio *v = p->s->v;
    VirtQueue *q = &v->queue[rx_queue(p->n) + 1];
    uint8_t buf[CHUNK];
    while (!chardev_full(&p->end) && virtio_pop(v, q, &p->s->e)) {
        uint64_t n;
        for (uint64_t at = 0; (n = virtio_get(&p->s->e, at, buf, sizeof buf)); at += n) {
            chardev_write(&p->end, buf, n);
        }
        virtio_push(v, q, &p->s->e, 0);
    }
    virtio_signal(v, q);
}

static void control(Serial *s, const Message *m)
{
    Port *p = m->id < s->max_ports ? &s->port[m->id] : NULL;
    switch (m->event) {
    case DEVICE_READY:
        for (unsigned i = 0; m->value && i < s->max_ports; i++) {
            if (s->port[i].present) {
                message(s, i, PORT_ADD, 1, NULL);
            }
        }
        break;
    case PORT_READY:
        if (!p || !p->present || !m->value) {
            break;
        }
        if (p->console) {
            message(s, p->n, CONSOLE_PORT, 1, NULL);
        }
        if (p->name) {
            message(s, p->n, PORT_NAME, 1, p->name);
        }
        if (p->host_open || p->console) {
            message(s, p->n, PORT_OPEN, 1, NULL);
        }
        break;
    case PORT_OPEN:
        if (p && p->present) {
            p->guest_open = m->value;
            chardev_accept(&p->end);
        }
        break;
    default: break;
    }
}

static void run(Virtio *v, unsigned n)
{
    Serial *s = v->dev;
    VirtQueue *q = &v->queue[n];
    if (n == CONTROL_RX) {
        send_messages(s);
    } else if (n == CONTROL_TX) {
        while (virtio_pop(v, q, &s->e)) {
            Message m;
            bool whole = virtio_get(&s->e, 0, &m, sizeof m) == sizeof m;
            virtio_push(v, q, &s->e, 0);
            if (whole) {
                control(s, &m);
            }
        }
        virtio_signal(v, q);
    } else {
        Port *p = &s->port[n < CONTROL_RX ? 0 : n / 2 - 1];
        if (n & 1) {
            transmit(p);
        } else {
            deliver(p);
            if (!p->in_len) {
                chardev_accept(&p->end);
            }
        }
    }
}

static void configured(Virtio *v, unsigned offset, unsigned size)
{
    Serial *s = v->dev;
    (void)size;
    if (offset == offsetof(ConsoleConfig, emerg_wr)) {
        chardev_write(&s->port[0].end, v->config + offset, 1);
    }
}

static void reset(Virtio *v)
{
    Serial *s = v->dev;
    s->nout = 0;
    for (unsigned i = 0; i < s->max_ports; i++) {
        s->port[i].guest_open = false;
        s->port[i].in_len = 0;
    }
}

static const VirtioOps ops = {.id = VIRTIO_CONSOLE, .name = "console", .run = run, .configured = configured, .reset = reset,
                              .features = VIRTIO_F(F_MULTIPORT) | VIRTIO_F(F_EMERG_WRITE)};

typedef struct Config {
    VirtioProps common;
    uint32_t max_ports;
} Config;

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    Config *c = config;
    if (!c->max_ports || c->max_ports > PORTS) {
        snprintf(why, n, "max_ports: 1 to %d", PORTS);
        return -1;
    }
    Serial *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->id = id;
    s->max_ports = c->max_ports;
    for (unsigned i = 0; i < PORTS; i++) {
        s->port[i].s = s;
        s->port[i].n = i;
    }
    Virtio *v = s->v = virtio_new(m, &ops, s, c->max_ports > 1 ? 2 * c->max_ports + 2 : 4, QUEUE, sizeof(ConsoleConfig));
    ASSERT(v);
    ConsoleConfig k = {.max_ports = c->max_ports};
    memcpy(v->config, &k, sizeof k);
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = offsetof(ConsoleConfig, emerg_wr) + i;
        v->config_writable[at / 8] |= (uint8_t)(1 << at % 8);
    }
    s->next = controllers;
    controllers = s;
    return virtio_attach(v, t, &c->common, why, n);
}

typedef struct PortConfig {
    const char *chardev, *name, *bus;
    uint32_t nr;
} PortConfig;

/* The controller that a port's bus= names ("ID.0"), or the newest. */
static Serial *controller(const char *bus)
{
    Serial *s = controllers;
    size_t n = bus ? strcspn(bus, ".") : 0;
    while (s && bus && (!s->id || strlen(s->id) != n || strncmp(s->id, bus, n))) {
        s = s->next;
    }
    return s;
}

static int port_create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    (void)m;
    (void)id;
    PortConfig *c = config;
    bool console = t->kind != NULL;
    Serial *s = controller(c->bus);
    if (!s) {
        snprintf(why, n, "it needs a virtio-serial-device or virtio-serial-pci before it");
        return -1;
    }
    unsigned k = c->nr;
    for (; !c->nr && k < s->max_ports && (s->port[k].present || (!k && !console)); k++) {
    }
    if (k >= s->max_ports || s->port[k].present) {
        snprintf(why, n, "the controller has no free port%s", c->nr ? " of that nr" : "");
        return -1;
    }
    Port *p = &s->port[k];
    Chardev *ch = c->chardev ? chardev_find(c->chardev) : NULL;
    if (c->chardev && (!ch || !chardev_attach(ch, &port_user, p, &p->end))) {
        snprintf(why, n, ch ? "another device has the chardev %s" : "no -chardev has the id %s", c->chardev);
        return -1;
    }
    p->present = true;
    p->console = console;
    p->name = c->name;
    p->host_open = p->host_open || (ch && !console);
    return 0;
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"max_ports", PROP_U32, offsetof(Config, max_ports), "31", "ports that it can have"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_serial, "virtio-serial", "controller of consoles and serial ports", props, Config, create)

static const DeviceProp port_props[] = {
    {"chardev", PROP_STR, offsetof(PortConfig, chardev), NULL, "id of the -chardev"},
    {"name", PROP_STR, offsetof(PortConfig, name), NULL, "name that the guest sees"},
    {"bus", PROP_STR, offsetof(PortConfig, bus), NULL, "id of the controller with .0"},
    {"nr", PROP_U32, offsetof(PortConfig, nr), "0", "port number; 0 = the next free one"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
const DeviceType virtconsole = {"virtconsole", "virtio-serial-bus", "console (hvc0 and up)", port_props, sizeof(PortConfig), &virtconsole,
                                port_create};
const DeviceType virtserialport = {"virtserialport", "virtio-serial-bus", "serial port with a name", port_props, sizeof(PortConfig), NULL,
                                   port_create};
