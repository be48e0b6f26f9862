/* devices.c - see devices.h: properties into configurations, the options that mean devices into -device lists. */
#define _GNU_SOURCE
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>

#include "drive.h"
#include "fsdev.h"
#include "net.h"

#define TYPE(var) extern const DeviceType var;
#include "devices.def"

static const DeviceType *const types[] = {
#define TYPE(var) &var,
#include "devices.def"
    NULL,
};

static const struct {
    const char *name, *type;
} aliases[] = {
#define ALIAS(name, type) {name, type},
#include "devices.def"
};

const DeviceType *device_type(const char *name)
{
    for (unsigned k = 0; k < LEN(aliases); k++) {
        if (!strcmp(aliases[k].name, name)) {
            name = aliases[k].type;
        }
    }
    for (unsigned k = 0; types[k]; k++) {
        if (!strcmp(types[k]->name, name)) {
            return types[k];
        }
    }
    return NULL;
}

void devices_help(const char *type)
{
    if (!type) {
        for (unsigned k = 0; types[k]; k++) {
            printf("%-24s bus %-12s %s\n", types[k]->name, types[k]->bus, types[k]->doc);
        }
        exit(0);
    }
    const DeviceType *t = device_type(type);
    if (!t) {
        die("-device %s: unknown device (-device help lists them)", type);
    }
    printf("properties of %s:\n", t->name);
    for (const DeviceProp *p = t->props; p->name; p++) {
        static const char *const kinds[] = {"text", "on|off", "number", "size", "MAC address", "slot[.function]", "number"};
        printf("  %-20s %-16s %s%s%s%s\n", p->name, kinds[p->kind], p->doc ? p->doc : "", p->initial ? " (default " : "",
               p->initial ? p->initial : "", p->initial ? ")" : "");
    }
    exit(0);
}

static bool mac_parse(const char *s, uint8_t *mac)
{
    unsigned b[6];
    char rest;
    if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%c", b, b + 1, b + 2, b + 3, b + 4, b + 5, &rest) != 6) {
        return false;
    }
    for (unsigned k = 0; k < 6; k++) {
        mac[k] = (uint8_t)b[k];
    }
    return true;
}

static bool addr_parse(const char *s, int32_t *out)
{
    char *end;
    unsigned long slot = strtoul(s, &end, 16), function = 0;
    if (end != s && *end == '.') {
        s = end + 1;
        function = strtoul(s, &end, 16);
    }
    *out = (int32_t)(slot << 3 | function);
    return end != s && !*end && slot < 32 && function < 8;
}

/* A property's text into its field; false when it is not of its kind. */
static bool prop_set(const DeviceProp *p, void *config, const char *text, OptList *o)
{
    void *field = (char *)config + p->offset;
    uint64_t n;
    switch (p->kind) {
    case PROP_STR:
        *(const char **)field = text;
        return true;
    case PROP_BOOL:
        *(bool *)field = !strcmp(text, "on") || !strcmp(text, "true") || !strcmp(text, "yes");
        return !o || *(bool *)field || !strcmp(text, "off") || !strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "auto");
    case PROP_U32:
        if (!opt_number(text, false, 1, &n) || n > UINT32_MAX) {
            return false;
        }
        *(uint32_t *)field = (uint32_t)n;
        return true;
    case PROP_SIZE:
        return opt_number(text, true, 1, field);
    case PROP_MAC:
        return mac_parse(text, field);
    case PROP_ADDR:
        return addr_parse(text, field);
    case PROP_INDEX:
        if (!opt_number(text, false, 1, &n) || n > INT32_MAX) {
            return false;
        }
        *(int32_t *)field = (int32_t)n;
        return true;
    }
    return true;
}

/* DRIVER.PROP=VALUE, or driver=DRIVER,property=PROP,value=VALUE. */
const char *device_global(const Machine *m, const char *type, const char *prop)
{
    const char *found = NULL;
    char key[128];
    snprintf(key, sizeof key, "%s.%s", type, prop);
    for (unsigned k = 0; k < m->options->global.n; k++) {
        OptList *l = &m->options->global.at[k];
        const char *v = opt_look(l, key), *driver = opt_look(l, "driver"), *name = opt_look(l, "property");
        if (driver && name && !strcmp(driver, type) && !strcmp(name, prop)) {
            v = opt_look(l, "value");
        }
        found = v ? v : found;
    }
    return found;
}

static DeviceMade *made;
static unsigned nmade;

void devices_each(void (*fn)(void *arg, const DeviceMade *d), void *arg)
{
    for (unsigned k = 0; k < nmade; k++) {
        fn(arg, &made[k]);
    }
}

