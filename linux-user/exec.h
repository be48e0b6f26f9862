/* exec.h - finding out what an execve means (exec.c), for main.c and the calls. */
#ifndef ARMX_USER_EXEC_H
#define ARMX_USER_EXEC_H

#include "user.h"

enum { SCRIPT_DEPTH = 5, SCRIPT_LINE = 256 };

/* What will be run: the file, after all #! lines, and the arguments that these put in place of argv[0]. */
typedef struct ExecPlan {
    int fd; /* of the program, close-on-exec */
    FileKind kind;
    char path[4096]; /* its name on the host */
    char lines[SCRIPT_DEPTH][SCRIPT_LINE];
    const char *pre[2 * SCRIPT_DEPTH + 2];
    unsigned npre; /* 0: argv stays */
} ExecPlan;

/* Follows #! lines from the file open at plan->fd, called name. 0 or -errno with a reason in why. */
int exec_resolve(ExecPlan *plan, const char *name, char *why, size_t size);
/* Is this descriptor a file that may be executed? 0 or -EACCES. */
int exec_allowed(int fd);
/* Keeps armx's own file open, for the time when /proc/self/exe is no longer to be had. */
void exec_keep_self(void);
/* At start: takes over the descriptor that a followed exec hands on, or keeps the file when there is no /proc. */
void exec_find_self(void);
/* Notes the guest program, open as fd, as what /proc/self/exe leads to: by its name while that is the same file. */
void exec_note_program(int fd);

#endif
