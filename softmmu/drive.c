/* drive.c - -drive and -blockdev into images; see drive.h. A node of -blockdev with driver=file may be named by another as its
 * file. Used by the main thread before the machine runs, and at its end.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Drive {
    char *id;
    Block *block; /* NULL for a file node that only names a file */
    const char *file;
    bool taken;
    bool under; /* another node's file */
    DriveInfo info;
    struct Drive *next;
} Drive;

static Drive *drives;

static Drive *find(const char *id)
{
    Drive *d = drives;
    while (d && strcmp(d->id, id)) {
        d = d->next;
    }
    return d;
}

static Drive *add(const char *option, const char *id)
{
    static unsigned count;
    Drive *d = calloc(1, sizeof *d);
    char made[24];
    ASSERT(d);
    snprintf(made, sizeof made, "#block%u", count++);
    if (id && find(id)) {
        die("%s: there are two with the id %s", option, id);
    }
    d->id = strdup(id ? id : made);
    Drive **end = &drives;
    while (*end) {
        end = &(*end)->next;
    }
    *end = d;
    return d;
}

/* cache= of -drive (QEMU's names). */
static void cache_mode(const char *mode, BlockOptions *o)
{
    static const struct {
        const char *name;
        bool through, unsafe;
    } modes[] = {{"none", false, false}, {"writeback", false, false}, {"writethrough", true, false},
                 {"directsync", true, false}, {"unsafe", false, true}};
    for (unsigned i = 0; mode && i < LEN(modes); i++) {
        if (!strcmp(mode, modes[i].name)) {
            o->writethrough = modes[i].through;
            o->unsafe = modes[i].unsafe;
            return;
        }
    }
    if (mode) {
        die("-drive: cache=%s: none, writeback, writethrough, directsync or unsafe", mode);
    }
}

static BlockFormat format_of(const char *option, const char *name)
{
    if (!name) {
        return BLOCK_PROBE;
    }
    if (strcmp(name, "raw") && strcmp(name, "qcow2")) {
        die("%s: format %s: raw or qcow2", option, name);
    }
    return strcmp(name, "raw") ? BLOCK_QCOW2 : BLOCK_RAW;
}

static bool unmap(const char *option, const char *mode)
{
    if (mode && strcmp(mode, "unmap") && strcmp(mode, "on") && strcmp(mode, "ignore") && strcmp(mode, "off")) {
        die("%s: discard=%s: unmap or ignore", option, mode);
    }
    return mode && (!strcmp(mode, "unmap") || !strcmp(mode, "on"));
}

/* spare: when the file cannot be written it is opened to be read only (auto-read-only=on). */
static void open_image(Drive *d, const char *file, const BlockOptions *given, bool spare)
{
    char why[8192] = "";
    BlockOptions o[1] = {*given};
    o->readonly |= spare && access(file, R_OK) == 0 && access(file, W_OK) < 0;
    d->block = block_open(file, o, why, sizeof why);
    if (!d->block) {
        die("%s", why);
    }
    d->info.file = file;
    d->info.options = *o;
}

/* aio= chooses nothing here, as each disk has a thread; zeros are not looked for, so detect-zeroes= can only be off. */
static void check_word(OptList *o, const char *key, const char *const *words)
{
    const char *v = opt_take(o, key);
    for (; v && *words; words++) {
        if (!strcmp(v, *words)) {
            return;
        }
    }
    if (v) {
        die("%s: %s=%s is not known", o->option, key, v);
    }
}

const char *drive_open(Machine *m, OptList *o)
{
    static const char *const aio[] = {"threads", "native", "io_uring", NULL};
    static const char *const zeroes[] = {"off", NULL};
    const char *file = opt_take(o, "file"), *media = opt_take(o, "media");
    Drive *d = add(o->option, opt_take(o, "id"));
    bool cdrom = media && !strcmp(media, "cdrom"), spare = opt_take_bool(o, "auto-read-only", false);
    BlockOptions b = {.format = format_of(o->option, opt_take(o, "format")),
                      .readonly = opt_take_bool(o, "read-only", opt_take_bool(o, "readonly", cdrom)),
                      .snapshot = opt_take_bool(o, "snapshot", m->options->snapshot),
                      .unmap = unmap(o->option, opt_take(o, "discard"))};
    cache_mode(opt_take(o, "cache"), &b);
    check_word(o, "aio", aio);
    check_word(o, "detect-zeroes", zeroes);
    opt_rest(o);
    if (media && !cdrom && strcmp(media, "disk")) {
        die("-drive %s: media is disk or cdrom", o->text);
    }
    if (!file) {
        die("-drive %s: file= is missing", o->text);
    }
    open_image(d, file, &b, spare);
    return d->id;
}

void drive_blockdev(Machine *m, OptList *o)
{
    const char *driver = opt_take(o, "driver"), *name = opt_take(o, "node-name");
    if (!driver || !name) {
        die("-blockdev %s: driver= and node-name= are needed", o->text);
    }
    Drive *d = add(o->option, name);
    d->info.node = true;
    BlockOptions b = {.readonly = opt_take_bool(o, "read-only", false), .snapshot = m->options->snapshot,
                      .unmap = unmap(o->option, opt_take(o, "discard")),
                      .unsafe = opt_take_bool(o, "cache.no-flush", false)};
    opt_take_bool(o, "cache.direct", false); /* as cache=none: what is flushed is safe either way */
    bool spare = opt_take_bool(o, "auto-read-only", false);
    if (!strcmp(driver, "file") || !strcmp(driver, "host_device")) {
        d->file = opt_take(o, "filename");
        if (!d->file) {
            die("-blockdev %s: filename= is missing", o->text);
        }
        b.format = BLOCK_RAW;
        opt_rest(o);
        open_image(d, d->file, &b, spare);
        return;
    }
    b.format = format_of(o->option, driver);
    const char *file = opt_take(o, "file.filename"), *node = opt_take(o, "file"), *kind = opt_take(o, "file.driver");
    if (kind && strcmp(kind, "file") && strcmp(kind, "host_device")) {
        die("-blockdev %s: file.driver=%s: file or host_device", o->text, kind);
    }
    if (node) {
        Drive *under = find(node);
        if (!under || !under->file || under->taken) {
            die("-blockdev %s: no free node %s of driver=file", o->text, node);
        }
        file = under->file;
        block_close(under->block);
        under->block = NULL;
        under->taken = under->under = true;
    }
    opt_rest(o);
    if (!file) {
        die("-blockdev %s: file= or file.filename= is missing", o->text);
    }
    open_image(d, file, &b, spare);
}

Block *drive_take(Machine *m, const char *id, const char *user, char *why, size_t n)
{
    (void)m;
    Drive *d = find(id);
    if (!d || !d->block) {
        snprintf(why, n, "no -drive or -blockdev has the id %s", id);
        return NULL;
    }
    if (d->taken) {
        snprintf(why, n, "another device has the drive %s", id);
        return NULL;
    }
    d->taken = true;
    d->info.user = user;
    return d->block;
}

void drive_each(void (*fn)(void *arg, const DriveInfo *d), void *arg)
{
    for (Drive *d = drives; d; d = d->next) {
        if (d->block && !d->under) {
            d->info.id = d->id;
            d->info.block = d->block;
            d->info.format = block_is_qcow2(d->block) && !d->info.options.snapshot ? "qcow2" : "raw";
            fn(arg, &d->info);
        }
    }
}

void drive_close_all(void)
{
    for (Drive *d = drives; d; d = d->next) {
        if (d->block && !block_readonly(d->block)) {
            block_flush(d->block);
        }
        block_close(d->block);
        d->block = NULL;
    }
}
