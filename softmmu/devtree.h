/* devtree.h - writing a device tree, node by node, over libfdt's sequential writer, and changing one.
 *
 * A tree is begun, its nodes are opened and closed in order, and it is finished; what cannot be written (no room) ends the
 * process, because it is a mistake of ours.
 */
#ifndef ARMX_SOFTMMU_DEVTREE_H
#define ARMX_SOFTMMU_DEVTREE_H

#include "base.h"

typedef struct DevTree {
    void *blob;
    int size;
} DevTree;

void dt_start(DevTree *f);
void dt_done(DevTree *f);
void dt_open(DevTree *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void dt_close(DevTree *f);
void dt_put_empty(DevTree *f, const char *name);
void dt_put_string(DevTree *f, const char *name, const char *value);
/* Several strings, each with its zero; size counts the last zero. */
void dt_put_strings(DevTree *f, const char *name, const char *values, size_t size);
#define DT_STRINGS(f, name, literal) dt_put_strings(f, name, literal, sizeof literal)
/* n cells of 32 bits. */
void dt_put_cells(DevTree *f, const char *name, const uint32_t *cells, unsigned n);
#define DT_CELLS(f, name, ...) \
    dt_put_cells(f, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)
/* A number of 64 bits as two cells, in a list of cells. */
#define CELLS64(v) (uint32_t)((uint64_t)(v) >> 32), (uint32_t)(v)

/* A copy of a finished tree (ours or a file's) with room for changes; NULL when it is no device tree. */
void *dt_editable(const void *blob, size_t size);
/* Sets a property of the node at path, which is made when it is missing. */
void dt_set(void *blob, const char *path, const char *name, const void *value, size_t n);
void dt_set_string(void *blob, const char *path, const char *name, const char *value);
void dt_set_u64(void *blob, const char *path, const char *name, uint64_t value);
/* A number as the tree's root says numbers of addresses and of sizes are written (#address-cells, #size-cells). */
unsigned dt_root_cells(const void *blob, const char *name);
/* Closes the gaps; how many bytes it is. */
size_t dt_packed(void *blob);

#endif