void devices_each_type(void (*fn)(void *arg, const DeviceType *t), void *arg)
{
    for (unsigned k = 0; types[k]; k++) {
        fn(arg, types[k]);
    }
}

void device_prop_text(const DeviceProp *p, const void *config, char *to, size_t n)
{
    const void *field = (const char *)config + p->offset;
    const uint8_t *mac = field;
    switch (p->kind) {
    case PROP_STR:
        snprintf(to, n, "\"%s\"", *(const char *const *)field ? *(const char *const *)field : "");
        break;
    case PROP_BOOL:
        snprintf(to, n, "%s", *(const bool *)field ? "true" : "false");
        break;
    case PROP_U32:
        snprintf(to, n, "%u", *(const uint32_t *)field);
        break;
    case PROP_SIZE:
        snprintf(to, n, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case PROP_MAC:
        snprintf(to, n, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
        break;
    case PROP_ADDR:
    case PROP_INDEX:
        snprintf(to, n, "%d", *(const int32_t *)field);
        break;
    }
}

void device_create(Machine *m, OptList *o)
{
    const char *name = opt_take(o, "driver"), *id = opt_take(o, "id");
    char why[1000] = "cannot be made";
    if (!name) {
        die("%s %s: which device?", o->option, o->text);
    }
    const DeviceType *t = device_type(name);
    if (!t) {
        die("%s %s: unknown device (-device help lists them)", o->option, name);
    }
    void *config = calloc(1, t->config_size ? t->config_size : 1);
    if (!config) {
        die("no memory");
    }
    for (const DeviceProp *p = t->props; p->name; p++) {
        const char *given = opt_take(o, p->name), *text = given ? given : device_global(m, t->name, p->name);
        text = text ? text : p->initial;
        if (p->kind == PROP_ADDR || p->kind == PROP_INDEX) {
            *(int32_t *)((char *)config + p->offset) = -1;
        }
        if (text && !prop_set(p, config, text, o)) {
            die("%s %s: %s=%s makes no sense", o->option, o->text, p->name, text);
        }
    }
    opt_rest(o);
    if (t->create(m, t, id, config, why, sizeof why) < 0) {
        die("%s %s: %s", o->option, o->text, why);
    }
    made = realloc(made, (nmade + 1) * sizeof *made);
    if (!made) {
        die("no memory");
    }
    made[nmade++] = (DeviceMade){t, id, config};
}

/* -- options that mean devices ------------------------------------------------------------------------------------ */

/* Is there this property of this type? */
static bool has_prop(const char *type, const char *prop)
{
    const DeviceType *t = device_type(type);
    for (const DeviceProp *p = t ? t->props : NULL; p && p->name; p++) {
        if (!strcmp(p->name, prop)) {
            return true;
        }
    }
    return !strcmp(type, "virtio-mmio") && !strcmp(prop, "force-legacy"); /* the board's slots */
}

static void globals_check(const Machine *m)
{
    for (unsigned k = 0; k < m->options->global.n; k++) {
        OptList *l = &m->options->global.at[k];
        const char *driver = opt_look(l, "driver"), *prop = opt_look(l, "property"), *value = opt_look(l, "value");
        char copy[128] = "", *dot;
        if (!driver && l->n == 1) {
            snprintf(copy, sizeof copy, "%s", l->pairs[0].key);
            dot = strrchr(copy, '.');
            if (dot) {
                *dot = 0;
                driver = copy;
                prop = dot + 1;
                value = l->pairs[0].value;
            }
        }
        if (!driver || !prop || !value) {
            die("-global %s: expected DRIVER.PROPERTY=VALUE", l->text);
        }
        if (!has_prop(driver, prop)) {
            die("-global %s: no device %s with a property %s", l->text, driver, prop);
        }
    }
}

/* Makes the device described by text, on behalf of an option. */
static void create_text(Machine *m, const char *option, char *text)
{
    device_create(m, opt_list(option, text, "driver"));
}

static void drive_device(Machine *m, const char *option, OptList *l)
{
    char *text;
    const char *id = drive_open(m, l);
    if (asprintf(&text, "virtio-blk-pci,drive=%s", id) > 0) {
        create_text(m, option, text);
    }
}

static void file_device(Machine *m, const char *option, const char *file, const char *more)
{
    OptList *l = opt_list(option, more, NULL);
    l->text = file;
    opt_add(l, "file", file);
    drive_device(m, option, l);
}

/* index= or unit= of a disk: disks come in the order of the options, so that it can only be one that no other has. */
static void place(OptList *l, uint64_t *taken)
{
    uint64_t bus = opt_take_number(l, "bus", 0), n = opt_take_number(l, "index", opt_take_number(l, "unit", 64));
    if (bus || (n < 64 && *taken >> n & 1)) {
        die("-drive %s: there is a disk at this place, or no such place", l->text);
    }
    *taken |= n < 64 ? (uint64_t)1 << n : 0;
}

static void drives(Machine *m)
{
    const Options *o = m->options;
    uint64_t taken[1] = {0};
    for (unsigned k = 0; k < o->blockdev.n; k++) {
        drive_blockdev(m, &o->blockdev.at[k]);
    }
    for (unsigned k = 0; k < o->drive.n; k++) {
        OptList *l = &o->drive.at[k];
        const char *kind = opt_take(l, "if");
        if (kind && !strcmp(kind, "pflash")) {
            continue; /* the board's */
        } else if (kind && !strcmp(kind, "none")) {
            drive_open(m, l);
        } else if (!kind || !strcmp(kind, "virtio")) {
            place(l, taken);
            drive_device(m, l->option, l);
        } else {
            die("-drive %s: if=%s: none, virtio or pflash", l->text, kind);
        }
    }
}

/* A card for the backend that what is left of the list describes. */
static void net_device(Machine *m, OptList *l, const char *model, const char *mac)
{
    char *text;
    const char *id = net_create(m, l);
    const char *name = !model || !strcmp(model, "virtio") ? "virtio-net-pci" : model;
    if (asprintf(&text, "%s,netdev=%s%s%s", name, id, mac ? ",mac=" : "", mac ? mac : "") > 0) {
        create_text(m, l->option, text);
    }
}

/* -net nic says what card, -net user and the like what is behind it: one of each. */
static void old_net(Machine *m)
{
    const Options *o = m->options;
    const char *model = NULL, *mac = NULL;
    OptList *backend = NULL;
    bool card = false;
    for (unsigned k = 0; k < o->net.n; k++) {
        OptList *l = &o->net.at[k];
        const char *type = opt_look(l, "type");
        if (type && !strcmp(type, "nic")) {
            card = opt_take(l, "type");
            model = opt_take(l, "model");
            mac = opt_take(l, "macaddr");
            opt_take(l, "netdev");
            opt_rest(l);
        } else if (!type || strcmp(type, "none")) {
            if (backend) {
                die("-net %s: one backend; use -netdev and -device for more", l->text);
            }
            backend = l;
        }
    }
    if (backend && card) {
        net_device(m, backend, model, mac);
    } else if (backend || card) {
        complain("-net: %s, so there is no network", card ? "a card (nic) and nothing behind it" : "no card (-net nic)");
    }
}

static void nets(Machine *m)
{
    const Options *o = m->options;
    for (unsigned k = 0; k < o->netdev.n; k++) {
        net_create(m, &o->netdev.at[k]);
    }
    for (unsigned k = 0; k < o->nic.n; k++) {
        OptList *l = &o->nic.at[k];
        const char *type = opt_look(l, "type"), *model = opt_take(l, "model"), *mac = opt_take(l, "mac");
        if (!type || strcmp(type, "none")) {
            net_device(m, l, model, mac);
        }
    }
    old_net(m);
    if (!o->nic.n && !o->net.n && !o->netdev.n && !o->no_defaults) {
        net_device(m, opt_list("-nic", "user", "type"), NULL, NULL);
    }
}

static void folders(Machine *m)
{
    const Options *o = m->options;
    for (unsigned k = 0; k < o->fsdev.n; k++) {
        fsdev_open(&o->fsdev.at[k]);
    }
    for (unsigned k = 0; k < o->virtfs.n; k++) {
        OptList *l = &o->virtfs.at[k];
        char *text;
        const char *tag = opt_take(l, "mount_tag"), *id = fsdev_open(l);
        if (!tag) {
            die("-virtfs %s: needs mount_tag=", l->text);
        }
        if (asprintf(&text, "virtio-9p-pci,fsdev=%s,mount_tag=%s", id, tag) > 0) {
            create_text(m, l->option, text);
        }
    }
}

void devices_create(Machine *m)
{
    const Options *o = m->options;
    globals_check(m);
    drives(m);
    folders(m);
    nets(m);
    for (unsigned k = 0; k < o->device.n; k++) {
        device_create(m, &o->device.at[k]);
    }
    for (unsigned k = 0; k < o->ndisk; k++) {
        file_device(m, "-hda", o->disk[k], "");
    }
    if (o->cdrom) {
        file_device(m, "-cdrom", o->cdrom, "readonly=on,format=raw");
    }
}
