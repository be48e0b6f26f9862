/* drive.h - -drive and -blockdev: named images, each for one device. */
#ifndef ARMX_SOFTMMU_DRIVE_H
#define ARMX_SOFTMMU_DRIVE_H

#include "block.h"
#include "machine.h"
#include "options.h"

/* Opens the image that a -drive list describes under the id in it (or a made-up one, which is returned); ends the process with a
 * message when it is wrong. if=, index=, bus=, unit= and media= are the caller's. */
const char *drive_open(Machine *m, OptList *o);
/* The same for a -blockdev list. */
void drive_blockdev(Machine *m, OptList *o);
/* The image of that id, for a device (`user`: its id or name); NULL with a line in why when there is none or another device has it. */
Block *drive_take(Machine *m, const char *id, const char *user, char *why, size_t n);
/* A drive for those who ask about it. */
typedef struct DriveInfo {
    const char *id, *file, *format, *user; /* user NULL: no device has it */
    bool node;                             /* made by -blockdev: the id is the node's */
    const Block *block;
    BlockOptions options;
} DriveInfo;
/* Calls fn for each, in the order of the options. */
void drive_each(void (*fn)(void *arg, const DriveInfo *d), void *arg);
/* At the end of the process, no device running any more: flushes and closes all. */
void drive_close_all(void);

#endif
