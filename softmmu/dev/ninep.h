/* ninep.h - the 9P2000.L file server (ninep.c), which virtio_9p.c carries. */
#ifndef ARMX_SOFTMMU_DEV_NINEP_H
#define ARMX_SOFTMMU_DEV_NINEP_H

#include "base.h"

enum { NINEP_MSIZE_MAX = 512 * 1024 };

typedef enum NinepModel { NINEP_NONE, NINEP_PASSTHROUGH, NINEP_MAPPED } NinepModel;

/* A folder of the host: root is an O_PATH descriptor. */
typedef struct Folder {
    char *id;
    int root;
    NinepModel model;
    bool readonly;
    struct Folder *next;
} Folder;

typedef struct Ninep Ninep;
Ninep *ninep_new(const Folder *f);
/* Forgets all fids, as when the connection ends. */
void ninep_reset(Ninep *s);
/* Answers one message of `len` bytes at in (whatever they are) into out, which has NINEP_MSIZE_MAX bytes; returns the answer's
 * length, or 0 when the message has not even a header. */
size_t ninep_answer(Ninep *s, const uint8_t *in, size_t len, uint8_t *out);

#endif
