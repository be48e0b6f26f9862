/* alloc.h - fork and armx's own malloc (alloc.c). */
#ifndef ARMX_USER_ALLOC_H
#define ARMX_USER_ALLOC_H

#ifdef ARMX_FOREIGN_MALLOC /* the sanitizers' */
static inline void alloc_fork_prepare(void)
{
}
static inline void alloc_fork_done(void)
{
}
#else
void alloc_fork_prepare(void);
void alloc_fork_done(void);
#endif

#endif
