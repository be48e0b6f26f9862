/* devices.h - what -device can name: one row per type, by which its properties are parsed and checked.
 *
 * A type's creator gets its configuration filled from the properties: a structure of its own whose fields the rows of
 * `props` name. To add a type: write its DeviceType in the file of the device and name it in devices.def.
 */
#ifndef ARMX_SOFTMMU_DEVICES_H
#define ARMX_SOFTMMU_DEVICES_H

#include "machine.h"
#include "options.h"

typedef enum PropKind {
    PROP_STR,    /* const char * */
    PROP_BOOL,   /* bool */
    PROP_U32,    /* uint32_t */
    PROP_SIZE,   /* uint64_t, with suffixes */
    PROP_MAC,    /* uint8_t[6] */
    PROP_ADDR,   /* int32_t: PCI "slot[.function]" in hex as slot << 3 | function; -1 unless given */
    PROP_INDEX,  /* int32_t: -1 unless given */
} PropKind;

typedef struct DeviceProp {
    const char *name;
    PropKind kind;
    size_t offset; /* in the configuration */
    const char *initial, *doc; /* initial: as text; NULL = zero */
} DeviceProp;

typedef struct DeviceType {
    const char *name, *bus, *doc; /* bus: "virtio-mmio", "pci", "system" */
    const DeviceProp *props;      /* ends with a row without name */
    size_t config_size;
    const void *kind;             /* for creators that serve several types */
    /* Makes it; 0, or -1 with a line in why. config lives on. id may be NULL. */
    int (*create)(Machine *m, const struct DeviceType *t, const char *id, void *config, char *why, size_t n);
} DeviceType;

/* The type of that name or of another name for it, or NULL. */
const DeviceType *device_type(const char *name);
/* Makes the device that a -device list (or one made by a board for -drive if=virtio and the like) describes; ends the
 * process with a message when it is wrong. */
void device_create(Machine *m, OptList *o);
/* What -global says of this type's property, also of what is no -device; NULL: nothing. */
const char *device_global(const Machine *m, const char *type, const char *prop);
/* A device that was made, with what it was given. */
typedef struct DeviceMade {
    const DeviceType *type;
    const char *id; /* may be NULL */
    const void *config;
} DeviceMade;
/* Calls fn for each, in the order they were made; the types, in the order of -device help. */
void devices_each(void (*fn)(void *arg, const DeviceMade *d), void *arg);
void devices_each_type(void (*fn)(void *arg, const DeviceType *t), void *arg);
/* A property's value in config, as text. */
void device_prop_text(const DeviceProp *p, const void *config, char *to, size_t n);
/* Lists the types, or one type's properties, and ends the process. */
NORETURN void devices_help(const char *type);
/* All -device options; those that -drive, -nic, -net, -virtfs mean follow them. */
void devices_create(Machine *m);

#endif
