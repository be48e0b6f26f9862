/* devtree.c - see devtree.h. */
#include "devtree.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TREE_BYTES = 1 << 20, ROOM_FOR_CHANGES = 64 << 10 };

static void must(int r)
{
    if (r < 0) {
        BUG("device tree: %s", fdt_strerror(r));
    }
}

void dt_start(DevTree *f)
{
    f->size = TREE_BYTES;
    f->blob = calloc(1, TREE_BYTES);
    if (!f->blob) {
        BUG("out of memory");
    }
    must(fdt_create(f->blob, f->size));
    must(fdt_finish_reservemap(f->blob));
    must(fdt_begin_node(f->blob, ""));
}

void dt_done(DevTree *f)
{
    dt_close(f);
    must(fdt_finish(f->blob));
    f->size = (int)fdt_totalsize(f->blob);
}

void dt_open(DevTree *f, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    must(fdt_begin_node(f->blob, name));
}

void dt_close(DevTree *f)
{
    must(fdt_end_node(f->blob));
}

void dt_put_empty(DevTree *f, const char *name)
{
    must(fdt_property(f->blob, name, NULL, 0));
}

void dt_put_string(DevTree *f, const char *name, const char *value)
{
    must(fdt_property_string(f->blob, name, value));
}

void dt_put_strings(DevTree *f, const char *name, const char *values, size_t size)
{
    must(fdt_property(f->blob, name, values, (int)size));
}

void dt_put_cells(DevTree *f, const char *name, const uint32_t *cells, unsigned n)
{
    void *to;
    must(fdt_property_placeholder(f->blob, name, (int)(4 * n), &to));
    for (unsigned k = 0; k < n; k++) {
        fdt32_st((char *)to + 4 * k, cells[k]);
    }
}

void *dt_editable(const void *blob, size_t size)
{
    if (size < sizeof(struct fdt_header) || fdt_check_full(blob, size) != 0) {
        return NULL;
    }
    size_t room = fdt_totalsize(blob) + ROOM_FOR_CHANGES;
    void *copy = calloc(1, room);
    if (!copy || fdt_open_into(blob, copy, (int)room) != 0) {
        free(copy);
        return NULL;
    }
    return copy;
}

void dt_set(void *blob, const char *path, const char *name, const void *value, size_t n)
{
    int node = fdt_path_offset(blob, path);
    if (node == -FDT_ERR_NOTFOUND) {
        node = fdt_add_subnode(blob, 0, path + 1);
    }
    must(node);
    must(fdt_setprop(blob, node, name, value, (int)n));
}

void dt_set_string(void *blob, const char *path, const char *name, const char *value)
{
    dt_set(blob, path, name, value, strlen(value) + 1);
}

void dt_set_u64(void *blob, const char *path, const char *name, uint64_t value)
{
    fdt64_t be = cpu_to_fdt64(value);
    dt_set(blob, path, name, &be, sizeof be);
}

unsigned dt_root_cells(const void *blob, const char *name)
{
    int len;
    const fdt32_t *p = fdt_getprop(blob, 0, name, &len);
    return p && len == 4 ? fdt32_to_cpu(*p) : 2;
}

size_t dt_packed(void *blob)
{
    must(fdt_pack(blob));
    return fdt_totalsize(blob);
}
