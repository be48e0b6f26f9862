/* cache.h - translations kept on disk: what the engine and the targets need of cache.c. */
#ifndef ARMX_BACKEND_CACHE_H
#define ARMX_BACKEND_CACHE_H

#include "base.h"

/* A note says what in a region's code has to change when it runs elsewhere, at an offset << NOTE_BITS: a 32-bit distance
 * to something outside of the code, a 64-bit address that moves with the guest's code, a 64-bit address of armx's. */
enum { NOTE_NEAR, NOTE_PC, NOTE_HOST, NOTE_BITS = 2, NOTES = 2048 /* per region */ };

typedef struct TbCache TbCache;
struct Engine;
struct Tb;
struct CodeChunk;
struct Made;

/* The cache for this armx, this configuration and processor in EngineConfig.cache_dir, or NULL. */
TbCache *cache_open(const struct Engine *e);
/* The region at pc, put into the chunk as target_compile does, or NULL. */
struct Tb *cache_load(struct Engine *e, struct CodeChunk *ch, uint64_t pc, uint64_t key);
/* A copy of a new region in the cache, which nobody finds before it is committed; or NULL. */
void *cache_record(struct Engine *e, const struct CodeChunk *ch, struct Made *m);
void cache_commit(struct Engine *e, void *record);

/* pool.c: the same in memory, for code that is made at run time. */
typedef struct TbPool TbPool;
TbPool *pool_open(const struct Engine *e); /* or NULL */
/* As cache_load. */
struct Tb *pool_load(struct Engine *e, TbPool *p, struct CodeChunk *ch, uint64_t pc, uint64_t key);
/* A copy of a new region, if it is one for the pool. */
void pool_keep(const struct Engine *e, TbPool *p, struct Made *m);

#endif
