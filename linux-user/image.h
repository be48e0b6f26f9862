/* image.h - executable files, for main.c and exec.c (functions of image.c that user.h does not name). */
#ifndef ARMX_USER_IMAGE_H
#define ARMX_USER_IMAGE_H

#include "user.h"

/* First line of a #! script: interpreter and its one optional argument, as strings inside line (size 256 as in
 * Linux); 0 or -ENOEXEC. */
int image_script(int fd, char *line, size_t size, char **interp, char **arg);
/* A random number below limit, 0 when addresses are not to be random. */
uint64_t random_below(uint64_t limit);

#endif
