/* virtio_9p.c - host folders for the guest (Virtio 1.2, 5.9, which leaves the protocol to ninep.c), and -fsdev.
 *
 * Messages are answered one after the other on the device's own thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../fsdev.h"
#include "ninep.h"
#include "virtio.h"

enum { F_MOUNT_TAG = 0, QUEUE = 128, TAG_MAX = 256 };

static Folder *folders; /* made before the machine runs */

typedef struct Share {
    Ninep *server;
    VirtElem e;
    uint8_t in[NINEP_MSIZE_MAX], out[NINEP_MSIZE_MAX];
} Share;

static void run(Virtio *v, unsigned n)
{
    VirtQueue *q = &v->queue[n];
    Share *s = v->dev;
    while (virtio_pop(v, q, &s->e)) {
        uint32_t size = 0;
        uint64_t len = virtio_get(&s->e, 0, s->in, sizeof s->in);
        memcpy(&size, s->in, sizeof size);
        size_t answer = size <= len ? ninep_answer(s->server, s->in, size, s->out) : 0;
        if (!answer || answer > s->e.in_len) {
            virtio_broken(v, "a 9P message without its length, or without room for the answer");
            return;
        }
        virtio_put(&s->e, 0, s->out, answer);
        virtio_push(v, q, &s->e, (uint32_t)answer);
        virtio_signal(v, q);
    }
}

static void reset(Virtio *v)
{
    Share *s = v->dev;
    ninep_reset(s->server);
}

static const VirtioOps ops = {.id = VIRTIO_9P, .name = "9p", .threaded = true, .run = run, .reset = reset,
                              .features = VIRTIO_F(F_MOUNT_TAG)};

static Folder *find(const char *id)
{
    Folder *f = folders;
    while (f && strcmp(f->id, id)) {
        f = f->next;
    }
    return f;
}

const char *fsdev_open(OptList *o)
{
    static const char *const models[] = {[NINEP_NONE] = "none", [NINEP_PASSTHROUGH] = "passthrough", [NINEP_MAPPED] = "mapped-xattr"};
    static unsigned count;
    char made[24];
    const char *driver = opt_take(o, "fsdriver"), *id = opt_take(o, "id"), *path = opt_take(o, "path");
    const char *model = opt_take(o, "security_model");
    snprintf(made, sizeof made, "#fsdev%u", count++);
    if (!driver || strcmp(driver, "local") || !path) {
        die("%s %s: expected local,path=FOLDER,security_model=none|passthrough|mapped-xattr", o->option, o->text);
    }
    Folder *f = calloc(1, sizeof *f);
    ASSERT(f);
    f->readonly = opt_take_bool(o, "readonly", false);
    model = model && !strcmp(model, "mapped") ? "mapped-xattr" : model;
    while (f->model < LEN(models) && (!model || strcmp(model, models[f->model]))) {
        f->model++;
    }
    if (f->model == LEN(models)) {
        die("%s %s: security_model: none, passthrough or mapped-xattr", o->option, o->text);
    }
    if (id && find(id)) {
        die("%s: there are two with the id %s", o->option, id);
    }
    f->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (f->root < 0) {
        die("%s: %s: %s", o->option, path, strerror(errno));
    }
    f->id = strdup(id ? id : made);
    f->next = folders;
    folders = f;
    return f->id;
}

typedef struct Config {
    VirtioProps common;
    const char *fsdev, *tag;
} Config;

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    (void)id;
    Config *c = config;
    Folder *f = c->fsdev ? find(c->fsdev) : NULL;
    size_t len = c->tag ? strlen(c->tag) : 0;
    if (!f || !len || len > TAG_MAX) {
        snprintf(why, n, "it needs fsdev=ID of a -fsdev and mount_tag=NAME");
        return -1;
    }
    Share *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->server = ninep_new(f);
    Virtio *v = virtio_new(m, &ops, s, 1, QUEUE, (unsigned)len + 2);
    ASSERT(v);
    memcpy(v->config, &(uint16_t){(uint16_t)len}, 2);
    memcpy(v->config + 2, c->tag, len);
    return virtio_attach(v, t, &c->common, why, n);
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"fsdev", PROP_STR, offsetof(Config, fsdev), NULL, "id of the -fsdev"},
    {"mount_tag", PROP_STR, offsetof(Config, tag), NULL, "name by which the guest mounts it"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_9p, "virtio-9p", "host folder (mount -t 9p)", props, Config, create)
